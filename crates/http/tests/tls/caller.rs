//! A caller, who may be good or bad.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::client::ResolvesClientCert;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, HandshakeKind, SignatureScheme, SupportedCipherSuite, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::made::Ca;

pub(crate) static TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
pub(crate) static TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// What a caller does when it is asked for a certificate, and what it was told then.
#[derive(Debug, Default)]
pub(crate) struct Wallet {
    certificate: Option<Arc<CertifiedKey>>,
    /// For each time that it was asked: how many names of CAs came with it.
    pub(crate) asked: Mutex<Vec<usize>>,
}

impl ResolvesClientCert for Wallet {
    fn resolve(&self, names: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.lock().unwrap().push(names.len());
        self.certificate.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) wallet: Arc<Wallet>,
    name: ServerName<'static>,
}

impl Caller {
    /// Trusts the CA, and has no certificate.
    pub(crate) fn new(ca: &Ca) -> Caller {
        Caller::with(ca, None, &[&rustls::version::TLS13, &rustls::version::TLS12], None)
    }

    pub(crate) fn with_certificate(ca: &Ca, certificate: &Arc<CertifiedKey>) -> Caller {
        Caller::with(ca, Some(certificate), &[&rustls::version::TLS13, &rustls::version::TLS12], None)
    }

    /// Which speaks these versions, and of the suites only one.
    pub(crate) fn with(
        ca: &Ca,
        certificate: Option<&Arc<CertifiedKey>>,
        versions: &[&'static SupportedProtocolVersion],
        suite: Option<SupportedCipherSuite>,
    ) -> Caller {
        let mut provider: CryptoProvider = aws_lc_rs::default_provider();
        if let Some(suite) = suite {
            provider.cipher_suites = vec![suite];
        }
        let wallet = Arc::new(Wallet { certificate: certificate.cloned(), ..Wallet::default() });
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(ca.roots())
            .with_client_cert_resolver(Arc::clone(&wallet) as _);
        Caller { config: Arc::new(config), wallet, name: ServerName::try_from("localhost").unwrap() }
    }

    /// The same, calling by another name.
    pub(crate) fn calling(self, name: &'static str) -> Caller {
        Caller { name: ServerName::try_from(name).unwrap(), ..self }
    }

    /// The same, offering these protocols.
    pub(crate) fn offering(self, protocols: &[&str]) -> Caller {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Caller { config: Arc::new(config), ..self }
    }

    pub(crate) async fn connect(&self, address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        let tls = TlsConnector::from(Arc::clone(&self.config)).connect(self.name.clone(), stream).await?;
        Ok(Connection(tls))
    }

    /// One request on a connection of its own: what the route saw.
    pub(crate) async fn ask(&self, address: SocketAddr) -> io::Result<String> {
        Ok(self.connect(address).await?.ask("localhost").await?.body)
    }
}

pub(crate) struct Connection(pub(crate) TlsStream<TcpStream>);

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Connection {
    pub(crate) fn kind(&self) -> HandshakeKind {
        self.0.get_ref().1.handshake_kind().unwrap()
    }

    pub(crate) async fn send(&mut self, text: &str) -> io::Result<()> {
        self.send_bytes(text.as_bytes()).await
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await?;
        self.0.flush().await
    }

    pub(crate) async fn ask(&mut self, host: &str) -> io::Result<Answer> {
        self.send(&format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n")).await?;
        self.answer().await
    }

    pub(crate) async fn answer(&mut self) -> io::Result<Answer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await?);
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length =
            head.split("content-length: ").nth(1).unwrap().split('\r').next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok(Answer { status, head, body: String::from_utf8(body).unwrap() })
    }

    /// How many bytes came until the other side closed in good order; an error if it did not.
    pub(crate) async fn ended(&mut self) -> io::Result<usize> {
        self.0.read_to_end(&mut Vec::new()).await
    }
}
