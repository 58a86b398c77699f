//! The accept loop.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tower::Service;

use crate::connection::{self, Drain, Ended, Peer, WithPeer};
use crate::limits::Limits;

/// After a failed accept (no file descriptor, no memory) the next try waits, from the first up to the
/// second, doubling: trying at once would burn the core that could end a connection.
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Connections that wait in the kernel's queue are taken at the end too, up to so many.
const LAST_ACCEPTS: usize = 1024;

/// A bound TCP socket.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
}

/// Binds `address`; port 0 picks a free one, see [`Listener::local_addr`].
///
/// # Errors
///
/// What the system says: the address is taken, not ours, or needs a privilege.
pub async fn bind(address: SocketAddr) -> io::Result<Listener> {
    Ok(Listener { tcp: TcpListener::bind(address).await? })
}

impl Listener {
    /// The address that was bound, with its port.
    ///
    /// # Errors
    ///
    /// What the system says; it has no reason to.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
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
        serve(self, service, limits, drain, shutdown).await
    }
}

/// Where connections come from.
pub trait Accept {
    /// One connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, or why there is none. An error never means the end.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Io>>;

    /// Who is at the other end, if that has an address and is still there.
    fn peer(_: &Self::Io) -> Option<IpAddr> {
        None
    }
}

impl Accept for Listener {
    type Io = TcpStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        self.tcp.poll_accept(cx).map_ok(|(stream, _)| {
            // A response is written whole; waiting for more of it would only delay it. A peer that is
            // gone already makes this fail, and the first read says so too.
            let _ = stream.set_nodelay(true);
            stream
        })
    }

    fn peer(stream: &TcpStream) -> Option<IpAddr> {
        stream.peer_addr().ok().map(|address| address.ip())
    }
}

/// Accepts and serves until `shutdown` is ready, then finishes what was accepted.
///
/// `drain` is what tells connections to end, and whatever else shares it.
///
/// With `limits.connections` open none is accepted until one ends. After `shutdown` the source is
/// dropped, idle connections close, requests in flight are answered (`Connection: close`), and what is
/// left after `limits.drain` is cut: the value says how many that were.
pub async fn serve<A, S>(
    mut source: A,
    service: S,
    limits: Limits,
    drain: Drain,
    shutdown: impl Future<Output = ()>,
) -> usize
where
    A: Accept,
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let mut shutdown = pin!(shutdown);
    let mut pause = pin!(sleep(Duration::ZERO));
    let (mut pausing, mut pause_length) = (false, Duration::ZERO);
    let mut told_full = false;
    let mut open = Open { tasks: JoinSet::new(), service, limits, drain };

    loop {
        let room = open.tasks.len() < limits.connections;
        if !room && !told_full {
            told_full = true;
            tracing::warn!(
                connections = limits.connections,
                "all connections are in use: new ones have to wait"
            );
        }
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(ended) = open.tasks.join_next() => {
                report(ended);
                // Told again only after it has been clearly below.
                told_full &= open.tasks.len() > limits.connections / 10 * 9;
            }
            () = pause.as_mut(), if pausing => pausing = false,
            accepted = poll_fn(|cx| source.poll_accept(cx)), if room && !pausing => match accepted {
                Ok(io) => {
                    pause_length = Duration::ZERO;
                    open.spawn(A::peer(&io), io);
                }
                Err(error) if is_of_peer(&error) => {}
                Err(error) => {
                    if pause_length.is_zero() {
                        tracing::error!(%error, "can't accept connections: trying again until it works");
                    }
                    pause_length = (pause_length * 2).clamp(ACCEPT_PAUSE.0, ACCEPT_PAUSE.1);
                    pausing = true;
                    pause.set(sleep(pause_length));
                }
            }
        }
    }

    for _ in 0..LAST_ACCEPTS {
        match poll_fn(|cx| Poll::Ready(source.poll_accept(cx))).await {
            Poll::Ready(Ok(io)) if open.tasks.len() < limits.connections => open.spawn(A::peer(&io), io),
            Poll::Ready(Err(error)) if is_of_peer(&error) => {}
            _ => break,
        }
    }
    drop(source);
    open.finish().await
}

/// The connections that are open.
struct Open<S> {
    tasks: JoinSet<Ended>,
    service: S,
    limits: Limits,
    drain: Drain,
}

impl<S> Open<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    fn spawn<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&mut self, peer: Option<IpAddr>, io: Io) {
        let service = WithPeer { service: self.service.clone(), peer: peer.map(Peer) };
        self.tasks.spawn(connection::serve(io, service, self.limits, self.drain.clone()));
    }

    async fn finish(mut self) -> usize {
        self.drain.begin();
        let finished = async {
            while let Some(ended) = self.tasks.join_next().await {
                report(ended);
            }
        };
        if timeout(self.limits.drain, finished).await.is_ok() {
            return 0;
        }
        let cut = self.tasks.len();
        tracing::warn!(cut, "connections cut: they did not end in time");
        self.tasks.shutdown().await;
        cut
    }
}

/// A connection that died in the queue says nothing about us.
fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn report(ended: Result<Ended, JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        // The panic itself was told by the panic hook, with its place.
        tracing::error!("a connection ended because a request panicked");
    }
}
