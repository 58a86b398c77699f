//! A list of contacts as a body that is read from the store and written piece by piece, as fast as the
//! caller takes it: ten thousand contacts are never in memory at once.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http_body::Frame;
use procura_engine::contacts::ContactList;
use procura_store::{Journal, Store};
use thiserror::Error;

use crate::available_contacts::Slot;
use crate::routes::App;
use crate::{answer, api_answer};

/// Contacts that are read at once.
const AT_ONCE: usize = 100;

/// Why a list breaks off. The caller sees a body that does not end.
#[derive(Debug, Error)]
#[error("the rest of the list can't be read, or not by this token any more")]
struct BrokenOff;

/// What is needed from piece to piece.
struct Reading<S, J> {
    app: Arc<App<S, J>>,
    list: ContactList,
    head: Parts,
    /// Where the next piece begins.
    next: usize,
    /// Whether anything was written since `[`.
    began: bool,
    _slot: Option<Slot>,
}

type Piece<S, J> = Pin<Box<dyn Future<Output = Result<(Bytes, Box<Reading<S, J>>), BrokenOff>> + Send>>;

/// Everything after the first piece.
enum ContactStream<S, J> {
    First(Bytes, Box<Reading<S, J>>),
    Waiting(Piece<S, J>),
    Over,
}

/// Reads the first piece, so that a store that fails is told as such, and answers with the list.
pub(super) async fn answer<S: Store, J: Journal>(
    app: Arc<App<S, J>>,
    list: ContactList,
    head: Parts,
    slot: Option<Slot>,
) -> Result<Response, Response> {
    let mut reading = Box::new(Reading { app, list, head, next: 0, began: false, _slot: slot });
    let mut first = vec![b'['];
    reading.read(&mut first).await.map_err(|BrokenOff| api_answer::unavailable_now())?;
    if reading.is_over() {
        return Ok(answer::secret_json(first));
    }
    let mut response = answer::secret_json(Vec::new());
    *response.body_mut() = Body::new(ContactStream::First(first.into(), reading));
    Ok(response)
}

impl<S: Store, J: Journal> Reading<S, J> {
    fn is_over(&self) -> bool {
        self.next >= self.list.len()
    }

    /// Adds the next piece; the last one with `]`.
    async fn read(&mut self, out: &mut Vec<u8>) -> Result<(), BrokenOff> {
        let contacts = self.app.engine.contacts_in(&self.list, self.next, AT_ONCE).await;
        let contacts = contacts.map_err(|reason| {
            tracing::debug!(%reason, "a list of contacts can't be read on");
            BrokenOff
        })?;
        for contact in contacts {
            if std::mem::replace(&mut self.began, true) {
                out.push(b',');
            }
            out.extend_from_slice(&contact);
        }
        self.next += AT_ONCE;
        if self.is_over() {
            out.push(b']');
        }
        Ok(())
    }

    /// The next piece, if the token still lives.
    async fn go_on(mut self: Box<Self>) -> Result<(Bytes, Box<Self>), BrokenOff> {
        self.app.still_passes(&self.head).await.map_err(|_| BrokenOff)?;
        let mut piece = Vec::new();
        self.read(&mut piece).await?;
        Ok((piece.into(), self))
    }
}

impl<S: Store, J: Journal> http_body::Body for ContactStream<S, J> {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let stream = self.get_mut();
        let (piece, reading) = match std::mem::replace(stream, ContactStream::Over) {
            ContactStream::Over => return Poll::Ready(None),
            ContactStream::First(piece, reading) => (piece, reading),
            ContactStream::Waiting(mut waiting) => match waiting.as_mut().poll(cx) {
                Poll::Pending => {
                    *stream = ContactStream::Waiting(waiting);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(next)) => next,
                Poll::Ready(Err(broken)) => return Poll::Ready(Some(Err(broken))),
            },
        };
        if !reading.is_over() {
            *stream = ContactStream::Waiting(Box::pin(reading.go_on()));
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, ContactStream::Over)
    }
}
