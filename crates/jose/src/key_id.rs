//! `kid`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{base64url, digest};

/// The id of a key, `kid` of [RFC 7515 section 4.1.4].
///
/// Our own keys are named by their [RFC 7638] thumbprint (43 characters of base64url), which nobody
/// chooses. Keys of others may be named otherwise. A clone costs a counter.
///
/// [RFC 7515 section 4.1.4]: https://www.rfc-editor.org/rfc/rfc7515#section-4.1.4
/// [RFC 7638]: https://www.rfc-editor.org/rfc/rfc7638
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// Longest id that is taken from outside, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// Reads an id made by somebody else.
    ///
    /// # Errors
    ///
    /// [`InvalidKeyId`] unless it is 1 to 256 characters of printable ASCII.
    pub fn parse(text: &str) -> Result<Self, InvalidKeyId> {
        let fits = (1..=Self::MAX_BYTES).contains(&text.len());
        if fits && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            Ok(KeyId(text.into()))
        } else {
            Err(InvalidKeyId)
        }
    }

    /// The id as it stands in `kid`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The thumbprint of a key, of its required members in the order and spelling of
    /// [RFC 7638 section 3](https://www.rfc-editor.org/rfc/rfc7638#section-3).
    pub(crate) fn thumbprint(required_members_json: &str) -> Self {
        KeyId(base64url::encode(&digest::sha256(required_members_json.as_bytes())).into())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({:?})", &*self.0)
    }
}

impl AsRef<str> for KeyId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, InvalidKeyId> {
        KeyId::parse(text)
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        KeyId::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// The text can't be a key id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key id (kid) is 1 to 256 characters of printable ASCII")]
pub struct InvalidKeyId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_others_are_taken_within_bounds() {
        assert_eq!(KeyId::parse("2011-04-29").unwrap().as_str(), "2011-04-29");
        assert!(KeyId::parse(&"k".repeat(256)).is_ok());
        for text in ["", "a\0b", "a\nb", "é", &"k".repeat(257)] {
            assert_eq!(KeyId::parse(text), Err(InvalidKeyId), "{text:?}");
        }
    }
}
