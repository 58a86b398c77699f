//! Who is at the other end of a connection.

use std::net::IpAddr;
use std::task::{Context, Poll};

use http::Request;
use tower::Service;

/// The address at the other end of the connection that a request came by; an extension of the request.
/// Of a caller behind a proxy it is the proxy's: what a request says about where it is from is no
/// evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

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
