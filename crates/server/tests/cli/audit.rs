use std::fs;

use serde_json::Value;

use crate::support::Folder;

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
