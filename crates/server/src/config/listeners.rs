//! Where the server listens: `[server]`, `[tls]`, `[mutual_tls]` and `[proxy]`, and what these settings need of
//! each other.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Certificates, ConfigError, Values};

/// What stands for no listener in `server.listen`.
pub(super) const NONE: &str = "none";

/// What a path of a Unix socket begins with.
pub(super) const UNIX: &str = "unix:";

/// The listeners; at least one.
#[derive(Debug, Clone)]
pub(crate) struct Listeners {
    /// Plain HTTP.
    pub(crate) plain: Option<SocketAddr>,
    /// TLS that asks for no certificate.
    pub(crate) tls: Option<Tls>,
    /// TLS that asks every caller for a certificate.
    pub(crate) mutual_tls: Option<MutualTls>,
    /// For proxies that tell their callers' certificates.
    pub(crate) proxy: Option<Proxy>,
}

/// `[tls]`.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    pub(crate) listen: SocketAddr,
    pub(crate) pair: PairFiles,
}

/// `[mutual_tls]`.
#[derive(Debug, Clone)]
pub(crate) struct MutualTls {
    pub(crate) listen: SocketAddr,
    pub(crate) pair: PairFiles,
    /// The URL of this listener as callers know it; its address without one.
    pub(crate) base_url: Option<String>,
}

/// `[proxy]`.
#[derive(Debug, Clone)]
pub(crate) enum Proxy {
    /// A Unix socket, to be made at this path.
    Unix(PathBuf),
    /// TLS, and only for a proxy with the right certificate.
    Tls { listen: SocketAddr, pair: PairFiles, client_ca_file: PathBuf, subject: String },
}

/// A certificate and its key, and the table that names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PairFiles {
    pub(crate) table: &'static str,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Listeners {
    /// The addresses, each with the setting that names it. A Unix socket has none.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let plain = self.plain.map(|address| ("server.listen", address));
        let tls = self.tls.as_ref().map(|tls| ("tls.listen", tls.listen));
        let mutual_tls = self.mutual_tls.as_ref().map(|tls| ("mutual_tls.listen", tls.listen));
        let proxy = self.proxy.as_ref().and_then(|proxy| match proxy {
            Proxy::Unix(_) => None,
            Proxy::Tls { listen, .. } => Some(("proxy.listen", *listen)),
        });
        plain.into_iter().chain(tls).chain(mutual_tls).chain(proxy)
    }

    pub(super) fn read(values: &Values) -> Result<Listeners, ConfigError> {
        let listeners = Listeners {
            plain: address(values, "server.listen")?,
            tls: tls(values)?,
            mutual_tls: mutual_tls(values)?,
            proxy: proxy(values)?,
        };
        if listeners.addresses().next().is_none() && listeners.proxy.is_none() {
            return Err(refused(
                values,
                "server.listen",
                "is none, and no other listener is configured: nobody could be answered",
            ));
        }
        listeners.are_apart(values)?;
        Ok(listeners)
    }

    /// Whether each has an address of its own, the one for metrics included.
    fn are_apart(&self, values: &Values) -> Result<(), ConfigError> {
        let metrics = address(values, "metrics.listen")?.map(|address| ("metrics.listen", address));
        let mut taken = Vec::new();
        for (path, address) in self.addresses().chain(metrics) {
            if address.port() != 0 && taken.contains(&address) {
                return Err(refused(values, path, "is the address of another listener: each needs its own"));
            }
            taken.push(address);
        }
        Ok(())
    }
}

/// What applications' certificates are judged by.
pub(super) fn certificates(values: &Values) -> Result<Option<Certificates>, ConfigError> {
    let file = |path| values.text(path).map(PathBuf::from);
    let (ca_file, crl_file) = (file("mutual_tls.client_ca_file"), file("mutual_tls.client_crl_file"));
    match (ca_file, crl_file) {
        (None, None) => Ok(None),
        (Some(ca_file), crl_file) => Ok(Some(Certificates { ca_file, crl_file })),
        (None, Some(_)) => Err(refused(
            values,
            "mutual_tls.client_crl_file",
            "needs mutual_tls.client_ca_file: the lists are of its authorities",
        )),
    }
}

fn tls(values: &Values) -> Result<Option<Tls>, ConfigError> {
    let own = pair(values, "tls")?;
    let Some(listen) = address(values, "tls.listen")? else { return Ok(None) };
    let pair = own.ok_or_else(|| {
        refused(
            values,
            "tls.listen",
            "needs the server's certificate: set tls.certificate_file and tls.key_file",
        )
    })?;
    Ok(Some(Tls { listen, pair }))
}

fn mutual_tls(values: &Values) -> Result<Option<MutualTls>, ConfigError> {
    let own = pair(values, "mutual_tls")?;
    let Some(listen) = address(values, "mutual_tls.listen")? else { return Ok(None) };
    let pair = own.or(pair(values, "tls")?).ok_or_else(|| {
        refused(
            values,
            "mutual_tls.listen",
            "needs the server's certificate: set certificate_file and key_file in [mutual_tls] or in [tls]",
        )
    })?;
    let base_url = values.text("mutual_tls.base_url").map(str::to_owned);
    if base_url.is_none() && values.text("issuer").is_some() {
        return Err(refused(
            values,
            "mutual_tls.listen",
            "needs mutual_tls.base_url: the URL under which callers with certificates reach it, which the \
             metadata tells them. It may be the issuer's",
        ));
    }
    Ok(Some(MutualTls { listen, pair, base_url }))
}

fn proxy(values: &Values) -> Result<Option<Proxy>, ConfigError> {
    let Some(listen) = values.text("proxy.listen") else { return Ok(None) };
    if let Some(path) = listen.strip_prefix(UNIX) {
        return Ok(Some(Proxy::Unix(PathBuf::from(path))));
    }
    let needs = |what| refused(values, "proxy.listen", what);
    let listen = address(values, "proxy.listen")?.ok_or_else(|| ConfigError::absent("proxy.listen"))?;
    let pair = pair(values, "tls")?.or(pair(values, "mutual_tls")?).ok_or_else(|| {
        needs("needs the server's certificate: set certificate_file and key_file in [tls] or in [mutual_tls]")
    })?;
    let why =
        "is no Unix socket, so the proxy must prove who it is: set proxy.client_ca_file and proxy.subject";
    let client_ca_file = values.text("proxy.client_ca_file").ok_or_else(|| needs(why))?.into();
    let subject = values.text("proxy.subject").ok_or_else(|| needs(why))?.to_owned();
    Ok(Some(Proxy::Tls { listen, pair, client_ca_file, subject }))
}

/// The certificate and the key that a table names, if it names both.
fn pair(values: &Values, table: &'static str) -> Result<Option<PairFiles>, ConfigError> {
    let (certificate, key) = (format!("{table}.certificate_file"), format!("{table}.key_file"));
    match (values.text(&certificate), values.text(&key)) {
        (Some(certificate), Some(key)) => {
            Ok(Some(PairFiles { table, certificate: certificate.into(), key: key.into() }))
        }
        (Some(_), None) => Err(refused(values, &certificate, &format!("needs {key} beside it"))),
        (None, Some(_)) => Err(refused(values, &key, &format!("needs {certificate} beside it"))),
        (None, None) => Ok(None),
    }
}

fn address(values: &Values, path: &str) -> Result<Option<SocketAddr>, ConfigError> {
    match values.text(path) {
        None | Some(NONE) => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| ConfigError::absent(path)),
    }
}

fn refused(values: &Values, path: &str, why: &str) -> ConfigError {
    match values.origin(path) {
        Some(origin) => ConfigError::new(origin, &format!("{path} {why}")),
        None => ConfigError::absent(path),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::file::read_text;

    fn read(text: &str) -> Result<Listeners, String> {
        let mut values = Values::defaults();
        read_text(&mut values, Path::new("/etc/p.toml"), text).map_err(|error| error.to_string())?;
        Listeners::read(&values).map_err(|error| error.to_string())
    }

    const PAIR: &str = "certificate_file = \"c.pem\"\nkey_file = \"k.pem\"\n";

    #[test]
    fn nobody_says_anything_and_plain_http_is_on() {
        let listeners = read("").unwrap();
        let addresses: Vec<_> = listeners.addresses().collect();
        assert_eq!(addresses, [("server.listen", SocketAddr::from(([127, 0, 0, 1], 8080)))]);
    }

    #[test]
    fn two_listeners_have_two_addresses_unless_the_system_picks_them() {
        for table in ["metrics", "tls"] {
            let pair = if table == "tls" { PAIR } else { "" };
            let same = read(&format!("[{table}]\nlisten = \"127.0.0.1:8080\"\n{pair}")).unwrap_err();
            assert!(same.contains(&format!("{table}.listen is the address of another")), "{same}");
            let picked =
                format!("[server]\nlisten = \"127.0.0.1:0\"\n[{table}]\nlisten = \"127.0.0.1:0\"\n{pair}");
            read(&picked).unwrap();
        }
    }

    #[test]
    fn revocation_lists_need_the_authorities_that_they_are_of() {
        let certificates = |text: &str| {
            let mut values = Values::defaults();
            read_text(&mut values, Path::new("/etc/p.toml"), text).unwrap();
            super::certificates(&values).map_err(|error| error.to_string())
        };
        let (ca, crl) = ("client_ca_file = \"ca.pem\"\n", "client_crl_file = \"crl.pem\"\n");
        let alone = certificates(&format!("[mutual_tls]\n{crl}")).unwrap_err();
        assert!(
            alone.contains("/etc/p.toml:2") && alone.contains("needs mutual_tls.client_ca_file"),
            "{alone}"
        );
        assert!(certificates(&format!("[mutual_tls]\n{ca}{crl}")).unwrap().unwrap().crl_file.is_some());
        assert!(certificates("").unwrap().is_none());
    }

    #[test]
    fn mutual_tls_takes_the_certificate_of_tls_unless_it_has_its_own() {
        let tls = format!("[tls]\nlisten = \"127.0.0.1:1\"\n{PAIR}");
        let listeners = read(&format!("{tls}[mutual_tls]\nlisten = \"127.0.0.1:2\"\n")).unwrap();
        let (tls_pair, pair) = (listeners.tls.unwrap().pair, listeners.mutual_tls.unwrap().pair);
        assert_eq!(pair, tls_pair);
        assert_eq!(pair.certificate, Path::new("/etc/c.pem"));
        let own = "certificate_file = \"o.pem\"\nkey_file = \"p.pem\"\n";
        let listeners = read(&format!("{tls}[mutual_tls]\nlisten = \"127.0.0.1:2\"\n{own}")).unwrap();
        assert_eq!(listeners.mutual_tls.unwrap().pair.key, Path::new("/etc/p.pem"));
    }

    #[test]
    fn a_listener_that_lacks_something_is_refused_with_its_line() {
        for (text, told) in [
            ("[server]\nlisten = \"none\"\n", ":2: server.listen is none, and no other listener"),
            ("[tls]\nlisten = \"127.0.0.1:1\"\n", ":2: tls.listen needs the server's certificate"),
            ("[tls]\ncertificate_file = \"c.pem\"\n", ":2: tls.certificate_file needs tls.key_file"),
            (
                "[mutual_tls]\nkey_file = \"k.pem\"\n",
                ":2: mutual_tls.key_file needs mutual_tls.certificate_file",
            ),
            (
                "[mutual_tls]\nlisten = \"127.0.0.1:1\"\n",
                ":2: mutual_tls.listen needs the server's certificate",
            ),
            ("[proxy]\nlisten = \"127.0.0.1:1\"\n", ":2: proxy.listen needs the server's certificate"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(told), "{told:?} is not in {error:?}");
        }
        let error = read(&format!("[tls]\n{PAIR}[proxy]\nlisten = \"127.0.0.1:1\"\n")).unwrap_err();
        assert!(error.contains("proxy.client_ca_file and proxy.subject"), "{error}");
        let issuer = "issuer = \"https://token.example\"\n[mutual_tls]\nlisten = \"0.0.0.0:1\"\n";
        let error = read(&format!("{issuer}{PAIR}")).unwrap_err();
        assert!(error.contains("needs mutual_tls.base_url"), "{error}");
    }

    #[test]
    fn a_proxy_comes_by_a_socket_of_a_file_or_with_a_certificate() {
        let listeners =
            read("[server]\nlisten = \"none\"\n[proxy]\nlisten = \"unix:/run/p.sock\"\n").unwrap();
        assert!(matches!(listeners.proxy, Some(Proxy::Unix(path)) if path == Path::new("/run/p.sock")));
        let proxy =
            "[proxy]\nlisten = \"127.0.0.1:1\"\nclient_ca_file = \"ca.pem\"\nsubject = \"proxy.example\"\n";
        let listeners = read(&format!("[tls]\n{PAIR}{proxy}")).unwrap();
        assert!(listeners.tls.is_none());
        assert!(matches!(listeners.proxy, Some(Proxy::Tls { subject, .. }) if subject == "proxy.example"));
    }
}
