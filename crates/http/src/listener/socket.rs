//! Sockets that listen, and what is accepted from them.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use axum::body::Body;
use http::{Request, Response};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tower::Service;

use super::{Accept, Incoming, Opening, Transport, serve, transport};
use crate::connection::{Drain, Opened, Origin, Peer, Security};
use crate::limits::Limits;
use crate::tls::{Tls, handshake};

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    tls: Option<Tls>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Binds `address` for plain HTTP; port 0 picks a free one, see [`Listener::local_addr`].
///
/// # Errors
///
/// What the system says: the address is taken, not ours, or needs a privilege.
pub async fn bind(address: SocketAddr) -> io::Result<Listener> {
    Ok(Listener { socket: Socket::Tcp(TcpListener::bind(address).await?), tls: None })
}

impl Listener {
    /// A Unix socket that only proxies of the operator's can reach: what they tell about their callers'
    /// certificates is believed ([`Security::Proxy`]).
    pub fn of_proxies(socket: UnixListener) -> Listener {
        Listener { socket: Socket::Unix(socket), tls: None }
    }

    /// The same socket with TLS; a Unix socket stays as it is.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Listener {
        Listener { tls: Some(tls), ..self }
    }

    /// The address that was bound, with its port.
    ///
    /// # Errors
    ///
    /// What the system says; [`io::ErrorKind::Unsupported`] for a Unix socket, which has none.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.socket {
            Socket::Tcp(socket) => socket.local_addr(),
            Socket::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// See [`serve`].
    pub async fn serve<S>(
        self,
        service: S,
        limits: Limits,
        drain: Drain,
        shutdown: impl Future<Output = ()>,
    ) -> usize
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send + 'static,
    {
        serve(Listeners::new(vec![self]), service, limits, drain, shutdown).await
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match &self.socket {
            Socket::Tcp(socket) => socket.poll_accept(cx).map_ok(|(stream, address)| {
                // A response is written whole; waiting for more of it would only delay it. A peer that is
                // gone already makes this fail, and the first read says so too.
                let _ = stream.set_nodelay(true);
                Accepted::Tcp(stream, Peer(address.ip()), self.tls.clone())
            }),
            Socket::Unix(socket) => socket.poll_accept(cx).map_ok(|(stream, _)| Accepted::Unix(stream)),
        }
    }
}

/// Several listeners as one source of connections, so that one set of limits holds for all of them.
#[derive(Debug)]
pub struct Listeners {
    all: Vec<Listener>,
    /// Who is asked first: each in turn, so that a busy one starves no other.
    first: usize,
}

impl Listeners {
    /// All of these.
    pub fn new(all: Vec<Listener>) -> Listeners {
        Listeners { all, first: 0 }
    }
}

impl Accept for Listeners {
    type Incoming = Accepted;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        for turn in 0..self.all.len() {
            let asked = (self.first + turn) % self.all.len();
            if let Poll::Ready(accepted) = self.all[asked].poll_accept(cx) {
                self.first = asked + 1;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }
}

/// A connection of which no byte has been read.
#[derive(Debug)]
pub enum Accepted {
    /// Over TCP, from that address, with TLS or without. The address is told by the accept: a connection that the
    /// caller has reset has none any more, and what it sent before is served nevertheless.
    Tcp(TcpStream, Peer, Option<Tls>),
    /// From a proxy over a Unix socket.
    Unix(UnixStream),
}

impl Incoming for Accepted {
    type Io = Transport;

    async fn open(self, opening: &Opening) -> Option<Opened<Transport>> {
        match self {
            Accepted::Tcp(stream, peer, Some(tls)) => {
                // Boxed, so that connections without TLS don't carry the room for it.
                let (stream, origin) = Box::pin(handshake::shake((stream, peer), &tls, opening)).await?;
                Some(Opened { io: Transport::Tls(transport::Tls::new(stream)), origin })
            }
            Accepted::Tcp(stream, peer, None) => {
                let origin = Origin { peer: Some(peer), ..Origin::default() };
                Some(Opened { io: Transport::Tcp(stream), origin })
            }
            Accepted::Unix(stream) => {
                let origin = Origin { security: Security::Proxy, ..Origin::default() };
                Some(Opened { io: Transport::Unix(stream), origin })
            }
        }
    }
}
