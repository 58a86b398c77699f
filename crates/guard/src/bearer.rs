//! The token of a request (RFC 6750 2.1), and what else its headers must not leave open.

use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};
use procura_protocol::ids::ContactId;

use crate::client_place::query_values;
use crate::refusal::{Refusal, RequestFault};

/// The header by which a caller may say which contact it takes the token to be for.
pub(crate) const CONTACT_HEADER: &str = "x-contact-id";

/// The one Bearer token of a request.
pub(crate) fn token<'r>(headers: &'r HeaderMap, uri: &Uri) -> Result<&'r str, Refusal> {
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
    let end = value.iter().position(|byte| !is_tchar(*byte)).unwrap_or(value.len());
    let (scheme, credentials) = value.split_at(end);
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(Refusal::NoToken);
    }
    let token = credentials.strip_prefix(b" ").filter(|token| is_b64token(token));
    let text = token.and_then(|token| std::str::from_utf8(token).ok());
    text.ok_or_else(|| RequestFault::MalformedBearer.into())
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
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        token(&headers, &uri.parse().unwrap()).map(str::to_owned)
    }

    #[test]
    fn a_bearer_token_is_read_whatever_the_case_of_its_scheme() {
        for value in ["Bearer a.b-c_d~e+f/g==", "bearer a.b-c_d~e+f/g==", "BEARER a.b-c_d~e+f/g=="] {
            assert_eq!(read(&[value], "/"), Ok("a.b-c_d~e+f/g==".into()), "{value}");
        }
    }

    #[test]
    fn no_token_is_not_a_malformed_one() {
        for values in [&[][..], &["Basic YTpi"], &["Bearera.b.c"], &[""], &["DPoP a.b.c"]] {
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
