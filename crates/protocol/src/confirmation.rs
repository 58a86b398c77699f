//! What a token is bound to (`cnf`, RFC 7800 3): without proof of it the token is worth nothing.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// `cnf` of a token, whatever it says.
///
/// One that says anything beside what [`Binding`] can hold names a proof that nothing here can check: who is
/// shown such a token must refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// What can be checked: all of it must be proved.
    Bound(Binding),
    /// Anything else, null and malformed among it.
    Unknown,
}

impl<'de> Deserialize<'de> for Confirmation {
    /// Fails for what is no JSON alone.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Bound(Members),
            Unknown(IgnoredAny),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Bound(Members { certificate, key }) => {
                Binding::of(certificate, key).map_or(Confirmation::Unknown, Confirmation::Bound)
            }
            Either::Unknown(_) => Confirmation::Unknown,
        })
    }
}

/// What must be proved by whoever shows a token: that they hold a certificate, a key, or both. Never neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binding {
    /// `x5t#S256` (RFC 8705 3.1): the certificate that the token was issued to.
    Certificate(CertificateThumbprint),
    /// `jkt` (RFC 9449 6.1): the key whose proof the token was issued to.
    Key(KeyThumbprint),
    /// Both.
    CertificateAndKey(CertificateThumbprint, KeyThumbprint),
}

impl Binding {
    /// The binding to what there is; `None` to nothing.
    pub fn of(certificate: Option<CertificateThumbprint>, key: Option<KeyThumbprint>) -> Option<Binding> {
        match (certificate, key) {
            (None, None) => None,
            (Some(certificate), None) => Some(Binding::Certificate(certificate)),
            (None, Some(key)) => Some(Binding::Key(key)),
            (Some(certificate), Some(key)) => Some(Binding::CertificateAndKey(certificate, key)),
        }
    }

    /// The certificate that must be shown.
    pub fn certificate(self) -> Option<CertificateThumbprint> {
        match self {
            Binding::Certificate(certificate) | Binding::CertificateAndKey(certificate, _) => {
                Some(certificate)
            }
            Binding::Key(_) => None,
        }
    }

    /// The key of which a proof must come.
    pub fn key(self) -> Option<KeyThumbprint> {
        match self {
            Binding::Key(key) | Binding::CertificateAndKey(_, key) => Some(key),
            Binding::Certificate(_) => None,
        }
    }
}

impl Serialize for Binding {
    /// The members of `cnf`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Members { certificate: self.certificate(), key: self.key() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Binding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Members { certificate, key } = Members::deserialize(deserializer)?;
        Binding::of(certificate, key).ok_or_else(|| D::Error::custom("names neither a certificate nor a key"))
    }
}

/// `{"x5t#S256": "...", "jkt": "..."}`, with no other member.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    #[serde(
        rename = "x5t#S256",
        default,
        deserialize_with = "there",
        skip_serializing_if = "Option::is_none"
    )]
    certificate: Option<CertificateThumbprint>,
    #[serde(rename = "jkt", default, deserialize_with = "there", skip_serializing_if = "Option::is_none")]
    key: Option<KeyThumbprint>,
}

/// A member that is there must say something: `null` is no thumbprint.
fn there<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A text that is no base64url of 32 bytes in its one spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be the base64url of a SHA-256, 43 characters")]
pub struct InvalidThumbprint;

/// Reads base64url without padding, in the one spelling of its bytes.
fn parse(text: &str) -> Result<[u8; 32], InvalidThumbprint> {
    let mut bytes = [0; 32];
    // The decoder asks for room for as many bytes as whole groups of four characters hold.
    let mut room = [0; 33];
    if text.len() != CertificateThumbprint::TEXT_LEN {
        return Err(InvalidThumbprint);
    }
    let read = URL_SAFE_NO_PAD.decode_slice(text, &mut room).map_err(|_| InvalidThumbprint)?;
    bytes.copy_from_slice(room.get(..read).filter(|read| read.len() == 32).ok_or(InvalidThumbprint)?);
    Ok(bytes)
}

macro_rules! thumbprint {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// How many characters its text has.
            pub const TEXT_LEN: usize = 43;

            /// Reads base64url without padding.
            ///
            /// # Errors
            ///
            /// [`InvalidThumbprint`], also for a spelling that another decoder would take for the same bytes.
            pub fn parse(text: &str) -> Result<$name, InvalidThumbprint> {
                parse(text).map($name)
            }
        }

        impl From<[u8; 32]> for $name {
            fn from(digest: [u8; 32]) -> $name {
                $name(digest)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                $name::parse(&text).map_err(D::Error::custom)
            }
        }
    };
}

thumbprint! {
    /// SHA-256 of a certificate's DER: what names it in `x5t#S256` (RFC 8705 3.1). No secret.
    CertificateThumbprint
}

thumbprint! {
    /// SHA-256 of a public key's members: what names it in `jkt` (RFC 9449 6.1, RFC 7638). No secret.
    KeyThumbprint
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(cnf: &Value) -> Confirmation {
        serde_json::from_str(&cnf.to_string()).unwrap()
    }

    #[test]
    fn a_certificate_a_key_and_both_can_be_checked() {
        let (certificate, key) = (CertificateThumbprint([0xfb; 32]), KeyThumbprint([0xfe; 32]));
        for (cnf, binding) in [
            (json!({ "x5t#S256": certificate.to_string() }), Binding::Certificate(certificate)),
            (json!({ "jkt": key.to_string() }), Binding::Key(key)),
            (
                json!({ "x5t#S256": certificate.to_string(), "jkt": key.to_string() }),
                Binding::CertificateAndKey(certificate, key),
            ),
        ] {
            assert_eq!(read(&cnf), Confirmation::Bound(binding));
            assert_eq!(serde_json::to_value(binding).unwrap(), cnf);
            assert_eq!(Binding::of(binding.certificate(), binding.key()), Some(binding));
        }
        assert_eq!(Binding::of(None, None), None);
    }

    #[test]
    fn every_other_shape_is_a_binding_that_nobody_can_check() {
        let text = CertificateThumbprint([7; 32]).to_string();
        for cnf in [
            json!(null),
            json!(false),
            json!(7),
            json!(""),
            json!(text),
            json!([]),
            json!([{ "x5t#S256": text }]),
            json!({}),
            json!({ "x5t": text }),
            json!({ "X5T#S256": text }),
            json!({ "x5t#S256": text, "jwk": {} }),
            json!({ "jkt": text, "kid": "a" }),
            json!({ "x5t#S256": text, "jkt": null }),
            json!({ "x5t#S256": [text] }),
            json!({ "x5t#S256": null }),
            json!({ "jkt": "" }),
            json!({ "x5t#S256": "" }),
            json!({ "x5t#S256": format!("{text}=") }),
            json!({ "jkt": &text[1..] }),
        ] {
            assert_eq!(read(&cnf), Confirmation::Unknown, "{cnf}");
        }
        let twice = format!(r#"{{"jkt":"{text}","jkt":"{text}"}}"#);
        assert_eq!(serde_json::from_str::<Confirmation>(&twice).unwrap(), Confirmation::Unknown);
    }

    #[test]
    fn a_thumbprint_has_one_spelling() {
        let thumbprint = CertificateThumbprint([0xff; 32]);
        let text = thumbprint.to_string();
        assert_eq!(CertificateThumbprint::parse(&text), Ok(thumbprint));
        let spare_bits = format!("{}9", &text[..42]);
        let standard = text.replace('_', "/");
        for other in ["", &spare_bits, &standard, &format!("{text}="), &text[..42], &format!(" {text}")] {
            assert_eq!(CertificateThumbprint::parse(other), Err(InvalidThumbprint), "{other}");
        }
    }
}
