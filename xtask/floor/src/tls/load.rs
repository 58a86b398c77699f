//! The generator: one thread, so many connections, one request after the other on each.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsConnector;

use super::plan::Plan;
use crate::Failure;
use crate::clocks::now;

/// Whom to ask, and how.
pub(crate) struct Target {
    /// The server.
    pub(crate) address: SocketAddr,
    /// The folder of [`super::write`], for TLS; without it plain HTTP.
    pub(crate) files: Option<PathBuf>,
    /// Whether to show the partner's certificate.
    pub(crate) certificate: bool,
    /// The address to come from.
    pub(crate) from: Option<IpAddr>,
    /// Whether each request has a connection of its own, with a whole handshake.
    pub(crate) each_new: bool,
}

/// How much of it.
pub(crate) struct Pace {
    /// Connections at a time.
    pub(crate) connections: usize,
    /// How long.
    pub(crate) seconds: f64,
    /// Requests a second; without it as fast as answers come.
    pub(crate) per_s: Option<f64>,
}

/// What came of it. Times of a paced run count from when a request was due.
#[derive(Serialize)]
pub(crate) struct Came {
    /// Whole answers.
    answers: u64,
    /// How many of each status.
    statuses: BTreeMap<u16, u64>,
    /// Requests without a whole answer.
    broken: u64,
    per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// The CA of a file.
pub(super) fn roots(file: &Path) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file)? {
        roots.add(certificate?)?;
    }
    Ok(roots)
}

/// Sends the requests of a plan in turn.
pub(crate) fn run(target: Target, plan: &Path, pace: &Pace) -> Result<Came, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let connector = target.files.as_deref().map(|files| connector(files, target.certificate)).transpose()?;
    let begin = Instant::from_std(now());
    let shared = Rc::new(Shared {
        host: format!("localhost:{}", target.address.port()),
        target,
        connector,
        plan: Plan::read(plan)?,
        begin,
        end: begin + Duration::from_secs_f64(pace.seconds),
        per_s: pace.per_s,
        due: Cell::new(0),
        came: RefCell::default(),
    });
    let tasks = LocalSet::new();
    for _ in 0..pace.connections {
        let shared = Rc::clone(&shared);
        tasks.spawn_local(async move { shared.one_connection().await });
    }
    runtime.block_on(tasks);
    let took = begin.elapsed().as_secs_f64();
    let mut told = shared.came.take();
    told.micros.sort_unstable();
    let at = |share: f64| {
        let index = (told.micros.len() as f64 * share) as usize;
        told.micros
            .get(index.min(told.micros.len().saturating_sub(1)))
            .map_or(0.0, |micros| f64::from(*micros) / 1e3)
    };
    let answers = told.micros.len() as u64;
    Ok(Came {
        answers,
        per_s: answers as f64 / took,
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        statuses: told.statuses,
        broken: told.broken,
    })
}

fn connector(files: &Path, certificate: bool) -> Result<TlsConnector, Failure> {
    let builder = ClientConfig::builder().with_root_certificates(roots(&files.join("ca.pem"))?);
    let mut config = if certificate {
        let chain =
            CertificateDer::pem_file_iter(files.join("client.pem"))?.collect::<Result<Vec<_>, _>>()?;
        builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(files.join("client.key"))?)?
    } else {
        builder.with_no_client_auth()
    };
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

struct Shared {
    host: String,
    target: Target,
    connector: Option<TlsConnector>,
    plan: Plan,
    begin: Instant,
    end: Instant,
    per_s: Option<f64>,
    due: Cell<u64>,
    came: RefCell<Told>,
}

#[derive(Default)]
struct Told {
    micros: Vec<u32>,
    statuses: BTreeMap<u16, u64>,
    broken: u64,
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

impl Shared {
    async fn one_connection(&self) {
        let mut kept: Option<Box<dyn Stream>> = None;
        while let Some(due) = self.wait().await {
            let asked = async {
                let mut stream = match kept.take() {
                    Some(stream) => stream,
                    None => self.connect().await?,
                };
                let request = self.plan.next(&self.host)?;
                let (status, stays) = ask(&mut stream, request.as_bytes()).await?;
                Ok::<_, Failure>((status, (stays && !self.target.each_new).then_some(stream)))
            };
            match asked.await {
                Ok((status, stream)) => {
                    kept = stream;
                    let mut came = self.came.borrow_mut();
                    *came.statuses.entry(status).or_default() += 1;
                    came.micros.push(u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                Err(_) => self.came.borrow_mut().broken += 1,
            }
        }
    }

    /// When the next request is due; nothing once the time is over.
    async fn wait(&self) -> Option<Instant> {
        let now = Instant::from_std(now());
        let due = match self.per_s {
            None => now,
            Some(per_s) => {
                let number = self.due.replace(self.due.get() + 1);
                self.begin + Duration::from_secs_f64(number as f64 / per_s)
            }
        };
        if due >= self.end || now >= self.end {
            return None;
        }
        if due > now {
            sleep_until(due).await;
        }
        Some(due)
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Failure> {
        let stream = match self.target.from {
            Some(from) => {
                let socket = TcpSocket::new_v4()?;
                socket.bind(SocketAddr::new(from, 0))?;
                socket.connect(self.target.address).await?
            }
            None => TcpStream::connect(self.target.address).await?,
        };
        stream.set_nodelay(true)?;
        match &self.connector {
            None => Ok(Box::new(stream)),
            Some(connector) => {
                Ok(Box::new(connector.connect(ServerName::try_from("localhost")?, stream).await?))
            }
        }
    }
}

/// Sends one request and reads its answer: the status, and whether the connection stays.
async fn ask(stream: &mut Box<dyn Stream>, request: &[u8]) -> Result<(u16, bool), Failure> {
    stream.write_all(request).await?;
    stream.flush().await?;
    let mut bytes = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err("the connection ended".into());
        }
        if let Some(whole) = whole(&bytes) {
            return Ok(whole);
        }
    }
}

fn whole(bytes: &[u8]) -> Option<(u16, bool)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let (mut length, mut stays) = (0, true);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        } else if name.eq_ignore_ascii_case("connection") {
            stays = !value.trim().eq_ignore_ascii_case("close");
        }
    }
    (bytes.len() >= end + 4 + length).then_some((status, stays))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is_there() {
        let answer = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab";
        assert_eq!(whole(&answer[..answer.len() - 1]), None);
        assert_eq!(whole(answer), Some((429, false)));
        assert_eq!(whole(b"HTTP/1.1 200 OK\r\n\r\n"), Some((200, true)));
    }
}
