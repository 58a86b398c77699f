//! What a handshake agrees on, and what it refuses.

use std::io;

use procura_http::connection::Security;
use procura_http::tls::Callers;
use rustls::crypto::aws_lc_rs::cipher_suite;
use rustls::{AlertDescription, Error};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::caller::{Caller, TLS12, TLS13};
use super::made::Ca;
use super::{Server, told};

/// The alert that the server ended the handshake with.
fn alert<T>(result: io::Result<T>) -> Option<AlertDescription> {
    let error = result.err()?.into_inner()?;
    match error.downcast_ref::<Error>() {
        Some(Error::AlertReceived(alert)) => Some(*alert),
        _ => None,
    }
}

#[tokio::test]
async fn version_1_3_and_1_2_are_spoken() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::NotAsked).await;
    for version in [TLS13, TLS12] {
        let seen = Caller::with(&ca, None, version, None).ask(server.address).await.unwrap();
        assert_eq!(seen, told(Security::Tls, &[] as &[&[u8]]));
    }
}

#[tokio::test]
async fn version_1_2_is_spoken_with_aes_gcm_alone() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::NotAsked).await;
    let with = |suite| Caller::with(&ca, None, TLS12, Some(suite));
    for suite in [
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ] {
        assert!(with(suite).ask(server.address).await.is_ok(), "{suite:?}");
    }
    let chacha = with(cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256);
    assert_eq!(alert(chacha.ask(server.address).await), Some(AlertDescription::HandshakeFailure));
}

/// A ClientHello of an old version: no extensions, and suites of that time.
fn old_hello(version: [u8; 2]) -> Vec<u8> {
    const SUITES: [u8; 8] = [0xc0, 0x09, 0xc0, 0x0a, 0x00, 0x2f, 0x00, 0x35];
    let mut hello = version.to_vec();
    hello.extend([7; 32]);
    hello.push(0);
    hello.extend([0, SUITES.len() as u8]);
    hello.extend(SUITES);
    hello.extend([1, 0]);
    let mut message = vec![1, 0, 0, hello.len() as u8];
    message.extend(hello);
    let mut record = vec![0x16, 3, 1, 0, message.len() as u8];
    record.extend(message);
    record
}

#[tokio::test]
async fn older_versions_are_refused_with_a_fatal_alert() {
    /// The alert itself: that it is fatal, and that it is handshake_failure or protocol_version. Which one
    /// depends on what else such an old hello lacks.
    const ALERTS: [[u8; 2]; 2] = [[2, 40], [2, 70]];
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::NotAsked).await;
    for version in [[3, 0], [3, 1], [3, 2]] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&old_hello(version)).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let (kind, alert) = (answer.first().copied(), answer.get(5..).unwrap_or_default());
        assert!(kind == Some(0x15) && ALERTS.iter().any(|known| alert == known), "{version:?}: {answer:?}");
    }
}

#[tokio::test]
async fn garbage_in_place_of_a_hello_ends_its_connection_and_no_other() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::Asked).await;
    let mut record = vec![0x16, 3, 1, 0xff, 0xff];
    record.extend([0x5a; 4096]);
    let mut hello_of_garbage = vec![0x16, 3, 1, 0, 6, 1, 0, 0, 2, 9, 9];
    hello_of_garbage.extend([0; 64]);
    for bytes in [vec![0x16; 4096], record, hello_of_garbage, vec![0x16, 3, 1, 0, 0]] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // It may be gone before all of it is written.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer).await;
        let is_alert = answer.is_empty() || answer[0] == 0x15;
        assert!(is_alert, "{read:?} {answer:?}");
    }
    assert!(Caller::new(&ca).ask(server.address).await.is_ok());
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn http_2_is_agreed_on_where_it_is_offered() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::NotAsked).await;
    for (offered, agreed) in [
        (&["h2", "http/1.1"][..], Some(&b"h2"[..])),
        (&["http/1.1", "h2"], Some(b"h2")),
        (&["http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let connection = Caller::new(&ca).offering(offered).connect(server.address).await.unwrap();
        assert_eq!(connection.0.get_ref().1.alpn_protocol(), agreed, "{offered:?}");
    }
    let refused = Caller::new(&ca).offering(&["spdy/3"]).connect(server.address).await;
    assert_eq!(alert(refused), Some(AlertDescription::NoApplicationProtocol));
}

#[tokio::test]
async fn whoever_does_not_trust_the_server_goes_and_others_stay() {
    let (ca, other) = (Ca::new(), Ca::new());
    let server = Server::start(&ca, Callers::NotAsked).await;
    assert!(Caller::new(&other).ask(server.address).await.is_err());
    assert!(Caller::new(&ca).ask(server.address).await.is_ok());
}
