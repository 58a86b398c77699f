//! Certificates of callers: every one passes the handshake whose key the caller has.

use std::sync::Arc;

use procura_http::connection::Security;
use procura_http::tls::Callers;
use rcgen::{ExtendedKeyUsagePurpose, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;

use super::caller::{Caller, TLS12, TLS13};
use super::made::{Ca, certified, expired, of_caller, padded, self_signed, with_more};
use super::{Server, told};

#[tokio::test]
async fn a_caller_is_asked_without_names_of_cas_and_told_apart_by_what_it_has() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::Asked).await;
    let certificate = ca.caller("erp.example");
    for version in [TLS13, TLS12] {
        let caller = Caller::with(&ca, Some(&certificate), version, None);
        let seen = caller.ask(server.address).await.unwrap();
        assert_eq!(seen, told(Security::TlsAsksCertificate, &certificate.cert));
        assert_eq!(*caller.wallet.asked.lock().unwrap(), [0]);
        let without = Caller::with(&ca, None, version, None);
        let seen = without.ask(server.address).await.unwrap();
        assert_eq!(seen, told(Security::TlsAsksCertificate, &[] as &[&[u8]]));
        assert_eq!(*without.wallet.asked.lock().unwrap(), [0]);
    }
}

#[tokio::test]
async fn a_listener_for_people_never_asks() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::NotAsked).await;
    for version in [TLS13, TLS12] {
        let caller = Caller::with(&ca, Some(&ca.caller("erp.example")), version, None);
        assert_eq!(caller.ask(server.address).await.unwrap(), told(Security::Tls, &[] as &[&[u8]]));
        assert!(caller.wallet.asked.lock().unwrap().is_empty());
    }
}

/// One certificate for each reason to refuse it later.
fn wrong_ones() -> Vec<(&'static str, Arc<CertifiedKey>)> {
    let ca = Ca::new();
    let mut for_servers = of_caller("erp.example");
    for_servers.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    vec![
        ("expired", ca.issue(&expired(of_caller("erp.example")))),
        ("of an unknown CA", ca.caller("erp.example")),
        ("self-signed", self_signed(&of_caller("erp.example"))),
        ("for servers", ca.issue(&for_servers)),
        (
            "with a chain that is none",
            with_more(&ca.caller("erp.example"), [CertificateDer::from(vec![1, 2, 3])]),
        ),
    ]
}

#[tokio::test]
async fn a_certificate_that_is_wrong_for_any_reason_passes_the_handshake_and_is_judged_later() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::Asked).await;
    for (why, certificate) in wrong_ones() {
        for version in [TLS13, TLS12] {
            let seen = Caller::with(&ca, Some(&certificate), version, None).ask(server.address).await;
            assert_eq!(seen.unwrap(), told(Security::TlsAsksCertificate, &certificate.cert), "{why}");
        }
    }
}

#[tokio::test]
async fn a_certificate_without_its_key_proves_nothing() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::Asked).await;
    let stolen = certified(ca.caller("erp.example").cert.clone(), &KeyPair::generate().unwrap());
    for version in [TLS13, TLS12] {
        assert!(Caller::with(&ca, Some(&stolen), version, None).ask(server.address).await.is_err());
    }
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn bytes_that_are_no_certificate_end_the_handshake_and_no_other() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::Asked).await;
    let good = ca.caller("erp.example");
    let cut = CertificateDer::from(good.cert[0][..good.cert[0].len() / 2].to_vec());
    for bytes in [CertificateDer::from(vec![0x30]), CertificateDer::from(vec![0xff; 300]), cut] {
        for version in [TLS13, TLS12] {
            let bad = certified(vec![bytes.clone()], &KeyPair::generate().unwrap());
            assert!(Caller::with(&ca, Some(&bad), version, None).ask(server.address).await.is_err());
        }
    }
    assert_eq!(server.asked(), 0);
    assert!(Caller::with_certificate(&ca, &good).ask(server.address).await.is_ok());
}

#[tokio::test]
async fn a_chain_has_five_certificates_and_16_kib_at_most() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::Asked).await;
    let own = ca.caller("erp.example");
    let behind = |count| with_more(&own, std::iter::repeat_n(ca.der(), count));
    let ask = |certificate| {
        let caller = Caller::with_certificate(&ca, &certificate);
        async move { caller.ask(server.address).await }
    };
    let five = behind(4);
    assert_eq!(ask(Arc::clone(&five)).await.unwrap(), told(Security::TlsAsksCertificate, &five.cert));
    assert!(ask(behind(5)).await.is_err());
    assert!(ask(behind(60)).await.is_err());
    assert!(ask(ca.issue(&padded(of_caller("erp.example"), 15 * 1024))).await.is_ok());
    for bytes in [17 * 1024, 60 * 1024, 300 * 1024] {
        assert!(ask(ca.issue(&padded(of_caller("erp.example"), bytes))).await.is_err(), "{bytes}");
    }
    assert_eq!(server.asked(), 2);
}
