//! Secrets at rest: AES-256-GCM under a key that is kept elsewhere.
//!
//! A sealed value is `1` (the version of this format, one byte), the nonce (12 bytes), the ciphertext
//! and the tag (16 bytes). The version and the *context* are authenticated along with it: what was
//! sealed for one purpose and name can't be opened as another, so that whoever can write to the
//! database still can't swap two keys.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use procura_protocol::secret::Secret;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const TAG_LEN: usize = 16;
const HEAD_LEN: usize = 1 + NONCE_LEN;

/// Bytes that sealing adds to a value.
pub const OVERHEAD: usize = HEAD_LEN + TAG_LEN;

/// The key that seals private keys, and is never stored next to them.
///
/// Nonces are drawn at random by the crypto library, one per value: safe for four thousand million
/// values, of which a server makes a few dozen a year.
pub struct KeyEncryptionKey {
    bytes: Zeroizing<[u8; 32]>,
    cipher: RandomizedNonceKey,
}

impl KeyEncryptionKey {
    /// Makes a new one with the crypto library's own randomness.
    ///
    /// # Errors
    ///
    /// [`SealError::Crypto`] when the library fails.
    pub fn generate() -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(&mut *bytes).map_err(|_| SealError::Crypto)?;
        Self::from_bytes(bytes)
    }

    /// Reads one from base64 (RFC 4648 section 4, with padding) of 32 bytes. White space around it, as
    /// the end of line in a file, makes no difference.
    ///
    /// # Errors
    ///
    /// [`SealError::NotAKey`] when it is anything else.
    pub fn from_base64(text: &str) -> Result<Self, SealError> {
        let decoded = Zeroizing::new(STANDARD.decode(text.trim_ascii()).map_err(|_| SealError::NotAKey)?);
        let mut bytes = Zeroizing::new([0; 32]);
        if decoded.len() != bytes.len() {
            return Err(SealError::NotAKey);
        }
        bytes.copy_from_slice(&decoded);
        Self::from_bytes(bytes)
    }

    /// The text that [`KeyEncryptionKey::from_base64`] reads, to be kept in a file or a vault.
    pub fn to_base64(&self) -> Secret {
        Secret::from(STANDARD.encode(*self.bytes))
    }

    /// Seals `plaintext` for `context`, which [`context`] makes.
    ///
    /// # Errors
    ///
    /// [`SealError::Crypto`] when the library fails.
    pub fn seal(&self, context: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut sealed = Vec::with_capacity(plaintext.len() + OVERHEAD);
        sealed.push(VERSION);
        sealed.resize(HEAD_LEN, 0);
        sealed.extend_from_slice(plaintext);
        let (nonce, tag) = self
            .cipher
            .seal_in_place_separate_tag(Aad::from(authenticated(context)), &mut sealed[HEAD_LEN..])
            .map_err(|_| SealError::Crypto)?;
        sealed[1..HEAD_LEN].copy_from_slice(nonce.as_ref());
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what was sealed under this key for the same `context`.
    ///
    /// # Errors
    ///
    /// [`SealError::Format`] when it is too short or of an unknown version, [`SealError::Open`] when
    /// the key or the context is another or a byte was changed; nobody can tell which.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Secret, SealError> {
        let (head, ciphertext) = sealed.split_at_checked(HEAD_LEN).ok_or(SealError::Format)?;
        if head[0] != VERSION || ciphertext.len() < TAG_LEN {
            return Err(SealError::Format);
        }
        let nonce = Nonce::try_assume_unique_for_key(&head[1..]).map_err(|_| SealError::Format)?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let aad = Aad::from(authenticated(context));
        let len = self.cipher.open_in_place(nonce, aad, &mut buffer).map_err(|_| SealError::Open)?.len();
        buffer.truncate(len);
        Ok(Secret::from(std::mem::take(&mut *buffer)))
    }

    fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Result<Self, SealError> {
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &*bytes).map_err(|_| SealError::Crypto)?;
        Ok(KeyEncryptionKey { bytes, cipher })
    }
}

/// A context out of its parts, purpose first: `context(&["signing key", kid])`. Each part is written
/// with its length, so that no two lists of parts give the same bytes.
pub fn context(parts: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part.as_bytes());
    }
    out
}

fn authenticated(context: &[u8]) -> Vec<u8> {
    [&[VERSION], context].concat()
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyEncryptionKey(..)")
    }
}

/// Sealing or opening failed. Nothing secret is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The text is not a key. Blame: the operator's configuration.
    #[error("a key encryption key is base64 (with padding) of exactly 32 bytes, 44 characters")]
    NotAKey,
    /// Not something that was sealed here.
    #[error("the sealed value is too short or of an unknown version")]
    Format,
    /// Another key, another context, or changed bytes.
    #[error(
        "the sealed value does not open: it was sealed under another key or for another purpose, or was changed"
    )]
    Open,
    /// The library failed. Blame: ours.
    #[error("the crypto library could not seal")]
    Crypto,
}
