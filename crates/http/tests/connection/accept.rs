//! The accept loop, on a source of connections that a test controls.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use procura_http::connection::Drain;
use procura_http::limits::Limits;
use procura_http::listener::{self, Accept, Plain};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::{response, seconds, service};

struct Queue(mpsc::UnboundedReceiver<io::Result<DuplexStream>>);

impl Accept for Queue {
    type Incoming = Plain<DuplexStream>;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Plain<DuplexStream>>> {
        match self.0.poll_recv(cx) {
            Poll::Ready(Some(accepted)) => Poll::Ready(accepted.map(Plain)),
            _ => Poll::Pending,
        }
    }
}

struct Server {
    queue: mpsc::UnboundedSender<io::Result<DuplexStream>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<usize>,
    start: Instant,
}

impl Server {
    fn start(limits: Limits) -> Self {
        let (queue, source) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(listener::serve(Queue(source), service(), limits, Drain::new(), async {
            let _ = stopped.await;
        }));
        Self { queue, stop, task, start: super::now() }
    }

    fn connect(&self) -> DuplexStream {
        let (ours, theirs) = duplex(64 * 1024);
        self.queue.send(Ok(theirs)).unwrap();
        ours
    }

    async fn stop(self) -> (usize, Duration) {
        let stopped = super::now();
        self.stop.send(()).unwrap();
        (self.task.await.unwrap(), super::now() - stopped)
    }
}

async fn send(io: &mut DuplexStream, path: &str) {
    io.write_all(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn with_all_connections_in_use_the_next_waits_until_one_ends() {
    let server = Server::start(Limits { connections: 2, ..Limits::default() });
    let (mut first, mut second, mut third) = (server.connect(), server.connect(), server.connect());
    for io in [&mut first, &mut second, &mut third] {
        send(io, "/").await;
    }
    assert_eq!(response(&mut first).await.unwrap().status, 200);
    assert_eq!(response(&mut second).await.unwrap().status, 200);
    let waiting = tokio::time::timeout(seconds(30), response(&mut third)).await;
    assert!(waiting.is_err(), "a third connection was accepted");
    drop(first);
    assert_eq!(response(&mut third).await.unwrap().status, 200);
    drop((second, third));
    assert_eq!(server.stop().await.0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_system_out_of_descriptors_is_asked_again_and_again_but_not_at_once() {
    const EMFILE: i32 = 24;
    let server = Server::start(Limits::default());
    for _ in 0..10 {
        server.queue.send(Err(io::Error::from_raw_os_error(EMFILE))).unwrap();
    }
    let mut io = server.connect();
    send(&mut io, "/").await;
    assert_eq!(response(&mut io).await.unwrap().status, 200);
    // 10 ms, doubled seven times to more than a second, then a second each.
    assert_eq!(super::now() - server.start, Duration::from_millis(10 * 127 + 3 * 1000));
    drop(io);
    assert_eq!(server.stop().await.0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_died_in_the_queue_delays_no_other() {
    let server = Server::start(Limits::default());
    server.queue.send(Err(io::ErrorKind::ConnectionAborted.into())).unwrap();
    let mut io = server.connect();
    send(&mut io, "/").await;
    assert_eq!(response(&mut io).await.unwrap().status, 200);
    assert_eq!(super::now(), server.start);
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_what_was_accepted_and_cuts_nothing_of_it() {
    let server = Server::start(Limits::default());
    let (mut idle, mut slow) = (server.connect(), server.connect());
    send(&mut idle, "/").await;
    send(&mut slow, "/slow").await;
    assert_eq!(response(&mut idle).await.unwrap().status, 200);
    let (stopped, answer) = tokio::join!(server.stop(), response(&mut slow));
    assert!(answer.unwrap().closes());
    assert_eq!(stopped, (0, seconds(20)));
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn connections_that_wait_to_be_accepted_at_the_end_are_served() {
    let server = Server::start(Limits::default());
    sleep(seconds(1)).await;
    let mut waiting = server.connect();
    send(&mut waiting, "/").await;
    let (stopped, answer) = tokio::join!(server.stop(), response(&mut waiting));
    assert_eq!(answer.unwrap().status, 200);
    assert_eq!(stopped, (0, seconds(0)));
}

#[tokio::test(start_paused = true)]
async fn what_has_not_ended_30_seconds_after_the_signal_is_cut_and_counted() {
    let server = Server::start(Limits::default());
    let (mut one, mut two, mut three) = (server.connect(), server.connect(), server.connect());
    send(&mut one, "/never").await;
    send(&mut two, "/never").await;
    send(&mut three, "/slow").await;
    sleep(seconds(1)).await;
    assert_eq!(server.stop().await, (2, seconds(30)));
    assert_eq!(response(&mut three).await.unwrap().status, 200);
    assert_eq!(one.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_route_that_panics_ends_its_connection_and_no_other() {
    let server = Server::start(Limits::default());
    let (mut one, mut two) = (server.connect(), server.connect());
    send(&mut one, "/panic").await;
    assert!(response(&mut one).await.is_none());
    send(&mut two, "/").await;
    assert_eq!(response(&mut two).await.unwrap().status, 200);
    drop(two);
    assert_eq!(server.stop().await.0, 0);
}
