//! Listeners for proxies, which alone are believed about their callers' certificates (RFC 9440).

use procura_http::connection::Security;
use procura_http::limits::Limits;
use procura_http::listener::Listener;
use procura_http::tls::{Callers, CannotListen, Identity, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use super::caller::{Caller, TLS12, TLS13};
use super::made::{Ca, expired, of_caller, self_signed};
use super::{Server, told};

const NAME: &str = "proxy.internal.example";

fn callers(ca: &Ca) -> Callers {
    Callers::Proxy { client_ca: ca.pem(), subject: NAME.to_owned() }
}

/// A request that tells a certificate of three bytes and one of two behind it.
const TELLS: &str = "client-cert: :AQID:\r\nclient-cert-chain: :BAU=:\r\n";

async fn through(stream: &mut UnixStream, headers: &str) -> String {
    let request = format!("GET / HTTP/1.1\r\nhost: token.example\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[tokio::test]
async fn over_a_unix_socket_the_certificate_is_the_one_that_the_proxy_tells() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = Listener::of_proxies(UnixListener::bind(&path).unwrap());
    let _server = Server::serve(listener, Identity::new(Ca::new().server()), Limits::default());
    for (headers, chain) in [
        (TELLS, "010203,0405"),
        ("client-cert: :AQID:\r\n", "010203"),
        ("", ""),
        ("client-cert: :AQID:\r\nclient-cert: :AQID:\r\n", ""),
        ("client-cert: AQID\r\n", ""),
        ("client-cert-chain: :AQID:\r\n", ""),
        ("client-cert: :AQID:\r\nclient-cert-chain: :BAU=:\r\nclient-cert-chain: :BAU=:\r\n", ""),
        ("x-ssl-client-cert: :AQID:\r\nx-forwarded-client-cert: :AQID:\r\n", ""),
    ] {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        assert_eq!(through(&mut stream, headers).await, format!("Proxy nowhere [{chain}]"), "{headers}");
    }
}

#[tokio::test]
async fn over_tls_the_proxy_must_have_its_own_certificate_and_the_callers_is_what_it_tells() {
    let ca = Ca::new();
    let server = Server::start(&ca, callers(&ca)).await;
    for version in [TLS13, TLS12] {
        let proxy = Caller::with(&ca, Some(&ca.caller(NAME)), version, None);
        for (headers, chain) in [(TELLS, &[&[1, 2, 3][..], &[4, 5]][..]), ("", &[])] {
            let mut connection = proxy.connect(server.address).await.unwrap();
            // The host is the one that the caller asked the proxy for.
            let request = format!("GET / HTTP/1.1\r\nhost: token.example\r\n{headers}\r\n");
            connection.send(&request).await.unwrap();
            assert_eq!(connection.answer().await.unwrap().body, told(Security::Proxy, chain));
        }
    }
}

#[tokio::test]
async fn nobody_but_the_proxy_gets_through_to_its_listener() {
    let (ca, other) = (Ca::new(), Ca::new());
    let server = Server::start(&ca, callers(&ca)).await;
    for version in [TLS13, TLS12] {
        let refused = [
            ("none", None),
            ("another name", Some(ca.caller("partner.example"))),
            ("another CA", Some(other.caller(NAME))),
            ("self-signed", Some(self_signed(&of_caller(NAME)))),
            ("expired", Some(ca.issue(&expired(of_caller(NAME))))),
        ];
        for (why, certificate) in refused {
            let caller = Caller::with(&ca, certificate.as_ref(), version, None);
            assert!(caller.ask(server.address).await.is_err(), "{why}");
        }
    }
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn a_proxys_certificate_is_judged_with_every_connection() {
    let ca = Ca::new();
    let server = Server::start(&ca, callers(&ca)).await;
    for version in [TLS13, TLS12] {
        let proxy = Caller::with(&ca, Some(&ca.caller(NAME)), version, None);
        for _ in 0..2 {
            let mut connection = proxy.connect(server.address).await.unwrap();
            assert_eq!(connection.kind(), rustls::HandshakeKind::Full);
            connection.ask("localhost").await.unwrap();
        }
    }
}

#[tokio::test]
async fn on_every_other_listener_what_is_told_is_not_listened_to() {
    let ca = Ca::new();
    for (asked, security) in
        [(Callers::NotAsked, Security::Tls), (Callers::Asked, Security::TlsAsksCertificate)]
    {
        let server = Server::start(&ca, asked).await;
        let mut connection = Caller::new(&ca).connect(server.address).await.unwrap();
        connection.send(&format!("GET / HTTP/1.1\r\nhost: localhost\r\n{TELLS}\r\n")).await.unwrap();
        assert_eq!(connection.answer().await.unwrap().body, told(security, &[] as &[&[u8]]));
    }
    let listener = procura_http::listener::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let server = Server::serve(listener, Identity::new(ca.server()), Limits::default());
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{TELLS}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("Plain 127.0.0.1 []"), "{answer}");
}

#[test]
fn a_proxy_that_can_not_be_told_from_others_is_not_listened_to() {
    let identity = Identity::new(Ca::new().server());
    let refused = |client_ca: &[u8], subject: &str| {
        let callers = Callers::Proxy { client_ca: client_ca.to_vec(), subject: subject.to_owned() };
        Tls::new(std::sync::Arc::clone(&identity), callers).unwrap_err()
    };
    assert!(matches!(refused(b"", NAME), CannotListen::Ca));
    let no_certificate = b"-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
    assert!(matches!(refused(no_certificate, NAME), CannotListen::Ca));
    assert!(matches!(refused(&Ca::new().pem(), "no name"), CannotListen::Subject(_)));
}
