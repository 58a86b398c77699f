use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::{Server, procura, ran, run};

fn basic(server: &Server) -> String {
    let pair = format!("{}:{}", server.text("application_id"), server.text("application_secret"));
    format!("authorization: Basic {}\r\ncontent-length: 0\r\n", STANDARD.encode(pair))
}

fn token(server: &Server, contact: &Value) -> String {
    server.ask(&format!("POST /token/{}", contact["contact_id"].as_str().unwrap()), &basic(server))
}

fn start() -> Server {
    Server::start(procura().arg("demo"))
}

#[test]
fn the_ready_line_has_every_member_and_the_folder_goes_with_the_demo() {
    for signal in ["TERM", "INT"] {
        let server = start();
        let data = PathBuf::from(server.text("data_dir"));
        assert!(data.is_dir());
        let members: Vec<&String> = server.ready.as_object().unwrap().keys().collect();
        let mut expected = [
            "base_url",
            "issuer",
            "application_id",
            "application_secret",
            "resource_id",
            "resource_secret",
            "payments_resource_id",
            "payments_resource_secret",
            "contacts",
            "refused_contacts",
            "data_dir",
        ];
        expected.sort_unstable();
        assert_eq!(members, expected);
        assert_eq!(server.text("resource_id"), format!("{}/api", server.text("issuer")));
        assert_eq!(server.stop(signal), (Some(0), String::new()));
        assert!(!data.exists(), "{signal}");
    }
}

#[test]
fn contacts_get_tokens_with_their_clients_and_the_others_get_none() {
    let server = start();
    for contact in server.ready["contacts"].as_array().unwrap() {
        let answer = token(&server, contact);
        assert!(answer.starts_with("HTTP/1.1 200"), "{contact}: {answer}");
        let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        let claims = body["id_token"].as_str().unwrap().split('.').nth(1).unwrap().to_owned();
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        let clients: Vec<&Value> =
            claims["clients"].as_array().unwrap().iter().map(|client| &client["client_id"]).collect();
        assert_eq!(clients, contact["clients"].as_array().unwrap().iter().collect::<Vec<_>>());
    }
    let refused = server.ready["refused_contacts"].as_array().unwrap();
    assert!(refused.len() >= 6);
    for contact in refused {
        let answer = token(&server, contact);
        assert!(
            answer.starts_with("HTTP/1.1 400") && answer.contains("invalid_grant"),
            "{contact}: {answer}"
        );
        // What the demo says is what the journal says.
        let reference = answer
            .lines()
            .find_map(|line| line.to_lowercase().starts_with("procura-reference:").then(|| line[18..].trim()))
            .unwrap();
        let explained = run(["audit", "explain", reference, "--json", "--data", server.text("data_dir")])
            .ends_with(0)
            .json();
        let cause = explained["record"]["cause"].as_str().unwrap();
        assert!(cause.split(' ').any(|part| part == contact["why"]), "{contact}: {cause}");
    }
}

#[test]
fn a_folder_whose_making_was_interrupted_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let begun = folder.path().join("directory.sqlite");
    fs::write(&begun, "").unwrap();
    for (path, mode) in [(folder.path(), 0o700), (&begun, 0o600)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let server = Server::start(procura().args(["demo", "--data", folder.path().to_str().unwrap()]));
    assert_eq!(server.stop("TERM"), (Some(0), String::new()));
}

#[test]
fn a_kept_folder_gets_new_secrets_at_each_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let start = || Server::start(procura().args(["demo", "--data", data.to_str().unwrap()]));
    let first = start();
    let (old, old_secret) = (basic(&first), first.text("application_secret").to_owned());
    first.stop("TERM");
    assert!(data.is_dir());
    let second = start();
    assert_ne!(second.text("application_secret"), old_secret);
    let contact = &second.ready["contacts"][0];
    assert!(token(&second, contact).starts_with("HTTP/1.1 200"));
    let path = format!("POST /token/{}", contact["contact_id"].as_str().unwrap());
    assert!(second.ask(&path, &old).starts_with("HTTP/1.1 401"));
    let kept = read_all(&data);
    assert!(!kept.windows(old_secret.len()).any(|bytes| bytes == old_secret.as_bytes()));
}

fn read_all(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        all.extend(if path.is_dir() { read_all(&path) } else { fs::read(&path).unwrap() });
    }
    all
}

#[test]
fn a_demo_stays_on_loopback_and_apart_from_real_folders() {
    let ran_ = run(["demo", "--listen", "0.0.0.0:0"]).ends_with(2);
    assert!(ran_.stderr.contains("loopback"), "{}", ran_.stderr);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    Server::start(procura().args(["demo", "--data", data.to_str().unwrap()])).stop("TERM");
    let served = ran(procura().args(["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]));
    assert!(served.ends_with(1).stderr.contains("demo"));
    let real = crate::support::Folder::new();
    let demo = real.run("demo --listen 127.0.0.1:0").ends_with(1);
    assert!(demo.stderr.contains("demo"), "{}", demo.stderr);
}

#[test]
fn a_partner_gets_a_token_through_the_sdk() {
    let server = start();
    let contact = server.ready["contacts"][0]["contact_id"].as_str().unwrap();
    let mut command = procura();
    command.env("PROCURA_SECRET", server.text("application_secret")).args([
        "token",
        contact,
        "--json",
        "--issuer",
        server.text("issuer"),
        "--application",
        server.text("application_id"),
    ]);
    let token = ran(&mut command).ends_with(0).json();
    assert_eq!((&token["token_type"], &token["expires_in"]), (&"Bearer".into(), &"3600".into()));
    let refused = server.ready["refused_contacts"][0]["contact_id"].as_str().unwrap();
    let mut command = procura();
    command.env("PROCURA_SECRET", server.text("application_secret")).args([
        "token",
        refused,
        "--issuer",
        server.text("issuer"),
        "--application",
        server.text("application_id"),
    ]);
    let told = ran(&mut command).ends_with(1);
    assert!(told.stderr.contains("invalid_grant") && told.stderr.contains("reference"), "{}", told.stderr);
    let mut command = procura();
    command.args([
        "token",
        contact,
        "--issuer",
        server.text("issuer"),
        "--application",
        server.text("application_id"),
    ]);
    assert!(ran(&mut command).ends_with(2).stderr.contains("PROCURA_SECRET"));
}
