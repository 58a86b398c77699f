//! Revocations that no change of a record makes.

use procura_protocol::ids::{ApplicationId, ClientId, ContactId};
use procura_protocol::time::UnixSeconds;

use crate::records::Version;

/// Which tokens to mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// One token, whatever its `dv`.
    Token(TokenToRevoke),
    /// Every token for a contact.
    Contact(ContactId),
    /// Every token that lists a client.
    Client(ClientId),
    /// Every token of an application.
    Application(ApplicationId),
    /// Every token of an application that lists a client.
    Trust {
        /// The client.
        client: ClientId,
        /// The application.
        application: ApplicationId,
    },
    /// Every token for a contact that lists a client.
    Mandate {
        /// The contact.
        contact: ContactId,
        /// The client.
        client: ClientId,
    },
    /// Every token.
    All,
}

/// A token to mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenToRevoke {
    /// Its `jti`, or several that may be its: marked alike.
    pub ids: Vec<Box<str>>,
    /// The application that it was issued to, if that is known. Its marks are counted: beyond
    /// `most_of_application` they become one mark on the application.
    pub application: Option<ApplicationId>,
    /// Its `exp`, if that is known; else as late as can be.
    pub expires_at: Option<UnixSeconds>,
    /// Marks on tokens that one application may have.
    pub most_of_application: u32,
}

/// What came of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoke {
    /// The mark is committed, by that version.
    Marked(Version),
    /// The application had too many marks: all of its tokens of before that version are dead.
    MarkedApplication(Version),
    /// The token was marked before, or has expired: nothing was written.
    NothingToMark,
    /// There is no such record.
    NotFound,
}
