//! HTTP on the port of TLS.

use procura_http::tls::Callers;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Server;
use super::caller::Caller;
use super::made::Ca;

async fn answer(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

const SECRET: &str =
    "POST / HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic YTpi\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn plain_http_gets_497_and_no_route_is_asked() {
    let ca = Ca::new();
    for callers in [Callers::NotAsked, Callers::Asked] {
        let server = Server::start(&ca, callers).await;
        for request in
            [SECRET, "\r\nGET / HTTP/1.1\r\n\r\n", "G", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "get it"]
        {
            let answer = answer(&server, request.as_bytes()).await;
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 497 HTTP Request Sent to HTTPS Port\r\n"), "{answer}");
            assert!(head.contains("\r\nconnection: close\r\n"), "{answer}");
            assert!(head.contains("\r\ncontent-length: 0\r\n"), "{answer}");
            assert!(head.contains("\r\ndate: "), "{answer}");
            assert_eq!(body, "");
        }
        assert_eq!(server.asked(), 0);
        assert!(Caller::new(&ca).ask(server.address).await.is_ok());
    }
}

#[tokio::test]
async fn the_answer_arrives_though_the_rest_of_the_request_is_not_wanted() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::Asked).await;
    let request = format!("POST / HTTP/1.1\r\ncontent-length: 500000\r\n\r\n{}", "x".repeat(500_000));
    assert!(answer(&server, request.as_bytes()).await.starts_with("HTTP/1.1 497 "));
}

#[tokio::test]
async fn what_is_neither_tls_nor_http_is_closed_without_a_word() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::Asked).await;
    for bytes in [&[0x80, 0x2e, 1, 3, 1][..], &[0], &[0x15, 3, 1, 0, 2, 1, 0], b""] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // A close with bytes unread is a reset; either way nothing comes.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty(), "{bytes:?}: {answer:?}");
    }
    assert_eq!(server.asked(), 0);
}
