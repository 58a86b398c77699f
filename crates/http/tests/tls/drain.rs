//! The end of a server, above TLS.

use procura_http::limits::Limits;
use procura_http::tls::Callers;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Server;
use super::caller::Caller;
use super::made::Ca;

#[tokio::test]
async fn what_was_accepted_is_answered_and_every_connection_ends_in_good_order() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::Asked).await;
    let caller = Caller::new(&ca);
    let mut idle = caller.connect(server.address).await.unwrap();
    assert_eq!(idle.ask("localhost").await.unwrap().status, 200);
    let mut slow = caller.connect(server.address).await.unwrap();
    slow.send("GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    server.slow.notified().await;
    let go_on = server.go_on.clone();
    let stopped = tokio::spawn(server.stop());
    // The library takes an end without close_notify for an error.
    assert_eq!(idle.ended().await.unwrap(), 0);
    go_on.notify_one();
    let answer = slow.answer().await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "done"));
    assert!(answer.head.contains("\r\nconnection: close\r\n"), "{}", answer.head);
    assert_eq!(slow.ended().await.unwrap(), 0);
    assert_eq!(stopped.await.unwrap(), 0);
}

#[tokio::test]
async fn a_handshake_that_does_not_go_on_holds_up_the_end_for_a_second_at_most() {
    let ca = Ca::new();
    let forever = std::time::Duration::from_secs(100_000);
    let limits = Limits { handshake_time: forever, drain: forever, ..Limits::default() };
    let server = Server::start_with(&ca, Callers::Asked, limits).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&[0x16]).await.unwrap();
    // Accepted, since the one after it was served.
    assert!(Caller::new(&ca).ask(server.address).await.is_ok());
    assert_eq!(server.stop().await, 0);
    let _ = stream.read_to_end(&mut Vec::new()).await;
}
