//! Writing a JWT in the compact form ([RFC 7515 section 7.1]) without intermediate values.
//!
//! [RFC 7515 section 7.1]: https://www.rfc-editor.org/rfc/rfc7515#section-7.1

use std::fmt;

use serde_json::json;

use crate::{Algorithm, Jwk, KeyId, Signer, base64url};

/// What all tokens of one key and one type begin with: the encoded header and its dot.
///
/// Make it once per key and `typ`, and keep it with the key.
#[derive(Clone)]
pub struct CompactPrefix {
    text: Box<[u8]>,
    signature_len: usize,
}

impl CompactPrefix {
    /// The header `{"alg", "kid", "typ"}`. `typ` is written as it is (`at+jwt`, `JWT`).
    pub fn new(algorithm: Algorithm, kid: &KeyId, typ: &str) -> Self {
        let header = json!({ "alg": algorithm.as_str(), "kid": kid.as_str(), "typ": typ }).to_string();
        let mut text = Vec::new();
        base64url::encode_into(header.as_bytes(), &mut text);
        text.push(b'.');
        CompactPrefix { text: text.into(), signature_len: crate::algorithm::usual_signature_len(algorithm) }
    }

    /// The header `{"alg", "jwk", "typ"}` of a JWT that brings its key (RFC 9449 4.2), for
    /// [`crate::verify_self_signed`].
    pub fn bringing_its_key(key: &Jwk, typ: &str) -> Self {
        let algorithm = key.algorithm();
        // Members of a key are base64url, and a type is our own constant.
        let jwk = key.required_json();
        let header = format!(r#"{{"alg":"{algorithm}","jwk":{jwk},"typ":"{typ}"}}"#);
        let mut text = Vec::new();
        base64url::encode_into(header.as_bytes(), &mut text);
        text.push(b'.');
        CompactPrefix { text: text.into(), signature_len: crate::algorithm::usual_signature_len(algorithm) }
    }

    /// Bytes of a finished token with so many bytes of claims, by a key of the size we generate.
    pub fn token_len(&self, claims_json_len: usize) -> usize {
        let claims_chars = base64url::encoded_len(claims_json_len);
        self.text.len() + claims_chars + 1 + base64url::encoded_len(self.signature_len)
    }

    /// The prefix of what `signer` signs.
    pub fn of(signer: &impl Signer, typ: &str) -> Self {
        CompactPrefix::new(signer.algorithm(), signer.kid(), typ)
    }
}

impl fmt::Debug for CompactPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompactPrefix({})", String::from_utf8_lossy(&self.text))
    }
}

/// `header.claims`, the message to be signed, with room for the signature: for keys of the sizes we
/// make, the token grows to its end in this one allocation.
///
/// `claims_json` is not looked at; it must be a JSON object without repeated members.
pub fn compact_input(prefix: &CompactPrefix, claims_json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(prefix.token_len(claims_json.len()));
    out.extend_from_slice(&prefix.text);
    base64url::encode_into(claims_json, &mut out);
    out
}

/// Completes the token: `message`, a dot, and the signature in base64url. For those who implement
/// [`Signer`].
pub fn append_signature(mut message: Vec<u8>, signature: &[u8]) -> Vec<u8> {
    message.push(b'.');
    base64url::encode_into(signature, &mut message);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_claims_are_encoded_and_nothing_is_allocated_twice() {
        let kid = KeyId::parse("a \"quoted\" id").unwrap();
        let prefix = CompactPrefix::new(Algorithm::Es256, &kid, "at+jwt");
        let input = compact_input(&prefix, br#"{"sub":"c"}"#);
        let capacity = input.capacity();
        let token = String::from_utf8(append_signature(input, &[7; 64])).unwrap();
        assert_eq!(token.capacity(), capacity);
        assert_eq!(token.len(), capacity);

        let parts: Vec<_> = token.split('.').map(|part| base64url::decode(part).unwrap()).collect();
        let header: serde_json::Value = serde_json::from_slice(&parts[0]).unwrap();
        assert_eq!(header, json!({ "alg": "ES256", "kid": "a \"quoted\" id", "typ": "at+jwt" }));
        assert_eq!(parts[1], br#"{"sub":"c"}"#);
        assert_eq!(parts[2], [7; 64]);
    }
}
