//! The keys of the vectors, made once for tests alone and kept in the file.

use std::collections::BTreeMap;

use procura_jose::{Algorithm, PrivateKey, base64url};
use serde_json::{Value, json};

use super::certificates::Certificates;
use super::der;
use crate::steps::Failure;

/// Name, algorithm, and whether its public half is in the key set.
const KEYS: [(&str, Algorithm, bool); 6] = [
    ("es256", Algorithm::Es256, true),
    ("rs256", Algorithm::Rs256, true),
    ("ps256", Algorithm::Ps256, true),
    ("eddsa", Algorithm::EdDsa, true),
    ("foreign_es256", Algorithm::Es256, false),
    ("retired_not_in_jwks", Algorithm::Es256, false),
];

/// All keys of the vectors, and the certificates.
pub(super) struct Keys {
    keys: BTreeMap<&'static str, Key>,
    pub(super) certificates: Certificates,
}

struct Key {
    pkcs8: Vec<u8>,
    own: PrivateKey,
    public: Value,
}

impl Keys {
    /// Those of the file; what is missing there is made.
    pub(super) fn of(file: &Value) -> Result<Self, Failure> {
        let mut keys = BTreeMap::new();
        for (name, algorithm, _) in KEYS {
            let kept = file["private_keys"][name]["pkcs8"].as_str();
            keys.insert(name, Key::of(name, algorithm, kept)?);
        }
        Ok(Keys { keys, certificates: Certificates::of(file)? })
    }

    /// The public halves that a guard fetches.
    pub(super) fn published(&self) -> Vec<&Value> {
        let published = KEYS.iter().filter(|(_, _, published)| *published);
        published.map(|(name, _, _)| self.public(name)).collect()
    }

    /// The private halves, by name.
    pub(super) fn private(&self) -> Result<Vec<(&'static str, Value)>, Failure> {
        self.keys.iter().map(|(name, key)| Ok((*name, key.private(name)?))).collect()
    }

    /// The public JWK of a key.
    pub(super) fn public(&self, name: &str) -> &Value {
        self.keys.get(name).map_or(&Value::Null, |key| &key.public)
    }

    /// The `kid` of a key.
    pub(super) fn kid(&self, name: &str) -> &str {
        self.public(name)["kid"].as_str().unwrap_or_default()
    }

    /// The `alg` of a key.
    pub(super) fn algorithm(&self, name: &str) -> &str {
        self.public(name)["alg"].as_str().unwrap_or_default()
    }

    /// A member of the public JWK, decoded.
    pub(super) fn number(&self, name: &str, member: &str) -> Vec<u8> {
        let text = self.public(name)[member].as_str().unwrap_or_default();
        base64url::decode(text).unwrap_or_default()
    }

    /// Signs with a key's numbers, by its own algorithm or by another for keys of its type.
    pub(super) fn sign(&self, name: &str, algorithm: &str, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let signed = self.with(name, algorithm, |key| key.sign(message))?;
        let signature = signed.map_err(|error| Failure::wrong(error.to_string()))?;
        Ok(signature.as_ref().to_vec())
    }

    /// Whether a key signed this, by that algorithm.
    pub(super) fn verifies(&self, name: &str, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        let verified = self.with(name, algorithm, |key| key.public_key().verify(message, signature).is_ok());
        verified.is_ok_and(|verified| verified)
    }

    fn with<T>(&self, name: &str, algorithm: &str, act: impl FnOnce(&PrivateKey) -> T) -> Result<T, Failure> {
        let key = self.key(name)?;
        if key.own.algorithm().as_str() == algorithm {
            return Ok(act(&key.own));
        }
        let unfit = || Failure::wrong(format!("{name} can't sign with {algorithm}"));
        let algorithm = algorithm.parse().map_err(|_| unfit())?;
        PrivateKey::from_pkcs8(algorithm, &key.pkcs8).map(|key| act(&key)).map_err(|_| unfit())
    }

    fn key(&self, name: &str) -> Result<&Key, Failure> {
        self.keys.get(name).ok_or_else(|| Failure::wrong(format!("no key is called {name}")))
    }
}

impl Key {
    fn of(name: &str, algorithm: Algorithm, kept: Option<&str>) -> Result<Self, Failure> {
        let broken = |why: String| Failure::wrong(format!("the key {name} of the vectors: {why}"));
        let pkcs8 = match kept {
            Some(text) => base64url::decode(text).map_err(|error| broken(error.to_string()))?,
            None => {
                let (_, pkcs8) =
                    PrivateKey::generate(algorithm).map_err(|error| broken(error.to_string()))?;
                pkcs8.expose().to_vec()
            }
        };
        let own = PrivateKey::from_pkcs8(algorithm, &pkcs8).map_err(|error| broken(error.to_string()))?;
        let public = serde_json::to_value(own.public_jwk()).map_err(|error| broken(error.to_string()))?;
        Ok(Key { pkcs8, own, public })
    }

    fn private(&self, name: &str) -> Result<Value, Failure> {
        let mut jwk = self.public.clone();
        let members = der::private_members(&self.pkcs8)
            .ok_or_else(|| Failure::wrong(format!("the private numbers of {name} can't be read")))?;
        for (member, number) in members {
            jwk[member] = json!(base64url::encode(&number));
        }
        jwk["pkcs8"] = json!(base64url::encode(&self.pkcs8));
        Ok(jwk)
    }
}
