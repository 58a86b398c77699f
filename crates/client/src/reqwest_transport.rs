//! The ready transport: reqwest over rustls.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use thiserror::Error;

use crate::identity::ClientIdentity;
use crate::transport::{ResponseLimit, Transport, TransportError, TransportErrorKind};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a connection may be silent while an answer comes.
const SILENCE: Duration = Duration::from_secs(30);
/// How long an unused connection is kept: less than the server's own 75 s.
const IDLE: Duration = Duration::from_secs(60);

/// HTTP/1.1 and HTTP/2 over rustls with the system's root certificates, and plain HTTP/1.1 on loopback.
///
/// Connections are kept and reused. No redirect is followed, no retry is made, an answer is read up to
/// its [`ResponseLimit`]. Over TLS the proxy of the environment (`HTTPS_PROXY`) is used, which sees no
/// more than the server's name; plain requests never leave the machine and take no proxy.
///
/// A clone shares the connections.
#[derive(Clone)]
pub struct ReqwestTransport {
    /// Kept as an error until it is used: without root certificates loopback must still work.
    over_tls: Result<reqwest::Client, TransportError>,
    on_loopback: Result<reqwest::Client, TransportError>,
}

/// A text that is not root certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be one or more certificates in PEM")]
pub struct InvalidRoots;

impl ReqwestTransport {
    /// With the system's root certificates.
    pub fn new() -> ReqwestTransport {
        ReqwestTransport::builder().build()
    }

    /// With further root certificates beside the system's, for a server whose certificate is from a
    /// private authority.
    ///
    /// # Errors
    ///
    /// [`InvalidRoots`] for a text without a certificate.
    pub fn with_extra_roots(pem: &[u8]) -> Result<ReqwestTransport, InvalidRoots> {
        Ok(ReqwestTransport::builder().extra_roots(pem)?.build())
    }

    /// Set up step by step.
    pub fn builder() -> ReqwestTransportBuilder {
        ReqwestTransportBuilder { roots: Vec::new(), identity: None }
    }

    fn client(&self, request: &Request<Bytes>) -> Result<&reqwest::Client, TransportError> {
        let tls = request.uri().scheme() != Some(&http::uri::Scheme::HTTP);
        let client = if tls { &self.over_tls } else { &self.on_loopback };
        client.as_ref().map_err(Clone::clone)
    }
}

/// A [`ReqwestTransport`] that is being set up.
#[derive(Debug, Clone)]
pub struct ReqwestTransportBuilder {
    roots: Vec<reqwest::Certificate>,
    identity: Option<ClientIdentity>,
}

impl ReqwestTransportBuilder {
    /// Further root certificates in PEM, beside the system's.
    ///
    /// # Errors
    ///
    /// [`InvalidRoots`] for a text without a certificate.
    pub fn extra_roots(mut self, pem: &[u8]) -> Result<ReqwestTransportBuilder, InvalidRoots> {
        let roots = reqwest::Certificate::from_pem_bundle(pem).map_err(|_| InvalidRoots)?;
        if roots.is_empty() {
            return Err(InvalidRoots);
        }
        self.roots.extend(roots);
        Ok(self)
    }

    /// What to show to servers that ask for a certificate: to any of them, so use the transport for this
    /// server only.
    #[must_use]
    pub fn identity(self, identity: ClientIdentity) -> ReqwestTransportBuilder {
        ReqwestTransportBuilder { identity: Some(identity), ..self }
    }

    /// The transport. What is wrong with roots or identity is told by its first request.
    pub fn build(self) -> ReqwestTransport {
        let mut tls = common().https_only(true).tls_certs_merge(self.roots);
        if let Some(identity) = self.identity {
            tls = tls.identity(identity.into_inner());
        }
        let plain = common().no_proxy().tls_certs_only([]);
        let build = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|error| TransportError::because(TransportErrorKind::Setup, error))
        };
        ReqwestTransport { over_tls: build(tls), on_loopback: build(plain) }
    }
}

impl Default for ReqwestTransport {
    fn default() -> Self {
        ReqwestTransport::new()
    }
}

impl Transport for ReqwestTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let client = self.client(&request)?;
        let limit = ResponseLimit::of(&request).0;
        let request = request.try_into().map_err(failed)?;
        let mut answer = client.execute(request).await.map_err(failed)?;
        let told = answer.content_length().unwrap_or(0);
        if told > limit as u64 {
            return Err(TransportError::new(TransportErrorKind::TooLarge));
        }
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        let mut body = BytesMut::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
            if body.len() + piece.len() > limit {
                return Err(TransportError::new(TransportErrorKind::TooLarge));
            }
            body.extend_from_slice(&piece);
        }
        *response.body_mut() = body.freeze();
        Ok(response)
    }
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReqwestTransport")
    }
}

fn common() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .pool_idle_timeout(IDLE)
}

fn failed(error: reqwest::Error) -> TransportError {
    let kind = if error.is_timeout() {
        TransportErrorKind::Timeout
    } else if error.is_builder() {
        TransportErrorKind::Setup
    } else {
        TransportErrorKind::Connection
    };
    // An assertion may stand in the URL.
    TransportError::because(kind, error.without_url())
}
