//! What is not HTTP, on real sockets, because how a connection ends there decides whether the caller
//! ever reads the answer.

use procura_http::connection::Drain;
use procura_http::limits::Limits;
use procura_http::listener;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Response, response, service};

struct Server {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<usize>,
}

impl Server {
    async fn start() -> Self {
        let listener = listener::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(listener.serve(service(), Limits::default(), Drain::new(), async {
            let _ = stopped.await;
        }));
        Self { address, stop, task }
    }

    /// The answers to `bytes`, up to the end of the connection (our sending half stays open).
    async fn answers(&self, bytes: &[u8]) -> Vec<Response> {
        let socket = TcpStream::connect(self.address).await.unwrap();
        let (mut read, mut write) = socket.into_split();
        let bytes = bytes.to_vec();
        // The server may stop reading; then this ends when the socket closes.
        let sending = tokio::spawn(async move {
            let _ = write.write_all(&bytes).await;
            write
        });
        let mut answers = Vec::new();
        while let Some(answer) = response(&mut read).await {
            let last = answer.closes();
            answers.push(answer);
            if last {
                break;
            }
        }
        let mut rest = Vec::new();
        assert_eq!(read.read_to_end(&mut rest).await.expect("an end in good order"), 0);
        drop(read);
        sending.await.unwrap();
        answers
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        assert_eq!(self.task.await.unwrap(), 0);
    }
}

fn post(fields: &str, body: &str) -> Vec<u8> {
    format!("POST /body HTTP/1.1\r\nhost: a\r\n{fields}\r\n{body}").into_bytes()
}

#[tokio::test]
async fn what_is_not_http_is_refused_in_the_contracts_shape() {
    let server = Server::start().await;
    let line = |target: &str| format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n").into_bytes();
    let field = |field: &str| format!("GET / HTTP/1.1\r\nhost: a\r\n{field}\r\n\r\n").into_bytes();
    let cases: Vec<(&str, u16, Vec<u8>)> = vec![
        ("a header of 1 MB", 431, field(&format!("x: {}", "v".repeat(1_000_000)))),
        ("100,000 small fields", 431, field(&"x: y\r\n".repeat(100_000))),
        ("a request line of 1 MB", 414, line(&format!("/{}", "a".repeat(1_000_000)))),
        ("a method of 1 MB", 414, vec![b'A'; 1_000_000]),
        ("a NUL in the target", 400, line("/a\0b")),
        ("a NUL in a name", 400, field("x\0y: z")),
        ("a NUL in a value", 400, field("x: y\0z")),
        ("NULs", 400, vec![0; 64]),
        ("garbage", 400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03garbage\r\n\r\n".to_vec()),
        ("a target with a raw space", 400, line("/a b")),
        ("an unknown version", 400, b"GET / HTTP/3.7\r\n\r\n".to_vec()),
        ("no version", 400, b"GET /\r\n\r\n".to_vec()),
        ("a folded field", 400, field("x: y\r\n z")),
        ("a space before the colon", 400, field("x : y")),
        ("a field without a colon", 400, field("xy")),
        ("a bare CR in a value", 400, field("x: y\rz")),
        ("two lengths", 400, post("content-length: 5\r\ncontent-length: 6\r\n", "hello!")),
        ("a list of lengths", 400, post("content-length: 5, 6\r\n", "hello!")),
        ("a negative length", 400, post("content-length: -5\r\n", "hello")),
        ("a signed length", 400, post("content-length: +5\r\n", "hello")),
        ("an endless length", 400, post("content-length: 99999999999999999999999\r\n", "hello")),
        ("an encoding that is not chunked", 400, post("transfer-encoding: gzip\r\n", "hello")),
        ("chunked, but not last", 400, post("transfer-encoding: chunked, gzip\r\n", "0\r\n\r\n")),
        (
            "an encoding on HTTP/1.0",
            400,
            b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(),
        ),
    ];
    for (name, status, bytes) in cases {
        let answers = server.answers(&bytes).await;
        assert_eq!(answers.len(), 1, "{name}: {answers:?}");
        assert_eq!(answers[0].status, status, "{name}");
        answers[0].assert_refuses(status);
        assert!(answers[0].head.contains("\r\ndate: "), "{name}");
    }
    server.stop().await;
}

#[tokio::test]
async fn garbage_after_a_good_request_is_refused_after_its_answer() {
    let server = Server::start().await;
    let answers = server.answers(b"GET / HTTP/1.1\r\nhost: a\r\n\r\nrubbish\0\r\n\r\n").await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 400]);
    answers[1].assert_refuses(400);
    server.stop().await;
}

#[tokio::test]
async fn chunks_that_are_rubbish_break_the_body() {
    let server = Server::start().await;
    for body in [
        "zz\r\nhello\r\n0\r\n\r\n",
        "-1\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n",
        "\r\n\r\n",
    ] {
        let answers = server.answers(&post("transfer-encoding: chunked\r\n", body)).await;
        assert_eq!(answers.len(), 1, "{body:?}");
        assert_eq!((answers[0].status, answers[0].body.as_slice()), (400, &b"broken"[..]), "{body:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn of_a_length_beside_chunks_the_chunks_count_and_the_connection_ends() {
    let server = Server::start().await;
    for fields in [
        "content-length: 3\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 3\r\n",
    ] {
        let smuggled = "5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n";
        let answers = server.answers(&post(fields, smuggled)).await;
        assert_eq!(answers.len(), 1, "what follows is not read as a request: {answers:?}");
        assert_eq!(answers[0].body, b"hello");
    }
    server.stop().await;
}

#[tokio::test]
async fn lines_that_end_without_a_carriage_return_are_read() {
    let server = Server::start().await;
    let answers = server.answers(b"GET / HTTP/1.1\nhost: a\nconnection: close\n\n").await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200]);
    server.stop().await;
}

#[tokio::test]
async fn a_request_of_http_1_1_names_exactly_one_host() {
    let server = Server::start().await;
    for hosts in ["", "host: a\r\nhost: a\r\n", "host: a\r\nHost: b\r\n"] {
        let request = format!("GET / HTTP/1.1\r\n{hosts}connection: close\r\n\r\n");
        let answers = server.answers(request.as_bytes()).await;
        assert_eq!(answers.len(), 1, "{hosts:?}");
        answers[0].assert_refuses(400);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_request_is_from_where_its_connection_is_whatever_it_says() {
    let server = Server::start().await;
    let request =
        b"GET /peer HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 192.0.2.1\r\nforwarded: for=192.0.2.1\r\n\
                    x-real-ip: 192.0.2.1\r\nconnection: close\r\n\r\n";
    let answers = server.answers(request).await;
    assert_eq!(answers.iter().map(|answer| &*answer.body).collect::<Vec<_>>(), [b"127.0.0.1"]);
    server.stop().await;
}

#[tokio::test]
async fn half_a_request_and_a_close_leave_nothing_behind() {
    let server = Server::start().await;
    for half in
        ["", "G", "GET / HTTP/1.1\r\nhost", "POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf"]
    {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(half.as_bytes()).await.unwrap();
        socket.shutdown().await.unwrap();
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).await.unwrap();
        let answer = String::from_utf8(rest).unwrap();
        assert_eq!(answer.starts_with("HTTP/1.1 400 "), half.starts_with("POST"), "{half:?}: {answer:?}");
    }
    assert_eq!(server.answers(b"GET / HTTP/1.0\r\nconnection: close\r\n\r\n").await.len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_large_body_that_is_refused_does_not_cost_the_caller_its_answer() {
    let server = Server::start().await;
    let body = "x".repeat(1_000_000);
    let answers = server.answers(&post("content-length: 1000000\r\n", &body)).await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [413]);
    server.stop().await;
}

#[tokio::test]
async fn a_caller_that_sends_a_megabyte_before_it_reads_is_heard_out_and_reads_its_answer() {
    let server = Server::start().await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..1_000 {
        socket.write_all(&[b'A'; 1_000]).await.expect("no reset");
    }
    response(&mut socket).await.expect("an answer").assert_refuses(414);
    drop(socket);
    server.stop().await;
}
