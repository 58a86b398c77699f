//! A set of public keys as JSON.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::{Jwk, KeyId};

/// A JSON Web Key Set ([RFC 7517 section 5]), no two of whose keys have the same `kid`.
///
/// When one is read, keys that we can't use (another type, another purpose, broken, private) are left
/// out, as the RFC asks: a set may serve others too. A token that names one of them finds no key.
///
/// [RFC 7517 section 5]: https://www.rfc-editor.org/rfc/rfc7517#section-5
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawJwks")]
pub struct Jwks {
    keys: Vec<Jwk>,
}

impl Jwks {
    /// Most keys a set may have when it is read; the search for a `kid` looks at each.
    pub const MAX_KEYS: usize = 100;

    /// The set of `keys`, in their order. Of two with the same `kid` the first stays.
    pub fn new(keys: impl IntoIterator<Item = Jwk>) -> Self {
        let mut set = Jwks::default();
        for key in keys {
            if set.find(key.kid().as_str()).is_none() {
                set.keys.push(key);
            }
        }
        set
    }

    /// The key named `kid`.
    pub fn find(&self, kid: &str) -> Option<&Jwk> {
        self.keys.iter().find(|key| key.kid().as_str() == kid)
    }

    /// All keys, in order.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }
}

#[derive(Deserialize)]
struct RawJwks {
    keys: Vec<UsableOrNot>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum UsableOrNot {
    Usable(Box<Jwk>),
    Not(IgnoredAny),
}

impl TryFrom<RawJwks> for Jwks {
    type Error = JwksError;

    fn try_from(raw: RawJwks) -> Result<Self, JwksError> {
        if raw.keys.len() > Jwks::MAX_KEYS {
            return Err(JwksError::TooMany);
        }
        let usable = raw.keys.into_iter().filter_map(|key| match key {
            UsableOrNot::Usable(key) => Some(*key),
            UsableOrNot::Not(_) => None,
        });
        let keys: Vec<Jwk> = usable.collect();
        let mut ids: Vec<&KeyId> = keys.iter().map(Jwk::kid).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(JwksError::SameKeyId);
        }
        Ok(Jwks { keys })
    }
}

/// Seen only inside the error of the JSON reader.
#[derive(Debug, thiserror::Error)]
enum JwksError {
    #[error("a key set may have at most 100 keys")]
    TooMany,
    #[error("two keys of the set have the same kid")]
    SameKeyId,
}
