//! Where a resource is reached, as its owner says.

use std::fmt;

use procura_dpop::TargetUri;
use thiserror::Error;

use crate::resource::is_loopback;

/// A URL under which callers reach a resource: what stands before the path of each request.
///
/// A proof of possession names the whole URL of the request that it is for (RFC 9449 4.2), and no request says it:
/// a `Host` header is the caller's, and behind a proxy even scheme and port are others. So the owner says it. A
/// path is taken, for an API behind a proxy that cuts it off.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl(Box<str>);

/// Why a text is no such URL; completes "it ...".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidBaseUrl {
    /// Not a URL, or one with a user.
    #[error("must be an absolute URL, for instance https://api.example")]
    NotAUrl,
    /// A query or a fragment.
    #[error("must have no query and no fragment")]
    Extra,
    /// `http` on another machine.
    #[error("must start with https://; http:// is for loopback only")]
    NotHttps,
}

impl BaseUrl {
    /// Reads one. A slash at its end makes no difference.
    ///
    /// # Errors
    ///
    /// [`InvalidBaseUrl`] unless it is an `https` URL, or `http` on loopback.
    pub fn parse(text: &str) -> Result<BaseUrl, InvalidBaseUrl> {
        if text.contains(['?', '#']) {
            return Err(InvalidBaseUrl::Extra);
        }
        let normal = TargetUri::parse(text).ok_or(InvalidBaseUrl::NotAUrl)?;
        if let Some(rest) = normal.as_str().strip_prefix("http://") {
            let authority = rest.split('/').next().unwrap_or_default();
            let port = authority.rfind(':').filter(|at| !authority[*at..].contains(']'));
            if !is_loopback(&authority[..port.unwrap_or(authority.len())]) {
                return Err(InvalidBaseUrl::NotHttps);
            }
        }
        Ok(BaseUrl(normal.as_str().trim_end_matches('/').into()))
    }

    /// In normal form, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL of a request for this path.
    pub(crate) fn target(&self, path: &str) -> Option<TargetUri> {
        TargetUri::under(&self.0, path)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_has_one_form_and_takes_a_path() {
        for (text, expected) in [
            ("https://api.example", "https://api.example"),
            ("https://API.example:443/", "https://api.example"),
            ("https://api.example/v1/", "https://api.example/v1"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://[::1]", "http://[::1]"),
            ("http://localhost", "http://localhost"),
        ] {
            let base = BaseUrl::parse(text).unwrap();
            assert_eq!(base.as_str(), expected, "{text}");
            assert_eq!(base.target("/a").unwrap().as_str(), format!("{expected}/a"), "{text}");
        }
    }

    #[test]
    fn what_callers_can_not_reach_safely_is_no_base() {
        for (text, why) in [
            ("http://api.example", InvalidBaseUrl::NotHttps),
            ("http://127.0.0.1.example", InvalidBaseUrl::NotHttps),
            ("http://10.0.0.1:8080", InvalidBaseUrl::NotHttps),
            ("https://api.example?a", InvalidBaseUrl::Extra),
            ("https://api.example/#a", InvalidBaseUrl::Extra),
            ("https://user@api.example", InvalidBaseUrl::NotAUrl),
            ("api.example", InvalidBaseUrl::NotAUrl),
            ("/v1", InvalidBaseUrl::NotAUrl),
            ("", InvalidBaseUrl::NotAUrl),
        ] {
            assert_eq!(BaseUrl::parse(text), Err(why), "{text}");
        }
    }
}
