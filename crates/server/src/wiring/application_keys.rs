//! Fetches the keys that applications publish at their `jwks_uri`.
//!
//! The URL was named by an operator and leads to somebody else's host, whose names lead where that host's
//! owner wants. So a connection goes to an address that was looked at and to no other: names are resolved
//! here, once for each fetch, and what they resolve to must be public. No redirect, no proxy, no cookie, no
//! decompression; everything has a length and an end.

mod address;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use procura_engine::application_auth::assertion::{FetchFault, FetchKeys, FetchedKeys, Fetching};
use procura_jose::Jwks;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CACHE_CONTROL};
use reqwest::{Certificate, Client, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::config::ApplicationKeys;
use crate::exit::Failure;
use address::{is_public, is_unicast};

/// Most keys that a set may have.
const MOST_KEYS: usize = 20;

/// How long and how large a fetch may be.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// To find the host and to agree on TLS.
    connect: Duration,
    /// Altogether.
    whole: Duration,
    /// Bytes of the answer.
    bytes: usize,
}

const BOUNDS: Bounds =
    Bounds { connect: Duration::from_secs(3), whole: Duration::from_secs(5), bytes: 64 * 1024 };

/// Says where a name leads.
trait Lookup: Send + Sync + 'static {
    fn addresses(&self, name: String) -> Pinned<std::io::Result<Vec<IpAddr>>>;
}

type Pinned<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;

/// The system's resolver.
struct System;

impl Lookup for System {
    fn addresses(&self, name: String) -> Pinned<std::io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// See the module.
#[derive(Clone)]
pub(super) struct HttpsKeys {
    client: Client,
    checked: Checked,
    bounds: Bounds,
}

/// Where may be connected to, and what finds it.
#[derive(Clone)]
struct Checked {
    lookup: Arc<dyn Lookup>,
    allowed: fn(IpAddr) -> bool,
}

impl HttpsKeys {
    /// As configured.
    pub(super) fn new(config: &ApplicationKeys) -> Result<HttpsKeys, Failure> {
        let allowed = if config.private_networks { is_unicast } else { is_public };
        let roots = config.ca_file.as_deref().map(roots).transpose()?.unwrap_or_default();
        HttpsKeys::build(Checked { lookup: Arc::new(System), allowed }, roots, BOUNDS)
            .map_err(|error| Failure::unavailable(format_args!("TLS can't be set up: {error}")))
    }

    fn build(checked: Checked, roots: Vec<Certificate>, bounds: Bounds) -> reqwest::Result<HttpsKeys> {
        let client = Client::builder()
            .https_only(true)
            .tls_certs_merge(roots)
            .dns_resolver(Arc::new(checked.clone()))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .referer(false)
            .http1_only()
            // Each fetch goes to an address that was looked at for it.
            .pool_max_idle_per_host(0)
            .connect_timeout(bounds.connect)
            .timeout(bounds.whole)
            .build()?;
        Ok(HttpsKeys { client, checked, bounds })
    }

    async fn get(&self, uri: &str) -> Result<FetchedKeys, FetchFault> {
        let url = self.checked.url(uri)?;
        let accept = "application/jwk-set+json, application/json";
        let answer =
            self.client.get(url).header(ACCEPT, accept).send().await.map_err(|error| fault_of(&error))?;
        if answer.status() != StatusCode::OK {
            return Err(FetchFault::Status(answer.status().as_u16()));
        }
        let max_age = max_age(&answer);
        let body = self.read(answer).await?;
        let set: KeySet = serde_json::from_slice(&body).map_err(|_| FetchFault::NotKeys)?;
        if set.keys.len() > MOST_KEYS {
            return Err(FetchFault::TooMany);
        }
        let keys: Jwks = serde_json::from_slice(&body).map_err(|_| FetchFault::NotKeys)?;
        Ok(FetchedKeys { keys, max_age })
    }

    async fn read(&self, mut answer: Response) -> Result<Vec<u8>, FetchFault> {
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| fault_of(&error))? {
            if body.len() + piece.len() > self.bounds.bytes {
                return Err(FetchFault::TooLong);
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

impl FetchKeys for HttpsKeys {
    fn fetch(&self, uri: Box<str>) -> Fetching {
        let keys = self.clone();
        Box::pin(async move { keys.get(&uri).await })
    }
}

impl Checked {
    /// The URL, if it may be asked. An address that stands in it is never resolved, so it is looked at here.
    fn url(&self, uri: &str) -> Result<Url, FetchFault> {
        let url = Url::parse(uri).map_err(|_| FetchFault::Url)?;
        let host = url.host_str().ok_or(FetchFault::Url)?;
        let plain = url.scheme() == "https" && url.username().is_empty() && url.password().is_none();
        if !plain {
            return Err(FetchFault::Url);
        }
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match literal {
            Ok(address) if !(self.allowed)(address) => Err(FetchFault::Address),
            _ => Ok(url),
        }
    }
}

impl Resolve for Checked {
    /// All addresses of the name, if every one of them may be connected to. Were some left out, whoever owns
    /// the name could try until the right ones are left.
    fn resolve(&self, name: Name) -> Resolving {
        let Checked { lookup, allowed } = self.clone();
        Box::pin(async move {
            let found = lookup.addresses(name.as_str().to_owned()).await?;
            if found.is_empty() || !found.iter().all(|address| allowed(*address)) {
                return Err(FetchFault::Address.into());
            }
            // The port is that of the URL.
            let found: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(found)
        })
    }
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<IgnoredAny>,
}

/// For how long the answer says to be fresh (RFC 9111 5.2.2).
fn max_age(answer: &Response) -> Option<Duration> {
    let values = answer.headers().get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = values.flat_map(|value| value.split(',')).map(|d| d.trim().to_ascii_lowercase());
    directives.find_map(|directive| match directive.as_str() {
        "no-store" | "no-cache" => Some(Duration::ZERO),
        other => other.strip_prefix("max-age=")?.trim_matches('"').parse().ok().map(Duration::from_secs),
    })
}

fn fault_of(error: &reqwest::Error) -> FetchFault {
    if error.is_timeout() {
        return FetchFault::Time;
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(fault) = error.downcast_ref::<FetchFault>() {
            return *fault;
        }
        cause = error.source();
    }
    FetchFault::Connection
}

fn roots(file: &Path) -> Result<Vec<Certificate>, Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::usage(format_args!("application_keys.ca_file: {}: {why}", file.display()))
    };
    let pem = std::fs::read(file).map_err(|error| failed(&error))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(roots) if !roots.is_empty() => Ok(roots),
        Ok(_) => Err(failed(&"holds no certificate")),
        Err(error) => Err(failed(&error)),
    }
}
