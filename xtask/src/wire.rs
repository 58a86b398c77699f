//! A partner's program in as few lines as it takes: one kept connection, one question at a time.
//!
//! Not the SDK: what is measured and killed here must not be retried by anybody.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// Longer than any answer may take, shorter than anybody waits.
const PATIENCE: Duration = Duration::from_secs(15);

/// A kept connection of one application.
pub(crate) struct Caller {
    stream: TcpStream,
    head: String,
    buffer: Vec<u8>,
}

/// The value of an `Authorization` header. Our ids and secrets need no escapes.
pub(crate) fn basic(application: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{application}:{secret}")))
}

impl Caller {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr, application: &str, secret: &str) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let authorization = basic(application, secret);
        let head = format!("host: {address}\r\nauthorization: {authorization}\r\ncontent-length: 0\r\n\r\n");
        Ok(Self { stream, head, buffer: Vec::with_capacity(8192) })
    }

    /// Asks for a contact token. An error means that no whole answer came.
    pub(crate) fn token(&mut self, contact: &str) -> io::Result<Answer> {
        self.stream.write_all(format!("POST /token/{contact} HTTP/1.1\r\n{}", self.head).as_bytes())?;
        self.buffer.clear();
        loop {
            let mut part = [0; 8192];
            let read = self.stream.read(&mut part)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.buffer.extend_from_slice(&part[..read]);
            if let Some(answer) = Answer::read(&self.buffer) {
                return Ok(answer);
            }
        }
    }
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// `None` until head and body are there.
    fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length = length.and_then(|value| value.trim().parse::<usize>().ok()).unwrap_or(0);
        let body = bytes.get(end + 4..end + 4 + length)?.to_vec();
        Some(Self { status, body })
    }

    /// The access token in it.
    pub(crate) fn access_token(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        body["access_token"].as_str().map(str::to_owned)
    }

    /// The claims of the ID token in it, unverified.
    pub(crate) fn id_token(&self) -> Option<Value> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let payload = body["id_token"].as_str()?.split('.').nth(1)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_it_is_whole_and_its_token_can_be_looked_into() {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"jti":"abc"}"#));
        let body = format!(r#"{{"id_token":"{token}"}}"#);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        assert!(Answer::read(&answer.as_bytes()[..answer.len() - 1]).is_none());
        let answer = Answer::read(answer.as_bytes()).unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.id_token().unwrap()["jti"], "abc");
    }
}
