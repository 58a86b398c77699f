use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// What the demo prints for people, to its last line; then it is stopped.
fn told(arguments: &[&str]) -> String {
    let mut demo = procura()
        .args(["demo", "--listen", "127.0.0.1:0"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    for line in BufReader::new(demo.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        text.push_str(&line);
        text.push('\n');
        if line.ends_with("Ctrl-C ends it.") {
            break;
        }
    }
    let stopped = Command::new("kill").arg(demo.id().to_string()).status().unwrap();
    assert!(stopped.success() && demo.wait().unwrap().success());
    text
}

#[test]
fn every_door_is_shown_under_its_title_with_commands_to_paste() {
    let text = told(&[]);
    let titles = |text: &str| text.lines().filter(|line| line.starts_with("# ")).count();
    assert_eq!(titles(&text), 7, "{text}");
    for shown in ["grant_type=client_credentials", "Authorization: Bearer $(curl", "/introspect", "/revoke"] {
        assert!(text.contains(shown), "{shown}");
    }
    assert!(!text.contains("DPoP") && !text.contains("--cacert") && !text.contains("--ca "), "{text}");

    let text = told(&["--tls"]);
    assert_eq!(titles(&text), 9, "{text}");
    for door in ["jwt-bearer", "token-exchange"] {
        let commands = text.lines().filter(|line| line.contains(&format!("--door {door} ")));
        assert_eq!(commands.count(), 4, "{door}");
    }
    // Each command is on the line after what it does, so that one can be copied without the other.
    for (before, line) in text.lines().zip(text.lines().skip(1)) {
        let is_command = line.starts_with("  ") && !line.starts_with("  CON");
        assert!(!is_command || before.ends_with(':') || before.starts_with("# "), "{before}\n{line}");
    }
}

#[test]
fn with_tls_there_are_programs_for_every_door_and_every_proof() {
    let server = Server::start(procura().args(["demo", "--tls"]));
    for program in ["mtls", "self_signed", "private_key_jwt", "dpop", "dpop_mtls", "fapi2", "fapi2_mtls"] {
        let told = &server.ready[program];
        assert!(told["application_id"].is_string() && told["contact_id"].is_string(), "{program}: {told}");
        for file in ["certificate_file", "key_file"] {
            assert!(told[file].as_str().is_none_or(|file| Path::new(file).is_file()), "{program}: {told}");
        }
    }
    for file in ["ca_file", "grant_key_file", "dpop_key_file"] {
        assert!(Path::new(server.text(file)).is_file(), "{file}");
    }
    let data = server.text("data_dir");
    for (program, profile, bound) in
        [("dpop", "standard", "true"), ("fapi2", "fapi2", "true"), ("fapi2_mtls", "fapi2", "false")]
    {
        let id = server.ready[program]["application_id"].as_str().unwrap();
        let shown = run(["application", "show", id, "--json", "--data", data]).ends_with(0).json();
        assert_eq!((&shown["profile"], &shown["dpop_bound_access_tokens"]), (&profile.into(), &bound.into()));
    }
    assert_eq!(server.stop("TERM"), (Some(0), String::new()));
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
