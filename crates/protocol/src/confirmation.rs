//! What a token is bound to (`cnf`, RFC 7800 3): without proof of it the token is worth nothing.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// `cnf` of a token, whatever it says.
///
/// One that says anything beside a certificate's digest names a proof that nothing here can check: who is
/// shown such a token must refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// `x5t#S256` and no other member (RFC 8705 3.1): the certificate that the token was issued to.
    Certificate(CertificateThumbprint),
    /// Anything else, null and malformed among it.
    Unknown,
}

impl<'de> Deserialize<'de> for Confirmation {
    /// Fails for what is no JSON alone.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Certificate(ByCertificate),
            Unknown(IgnoredAny),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Certificate(by) => Confirmation::Certificate(by.thumbprint),
            Either::Unknown(_) => Confirmation::Unknown,
        })
    }
}

/// `{"x5t#S256": "..."}` (RFC 8705 3.1), with no other member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByCertificate {
    /// `x5t#S256`: the certificate.
    #[serde(rename = "x5t#S256")]
    pub thumbprint: CertificateThumbprint,
}

/// SHA-256 of a certificate's DER: what names it in `x5t#S256` (RFC 8705 3.1). No secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CertificateThumbprint(pub [u8; 32]);

/// A text that is no base64url of 32 bytes in its one spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be the base64url of a SHA-256, 43 characters")]
pub struct InvalidThumbprint;

impl CertificateThumbprint {
    /// How many characters its text has.
    pub const TEXT_LEN: usize = 43;

    /// Reads base64url without padding.
    ///
    /// # Errors
    ///
    /// [`InvalidThumbprint`], also for a spelling that another decoder would take for the same bytes.
    pub fn parse(text: &str) -> Result<CertificateThumbprint, InvalidThumbprint> {
        let mut bytes = [0; 32];
        // The decoder asks for room for as many bytes as whole groups of four characters hold.
        let mut room = [0; 33];
        if text.len() != CertificateThumbprint::TEXT_LEN {
            return Err(InvalidThumbprint);
        }
        let read = URL_SAFE_NO_PAD.decode_slice(text, &mut room).map_err(|_| InvalidThumbprint)?;
        bytes.copy_from_slice(room.get(..read).filter(|read| read.len() == 32).ok_or(InvalidThumbprint)?);
        Ok(CertificateThumbprint(bytes))
    }
}

impl From<[u8; 32]> for CertificateThumbprint {
    fn from(digest: [u8; 32]) -> CertificateThumbprint {
        CertificateThumbprint(digest)
    }
}

impl fmt::Display for CertificateThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for CertificateThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateThumbprint({self})")
    }
}

impl Serialize for CertificateThumbprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CertificateThumbprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        CertificateThumbprint::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(cnf: &Value) -> Confirmation {
        serde_json::from_str(&cnf.to_string()).unwrap()
    }

    #[test]
    fn the_one_shape_that_can_be_checked_is_a_certificate() {
        let thumbprint = CertificateThumbprint([0xfb; 32]);
        let cnf = json!({ "x5t#S256": thumbprint.to_string() });
        assert_eq!(read(&cnf), Confirmation::Certificate(thumbprint));
        assert_eq!(serde_json::to_value(ByCertificate { thumbprint }).unwrap(), cnf);
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
            json!({ "x5t#S256": text, "jkt": text }),
            json!({ "x5t#S256": [text] }),
            json!({ "x5t#S256": null }),
            json!({ "x5t#S256": "" }),
            json!({ "x5t#S256": format!("{text}=") }),
            json!({ "x5t#S256": &text[1..] }),
        ] {
            assert_eq!(read(&cnf), Confirmation::Unknown, "{cnf}");
        }
        let twice = format!(r#"{{"x5t#S256":"{text}","x5t#S256":"{text}"}}"#);
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
