//! Signing keys: their life, where they are sealed, and the ring that signs.
//!
//! * [`life`]: what to do with the keys there are, at a moment. Decides only.
//! * [`keeper`]: does it: makes keys, seals them and calls the verbs of
//!   [`procura_store::administration::Administration`].
//! * [`encryption`]: the key encryption key, in a file beside the database or given from outside, and how
//!   another takes its place.
//! * [`ring`]: the keys as the server signs with them and as the JWKS shows them.
//! * [`journal_key`]: the key that signs the journal's heads.
//!
//! # How to add the next thing
//!
//! * An **algorithm**: nothing here; a registration that asks for it gets its key at the next
//!   [`keeper::Keeper::tend`].
//! * A **purpose**: a variant of [`KeyPurpose`], and a decision in [`life`] who makes its first key.

pub mod encryption;
pub mod journal_key;
pub mod keeper;
pub mod life;
pub mod ring;
pub mod seal;

use procura_jose::{CryptoError, SealError};
use procura_store::administration::{KeyPurpose, StoreError};
use thiserror::Error;

pub use encryption::KeyEncryption;
pub use keeper::Keeper;
pub use life::KeySettings;
pub use ring::{LiveKeys, published};

/// A key could not be made, kept or opened. Blame: ours, or the operator's who configured the key
/// encryption key; the text says which.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key encryption key could not be had.
    #[error(transparent)]
    Encryption(#[from] encryption::EncryptionError),
    /// The crypto library failed, or a key in the directory is not one.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A private half does not open under the key encryption key at hand.
    #[error(
        "the {purpose} key {kid} can't be opened: the key encryption key is not the one it was sealed under"
    )]
    NotOpened {
        /// What it signs.
        purpose: KeyPurpose,
        /// Which.
        kid: String,
    },
    /// A sealed fact does not open, or is none.
    #[error("a sealed value in the directory can't be opened: the key encryption key is another one")]
    FactNotOpened,
    /// Another process changed the keys meanwhile.
    #[error("the keys were changed by another command at the same time; try again")]
    Overtaken,
    /// A thread of the runtime went away.
    #[error("the server is stopping")]
    Stopped,
}
