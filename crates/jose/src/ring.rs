//! The keys of an installation at one moment: which sign now, and what is published.

use std::sync::Arc;

use procura_protocol::claims::{ACCESS_TOKEN_TYPE, ID_TOKEN_TYPE};

use crate::{Algorithm, CompactPrefix, Jwks, SignError, Signer, SigningKey, compact_input};

/// Where signing keys come from. Rotation swaps the ring; who holds one finishes with it.
pub trait Keys: Send + Sync + 'static {
    /// The ring as it is now. Cheap: a pointer is copied.
    fn current(&self) -> Arc<KeyRing>;
}

/// Which of the two tokens is signed; it decides `typ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// `typ` is `JWT`.
    IdToken,
    /// `typ` is `at+jwt` (RFC 9068 2.1).
    AccessToken,
}

/// The keys that sign now, one for an algorithm, and the set that verifiers fetch.
pub struct KeyRing {
    signing: Vec<RingKey>,
    published: Arc<Jwks>,
    document: Arc<[u8]>,
}

impl KeyRing {
    /// A ring of the keys that sign, and of all that are announced, signing or retired.
    ///
    /// # Errors
    ///
    /// When the published set can't be written as JSON, which no [`Jwks`] causes.
    pub fn new(signing: Vec<RingKey>, published: Jwks) -> Result<KeyRing, serde_json::Error> {
        let document = serde_json::to_vec(&published)?.into();
        Ok(KeyRing { signing, published: Arc::new(published), document })
    }

    /// The key that signs with that algorithm, if one may.
    pub fn signing(&self, algorithm: Algorithm) -> Option<&RingKey> {
        self.signing.iter().find(|key| key.key.algorithm() == algorithm)
    }

    /// Everything that verifies.
    pub fn published(&self) -> &Arc<Jwks> {
        &self.published
    }

    /// The JWKS document (RFC 7517 5), ready to send.
    pub fn document(&self) -> &Arc<[u8]> {
        &self.document
    }
}

/// A key that signs, with its number in the journal and what its tokens begin with.
pub struct RingKey {
    number: u32,
    key: SigningKey,
    id_token: CompactPrefix,
    access_token: CompactPrefix,
}

impl RingKey {
    /// Prepares a key.
    pub fn new(number: u32, key: SigningKey) -> RingKey {
        let (id_token, access_token) =
            (CompactPrefix::of(&key, ID_TOKEN_TYPE), CompactPrefix::of(&key, ACCESS_TOKEN_TYPE));
        RingKey { number, key, id_token, access_token }
    }

    /// Its number, as journal records name it.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Bytes that a token with so many bytes of claims will have.
    pub fn token_len(&self, kind: TokenKind, claims_json_len: usize) -> usize {
        self.prefix(kind).token_len(claims_json_len)
    }

    /// Signs a token.
    ///
    /// # Errors
    ///
    /// [`SignError`], always ours.
    pub async fn sign(&self, kind: TokenKind, claims_json: &[u8]) -> Result<String, SignError> {
        let token = self.key.sign(compact_input(self.prefix(kind), claims_json)).await?;
        // Base64url and dots; the check costs less than explaining why it could be left out.
        String::from_utf8(token).map_err(|_| SignError::Crypto)
    }

    fn prefix(&self, kind: TokenKind) -> &CompactPrefix {
        match kind {
            TokenKind::IdToken => &self.id_token,
            TokenKind::AccessToken => &self.access_token,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::{Expect, PrivateKey, RsaPool, verify_jwt};

    #[tokio::test]
    async fn a_token_of_the_ring_verifies_with_what_it_publishes_and_has_the_foretold_length() {
        let pool = RsaPool::new(NonZeroUsize::MIN);
        let (key, _) = PrivateKey::generate(Algorithm::Es256).unwrap();
        let jwk = key.public_jwk();
        let ring =
            KeyRing::new(vec![RingKey::new(7, SigningKey::new(key, &pool))], Jwks::new([jwk])).unwrap();
        let key = ring.signing(Algorithm::Es256).unwrap();
        let claims = br#"{"sub":"con.1"}"#;
        for (kind, typ) in [(TokenKind::IdToken, "JWT"), (TokenKind::AccessToken, "at+jwt")] {
            let token = key.sign(kind, claims).await.unwrap();
            assert_eq!(token.len(), key.token_len(kind, claims.len()));
            let expect = Expect { typ, algorithms: &[Algorithm::Es256] };
            let read = verify_jwt::<serde_json::Value>(&token, ring.published(), &expect).unwrap();
            assert_eq!(read.claims()["sub"], "con.1");
        }
        assert!(ring.signing(Algorithm::EdDsa).is_none());
        let published: Jwks = serde_json::from_slice(ring.document()).unwrap();
        assert_eq!(published.keys().len(), 1);
    }
}
