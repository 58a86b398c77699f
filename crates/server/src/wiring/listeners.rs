//! Everything that the server listens on.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use procura_http::listener::{self, Listener};
use procura_http::tls::{Callers, Tls};
use serde_json::{Value, json};

use super::certificate_files::{Watched, read_file};
use super::unix_socket::{self, SocketFile};
use crate::config::Config;
use crate::config::listeners::{Listeners as Configured, PairFiles, Proxy};
use crate::exit::Failure;

/// The listeners, bound. Nobody is accepted yet.
pub(super) struct Bindings {
    pub(super) listeners: Vec<Listener>,
    /// Where they are, and why.
    pub(super) doors: Vec<Door>,
    /// Where callers with certificates come, if anywhere.
    pub(super) mutual_tls: Option<String>,
    /// Files to look at while the server runs.
    pub(super) watched: Vec<Watched>,
    /// To be removed at the end.
    pub(super) socket: Option<SocketFile>,
}

/// Where one listener is.
#[derive(Debug, Clone)]
pub(crate) enum Door {
    /// Plain HTTP.
    Plain(SocketAddr),
    /// TLS that asks for no certificate.
    Tls(SocketAddr),
    /// TLS that asks every caller for one.
    MutualTls(SocketAddr),
    /// A proxy's, with TLS.
    Proxy(SocketAddr),
    /// A proxy's Unix socket.
    ProxySocket(PathBuf),
}

impl Bindings {
    /// Binds all that is configured.
    pub(super) async fn open(config: &Config) -> Result<Bindings, Failure> {
        let mut bindings = Bindings {
            listeners: Vec::new(),
            doors: Vec::new(),
            mutual_tls: None,
            watched: Vec::new(),
            socket: None,
        };
        let Configured { plain, tls, mutual_tls, proxy } = &config.listeners;
        // The best first: it gives the server its name if none is configured.
        if let Some(tls) = tls {
            bindings.bind_tls(tls.listen, (&tls.pair, Callers::NotAsked), Door::Tls).await?;
        }
        if let Some(tls) = mutual_tls {
            let address = bindings.bind_tls(tls.listen, (&tls.pair, Callers::Asked), Door::MutualTls).await?;
            let base_url = tls.base_url.clone();
            bindings.mutual_tls = Some(base_url.unwrap_or_else(|| format!("https://{address}")));
        }
        if let Some(plain) = *plain {
            let listener = bind(plain).await?;
            bindings.doors.push(Door::Plain(local_addr(&listener, plain)?));
            bindings.listeners.push(listener);
        }
        if let Some(proxy) = proxy {
            bindings.bind_proxy(proxy).await?;
        }
        Ok(bindings)
    }

    /// The URL under which the first of them is reached, without anything in front.
    pub(super) fn base_url(&self) -> Option<String> {
        self.doors.iter().find_map(Door::url)
    }

    async fn bind_tls(
        &mut self,
        wanted: SocketAddr,
        (pair, callers): (&PairFiles, Callers),
        door: fn(SocketAddr) -> Door,
    ) -> Result<SocketAddr, Failure> {
        let position = match self.watched.iter().position(|watched| watched.is_of(pair)) {
            Some(position) => position,
            None => {
                self.watched.push(Watched::open(pair.clone())?);
                self.watched.len() - 1
            }
        };
        let tls = Tls::new(self.watched[position].identity(), callers).map_err(Failure::usage)?;
        let listener = bind(wanted).await?.with_tls(tls);
        let address = local_addr(&listener, wanted)?;
        self.doors.push(door(address));
        self.listeners.push(listener);
        Ok(address)
    }

    async fn bind_proxy(&mut self, proxy: &Proxy) -> Result<(), Failure> {
        match proxy {
            Proxy::Unix(path) => {
                let (socket, file) =
                    unix_socket::bind(path).await.map_err(|error| cannot_listen(path.display(), &error))?;
                self.listeners.push(Listener::of_proxies(socket));
                self.doors.push(Door::ProxySocket(path.clone()));
                self.socket = Some(file);
            }
            Proxy::Tls { listen, pair, client_ca_file, subject } => {
                let client_ca = read_file(client_ca_file, false).map_err(|error| {
                    let file = client_ca_file.display();
                    Failure::usage(format_args!("proxy.client_ca_file: {file} can't be read: {error}"))
                })?;
                let callers = Callers::Proxy { client_ca: client_ca.to_vec(), subject: subject.clone() };
                self.bind_tls(*listen, (pair, callers), Door::Proxy).await?;
            }
        }
        Ok(())
    }
}

impl Door {
    /// The URL of callers; proxies have none.
    fn url(&self) -> Option<String> {
        match self {
            Door::Plain(address) => Some(format!("http://{address}")),
            Door::Tls(address) | Door::MutualTls(address) => Some(format!("https://{address}")),
            Door::Proxy(_) | Door::ProxySocket(_) => None,
        }
    }

    /// The table of the configuration that it comes from.
    pub(crate) fn table(&self) -> &'static str {
        match self {
            Door::Plain(_) => "server",
            Door::Tls(_) => "tls",
            Door::MutualTls(_) => "mutual_tls",
            Door::Proxy(_) | Door::ProxySocket(_) => "proxy",
        }
    }

    /// As programs read it.
    pub(crate) fn json(&self) -> Value {
        json!({ "table": self.table(), "at": self.to_string() })
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Door::Plain(address) => write!(f, "http://{address}"),
            Door::Tls(address) | Door::MutualTls(address) | Door::Proxy(address) => {
                write!(f, "https://{address}")
            }
            Door::ProxySocket(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

async fn bind(wanted: SocketAddr) -> Result<Listener, Failure> {
    listener::bind(wanted).await.map_err(|error| cannot_listen(wanted, &error))
}

fn local_addr(listener: &Listener, wanted: SocketAddr) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(|error| cannot_listen(wanted, &error))
}

fn cannot_listen(door: impl fmt::Display, error: &std::io::Error) -> Failure {
    Failure::unavailable(format_args!("{door} can't be listened on: {error}"))
}
