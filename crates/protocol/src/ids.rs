//! Identifiers of applications, contacts, clients and resources.
//!
//! One type for each, so that none can be taken for another. Application ids carry the reserved prefix
//! `app_`, which no other id may have, so that even as bare strings (a `sub`, a journal line) the kinds
//! stay apart.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The prefix that makes an id an application's, and that no other id may have.
pub const APPLICATION_PREFIX: &str = "app_";

/// Longest id of a contact, client or application, in bytes.
pub const MAX_ID_LENGTH: usize = 64;

/// Longest resource URI, in bytes.
pub const MAX_RESOURCE_LENGTH: usize = 255;

/// Why a string is not an identifier of the kind that was asked for. Never echoes the string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidId {
    /// Nothing was given.
    #[error("is empty")]
    Empty,
    /// Longer than the kind allows.
    #[error("is longer than {0} characters")]
    TooLong(usize),
    /// A character outside the kind's alphabet.
    #[error("may hold only letters, digits, '.', '_' and '-'")]
    Character,
    /// `.` or `..`, which mean something else in a path.
    #[error("must not be '.' or '..'")]
    Dots,
    /// A contact or client id that looks like an application's.
    #[error("must not start with 'app_', which is reserved for applications")]
    ReservedPrefix,
    /// An application id without its prefix, or with characters it may not have.
    #[error("must be 'app_' followed by 1 to 60 letters or digits")]
    NotAnApplication,
    /// A resource that is not an absolute URI.
    #[error("must be an absolute URI of visible ASCII characters, without a fragment")]
    NotAUri,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Reads the id, or says what is wrong with it.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                $check(text)?;
                Ok(Self(text.into()))
            }

            /// The id as it stands on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                $check(&text)?;
                Ok(Self(text.into_boxed_str()))
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.into_string()
            }
        }
    };
}

id! {
    /// A partner's program: OAuth's `client_id`. `app_[A-Za-z0-9]{1,60}`.
    ApplicationId, check_application
}
id! {
    /// A person who may act for clients: `contact_id`, `sub`. 1 to 64 of `[A-Za-z0-9._-]`.
    ContactId, check_party
}
id! {
    /// A customer company: `client_id` of API calls. 1 to 64 of `[A-Za-z0-9._-]`.
    ClientId, check_party
}
id! {
    /// An API that takes tokens: `aud` of an access token, RFC 8707 `resource`. An absolute URI.
    ResourceId, check_resource
}

/// Checks an application id without keeping it.
pub fn check_application(text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    let rest = text.strip_prefix(APPLICATION_PREFIX).ok_or(InvalidId::NotAnApplication)?;
    let fits = (1..=MAX_ID_LENGTH - APPLICATION_PREFIX.len()).contains(&rest.len());
    if fits && rest.bytes().all(|b| b.is_ascii_alphanumeric()) {
        Ok(())
    } else {
        Err(InvalidId::NotAnApplication)
    }
}

/// Checks a contact or client id without keeping it.
pub fn check_party(text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > MAX_ID_LENGTH {
        return Err(InvalidId::TooLong(MAX_ID_LENGTH));
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
        return Err(InvalidId::Character);
    }
    if text == "." || text == ".." {
        return Err(InvalidId::Dots);
    }
    if text.starts_with(APPLICATION_PREFIX) {
        return Err(InvalidId::ReservedPrefix);
    }
    Ok(())
}

/// Checks a resource id: an absolute URI (RFC 3986 4.3, RFC 8707 2) without a fragment.
pub fn check_resource(text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > MAX_RESOURCE_LENGTH {
        return Err(InvalidId::TooLong(MAX_RESOURCE_LENGTH));
    }
    let (scheme, rest) = text.split_once(':').ok_or(InvalidId::NotAUri)?;
    let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let rest_fits = !rest.is_empty()
        && rest.bytes().all(|b| {
            b.is_ascii_graphic()
                && !matches!(b, b'#' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
        });
    if scheme_fits && rest_fits { Ok(()) } else { Err(InvalidId::NotAUri) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_string_is_an_id_of_an_application_and_of_a_party() {
        for text in ["app_1", "app_a", "app_", "app", "contact", "app_a.b", "APP_1", "app-1"] {
            assert!(ApplicationId::parse(text).is_err() || ContactId::parse(text).is_err(), "{text} is both");
        }
    }

    #[test]
    fn a_party_id_is_1_to_64_of_its_alphabet() {
        assert!(ContactId::parse(&"a".repeat(64)).is_ok());
        assert_eq!(ContactId::parse(&"a".repeat(65)), Err(InvalidId::TooLong(64)));
        assert_eq!(ContactId::parse(""), Err(InvalidId::Empty));
        for bad in ["a b", "a/b", "a\0", "é", "a%2f", "a:b"] {
            assert_eq!(ContactId::parse(bad), Err(InvalidId::Character), "{bad:?}");
        }
        assert_eq!(ClientId::parse("."), Err(InvalidId::Dots));
        assert_eq!(ClientId::parse(".."), Err(InvalidId::Dots));
        assert!(ClientId::parse("...").is_ok());
        assert_eq!(ClientId::parse("app_x"), Err(InvalidId::ReservedPrefix));
    }

    #[test]
    fn an_application_id_is_the_prefix_and_letters_or_digits() {
        assert!(ApplicationId::parse(&format!("app_{}", "a".repeat(60))).is_ok());
        for bad in ["app_", "app_a-b", "x", &format!("app_{}", "a".repeat(61))] {
            assert_eq!(ApplicationId::parse(bad), Err(InvalidId::NotAnApplication), "{bad}");
        }
    }

    #[test]
    fn a_resource_is_an_absolute_uri_without_a_fragment() {
        for good in ["https://a.example/api", "urn:procura:api", "http://127.0.0.1:8080/api?x=1"] {
            assert!(ResourceId::parse(good).is_ok(), "{good}");
        }
        for bad in ["/api", "api", "1http://x", "https:", "https://a b", "https://a/#f", "https://é"] {
            assert_eq!(ResourceId::parse(bad), Err(InvalidId::NotAUri), "{bad}");
        }
    }

    #[test]
    fn serde_refuses_what_parse_refuses() {
        assert!(serde_json::from_str::<ContactId>("\"app_x\"").is_err());
        assert_eq!(serde_json::to_string(&ContactId::parse("con.1").unwrap()).unwrap(), "\"con.1\"");
    }
}
