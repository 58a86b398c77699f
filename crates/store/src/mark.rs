//! Marks: what kills tokens that are already out (DESIGN of revocation: `docs/contract.md`).
//!
//! A mark kills every token that it matches and that was decided on a lower version; a mark on a token
//! or on a key kills whatever the version. It is kept until the latest `exp` of any token it can hit,
//! plus [`KEEP_BEYOND_EXPIRY`] seconds.

use procura_protocol::time::UnixSeconds;

use crate::change::coded;
use crate::records::Version;

/// Seconds that a mark is kept after the last token that it can hit has expired.
pub const KEEP_BEYOND_EXPIRY: i64 = 60;

coded! {
    /// What a mark hits.
    MarkKind {
        /// One token, by its `jti`.
        Token = 1 "token",
        /// Every token for a contact.
        Contact = 2 "contact",
        /// Every token that lists a client.
        Client = 3 "client",
        /// Every token of an application.
        Application = 4 "application",
        /// Every token of an application that lists a client.
        Trust = 5 "trust",
        /// Every token for a contact that lists a client.
        Mandate = 6 "mandate",
        /// Every token that a key signed.
        Key = 7 "key",
        /// Every token.
        All = 8 "all",
    }
}

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
}

/// What [`Mark::subject`] is the SHA-256 of: the kind's name and the id or the two ids, separated by a
/// character that no id can hold.
pub fn subject_text(kind: MarkKind, id: &str, second: Option<&str>) -> String {
    match second {
        Some(second) => format!("{kind}\n{id}\n{second}"),
        None => format!("{kind}\n{id}"),
    }
}
