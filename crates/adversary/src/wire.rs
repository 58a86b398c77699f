//! HTTP/1.1 as bytes: nothing is normalised on the way out, because what a library would put right is
//! what has to arrive.
//!
//! One connection for each request, TLS by rustls, answers read by httparse.

mod read;
mod tls;

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use thiserror::Error;

pub(crate) use tls::{Identity, Roots};

/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same for bytes that a server may take for the beginning of a request, and wait for its end.
const SHORT: Duration = Duration::from_secs(2);

/// A request as it is sent.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// `None` sends no body and no length.
    pub(crate) body: Option<Vec<u8>>,
    /// The certificate that is shown, if the server asks for one.
    pub(crate) identity: Option<Arc<Identity>>,
}

/// Where a request goes, and what its request line says.
#[derive(Clone)]
pub(crate) struct Url {
    tls: bool,
    host: String,
    port: u16,
    /// Path and query, sent as they are.
    pub(crate) target: Vec<u8>,
}

/// What came back.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Debug, Error)]
pub(crate) enum WireError {
    /// Nobody is there.
    #[error("{url} can't be reached: {why}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// The system's reason.
        why: io::Error,
    },
    /// The connection ended without an answer, or with bytes that are none.
    #[error("the connection ended without an answer: {0}")]
    Cut(String),
}

impl Url {
    /// Reads an absolute URL; the adapter's were looked at when it was read.
    pub(crate) fn parse(text: &str) -> Result<Url, String> {
        let malformed = || format!("`{text}` is no URL that can be asked");
        let (scheme, rest) = text.split_once("://").ok_or_else(malformed)?;
        let tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(malformed()),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let usual = if tls { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| malformed())?),
            _ => (authority, usual),
        };
        if host.is_empty() {
            return Err(malformed());
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Url { tls, host: host.to_owned(), port, target: format!("{slash}{target}").into_bytes() })
    }

    fn authority(&self) -> String {
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }

    /// As a URL again, with the path and the query that are sent.
    pub(crate) fn text(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority(), String::from_utf8_lossy(&self.target))
    }

    fn name(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

/// Sends one request and reads its answer.
pub(crate) fn send(roots: &Roots, request: &Request) -> Result<Response, WireError> {
    let bytes = bytes(request);
    exchange(roots, request, &bytes, PATIENCE)
}

/// Sends bytes where a request would go, and reads an answer.
pub(crate) fn send_bytes(roots: &Roots, request: &Request, bytes: &[u8]) -> Result<Response, WireError> {
    exchange(roots, request, bytes, SHORT)
}

fn exchange(
    roots: &Roots,
    request: &Request,
    bytes: &[u8],
    patience: Duration,
) -> Result<Response, WireError> {
    let url = &request.url;
    let unreachable = |why| WireError::Unreachable { url: url.text(), why };
    let stream = connect(url).map_err(unreachable)?;
    stream.set_read_timeout(Some(patience)).map_err(unreachable)?;
    let head = request.method == "HEAD";
    if !url.tls {
        return converse(stream, bytes, head);
    }
    let name = url.name().to_owned().try_into().map_err(|_| WireError::Cut("no name for TLS".to_owned()))?;
    let config: Arc<ClientConfig> = roots.config(request.identity.as_deref()).map_err(WireError::Cut)?;
    let connection =
        ClientConnection::new(config, name).map_err(|error| WireError::Cut(error.to_string()))?;
    converse(StreamOwned::new(connection, stream), bytes, head)
}

fn connect(url: &Url) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (url.name(), url.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn converse(mut stream: impl Read + Write, bytes: &[u8], head: bool) -> Result<Response, WireError> {
    // A server may answer and end the connection before it has read everything.
    let written = stream.write_all(bytes).and_then(|()| stream.flush());
    match read::response(&mut stream, head) {
        Ok(response) => Ok(response),
        Err(why) => Err(WireError::Cut(written.err().map_or(why, |error| error.to_string()))),
    }
}

/// A request as bytes.
pub(crate) fn bytes(request: &Request) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    bytes.extend_from_slice(request.method.as_bytes());
    bytes.push(b' ');
    bytes.extend_from_slice(&request.url.target);
    bytes.extend_from_slice(b" HTTP/1.1\r\n");
    let has = |name: &str| request.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let mut header = |name: &str, value: &[u8]| {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    };
    if !has("host") {
        header("Host", request.url.authority().as_bytes());
    }
    if !has("connection") {
        header("Connection", b"close");
    }
    for (name, value) in &request.headers {
        header(name, value);
    }
    if let Some(body) = &request.body
        && !has("content-length")
        && !has("transfer-encoding")
    {
        header("Content-Length", body.len().to_string().as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(request.body.as_deref().unwrap_or_default());
    bytes
}

impl Response {
    /// The value of a header, if it is there once or more.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_keeps_its_path_as_it_is() {
        let url = Url::parse("http://127.0.0.1:8080/token/%2e%2e//x?a=b").unwrap();
        assert_eq!(url.target, b"/token/%2e%2e//x?a=b");
        assert_eq!(url.text(), "http://127.0.0.1:8080/token/%2e%2e//x?a=b");
        assert_eq!(Url::parse("https://a.example").unwrap().text(), "https://a.example/");
        assert!(Url::parse("ftp://a").is_err());
        assert!(Url::parse("https:///x").is_err());
    }

    #[test]
    fn what_is_written_is_what_was_asked_for() {
        let request = Request {
            method: "POST".to_owned(),
            url: Url::parse("http://h:1/a").unwrap(),
            headers: vec![("X".to_owned(), b"\xff".to_vec()), ("X".to_owned(), b"2".to_vec())],
            body: Some(b"ab".to_vec()),
            identity: None,
        };
        let expected = b"POST /a HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\nX: \xff\r\nX: 2\r\nContent-Length: 2\r\n\r\nab";
        assert_eq!(bytes(&request), expected);
    }
}
