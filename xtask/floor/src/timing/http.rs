//! A demo server over HTTP, on one kept connection.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use procura_testkit::app::basic;
use serde::Deserialize;

use super::Subject;
use crate::Failure;

/// Of a whole answer, its wait for the disk included.
const BOUND: f64 = 0.04;

/// What a demo announces.
#[derive(Deserialize)]
struct Demo {
    base_url: String,
    application_id: String,
    application_secret: String,
    refused_contacts: Vec<Contact>,
}

#[derive(Deserialize)]
struct Contact {
    contact_id: String,
    why: String,
}

/// The groups of refusals that a demo can give.
pub(super) fn subjects(file: &Path) -> Result<Vec<(&'static str, Refusals)>, Failure> {
    let demo: Demo = serde_json::from_slice(&fs::read(file)?)?;
    let host = demo.base_url.strip_prefix("http://").ok_or("the demo is not on plain HTTP")?;
    let own = basic(&demo.application_id, &demo.application_secret);
    let rule = demo
        .refused_contacts
        .iter()
        .map(|contact| (contact.why.clone(), request(host, &contact.contact_id, &own)));
    // One character of each is another.
    let unknown = format!("{}0", demo.application_id.get(..demo.application_id.len() - 1).unwrap_or("app_0"));
    let wrong = format!("{}0", demo.application_secret.get(..46).unwrap_or("pcs_"));
    let contact = demo.refused_contacts.first().map_or("CON1", |contact| &contact.contact_id);
    let proof = [
        ("unknown application", basic(&unknown, &demo.application_secret)),
        ("wrong secret", basic(&demo.application_id, &wrong)),
    ]
    .map(|(way, header)| (way.to_owned(), request(host, contact, &header)));
    Ok(vec![
        ("the rule refuses", Refusals::connect(host, "400", rule.collect())?),
        ("no proof of the application", Refusals::connect(host, "401", proof.into())?),
    ])
}

fn request(host: &str, contact: &str, authorization: &str) -> Vec<u8> {
    format!(
        "POST /token/{contact} HTTP/1.1\r\nhost: {host}\r\nauthorization: {authorization}\r\n\
         content-length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// Requests that are refused with one status.
pub(super) struct Refusals {
    stream: TcpStream,
    begins: String,
    ways: Vec<String>,
    requests: Vec<Vec<u8>>,
    answer: Vec<u8>,
}

impl Refusals {
    fn connect(host: &str, status: &str, ways: Vec<(String, Vec<u8>)>) -> Result<Refusals, Failure> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let (ways, requests) = ways.into_iter().unzip();
        let begins = format!("HTTP/1.1 {status} ");
        Ok(Refusals { stream, begins, ways, requests, answer: vec![0; 16 * 1024] })
    }
}

impl Subject for Refusals {
    fn ways(&self) -> &[String] {
        &self.ways
    }

    fn bound(&self) -> f64 {
        BOUND
    }

    fn ask(&mut self, way: usize) -> Result<(), Failure> {
        self.stream.write_all(&self.requests[way])?;
        let mut length = 0;
        loop {
            let read = self.stream.read(&mut self.answer[length..])?;
            length += read;
            if is_whole(&self.answer[..length]) {
                break;
            }
            if read == 0 || length == self.answer.len() {
                return Err("the server ended a connection".into());
            }
        }
        if self.answer.starts_with(self.begins.as_bytes()) {
            return Ok(());
        }
        let line = self.answer[..length].split(|byte| *byte == b'\r').next().unwrap_or_default();
        Err(format!("{} was answered with {}", self.ways[way], String::from_utf8_lossy(line)).into())
    }
}

/// Whether head and body are there; a refusal says how long its body is.
fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|value| value.trim().parse::<usize>().ok()).unwrap_or(0);
    answer.len() >= head + 4 + length
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn an_answer_is_whole_when_its_body_is_there() {
        assert!(!is_whole(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n"));
        assert!(!is_whole(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{"));
        assert!(is_whole(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}"));
    }
}
