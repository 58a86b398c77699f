//! The ready transport over TLS, with a server that asks for a certificate: what it shows, and to whom.

use std::sync::Arc;

use procura_client::{
    Application, ApplicationId, ClientIdentity, Error, InvalidIdentity, Issuer, Procura, ReqwestTransport,
    Secret, TransportErrorKind,
};
use rcgen::{CertificateParams, IsCa, Issuer as Authority, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::fake::contact;

/// An authority, and what it gave to the two ends.
struct Pki {
    authority: rcgen::Certificate,
    server: (rcgen::Certificate, KeyPair),
    client: (rcgen::Certificate, KeyPair),
}

impl Pki {
    fn new() -> Pki {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap();
        let issuer = Authority::new(params, key);
        let issued = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new([name.to_owned()]).unwrap();
            (params.signed_by(&key, &issuer).unwrap(), key)
        };
        Pki { server: issued("127.0.0.1"), client: issued("partner.example"), authority }
    }

    fn identity(&self) -> ClientIdentity {
        let key = Secret::from(self.client.1.serialize_pem());
        ClientIdentity::from_pem(self.client.0.pem().as_bytes(), &key).unwrap()
    }

    fn transport(&self, identity: Option<ClientIdentity>) -> ReqwestTransport {
        let builder = ReqwestTransport::builder().extra_roots(self.authority.pem().as_bytes()).unwrap();
        identity.map_or_else(|| builder.clone(), |identity| builder.clone().identity(identity)).build()
    }

    fn acceptor(&self) -> TlsAcceptor {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .allow_unauthenticated()
            .build()
            .unwrap();
        let key = PrivateKeyDer::try_from(self.server.1.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![self.server.0.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// What came on a connection: the caller's certificate and the requests.
type Came = (Option<CertificateDer<'static>>, String);

/// Serves one connection: answers metadata, and to everything else a token, until the caller closes.
async fn serve(pki: &Pki) -> (String, JoinHandle<Came>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let (acceptor, issuer) = (pki.acceptor(), base.clone());
    let server = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(socket).await.unwrap();
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).cloned();
        let shown = shown.map(CertificateDer::into_owned);
        let mut came = Vec::new();
        let mut answered = 0;
        while stream.read_buf(&mut came).await.is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&came[answered..]).into_owned();
            let whole = text
                .split_once("\r\n\r\n")
                .is_some_and(|(head, body)| head.starts_with("GET") || body.len() >= "client_id=app_1".len());
            if whole {
                answered = came.len();
                let body = if text.starts_with("GET") {
                    serde_json::to_string(&procura_protocol::metadata::Metadata::new(&issuer)).unwrap()
                } else {
                    r#"{"access_token":"a","expires_in":"3600","id_token":"i","token_type":"Bearer"}"#
                        .to_owned()
                };
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            }
        }
        (shown, String::from_utf8(came).unwrap())
    });
    (base, server)
}

fn application(base: &str) -> Application {
    Application::by_certificate(Issuer::parse(base).unwrap(), &ApplicationId::parse("app_1").unwrap())
}

#[tokio::test]
async fn the_certificate_is_shown_and_the_form_names_the_application() {
    let pki = Pki::new();
    let (base, server) = serve(&pki).await;
    let procura = Procura::connect_by(application(&base), pki.transport(Some(pki.identity())));
    let token = procura.token_for_contact(&contact("c1")).await.unwrap();
    assert_eq!(token.access_token.unwrap().expose(), "a");
    drop(procura);
    let (shown, came) = server.await.unwrap();
    assert_eq!(shown.as_ref(), Some(pki.client.0.der()));
    assert!(
        came.contains("POST /token/c1 HTTP/1.1\r\n") && came.ends_with("\r\n\r\nclient_id=app_1"),
        "{came}"
    );
    assert!(!came.to_lowercase().contains("\r\nauthorization:"), "{came}");
}

#[tokio::test]
async fn without_an_identity_no_certificate_is_shown() {
    let pki = Pki::new();
    let (base, server) = serve(&pki).await;
    let procura = Procura::connect_by(application(&base), pki.transport(None));
    procura.token_for_contact(&contact("c1")).await.unwrap();
    drop(procura);
    assert_eq!(server.await.unwrap().0, None);
}

#[tokio::test]
async fn a_server_that_the_roots_do_not_vouch_for_gets_nothing() {
    let (pki, strangers) = (Pki::new(), Pki::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let acceptor = strangers.acceptor();
    let server = tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            assert!(acceptor.accept(socket).await.is_err());
        }
    });
    let procura = Procura::connect_by(application(&base), pki.transport(Some(pki.identity())));
    let error = procura.token_for_contact(&contact("c1")).await.unwrap_err();
    assert!(
        matches!(&error, Error::Transport(error) if error.kind() == TransportErrorKind::Connection),
        "{error}"
    );
    server.abort();
}

#[test]
fn a_certificate_needs_its_one_key_and_a_key_its_certificate() {
    let pki = Pki::new();
    let (certificate, key) = (pki.client.0.pem(), pki.client.1.serialize_pem());
    let read = |certificate: &str, key: &str| {
        ClientIdentity::from_pem(certificate.as_bytes(), &Secret::from(key.to_owned())).map(|_| ())
    };
    assert_eq!(read(&certificate, &key), Ok(()));
    assert_eq!(read(&format!("{key}{certificate}"), &key), Ok(()), "both in one file");
    for bad in ["", "hello", &key] {
        assert_eq!(read(bad, &key), Err(InvalidIdentity::Certificate), "{bad}");
    }
    for bad in ["", "hello", &certificate, &format!("{key}{key}")] {
        assert_eq!(read(&certificate, bad), Err(InvalidIdentity::Key), "{bad}");
    }
}

#[tokio::test]
async fn a_key_of_another_certificate_is_told_by_the_first_request() {
    let (pki, other) = (Pki::new(), Pki::new());
    let key = Secret::from(other.client.1.serialize_pem());
    let identity = ClientIdentity::from_pem(pki.client.0.pem().as_bytes(), &key).unwrap();
    assert_eq!(format!("{identity:?}"), "ClientIdentity(..)");
    let procura = Procura::connect_by(application("https://127.0.0.1:1"), pki.transport(Some(identity)));
    let error = procura.token_for_contact(&contact("c1")).await.unwrap_err();
    assert!(
        matches!(&error, Error::Transport(error) if error.kind() == TransportErrorKind::Setup),
        "{error}"
    );
}
