//! An assertion is used, the server dies, and the assertion comes again.

use std::fs;

use procura_jose::Algorithm;
use procura_testkit::assertion::{AssertionKey, claims, form};
use serde_json::{Value, json};

use crate::support::Server;
use crate::town::{Town, status};

/// Now, as the server sees it: `iat` of a token that it issues.
fn now(server: &Server, headers: &str) -> i64 {
    let answer = server.ask("POST /token/CON1", headers);
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let claims = body["id_token"].as_str().unwrap().split('.').nth(1).unwrap();
    let claims = procura_jose::base64url::decode(claims).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["iat"].as_i64().unwrap()
}

fn ask(server: &Server, assertion: &str) -> u16 {
    let form = form(assertion);
    let kind = "content-type: application/x-www-form-urlencoded";
    let headers = format!("{kind}\r\ncontent-length: {}\r\n\r\n{form}", form.len());
    status(&server.ask("POST /token/CON1", &headers))
}

#[test]
fn an_assertion_that_was_used_before_the_server_was_killed_is_refused_after_it() {
    let town = Town::new();
    let key = AssertionKey::new(Algorithm::Es256);
    let file = town.folder.path().with_file_name("key.jwk");
    fs::write(&file, json!(key.jwk()).to_string()).unwrap();
    town.folder.done("application|update|app_one|--auth-methods|client_secret_basic private_key_jwt");
    town.folder.done(&format!("application|key|add|app_one|{}", file.display()));
    let (_, headers) = town.secret();
    // One name for both lives: the port is another one, and the issuer would be.
    let serve = || {
        let mut command = town.serve();
        command.env("PROCURA_ISSUER", "https://token.example");
        command
    };
    let server = Server::start(&mut serve());
    let now = now(&server, &headers);
    let made = |id: &str| {
        let mut claims = claims(id);
        for (name, value) in [("iss", json!("app_one")), ("sub", json!("app_one")), ("iat", json!(now))] {
            claims[name] = value;
        }
        (claims["nbf"], claims["exp"]) = (json!(now), json!(now + 290));
        claims["aud"] = json!("https://token.example");
        key.sign(&key.header(), &claims)
    };
    let (first, second) = (made("first"), made("second"));
    assert_eq!(ask(&server, &first), 200);
    server.stop("KILL");
    let server = Server::start(&mut serve());
    assert_eq!(ask(&server, &first), 401);
    assert_eq!(ask(&server, &second), 200);
    assert_eq!(server.stop("TERM").0, Some(0));
    let kinds = town.folder.done("audit export").stdout;
    assert_eq!(kinds.matches("assertion_used").count(), 2, "{kinds}");
    town.folder.done("audit verify");
}
