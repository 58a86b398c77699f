//! What applications and resources prove themselves with: kinds, and when they end.

use procura_protocol::coded;
use procura_protocol::time::UnixSeconds;

use crate::change::{Action, Entity};
use crate::records::CredentialNo;

/// Seconds before its end in which a credential is warned of: 30 days.
pub const WARNED_AHEAD: i64 = 30 * 24 * 60 * 60;

/// How many of one kind may be live at once: one in use and its successor.
pub const MAX_LIVE: usize = 2;

coded! {
    /// A kind of credential.
    CredentialKind {
        /// A random secret, of which the hash is kept.
        Secret = 1 "secret",
        /// A certificate that stands in the registration (RFC 8705 2.2).
        Certificate = 2 "certificate",
        /// A public key that verifies assertions (RFC 7523 3).
        Key = 3 "key",
    }
}

impl CredentialKind {
    /// How the change is told that gives somebody one.
    pub const fn added(self) -> Action {
        match self {
            CredentialKind::Secret => Action::AddSecret,
            CredentialKind::Certificate => Action::AddCertificate,
            CredentialKind::Key => Action::AddAssertionKey,
        }
    }

    /// How the change is told that ends one.
    pub const fn retired(self) -> Action {
        match self {
            CredentialKind::Secret => Action::RetireSecret,
            CredentialKind::Certificate => Action::RetireCertificate,
            CredentialKind::Key => Action::RetireAssertionKey,
        }
    }

    /// Whether such a record may have one.
    pub const fn belongs_to(self, owner: Entity) -> bool {
        match self {
            CredentialKind::Secret => matches!(owner, Entity::Application | Entity::Resource),
            CredentialKind::Certificate | CredentialKind::Key => matches!(owner, Entity::Application),
        }
    }
}

/// A credential with an end, of somebody who is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiring<'a> {
    /// Whether an application or a resource has it.
    pub owner: Entity,
    /// Which one.
    pub id: &'a str,
    /// What it is.
    pub kind: CredentialKind,
    /// Its number.
    pub no: CredentialNo,
    /// The first second in which it proves nothing any more.
    pub expires_at: UnixSeconds,
}
