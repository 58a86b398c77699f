//! The keys as the server signs with them and as the JWKS shows them.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use procura_jose::ring::{KeyRing, Keys, RingKey};
use procura_jose::{Jwk, Jwks, RsaPool, SigningKey};
use procura_store::administration::{KeyPurpose, KeyRecord, KeyState};
use procura_store::records::KeyNo;

use super::{KeyEncryption, KeyError, seal};

/// The ring of a running server. The follower publishes into it whenever a change of keys is seen.
pub struct LiveKeys {
    ring: ArcSwap<KeyRing>,
    encryption: Arc<KeyEncryption>,
    pool: RsaPool,
    /// Keys that sign, unsealed once.
    opened: Mutex<Vec<(KeyNo, SigningKey)>>,
}

impl Keys for LiveKeys {
    fn current(&self) -> Arc<KeyRing> {
        self.ring.load_full()
    }
}

impl LiveKeys {
    /// An empty ring. RSA keys sign on `pool`.
    ///
    /// # Errors
    ///
    /// None that an empty key set causes.
    pub fn new(encryption: Arc<KeyEncryption>, pool: RsaPool) -> Result<LiveKeys, KeyError> {
        let ring =
            KeyRing::new(Vec::new(), Jwks::default()).map_err(|_| procura_jose::CryptoError::Generate)?;
        Ok(LiveKeys { ring: ArcSwap::from_pointee(ring), encryption, pool, opened: Mutex::default() })
    }

    /// Replaces the ring by what the records say. A key that can't be opened is left out and told: what
    /// was registered for it is answered with 503, and nothing goes on signing that should not.
    pub fn publish(&self, records: &[KeyRecord]) {
        let tokens = records.iter().filter(|record| record.purpose == KeyPurpose::Token);
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let mut signing = Vec::new();
        for record in tokens.filter(|record| record.state == KeyState::Signing) {
            let known = opened.iter().find(|(no, _)| *no == record.no).map(|(_, key)| key.clone());
            match known.map_or_else(|| self.open(record), |key| Ok(Some(key))) {
                Ok(Some(key)) => signing.push((record.no, key)),
                Ok(None) => tracing::error!(kid = record.kid, "a key that should sign has no private half"),
                Err(error) => {
                    tracing::error!(%error, kid = record.kid, "a key that should sign can't be opened");
                }
            }
        }
        let keys = signing.iter().map(|(no, key)| RingKey::new(no.0, key.clone())).collect();
        match KeyRing::new(keys, published(records)) {
            Ok(ring) => self.ring.store(Arc::new(ring)),
            Err(error) => tracing::error!(%error, "the key set can't be written"),
        }
        *opened = signing;
    }

    fn open(&self, record: &KeyRecord) -> Result<Option<SigningKey>, KeyError> {
        let key = seal::open(&self.encryption, record)?;
        Ok(key.map(|key| SigningKey::new(key, &self.pool)))
    }
}

/// The keys that a token of this installation may be verified with: those of its JWKS.
pub fn published(records: &[KeyRecord]) -> Jwks {
    let tokens = records.iter().filter(|record| record.purpose == KeyPurpose::Token);
    Jwks::new(tokens.filter(|record| is_public(record.state)).filter_map(public))
}

fn is_public(state: KeyState) -> bool {
    matches!(state, KeyState::Announced | KeyState::Signing | KeyState::Retired)
}

fn public(record: &KeyRecord) -> Option<Jwk> {
    let jwk = serde_json::from_str::<Jwk>(&record.public_jwk);
    jwk.inspect_err(|error| tracing::error!(%error, kid = record.kid, "a public key can't be read")).ok()
}
