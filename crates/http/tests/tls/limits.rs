//! What one caller may take before and after its handshake.

use std::time::Duration;

use procura_http::limits::Limits;
use procura_http::tls::Callers;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::caller::Caller;
use super::made::Ca;
use super::{MOMENT, Server};

/// Short, since it is waited for.
const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_handshake_that_does_not_go_on_is_cut() {
    let ca = Ca::new();
    let limits = Limits { handshake_time: SHORT, ..Limits::default() };
    let server = Server::start_with(&ca, Callers::Asked, limits).await;
    // Nothing; the first byte; the head of a record whose rest does not come.
    for begin in [&b""[..], &[0x16], &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(begin).await.unwrap();
        let mut answer = Vec::new();
        // Ends, in whichever way; without the limit this would wait for ever.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty(), "{begin:?}: {answer:?}");
    }
    assert_eq!(server.stop().await, 0);
}

#[tokio::test]
async fn a_handshake_that_goes_on_byte_by_byte_is_cut_at_the_same_time() {
    let ca = Ca::new();
    let limits = Limits { handshake_time: SHORT, ..Limits::default() };
    let server = Server::start_with(&ca, Callers::Asked, limits).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&[0x16, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc, 3, 3]).await.unwrap();
    let mut trickle = tokio::time::interval(Duration::from_millis(20));
    // Sixteen thousand bytes are more than the time of the handshake lasts: writing fails before.
    let mut written = 0;
    while written < 16_000 && stream.write_all(&[0]).await.is_ok() {
        written += 1;
        trickle.tick().await;
    }
    assert!(written < 16_000);
}

#[tokio::test]
async fn handshakes_count_as_connections() {
    let ca = Ca::new();
    let server =
        Server::start_with(&ca, Callers::Asked, Limits { connections: 1, ..Limits::default() }).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first.write_all(&[0x16]).await.unwrap();
    let caller = Caller::new(&ca);
    let second = tokio::spawn(async move { caller.ask(server.address).await });
    tokio::pin!(second);
    assert!(timeout(MOMENT, &mut second).await.is_err(), "a second connection was accepted");
    drop(first);
    assert!(second.await.unwrap().is_ok());
}

#[tokio::test]
async fn with_all_handshakes_in_use_the_next_waits_until_one_ends() {
    let ca = Ca::new();
    let server = Server::start_with(&ca, Callers::Asked, Limits { handshakes: 1, ..Limits::default() }).await;
    let mut open = Caller::new(&ca).connect(server.address).await.unwrap();
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first.write_all(&[0x16]).await.unwrap();
    // Its turn comes after the first's, which has sent a byte already.
    let caller = Caller::new(&ca);
    let address = server.address;
    let second = tokio::spawn(async move { caller.ask(address).await });
    tokio::pin!(second);
    assert!(timeout(MOMENT, &mut second).await.is_err(), "a second handshake was begun");
    // Whoever is through is not held up.
    assert_eq!(open.ask("localhost").await.unwrap().status, 200);
    drop(first);
    assert!(second.await.unwrap().is_ok());
}

#[tokio::test]
async fn the_limits_of_requests_hold_above_tls() {
    let ca = Ca::new();
    let limits = Limits { header_time: SHORT, idle: SHORT, ..Limits::default() };
    let server = Server::start_with(&ca, Callers::Asked, limits).await;
    let caller = Caller::new(&ca);
    let mut large = caller.connect(server.address).await.unwrap();
    large
        .send(&format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(17_000)))
        .await
        .unwrap();
    assert_eq!(large.answer().await.unwrap().status, 431);
    let mut malformed = caller.connect(server.address).await.unwrap();
    malformed.send("GET / HTTP/1.1\r\nno colon\r\n\r\n").await.unwrap();
    assert_eq!(malformed.answer().await.unwrap().status, 400);
    // Without a request the connection ends in good order.
    let mut idle = caller.connect(server.address).await.unwrap();
    assert_eq!(idle.ended().await.unwrap(), 0);
    // A head that does not come is cut: there is no order to keep.
    let mut slow = caller.connect(server.address).await.unwrap();
    slow.send("GET / HTTP/1.1\r\n").await.unwrap();
    assert_eq!(slow.ended().await.unwrap_or(0), 0);
    assert_eq!(server.asked(), 0);
}
