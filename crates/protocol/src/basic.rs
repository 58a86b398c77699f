//! The application's credentials in the `Authorization` header (RFC 7617, RFC 6749 2.3.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::form;
use crate::secret::Secret;

/// Longest value of an `Authorization` header that is read, in bytes.
pub const MAX_HEADER_LENGTH: usize = 4096;

/// What the `Authorization` headers of a request say.
#[derive(Debug)]
pub enum Authorization {
    /// There is none.
    Absent,
    /// One of another scheme than Basic.
    OtherScheme,
    /// More than one, or a Basic that can't be read. Judged as wrong credentials, with its own cause.
    Malformed,
    /// Credentials, not yet checked.
    Basic(BasicCredentials),
}

/// An id and a secret as they came; whether there is such an application is for others to say.
#[derive(Debug)]
pub struct BasicCredentials {
    /// The user-id half, form-decoded.
    pub id: String,
    /// The password half, form-decoded.
    pub secret: Secret,
}

/// Reads all values of the `Authorization` header of one request.
///
/// The scheme's case means nothing. The credentials must be canonical, padded base64 (RFC 4648 4); they
/// are split at the first `:`, and both halves are form-decoded, so an id may hold an escaped `:`.
pub fn read_authorization<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Authorization {
    let mut values = values.into_iter();
    match (values.next(), values.next()) {
        (None, _) => Authorization::Absent,
        (Some(value), None) => read(value),
        (Some(_), Some(_)) => Authorization::Malformed,
    }
}

/// Writes the value of an `Authorization` header: id and secret are form-encoded, then joined and
/// base64-encoded (RFC 6749 2.3.1, RFC 7617). So the id of a resource, which is a URI, can stand there although
/// it has a colon. Printable ASCII.
pub fn write_authorization(id: &str, secret: &Secret) -> Zeroizing<String> {
    let mut pair = Zeroizing::new(Vec::with_capacity(3 * (id.len() + secret.expose().len()) + 1));
    form::push_encoded(&mut pair, id.as_bytes());
    pair.push(b':');
    form::push_encoded(&mut pair, secret.expose());
    // At its final length, so that no half of it is left behind when the text grows.
    let mut text = Zeroizing::new(String::with_capacity("Basic ".len() + pair.len().div_ceil(3) * 4));
    text.push_str("Basic ");
    STANDARD.encode_string(pair.as_slice(), &mut text);
    text
}

fn read(value: &[u8]) -> Authorization {
    if value.len() > MAX_HEADER_LENGTH {
        return Authorization::Malformed;
    }
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    if scheme.is_empty() {
        return Authorization::Malformed;
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return Authorization::OtherScheme;
    }
    read_credentials(rest.trim_ascii_start()).map_or(Authorization::Malformed, Authorization::Basic)
}

fn read_credentials(encoded: &[u8]) -> Option<BasicCredentials> {
    let decoded = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let id = form::decode(&decoded[..colon]).ok()?.into_owned();
    let secret = form::decode(&decoded[colon + 1..]).ok()?.into_owned();
    Some(BasicCredentials { id, secret: Secret::from(secret) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    fn read_one(value: &str) -> Authorization {
        read_authorization([value.as_bytes()])
    }

    fn pair(value: &str) -> (String, Vec<u8>) {
        match read_one(value) {
            Authorization::Basic(read) => (read.id, read.secret.expose().to_vec()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn absent_other_and_malformed_are_told_apart() {
        assert!(matches!(read_authorization([]), Authorization::Absent));
        for value in ["Bearer abc", "Digest x=y", "Basically abc", "Bearer"] {
            assert!(matches!(read_one(value), Authorization::OtherScheme), "{value}");
        }
        for value in ["", " ", "Basic", "Basic ", "Basic !", "Basic YTpi YTpi", "Basic YQ=="] {
            assert!(matches!(read_one(value), Authorization::Malformed), "{value:?}");
        }
    }

    #[test]
    fn the_scheme_is_case_insensitive() {
        for scheme in ["Basic", "basic", "BASIC", "bAsIc"] {
            assert_eq!(pair(&format!("{scheme} YXBwXzE6cw==")), ("app_1".to_owned(), b"s".to_vec()));
        }
    }

    #[test]
    fn the_halves_are_split_at_the_first_colon_and_form_decoded() {
        assert_eq!(pair(&basic("app_1:a:b")), ("app_1".to_owned(), b"a:b".to_vec()));
        assert_eq!(pair(&basic("a%3Ab:c+d%2B")), ("a:b".to_owned(), b"c d+".to_vec()));
        for malformed in ["a%:b", "a:%zz", "a:\0", "a:b\n", "a"] {
            assert!(matches!(read_one(&basic(malformed)), Authorization::Malformed), "{malformed:?}");
        }
        let invalid_utf8 = format!("Basic {}", STANDARD.encode(b"a:\xff"));
        assert!(matches!(read_one(&invalid_utf8), Authorization::Malformed));
    }

    #[test]
    fn only_canonical_padded_base64_is_read() {
        assert_eq!(pair("Basic YTpi").0, "a");
        for value in ["Basic YTpiYw", "Basic YTpiYx==", "Basic YT pi", "Basic YTpi=", "Basic YTp_"] {
            assert!(matches!(read_one(value), Authorization::Malformed), "{value}");
        }
    }

    #[test]
    fn two_headers_are_malformed_even_when_equal() {
        let value = basic("app_1:s");
        let both = read_authorization([value.as_bytes(), value.as_bytes()]);
        assert!(matches!(both, Authorization::Malformed));
        let mixed = read_authorization([value.as_bytes(), b"Bearer x"]);
        assert!(matches!(mixed, Authorization::Malformed));
    }

    #[test]
    fn a_header_beyond_the_bound_is_malformed() {
        assert!(matches!(read_one(&basic(&format!("a:{}", "b".repeat(4096)))), Authorization::Malformed));
    }

    #[test]
    fn debug_output_shows_no_secret() {
        assert!(!format!("{:?}", read_one(&basic("app_1:hunter2"))).contains("hunter2"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = read_authorization([bytes.as_slice()]);
            let mut prefixed = b"Basic ".to_vec();
            prefixed.extend_from_slice(&bytes);
            let _ = read_authorization([prefixed.as_slice()]);
        }

        #[test]
        fn plain_credentials_read_back(id in "[a-zA-Z0-9_.-]{0,20}", secret in "[a-zA-Z0-9_.:-]{0,40}") {
            prop_assert_eq!(pair(&basic(&format!("{id}:{secret}"))), (id, secret.into_bytes()));
        }
    }
}
