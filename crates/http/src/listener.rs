//! Where connections are accepted, and the loop that does it.
//!
//! One loop takes connections from all sockets, so that one set of limits holds for them together. What has to
//! happen before a connection carries HTTP (a TLS handshake) happens in the connection's own task.

mod socket;
mod transport;

pub use socket::{Accepted, Listener, Listeners, bind};
pub use transport::Transport;

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tower::Service;

use crate::connection::{self, Drain, Ended, Opened, Origin};
use crate::limits::Limits;

/// After a failed accept (no file descriptor, no memory) the next try waits, from the first up to the
/// second, doubling: trying at once would burn the core that could end a connection.
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Connections that wait in the kernel's queue are taken at the end too, up to so many.
const LAST_ACCEPTS: usize = 1024;

/// Where connections come from.
pub trait Accept {
    /// One connection, of which nothing is known yet.
    type Incoming: Incoming;

    /// The next connection, or why there is none. An error never means the end.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Incoming>>;
}

/// A connection that was accepted and has to be opened before it carries HTTP.
pub trait Incoming: Send + 'static {
    /// What it carries HTTP on.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Opens it, in the connection's own task. `None` when nothing is to be served on it.
    fn open(self, opening: &Opening) -> impl Future<Output = Option<Opened<Self::Io>>> + Send;
}

/// What connections that are being opened share.
#[derive(Clone, Debug)]
pub struct Opening {
    pub(crate) limits: Limits,
    pub(crate) drain: Drain,
    /// Room for TLS handshakes.
    pub(crate) handshakes: Arc<Semaphore>,
}

/// A byte stream that carries HTTP from its first byte.
#[derive(Debug)]
pub struct Plain<Io>(pub Io);

impl<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static> Incoming for Plain<Io> {
    type Io = Io;

    async fn open(self, _: &Opening) -> Option<Opened<Io>> {
        Some(Opened { io: self.0, origin: Origin::default() })
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
    let opening = Opening { limits, drain, handshakes: Arc::new(Semaphore::new(limits.handshakes)) };
    let mut open = Open { tasks: JoinSet::new(), service, opening };

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
                Ok(incoming) => {
                    pause_length = Duration::ZERO;
                    open.spawn(incoming);
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
            Poll::Ready(Ok(incoming)) if open.tasks.len() < limits.connections => open.spawn(incoming),
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
    opening: Opening,
}

impl<S> Open<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    fn spawn(&mut self, incoming: impl Incoming) {
        let (service, opening) = (self.service.clone(), self.opening.clone());
        self.tasks.spawn(async move {
            match incoming.open(&opening).await {
                Some(opened) => {
                    connection::serve_opened(opened, service, opening.limits, opening.drain).await
                }
                None => Ended::Unopened,
            }
        });
    }

    async fn finish(mut self) -> usize {
        self.opening.drain.begin();
        let finished = async {
            while let Some(ended) = self.tasks.join_next().await {
                report(ended);
            }
        };
        if timeout(self.opening.limits.drain, finished).await.is_ok() {
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
