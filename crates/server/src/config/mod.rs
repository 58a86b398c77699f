//! What the server is told by a file, the environment and the command line, in that order of weight.
//!
//! [`reference::SETTINGS`] is the one list of what can be told. Reading gives [`Values`], where each knows
//! where it came from; [`Config`] is what the rest of the binary takes.

pub(crate) mod environment;
mod file;
pub(crate) mod forward_auth;
pub(crate) mod listeners;
pub(crate) mod reference;
pub(crate) mod reference_text;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use http::Uri;
use procura_client::Issuer;
use procura_http::forward_auth::Policy;
use procura_http::network::{InvalidNetwork, Network};

use listeners::{Listeners, NONE, UNIX};
use reference::{Default, Kind, SETTINGS, Setting};

/// Everything that can be configured, checked.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The issuer, if one is configured.
    pub(crate) issuer: Option<String>,
    /// The data folder.
    pub(crate) data: Option<PathBuf>,
    /// Where to listen, and how.
    pub(crate) listeners: Listeners,
    /// What applications' certificates are judged by.
    pub(crate) certificates: Option<Certificates>,
    /// Threads that answer requests; without it one for each core.
    pub(crate) threads: Option<usize>,
    /// What tokens may be.
    pub(crate) tokens: Tokens,
    /// Whether proofs of possession must have a nonce.
    pub(crate) require_proof_nonce: bool,
    /// The life of keys.
    pub(crate) keys: Keys,
    /// How the keys of applications are fetched.
    pub(crate) application_keys: ApplicationKeys,
    /// The journal's sizes.
    pub(crate) journal: Journal,
    /// What callers may take.
    pub(crate) limits: Limits,
    /// What is logged.
    pub(crate) log: Log,
    /// Where metrics are answered.
    pub(crate) metrics: Option<SocketAddr>,
    /// What is traced, if anything is.
    pub(crate) tracing: Option<Tracing>,
    /// What proxies may let through.
    pub(crate) forward_auth: Vec<Policy>,
}

/// What `[mutual_tls]` says about certificates of applications; in force also when a proxy tells them.
#[derive(Debug, Clone)]
pub(crate) struct Certificates {
    /// PEM certificates of the CAs for `tls_client_auth`.
    pub(crate) ca_file: PathBuf,
    /// PEM lists of what those CAs have revoked.
    pub(crate) crl_file: Option<PathBuf>,
}

/// `[tokens]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tokens {
    /// Seconds.
    pub(crate) lifetime: u64,
    /// Seconds.
    pub(crate) assertion_lifetime: u64,
    /// Bytes.
    pub(crate) max_access_token_bytes: usize,
}

/// `[keys]`.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    /// Days that a key signs.
    pub(crate) rotation_days: u64,
    /// The file that holds the key-encryption key.
    pub(crate) key_encryption_key_file: Option<PathBuf>,
}

/// `[application_keys]`.
#[derive(Debug, Clone)]
pub(crate) struct ApplicationKeys {
    /// Whether they may be fetched from addresses that are not public.
    pub(crate) private_networks: bool,
    /// Certificates of authorities beside the system's.
    pub(crate) ca_file: Option<PathBuf>,
}

/// `[journal]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Journal {
    /// Bytes of a segment file.
    pub(crate) segment_bytes: u64,
    /// Records that may wait.
    pub(crate) queue: usize,
}

/// `[limits]`; the names say the units.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) header_bytes: usize,
    pub(crate) headers: usize,
    pub(crate) header_seconds: u64,
    pub(crate) body_bytes: usize,
    pub(crate) body_seconds: u64,
    pub(crate) idle_seconds: u64,
    pub(crate) drain_seconds: u64,
    pub(crate) handshakes: usize,
    pub(crate) handshake_seconds: u64,
    pub(crate) token_marks_per_application: u32,
    pub(crate) revocations_per_minute: u32,
    pub(crate) requests_per_address_per_minute: u32,
    pub(crate) failed_proofs_per_address_per_minute: u32,
    pub(crate) requests_per_application_per_minute: u32,
    pub(crate) contacts_per_application_per_hour: u32,
    pub(crate) held_back_seconds: u64,
    pub(crate) trusted_proxies: Vec<Network>,
}

/// `[tracing]` with an endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Tracing {
    /// Where spans are sent.
    pub(crate) otlp_endpoint: String,
    /// Of so many requests one is traced.
    pub(crate) one_in: u64,
}

/// `[log]`.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    /// A filter of tracing's.
    pub(crate) level: String,
    /// How lines look.
    pub(crate) format: LogFormat,
}

/// How lines of the log look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// What was said on the command line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    /// `--config`.
    pub(crate) config: Option<PathBuf>,
    /// `--data`.
    pub(crate) data: Option<PathBuf>,
    /// `--listen`.
    pub(crate) listen: Option<SocketAddr>,
}

/// Reads file, environment and flags.
pub(crate) fn read(
    flags: &Flags,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Values, ConfigError> {
    let mut values = Values::defaults();
    if let Some(path) = &flags.config {
        file::read(&mut values, path)?;
    }
    environment::read(&mut values, variables)?;
    if let Some(data) = &flags.data {
        values.set("data", data.as_os_str().to_string_lossy().into_owned(), Origin::Flag("--data"));
        values.data_flag = Some(data.clone());
    }
    if let Some(listen) = flags.listen {
        values.set("server.listen", listen.to_string(), Origin::Flag("--listen"));
    }
    Ok(values)
}

/// The settings that have a value, each with where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Values {
    set: BTreeMap<&'static str, (String, Origin)>,
    /// As it was given: a path need not be text.
    data_flag: Option<PathBuf>,
    /// Policies, which only a file can tell.
    pub(crate) forward_auth: Vec<forward_auth::Told>,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody said anything.
    Default,
    /// A line of a file.
    File(PathBuf, usize),
    /// A variable.
    Environment(String),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::Environment(name) => f.write_str(name),
            Origin::Flag(name) => f.write_str(name),
        }
    }
}

impl Values {
    fn defaults() -> Values {
        let mut values = Values { set: BTreeMap::new(), data_flag: None, forward_auth: Vec::new() };
        for setting in SETTINGS {
            if let Default::Toml(text) = setting.default {
                values.set(setting.path, text.trim_matches('"').to_owned(), Origin::Default);
            }
        }
        values
    }

    fn set(&mut self, path: &'static str, text: String, origin: Origin) {
        self.set.insert(path, (text, origin));
    }

    /// Takes a value in if it is what the setting may be.
    fn set_text(&mut self, setting: &'static Setting, text: &str, origin: Origin) -> Result<(), ConfigError> {
        check(setting.kind, text).map_err(|why| ConfigError::new(&origin, &why))?;
        self.set(setting.path, text.to_owned(), origin);
        Ok(())
    }

    /// Every setting that has a value: its path, the value, where it came from.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &str, &Origin)> {
        let value = |setting: &'static Setting| {
            self.set.get(setting.path).map(|(text, origin)| (setting.path, text.as_str(), origin))
        };
        SETTINGS.iter().filter_map(value)
    }

    fn text(&self, path: &str) -> Option<&str> {
        debug_assert!(reference::setting(path).is_some(), "{path} is in the table");
        self.set.get(path).map(|(text, _)| text.as_str())
    }

    fn origin(&self, path: &str) -> Option<&Origin> {
        self.set.get(path).map(|(_, origin)| origin)
    }

    fn whole(&self, path: &str) -> Option<u64> {
        self.text(path)?.parse().ok()
    }

    /// The settings as the binary takes them.
    pub(crate) fn config(&self) -> Result<Config, ConfigError> {
        // Every value was checked when it came in, so what is missing here is missing from the table.
        let whole = |path: &str| self.whole(path).ok_or_else(|| ConfigError::absent(path));
        let size = |path: &str| whole(path).map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        let number = |path: &str| whole(path).map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        let text = |path: &str| self.text(path).ok_or_else(|| ConfigError::absent(path));
        Ok(Config {
            issuer: self.text("issuer").map(str::to_owned),
            data: self.data_flag.clone().or_else(|| self.text("data").map(PathBuf::from)),
            listeners: Listeners::read(self)?,
            certificates: listeners::certificates(self)?,
            threads: self.whole("server.threads").and_then(|threads| usize::try_from(threads).ok()),
            tokens: Tokens {
                lifetime: whole("tokens.lifetime")?,
                assertion_lifetime: whole("tokens.assertion_lifetime")?,
                max_access_token_bytes: size("tokens.max_access_token_bytes")?,
            },
            require_proof_nonce: text("dpop.require_nonce")? == "true",
            keys: Keys {
                rotation_days: whole("keys.rotation_days")?,
                key_encryption_key_file: self.text("keys.key_encryption_key_file").map(PathBuf::from),
            },
            application_keys: ApplicationKeys {
                private_networks: text("application_keys.private_networks")? == "allow",
                ca_file: self.text("application_keys.ca_file").map(PathBuf::from),
            },
            journal: Journal {
                segment_bytes: whole("journal.segment_bytes")?,
                queue: size("journal.queue")?,
            },
            limits: Limits {
                connections: size("limits.connections")?,
                header_bytes: size("limits.header_bytes")?,
                headers: size("limits.headers")?,
                header_seconds: whole("limits.header_seconds")?,
                body_bytes: size("limits.body_bytes")?,
                body_seconds: whole("limits.body_seconds")?,
                idle_seconds: whole("limits.idle_seconds")?,
                drain_seconds: whole("limits.drain_seconds")?,
                handshakes: size("limits.handshakes")?,
                handshake_seconds: whole("limits.handshake_seconds")?,
                token_marks_per_application: number("limits.token_marks_per_application")?,
                revocations_per_minute: number("limits.revocations_per_minute")?,
                requests_per_address_per_minute: number("limits.requests_per_address_per_minute")?,
                failed_proofs_per_address_per_minute: number("limits.failed_proofs_per_address_per_minute")?,
                requests_per_application_per_minute: number("limits.requests_per_application_per_minute")?,
                contacts_per_application_per_hour: number("limits.contacts_per_application_per_hour")?,
                held_back_seconds: whole("limits.held_back_seconds")?,
                trusted_proxies: networks(self.text("limits.trusted_proxies").unwrap_or_default())
                    .map_err(|_| ConfigError::absent("limits.trusted_proxies"))?,
            },
            log: Log {
                level: text("log.level")?.to_owned(),
                format: if text("log.format")? == "json" { LogFormat::Json } else { LogFormat::Text },
            },
            metrics: self.text("metrics.listen").and_then(|address| address.parse().ok()),
            tracing: match self.text("tracing.otlp_endpoint") {
                None => None,
                Some(endpoint) => {
                    Some(Tracing { otlp_endpoint: endpoint.to_owned(), one_in: whole("tracing.one_in")? })
                }
            },
            forward_auth: self.forward_auth.iter().map(|told| told.policy.clone()).collect(),
        })
    }
}

/// Why the configuration can't be used; says where and what to change.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConfigError(String);

impl ConfigError {
    fn new(origin: &Origin, why: &str) -> ConfigError {
        ConfigError(match origin {
            Origin::Environment(name) => format!("{name} in the environment {why}"),
            other => format!("{other}: {why}"),
        })
    }

    fn file(path: &Path, why: impl fmt::Display) -> ConfigError {
        ConfigError(format!("{}: {why}", path.display()))
    }

    fn absent(path: &str) -> ConfigError {
        ConfigError(format!("{path} has no value"))
    }
}

/// Whether a text is what a setting of this kind may be; the error completes "it ...".
fn check(kind: Kind, text: &str) -> Result<(), String> {
    match kind {
        Kind::Issuer => check_url("does not name an issuer", text),
        Kind::BaseUrl if !text.starts_with("https://") => Err("must begin with https://".to_owned()),
        Kind::BaseUrl => check_url("is no base URL", text),
        Kind::Path if text.is_empty() || text.contains('\0') => Err("must be a path".to_owned()),
        Kind::Path => Ok(()),
        Kind::Address => match text.parse::<SocketAddr>() {
            Ok(_) => Ok(()),
            Err(_) => Err("must be an address and a port, for instance 127.0.0.1:8080".to_owned()),
        },
        Kind::AddressOrNone if text == NONE => Ok(()),
        Kind::AddressOrNone => check(Kind::Address, text).map_err(|why| format!("{why}, or {NONE}")),
        Kind::AddressOrUnix => match text.strip_prefix(UNIX) {
            Some(path) if path.starts_with('/') => check(Kind::Path, path),
            Some(_) => {
                Err("must name the socket by a whole path, for instance unix:/run/procura/proxy.sock"
                    .to_owned())
            }
            None => check(Kind::Address, text).map_err(|why| format!("{why}, or unix: and a path")),
        },
        Kind::Name if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) => {
            Err("must be a DNS name or an IP address".to_owned())
        }
        Kind::Name => Ok(()),
        Kind::Whole { min, max } => match text.parse::<u64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(()),
            _ => Err(format!("must be a whole number from {min} to {max}")),
        },
        Kind::Filter => tracing_subscriber::EnvFilter::try_new(text).map(drop).map_err(|_| {
            "must be error, warn, info, debug or trace, or a list such as info,procura_storage=debug"
                .to_owned()
        }),
        Kind::Networks => {
            networks(text).map(drop).map_err(|(word, why)| format!("has {word:?}, which {why}"))
        }
        Kind::Endpoint => check_endpoint(text),
        Kind::Boolean if matches!(text, "true" | "false") => Ok(()),
        Kind::Boolean => Err("must be true or false".to_owned()),
        Kind::OneOf(words) if words.contains(&text) => Ok(()),
        Kind::OneOf(words) => Err(format!("must be one of: {}", words.join(", "))),
    }
}

/// Addresses and networks between spaces; the word that is none, and why.
fn networks(text: &str) -> Result<Vec<Network>, (&str, InvalidNetwork)> {
    text.split_whitespace().map(|word| word.parse().map_err(|why| (word, why))).collect()
}

/// Spans tell who asked for what and when: only over TLS, or to this machine.
fn check_endpoint(text: &str) -> Result<(), String> {
    let wrong =
        || "must be an https URL, or an http one on loopback, for instance http://127.0.0.1:4318/v1/traces";
    let url: Uri = text.parse().map_err(|_| wrong().to_owned())?;
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme_str() {
        Some("https") if !host.is_empty() => Ok(()),
        Some("http") if is_here => Ok(()),
        _ => Err(wrong().to_owned()),
    }
}

fn check_url(what: &str, text: &str) -> Result<(), String> {
    Issuer::parse(text).map_err(|why| format!("{what}: {why}"))?;
    if text.ends_with('/') {
        return Err("must not end with a slash: clients compare issuers character by character".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_a_configuration() {
        let config = Values::defaults().config().unwrap();
        assert_eq!(config.listeners.plain, Some(SocketAddr::from(([127, 0, 0, 1], 8080))));
        assert!(config.certificates.is_none() && !config.require_proof_nonce);
        assert_eq!((config.tokens.lifetime, config.tokens.max_access_token_bytes), (3600, 7000));
        assert_eq!((config.limits.connections, config.limits.drain_seconds), (10_000, 30));
        let budget = (config.limits.token_marks_per_application, config.limits.revocations_per_minute);
        assert_eq!(budget, (10_000, 600));
        assert!(config.data.is_none() && config.issuer.is_none());
        assert!(config.metrics.is_none() && config.tracing.is_none());
        assert!(config.limits.trusted_proxies.is_empty());
    }

    #[test]
    fn every_default_and_every_example_is_what_its_setting_may_be() {
        for setting in SETTINGS {
            let (Default::Toml(text) | Default::Absent(text)) = setting.default;
            assert_eq!(check(setting.kind, text.trim_matches('"')), Ok(()), "{}", setting.path);
        }
    }

    #[test]
    fn proxies_and_collectors_are_checked_when_they_are_read() {
        for good in ["", "10.0.0.0/8", " 192.0.2.1  2001:db8::/32 "] {
            assert_eq!(check(Kind::Networks, good), Ok(()), "{good}");
        }
        let told = check(Kind::Networks, "10.0.0.0/8 10.0.0.1/8").unwrap_err();
        assert!(told.starts_with("has \"10.0.0.1/8\", which has bits"), "{told}");
        for good in
            ["https://collector.example/v1/traces", "http://127.0.0.1:4318/v1/traces", "http://[::1]:1/"]
        {
            assert_eq!(check(Kind::Endpoint, good), Ok(()), "{good}");
        }
        for bad in
            ["http://collector.example/v1/traces", "127.0.0.1:4318", "ftp://127.0.0.1/", "https://", ""]
        {
            assert!(check(Kind::Endpoint, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn flags_stand_above_the_environment() {
        let flags = Flags { listen: Some(SocketAddr::from(([127, 0, 0, 1], 1))), ..Flags::default() };
        let variables = [("PROCURA_SERVER__LISTEN".into(), "127.0.0.1:2".into())];
        let values = read(&flags, variables).unwrap();
        assert_eq!(values.config().unwrap().listeners.plain.unwrap().port(), 1);
    }

    #[test]
    fn an_issuer_is_an_https_url_without_a_last_slash() {
        for good in ["https://token.example", "https://token.example/bank", "http://127.0.0.1:8080"] {
            assert_eq!(check(Kind::Issuer, good), Ok(()), "{good}");
        }
        for bad in ["http://token.example", "https://token.example/", "token.example", ""] {
            assert!(check(Kind::Issuer, bad).is_err(), "{bad}");
        }
    }
}
