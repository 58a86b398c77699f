//! The same bounds where one connection carries many requests.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Channel};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use procura_http::connection::{self, Drain, Ended, Phase};
use procura_http::limits::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::{BIG, seconds, service};

struct Caller {
    requests: SendRequest<Body>,
    connection: JoinHandle<Ended>,
    drain: Drain,
    start: Instant,
}

impl Caller {
    async fn connect() -> Self {
        Self::connect_with_window(1024 * 1024 * 2).await
    }

    async fn connect_with_window(window: u32) -> Self {
        let (ours, theirs) = duplex(64 * 1024);
        let drain = Drain::new();
        let connection = tokio::spawn(connection::serve(theirs, service(), Limits::default(), drain.clone()));
        let (requests, driver) = Builder::new(TokioExecutor::new())
            .initial_stream_window_size(window)
            .initial_connection_window_size(window)
            .handshake(TokioIo::new(ours))
            .await
            .unwrap();
        tokio::spawn(driver);
        Self { requests, connection, drain, start: super::now() }
    }

    async fn send(&mut self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        poll_fn(|cx| self.requests.poll_ready(cx)).await?;
        self.requests.send_request(request).await
    }

    async fn get(&mut self, path: &str) -> Response<Incoming> {
        self.send(get(path)).await.unwrap()
    }

    fn elapsed(&self) -> Duration {
        super::now() - self.start
    }
}

fn get(path: &str) -> Request<Body> {
    Request::get(format!("http://a{path}")).body(Body::empty()).unwrap()
}

async fn body(response: Response<Incoming>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test(start_paused = true)]
async fn a_request_with_prior_knowledge_is_answered() {
    let mut caller = Caller::connect().await;
    let response = caller.get("/").await;
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(body(response).await, "hello");
    let request = Request::post("http://a/body").body(Body::from("a body")).unwrap();
    let response = caller.send(request).await.unwrap();
    assert_eq!(body(response).await, "a body");
}

#[tokio::test(start_paused = true)]
async fn a_connection_closes_75_seconds_after_its_last_stream() {
    let mut caller = Caller::connect().await;
    sleep(seconds(70)).await;
    assert_eq!(body(caller.get("/").await).await, "hello");
    sleep(seconds(70)).await;
    assert_eq!(body(caller.get("/").await).await, "hello");
    let (ended, start) = (caller.connection.await.unwrap(), caller.start);
    assert_eq!((ended, super::now() - start), (Ended::Closed, seconds(215)));
}

#[tokio::test(start_paused = true)]
async fn pings_keep_no_connection_open() {
    const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let (mut io, theirs) = duplex(64 * 1024);
    let start = super::now();
    let connection = tokio::spawn(connection::serve(theirs, service(), Limits::default(), Drain::new()));
    io.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let (mut read, mut write) = tokio::io::split(io);
    tokio::spawn(async move { tokio::io::copy(&mut read, &mut tokio::io::sink()).await });
    while write.write_all(PING).await.is_ok() {
        sleep(seconds(1)).await;
    }
    connection.await.unwrap();
    assert!(super::now() - start <= seconds(78));
}

#[tokio::test(start_paused = true)]
async fn a_preface_that_dribbles_is_cut_after_10_seconds() {
    let (mut io, theirs) = duplex(1024);
    let connection = tokio::spawn(connection::serve(theirs, service(), Limits::default(), Drain::new()));
    let start = super::now();
    io.write_all(b"PRI * HTTP/2.0\r\n\r\n").await.unwrap();
    assert_eq!(connection.await.unwrap(), Ended::Cut(Phase::Head));
    assert_eq!(super::now() - start, seconds(10));
    assert_eq!(io.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_preface_in_two_pieces_begins_a_connection_that_may_idle() {
    let (mut io, theirs) = duplex(1024);
    let connection = tokio::spawn(connection::serve(theirs, service(), Limits::default(), Drain::new()));
    io.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    sleep(seconds(9)).await;
    io.write_all(b"\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    sleep(seconds(60)).await;
    assert!(!connection.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_header_beyond_the_limit_is_refused_in_the_contracts_shape_and_the_connection_goes_on() {
    let mut caller = Caller::connect().await;
    let mut large = get("/");
    large.headers_mut().insert("x", "v".repeat(16 * 1024).parse().unwrap());
    let mut many = get("/");
    for _ in 0..101 {
        many.headers_mut().append("x", "y".parse().unwrap());
    }
    for request in [large, many] {
        let response = caller.send(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body: serde_json::Value = serde_json::from_slice(&body(response).await).unwrap();
        assert_eq!(body["error"], "invalid_request");
    }
    assert_eq!(caller.get("/").await.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_answered_after_10_seconds_while_other_streams_go_on() {
    let mut caller = Caller::connect().await;
    let (mut sender, endless) = Channel::<Bytes>::new(4);
    sender.send_data(Bytes::from_static(b"half")).await.unwrap();
    let request = Request::post("http://a/body").body(Body::new(endless)).unwrap();
    let response = caller.send(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(caller.elapsed(), seconds(10));
    assert_eq!(body(caller.get("/").await).await, "hello");
}

#[tokio::test(start_paused = true)]
async fn a_body_beyond_64_kib_is_refused() {
    let mut caller = Caller::connect().await;
    let request = Request::post("http://a/body").body(Body::from(vec![b'x'; 65_537])).unwrap();
    assert_eq!(caller.send(request).await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_window_stays_shut_is_cut_after_10_seconds() {
    let mut caller = Caller::connect_with_window(65_535).await;
    let response = caller.get("/big").await;
    let connection = caller.connection.await.unwrap();
    assert_eq!(connection, Ended::Cut(Phase::Writing));
    assert_eq!(super::now() - caller.start, seconds(10));
    drop(response);
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_window_opens_gets_its_response() {
    let mut caller = Caller::connect_with_window(65_535).await;
    assert_eq!(body(caller.get("/big").await).await.len(), BIG);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_64_streams_run_at_a_time() {
    let mut caller = Caller::connect().await;
    assert_eq!(caller.get("/").await.status(), StatusCode::OK);
    let mut running = Vec::new();
    for _ in 0..65 {
        poll_fn(|cx| caller.requests.poll_ready(cx)).await.unwrap();
        running.push(Box::pin(caller.requests.send_request(get("/slow"))));
    }
    sleep(seconds(21)).await;
    let mut answered = 0;
    for response in &mut running {
        answered += usize::from(poll_fn(|cx| Poll::Ready(response.as_mut().poll(cx).is_ready())).await);
    }
    assert_eq!(answered, 64);
}

#[tokio::test(start_paused = true)]
async fn of_the_largest_heads_eight_are_in_flight_at_a_time_and_the_connection_goes_on() {
    let mut caller = Caller::connect().await;
    assert_eq!(caller.get("/").await.status(), StatusCode::OK);
    let mut answers = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let mut request = get("/slow");
        request.headers_mut().insert("x", "v".repeat(15_000).parse().unwrap());
        poll_fn(|cx| caller.requests.poll_ready(cx)).await.unwrap();
        answers.spawn(caller.requests.send_request(request));
    }
    let statuses: Vec<_> =
        answers.join_all().await.into_iter().map(|answer| answer.unwrap().status()).collect();
    let slow = statuses.iter().filter(|status| **status == StatusCode::OK).count();
    assert_eq!(slow, 8);
    assert!(statuses.iter().all(|status| [200, 431].contains(&status.as_u16())), "{statuses:?}");
    assert_eq!(caller.get("/").await.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn at_the_end_streams_in_flight_are_answered() {
    let mut caller = Caller::connect().await;
    assert_eq!(caller.get("/").await.status(), StatusCode::OK);
    let request = tokio::spawn(caller.requests.send_request(get("/slow")));
    sleep(seconds(1)).await;
    caller.drain.begin();
    assert_eq!(request.await.unwrap().unwrap().status(), StatusCode::OK);
    assert_eq!(caller.connection.await.unwrap(), Ended::Closed);
    assert_eq!(super::now() - caller.start, seconds(20));
}
