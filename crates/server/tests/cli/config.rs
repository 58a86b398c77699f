use std::fs;

use crate::support::{procura, ran, run};

fn checked(text: &str) -> crate::support::Ran {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("procura.toml");
    fs::write(&file, text).unwrap();
    run(["config", "check", "--config", file.to_str().unwrap()])
}

#[test]
fn the_reference_is_a_configuration() {
    let reference = run(["config", "reference"]).ends_with(0).stdout;
    checked(&reference).ends_with(0);
}

#[test]
fn check_says_what_is_in_effect_and_where_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("procura.toml");
    fs::write(&file, "data = \"state\"\n[tokens]\nlifetime = 600\n").unwrap();
    let checked = ran(procura().env("PROCURA_SERVER__LISTEN", "127.0.0.1:9001").args([
        "config",
        "check",
        "--json",
        "--config",
        file.to_str().unwrap(),
    ]))
    .ends_with(0)
    .json();
    assert_eq!(checked["data"]["value"], folder.path().join("state").to_str().unwrap());
    assert_eq!(checked["tokens.lifetime"]["value"], "600");
    assert_eq!(checked["tokens.lifetime"]["from"], format!("{}:3", file.display()));
    assert_eq!(checked["server.listen"]["value"], "127.0.0.1:9001");
    assert_eq!(checked["server.listen"]["from"], "PROCURA_SERVER__LISTEN");
    assert_eq!(checked["limits.connections"]["from"], "default");
}

#[test]
fn what_can_not_be_used_is_told_with_its_line_and_code_2() {
    for (text, told) in [
        ("\nisuer = \"https://a.example\"", ":2: isuer is no setting; did you mean issuer?"),
        ("[limits]\nconections = 5", ":2: limits.conections is no setting; did you mean limits.connections?"),
        ("[tls]\nlisten = \"127.0.0.1:0\"\n", ":2: tls.listen needs the server's certificate"),
        ("issuer = \"http://a.example\"", "http:// is for loopback only"),
        ("[server]\nlisten = 8080", "must be a text, in quotes"),
        ("server = 5", ":1: server is no setting"),
        ("[[server]]\n", "server is no setting"),
        ("data = ", "is not TOML"),
    ] {
        let ran = checked(text).ends_with(2);
        assert!(ran.stderr.contains(told), "{told:?} is not in {:?}", ran.stderr);
    }
}

#[test]
fn a_variable_that_means_nothing_is_refused() {
    let ran = ran(procura().env("PROCURA_TOKENS_LIFETIME", "5").args(["config", "check"])).ends_with(2);
    assert!(ran.stderr.contains("did you mean PROCURA_TOKENS__LIFETIME?"), "{}", ran.stderr);
}

#[test]
fn without_an_issuer_only_loopback_is_listened_on() {
    let ran = checked("[server]\nlisten = \"0.0.0.0:8080\"").ends_with(2);
    assert!(ran.stderr.contains("issuer"), "{}", ran.stderr);
    checked("issuer = \"https://token.example\"\n[server]\nlisten = \"0.0.0.0:8080\"").ends_with(0);
}
