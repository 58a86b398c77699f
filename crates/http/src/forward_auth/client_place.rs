//! Where a client's id stands in the original request, and that it stands nowhere else.

use http::{HeaderMap, HeaderName};
use procura_guard::Refusal;
use procura_protocol::form;
use procura_protocol::ids::ClientId;
use procura_protocol::original_uri::OriginalUri;
use thiserror::Error;

use super::original::{Unclear, same_header};
use super::{Pattern, Refused};

/// The usual parameter.
const CLIENT_ID: &str = "client_id";
/// Headers that somebody behind the proxy may look for a client in.
const HEADERS: [&str; 2] = ["client-id", "x-client-id"];

/// Where a client's id stands in the original request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientPlace {
    /// A parameter of the query.
    Query(Box<str>),
    /// `{client_id}` in a path that fits.
    Path(Pattern),
    /// A header.
    Header(HeaderName),
}

/// Why a text names no place; completes "it ...".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidPlace {
    /// The name of a parameter.
    #[error("must be the name of a parameter: letters, digits, _ and -")]
    Parameter,
    /// The pattern.
    #[error("must have {{client_id}} exactly once")]
    Pattern,
    /// The name of a header.
    #[error("must be the name of a header that says nothing else")]
    Header,
}

impl Default for ClientPlace {
    fn default() -> ClientPlace {
        ClientPlace::Query(CLIENT_ID.into())
    }
}

impl ClientPlace {
    /// A parameter of the query.
    ///
    /// # Errors
    ///
    /// [`InvalidPlace::Parameter`].
    pub fn query(name: &str) -> Result<ClientPlace, InvalidPlace> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if name.is_empty() || name.len() > form::MAX_NAME_LENGTH || !name.bytes().all(fits) {
            return Err(InvalidPlace::Parameter);
        }
        Ok(ClientPlace::Query(name.into()))
    }

    /// `{client_id}` in a path.
    ///
    /// # Errors
    ///
    /// [`InvalidPlace::Pattern`].
    pub fn path(pattern: Pattern) -> Result<ClientPlace, InvalidPlace> {
        if pattern.clients() == 1 { Ok(ClientPlace::Path(pattern)) } else { Err(InvalidPlace::Pattern) }
    }

    /// A header.
    ///
    /// # Errors
    ///
    /// [`InvalidPlace::Header`].
    pub fn header(name: &str) -> Result<ClientPlace, InvalidPlace> {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| InvalidPlace::Header)?;
        let taken = ["authorization", "host", "connection", "x-contact-id", "content-length", "cookie"];
        let ours = ["procura-", "x-original-", "x-forwarded-"];
        let is_taken =
            taken.contains(&name.as_str()) || ours.iter().any(|start| name.as_str().starts_with(start));
        if is_taken { Err(InvalidPlace::Header) } else { Ok(ClientPlace::Header(name)) }
    }

    /// The client that the request is about.
    pub(super) fn find(&self, headers: &HeaderMap, uri: &OriginalUri<'_>) -> Result<ClientId, Refused> {
        if headers.keys().any(|name| self.is_second(name)) {
            return Err(Unclear::SecondClient.into());
        }
        let in_query = uri.query_names().filter(|name| self.is_parameter(name)).count();
        let parse = |text: &str| ClientId::parse(text).ok();
        let found = match self {
            ClientPlace::Query(_) if in_query > 1 => return Err(Unclear::SecondClient.into()),
            ClientPlace::Path(_) | ClientPlace::Header(_) if in_query > 0 => {
                return Err(Unclear::SecondClient.into());
            }
            ClientPlace::Query(name) => {
                let value = uri.query().find(|(found, _)| *found == **name).map(|(_, value)| value);
                value.and_then(|value| form::decode(value.as_bytes()).ok().and_then(|text| parse(&text)))
            }
            ClientPlace::Path(pattern) => pattern.client(uri.segments()),
            ClientPlace::Header(name) => {
                let mut values = headers.get_all(name).iter();
                let value = values.next();
                if values.next().is_some() {
                    return Err(Unclear::SecondClient.into());
                }
                value.and_then(|value| value.to_str().ok()).and_then(parse)
            }
        };
        found.ok_or(Refusal::ClientNotAllowed.into())
    }

    /// Whether a header may name a client to somebody, and is not the one that does.
    fn is_second(&self, name: &HeaderName) -> bool {
        let place = match self {
            ClientPlace::Header(place) if place == name => return false,
            ClientPlace::Header(place) => Some(place.as_str()),
            ClientPlace::Query(_) | ClientPlace::Path(_) => None,
        };
        HEADERS.into_iter().chain(place).any(|known| same_header(name.as_str(), known))
    }

    /// Whether a parameter may name a client to somebody.
    fn is_parameter(&self, name: &str) -> bool {
        let own = if let ClientPlace::Query(own) = self { Some(&**own) } else { None };
        [CLIENT_ID].into_iter().chain(own).any(|known| same_parameter(name, known))
    }
}

/// Whether some reader takes a name for another: without regard to case or surrounding space, with dots,
/// spaces and hyphens for underscores, and with brackets for a list.
fn same_parameter(name: &str, other: &str) -> bool {
    let bare = |text: &str| -> usize { text.find('[').unwrap_or(text.len()) };
    let (name, other) = (name.trim(), other.trim());
    let alike = |c: char| match c {
        ' ' | '.' | '-' => '_',
        other => other.to_ascii_lowercase(),
    };
    name[..bare(name)].chars().map(alike).eq(other[..bare(other)].chars().map(alike))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(place: &ClientPlace, uri: &str, headers: &[(&str, &str)]) -> Result<String, String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let uri = OriginalUri::read(uri.as_bytes()).unwrap();
        place.find(&map, &uri).map(|client| client.as_str().to_owned()).map_err(|refused| refused.to_string())
    }

    fn second() -> String {
        Unclear::SecondClient.to_string()
    }

    fn not_allowed() -> String {
        Refusal::ClientNotAllowed.to_string()
    }

    #[test]
    fn a_client_is_found_in_its_place() {
        let query = ClientPlace::default();
        assert_eq!(find(&query, "/a?client_id=CLI1", &[]), Ok("CLI1".into()));
        assert_eq!(find(&query, "/a?x=y&client%5Fid=CLI%31", &[]), Ok("CLI1".into()));
        let path = ClientPlace::path(Pattern::parse("/clients/{client_id}").unwrap()).unwrap();
        assert_eq!(find(&path, "/clients/CLI1?x=y", &[]), Ok("CLI1".into()));
        let header = ClientPlace::header("X-Client-ID").unwrap();
        assert_eq!(find(&header, "/a", &[("X-Client-Id", "CLI1")]), Ok("CLI1".into()));
    }

    #[test]
    fn none_and_malformed_ones_are_not_allowed() {
        let query = ClientPlace::default();
        for uri in [
            "/a",
            "/a?client_id",
            "/a?client_id=",
            "/a?client_id=a%20b",
            "/a?client_id=CLI1;x",
            "/a?Client_ID=CLI1",
        ] {
            assert_eq!(find(&query, uri, &[]), Err(not_allowed()), "{uri}");
        }
        let header = ClientPlace::header("X-Client-ID").unwrap();
        for headers in [&[][..], &[("X-Client-ID", "")], &[("X-Client-ID", "CLI1, CLI2")]] {
            assert_eq!(find(&header, "/a", headers), Err(not_allowed()), "{headers:?}");
        }
    }

    #[test]
    fn a_second_one_anywhere_is_refused_whatever_it_says() {
        let query = ClientPlace::default();
        for also in [
            "client_id=CLI1",
            "client_id",
            "client%5fid=CLI1",
            "CLIENT_ID=CLI1",
            "client.id=CLI1",
            "client-id=CLI1",
            "client+id=CLI1",
            "client_id[]=CLI1",
            "client_id%5B0%5D=CLI1",
            "+client_id=CLI1",
            "x=1;client_id=CLI1",
        ] {
            for uri in [format!("/a?client_id=CLI1&{also}"), format!("/a?{also}&client_id=CLI1")] {
                assert_eq!(find(&query, &uri, &[]), Err(second()), "{uri}");
            }
        }
        for name in ["Client-Id", "client_id", "X-Client-ID", "x_client_id"] {
            assert_eq!(find(&query, "/a?client_id=CLI1", &[(name, "CLI1")]), Err(second()), "{name}");
        }
        let path = ClientPlace::path(Pattern::parse("/clients/{client_id}").unwrap()).unwrap();
        assert_eq!(find(&path, "/clients/CLI1?client_id=CLI1", &[]), Err(second()));
        let header = ClientPlace::header("X-Acme-Client").unwrap();
        let right = ("X-Acme-Client", "CLI1");
        for also in [right, ("X_Acme_Client", "CLI1"), ("X-Client-ID", "CLI1")] {
            assert_eq!(find(&header, "/a", &[right, also]), Err(second()), "{also:?}");
        }
        assert_eq!(find(&header, "/a?client_id=CLI1", &[right]), Err(second()));
    }

    #[test]
    fn a_place_that_says_something_else_already_is_none() {
        for name in ["Authorization", "X-Contact-ID", "X-Forwarded-Uri", "Procura-Client", "a b", ""] {
            assert_eq!(ClientPlace::header(name), Err(InvalidPlace::Header), "{name}");
        }
        for name in ["", "a b", "client_id[]", "é"] {
            assert_eq!(ClientPlace::query(name), Err(InvalidPlace::Parameter), "{name}");
        }
        for pattern in ["/a", "/{client_id}/{client_id}"] {
            assert_eq!(ClientPlace::path(Pattern::parse(pattern).unwrap()), Err(InvalidPlace::Pattern));
        }
    }
}
