//! Marks: what kills tokens that are already out (contract, chapter 8).
//!
//! A mark has a kind, the id or ids that it is about, and the version of the directory that wrote it. It
//! kills every token that it matches and that was decided on a lower version; a mark on a token or on a
//! key kills whatever the version, since whoever holds a stolen key writes any `dv`.
//!
//! Resources are told marks by [`MarkSubject`], a digest, and never by id.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::coded;

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

impl MarkKind {
    /// Whether a mark of this kind kills what it matches whatever the token's `dv`.
    pub const fn hits_any_version(self) -> bool {
        matches!(self, MarkKind::Token | MarkKind::Key)
    }
}

/// What a [`MarkSubject`] is the SHA-256 of: the kind's name and the id or the two ids, separated by a
/// character that no id can hold. Of [`MarkKind::All`] the id is empty; of a trust the ids are
/// application and client, of a mandate contact and client.
pub fn subject_text(kind: MarkKind, id: &str, second: Option<&str>) -> String {
    match second {
        Some(second) => format!("{kind}\n{id}\n{second}"),
        None => format!("{kind}\n{id}"),
    }
}

/// SHA-256 of a [`subject_text`]: what resources are told, 43 characters of base64url on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MarkSubject(pub [u8; 32]);

/// A text that is not 43 characters of base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 43 characters of base64url, a SHA-256")]
pub struct InvalidMarkSubject;

impl fmt::Display for MarkSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for MarkSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MarkSubject({self})")
    }
}

impl From<MarkSubject> for String {
    fn from(subject: MarkSubject) -> String {
        subject.to_string()
    }
}

impl TryFrom<String> for MarkSubject {
    type Error = InvalidMarkSubject;

    fn try_from(text: String) -> Result<Self, InvalidMarkSubject> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidMarkSubject)?;
        bytes.try_into().map(MarkSubject).map_err(|_| InvalidMarkSubject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_two_kinds_or_cut_elsewhere_make_other_subjects() {
        let texts = [
            subject_text(MarkKind::Contact, "a", None),
            subject_text(MarkKind::Client, "a", None),
            subject_text(MarkKind::Trust, "app_a", Some("b")),
            subject_text(MarkKind::Trust, "app_ab", Some("")),
            subject_text(MarkKind::Mandate, "app_a", Some("b")),
            subject_text(MarkKind::All, "", None),
        ];
        for (at, text) in texts.iter().enumerate() {
            assert!(!texts[..at].contains(text), "{text}");
        }
    }

    #[test]
    fn a_subject_reads_back_and_nothing_else_is_one() {
        let subject = MarkSubject(std::array::from_fn(|at| at as u8));
        let json = serde_json::to_string(&subject).unwrap();
        assert_eq!(json.len(), 45);
        assert_eq!(serde_json::from_str::<MarkSubject>(&json).unwrap(), subject);
        for wrong in ["\"\"", "\"AAAA\"", "3", "\"+///\""] {
            assert!(serde_json::from_str::<MarkSubject>(wrong).is_err(), "{wrong}");
        }
    }
}
