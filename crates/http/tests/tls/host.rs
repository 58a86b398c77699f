//! The host of a request and the name of its handshake.

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use procura_http::tls::Callers;

use super::Server;
use super::caller::Caller;
use super::made::Ca;

#[tokio::test]
async fn a_request_for_another_host_than_the_handshake_named_is_misdirected() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::Asked).await;
    let mut connection = Caller::new(&ca).connect(server.address).await.unwrap();
    assert_eq!(connection.ask("LocalHost:8443").await.unwrap().status, 200);
    let answer = connection.ask("other.example").await.unwrap();
    assert_eq!(answer.status, 421);
    assert!(answer.head.starts_with("HTTP/1.1 421 Misdirected Request\r\n"), "{}", answer.head);
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["error"], "invalid_request");
    assert!(body["error_description"].as_str().unwrap().contains("another host"));
    // The connection is not to blame.
    assert_eq!(connection.ask("localhost").await.unwrap().status, 200);
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn a_handshake_that_named_no_host_is_for_any() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::Asked).await;
    let mut connection = Caller::new(&ca).calling("127.0.0.1").connect(server.address).await.unwrap();
    for host in ["127.0.0.1", "localhost", "token.example"] {
        assert_eq!(connection.ask(host).await.unwrap().status, 200, "{host}");
    }
}

#[tokio::test]
async fn the_same_holds_on_http_2() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::Asked).await;
    let connection = Caller::new(&ca).offering(&["h2"]).connect(server.address).await.unwrap();
    let (mut sender, driver) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(connection.0))
            .await
            .unwrap();
    tokio::spawn(driver);
    for (host, status) in [("localhost", 200), ("other.example", 421), ("localhost:8443", 200)] {
        let request = Request::get(format!("https://{host}/")).body(Body::empty()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), status, "{host}");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(!body.is_empty());
    }
}
