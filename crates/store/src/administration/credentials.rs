//! Credentials as operators give and see them.

use procura_protocol::time::{UnixMillis, UnixSeconds};

use crate::credential::CredentialKind;
use crate::records::{CredentialNo, SecretHash};

/// A credential to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// What it is.
    pub value: CredentialValue,
    /// The first second in which it is to prove nothing any more. Of a certificate, never after its own end.
    pub expires_at: Option<UnixSeconds>,
}

impl From<SecretHash> for NewCredential {
    /// A secret that does not expire.
    fn from(hash: SecretHash) -> NewCredential {
        NewCredential { value: CredentialValue::Secret(hash), expires_at: None }
    }
}

/// What is kept of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialValue {
    /// The hash of a secret.
    Secret(SecretHash),
    /// A certificate as DER, which the caller has read.
    Certificate(Box<[u8]>),
    /// A public key as a JWK (RFC 7517), which the caller has read.
    Key(Box<str>),
}

impl CredentialValue {
    /// Its kind.
    pub fn kind(&self) -> CredentialKind {
        match self {
            CredentialValue::Secret(_) => CredentialKind::Secret,
            CredentialValue::Certificate(_) => CredentialKind::Certificate,
            CredentialValue::Key(_) => CredentialKind::Key,
        }
    }

    /// What is kept, as bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            CredentialValue::Secret(hash) => &hash.0,
            CredentialValue::Certificate(der) => der,
            CredentialValue::Key(jwk) => jwk.as_bytes(),
        }
    }
}

/// Which credential ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialToRetire {
    /// Its kind.
    pub kind: CredentialKind,
    /// Its number.
    pub no: CredentialNo,
    /// Whether somebody else has it.
    pub compromised: bool,
}

/// A credential as people may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRecord {
    /// Its number.
    pub no: CredentialNo,
    /// Since when.
    pub created_at: UnixMillis,
    /// The first second in which it proves nothing any more.
    pub expires_at: Option<UnixSeconds>,
    /// What of it is public.
    pub shown: Shown,
}

impl CredentialRecord {
    /// Its kind.
    pub fn kind(&self) -> CredentialKind {
        match self.shown {
            Shown::Secret => CredentialKind::Secret,
            Shown::Certificate(_) => CredentialKind::Certificate,
            Shown::Key(_) => CredentialKind::Key,
        }
    }

    /// Whether it has ended.
    pub fn is_over(&self, now: UnixSeconds) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// What is public of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Nothing: not even its hash.
    Secret,
    /// The certificate, as DER.
    Certificate(Box<[u8]>),
    /// The JWK.
    Key(Box<str>),
}
