//! From a revocation to its refusal: a guard on the network, and an application that ends its tokens.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Uri};
use procura_guard::{Guard, Incoming, Resource, ResourceId, Secret};
use procura_testkit::app::basic;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::clocks::now;

/// Longer than is promised by far.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Deserialize)]
struct Demo {
    base_url: String,
    issuer: String,
    application_id: String,
    application_secret: String,
    resource_id: String,
    resource_secret: String,
    contacts: Vec<Contact>,
}

#[derive(Deserialize)]
struct Contact {
    contact_id: String,
}

/// Milliseconds from the answer to `POST /revoke` to the first refusal of the guard.
#[derive(Serialize)]
pub(crate) struct Figures {
    median_ms: f64,
    longest_ms: f64,
}

/// Ends so many tokens of a demo, one after the other.
pub(crate) fn measure(demo: &Path, times: u32) -> Result<Figures, Failure> {
    let demo: Demo = serde_json::from_slice(&fs::read(demo)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut delays = runtime.block_on(delays(&demo, times.max(1)))?;
    delays.sort_by(f64::total_cmp);
    Ok(Figures {
        median_ms: delays.get(delays.len() / 2).copied().unwrap_or_default(),
        longest_ms: delays.last().copied().unwrap_or_default(),
    })
}

async fn delays(demo: &Demo, times: u32) -> Result<Vec<f64>, Failure> {
    let secret = Secret::from(demo.resource_secret.clone());
    let guard = Guard::connect(Resource::new(&demo.issuer, ResourceId::parse(&demo.resource_id)?, &secret)?);
    guard.ready().await;
    let uri = Uri::from_static("/quotes");
    let mut delays = Vec::new();
    for turn in 0..times {
        let contact = &demo.contacts[turn as usize % demo.contacts.len()].contact_id;
        let answer: serde_json::Value = serde_json::from_str(&post(demo, &format!("/token/{contact}"), "")?)?;
        let token = answer["access_token"].as_str().ok_or("no token came")?;
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}"))?);
        let incoming = Incoming::new("GET", &uri, &headers);
        guard.check_token(&incoming).await.map_err(|refusal| format!("at once: {refusal:?}"))?;
        post(demo, "/revoke", &format!("token={token}"))?;
        let begin = now();
        while guard.check_token(&incoming).await.is_ok() {
            if now().duration_since(begin) > PATIENCE {
                return Err("a revoked token is still taken".into());
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        delays.push(now().duration_since(begin).as_secs_f64() * 1e3);
    }
    Ok(delays)
}

/// The body of an answer of 200.
fn post(demo: &Demo, path: &str, form: &str) -> Result<String, Failure> {
    let host = demo.base_url.strip_prefix("http://").ok_or("the demo is not on plain HTTP")?;
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let authorization = basic(&demo.application_id, &demo.application_secret);
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: {authorization}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{form}",
        form.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no whole answer came")?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(format!("{path}: {}", head.lines().next().unwrap_or_default()).into());
    }
    Ok(body.to_owned())
}
