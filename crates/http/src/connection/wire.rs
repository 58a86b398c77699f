//! The byte stream below hyper.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;
use super::refusal::Refusal;
use crate::limits::Limits;

/// RFC 9113 section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes that are thrown away after our side is closed, before the connection is dropped.
const LINGER_BYTES: usize = 4 * 1024 * 1024;

pub(super) struct Wire<Io> {
    io: Io,
    activity: Arc<Activity>,
    limits: Limits,
    protocol: Protocol,
    /// An answer of ours in place of hyper's, and how much of it is written.
    refusal: Option<(Vec<u8>, usize)>,
    refused: bool,
    read_ended: bool,
    write_ended: bool,
    thrown_away: usize,
}

/// Which protocol the bytes so far speak.
enum Protocol {
    /// So many bytes of HTTP/2's preface and none other.
    Undecided(usize),
    Http1,
    Http2,
}

impl<Io> Wire<Io> {
    pub(super) fn new(io: Io, activity: Arc<Activity>, limits: Limits) -> Self {
        Self {
            io,
            activity,
            limits,
            protocol: Protocol::Undecided(0),
            refusal: None,
            refused: false,
            read_ended: false,
            write_ended: false,
            thrown_away: 0,
        }
    }

    fn bytes_came(&mut self, bytes: &[u8]) {
        if let Protocol::Undecided(matched) = self.protocol {
            let expected = &PREFACE[matched..];
            let compared = expected.len().min(bytes.len());
            self.protocol = if bytes[..compared] != expected[..compared] {
                Protocol::Http1
            } else if compared == expected.len() {
                self.activity.http2_begun();
                Protocol::Http2
            } else {
                Protocol::Undecided(matched + compared)
            };
        }
        if !matches!(self.protocol, Protocol::Http2) {
            self.activity.bytes_came(bytes);
        }
    }

    fn note_write<T>(&self, written: &Poll<io::Result<T>>) {
        match written {
            Poll::Ready(_) => self.activity.write_moved(),
            Poll::Pending => self.activity.write_found_no_room(),
        }
    }

    /// Whether `written` is hyper's own bodiless answer; then ours is to be written instead.
    fn refuse(&mut self, written: &[u8]) -> bool {
        let Some((refusal, date)) = Refusal::of_hyper(written) else { return false };
        let refusal = match refusal {
            // hyper has one word for a head that does not fit; without a line end it is the target.
            Refusal::HeadersTooLarge if !self.activity.line_has_ended() => Refusal::TargetTooLong,
            other => other,
        };
        self.refusal = Some((refusal.to_wire(date, &self.limits), 0));
        self.refused = true;
        true
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Wire<Io> {
    fn poll_refusal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((bytes, done)) = &mut self.refusal {
            let written = Pin::new(&mut self.io).poll_write(cx, &bytes[*done..]);
            if let Poll::Ready(Ok(count)) = written {
                *done += count;
                if *done == bytes.len() {
                    self.refusal = None;
                }
            }
            self.note_write(&written);
            if ready!(written)? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads and forgets until the peer stops, if it was sending when we closed.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = [0; 4096];
        while !self.read_ended && self.thrown_away < LINGER_BYTES {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.io).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.thrown_away += buffer.filled().len();
                }
                Poll::Ready(_) => self.read_ended = true,
                Poll::Pending if self.refused || self.thrown_away > 0 => {
                    self.activity.lingers();
                    return Poll::Pending;
                }
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Wire<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.activity.read_must_fail() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let came = &buf.filled()[before..];
        if came.is_empty() {
            self.read_ended = true;
        } else {
            self.bytes_came(came);
        }
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_refusal(cx))?;
        if self.refuse(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.note_write(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_refusal(cx))?;
        if let [only] = bufs
            && self.refuse(only)
        {
            return Poll::Ready(Ok(only.len()));
        }
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.note_write(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(cx))?;
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.note_write(&flushed);
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(cx))?;
        if !self.write_ended {
            let ended = Pin::new(&mut self.io).poll_shutdown(cx);
            self.note_write(&ended);
            ready!(ended)?;
            self.write_ended = true;
        }
        self.poll_linger(cx)
    }
}
