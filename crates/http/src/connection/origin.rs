//! Where a request came from, as far as its connection proves it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::Request;
use http::header::HOST;
use procura_guard::PeerCertificate;
use procura_protocol::client_cert;

/// The address at the other end of the connection that a request came by; an extension of the request.
/// Of a caller behind a proxy it is the proxy's: what a request says about where it is from is no
/// evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// What protects a connection; an extension of the request. A request without it came by a plain one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// Nothing: whoever is in between reads and writes.
    #[default]
    Plain,
    /// TLS, and no certificate is asked for.
    Tls,
    /// TLS, and every caller is asked for a certificate that it need not have.
    TlsAsksCertificate,
    /// A proxy of the operator's, which alone can reach the listener, and whose word on the caller's
    /// certificate is believed (RFC 9440).
    Proxy,
}

/// The certificates that the caller's connection proved or a proxy told; an extension of the request, absent
/// without any.
///
/// Whoever sent them has the private key of the first. Nothing else is known about them: they may be expired,
/// of an unknown issuer or not even X.509 beyond the key. At most
/// [`client_cert::MAX_CERTIFICATES`] of them with [`client_cert::MAX_BYTES`] bytes together.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    chain: Arc<[Box<[u8]>]>,
    /// Of the first, hashed once for the connection; tokens may be bound to it.
    own: PeerCertificate,
}

impl ClientCertificate {
    /// From DER, the caller's own first; `None` without any, and for more than the bounds allow.
    pub fn new(chain: Vec<Box<[u8]>>) -> Option<ClientCertificate> {
        let own = PeerCertificate::of_der(chain.first()?);
        client_cert::is_within_bounds(&chain).then(|| ClientCertificate { chain: chain.into(), own })
    }

    /// Each certificate as DER, the caller's own first; never empty.
    pub fn chain(&self) -> &[Box<[u8]>] {
        &self.chain
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Certificates name people; a log has no use for them.
        write!(f, "ClientCertificate({} in chain)", self.chain.len())
    }
}

/// What is known about every request of a connection before it is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) peer: Option<Peer>,
    pub(crate) security: Security,
    pub(crate) certificate: Option<ClientCertificate>,
    /// The host that the caller asked for in its handshake (RFC 6066 3).
    pub(crate) server_name: Option<Box<str>>,
}

impl Origin {
    /// Adds what is known to the request's extensions.
    pub(super) fn mark<B>(&self, request: &mut Request<B>) {
        let told = match self.security {
            Security::Proxy => client_cert::read(
                request.headers().get_all(CLIENT_CERT).iter().map(http::HeaderValue::as_bytes),
                request.headers().get_all(CLIENT_CERT_CHAIN).iter().map(http::HeaderValue::as_bytes),
            )
            .and_then(ClientCertificate::new),
            _ => None,
        };
        let extensions = request.extensions_mut();
        if let Some(peer) = self.peer {
            extensions.insert(peer);
        }
        if self.security != Security::Plain {
            extensions.insert(self.security);
        }
        if let Some(certificate) = told.or_else(|| self.certificate.clone()) {
            // Where guards look for it.
            extensions.insert(certificate.own);
            extensions.insert(certificate);
        }
    }

    /// Whether the request is for the host that the handshake named, if it named one (RFC 9110 7.4). Every
    /// place where a request names its host is looked at, because whoever stands in between may read
    /// another one than we do.
    pub(super) fn is_meant<B>(&self, request: &Request<B>) -> bool {
        let Some(server_name) = self.server_name.as_deref() else { return true };
        let of_target = request.uri().host().map(str::as_bytes);
        let of_fields = request.headers().get_all(HOST).iter().map(|value| host_of(value.as_bytes()));
        of_target.into_iter().chain(of_fields).all(|host| is_same_host(host, server_name))
    }
}

/// RFC 9440 2.2.
const CLIENT_CERT: http::HeaderName = http::HeaderName::from_static("client-cert");
/// RFC 9440 2.3.
const CLIENT_CERT_CHAIN: http::HeaderName = http::HeaderName::from_static("client-cert-chain");

/// The host of a `Host` field: what stands before the port.
fn host_of(value: &[u8]) -> &[u8] {
    match value.iter().rposition(|byte| *byte == b':') {
        Some(colon) if value[colon + 1..].iter().all(u8::is_ascii_digit) => &value[..colon],
        _ => value,
    }
}

/// A name that ends with a dot is the same without it; names of handshakes have none.
fn is_same_host(host: &[u8], server_name: &str) -> bool {
    host.strip_suffix(b".").unwrap_or(host).eq_ignore_ascii_case(server_name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_meant(server_name: Option<&str>, target: &str, hosts: &[&str]) -> bool {
        let origin = Origin { server_name: server_name.map(Into::into), ..Origin::default() };
        let request = hosts.iter().fold(Request::get(target), |request, host| request.header(HOST, *host));
        origin.is_meant(&request.body(()).unwrap())
    }

    #[test]
    fn a_request_for_the_host_of_the_handshake_is_meant() {
        for host in
            ["token.example", "TOKEN.example", "token.example:8443", "token.example:", "token.example."]
        {
            assert!(is_meant(Some("token.example"), "/", &[host]), "{host}");
            assert!(is_meant(None, "/", &[host]), "{host}");
        }
        assert!(is_meant(Some("token.example"), "https://token.example:8443/", &["token.example"]));
        assert!(is_meant(Some("token.example"), "/", &[]));
        assert!(is_meant(None, "/", &["[::1]:8443"]));
    }

    #[test]
    fn a_request_that_names_another_host_anywhere_is_not() {
        for host in [
            "",
            "other.example",
            "token.example.other",
            "token.example:8443x",
            "127.0.0.1",
            "x@token.example",
        ] {
            assert!(!is_meant(Some("token.example"), "/", &[host]), "{host}");
        }
        assert!(!is_meant(Some("token.example"), "https://other.example/", &["token.example"]));
        assert!(!is_meant(Some("token.example"), "https://token.example/", &["other.example"]));
    }
}
