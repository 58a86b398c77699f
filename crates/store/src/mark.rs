//! Marks as they are kept: [`procura_protocol::mark`] says what they are.
//!
//! A mark is kept until the latest `exp` of any token it can hit, plus [`KEEP_BEYOND_EXPIRY`] seconds.

use procura_protocol::time::UnixSeconds;

use crate::records::Version;

pub use procura_protocol::mark::{MarkKind, subject_text};

/// Seconds that a mark is kept after the last token that it can hit has expired.
pub const KEEP_BEYOND_EXPIRY: i64 = 60;

/// A revocation, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// What it hits.
    pub kind: MarkKind,
    /// SHA-256 of kind and id: what guards are told. See [`subject_text`].
    pub subject: [u8; 32],
    /// Number of the contact, application or key that it hits, else 0.
    pub number: u32,
    /// Number of the client that it hits, else 0.
    pub client: u32,
    /// Tokens decided on a lower version are dead.
    pub version: Version,
    /// When the last token that it can hit is gone for sure.
    pub keep_until: UnixSeconds,
    /// Of a mark on tokens of one application that is known (kinds token, application and trust): the
    /// subject of a mark on that application.
    pub application: Option<[u8; 32]>,
}
