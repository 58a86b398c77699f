//! The ready transport: reqwest over rustls.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use thiserror::Error;

use crate::transport::{Chunks, Transport, TransportError};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);

/// HTTP/1.1 and HTTP/2 over rustls with the system's root certificates, and plain HTTP/1.1 on loopback.
///
/// No redirect is followed and no retry is made. Over TLS the proxy of the environment (`HTTPS_PROXY`) is
/// used, which sees no more than the server's name; plain requests never leave the machine and take no
/// proxy. A clone shares the connections.
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
        ReqwestTransport::with(Vec::new())
    }

    /// With further root certificates beside the system's, for a server whose certificate is from a
    /// private authority.
    ///
    /// # Errors
    ///
    /// [`InvalidRoots`] for a text without a certificate.
    pub fn with_extra_roots(pem: &[u8]) -> Result<ReqwestTransport, InvalidRoots> {
        let roots = reqwest::Certificate::from_pem_bundle(pem).map_err(|_| InvalidRoots)?;
        if roots.is_empty() { Err(InvalidRoots) } else { Ok(ReqwestTransport::with(roots)) }
    }

    fn with(roots: Vec<reqwest::Certificate>) -> ReqwestTransport {
        let common = || {
            reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .connect_timeout(CONNECT)
        };
        let tls = common().https_only(true).tls_certs_merge(roots);
        let plain = common().no_proxy().tls_certs_only([]);
        let build = |builder: reqwest::ClientBuilder| builder.build().map_err(TransportError::because);
        ReqwestTransport { over_tls: build(tls), on_loopback: build(plain) }
    }
}

impl Default for ReqwestTransport {
    fn default() -> Self {
        ReqwestTransport::new()
    }
}

impl Transport for ReqwestTransport {
    type Body = ReqwestBody;

    async fn send(&self, request: Request<()>) -> Result<Response<ReqwestBody>, TransportError> {
        let tls = request.uri().scheme() != Some(&http::uri::Scheme::HTTP);
        let client = if tls { &self.over_tls } else { &self.on_loopback };
        let client = client.as_ref().map_err(Clone::clone)?;
        let request = request.map(|()| Bytes::new()).try_into().map_err(TransportError::because)?;
        let mut answer = client.execute(request).await.map_err(TransportError::because)?;
        let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        let mut response = Response::new(ReqwestBody(answer));
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        Ok(response)
    }
}

/// The body of an answer that comes over [`ReqwestTransport`].
pub struct ReqwestBody(reqwest::Response);

impl Chunks for ReqwestBody {
    async fn chunk(&mut self) -> Result<Option<Bytes>, TransportError> {
        self.0.chunk().await.map_err(TransportError::because)
    }
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReqwestTransport")
    }
}

impl fmt::Debug for ReqwestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReqwestBody")
    }
}
