//! How private halves and secrets of the installation are sealed, each bound to what it is for.

use procura_jose::seal::context;
use procura_jose::{Algorithm, PrivateKey, base64url};
use procura_protocol::secret::Secret;
use procura_store::administration::{Fact, KeyPurpose, KeyRecord, NewKey};

use super::KeyError;
use super::encryption::{Held, KeyEncryption};

/// The facts whose values are sealed.
pub(super) const SEALED_FACTS: [Fact; 1] = [Fact::UnknownInputKey];

/// Makes a key, on a thread that may take its time: RSA takes a good part of a second.
pub(super) async fn generate(algorithm: Algorithm) -> Result<(PrivateKey, Secret), KeyError> {
    let generated = tokio::task::spawn_blocking(move || PrivateKey::generate(algorithm));
    Ok(generated.await.map_err(|_| KeyError::Stopped)??)
}

/// A new key as it is kept.
pub(super) async fn new_key(
    held: &Held<'_>,
    purpose: KeyPurpose,
    algorithm: Algorithm,
    signs_at_once: bool,
) -> Result<NewKey, KeyError> {
    let (key, pkcs8) = generate(algorithm).await?;
    let kid = key.kid().to_string();
    let sealed = held.key().seal(&key_context(purpose, &kid), pkcs8.expose())?;
    // A public key is always JSON.
    let public_jwk = serde_json::to_string(&key.public_jwk()).unwrap_or_default();
    Ok(NewKey { kid, algorithm, purpose, signs_at_once, sealed, public_jwk, endorsement: None })
}

/// Opens the private half of a key; `None` when it has none any more.
pub(super) fn open(encryption: &KeyEncryption, record: &KeyRecord) -> Result<Option<PrivateKey>, KeyError> {
    let Some(sealed) = &record.sealed else { return Ok(None) };
    let not_opened = || KeyError::NotOpened { purpose: record.purpose, kid: record.kid.clone() };
    let context = key_context(record.purpose, &record.kid);
    let pkcs8 = encryption.open(&context, sealed).map_err(|_| not_opened())?;
    let key = PrivateKey::from_pkcs8(record.algorithm, pkcs8.expose())?;
    if key.kid().as_str() == record.kid { Ok(Some(key)) } else { Err(not_opened()) }
}

/// What a private half is bound to.
pub(super) fn key_context(purpose: KeyPurpose, kid: &str) -> Vec<u8> {
    context(&["private key", purpose.name(), kid])
}

/// What the value of a fact is bound to.
pub(super) fn fact_context(fact: Fact) -> Vec<u8> {
    context(&["fact", fact.name()])
}

/// The value of a sealed fact as text.
pub(super) fn fact_text(sealed: &[u8]) -> String {
    base64url::encode(sealed)
}

/// The other way round.
pub(super) fn fact_sealed(text: &str) -> Result<Vec<u8>, KeyError> {
    base64url::decode(text).map_err(|_| KeyError::FactNotOpened)
}
