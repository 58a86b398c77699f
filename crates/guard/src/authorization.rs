//! The token of a request (RFC 6750 2.1, RFC 9449 7.1), and what else its headers must not leave open.

use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};
use procura_protocol::ids::ContactId;

use crate::client_place::query_values;
use crate::refusal::{Refusal, RequestFault};

/// The header by which a caller may say which contact it takes the token to be for.
pub(crate) const CONTACT_HEADER: &str = "x-contact-id";

/// How a token comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Scheme {
    /// Whoever bears it may use it.
    #[default]
    Bearer,
    /// With a proof of possession.
    Dpop,
}

impl Scheme {
    /// That of a request, for the challenge of its answer. One that says nothing clear gets the usual one.
    pub(crate) fn of(headers: &HeaderMap) -> Scheme {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return Scheme::Bearer };
        split(value.as_bytes()).0.unwrap_or_default()
    }

    fn named(name: &[u8]) -> Option<Scheme> {
        let known = [(Scheme::Bearer, &b"bearer"[..]), (Scheme::Dpop, b"dpop")];
        known.into_iter().find(|(_, known)| name.eq_ignore_ascii_case(known)).map(|(scheme, _)| scheme)
    }
}

/// The scheme, if it is one of ours, and what follows it.
fn split(value: &[u8]) -> (Option<Scheme>, &[u8]) {
    let end = value.iter().position(|byte| !is_tchar(*byte)).unwrap_or(value.len());
    let (name, credentials) = value.split_at(end);
    (Scheme::named(name), credentials)
}

/// The one token of a request, and how it comes.
pub(crate) fn token<'r>(headers: &'r HeaderMap, uri: &Uri) -> Result<(Scheme, &'r str), Refusal> {
    if let Some(query) = uri.query()
        && query_values(query, "access_token").next().is_some()
    {
        return Err(RequestFault::TokenInQuery.into());
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::NoToken)?.as_bytes();
    if values.next().is_some() {
        return Err(RequestFault::RepeatedAuthorization.into());
    }
    let (Some(scheme), credentials) = split(value) else { return Err(Refusal::NoToken) };
    let token = credentials.strip_prefix(b" ").filter(|token| is_b64token(token));
    let text = token.and_then(|token| std::str::from_utf8(token).ok());
    let malformed = match scheme {
        Scheme::Bearer => RequestFault::MalformedBearer,
        Scheme::Dpop => RequestFault::MalformedDpop,
    };
    text.map(|text| (scheme, text)).ok_or_else(|| malformed.into())
}

/// What a scheme is made of (RFC 9110 5.6.2).
fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Letters, digits and a few marks, then any number of `=`. No branch for each byte: a token is long.
fn is_b64token(bytes: &[u8]) -> bool {
    let end = bytes.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let fits =
        |byte: u8| byte.is_ascii_alphanumeric() | matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    end > 0 && bytes[..end].iter().fold(true, |all, byte| all & fits(*byte))
}

/// Whether `X-Contact-ID`, if it was sent, names the contact of the token.
pub(crate) fn check_contact(headers: &HeaderMap, contact: &ContactId) -> Result<(), Refusal> {
    let mut values = headers.get_all(CONTACT_HEADER).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(()),
        (Some(_), Some(_)) => Err(RequestFault::RepeatedContact.into()),
        (Some(value), None) if value.as_bytes() == contact.as_str().as_bytes() => Ok(()),
        (Some(_), None) => Err(Refusal::ContactMismatch),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(values: &[&str], uri: &str) -> Result<String, Refusal> {
        read_as(values, uri).map(|(_, token)| token)
    }

    fn read_as(values: &[&str], uri: &str) -> Result<(Scheme, String), Refusal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        token(&headers, &uri.parse().unwrap()).map(|(scheme, token)| (scheme, token.to_owned()))
    }

    #[test]
    fn a_token_with_a_proof_comes_by_a_scheme_of_its_own() {
        for value in ["DPoP a.b.c", "dpop a.b.c", "DPOP a.b.c"] {
            assert_eq!(read_as(&[value], "/"), Ok((Scheme::Dpop, "a.b.c".into())), "{value}");
        }
        assert_eq!(read_as(&["Bearer a.b.c"], "/"), Ok((Scheme::Bearer, "a.b.c".into())));
        for value in ["DPoP", "DPoP ", "DPoP  a.b.c", "DPoP a b", "DPoP:a.b.c", "DPoP a.b.c, Bearer d"] {
            assert_eq!(read(&[value], "/"), Err(RequestFault::MalformedDpop.into()), "{value}");
        }
        let two = Err(RequestFault::RepeatedAuthorization.into());
        assert_eq!(read(&["DPoP a", "Bearer a"], "/"), two);
        assert_eq!(read(&["DPoP a"], "/?access_token=a"), Err(RequestFault::TokenInQuery.into()));
    }

    #[test]
    fn a_bearer_token_is_read_whatever_the_case_of_its_scheme() {
        for value in ["Bearer a.b-c_d~e+f/g==", "bearer a.b-c_d~e+f/g==", "BEARER a.b-c_d~e+f/g=="] {
            assert_eq!(read(&[value], "/"), Ok("a.b-c_d~e+f/g==".into()), "{value}");
        }
    }

    #[test]
    fn no_token_is_not_a_malformed_one() {
        for values in [&[][..], &["Basic YTpi"], &["Bearera.b.c"], &[""], &["DPoPa.b.c"]] {
            assert_eq!(read(values, "/"), Err(Refusal::NoToken), "{values:?}");
        }
        for value in [
            "Bearer",
            "Bearer ",
            "Bearer  a.b.c",
            "Bearer:a.b.c",
            "Bearer\ta.b.c",
            "Bearer a b",
            "Bearer a.b.c, Bearer d",
            "Bearer a=b",
            "Bearer =",
            "Bearer \"a\"",
        ] {
            assert_eq!(read(&[value], "/"), Err(RequestFault::MalformedBearer.into()), "{value}");
        }
    }

    #[test]
    fn two_headers_or_a_token_in_the_query_are_refused_beside_a_good_one() {
        let two = RequestFault::RepeatedAuthorization.into();
        assert_eq!(read(&["Bearer a", "Bearer a"], "/"), Err(two));
        assert_eq!(read(&["Basic YTpi", "Bearer a"], "/"), Err(two));
        for query in ["access_token=a", "x=1&access_token", "access%5Ftoken=", "%61ccess_token=a"] {
            let refusal = RequestFault::TokenInQuery.into();
            assert_eq!(read(&["Bearer a"], &format!("/?{query}")), Err(refusal), "{query}");
        }
        assert!(read(&["Bearer a"], "/access_token?x=access_token").is_ok());
    }

    #[test]
    fn a_contact_that_is_named_must_be_the_tokens() {
        let contact = ContactId::parse("CON1").unwrap();
        let check = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("X-Contact-ID", HeaderValue::from_str(value).unwrap());
            }
            check_contact(&headers, &contact)
        };
        assert_eq!((check(&[]), check(&["CON1"])), (Ok(()), Ok(())));
        assert_eq!(check(&["CON1", "CON1"]), Err(RequestFault::RepeatedContact.into()));
        for other in ["", "con1", "CON2", "CON1 x"] {
            assert_eq!(check(&[other]), Err(Refusal::ContactMismatch), "{other}");
        }
    }
}
