//! What one caller may take of the server.

use std::time::Duration;

/// The bounds of one connection and of all of them together.
///
/// The defaults are the published ones; the operator's configuration may set others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the request line and the header fields together. Below 8 KiB counts as 8 KiB until the
    /// head is complete, because the parser's buffer is not smaller.
    pub header_bytes: usize,
    /// Header fields of one request. Another number than 100 costs the parser an allocation a request.
    pub header_count: usize,
    /// From the first byte of a request to the end of its head.
    pub header_time: Duration,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// From the end of a request's head to the end of its body.
    pub body_time: Duration,
    /// Open connections; beyond it the kernel's queue waits.
    pub connections: usize,
    /// A connection without a byte of a request (HTTP/1.1) or without a stream (HTTP/2).
    pub idle: Duration,
    /// From the signal to stop until what still runs is cut.
    pub drain: Duration,
    /// Streams of one HTTP/2 connection at a time.
    pub streams: u32,
    /// A response of which the caller takes no byte. On HTTP/2 what is left of a response once its last
    /// 16 KiB were taken over by the protocol's buffers falls under `idle`.
    pub write_stalled: Duration,
    /// TLS handshakes under way at a time; beyond it callers wait, which counts as part of their handshake.
    pub handshakes: usize,
    /// From a connection's begin to the end of its TLS handshake.
    pub handshake_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes: 16 * 1024,
            header_count: 100,
            header_time: Duration::from_secs(10),
            body_bytes: 64 * 1024,
            body_time: Duration::from_secs(10),
            connections: 10_000,
            idle: Duration::from_secs(75),
            drain: Duration::from_secs(30),
            streams: 64,
            write_stalled: Duration::from_secs(10),
            handshakes: 4_000,
            handshake_time: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// The shortest of the times that begin while a connection is open: looking at it this often is
    /// often enough to meet every one of them to the moment.
    pub(crate) fn shortest_time(&self) -> Duration {
        self.header_time.min(self.body_time).min(self.idle).min(self.write_stalled)
    }
}
