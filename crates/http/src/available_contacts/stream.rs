//! The list as a body that is written piece by piece, as fast as the caller reads.

use std::convert::Infallible;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use procura_engine::available_contacts::AvailableContacts;

use super::slots::Slot;

/// Bytes of a piece, about.
const PIECE: usize = 16 * 1024;

/// `{"data": [...]}` over a range of the contacts. The slot is given back with the last piece, or when
/// the caller goes away.
pub(super) struct ContactIds {
    contacts: AvailableContacts,
    range: Range<usize>,
    next: Next,
    _slot: Slot,
}

enum Next {
    Beginning,
    Middle(usize),
    Nothing,
}

impl ContactIds {
    pub(super) fn new(contacts: AvailableContacts, range: Range<usize>, slot: Slot) -> ContactIds {
        ContactIds { contacts, range, next: Next::Beginning, _slot: slot }
    }

    /// The next piece. Ids need no escaping: their alphabet holds nothing that JSON would escape.
    fn piece(&mut self) -> Option<Bytes> {
        let mut out = Vec::with_capacity(PIECE + 128);
        let from = match self.next {
            Next::Beginning => {
                out.extend_from_slice(b"{\"data\":[");
                self.range.start
            }
            Next::Middle(at) => at,
            Next::Nothing => return None,
        };
        let rest = self.range.end.saturating_sub(from);
        for (at, id) in (from..).zip(self.contacts.ids(from).take(rest)) {
            if out.len() >= PIECE {
                self.next = Next::Middle(at);
                return Some(out.into());
            }
            if at > self.range.start {
                out.push(b',');
            }
            out.push(b'"');
            out.extend_from_slice(id.as_str().as_bytes());
            out.push(b'"');
        }
        out.extend_from_slice(b"]}");
        self.next = Next::Nothing;
        Some(out.into())
    }
}

impl Body for ContactIds {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.get_mut().piece().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.next, Next::Nothing)
    }
}
