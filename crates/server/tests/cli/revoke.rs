use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use procura_jose::digest::sha256;
use serde_json::{Value, json};

use crate::support::{Folder, Ran, Server, procura, ran};

/// One client, one contact, one application that is trusted.
fn filled() -> Folder {
    let folder = Folder::new();
    folder.done("client|add|CLI1|--client-name|Wells-Byrne Ltd");
    folder.done("contact add CON1");
    folder.done("mandate add CON1 CLI1 --permissions can_trade");
    folder.done("application add app_one --trusted");
    folder.done("trust add CLI1 app_one --contacts * --ceiling all --reason agreed");
    folder
}

/// The same, served, and how its application authenticates.
fn served() -> (Folder, Server, String) {
    let folder = filled();
    let secret = folder.done("application secret add app_one --json").json();
    let pair = format!("app_one:{}", secret["secret"].as_str().unwrap());
    let server = Server::start(procura().args(["serve", "--data", folder.path().to_str().unwrap()]));
    (folder, server, format!("authorization: Basic {}\r\n", STANDARD.encode(pair)))
}

struct Issued {
    access_token: String,
    id_token: String,
    reference: String,
}

fn issue(server: &Server, credentials: &str) -> Issued {
    let answer = server.ask("POST /token/CON1", &format!("{credentials}content-length: 0\r\n"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
    let text = |member: &str| body[member].as_str().unwrap().to_owned();
    let reference = head.lines().find_map(|line| line.strip_prefix("procura-reference: ")).unwrap();
    Issued {
        access_token: text("access_token"),
        id_token: text("id_token"),
        reference: reference.trim().to_owned(),
    }
}

/// Sends a token to `/introspect` or `/revoke`.
fn about_token(server: &Server, path: &str, credentials: &str, token: &str) -> String {
    let address = server.text("base_url").strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let body = format!("token={token}");
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{credentials}content-type: \
         application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn is_active(server: &Server, credentials: &str, token: &str) -> bool {
    let answer = about_token(server, "/introspect", credentials, token);
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    body["active"].as_bool().unwrap_or_else(|| panic!("{answer}"))
}

/// Asks until it is dead. Bounded by tries, not by time: each waits for an answer.
fn dies(server: &Server, credentials: &str, token: &str) -> bool {
    (0..100_000).any(|_| !is_active(server, credentials, token))
}

/// `revoke token -` with that on standard input.
fn revoke_text(folder: &Folder, text: &str) -> Ran {
    let mut command = procura();
    command.args(["revoke", "token", "-", "--json", "--data", folder.path().to_str().unwrap()]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It need not read all of what is too long.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn exported(folder: &Folder) -> Vec<Value> {
    let text = folder.done("audit export").stdout;
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_a_record_names_is_revoked_and_the_record_stays() {
    let folder = filled();
    for (noun, key) in [
        ("contact", "CON1"),
        ("client", "CLI1"),
        ("application", "app_one"),
        ("trust", "CLI1 app_one"),
        ("mandate", "CON1 CLI1"),
    ] {
        let before = folder.done(&format!("{noun} show {key} --json")).json();
        let revoked = folder.done(&format!("revoke {noun} {key} --json --reason breach")).json();
        assert_eq!((&revoked["kind"], &revoked["result"]), (&json!(noun), &json!("revoked")), "{revoked}");
        assert_eq!(folder.done(&format!("{noun} show {key} --json")).json(), before, "{noun}");
        let last = exported(&folder).pop().unwrap();
        assert_eq!(last["cause"], format!("{noun}.revoke"));
        assert!(last["actor"].as_str().unwrap().starts_with("uid:"), "{last}");
        let told = folder.done(&format!("revoke {noun} {key}")).stdout;
        assert!(told.contains(&format!("procura {noun} disable {key}")), "{told}");
    }
    let status = folder.done("status --json").json();
    assert_eq!(status["marks"], 10);
    assert_eq!(status["marks_by_kind"]["trust"], 2);
    let shown = folder.done("status").stdout;
    assert!(shown.contains("10 (contact 2, client 2, application 2, trust 2, mandate 2)"), "{shown}");
}

#[test]
fn what_is_not_there_is_not_revoked() {
    let folder = filled();
    for line in
        ["contact CON2", "client CLI2", "application app_two", "trust CLI2 app_one", "mandate CON2 CLI1"]
    {
        let ran = folder.run(&format!("revoke {line}")).ends_with(1);
        assert!(ran.stderr.contains(&format!("there is no {line}")), "{}", ran.stderr);
    }
    folder.run("revoke contact app_one").ends_with(2);
    assert_eq!(folder.done("status --json").json()["marks"], 0);
}

#[test]
fn a_token_on_standard_input_is_verified_and_dies_on_a_running_server() {
    let (folder, server, credentials) = served();
    let (stolen, other) = (issue(&server, &credentials), issue(&server, &credentials));
    assert!(is_active(&server, &credentials, &stolen.access_token));
    let revoked = revoke_text(&folder, &format!("{}\n", stolen.access_token)).ends_with(0).json();
    assert_eq!((&revoked["result"], &revoked["application_id"]), (&json!("revoked"), &json!("app_one")));
    assert!(dies(&server, &credentials, &stolen.access_token));
    assert!(is_active(&server, &credentials, &other.access_token));
    let again = revoke_text(&folder, &stolen.access_token).ends_with(0).json();
    assert_eq!(again["result"], "unchanged");

    let mut forged = other.access_token.clone();
    forged.replace_range(forged.len() - 8.., "AAAAAAAA");
    let long = "e".repeat(20_000);
    for text in [other.id_token.as_str(), &forged, "", "hello", &long] {
        let ran = revoke_text(&folder, text).ends_with(1);
        assert!(text.is_empty() || text == "hello" || !ran.stderr.contains(&text[..20]), "{}", ran.stderr);
    }
    assert!(is_active(&server, &credentials, &other.access_token));
}

#[test]
fn a_reference_finds_its_token() {
    let (folder, server, credentials) = served();
    let (stolen, other) = (issue(&server, &credentials), issue(&server, &credentials));
    let reference = &stolen.reference;
    let revoked = folder.done(&format!("revoke token --reference {reference} --json")).json();
    let record = exported(&folder).into_iter().find(|record| record["reference"] == **reference).unwrap();
    assert_eq!(revoked["jti"], json!([record["access_token_jti"]]));
    assert_eq!(revoked["expires_at"], record["expires_at"]);
    assert!(dies(&server, &credentials, &stolen.access_token));
    assert!(is_active(&server, &credentials, &other.access_token));

    let refused = server.ask("POST /token/CON2", &format!("{credentials}content-length: 0\r\n"));
    let reference = refused.lines().find_map(|line| line.strip_prefix("procura-reference: ")).unwrap();
    let ran = folder.run(&format!("revoke token --reference {}", reference.trim())).ends_with(1);
    assert!(ran.stderr.contains("a refusal"), "{}", ran.stderr);
    folder.run("revoke token --reference AAAAAAAAAAAAAAAAAAAAAA").ends_with(1);
    folder.run("revoke token --reference short").ends_with(2);
}

#[test]
fn an_id_stands_for_either_token_of_its_pair() {
    let (folder, server, credentials) = served();
    for member in ["id_token_jti", "access_token_jti"] {
        let issued = issue(&server, &credentials);
        let record =
            exported(&folder).into_iter().find(|record| record["reference"] == *issued.reference).unwrap();
        let id = record[member].as_str().unwrap();
        folder.done(&format!("revoke token {id}"));
        assert!(dies(&server, &credentials, &issued.access_token), "{member}");
    }
    assert_eq!(folder.done("status --json").json()["marks_by_kind"]["token"], 4);
}

#[test]
fn what_is_no_id_is_not_repeated() {
    let folder = filled();
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJzZWNyZXQiOiJzZWNyZXQifQ.c2VjcmV0";
    let ran = folder.run(&format!("revoke token {token}")).ends_with(2);
    assert!(!ran.stderr.contains("eyJ") && ran.stderr.contains("standard input"), "{}", ran.stderr);
    folder.run("revoke token").ends_with(2);
    let both = "revoke token AAAAAAAAAAAAAAAAAAAAAA --reference AAAAAAAAAAAAAAAAAAAAAA";
    folder.run(both).ends_with(2);
}

#[test]
fn beyond_the_configured_budget_the_whole_application_is_revoked() {
    let (folder, server, credentials) = served();
    let tokens = [issue(&server, &credentials), issue(&server, &credentials), issue(&server, &credentials)];
    let revoke = |issued: &Issued| {
        let mut command = procura();
        command.env("PROCURA_LIMITS__TOKEN_MARKS_PER_APPLICATION", "1");
        command.args(["revoke", "token", "--json", "--reference", &issued.reference, "--data"]);
        ran(command.arg(folder.path())).ends_with(0).json()["result"].clone()
    };
    assert_eq!(revoke(&tokens[0]), "revoked");
    assert_eq!(revoke(&tokens[1]), "application revoked");
    for issued in &tokens {
        assert!(dies(&server, &credentials, &issued.access_token));
    }
    let later = issue(&server, &credentials);
    assert!(is_active(&server, &credentials, &later.access_token), "what came after lives");
    assert_eq!(folder.done("status --json").json()["marks_by_kind"], json!({ "application": 1 }));
}

#[test]
fn an_application_that_revokes_is_named_in_the_journal_with_the_token() {
    let (folder, server, credentials) = served();
    let issued = issue(&server, &credentials);
    let answer = about_token(&server, "/revoke", &credentials, &issued.access_token);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!is_active(&server, &credentials, &issued.access_token), "at once on this node");
    let (code, _) = server.stop("TERM");
    assert_eq!(code, Some(0));
    folder.done("revoke all --yes");
    let records = exported(&folder);
    let revoked: Vec<_> = records
        .iter()
        .filter(|record| record["cause"].as_str().is_some_and(|cause| cause.starts_with("token.")))
        .collect();
    let [by_request, all] = revoked[..] else { panic!("{revoked:?}") };
    assert_eq!(
        (&by_request["actor"], &by_request["application_id"]),
        (&json!("application:app_one"), &json!("app_one"))
    );
    let cause = by_request["cause"].as_str().unwrap();
    let of_answer = records.iter().find(|record| record["reference"] == *issued.reference).unwrap();
    let told = sha256(format!("token\n{}", of_answer["access_token_jti"].as_str().unwrap()).as_bytes());
    assert_eq!(cause, format!("token.revoke {}", URL_SAFE_NO_PAD.encode(told)));
    assert_eq!((&all["cause"], &all["application_id"]), (&json!("token.revoke all"), &Value::Null));
    let tail = folder.done("audit tail -n 5").stdout;
    assert!(tail.contains("application:app_one"), "{tail}");
    folder.done("audit verify");
}

#[test]
fn everything_is_revoked_only_when_that_is_said_twice() {
    let folder = filled();
    let ran = folder.run("revoke all").ends_with(2);
    assert!(ran.stderr.contains("--yes"), "{}", ran.stderr);
    assert_eq!(folder.done("status --json").json()["marks"], 0);
    assert_eq!(folder.done("revoke all --yes --json").json()["result"], "revoked");
    assert_eq!(folder.done("status --json").json()["marks_by_kind"], json!({ "all": 1 }));
}

#[test]
fn a_key_is_revoked_as_key_revoke_does() {
    let folder = filled();
    let listed = folder.done("key list --json").json();
    let signing = listed.as_array().unwrap().iter().find(|key| key["state"] == "signing").unwrap();
    let kid = signing["kid"].as_str().unwrap();
    assert_eq!(folder.done(&format!("revoke key {kid} --json --reason leaked")).json()["result"], "revoked");
    let listed = folder.done("key list --json").json();
    let state =
        |kid: &str| listed.as_array().unwrap().iter().find(|key| key["kid"] == kid).unwrap()["state"].clone();
    assert_eq!(state(kid), "revoked");
    folder.run(&format!("revoke key {kid}")).ends_with(1);
    assert_eq!(folder.done("status --json").json()["marks_by_kind"], json!({ "key": 1 }));
}
