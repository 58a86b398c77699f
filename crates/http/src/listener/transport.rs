//! What carries a connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

/// The byte stream of a connection, once it carries HTTP.
#[derive(Debug)]
pub enum Transport {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS over TCP, after the handshake.
    Tls(Tls),
    /// A Unix socket.
    Unix(UnixStream),
}

/// A connection with TLS.
#[derive(Debug)]
pub struct Tls {
    /// Boxed: its state is larger than all else of a connection.
    stream: Box<TlsStream<TcpStream>>,
    /// Nothing has been written to it.
    is_silent: bool,
}

impl Tls {
    pub(super) fn new(stream: TlsStream<TcpStream>) -> Tls {
        Tls { stream: Box::new(stream), is_silent: true }
    }
}

impl Drop for Tls {
    /// A connection that never carried an answer is let go of without a close of its stream. The caller is
    /// told nevertheless that this is the end and no attack (RFC 8446 6.1). After an answer the end is told
    /// by the close alone: a cut must look like one.
    fn drop(&mut self) {
        if !self.is_silent {
            return;
        }
        let (stream, session) = self.stream.get_mut();
        session.send_close_notify();
        let mut bytes = Vec::new();
        if session.write_tls(&mut bytes).is_ok() {
            // Best effort: whoever does not take it has gone.
            let _ = stream.try_write(&bytes);
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<Io: AsyncRead + AsyncWrite + Unpin> Stream for Io {}

impl Transport {
    fn stream(self: Pin<&mut Self>) -> Pin<&mut dyn Stream> {
        match self.get_mut() {
            Transport::Tcp(stream) => Pin::new(stream),
            Transport::Tls(tls) => Pin::new(&mut tls.stream),
            Transport::Unix(stream) => Pin::new(stream),
        }
    }
}

impl Transport {
    fn spoke(self: Pin<&mut Self>) {
        if let Transport::Tls(tls) = self.get_mut() {
            tls.is_silent = false;
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buf)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.as_mut().spoke();
        self.stream().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.as_mut().spoke();
        self.stream().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Transport::Tcp(stream) => stream.is_write_vectored(),
            Transport::Tls(tls) => tls.stream.is_write_vectored(),
            Transport::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.as_mut().spoke();
        self.stream().poll_shutdown(cx)
    }
}
