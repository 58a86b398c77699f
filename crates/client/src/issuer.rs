//! The server's name and address in one: its issuer URL.

use std::fmt;

use http::Uri;
use http::uri::Scheme;
use thiserror::Error;

/// Longest issuer, in bytes.
pub const MAX_ISSUER_LENGTH: usize = 255;

/// A server's issuer: an absolute `https` URL without user, query or fragment (RFC 8414 2). `http` only on
/// loopback, because every request carries the application's secret.
///
/// Compared exactly: `https://a.example` and `https://a.example/` are two issuers.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Issuer(Box<str>);

/// Why a text is no issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidIssuer {
    /// Too long.
    #[error("an issuer has at most {MAX_ISSUER_LENGTH} characters")]
    TooLong,
    /// Not a URL, or one without scheme and host.
    #[error("an issuer is an absolute URL, for instance https://token.example")]
    NotAUrl,
    /// User, query or fragment.
    #[error("an issuer has no user, query or fragment")]
    Extra,
    /// `http` to another machine.
    #[error("an issuer starts with https://; http:// is for loopback only, since it would show the secret")]
    NotHttps,
}

impl Issuer {
    /// Reads an issuer.
    ///
    /// # Errors
    ///
    /// [`InvalidIssuer`] says what to change.
    pub fn parse(text: &str) -> Result<Issuer, InvalidIssuer> {
        check(text)?;
        Ok(Issuer(text.into()))
    }

    /// The issuer as it stands in `iss`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the issuer is plain `http` on loopback.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.starts_with("http:")
    }

    /// Whether a URL has this issuer's scheme, host and port (RFC 6454 4).
    pub(crate) fn has_origin_of(&self, url: &Uri) -> bool {
        let own = uri(&self.0);
        let port = |url: &Uri| {
            url.port_u16().or_else(|| Some(if *url.scheme()? == Scheme::HTTPS { 443 } else { 80 }))
        };
        let same_host = match (own.host(), url.host()) {
            (Some(own), Some(other)) => own.eq_ignore_ascii_case(other),
            _ => false,
        };
        same_host && own.scheme() == url.scheme() && port(&own) == port(url)
    }

    /// Whether a URL has this issuer's host, at whatever port.
    pub(crate) fn has_host_of(&self, url: &Uri) -> bool {
        match (uri(&self.0).host(), url.host()) {
            (Some(own), Some(other)) => own.eq_ignore_ascii_case(other),
            _ => false,
        }
    }

    /// The same place below another base; `None` for a URL that is not below this issuer.
    pub(crate) fn moved_to(&self, base: &str, url: &Uri) -> Option<Uri> {
        let text = url.to_string();
        let rest = text.strip_prefix(self.0.trim_end_matches('/')).filter(|rest| rest.starts_with('/'))?;
        Some(uri(&format!("{base}{rest}")))
    }

    /// The URL of an endpoint; `path` starts with a slash and is encoded already.
    pub(crate) fn endpoint(&self, path: &str) -> Uri {
        uri(&format!("{}{path}", self.0.trim_end_matches('/')))
    }

    /// Where the metadata are: the well-known path goes between host and path (RFC 8414 3.1).
    pub(crate) fn metadata_url(&self, well_known: &str) -> Uri {
        let text = self.0.trim_end_matches('/');
        let host = text.find("://").map_or(0, |at| at + 3);
        let path = text[host..].find('/').map_or(text.len(), |at| host + at);
        uri(&format!("{}{well_known}{}", &text[..path], &text[path..]))
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({})", self.0)
    }
}

impl std::str::FromStr for Issuer {
    type Err = InvalidIssuer;

    fn from_str(text: &str) -> Result<Issuer, InvalidIssuer> {
        Issuer::parse(text)
    }
}

fn check(text: &str) -> Result<(), InvalidIssuer> {
    if text.len() > MAX_ISSUER_LENGTH {
        return Err(InvalidIssuer::TooLong);
    }
    if text.contains(['?', '#', '@']) {
        return Err(InvalidIssuer::Extra);
    }
    let uri: Uri = text.parse().map_err(|_| InvalidIssuer::NotAUrl)?;
    let (Some(scheme), Some(host)) = (uri.scheme(), uri.host()) else {
        return Err(InvalidIssuer::NotAUrl);
    };
    // What is joined to a path must come back as the same text, so no `HTTPS://`.
    if host.is_empty() || !text.starts_with(&format!("{scheme}://")) {
        return Err(InvalidIssuer::NotAUrl);
    }
    if *scheme == Scheme::HTTPS || *scheme == Scheme::HTTP && is_loopback(host) {
        Ok(())
    } else {
        Err(InvalidIssuer::NotHttps)
    }
}

/// Whether a host can only be this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[expect(clippy::expect_used, reason = "both parts were checked: a parsed issuer and an encoded path")]
fn uri(text: &str) -> Uri {
    text.parse().expect("an issuer and an encoded path make a URI")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What [`uri`] promises to itself.
        #[test]
        fn whatever_is_an_issuer_makes_urls(text in "(https?://)?(localhost|[::1]|[a-z0-9.:\\[\\]%-]{0,12})(/|\\PC{0,12})") {
            if let Ok(issuer) = Issuer::parse(&text) {
                let endpoint = issuer.endpoint("/token/c1");
                prop_assert!(endpoint.path().ends_with("/token/c1"));
                let metadata = issuer.metadata_url("/.well-known/x");
                prop_assert!(metadata.path().starts_with("/.well-known/x"));
                prop_assert_eq!(metadata.host(), endpoint.host());
                prop_assert!(endpoint.scheme_str() == Some("https") || is_loopback(endpoint.host().unwrap()));
            }
        }
    }

    #[test]
    fn an_issuer_is_https_or_loopback() {
        for good in [
            "https://token.example",
            "https://token.example:8443/bank",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "http://localhost:1",
        ] {
            assert!(Issuer::parse(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("http://token.example", InvalidIssuer::NotHttps),
            ("http://127.0.0.1.example", InvalidIssuer::NotHttps),
            ("http://localhost.example", InvalidIssuer::NotHttps),
            ("ftp://127.0.0.1", InvalidIssuer::NotHttps),
            ("https://user:secret@token.example", InvalidIssuer::Extra),
            ("https://token.example?x=1", InvalidIssuer::Extra),
            ("https://token.example#x", InvalidIssuer::Extra),
            ("token.example", InvalidIssuer::NotAUrl),
            ("/token", InvalidIssuer::NotAUrl),
            ("", InvalidIssuer::NotAUrl),
            ("https://a b", InvalidIssuer::NotAUrl),
        ] {
            assert_eq!(Issuer::parse(bad), Err(why), "{bad}");
        }
        assert_eq!(Issuer::parse(&format!("https://{}", "a".repeat(255))), Err(InvalidIssuer::TooLong));
    }

    #[test]
    fn endpoints_come_after_the_issuers_path_and_well_known_before_it() {
        let issuer = Issuer::parse("https://token.example/bank/").unwrap();
        assert_eq!(issuer.endpoint("/token/c1"), "https://token.example/bank/token/c1");
        assert_eq!(issuer.metadata_url("/.well-known/x"), "https://token.example/.well-known/x/bank");
        let plain = Issuer::parse("http://127.0.0.1:8080").unwrap();
        assert_eq!(plain.metadata_url("/.well-known/x"), "http://127.0.0.1:8080/.well-known/x");
        assert!(plain.is_plain());
    }
}
