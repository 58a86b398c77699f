//! Outcomes of chapter 4 as responses. What the guard refuses looks the same here and at any resource.

use axum::body::Body;
use axum::response::Response;
use http::header::{ETAG, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use procura_engine::Unavailable;
use procura_engine::contacts::{ContactError, Forbidden, StateTag};
use procura_guard::{Guard, Refusal};
use procura_protocol::contact_update::{FieldFaults, NotAnUpdate};
use procura_protocol::error::ErrorCode;
use procura_protocol::error_message::ErrorMessage;

use crate::answer;
use crate::connection::BodyError;
use crate::preconditions::etag;

/// The guard that a request passed, and the headers of that request.
type Guarded<'a> = (&'a Guard, &'a HeaderMap);

/// A contact was not shown or not changed.
pub(crate) fn contact_error(guarded: Guarded<'_>, error: ContactError) -> Response {
    match error {
        ContactError::Permission(permission) => {
            refused(guarded, &Refusal::InsufficientPermission(permission))
        }
        ContactError::NotFound => say(
            StatusCode::NOT_FOUND,
            &ErrorMessage::new("contact_not_found", "There is no such contact of this client."),
        ),
        ContactError::Stale => say(
            StatusCode::CONFLICT,
            &ErrorMessage::new(
                "conflict",
                "The contact is in another state than If-Match names. Get it again and decide anew.",
            ),
        ),
        ContactError::Values(faults) => bad_fields(&faults),
        ContactError::Forbidden { cause, fields } => forbidden(guarded, cause, &fields),
        ContactError::Unavailable(reason) => unavailable(reason),
    }
}

/// Fields that may not be changed. Where the guard has an answer for the cause, it is that one, which
/// then also names the fields.
fn forbidden(guarded: Guarded<'_>, cause: Forbidden, fields: &FieldFaults) -> Response {
    let own = |refusal: Refusal| Some(refused(guarded, &refusal));
    let (refused, code) = match cause {
        Forbidden::NoPerson => (own(Refusal::PersonRequired), "person_required"),
        Forbidden::Permission(permission) => {
            (own(Refusal::InsufficientPermission(permission)), "insufficient_permission")
        }
        Forbidden::OfAnother => (None, "of_another_person"),
        Forbidden::OwnUpward => (None, "own_permissions"),
    };
    let message = ErrorMessage::new(code, "The token does not allow this change. Nothing was changed.");
    let mut response = say(StatusCode::FORBIDDEN, &with_fields(message, fields));
    if let Some(refused) = refused {
        response.headers_mut().extend(refused.headers().clone());
    }
    response
}

fn refused((guard, headers): Guarded<'_>, refusal: &Refusal) -> Response {
    guard.answer(refusal, headers).map(Body::from)
}

/// Fields whose values can't be.
pub(crate) fn bad_fields(faults: &FieldFaults) -> Response {
    let message = ErrorMessage::new(
        "invalid_request",
        "There are fields that can't be changed so. Nothing was changed.",
    );
    say(StatusCode::BAD_REQUEST, &with_fields(message, faults))
}

fn with_fields(message: ErrorMessage, faults: &FieldFaults) -> ErrorMessage {
    let fields: Vec<_> = faults.iter().map(|(field, sentence)| (field, [sentence])).collect();
    message.with_details(fields.iter().map(|(field, sentences)| (*field, sentences.as_slice())))
}

/// A body without members to speak of.
pub(crate) fn not_an_update(error: NotAnUpdate) -> Response {
    bad_request(error.to_string())
}

/// A request that can't be read in exactly one way.
pub(crate) fn bad_request(sentence: String) -> Response {
    say(StatusCode::BAD_REQUEST, &ErrorMessage::new("invalid_request", sentence))
}

/// A body of another type.
pub(crate) fn not_json() -> Response {
    let message = ErrorMessage::new("invalid_request", "Send the body as application/json.");
    say(StatusCode::UNSUPPORTED_MEDIA_TYPE, &message)
}

/// A body that could not be read.
pub(crate) fn unreadable(error: BodyError) -> Response {
    let (status, sentence) = match error {
        BodyError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::PayloadTooLarge.description()),
        BodyError::Broken => (StatusCode::BAD_REQUEST, "The body is incomplete or badly framed."),
        BodyError::TooSlow => (StatusCode::REQUEST_TIMEOUT, "The body did not come in time."),
    };
    say(status, &ErrorMessage::new("invalid_request", sentence))
}

/// The server can't answer now. The reason is for the operator; where it arises it is logged.
pub(crate) fn unavailable(reason: Unavailable) -> Response {
    tracing::debug!(%reason, "answered 503");
    unavailable_now()
}

/// The same for a reason that was told already.
pub(crate) fn unavailable_now() -> Response {
    let code = ErrorCode::TemporarilyUnavailable;
    let message = ErrorMessage::new(code.as_str(), code.description());
    let mut response = say(StatusCode::SERVICE_UNAVAILABLE, &message);
    response.headers_mut().insert(RETRY_AFTER, answer::RETRY_SECONDS);
    response
}

/// An answer without a body, about a state. Neither 204 nor 304 says a length (RFC 9110 8.6).
pub(crate) fn nothing_but(status: StatusCode, tag: StateTag) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    answer::never_stored(response.headers_mut());
    with_tag(response, tag)
}

/// Adds the state.
pub(crate) fn with_tag(mut response: Response, tag: StateTag) -> Response {
    if let Ok(value) = HeaderValue::from_str(&etag(tag)) {
        response.headers_mut().insert(ETAG, value);
    }
    response
}

fn say(status: StatusCode, message: &ErrorMessage) -> Response {
    let mut response = answer::secret_json(message.to_json());
    *response.status_mut() = status;
    response
}
