//! Who the guard is to the server: the resource's id, its secret, and how much it may miss.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderName, HeaderValue, Request, Uri};
use procura_jose::Algorithm;
use procura_protocol::basic::write_authorization;
use procura_protocol::events::Position;
use procura_protocol::ids::ResourceId;
use procura_protocol::mark_view::MarkView;
use procura_protocol::paths;
use procura_protocol::secret::Secret;
use thiserror::Error;

use crate::base_url::{BaseUrl, InvalidBaseUrl};
use crate::settings::Settings;

/// A resource as the server knows it, and what its guard demands.
#[derive(Debug, Clone)]
pub struct Resource {
    pub(crate) settings: Settings,
    /// Marked sensitive, so its `Debug` is `Sensitive`.
    authorization: HeaderValue,
    jwks: Uri,
    events: Uri,
    pub(crate) max_stale: Duration,
    pub(crate) mark_capacity: usize,
}

/// Why a text is not the issuer of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidIssuer {
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

impl Resource {
    /// How long marks may be missed before a guard answers 503, when nobody says otherwise.
    pub const USUAL_MAX_STALE: Duration = Duration::from_secs(5);

    /// A resource of the server with this issuer. The secret is turned into the `Authorization` header
    /// here and not kept in any other form.
    ///
    /// # Errors
    ///
    /// [`InvalidIssuer`] unless the issuer is an `https` URL, or `http` on loopback.
    pub fn new(issuer: &str, id: ResourceId, secret: &Secret) -> Result<Resource, InvalidIssuer> {
        let (jwks, events) = (endpoint(issuer, paths::JWKS)?, endpoint(issuer, paths::EVENTS)?);
        let authorization = basic(id.as_str(), secret);
        let settings = Settings::new(issuer, id);
        let max_stale = Resource::USUAL_MAX_STALE;
        let mark_capacity = MarkView::USUAL_CAPACITY;
        Ok(Resource { settings, authorization, jwks, events, max_stale, mark_capacity })
    }

    /// How long it may have missed marks before it answers 503. Longer keeps an API up while the server
    /// is away, and accepts revoked tokens for as long.
    #[must_use]
    pub fn max_stale(self, max_stale: Duration) -> Resource {
        Resource { max_stale, ..self }
    }

    /// How many marks it keeps singly; beyond, those of the application with the most collapse into one
    /// on that application.
    #[must_use]
    pub fn mark_capacity(self, marks: usize) -> Resource {
        Resource { mark_capacity: marks, ..self }
    }

    /// The algorithms that a token may be signed with.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Resource {
        self.settings.algorithms = algorithms.into_iter().collect();
        self
    }

    /// About how many bytes the cache of verified tokens may take.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Resource {
        self.settings.cache_bytes = bytes;
        self
    }

    /// A URL under which callers reach this resource, for instance `https://api.bank.example`: what stands before
    /// the path that the guard sees. May be said several times. Without any, tokens that are bound to a key
    /// (`cnf.jkt`, RFC 9449) are refused, since their proofs name the whole URL and no header can be believed
    /// about it.
    ///
    /// # Errors
    ///
    /// [`InvalidBaseUrl`] unless it is an `https` URL, or `http` on loopback.
    pub fn reached_at(mut self, url: &str) -> Result<Resource, InvalidBaseUrl> {
        self.settings.reached_at.push(BaseUrl::parse(url)?);
        Ok(self)
    }

    /// Has every proof of possession hold a nonce that this guard gave out (RFC 9449 9), so that none can be made
    /// beforehand. Callers without one are answered 401 with it, and ask again. Nonces are of one process: several
    /// behind one address need sticky routing.
    #[must_use]
    pub fn demand_proof_nonces(mut self) -> Resource {
        self.settings.demands_proof_nonces = true;
        self
    }

    /// How many used proofs of possession are remembered, each for two minutes. One takes up to 130 bytes, and one
    /// application may take a quarter of the room. Who finds none is answered 503.
    #[must_use]
    pub fn proof_capacity(mut self, proofs: usize) -> Resource {
        self.settings.proof_capacity = proofs;
        self
    }

    pub(crate) fn jwks_request(&self) -> Request<()> {
        request(&self.jwks, "application/json")
    }

    /// `GET /events`, from after `last` if anything is known.
    pub(crate) fn events_request(&self, last: Option<&Position>) -> Request<()> {
        let mut request = request(&self.events, "text/event-stream");
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        let last = last.and_then(|last| HeaderValue::from_str(&last.to_string()).ok());
        if let Some(last) = last {
            request.headers_mut().insert(LAST_EVENT_ID, last);
        }
        request
    }
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

fn request(uri: &Uri, accept: &'static str) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = uri.clone();
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let agent = concat!("procura-guard/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    request
}

fn endpoint(issuer: &str, path: &str) -> Result<Uri, InvalidIssuer> {
    if issuer.contains(['?', '#', '@']) {
        return Err(InvalidIssuer::Extra);
    }
    let text = format!("{}{path}", issuer.trim_end_matches('/'));
    let uri: Uri = text.parse().map_err(|_| InvalidIssuer::NotAUrl)?;
    let (Some(scheme), Some(host)) = (uri.scheme(), uri.host().filter(|host| !host.is_empty())) else {
        return Err(InvalidIssuer::NotAUrl);
    };
    if *scheme == Scheme::HTTPS || *scheme == Scheme::HTTP && is_loopback(host) {
        Ok(uri)
    } else {
        Err(InvalidIssuer::NotHttps)
    }
}

pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn basic(id: &str, secret: &Secret) -> HeaderValue {
    sensitive(&write_authorization(id, secret))
}

#[expect(clippy::expect_used, reason = "base64 is visible ASCII")]
fn sensitive(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).expect("base64 can stand in a header");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use procura_protocol::basic::{Authorization, read_authorization};

    use super::*;

    fn resource(issuer: &str) -> Result<Resource, InvalidIssuer> {
        let id = ResourceId::parse("https://bank.example/api?v=1").unwrap();
        Resource::new(issuer, id, &Secret::from(String::from("pcs_hunter 2:%+")))
    }

    #[test]
    fn the_server_reads_the_credentials_that_are_sent() {
        let request = resource("https://token.example").unwrap().events_request(None);
        match read_authorization([request.headers()[AUTHORIZATION].as_bytes()]) {
            Authorization::Basic(credentials) => {
                assert_eq!(credentials.id, "https://bank.example/api?v=1");
                assert_eq!(credentials.secret.expose_str(), Some("pcs_hunter 2:%+"));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_stream_is_asked_for_from_where_it_ended_and_keys_without_credentials() {
        let resource = resource("https://token.example/bank/").unwrap();
        let last = Position::parse("AAAAAAAAAAAAAAAAAAAAAA.7").unwrap();
        let events = resource.events_request(Some(&last));
        assert_eq!(events.uri(), "https://token.example/bank/events");
        assert_eq!(events.headers()["last-event-id"], "AAAAAAAAAAAAAAAAAAAAAA.7");
        let jwks = resource.jwks_request();
        assert_eq!(jwks.uri(), "https://token.example/bank/jwks");
        assert!(!jwks.headers().contains_key(AUTHORIZATION));
    }

    #[test]
    fn the_secret_goes_to_https_and_loopback_alone() {
        for good in ["https://token.example", "http://127.0.0.1:8080", "http://[::1]:1", "http://localhost:1"]
        {
            assert!(resource(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("http://token.example", InvalidIssuer::NotHttps),
            ("http://127.0.0.1.example", InvalidIssuer::NotHttps),
            ("ftp://127.0.0.1", InvalidIssuer::NotHttps),
            ("https://a:b@token.example", InvalidIssuer::Extra),
            ("https://token.example?x", InvalidIssuer::Extra),
            ("token.example", InvalidIssuer::NotAUrl),
            ("", InvalidIssuer::NotAUrl),
        ] {
            assert_eq!(resource(bad).unwrap_err(), why, "{bad}");
        }
    }

    #[test]
    fn nothing_prints_the_secret() {
        let resource = resource("https://token.example").unwrap();
        let printed = format!("{resource:?} {:?}", resource.events_request(None));
        assert!(!printed.contains("hunter") && !printed.contains("Basic"), "{printed}");
    }
}
