//! JWTs as text: what a library would refuse to write has to be written here.

use procura_jose::base64url;
use serde_json::Value;

use crate::keys::Key;

/// A header and claims before they are signed.
#[derive(Clone)]
pub(crate) struct Jwt {
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl Jwt {
    /// Signs with this key, whatever the header says.
    pub(crate) fn signed(&self, key: &Key) -> String {
        self.signed_by(|message| key.sign(message))
    }

    /// Signs with whatever this gives.
    pub(crate) fn signed_by(&self, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        compact(self.header.to_string().as_bytes(), self.claims.to_string().as_bytes(), sign)
    }

    /// Reads header and claims of a token without looking at its signature.
    pub(crate) fn read(token: &str) -> Option<Jwt> {
        let [header, claims, _] = parts(token)?;
        let read = |part: &str| serde_json::from_slice::<Value>(&base64url::decode(part).ok()?).ok();
        Some(Jwt { header: read(header)?, claims: read(claims)? })
    }

    /// The same with another value in the header; `Null` takes it out.
    #[must_use]
    pub(crate) fn head(mut self, name: &str, value: Value) -> Jwt {
        put(&mut self.header, name, value);
        self
    }

    /// The same with another claim; `Null` takes it out.
    #[must_use]
    pub(crate) fn claim(mut self, name: &str, value: Value) -> Jwt {
        put(&mut self.claims, name, value);
        self
    }
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.to_owned(), value),
        };
    }
}

/// Any two texts and a signature.
pub(crate) fn compact(header: &[u8], claims: &[u8], sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", base64url::encode(header), base64url::encode(claims));
    let signature = base64url::encode(&sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// The three parts of a compact JWS.
pub(crate) fn parts(token: &str) -> Option<[&str; 3]> {
    let parts: Vec<&str> = token.split('.').collect();
    parts.try_into().ok()
}
