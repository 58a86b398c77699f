//! What can come of a verb.

use std::error::Error as StdError;

use thiserror::Error;

use crate::fields::Invalid;
use crate::records::CredentialNo;

/// Bad lines that an import names; it counts them all.
pub const MAX_BAD_LINES: usize = 100;

/// Of adding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Add {
    /// It is there now.
    Added,
    /// It was there before; nothing is changed.
    Exists,
    /// The row can't be.
    Refused(Refusal),
}

/// Of changing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// It is as the row says now.
    Updated,
    /// It was so before.
    Unchanged,
    /// There is no such record.
    NotFound,
    /// The row can't be.
    Refused(Refusal),
}

/// Of adding or changing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It is there now.
    Added,
    /// It is as the row says now.
    Updated,
    /// It was so before.
    Unchanged,
    /// The row can't be.
    Refused(Refusal),
}

/// Of switching off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disable {
    /// It is off now.
    Disabled,
    /// It was off before.
    AlreadyOff,
    /// There is no such record.
    NotFound,
}

/// Of removing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remove {
    /// It is gone.
    Removed,
    /// There is no such record.
    NotFound,
    /// It can't go.
    Refused(Refusal),
}

/// Of erasing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erase {
    /// Nothing here says any more who it was.
    Erased,
    /// There is and was no such contact.
    NotFound,
}

/// Of giving a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddCredential {
    /// It is live.
    Added {
        /// What names it from now on.
        no: CredentialNo,
    },
    /// Two of its kind are live already: retire one first.
    TooMany,
    /// The owner has the same certificate, or a key with the same `kid`.
    Exists {
        /// Its number.
        no: CredentialNo,
    },
    /// The keys of the application are published at its `jwks_uri`: one source only.
    HasJwksUri,
    /// The profile of the application takes no secrets.
    ProfileForbids,
    /// There is no such application or resource.
    NotFound,
}

/// Of ending a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetireCredential {
    /// It is dead.
    Retired,
    /// The owner has no such credential.
    NotFound,
}

/// Of setting the built-in resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn {
    /// It is this one now.
    Set,
    /// It was this one before.
    Unchanged,
    /// Another resource has that id.
    Taken,
}

/// Why a row can't be what the directory holds. A sentence that says what to change.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The row itself is wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It names something that is not there.
    #[error("{field} names {id}, which is not there; add it first")]
    NotThere {
        /// The field that does.
        field: &'static str,
        /// What it names; was read as an id before.
        id: String,
    },
    /// The server's own API can't be removed.
    #[error("this is the server's own API, which can't be removed; disable it instead")]
    IsBuiltIn,
    /// An application still has the resource.
    #[error("{application} still has this resource; update it first, or disable the resource instead")]
    InUse {
        /// The first of them.
        application: String,
    },
    /// Keys stand in the registration already.
    #[error(
        "jwks_uri can't stand beside keys that are registered, because a key must have one source: retire \
         key {no} first"
    )]
    HasKeys {
        /// One of them.
        no: CredentialNo,
    },
    /// The application is to have a profile that takes no secrets, and has one. Nothing retires it by the way:
    /// somebody may still use it.
    #[error(
        "profile fapi2 takes no secrets, and secret {no} is live: `procura application secret retire` ends it"
    )]
    HasSecrets {
        /// One of them.
        no: CredentialNo,
    },
    /// The line could not be read at all.
    #[error("{0}")]
    Unreadable(String),
}

/// What an import did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportReport {
    /// Whether it is in force: there was no bad line, and it was no dry run.
    pub committed: bool,
    /// Records that are new.
    pub added: u64,
    /// Records that changed.
    pub updated: u64,
    /// Records that were so before.
    pub unchanged: u64,
    /// The first bad lines, [`MAX_BAD_LINES`] at most.
    pub bad: Vec<BadLine>,
    /// How many lines are bad.
    pub bad_count: u64,
}

/// A line that can't be imported.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {refusal}")]
pub struct BadLine {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub refusal: Refusal,
}

/// The store itself failed. To be logged whole (with its sources) and answered by its fixed text.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process held the write lock for too long.
    #[error("the directory is being changed by another command; try again when it is done")]
    Busy,
    /// No space is left.
    #[error("the disk that holds the directory is full")]
    Full,
    /// Numbers of this kind of record have run out.
    #[error("no numbers are left for this kind of record")]
    NumbersExhausted,
    /// The change is committed, but not in force here yet: a load of everything goes on, or the directory
    /// can't be read.
    #[error("the change is made, but it is not in force here yet")]
    NotInForce,
    /// What was read can't have been written by this program.
    #[error("the directory holds something that can't be read: {0}")]
    Damaged(&'static str),
    /// Anything else.
    #[error("the directory can't be read or written")]
    Failed(#[source] Box<dyn StdError + Send + Sync>),
}
