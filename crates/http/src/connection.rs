//! One connection, from its first byte to its last.
//!
//! hyper parses and writes; four small parts around it hold the bounds:
//!
//! - `wire` is the byte stream. It notes that bytes came, that a write is blocked, and gives hyper's
//!   own bodiless error answers the contract's shape.
//! - `requests` is the service hyper calls. It notes that a head is complete and that a response is
//!   on its way, and refuses heads that are too large.
//! - `activity` is the few counters that these two leave behind.
//! - `watch` reads the counters, knows since when a connection has been in its phase, and says when
//!   its time is over.
//!
//! A request costs one reading of the clock and no timer: one timer per connection fires at most once
//! per shortest limit and is then set to the moment that matters. That is still exact, because a phase
//! that begins after a look can't end before the next one.

mod activity;
mod body;
mod clock;
mod counts;
mod drain;
mod origin;
mod refusal;
mod requests;
mod watch;
mod wire;

pub use body::{BodyError, read_body};
pub(crate) use clock::date;
pub use counts::{ConnectionCounts, Handshake};
pub use drain::Drain;
pub(crate) use origin::Origin;
pub use origin::{ClientCertificate, Peer, Security};
pub use watch::Phase;

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use axum::body::Body;
use http::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::Service;

use crate::limits::Limits;
use activity::Activity;
use requests::Requests;
use watch::{Verdict, Watch};
use wire::Wire;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself: the caller left, or both sides had nothing more to say.
    Closed,
    /// By us, because the time of this phase was over.
    Cut(Phase),
    /// Before a byte of HTTP: no handshake came about, or the caller spoke HTTP where TLS is spoken.
    Unopened,
}

/// Serves HTTP/1.1, or HTTP/2 with prior knowledge, on `io` until it ends.
///
/// `service` answers every request and must not fail; a panic of it ends the connection's task. A
/// request without a body arrives with an empty [`Body`]. Once `drain` has begun, the connection ends
/// after what it has accepted.
pub async fn serve<Io, S>(io: Io, service: S, limits: Limits, drain: Drain) -> Ended
where
    Io: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    serve_opened(Opened { io, origin: Origin::default() }, service, limits, drain).await
}

/// A connection on which requests can be read, and what is known about all of them.
#[derive(Debug)]
pub struct Opened<Io> {
    pub(crate) io: Io,
    pub(crate) origin: Origin,
}

/// As [`serve`], and every request is told where it came from: [`Peer`], [`Security`] and
/// [`ClientCertificate`] are among its extensions. One for another host than the handshake named gets 421.
pub(crate) async fn serve_opened<Io, S>(opened: Opened<Io>, service: S, limits: Limits, drain: Drain) -> Ended
where
    Io: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let _open = drain.counts().open_one();
    let activity = Arc::new(Activity::default());
    let builder = builder(&limits);
    let Opened { io, origin } = opened;
    let wire = TokioIo::new(Wire::new(io, Arc::clone(&activity), limits));
    let requests = Requests::new((service, origin), Arc::clone(&activity), limits, drain.clone());
    let mut connection = pin!(builder.serve_connection(wire, requests));
    let mut watch = pin!(Watch::new(limits));
    let mut draining = pin!(drain.begun());

    poll_fn(|cx| {
        loop {
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ended::Closed);
            }
            let draining = draining.as_mut().poll_begun(cx);
            match watch.as_mut().look(cx, &activity, draining) {
                Verdict::Wait => return Poll::Pending,
                Verdict::Close => connection.as_mut().graceful_shutdown(),
                Verdict::FailRead => activity.body_is_late(),
                Verdict::Cut(phase) => {
                    drain.counts().cut_one(phase);
                    tracing::debug!(?phase, "connection cut: its time was over");
                    return Poll::Ready(Ended::Cut(phase));
                }
            }
        }
    })
    .await
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    const PARSER_HEADERS: usize = 100;
    const PARSER_SMALLEST_BUFFER: usize = 8192;
    let window = u32::try_from(limits.body_bytes).unwrap_or(u32::MAX / 4);

    let mut builder = auto::Builder::new(TokioExecutor::new());
    // A caller that closes its sending half still gets its answer. The time of a head is ours.
    builder.http1().half_close(true).header_read_timeout(None);
    builder.http1().max_buf_size(limits.header_bytes.max(PARSER_SMALLEST_BUFFER));
    if limits.header_count != PARSER_HEADERS {
        builder.http1().max_headers(limits.header_count);
    }
    // What waits unread is bounded by the windows: one body a stream, two a connection. The list of
    // headers may be twice ours, so that the answer to one that is too large is ours and has a body.
    builder
        .http2()
        .max_concurrent_streams(limits.streams)
        .initial_stream_window_size(window)
        .initial_connection_window_size(window.saturating_mul(2))
        .max_send_buf_size(limits.body_bytes)
        .max_header_list_size(u32::try_from(limits.header_bytes * 2).unwrap_or(u32::MAX));
    builder
}
