//! Signing keys as they are kept.
//!
//! A key is announced, signs, is retired and is gone; a revoked one is gone at once. The store keeps the
//! times and never sees a private half that is not sealed.

use procura_protocol::algorithm::Algorithm;
use procura_protocol::coded;
use procura_protocol::time::UnixSeconds;

use crate::records::KeyNo;

coded! {
    /// What a key signs.
    KeyPurpose {
        /// Tokens: its public half is in the JWKS.
        Token = 1 "token",
        /// Heads of the journal: never in the JWKS, its public half is kept for ever.
        Journal = 2 "journal",
    }
}

coded! {
    /// Where a key is in its life.
    KeyState {
        /// Published, signs nothing.
        Announced = 1 "announced",
        /// Signs.
        Signing = 2 "signing",
        /// Verifies only.
        Retired = 3 "retired",
        /// Does nothing any more.
        Gone = 4 "gone",
        /// Was taken out because it was compromised.
        Revoked = 5 "revoked",
    }
}

/// A key to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// What it signs.
    pub purpose: KeyPurpose,
    /// Whether it signs at once (the first of its algorithm in an installation may).
    pub signs_at_once: bool,
    /// The private half, sealed.
    pub sealed: Vec<u8>,
    /// The public half, a JWK (RFC 7517) as text.
    pub public_jwk: String,
    /// For a journal key: the signature of its predecessor, or whatever its purpose wants kept beside
    /// it. Public.
    pub endorsement: Option<String>,
}

/// A key as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its number.
    pub no: KeyNo,
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// What it signs.
    pub purpose: KeyPurpose,
    /// Where it is in its life.
    pub state: KeyState,
    /// Since when it is published.
    pub announced_at: UnixSeconds,
    /// Since when it signs.
    pub signing_from: Option<UnixSeconds>,
    /// Since when it only verifies.
    pub retired_at: Option<UnixSeconds>,
    /// Since when it is gone or revoked.
    pub gone_at: Option<UnixSeconds>,
    /// The private half, sealed; `None` once it is gone.
    pub sealed: Option<Vec<u8>>,
    /// The public half, a JWK as text.
    pub public_jwk: String,
    /// See [`NewKey::endorsement`].
    pub endorsement: Option<String>,
}

/// A private half, sealed anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// Whose.
    pub no: KeyNo,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
}

/// Of keeping a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertKey {
    /// It is kept.
    Inserted(KeyNo),
    /// One with that `kid` is.
    Exists,
    /// One of its purpose and algorithm is in that state already: another process was faster.
    AlreadyThere,
}

/// Of promoting a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromoteKey {
    /// It signs now.
    Promoted,
    /// It is not announced (any more): another process was faster.
    NotAnnounced,
    /// There is no such key.
    NotFound,
}

/// Of letting a key go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetireKey {
    /// It is gone.
    Gone,
    /// It is not retired.
    NotRetired,
    /// There is no such key.
    NotFound,
}

/// Of revoking a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokeKey {
    /// It is out.
    Revoked,
    /// It was out before.
    AlreadyGone,
    /// It signs, and nothing could sign in its place: give a successor.
    NoSuccessor,
    /// There is no such key.
    NotFound,
}
