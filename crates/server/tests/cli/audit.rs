use std::fs;
use std::time::Duration;

use procura_jose::Algorithm;
use procura_testkit::assertion::AssertionKey;
use serde_json::{Value, json};

use crate::heard::{member, now};
use crate::support::{Folder, Server, procura};

fn filled() -> Folder {
    let folder = Folder::new();
    folder.done("client|add|CLI1|--client-name|Wells-Byrne Ltd");
    folder.done("contact|add|CON1|--name|Ana Ruiz");
    folder.done("mandate add CON1 CLI1");
    folder
}

fn exported(folder: &Folder) -> Vec<Value> {
    let text = folder.done("audit export").stdout;
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_change_is_in_the_journal_once_with_its_actor() {
    let folder = filled();
    let records = exported(&folder);
    let of = |cause: &str| records.iter().filter(|record| record["cause"] == cause).collect::<Vec<_>>();
    for cause in ["client.add", "contact.add", "mandate.add"] {
        assert_eq!(of(cause).len(), 1, "{cause}: {records:?}");
        assert!(of(cause)[0]["actor"].as_str().unwrap().starts_with("uid:"));
    }
    assert_eq!(of("mandate.add")[0]["contact_id"], "CON1");
    assert_eq!(of("mandate.add")[0]["clients"], serde_json::json!(["CLI1"]));
    let numbers: Vec<u64> = records.iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=records.len() as u64).collect::<Vec<_>>());
    let names = [
        "seq",
        "at",
        "kind",
        "reference",
        "application_id",
        "contact_id",
        "clients",
        "id_token_jti",
        "access_token_jti",
        "expires_at",
        "kid",
        "door",
        "bound_to",
        "cause",
        "actor",
        "hash",
    ];
    for record in &records {
        let record = record.as_object().unwrap();
        assert_eq!(record.len(), names.len());
        assert!(names.iter().all(|name| record.contains_key(*name)), "{record:?}");
    }
}

#[test]
fn the_journal_holds_no_name_and_forgets_who_was_erased() {
    let folder = filled();
    folder.done("contact erase CON1 --yes");
    let records = exported(&folder);
    let added = records.iter().find(|record| record["cause"] == "contact.add").unwrap();
    assert_eq!(added["contact_id"], Value::Null);
    for entry in fs::read_dir(folder.path().join("journal")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        for word in ["CON1", "Ana Ruiz", "Wells"] {
            assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
        }
    }
    folder.done("audit verify");
}

#[test]
fn the_journal_verifies_and_a_changed_byte_is_found() {
    let folder = filled();
    let head = folder.done("audit head");
    let file = folder.path().with_file_name("head.json");
    fs::write(&file, &head.stdout).unwrap();
    folder.done("client add CLI2 --client-name Later");
    let report = folder.done(&format!("audit verify --json --head {}", file.display())).json();
    assert_eq!(report["verified"], true);
    assert_eq!(report["records"].as_u64().unwrap(), exported(&folder).len() as u64);
    assert!(report["proven_by_exported"].as_u64().unwrap() >= 1, "{report}");

    let segment = fs::read_dir(folder.path().join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .min()
        .unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.iter().rposition(|byte| *byte != 0).unwrap() - 200;
    bytes[at] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let found = folder.run("audit verify").ends_with(3);
    assert!(found.stderr.contains(".log"), "{}", found.stderr);
}

#[test]
fn a_change_of_a_resource_or_a_key_says_of_which() {
    let folder = filled();
    folder.done("resource add https://payments.example/v1");
    let records = exported(&folder);
    assert_eq!(records.last().unwrap()["cause"], "resource.add https://payments.example/v1");
    let key = records.iter().find(|record| record["cause"] == "key.add").unwrap();
    let tail = folder.done("audit tail -n 100").stdout;
    assert!(tail.contains(key["kid"].as_str().unwrap()), "{tail}");
}

#[test]
fn the_last_records_are_shown_newest_last() {
    let folder = filled();
    let tail = folder.done("audit tail -n 2").stdout;
    let lines: Vec<&str> = tail.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains("contact.add") && lines[1].contains("mandate.add"), "{tail}");
}

#[test]
fn a_reference_that_is_none_or_nobodys_is_told_apart() {
    let folder = filled();
    folder.run("audit explain short").ends_with(2);
    let unknown = folder.run("audit explain AAAAAAAAAAAAAAAAAAAAAA").ends_with(1);
    assert!(unknown.stderr.contains("no record has the reference"), "{}", unknown.stderr);
}

/// A contact, a client that trusts one application for everybody, and a key of the application.
fn trusting(key: &AssertionKey) -> (Folder, String) {
    let folder = filled();
    folder.done("application add app_one --trusted --auth-methods client_secret_post");
    folder.done("trust|add|CLI1|app_one|--contacts|*|--ceiling|all|--reason|agreed");
    let file = folder.path().with_file_name("key.jwk");
    fs::write(&file, json!(key.jwk()).to_string()).unwrap();
    folder.done(&format!("application key add app_one {}", file.display()));
    let secret = folder.done("application secret add app_one --json").json();
    let credentials = format!("client_id=app_one&client_secret={}", secret["secret"].as_str().unwrap());
    (folder, credentials)
}

/// An assertion that is to be a grant, for the contact.
fn grant(key: &AssertionKey, issuer: &str, id: &str) -> String {
    let mut header = key.header();
    header["typ"] = json!("authorization-grant+jwt");
    let claims = json!({"iss": "app_one", "sub": "CON1", "aud": issuer, "jti": id, "exp": now() + 60});
    key.sign(&header, &claims)
}

#[test]
fn a_token_is_told_with_its_door_and_a_refusal_with_what_was_wrong() {
    let key = AssertionKey::new(Algorithm::Es256);
    let (folder, credentials) = trusting(&key);
    let server = Server::start(procura().args(["serve", "--data", folder.path().to_str().unwrap()]));
    let asked = |path: &str, form: &str, proof: &str| {
        let body = format!("{credentials}&{form}");
        let head = format!(
            "content-type: application/x-www-form-urlencoded\r\n{proof}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        server.ask(&format!("POST {path}"), &head)
    };
    let bearer = "grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer";
    let exchange = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange\
                    &subject_token_type=urn:ietf:params:oauth:token-type:jwt";
    let first = grant(&key, server.text("issuer"), "first");
    let second = grant(&key, server.text("issuer"), "second");
    for (door, path, form) in [
        ("contact_token", "/token/CON1", "scope=openid".to_owned()),
        ("jwt_bearer", "/token", format!("{bearer}&assertion={first}")),
        ("token_exchange", "/token", format!("{exchange}&subject_token={second}")),
        ("client_credentials", "/token", "grant_type=client_credentials".to_owned()),
    ] {
        let answer = asked(path, &form, "");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{door}: {answer}");
        let record = exported(&folder).pop().unwrap();
        let is_for_a_contact = door != "client_credentials";
        assert_eq!((&record["kind"], &record["door"]), (&json!("issued"), &json!(door)), "{record}");
        assert_eq!(record["contact_id"] == "CON1", is_for_a_contact, "{record}");
        assert_eq!(record["clients"] == json!(["CLI1"]), is_for_a_contact, "{record}");
        let has_id_token = ["contact_token", "jwt_bearer"].contains(&door);
        assert_eq!(record["id_token_jti"].is_string(), has_id_token, "{record}");
        let tail = folder.done("audit tail -n 1").stdout;
        assert!(tail.contains(&format!("issued    {door}  app_one")), "{tail}");
        let reference = member(&answer, "procura-reference");
        let explained = folder.done(&format!("audit explain {reference}")).stdout;
        assert!(explained.contains(door), "{explained}");
    }
    for (form, proof, cause, told) in [
        (format!("{bearer}&assertion={first}"), "", "assertion replayed", "replayed"),
        ("grant_type=client_credentials".to_owned(), "dpop: x\r\n", "dpop_not_registered", "--dpop-bound"),
    ] {
        let answer = asked("/token", &form, proof);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert_eq!(exported(&folder).pop().unwrap()["cause"], cause);
        let reference = member(&answer, "procura-reference");
        let explained = folder.done(&format!("audit explain {reference}")).stdout;
        assert!(explained.contains(told), "{explained}");
    }
    folder.done("application update app_one --dpop-bound-access-tokens true");
    let answer = (0..1_000).map(|_| asked("/token", "grant_type=client_credentials", "dpop: x\r\n"));
    let answer = answer.into_iter().find(|answer| answer.contains("invalid_dpop_proof")).unwrap();
    let explained = folder.done(&format!("audit explain {}", member(&answer, "procura-reference"))).stdout;
    assert!(explained.contains("dpop_proof malformed") && explained.contains("is not a JWT"), "{explained}");
    let journal = folder.done("audit export").stdout;
    for secret in [first.as_str(), second.as_str(), credentials.rsplit('=').next().unwrap()] {
        assert!(!journal.contains(secret), "{secret}");
    }
}

#[test]
fn an_applications_own_token_is_revoked_by_the_reference_of_its_answer() {
    let (folder, credentials) = trusting(&AssertionKey::new(Algorithm::Es256));
    let server = Server::start(procura().args(["serve", "--data", folder.path().to_str().unwrap()]));
    let asked = |path: &str, form: &str| {
        let body = format!("{credentials}&{form}");
        let head = format!(
            "content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        server.ask(&format!("POST {path}"), &head)
    };
    let answer = asked("/token", "grant_type=client_credentials");
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let token = format!("token={}", body["access_token"].as_str().unwrap());
    assert!(asked("/introspect", &token).contains("\"active\":true"));
    let revoke = format!("revoke token --json --reference {}", member(&answer, "procura-reference"));
    assert_eq!(folder.done(&revoke).json()["result"], "revoked");
    // The server looks for changes of others ten times a second.
    let is_over = |_| {
        std::thread::sleep(Duration::from_millis(20));
        asked("/introspect", &token).contains("\"active\":false")
    };
    assert!((0..500).any(is_over), "still active after ten seconds");
    assert_eq!(folder.done(&revoke).json()["result"], "unchanged");
}
