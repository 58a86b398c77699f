//! What can go wrong, and who can mend it.

use std::time::Duration;

use thiserror::Error as ThisError;

use crate::api::ApiRefusal;
use crate::assertion::SigningError;
use crate::id_token::IdTokenError;
use crate::transport::{TransportError, TransportErrorKind};

/// Why a call did not give what was asked for. Holds no secret and no token, so it may be logged.
#[derive(Debug, Clone, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The server understood and said no (any 4xx but 429, nginx's 495 to 497 included). The same
    /// request gets the same answer; what must change is the request, the application's credentials or
    /// its trust. Never retried.
    #[error("the server refused with {error} (status {status}): {description}{}", told(reference))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error code, for instance `invalid_grant` (RFC 6749 5.2).
        error: String,
        /// The server's sentence on what to change.
        description: String,
        /// `Procura-Reference`: the server's operator can explain the refusal by it.
        reference: Option<String>,
    },

    /// The server can't answer now (429 or any 5xx). 429 and 503 were retried before this was returned.
    #[error("the server can't answer now (status {status}){}{}", wait(*retry_after), told(reference))]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// How long the server asks to be left alone (`Retry-After` in seconds; a date is not read).
        retry_after: Option<Duration>,
        /// `Procura-Reference`, where the server recorded the request.
        reference: Option<String>,
    },

    /// The API that the token opens understood and said no (any 4xx but 409 and 429). Of a token that is
    /// not in force any more (401 `invalid_token`), a new one was tried before this was returned.
    #[error("the API refused {0}")]
    Api(ApiRefusal),

    /// What was to be changed is not any more what was read (409): read it again, and decide again.
    #[error("the API met a conflict, {0}")]
    Conflict(ApiRefusal),

    /// No whole answer came. Retried before this was returned, where that can help.
    #[error(transparent)]
    Transport(#[from] TransportError),

    /// An answer came and it is not what the contract says: is this address a Procura server?
    #[error("the server's answer can't be used: {0}")]
    Protocol(#[from] ProtocolError),

    /// The request could not be proved: whatever signs the application's assertions failed.
    #[error(transparent)]
    Signing(#[from] SigningError),

    /// An ID token that must not be trusted.
    #[error("the ID token must not be trusted: {0}")]
    IdToken(#[from] IdTokenError),
}

/// Who can mend an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The caller: its request, credentials or trust.
    Caller,
    /// Whoever runs the server.
    Server,
    /// The way between the two.
    Network,
}

impl Error {
    /// Who can mend it.
    pub fn blame(&self) -> Blame {
        match self {
            Error::Refused { .. } | Error::Api(_) | Error::Conflict(_) | Error::Signing(_) => Blame::Caller,
            Error::Unavailable { .. } | Error::Protocol(_) | Error::IdToken(_) => Blame::Server,
            Error::Transport(error) => match error.kind() {
                TransportErrorKind::Connection | TransportErrorKind::Timeout => Blame::Network,
                TransportErrorKind::TooLarge => Blame::Server,
                TransportErrorKind::Setup => Blame::Caller,
            },
        }
    }

    /// The reference to give to the server's operator, if the answer had one.
    pub fn reference(&self) -> Option<&str> {
        match self {
            Error::Refused { reference, .. } | Error::Unavailable { reference, .. } => reference.as_deref(),
            Error::Api(refusal) | Error::Conflict(refusal) => refusal.reference.as_deref(),
            Error::Transport(_) | Error::Protocol(_) | Error::Signing(_) | Error::IdToken(_) => None,
        }
    }

    /// Whether the same request may succeed if sent again: 429, 503, a broken connection, a time-out.
    pub fn is_passing(&self) -> bool {
        match self {
            Error::Unavailable { status, .. } => matches!(status, 429 | 503),
            Error::Transport(error) => {
                matches!(error.kind(), TransportErrorKind::Connection | TransportErrorKind::Timeout)
            }
            Error::Refused { .. }
            | Error::Api(_)
            | Error::Conflict(_)
            | Error::Protocol(_)
            | Error::Signing(_)
            | Error::IdToken(_) => false,
        }
    }

    /// Whether the API said that the token is not in force (RFC 6750 3.1).
    pub(crate) fn is_about_the_token(&self) -> bool {
        matches!(self, Error::Api(refusal) if refusal.status == 401 && refusal.code == "invalid_token")
    }
}

/// How an answer departs from the contract. Never quotes the answer: it may hold a token.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum ProtocolError {
    /// Neither a success nor an error that the contract knows; a redirect, for instance.
    #[error("status {0} is not one the contract has")]
    Status(u16),
    /// The body is not the JSON that was expected.
    #[error("the body is not {expected} in JSON (line {line}, column {column})")]
    Body {
        /// What was expected.
        expected: &'static str,
        /// Where reading stopped, from 1; 0 when the whole is wrong.
        line: usize,
        /// Where reading stopped, from 1; 0 when the whole is wrong.
        column: usize,
    },
    /// The body is larger than such an answer may be.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// A member is missing without which the answer is of no use.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A member or header has a value that the contract does not allow.
    #[error("`{name}` {why}")]
    Value {
        /// The member's or header's name on the wire.
        name: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The metadata are somebody else's (RFC 8414 3.3).
    #[error(
        "the metadata name another issuer than {expected}; use the issuer exactly as the server names it"
    )]
    Issuer {
        /// The issuer that was asked.
        expected: String,
    },
}

pub(crate) fn told(reference: &Option<String>) -> String {
    reference.as_ref().map_or_else(String::new, |reference| format!(" [reference {reference}]"))
}

fn wait(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| format!("; it asks to wait {} s", wait.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_code_sentence_and_reference() {
        let error = Error::Refused {
            status: 400,
            error: "invalid_grant".into(),
            description: "this application can't act for this contact".into(),
            reference: Some("abc".into()),
        };
        assert_eq!(
            error.to_string(),
            "the server refused with invalid_grant (status 400): this application can't act for this contact \
             [reference abc]"
        );
        assert_eq!(
            (error.blame(), error.reference(), error.is_passing()),
            (Blame::Caller, Some("abc"), false)
        );
    }

    #[test]
    fn only_what_passes_by_itself_is_worth_asking_again() {
        let of = |status| Error::Unavailable { status, retry_after: None, reference: None };
        assert!(of(429).is_passing());
        assert!(of(503).is_passing());
        assert!(!of(500).is_passing());
        assert!(Error::from(TransportError::new(TransportErrorKind::Timeout)).is_passing());
        assert!(!Error::from(TransportError::new(TransportErrorKind::TooLarge)).is_passing());
    }
}
