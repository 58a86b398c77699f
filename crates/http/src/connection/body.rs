//! Bodies on their way in and out.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::activity::{Activity, InFlight};
use crate::limits::Limits;

/// Why a request's body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More than `Limits::body_bytes`: 413.
    #[error("the body is too large")]
    TooLarge,
    /// Not complete within `Limits::body_time` of its head: 408.
    #[error("the body did not come in time")]
    TooSlow,
    /// The caller stopped before its end, or it is not framed as HTTP says: 400.
    #[error("the body is broken")]
    Broken,
}

/// The whole body of a request, at most `limits.body_bytes` of it.
///
/// Without a body this costs one call and never waits; a body that comes in one piece is not copied.
/// What is declared too large is refused before a byte of it is read.
///
/// # Errors
///
/// See [`BodyError`]. On HTTP/1.1 the connection ends after the answer to each of them.
pub async fn read_body(mut body: Body, limits: &Limits) -> Result<Bytes, BodyError> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let most = limits.body_bytes;
    if body.size_hint().lower() > most as u64 {
        return Err(BodyError::TooLarge);
    }
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| blame(&error))?;
        // Trailers mean nothing here.
        if let Ok(data) = frame.into_data() {
            if first.len() + whole.len() + data.len() > most {
                return Err(BodyError::TooLarge);
            }
            if whole.is_empty() && first.is_empty() {
                first = data;
            } else {
                whole.extend_from_slice(&std::mem::take(&mut first));
                whole.extend_from_slice(&data);
            }
        }
        if body.is_end_stream() {
            break;
        }
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

fn blame(error: &axum::Error) -> BodyError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return BodyError::TooSlow;
        }
        cause = error.source();
    }
    BodyError::Broken
}

/// A request's body as the service gets it.
pub(super) struct RequestBody {
    incoming: Incoming,
    deadline: Deadline,
}

/// Who ends a body that takes too long.
enum Deadline {
    /// HTTP/1.1: the connection's watch, by a failing read.
    OfConnection(Arc<Activity>),
    /// HTTP/2, where other streams must go on: a timer of its own, made when it first has to wait.
    OfStream(Instant, Option<Pin<Box<Sleep>>>),
    /// The body has ended.
    Over,
}

impl RequestBody {
    pub(super) fn of_connection(incoming: Incoming, activity: Arc<Activity>) -> Self {
        activity.body_begins();
        Self { incoming, deadline: Deadline::OfConnection(activity) }
    }

    pub(super) fn of_stream(incoming: Incoming, deadline: Instant) -> Self {
        Self { incoming, deadline: Deadline::OfStream(deadline, None) }
    }

    fn end(&mut self, whole: bool) {
        if let Deadline::OfConnection(activity) = std::mem::replace(&mut self.deadline, Deadline::Over) {
            activity.body_ends(whole);
        }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.end(false);
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                match &frame {
                    Some(Ok(_)) if !self.incoming.is_end_stream() => {}
                    Some(Err(_)) => self.end(false),
                    _ => self.end(true),
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                if let Deadline::OfStream(at, timer) = &mut self.deadline {
                    ready!(timer.get_or_insert_with(|| Box::pin(sleep_until(*at))).as_mut().poll(cx));
                    return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())));
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// The largest piece of a response that HTTP/2 gets at a time: what it has taken is out of sight, so a
/// peer with a shut window shows only while there is another piece to come.
const PIECE: usize = 16 * 1024;

/// A response's body as hyper gets it: while it lives, its request is in flight.
pub(super) struct ResponseBody {
    body: Body,
    rest: Bytes,
    in_flight: InFlight,
}

impl ResponseBody {
    pub(super) fn new(body: Body, in_flight: InFlight) -> Self {
        Self { body, rest: Bytes::new(), in_flight }
    }

    /// At most one piece of `data`; the rest is kept.
    fn piece(&mut self, mut data: Bytes) -> Frame<Bytes> {
        if data.len() > PIECE && self.in_flight.activity().is_http2() {
            self.rest = data.split_off(PIECE);
        }
        Frame::data(data)
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = if self.rest.is_empty() {
            Pin::new(&mut self.body).poll_frame(cx)
        } else {
            let rest = std::mem::take(&mut self.rest);
            Poll::Ready(Some(Ok(Frame::data(rest))))
        };
        self.in_flight.awaits_peer(frame.is_ready());
        frame.map_ok(|frame| match frame.into_data() {
            Ok(data) => self.piece(data),
            Err(trailers) => trailers,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let mut hint = self.body.size_hint();
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}
