use crate::support::run;

#[test]
fn it_withstands_its_own_attacks_on_a_world_of_its_own() {
    let ran =
        run(["adversary", "--only", "unknown-contact", "--only", "grant-replayed", "--json"]).ends_with(0);
    let report = ran.json();
    assert_eq!(report["counts"]["failed"], 0, "{report}");
    assert_eq!(report["counts"]["skipped"], 0, "{report}");
    assert!(report["counts"]["passed"].as_u64().is_some_and(|passed| passed > 5), "{report}");
}

#[test]
fn cases_are_listed_without_a_server() {
    let list = run(["adversary", "--list", "--door", "jwt_bearer"]).ends_with(0).stdout;
    assert!(list.contains("grant-replayed-at-jwt-bearer\n") && list.contains(" cases\n"), "{list}");
    let list = run(["adversary", "--list", "--json"]).ends_with(0).json();
    assert!(list.as_array().is_some_and(|cases| cases.len() > 200));
}

#[test]
fn what_has_to_change_is_told_with_code_2() {
    let ran = run(["adversary", "--only", "no-such-case"]).ends_with(2);
    assert!(ran.stderr.contains("--list"), "{}", ran.stderr);
    let ran = run(["adversary", "--adapter", "/nowhere/at/all.toml"]).ends_with(2);
    assert!(ran.stderr.contains("/nowhere/at/all.toml"), "{}", ran.stderr);
    let ran = run(["adversary", "--door", "window"]).ends_with(2);
    assert!(ran.stderr.contains("jwt_bearer"), "{}", ran.stderr);
}

#[test]
fn a_setup_that_fails_has_the_code_3() {
    let folder = tempfile::tempdir().unwrap();
    let adapter = folder.path().join("adapter.toml");
    let text = "name = \"None\"\nissuer = \"http://127.0.0.1:1\"\n[setup]\ncommand = [\"false\"]\n";
    std::fs::write(&adapter, text).unwrap();
    let ran = run(["adversary".as_ref(), "--adapter".as_ref(), adapter.as_os_str()]).ends_with(3);
    assert!(ran.stderr.contains("setup"), "{}", ran.stderr);
}
