use serde_json::{Value, json};

use crate::support::Folder;

/// A folder with one of each noun.
fn filled() -> Folder {
    let folder = Folder::new();
    folder.done("client|add|CLI1|--client-name|Τρομπούκη-Πετρίδης Ο.Ε.|--city|Βόλος");
    folder.done("contact|add|CON1|--name|Ana Ruiz|--email-address|ana@ruiz.example|--language|es");
    folder.done("application|add|app_one|--name|Klapp ERP|--trusted");
    folder.done("mandate|add|CON1|CLI1|--permissions|can_trade can_manage_payments");
    folder.done("trust|add|CLI1|app_one|--contacts|*|--ceiling|all|--reason|signed agreement 4402");
    folder.done("resource|add|https://payments.example/v1|--name|Payments");
    folder
}

fn listed(folder: &Folder, noun: &str) -> Vec<Value> {
    match folder.done(&format!("{noun} list --json")).json() {
        Value::Array(rows) => rows,
        other => panic!("{other}"),
    }
}

#[test]
fn every_noun_is_added_shown_listed_updated_disabled_and_removed() {
    let folder = filled();
    let lives = [
        ("trust", "CLI1 app_one", "--ceiling|can_trade", "ceiling", "can_trade", "withdrawn"),
        (
            "mandate",
            "CON1 CLI1",
            "--until|2031-05-01T00:00:00Z",
            "until",
            "2031-05-01T00:00:00Z",
            "suspended",
        ),
        ("contact", "CON1", "--city|Alcoy", "city", "Alcoy", "disabled"),
        ("client", "CLI1", "--brand-name|Ford PLC", "brand_name", "Ford PLC", "Inactive"),
        ("application", "app_one", "--name|Other ERP", "name", "Other ERP", "disabled"),
        ("resource", "https://payments.example/v1", "--name|Pay", "name", "Pay", "disabled"),
    ];
    for (noun, key, flags, field, value, off) in lives {
        let bars = key.replace(' ', "|");
        let shown = folder.done(&format!("{noun} show {key} --json")).json();
        assert_ne!(shown[field], value, "{noun}");
        assert_eq!(folder.done(&format!("{noun}|update|{bars}|{flags}|--json")).json()["result"], "updated");
        assert_eq!(
            folder.done(&format!("{noun}|update|{bars}|{flags}|--json")).json()["result"],
            "unchanged"
        );
        assert_eq!(folder.done(&format!("{noun} show {key} --json")).json()[field], value, "{noun}");
        assert_eq!(folder.done(&format!("{noun} disable {key} --json")).json()["result"], "disabled");
        assert_eq!(folder.done(&format!("{noun} show {key} --json")).json()["status"], off, "{noun}");
        assert!(folder.done(&format!("{noun} list")).stdout.contains(key.split(' ').next().unwrap()));
        let before = listed(&folder, noun).len();
        assert_eq!(folder.done(&format!("{noun} remove {key} --json")).json()["result"], "removed");
        assert_eq!(listed(&folder, noun).len(), before - 1, "{noun}");
        for verb in ["show", "disable", "remove"] {
            let gone = folder.run(&format!("{noun} {verb} {key}")).ends_with(1);
            assert!(gone.stderr.contains(&format!("there is no {noun} {key}")), "{}", gone.stderr);
        }
    }
}

#[test]
fn adding_twice_is_refused_and_says_what_to_do() {
    let folder = filled();
    let again = folder.run("client|add|CLI1|--client-name|Other").ends_with(1);
    assert!(again.stderr.contains("`procura client update` changes it"), "{}", again.stderr);
    assert_eq!(folder.done("client show CLI1 --json").json()["client_name"], "Τρομπούκη-Πετρίδης Ο.Ε.");
}

#[test]
fn values_that_can_not_be_are_told_with_the_field_and_what_would_do() {
    let folder = filled();
    for (line, code, told) in [
        ("contact add app_x", 2, "must not start with 'app_'"),
        ("contact|add|CON9|--email-address|nobody", 2, "must be an e-mail address"),
        ("mandate add CON1 CLI1 --permissions can_fly", 2, "permissions"),
        ("mandate|add|CON1|CLI2|--permissions|can_trade", 1, "client_id names CLI2, which is not there"),
        ("trust|add|CLI1|app_two|--contacts|*", 1, "app_two"),
        ("client add CLI2", 1, "client_name is missing"),
        ("client|update|CLI1|--status|Sleeping", 2, "Sleeping"),
        ("client update CLI1", 2, "say what to change"),
        (
            "mandate update CON1 CLI1 --from 2031-01-01T00:00:00Z --until 2030-01-01T00:00:00Z",
            1,
            "after from",
        ),
        ("client|update|CLI1|--status|", 2, "status"),
    ] {
        let ran = folder.run(line).ends_with(code);
        assert!(ran.stderr.contains(told), "{line}: {told:?} is not in {:?}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{line}: {:?}", ran.stdout);
    }
}

#[test]
fn an_empty_value_clears_and_an_absent_one_leaves() {
    let folder = filled();
    folder.done("contact|update|CON1|--name|");
    let contact = folder.done("contact show CON1 --json").json();
    assert_eq!((&contact["name"], &contact["language"]), (&Value::Null, &json!("es")));
}

#[test]
fn an_application_gets_an_id_when_none_is_given() {
    let folder = Folder::new();
    let added = folder.done("application|add|--name|Unnamed|--json").json();
    let id = added["application_id"].as_str().unwrap();
    assert!(id.starts_with("app_") && id.len() == 30, "{id}");
    folder.done(&format!("application show {id}"));
}

#[test]
fn two_secrets_live_at_once_and_each_is_shown_once() {
    let folder = filled();
    let first = folder.done("application secret add app_one --json").json();
    let secret = first["secret"].as_str().unwrap();
    assert!(secret.starts_with("pcs_") && secret.len() == 47, "{secret}");
    assert_eq!(first["application_id"], "app_one");
    assert_eq!(first.as_object().unwrap().len(), 4);
    assert_eq!(first["expires_at"], Value::Null);
    folder.done("application secret add app_one");
    let third = folder.run("application secret add app_one").ends_with(1);
    assert!(third.stderr.contains("two live secrets"), "{}", third.stderr);
    let list = folder.done("application secret list app_one --json");
    assert_eq!(list.json().as_array().unwrap().len(), 2);
    assert!(!list.stdout.contains(secret));
    let id = first["secret_id"].as_str().unwrap();
    folder.done(&format!("application secret retire app_one {id}"));
    folder.run(&format!("application secret retire app_one {id}")).ends_with(1);
    folder.done("application secret add app_one");
    folder.run("application secret add app_none").ends_with(1);
    let other = folder.done("resource secret add https://payments.example/v1 --json").json();
    assert_eq!(other["resource_id"], "https://payments.example/v1");
}

#[test]
fn a_contact_is_erased_only_when_it_is_meant() {
    let folder = filled();
    let unsure = folder.run("contact erase CON1").ends_with(2);
    assert!(unsure.stderr.contains("--yes"), "{}", unsure.stderr);
    assert_eq!(folder.done("contact erase CON1 --yes --json").json()["result"], "erased");
    folder.run("contact show CON1").ends_with(1);
    folder.run("contact erase CON2 --yes").ends_with(1);
}

#[test]
fn resources_are_added_to_an_application_by_name() {
    let folder = filled();
    folder.done("application update app_one --resource https://payments.example/v1");
    let shown = folder.done("application show app_one --json").json();
    assert_eq!(shown["resources"], "https://payments.example/v1");
    let missing = folder.run("application update app_one --resource https://other.example").ends_with(1);
    assert!(missing.stderr.contains("https://other.example"), "{}", missing.stderr);
}

#[test]
fn a_list_can_be_narrowed_by_key_and_status() {
    let folder = filled();
    folder.done("contact|add|CON2|--status|disabled");
    folder.done("mandate add CON2 CLI1");
    let ids = |line: &str, member: &str| -> Vec<String> {
        let rows = folder.done(line).json();
        rows.as_array().unwrap().iter().map(|row| row[member].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("contact list --json", "contact_id"), ["CON1", "CON2"]);
    assert_eq!(ids("contact list --status disabled --json", "contact_id"), ["CON2"]);
    assert_eq!(ids("mandate list --contact-id CON1 --json", "client_id"), ["CLI1"]);
    assert_eq!(ids("mandate list --client-id CLI1 --json", "contact_id"), ["CON1", "CON2"]);
    assert_eq!(folder.done("mandate list --contact-id CON7 --json").json(), json!([]));
}
