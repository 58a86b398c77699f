//! Sessions that are resumed: no weaker than new ones, and never where they were not begun.

use std::sync::Arc;

use procura_http::connection::Security;
use procura_http::tls::Callers;
use rustls::{ClientConfig, HandshakeKind};

use super::caller::{Caller, TLS12, TLS13};
use super::made::Ca;
use super::{Server, told};

#[tokio::test]
async fn a_resumed_session_still_has_the_certificate() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::Asked).await;
    let certificate = ca.caller("erp.example");
    for version in [TLS13, TLS12] {
        let caller = Caller::with(&ca, Some(&certificate), version, None);
        for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut connection = caller.connect(server.address).await.unwrap();
            assert_eq!(connection.kind(), expected);
            let seen = connection.ask("localhost").await.unwrap().body;
            assert_eq!(seen, told(Security::TlsAsksCertificate, &certificate.cert));
        }
        assert_eq!(caller.wallet.asked.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_session_of_one_listener_is_not_resumed_at_another() {
    let ca = Ca::new();
    let people = Server::start(&ca, Callers::NotAsked).await;
    let partners = Server::start(&ca, Callers::Asked).await;
    let certificate = ca.caller("erp.example");
    for version in [TLS13, TLS12] {
        let caller = Caller::with(&ca, Some(&certificate), version, None);
        caller.ask(people.address).await.unwrap();
        let mut connection = caller.connect(partners.address).await.unwrap();
        assert_eq!(connection.kind(), HandshakeKind::Full);
        let seen = connection.ask("localhost").await.unwrap().body;
        assert_eq!(seen, told(Security::TlsAsksCertificate, &certificate.cert));
    }
}

#[tokio::test]
async fn data_ahead_of_the_handshake_is_never_taken() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::NotAsked).await;
    let mut caller = Caller::with(&ca, None, TLS13, None);
    let mut config = ClientConfig::clone(&caller.config);
    config.enable_early_data = true;
    caller.config = Arc::new(config);
    caller.ask(server.address).await.unwrap();
    let resumed = rustls::ClientConnection::new(Arc::clone(&caller.config), "localhost".try_into().unwrap());
    // The ticket allows none, so a caller that would send it finds that it may not.
    assert!(resumed.unwrap().early_data().is_none());
    let connection = caller.connect(server.address).await.unwrap();
    assert!(!connection.0.get_ref().1.is_early_data_accepted());
}
