//! The connection layer against callers that do their worst, on a paused clock: a test that waits 75
//! seconds takes none, and the moment of each cut is exact. What parsing does is tried on real sockets.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on fails")]

mod accept;
mod bad_input;
mod drain;
mod http2;
mod limits;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::any;
use procura_http::connection::{self, BodyError, Drain, Ended, Peer, read_body};
use procura_http::limits::Limits;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Of `/big`.
const BIG: usize = 1024 * 1024;

/// A service with one path for each thing a route may do to a connection.
fn service() -> Router {
    Router::new()
        .route("/", any(|| async { "hello" }))
        .route("/body", any(|request: Request<Body>| async { echo(request).await }))
        .route("/peer", any(|request: Request<Body>| async move { peer(&request) }))
        .route("/unread", any(|| async { "did not look" }))
        .route("/big", any(|| async { vec![b'x'; BIG] }))
        .route("/slow", any(|| async { tokio::time::sleep(Duration::from_secs(20)).await }))
        .route("/panic", any(|| async { panic!("a defect of a route") as () }))
        .route("/never", any(std::future::pending::<()>))
}

/// Where the request came from, as a service is told.
fn peer(request: &Request<Body>) -> String {
    request.extensions().get::<Peer>().map_or("nowhere".to_owned(), |peer| peer.0.to_string())
}

async fn echo(request: Request<Body>) -> (StatusCode, Vec<u8>) {
    match read_body(request.into_body(), &Limits::default()).await {
        Ok(bytes) => (StatusCode::OK, bytes.to_vec()),
        Err(BodyError::TooLarge) => (StatusCode::PAYLOAD_TOO_LARGE, b"too large".to_vec()),
        Err(BodyError::TooSlow) => (StatusCode::REQUEST_TIMEOUT, b"too slow".to_vec()),
        Err(BodyError::Broken) => (StatusCode::BAD_REQUEST, b"broken".to_vec()),
    }
}

#[expect(clippy::disallowed_methods, reason = "the paused clock of the test's own runtime")]
fn now() -> Instant {
    Instant::now()
}

/// A caller on one end of a pipe, and the connection on the other.
struct Caller {
    io: DuplexStream,
    connection: JoinHandle<Ended>,
    drain: Drain,
    start: Instant,
}

impl Caller {
    fn connect() -> Self {
        Self::connect_through(64 * 1024)
    }

    /// Through a pipe that holds so many bytes each way.
    fn connect_through(bytes: usize) -> Self {
        let (io, theirs) = duplex(bytes);
        let drain = Drain::new();
        let connection = tokio::spawn(connection::serve(theirs, service(), Limits::default(), drain.clone()));
        Self { io, connection, drain, start: now() }
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.io.write_all(bytes.as_ref()).await.expect("the connection takes bytes");
    }

    async fn get(&mut self, path: &str) -> Response {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        self.response().await
    }

    async fn response(&mut self) -> Response {
        response(&mut self.io).await.expect("a response")
    }

    /// How the connection ended, and how long after its start.
    async fn ended(self) -> (Ended, Duration) {
        let Self { io, connection, start, .. } = self;
        let ended = connection.await.expect("the connection does not panic");
        drop(io);
        (ended, now() - start)
    }
}

#[derive(Debug)]
struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn closes(&self) -> bool {
        self.head.contains("\r\nconnection: close\r\n")
    }

    /// The contract's shape: JSON with two members, not to be stored.
    fn assert_refuses(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.head.contains("\r\ncontent-type: application/json\r\n"), "{self:?}");
        assert!(self.head.contains("\r\ncache-control: no-store\r\n"), "{self:?}");
        let body: serde_json::Value = serde_json::from_slice(&self.body).expect("JSON");
        assert_eq!(body["error"], "invalid_request");
        assert!(body["error_description"].as_str().is_some_and(|text| text.len() > 20));
    }
}

/// The next response, framed by its length; `None` when the connection ends before a whole one.
async fn response(io: &mut (impl AsyncRead + Unpin)) -> Option<Response> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.split("content-length: ").nth(1)?.split('\r').next()?.parse().ok()?;
    let mut body = vec![0; length];
    io.read_exact(&mut body).await.ok()?;
    Some(Response { status, head, body })
}

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
