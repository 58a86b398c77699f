//! Keys that sign what the suite sends, also with algorithms that no server should take.

use std::path::Path;

use procura_jose::random::{Random as _, SystemRandom};
use procura_jose::{Algorithm, PrivateKey, base64url, digest};
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384, SigningKey as _};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

/// A private key and the name that the header gives it.
pub(crate) struct Key {
    private: PrivateKey,
    /// What the crypto library made it of: for the attack that shows it to the server.
    pkcs8: Vec<u8>,
    kid: String,
}

impl Key {
    /// A new one.
    pub(crate) fn generate(algorithm: Algorithm) -> Result<Key, String> {
        let (private, pkcs8) = PrivateKey::generate(algorithm).map_err(|error| error.to_string())?;
        let kid = private.kid().as_str().to_owned();
        Ok(Key { private, pkcs8: pkcs8.expose().to_vec(), kid })
    }

    /// Reads a PKCS#8 file.
    pub(crate) fn read(file: &Path, algorithm: Option<&str>, kid: Option<&str>) -> Result<Key, String> {
        let told = |why: &str| format!("{}: {why}", file.display());
        let der = PrivateKeyDer::from_pem_file(file).map_err(|error| told(&error.to_string()))?;
        let PrivateKeyDer::Pkcs8(pkcs8) = der else {
            return Err(told("must be PKCS#8 (BEGIN PRIVATE KEY)"));
        };
        let all = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ps256, Algorithm::Rs256];
        let named = |known: &Algorithm| algorithm.is_none_or(|name| name == known.as_str());
        let private = all
            .into_iter()
            .filter(named)
            .find_map(|known| PrivateKey::from_pkcs8(known, pkcs8.secret_pkcs8_der()).ok())
            .ok_or_else(|| told("is no key for ES256, EdDSA, PS256 or RS256, or not for its `algorithm`"))?;
        let kid = kid.map_or_else(|| private.kid().as_str().to_owned(), str::to_owned);
        Ok(Key { private, pkcs8: pkcs8.secret_pkcs8_der().to_vec(), kid })
    }

    /// The same under another algorithm, where that is possible.
    pub(crate) fn with_algorithm(&self, algorithm: Algorithm) -> Option<Key> {
        let private = PrivateKey::from_pkcs8(algorithm, &self.pkcs8).ok()?;
        Some(Key { private, pkcs8: self.pkcs8.clone(), kid: self.kid.clone() })
    }

    /// `alg`.
    pub(crate) fn algorithm(&self) -> &'static str {
        self.private.algorithm().as_str()
    }

    /// `kid`.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half, with `kid`.
    pub(crate) fn public_jwk(&self) -> Value {
        let mut jwk = json!(self.private.public_jwk());
        jwk["kid"] = json!(self.kid);
        jwk
    }

    /// Only the members that make the key, as a DPoP proof carries them.
    pub(crate) fn bare_jwk(&self) -> Value {
        let mut jwk = self.public_jwk();
        if let Some(members) = jwk.as_object_mut() {
            members.retain(|name, _| ["kty", "crv", "x", "y", "n", "e"].contains(&name.as_str()));
        }
        jwk
    }

    /// With the private member too, of an elliptic curve's key: what must never be in a proof.
    pub(crate) fn private_jwk(&self) -> Value {
        let mut jwk = self.bare_jwk();
        // Any 32 bytes: that there is a `d` is what has to be noticed.
        jwk["d"] = json!(base64url::encode(&digest::sha256(&self.pkcs8)));
        jwk
    }

    /// RFC 7638.
    pub(crate) fn thumbprint(&self) -> String {
        self.private.public_jwk().thumbprint().as_str().to_owned()
    }

    /// Signs.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.private.sign(message).map(|signature| signature.as_ref().to_vec()).unwrap_or_default()
    }
}

/// What `HS256` makes of some bytes as key.
pub(crate) fn hs256(key: &[u8], message: &[u8]) -> Vec<u8> {
    digest::hmac_sha256(key, message).to_vec()
}

/// Signs with a new key on P-384, as `ES384` does.
pub(crate) fn es384(message: &[u8]) -> Vec<u8> {
    let signed = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).and_then(|key| key.sign(message));
    signed.ok().and_then(|der| fixed(&der, 48)).unwrap_or_else(|| vec![1; 96])
}

/// An ECDSA signature in DER, as `r` and `s` of this many bytes.
fn fixed(der: &[u8], size: usize) -> Option<Vec<u8>> {
    let body = der.get(if der.get(1)? & 0x80 == 0 { 2 } else { 3 }..)?;
    let (r, rest) = integer(body)?;
    let (s, _) = integer(rest)?;
    let mut out = Vec::with_capacity(2 * size);
    for number in [r, s] {
        let number = &number[number.iter().take_while(|byte| **byte == 0).count()..];
        out.resize(out.len() + size.checked_sub(number.len())?, 0);
        out.extend_from_slice(number);
    }
    Some(out)
}

fn integer(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(*der.get(1)?);
    (der.first() == Some(&2)).then(|| der.get(2..)?.split_at_checked(length))?
}

/// `r` and `s` as DER writes an ECDSA signature (RFC 3279), which JWS does not allow.
pub(crate) fn as_der(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let mut body = Vec::new();
    for number in [r, s] {
        let mut number = number[number.iter().take_while(|byte| **byte == 0).count()..].to_vec();
        if number.first().is_none_or(|byte| byte & 0x80 != 0) {
            number.insert(0, 0);
        }
        body.extend([2, u8::try_from(number.len()).unwrap_or(0)]);
        body.extend(number);
    }
    let mut der = vec![0x30, u8::try_from(body.len()).unwrap_or(0)];
    der.extend(body);
    der
}

/// The public key as DER (SubjectPublicKeyInfo): what a confused verifier may take for a shared secret.
pub(crate) fn spki(jwk: &Value) -> Vec<u8> {
    let part = |name: &str| base64url::decode(jwk[name].as_str().unwrap_or_default()).unwrap_or_default();
    match jwk["kty"].as_str() {
        Some("EC") => {
            let mut der = vec![
                0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
                0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
            ];
            der.extend(part("x"));
            der.extend(part("y"));
            der
        }
        Some("OKP") => {
            let mut der = vec![0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
            der.extend(part("x"));
            der
        }
        _ => rsa_spki(&part("n"), &part("e")),
    }
}

fn rsa_spki(n: &[u8], e: &[u8]) -> Vec<u8> {
    let number = |bytes: &[u8]| {
        let mut value = bytes.to_vec();
        if value.first().is_some_and(|byte| byte & 0x80 != 0) {
            value.insert(0, 0);
        }
        tagged(2, &value)
    };
    let key = tagged(0x30, &[number(n), number(e)].concat());
    let algorithm = [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 5, 0];
    let bits = tagged(3, &[&[0], key.as_slice()].concat());
    tagged(0x30, &[algorithm.as_slice(), &bits].concat())
}

fn tagged(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len();
    let mut der = vec![tag];
    let bytes = length.to_be_bytes();
    match length {
        0..0x80 => der.push(bytes[7]),
        0x80..0x100 => der.extend([0x81, bytes[7]]),
        _ => der.extend([0x82, bytes[6], bytes[7]]),
    }
    der.extend_from_slice(value);
    der
}

/// DER as PEM.
pub(crate) fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap_or_default()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

/// A `jti` that nobody has used.
pub(crate) fn unique() -> String {
    base64url::encode(&SystemRandom.bytes::<16>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_goes_to_der_and_back() {
        let key = Key::generate(Algorithm::Es256).unwrap();
        for _ in 0..20 {
            let signature = key.sign(b"message");
            assert_eq!(fixed(&as_der(&signature), 32).unwrap(), signature);
        }
        assert_eq!(es384(b"message").len(), 96);
    }

    #[test]
    fn a_public_key_becomes_the_document_that_a_library_would_write() {
        let pair = KeyPair::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        std::fs::write(&file, pair.serialize_pem()).unwrap();
        let key = Key::read(&file, None, Some("k1")).unwrap();
        assert_eq!(pem(&spki(&key.public_jwk())), pair.public_key_pem().replace("\r\n", "\n"));
        assert_eq!(key.kid(), "k1");
        assert!(Key::read(&file, Some("PS256"), None).is_err());
    }
}
