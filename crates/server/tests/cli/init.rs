use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::{Folder, procura, ran, run};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_data_folder_is_its_owners_alone() {
    let folder = Folder::new();
    assert_eq!(mode(folder.path()), 0o700);
    assert_eq!(mode(&folder.path().join("key-encryption.key")), 0o600);
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
    assert!(folder.path().join("directory.sqlite").is_file());
    assert!(folder.path().join("journal").is_dir());
}

#[test]
fn a_data_folder_is_made_once() {
    let folder = Folder::new();
    let key = fs::read(folder.path().join("key-encryption.key")).unwrap();
    let again = folder.run("init").ends_with(1);
    assert!(again.stderr.contains("nothing was changed"), "{}", again.stderr);
    assert_eq!(fs::read(folder.path().join("key-encryption.key")).unwrap(), key);
}

#[test]
fn a_folder_with_something_else_in_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    let ran = run(["init", "--data", folder.path().to_str().unwrap()]).ends_with(1);
    assert!(ran.stderr.contains("is not empty"), "{}", ran.stderr);
}

#[test]
fn a_key_from_the_environment_is_not_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let mut command = procura();
    command.env("PROCURA_KEY_ENCRYPTION_KEY", key).args(["init", "--data", data.to_str().unwrap()]);
    let made = ran(&mut command).ends_with(0);
    assert!(!made.stdout.contains(key) && !made.stderr.contains(key));
    assert!(!data.join("key-encryption.key").exists());
    let bad = data.with_file_name("bad");
    let mut command = procura();
    command.env("PROCURA_KEY_ENCRYPTION_KEY", "short").args(["init", "--data", bad.to_str().unwrap()]);
    let refused = ran(&mut command).ends_with(2);
    assert!(refused.stderr.contains("exactly 32 bytes") && !refused.stderr.contains("short"), "{refused:?}");
}

#[test]
fn status_says_what_a_folder_holds() {
    let folder = Folder::new();
    folder.done("client|add|CLI1|--client-name|Wells-Byrne Ltd");
    let status = folder.done("status --json").json();
    assert_eq!(status["counts"]["client"], 1);
    assert_eq!(status["counts"]["contact"], 0);
    assert_eq!((&status["demo"], &status["served"]), (&false.into(), &false.into()));
    assert!(folder.done("status").stdout.contains("clients"));
}

#[test]
fn there_is_a_signing_key_and_its_successor_from_the_start() {
    let folder = Folder::new();
    let keys = folder.done("key list --json").json();
    let states: Vec<&str> = keys
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| key["purpose"] == "token" && key["algorithm"] == "ES256")
        .map(|key| key["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["signing", "announced"]);
    let early = folder.run("key rotate").ends_with(1);
    assert!(early.stderr.contains("may not sign before"), "{}", early.stderr);
}

#[test]
fn a_compromised_key_gives_way_at_once() {
    let folder = Folder::new();
    let keys = folder.done("key list --json").json();
    let of_state = |keys: &serde_json::Value, state: &str| -> String {
        let key =
            keys.as_array().unwrap().iter().find(|key| key["state"] == state && key["purpose"] == "token");
        key.unwrap()["kid"].as_str().unwrap().to_owned()
    };
    let (old, next) = (of_state(&keys, "signing"), of_state(&keys, "announced"));
    let unsure = folder.run(&format!("key revoke {old}")).ends_with(2);
    assert!(unsure.stderr.contains("--compromised"), "{}", unsure.stderr);
    folder.done(&format!("key revoke {old} --compromised"));
    let keys = folder.done("key list --json").json();
    assert_eq!(of_state(&keys, "signing"), next);
    assert_eq!(of_state(&keys, "revoked"), old);
    folder.run("key revoke nobody --compromised").ends_with(1);
}

#[test]
fn keys_can_be_sealed_under_another_key() {
    let folder = Folder::new();
    let file = folder.path().join("key-encryption.key");
    let before = fs::read(&file).unwrap();
    folder.done("key rewrap");
    assert_ne!(fs::read(&file).unwrap(), before);
    assert_eq!(mode(&file), 0o600);
    let listed = folder.done("key list --json").json();
    assert!(listed.as_array().unwrap().len() >= 3);
}
