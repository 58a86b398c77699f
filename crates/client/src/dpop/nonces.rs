//! Nonces of servers, each for the server that gave it (RFC 9449 8.2).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Uri};
use procura_protocol::dpop::DPOP_NONCE_HEADER;

/// Of how many servers a nonce is kept; beyond them one is dropped, which costs one more request there.
const MOST: usize = 64;
/// Longest nonce that is kept, in bytes.
const LONGEST: usize = 1_024;

/// Who gave a nonce. One origin can be both, and need not take from the one what the other gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Giver {
    TokenEndpoint,
    Resource,
}

/// The last nonce of each.
#[derive(Default)]
pub(crate) struct Nonces(Mutex<HashMap<(Giver, String), Box<str>>>);

impl Nonces {
    pub(crate) fn of(&self, giver: Giver, url: &Uri) -> Option<Box<str>> {
        self.map().get(&(giver, origin(url))).cloned()
    }

    /// Keeps what an answer from there brings; whether it brings one that can be used.
    pub(crate) fn keep(&self, giver: Giver, url: &Uri, headers: &HeaderMap) -> bool {
        let Some(nonce) = read(headers) else { return false };
        let (mut map, key) = (self.map(), (giver, origin(url)));
        if map.len() >= MOST
            && !map.contains_key(&key)
            && let Some(other) = map.keys().next().cloned()
        {
            map.remove(&other);
        }
        map.insert(key, nonce.into());
        true
    }

    fn map(&self) -> MutexGuard<'_, HashMap<(Giver, String), Box<str>>> {
        // No code that can panic halfway through a change runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one nonce of an answer: of RFC 9449 8.1, what a quoted string can hold without escapes.
fn read(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(DPOP_NONCE_HEADER).iter();
    let (Some(nonce), None) = (all.next(), all.next()) else { return None };
    let nonce = nonce.to_str().ok()?;
    let is_character = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    ((1..=LONGEST).contains(&nonce.len()) && nonce.bytes().all(is_character)).then_some(nonce)
}

/// Scheme, host and port (RFC 6454 4).
fn origin(url: &Uri) -> String {
    let (scheme, host) = (url.scheme_str().unwrap_or_default(), url.host().unwrap_or_default());
    let usual = if scheme == "https" { 443 } else { 80 };
    format!("{scheme}://{}:{}", host.to_ascii_lowercase(), url.port_u16().unwrap_or(usual))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(nonces: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for nonce in nonces {
            headers.append(DPOP_NONCE_HEADER, HeaderValue::from_str(nonce).unwrap());
        }
        headers
    }

    fn url(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn a_nonce_goes_back_to_whoever_gave_it_and_to_nobody_else() {
        let nonces = Nonces::default();
        let (giver, here) = (Giver::TokenEndpoint, url("https://token.example/token"));
        assert!(nonces.keep(giver, &here, &headers(&["first"])));
        assert!(nonces.keep(giver, &url("https://TOKEN.example:443/token/c1"), &headers(&["second"])));
        assert_eq!(nonces.of(giver, &here).as_deref(), Some("second"));
        for other in ["http://token.example/", "https://token.example:8443/", "https://x.token.example/"] {
            assert_eq!(nonces.of(giver, &url(other)), None, "{other}");
        }
        assert_eq!(nonces.of(Giver::Resource, &here), None);
        assert!(!nonces.keep(giver, &here, &headers(&[])));
        assert_eq!(
            nonces.of(giver, &here).as_deref(),
            Some("second"),
            "an answer without one changes nothing"
        );
    }

    #[test]
    fn what_is_no_nonce_is_not_kept() {
        let nonces = Nonces::default();
        let here = url("https://token.example/token");
        let long = "n".repeat(LONGEST + 1);
        for bad in [&["a", "b"][..], &["a", "a"], &[""], &["a b"], &["a\"b"], &["a\\b"], &[&long]] {
            assert!(!nonces.keep(Giver::Resource, &here, &headers(bad)), "{bad:?}");
        }
        assert_eq!(nonces.of(Giver::Resource, &here), None);
    }

    #[test]
    fn many_servers_take_no_more_room_than_some() {
        let nonces = Nonces::default();
        for number in 0..3 * MOST {
            let there = url(&format!("https://api{number}.example/"));
            assert!(nonces.keep(Giver::Resource, &there, &headers(&["n"])));
            assert!(nonces.of(Giver::Resource, &there).is_some());
        }
        assert_eq!(nonces.map().len(), MOST);
    }
}
