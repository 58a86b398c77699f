//! Paths and methods (RFC 9110 9 and 15.5.6).

use http::{Method, Request};
use procura_protocol::paths;
use procura_testkit::world::CONTACT;
use procura_testkit::{TestApp, World};

use crate::support::{asking, assert_refused, get, without_body};

/// Every path with a contact in it. Forward-auth answers every method: it has tests of its own.
fn every_path() -> Vec<String> {
    let all = paths::ALL.into_iter().filter(|path| *path != paths::FORWARD_AUTH);
    all.map(|path| path.replace("{contact_id}", CONTACT)).collect()
}

/// The methods that a path takes, as `Allow` names them.
fn taken(path: &str) -> &'static [&'static str] {
    match path {
        paths::INTROSPECT | paths::REVOKE => &["POST"],
        _ if path == "/token" || path.starts_with("/token/") => &["POST"],
        _ if path.starts_with("/contacts/") => &["GET", "HEAD", "PATCH"],
        _ => &["GET", "HEAD"],
    }
}

#[tokio::test]
async fn another_method_is_405_with_the_ones_that_the_path_takes() {
    let app = TestApp::new(&World::default());
    let all =
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY", "get"];
    for path in every_path() {
        let takes = taken(&path);
        for method in all.iter().filter(|method| !takes.contains(method)) {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let answer = app.send(without_body(Request::builder().method(&method).uri(&path))).await;
            if method == Method::HEAD {
                assert_eq!(answer.status, 405, "as any other, without the body");
            } else {
                assert_refused(&answer, 405, "invalid_request");
            }
            assert_eq!(answer.header("allow"), takes.join(","), "{method} {path}");
        }
    }
    assert!(app.journal.records().is_empty());
}

#[tokio::test]
async fn head_is_answered_as_get_without_the_body() {
    let app = TestApp::new(&World::default());
    for path in every_path().into_iter().filter(|path| taken(path).contains(&"GET")) {
        let (get, head) = (Method::GET, Method::HEAD);
        let [get, head] =
            [get, head].map(|method| without_body(Request::builder().method(method).uri(&path)));
        let (get, head) = (app.send(get).await, app.send(head).await);
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"));
        assert!(head.body.is_empty());
    }
}

#[tokio::test]
async fn an_unknown_path_is_404_in_the_contract_s_shape() {
    let app = TestApp::new(&World::default());
    for path in [
        "/",
        "//token",
        "/Token",
        "/token/",
        "/token//",
        "//token/con.ada",
        "/token/con.ada/",
        "/token/con.ada/x",
        "/TOKEN/con.ada",
        "/token/../token/con.ada",
        "/info",
        "/ping/",
        "/.well-known/openid-configuration",
        "/authorize",
        "/%70ing",
    ] {
        assert_refused(&app.send(without_body(asking(path))).await, 404, "invalid_request");
        assert_refused(&app.send(get(path)).await, 404, "invalid_request");
    }
}

#[tokio::test]
async fn every_path_of_the_protocol_is_there() {
    let app = TestApp::new(&World::default());
    for path in every_path() {
        assert_ne!(app.send(get(&path)).await.status, 404, "{path}");
    }
}
