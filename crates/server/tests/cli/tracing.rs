//! Spans, as a collector gets them.

use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::support::{Folder, Server, procura};

/// A collector: takes spans over HTTP until nobody sends any more, and gives them back.
struct Collector {
    endpoint: String,
    spans: mpsc::Receiver<Span>,
}

impl Collector {
    fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let (sender, spans) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, sender) = (stream.unwrap(), sender.clone());
                thread::spawn(move || while take(&mut stream, &sender).is_some() {});
            }
        });
        Collector { endpoint, spans }
    }
}

/// One request, if one more comes.
fn take(stream: &mut TcpStream, sender: &mpsc::Sender<Span>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    for span in scopes.flat_map(|scope| scope.spans) {
        sender.send(span).ok()?;
    }
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
        .ok()
}

fn start(folder: &Folder, endpoint: &str, one_in: &str) -> Server {
    let mut command = procura();
    command.env("PROCURA_TRACING__OTLP_ENDPOINT", endpoint).env("PROCURA_TRACING__ONE_IN", one_in);
    Server::start(command.args(["serve", "--data", folder.path().to_str().unwrap()]))
}

fn attributes(span: &Span) -> Vec<(String, String)> {
    let mut found: Vec<_> = span
        .attributes
        .iter()
        .map(|attribute| {
            let value = match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
                Some(Value::StringValue(text)) => text.clone(),
                Some(Value::IntValue(number)) => number.to_string(),
                other => panic!("{other:?}"),
            };
            (attribute.key.clone(), value)
        })
        .collect();
    found.sort();
    found
}

#[test]
fn a_collector_gets_a_span_for_each_request_which_names_the_record_and_nobody() {
    let folder = Folder::new();
    folder.done("application add app_one");
    let secret = folder.done("application secret add app_one --json").json();
    let collector = Collector::start();
    let server = start(&folder, &collector.endpoint, "1");
    let pair = STANDARD.encode(format!("app_one:{}", secret["secret"].as_str().unwrap()));
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = format!("authorization: Basic {pair}\r\ntraceparent: {parent}\r\ncontent-length: 0\r\n");
    let refused = server.ask("POST /token/CON1?hunter2", &headers);
    assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
    let refused = server.ask("POST /token/CON1", &headers);
    let reference = refused.lines().find_map(|line| line.strip_prefix("procura-reference: ")).unwrap();
    // Whoever stops sends what waits first.
    assert_eq!(server.stop("TERM").0, Some(0));

    let spans: Vec<Span> = collector.spans.try_iter().collect();
    assert_eq!(spans.len(), 2, "{spans:?}");
    let span = &spans[1];
    assert_eq!(span.name, "POST /token/{contact_id}");
    let expected = [
        ("http.request.method", "POST"),
        ("http.response.status_code", "400"),
        ("http.route", "/token/{contact_id}"),
        ("procura.reference", reference),
    ];
    assert_eq!(attributes(span), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
    // The caller's trace is linked and not gone on with.
    assert_eq!(span.links.len(), 1);
    assert_eq!(span.links[0].trace_id, STANDARD.decode("CvdlGRbNQ92ESOshHIAxnA==").unwrap());
    assert!(span.parent_span_id.is_empty() && span.trace_id != span.links[0].trace_id);
    let all = format!("{spans:?}");
    for never in ["app_one", "CON1", "hunter2", "127.0.0.1", "Basic", pair.as_str()] {
        assert!(!all.contains(never), "{never} in {all}");
    }
}

#[test]
fn only_one_in_so_many_is_traced() {
    let folder = Folder::new();
    let collector = Collector::start();
    let server = start(&folder, &collector.endpoint, "5");
    for _ in 0..10 {
        assert!(server.ask("GET /ping", "").starts_with("HTTP/1.1 200"));
    }
    assert_eq!(server.stop("TERM").0, Some(0));
    assert_eq!(collector.spans.try_iter().count(), 2);
}

#[test]
fn a_collector_that_is_not_there_stops_nobody() {
    let folder = Folder::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/v1/traces", closed.local_addr().unwrap());
    drop(closed);
    let server = start(&folder, &endpoint, "1");
    assert!(server.ask("GET /ping", "").starts_with("HTTP/1.1 200"));
    assert_eq!(server.stop("TERM").0, Some(0));
}
