//! Outcomes as responses. The one place where a cause becomes a status and a sentence.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyper::ext::ReasonPhrase;
use procura_engine::Unavailable;
use procura_engine::application_auth::NotAuthenticated;
use procura_engine::contact_token::Refusal;
use procura_engine::limits::LimitReached;
use procura_protocol::contact_token::MAX_CLIENTS;
use procura_protocol::error::{AuthErrorMessage, ErrorCode};
use procura_store::records::RandomId;

use crate::connection::BodyError;
use crate::front::OfAddress;

/// Names the journal record of an answer, for `procura audit explain`.
pub const REFERENCE: HeaderName = HeaderName::from_static("procura-reference");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// Seconds after which a caller may try again. What makes us unavailable is over within a second or
/// lasts long enough for this not to matter.
pub(crate) const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// 200 with a body that nobody may keep (RFC 6749 5.1).
pub(crate) fn secret_json(body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.reserve(4);
    headers.insert(CONTENT_TYPE, JSON);
    never_stored(headers);
    response
}

/// An error in the contract's shape.
pub(crate) fn refuse(message: &AuthErrorMessage) -> Response {
    let mut response = secret_json(message.to_json());
    *response.status_mut() = StatusCode::from_u16(message.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = response.headers_mut();
    match message.error {
        ErrorCode::InvalidClient => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"procura\""));
        }
        ErrorCode::TemporarilyUnavailable => {
            headers.insert(RETRY_AFTER, RETRY_SECONDS);
        }
        _ => {}
    }
    response
}

/// What a caller gets to see on the contract's own endpoints when it is not authenticated (contract, chapter
/// 1). The standard endpoints answer `invalid_client`, whatever the reason.
pub(crate) fn not_authenticated(reason: NotAuthenticated) -> Response {
    match reason {
        NotAuthenticated::Credentials => refuse_with(ErrorCode::InvalidClient),
        NotAuthenticated::LimitReached(reached) => too_many(reached),
        NotAuthenticated::CertificateInvalid => {
            with_reason(refuse_with(ErrorCode::CertificateInvalid), "SSL Certificate Error")
        }
        NotAuthenticated::CertificateMissing => {
            let status = StatusCode::from_u16(496).unwrap_or(StatusCode::UNAUTHORIZED);
            with_reason(empty(status), "SSL Certificate Required")
        }
    }
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = secret_json(Vec::new());
    *response.status_mut() = status;
    response.headers_mut().remove(CONTENT_TYPE);
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}

/// Names the status on HTTP/1.1, where no registry does.
fn with_reason(mut response: Response, reason: &'static str) -> Response {
    response.extensions_mut().insert(ReasonPhrase::from_static(reason.as_bytes()));
    response
}

/// An error with its usual sentence.
pub(crate) fn refuse_with(code: ErrorCode) -> Response {
    refuse(&code.into())
}

/// What a caller gets to see on the standard endpoints when it is not authenticated.
pub(crate) fn invalid_client(reason: NotAuthenticated) -> Response {
    match reason {
        NotAuthenticated::LimitReached(reached) => too_many(reached),
        _ => refuse_with(ErrorCode::InvalidClient),
    }
}

/// 429, without a body (contract, chapter 1).
pub(crate) fn too_many(reached: LimitReached) -> Response {
    tracing::debug!(limit = reached.limit.name(), "answered 429");
    let mut response = empty(StatusCode::TOO_MANY_REQUESTS);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(reached.retry_after));
    if reached.limit.is_of_address() {
        response.extensions_mut().insert(OfAddress);
    }
    response
}

/// The server can't answer now. The reason is for the operator; where it arises it is logged.
pub(crate) fn unavailable(reason: Unavailable) -> Response {
    tracing::debug!(%reason, "answered 503");
    refuse_with(ErrorCode::TemporarilyUnavailable)
}

/// Adds the reference of the record.
pub(crate) fn with_reference(mut response: Response, reference: RandomId) -> Response {
    if let Ok(value) = HeaderValue::from_str(reference.text().as_str()) {
        response.headers_mut().insert(REFERENCE, value);
    }
    response
}

/// What a caller gets to see of a refusal.
pub(crate) fn refusal(refusal: Refusal) -> Response {
    use Refusal as R;
    fn say(code: ErrorCode, text: impl Into<Cow<'static, str>>) -> AuthErrorMessage {
        AuthErrorMessage::new(code, text)
    }
    refuse(&match refusal {
        R::NotTrusted => ErrorCode::UnauthorizedClient.into(),
        R::MalformedContact(error) => say(ErrorCode::InvalidRequest, format!("The contact id {error}.")),
        R::Target => ErrorCode::InvalidTarget.into(),
        R::ProfileAlgorithm => say(
            ErrorCode::InvalidTarget,
            "The access tokens of that resource are signed with an algorithm that this application's profile does not have.",
        ),
        R::CannotActFor => ErrorCode::InvalidGrant.into(),
        R::ClientNotAllowed => say(
            ErrorCode::InvalidGrant,
            "A client named in clients is not among those that this application can act for with this contact.",
        ),
        R::NothingInScope => ErrorCode::InvalidScope.into(),
        R::TooManyClients { count } => say(
            ErrorCode::InvalidRequest,
            format!(
                "There are {count} clients, and a token lists at most {MAX_CLIENTS}. Name those needed in clients."
            ),
        ),
        R::TooLong { count, bytes } => say(
            ErrorCode::InvalidRequest,
            format!(
                "With its {count} clients the access token would have {bytes} bytes, which is too long. Name those needed in clients."
            ),
        ),
    })
}

/// A body that could not be read.
pub(crate) fn unreadable(error: BodyError) -> Response {
    let timed_out = AuthErrorMessage::new(ErrorCode::InvalidRequest, "The body did not come in time.");
    match error {
        BodyError::TooLarge => refuse_with(ErrorCode::PayloadTooLarge),
        BodyError::Broken => refuse(&AuthErrorMessage::new(
            ErrorCode::InvalidRequest,
            "The body is incomplete or badly framed.",
        )),
        BodyError::TooSlow => {
            let mut response = refuse(&timed_out);
            *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
            response
        }
    }
}

/// 404 for what no route takes.
pub(crate) async fn not_found() -> Response {
    refuse_with(ErrorCode::NotFound)
}

/// 405; the router adds `Allow`.
pub(crate) async fn method_not_allowed() -> Response {
    let response = refuse_with(ErrorCode::MethodNotAllowed);
    debug_assert!(!response.headers().contains_key(ALLOW));
    response
}

pub(crate) fn never_stored(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(PRAGMA, NO_CACHE);
}
