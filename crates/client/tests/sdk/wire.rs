//! The ready transport on a real socket: what it sends, and what it does not swallow.

use bytes::Bytes;
use http::{Request, StatusCode};
use procura_client::{
    Application, ApplicationId, Error, Issuer, Procura, ReqwestTransport, ResponseLimit, Secret,
    TokenOptions, Transport, TransportErrorKind,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::fake::contact;

/// Serves one connection: reads a request, writes these bytes, and so on for each; gives the requests.
async fn serve(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !is_whole(&request) {
                assert_ne!(socket.read_buf(&mut request).await.unwrap(), 0);
            }
            requests.push(String::from_utf8(request).unwrap());
            // The reader may hang up before all is written: that is what some tests want.
            let _ = socket.write_all(answer.as_bytes()).await;
        }
        requests
    });
    (base, server)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn application(base: &str) -> Application {
    Application::new(
        Issuer::parse(base).unwrap(),
        &ApplicationId::parse("app_1").unwrap(),
        &Secret::from(String::from("s")),
    )
}

fn get(base: &str, limit: usize) -> Request<Bytes> {
    let mut request = Request::get(base).body(Bytes::new()).unwrap();
    request.extensions_mut().insert(ResponseLimit(limit));
    request
}

#[tokio::test]
async fn a_token_request_is_these_bytes_and_no_others() {
    let body = r#"{"access_token":"a","expires_in":"3600","id_token":"i","token_type":"Bearer"}"#;
    let (base, server) = serve(vec![ok(body)]).await;
    let token = Procura::connect(application(&base)).token_for_contact(&contact("c1")).await.unwrap();
    assert_eq!(token.authorization().unwrap(), "Bearer a");

    let request = server.await.unwrap().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines.remove(0), "POST /token/c1 HTTP/1.1");
    lines.sort_unstable();
    let host = format!("host: {}", base.trim_start_matches("http://"));
    let agent = concat!("user-agent: procura-client/", env!("CARGO_PKG_VERSION"));
    let expected =
        ["accept: application/json", "authorization: Basic YXBwXzE6cw==", "content-length: 0", &host, agent];
    assert_eq!(lines, expected);
    assert_eq!(body, "");
}

#[tokio::test]
async fn a_form_arrives_whole() {
    let (base, server) = serve(vec![ok("{}")]).await;
    let clients = ["k1", "k2"].map(|id| procura_client::ClientId::parse(id).unwrap());
    let options = TokenOptions::default().only_clients(clients).unwrap();
    let request = application(&base).token_request(&contact("c1"), &options);
    ReqwestTransport::new().send(request).await.unwrap();
    let request = server.await.unwrap().remove(0);
    assert!(request.contains("content-type: application/x-www-form-urlencoded\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\nclients=k1+k2"), "{request}");
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = "HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\
                     Connection: close\r\n\r\n";
    let (base, server) = serve(vec![elsewhere.into()]).await;
    let response = ReqwestTransport::new().send(get(&base, 100)).await.unwrap();
    assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(server.await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_is_read_up_to_its_limit() {
    let body = "x".repeat(1_000);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3e8\r\n{body}\r\n0\r\n\r\n"
    );
    for answer in [ok(&body), chunked] {
        let (base, _server) = serve(vec![answer.clone(), answer]).await;
        let transport = ReqwestTransport::new();
        assert_eq!(transport.send(get(&base, 1_000)).await.unwrap().body().len(), 1_000);
        let error = transport.send(get(&base, 999)).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::TooLarge, "{error}");
    }
}

#[tokio::test]
async fn a_closed_port_and_a_broken_answer_are_connection_errors() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = ReqwestTransport::new().send(get(&base, 100)).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Connection, "{error}");

    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\nConnection: close\r\n\r\nhalf";
    let (base, _server) = serve(vec![cut.into()]).await;
    let error = ReqwestTransport::new().send(get(&base, 100)).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Connection, "{error}");
}

#[tokio::test]
async fn an_error_of_the_transport_shows_no_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let procura = Procura::connect(application(&base));
    let error = procura.token_for_contact(&contact("c1")).await.unwrap_err();
    assert!(matches!(error, Error::Transport(_)), "{error}");
    assert!(!format!("{error} {error:?} {procura:?}").contains("YXBwXzE6cw"), "{error:?}");
}

#[test]
fn roots_that_are_no_certificates_are_refused() {
    for text in ["", "hello", "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"] {
        assert!(ReqwestTransport::with_extra_roots(text.as_bytes()).is_err(), "{text:?}");
    }
}
