//! What an operator sees of handshakes.

use procura_http::connection::Handshake;
use procura_http::tls::Callers;
use rustls::crypto::aws_lc_rs::cipher_suite;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::Server;
use super::caller::{Caller, TLS12};
use super::made::Ca;

#[tokio::test]
async fn handshakes_are_counted_by_how_they_ended() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::Asked).await;
    let caller = Caller::with(&ca, None, TLS12, None);
    for _ in 0..3 {
        caller.ask(server.address).await.unwrap();
    }
    let chacha = cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
    assert!(Caller::with(&ca, None, TLS12, Some(chacha)).ask(server.address).await.is_err());
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"", b"\x80"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
    }
    let drain = server.drain.clone();
    server.stop().await;
    let counted = Handshake::ALL.map(|how| (how.name(), drain.counts().handshakes(how)));
    let expected =
        [("full", 1), ("resumed", 2), ("plain_http", 1), ("refused", 1), ("broken", 2), ("too_slow", 0)];
    assert_eq!(counted, expected);
    assert_eq!((drain.counts().open(), drain.counts().accepted()), (0, 3), "what carried HTTP");
}
