//! Who is at the other end of a connection.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use tower::Service;

/// The address at the other end of the connection that a request came by; an extension of the request.
/// Of a caller behind a proxy it is the proxy's: what a request says about where it is from is no
/// evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// The certificates of the connection that a request came by; an extension of the request, absent without
/// any. Whoever sent them has the private key of the first; nothing else is known about them.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate(Arc<[Box<[u8]>]>);

impl ClientCertificate {
    /// From DER, the caller's own first; `None` without any.
    pub fn new(chain: Vec<Box<[u8]>>) -> Option<ClientCertificate> {
        (!chain.is_empty()).then(|| ClientCertificate(chain.into()))
    }

    /// Each certificate as DER, the caller's own first; never empty.
    pub fn chain(&self) -> &[Box<[u8]>] {
        &self.0
    }
}

impl fmt::Debug for ClientCertificate {
    /// Certificates name people; a log has no use for them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCertificate({} in chain)", self.0.len())
    }
}

/// A service whose requests know their [`Peer`].
#[derive(Clone)]
pub(crate) struct WithPeer<S> {
    pub(crate) service: S,
    pub(crate) peer: Option<Peer>,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for WithPeer<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        self.service.call(request)
    }
}
