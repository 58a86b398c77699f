//! The error answers of the contract's and of the standard endpoints (RFC 6749 5.2, contract chapter 1).

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::json;

/// What an answer says went wrong.
///
/// The last six are what the HTTP layer refuses before any endpoint is asked. On the wire they are
/// `invalid_request`, because the RFC's list is closed, each with a status and a text of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The request is malformed, repeats a parameter or holds one that this endpoint does not take.
    InvalidRequest,
    /// A scope that does not exist, or none of those asked for is held (RFC 6749 5.2).
    InvalidScope,
    /// A resource that this application is not registered for (RFC 8707 2).
    InvalidTarget,
    /// This application can't act for this contact.
    InvalidGrant,
    /// A `grant_type` that this server does not have (RFC 6749 5.2).
    UnsupportedGrantType,
    /// A proof of possession that proves nothing (RFC 9449 5).
    InvalidDpopProof,
    /// A proof of possession without a nonce of ours; always with `DPoP-Nonce` (RFC 9449 8).
    UseDpopNonce,
    /// This application may not use this endpoint at all.
    UnauthorizedClient,
    /// No or wrong credentials; always with `WWW-Authenticate`.
    InvalidClient,
    /// A certificate that this application must have came and does not hold (contract, chapter 1); on the
    /// contract's endpoints only.
    CertificateInvalid,
    /// A token of a kind that can't be revoked (RFC 7009 2.2.1).
    UnsupportedTokenType,
    /// Try again later; always with `Retry-After`.
    TemporarilyUnavailable,
    /// A fault of this server, answered with a fixed text.
    ServerError,
    /// A body of a type that the endpoint does not read.
    UnsupportedMediaType,
    /// No such path.
    NotFound,
    /// The path does not take this method; always with `Allow`.
    MethodNotAllowed,
    /// A body above the limit.
    PayloadTooLarge,
    /// Header fields above the limit (RFC 6585 5).
    HeaderFieldsTooLarge,
    /// The host that the request names is not the one that the TLS connection was made to (RFC 9110 15.5.20).
    MisdirectedRequest,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [ErrorCode; 19] = [
        ErrorCode::InvalidRequest,
        ErrorCode::InvalidScope,
        ErrorCode::InvalidTarget,
        ErrorCode::InvalidGrant,
        ErrorCode::UnsupportedGrantType,
        ErrorCode::InvalidDpopProof,
        ErrorCode::UseDpopNonce,
        ErrorCode::UnauthorizedClient,
        ErrorCode::InvalidClient,
        ErrorCode::CertificateInvalid,
        ErrorCode::UnsupportedTokenType,
        ErrorCode::TemporarilyUnavailable,
        ErrorCode::ServerError,
        ErrorCode::UnsupportedMediaType,
        ErrorCode::NotFound,
        ErrorCode::MethodNotAllowed,
        ErrorCode::PayloadTooLarge,
        ErrorCode::HeaderFieldsTooLarge,
        ErrorCode::MisdirectedRequest,
    ];

    /// The value of `error` on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorCode::InvalidRequest
            | ErrorCode::UnsupportedMediaType
            | ErrorCode::NotFound
            | ErrorCode::MethodNotAllowed
            | ErrorCode::PayloadTooLarge
            | ErrorCode::HeaderFieldsTooLarge
            | ErrorCode::MisdirectedRequest => "invalid_request",
            ErrorCode::InvalidScope => "invalid_scope",
            ErrorCode::InvalidTarget => "invalid_target",
            ErrorCode::InvalidGrant => "invalid_grant",
            ErrorCode::UnsupportedGrantType => "unsupported_grant_type",
            ErrorCode::InvalidDpopProof => "invalid_dpop_proof",
            ErrorCode::UseDpopNonce => "use_dpop_nonce",
            ErrorCode::UnauthorizedClient => "unauthorized_client",
            ErrorCode::InvalidClient | ErrorCode::CertificateInvalid => "invalid_client",
            ErrorCode::UnsupportedTokenType => "unsupported_token_type",
            ErrorCode::TemporarilyUnavailable => "temporarily_unavailable",
            ErrorCode::ServerError => "server_error",
        }
    }

    /// The HTTP status that goes with it.
    pub const fn status(self) -> u16 {
        match self {
            ErrorCode::InvalidRequest
            | ErrorCode::InvalidScope
            | ErrorCode::InvalidTarget
            | ErrorCode::InvalidGrant
            | ErrorCode::UnsupportedGrantType
            | ErrorCode::InvalidDpopProof
            | ErrorCode::UseDpopNonce
            | ErrorCode::UnauthorizedClient
            | ErrorCode::UnsupportedTokenType => 400,
            ErrorCode::InvalidClient => 401,
            ErrorCode::NotFound => 404,
            ErrorCode::MethodNotAllowed => 405,
            ErrorCode::PayloadTooLarge => 413,
            ErrorCode::UnsupportedMediaType => 415,
            ErrorCode::MisdirectedRequest => 421,
            ErrorCode::HeaderFieldsTooLarge => 431,
            ErrorCode::CertificateInvalid => 495,
            ErrorCode::ServerError => 500,
            ErrorCode::TemporarilyUnavailable => 503,
        }
    }

    /// The sentence for it where nothing more exact is to be said.
    pub const fn description(self) -> &'static str {
        match self {
            ErrorCode::InvalidRequest => "The request is malformed.",
            ErrorCode::InvalidScope => "None of the permissions named in scope is held for any client.",
            ErrorCode::InvalidTarget => "This application is not registered for that resource.",
            ErrorCode::InvalidGrant => "This application can't act for this contact.",
            ErrorCode::UnsupportedGrantType => "This grant_type is not supported.",
            ErrorCode::InvalidDpopProof => "The DPoP proof is missing or proves nothing.",
            ErrorCode::UseDpopNonce => {
                "Send the request again, with a new DPoP proof that has the nonce of the DPoP-Nonce header."
            }
            ErrorCode::UnauthorizedClient => "This application is not registered for trusted authentication.",
            ErrorCode::InvalidClient => {
                "Authenticate in a way that the application is registered for: with its id and secret (HTTP Basic, \
                 or client_id and client_secret in the form), a signed client_assertion, or a certificate."
            }
            ErrorCode::CertificateInvalid => {
                "The certificate of this connection is not one that proves this application. Use the one that it \
                 is registered with, and see that it has not expired."
            }
            ErrorCode::UnsupportedTokenType => {
                "Only access tokens can be revoked. Send the access_token of the same answer."
            }
            ErrorCode::TemporarilyUnavailable => "The server can't answer now. Try again later.",
            ErrorCode::ServerError => "The server failed. Nothing about the request needs to change.",
            ErrorCode::UnsupportedMediaType => {
                "Send the body as application/x-www-form-urlencoded, or send none."
            }
            ErrorCode::NotFound => "There is nothing at this path.",
            ErrorCode::MethodNotAllowed => "This path takes other methods; the Allow header names them.",
            ErrorCode::PayloadTooLarge => "The body is too large. Send at most 64 KiB.",
            ErrorCode::HeaderFieldsTooLarge => {
                "The header fields are too large. Send at most 100 of them in at most 16 KiB."
            }
            ErrorCode::MisdirectedRequest => {
                "The host of the request is not the one that this connection was made to. Use another connection."
            }
        }
    }

    /// The code of that wire name.
    pub fn from_wire(name: &str) -> Option<ErrorCode> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    /// Reads a wire name; one that this server never sends is an error.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<'de, str>::deserialize(deserializer)?;
        ErrorCode::from_wire(&name).ok_or_else(|| serde::de::Error::custom("not a known error code"))
    }
}

/// The body of an error answer (contract, chapter 1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthErrorMessage {
    /// What went wrong, for programs.
    pub error: ErrorCode,
    /// What to change, for the people who write them.
    pub error_description: Cow<'static, str>,
}

impl AuthErrorMessage {
    /// An answer with its own sentence.
    ///
    /// RFC 6749 5.2 allows printable ASCII without `"` and `\`; anything else becomes `?`, so that an
    /// answer is well-formed whatever was put into its sentence.
    pub fn new(error: ErrorCode, description: impl Into<Cow<'static, str>>) -> AuthErrorMessage {
        let mut error_description = description.into();
        if !is_description(&error_description) {
            let replaced = error_description.chars().map(|c| if is_allowed(c) { c } else { '?' });
            error_description = Cow::Owned(replaced.collect());
        }
        AuthErrorMessage { error, error_description }
    }

    /// The HTTP status of the answer.
    pub const fn status(&self) -> u16 {
        self.error.status()
    }

    /// The body's bytes.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.error_description.len());
        out.extend_from_slice(br#"{"error":""#);
        out.extend_from_slice(self.error.as_str().as_bytes());
        out.extend_from_slice(br#"","error_description":"#);
        json::push_string(&mut out, &self.error_description);
        out.push(b'}');
        out
    }
}

impl From<ErrorCode> for AuthErrorMessage {
    fn from(error: ErrorCode) -> AuthErrorMessage {
        AuthErrorMessage { error, error_description: Cow::Borrowed(error.description()) }
    }
}

/// Whether `text` is what RFC 6749 5.2 allows as `error_description`.
pub fn is_description(text: &str) -> bool {
    text.chars().all(is_allowed)
}

fn is_allowed(c: char) -> bool {
    matches!(c, ' '..='~') && c != '"' && c != '\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fixed_sentence_is_a_description_of_its_own() {
        for code in ErrorCode::ALL {
            assert!(is_description(code.description()), "{code:?}");
            let same = ErrorCode::ALL.iter().filter(|other| other.description() == code.description());
            assert_eq!(same.count(), 1, "{code:?}");
        }
    }

    #[test]
    fn the_body_is_what_serde_prints_and_reads() {
        for code in ErrorCode::ALL {
            let message = AuthErrorMessage::from(code);
            assert_eq!(message.to_json(), serde_json::to_vec(&message).unwrap());
            let read: AuthErrorMessage = serde_json::from_slice(&message.to_json()).unwrap();
            assert_eq!(read.error.as_str(), code.as_str());
            assert_eq!(read.error_description, message.error_description);
        }
    }

    #[test]
    fn what_the_rfc_does_not_allow_never_reaches_a_description() {
        let message = AuthErrorMessage::new(ErrorCode::InvalidRequest, "a\"b\\c\u{e9}\n\0~ d");
        assert_eq!(message.error_description, "a?b?c???~ d");
        assert!(is_description(&message.error_description));
    }

    #[test]
    fn an_unknown_code_is_not_read() {
        let body = r#"{"error":"not_a_code","error_description":"x"}"#;
        assert!(serde_json::from_str::<AuthErrorMessage>(body).is_err());
        let body = r#"{"error":"invalid_request","error_description":"x","more":1}"#;
        let read: AuthErrorMessage = serde_json::from_str(body).unwrap();
        assert_eq!(read.error, ErrorCode::InvalidRequest);
    }
}
