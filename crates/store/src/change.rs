//! How a change of the directory is told: to readers, to the journal, to people.

use std::fmt;

use procura_protocol::coded;
use procura_protocol::time::UnixMillis;

use crate::records::{ApplicationNo, ContactNo, Version};

/// Number of a row of the `change` table; commit order, without gaps until old rows are trimmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ChangeSeq(pub u64);

/// One row of the `change` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its place.
    pub seq: ChangeSeq,
    /// The version that it made.
    pub version: Version,
    /// When.
    pub at: UnixMillis,
    /// By whom.
    pub actor: Actor,
    /// What kind of record.
    pub entity: Entity,
    /// What was done to it.
    pub action: Action,
    /// The record's number; of a mandate the contact's, of a trust the application's.
    pub number: u32,
    /// Of a mandate and of a trust the client's number, else 0.
    pub client: u32,
    /// Which token, as the subject of its mark, if it is about one.
    pub token: Option<[u8; 32]>,
    /// Why, in the operator's words. Stays in the directory, never goes to the journal.
    pub reason: Option<String>,
}

/// Who changes the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Actor {
    /// Someone at the command line, by their user number on the host.
    Operator {
        /// The effective user id.
        uid: u32,
    },
    /// The server itself: rotation, sweeping.
    Server,
    /// An application that asked for it: it revoked a token of its own.
    Application {
        /// Its number.
        application: ApplicationNo,
    },
    /// A contact, for whom an application acted.
    Contact {
        /// Number of the contact.
        contact: ContactNo,
        /// Number of the application.
        application: ApplicationNo,
    },
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Operator { uid } => write!(f, "uid:{uid}"),
            Actor::Server => f.write_str("server"),
            Actor::Application { application } => write!(f, "application:{application}"),
            Actor::Contact { contact, application } => {
                write!(f, "contact:{contact} through application:{application}")
            }
        }
    }
}

coded! {
    /// A kind of record.
    Entity {
        /// A partner's program.
        Application = 1 "application",
        /// A customer company.
        Client = 2 "client",
        /// A person.
        Contact = 3 "contact",
        /// A contact's authority over a client.
        Mandate = 4 "mandate",
        /// A client's leave for an application.
        Trust = 5 "trust",
        /// An API.
        Resource = 6 "resource",
        /// A signing key.
        Key = 7 "key",
        /// Tokens that are out: what a mark was put on that no change of a record made. The number is the
        /// application's, 0 if it is not about one; the client's is 0.
        Token = 8 "token",
    }
}

coded! {
    /// What was done to a record.
    Action {
        /// It is new.
        Add = 1 "add",
        /// Some of it changed.
        Update = 2 "update",
        /// It was switched off.
        Disable = 3 "disable",
        /// It is gone; its number still has its name.
        Remove = 4 "remove",
        /// It is gone, and so is what its number meant.
        Erase = 5 "erase",
        /// It was given a secret.
        AddSecret = 6 "secret.add",
        /// A secret of it ended.
        RetireSecret = 7 "secret.retire",
        /// A key began to sign and its predecessor stopped.
        Rotate = 8 "rotate",
        /// A key was taken out at once.
        Revoke = 9 "revoke",
        /// Private halves were sealed anew.
        Rewrap = 10 "rewrap",
        /// It was given a certificate.
        AddCertificate = 11 "certificate.add",
        /// A certificate of it ended.
        RetireCertificate = 12 "certificate.retire",
        /// It was given a key that verifies its assertions.
        AddAssertionKey = 13 "key.add",
        /// A key that verified its assertions ended.
        RetireAssertionKey = 14 "key.retire",
    }
}
