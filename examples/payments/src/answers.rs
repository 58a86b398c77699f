//! Errors in the shape that the guard answers with, so that a caller learns one, and ids and bodies read by it.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::json;

/// A refusal: `{"code", "message", "details"}`, three strings (contract, chapter 4).
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Problem {
    /// What was sent has to change.
    pub(crate) fn invalid(message: impl Into<String>) -> Problem {
        Problem { status: StatusCode::BAD_REQUEST, code: "invalid_request", message: message.into() }
    }

    /// There is no such thing, or it is another client's.
    pub(crate) fn not_found(what: &str) -> Problem {
        let message = format!("This client has no such {what}.");
        Problem { status: StatusCode::NOT_FOUND, code: "not_found", message }
    }

    /// It was there before.
    pub(crate) fn conflict(message: impl Into<String>) -> Problem {
        Problem { status: StatusCode::CONFLICT, code: "conflict", message: message.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({ "code": self.code, "message": self.message, "details": "" });
        (self.status, Json(body)).into_response()
    }
}

/// The id in a path.
pub(crate) struct Id(pub(crate) u64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Id(id)),
            Err(_) => Err(Problem::invalid("An id is a whole number.")),
        }
    }
}

/// A JSON body. It stands last in a handler, so it is read only after the guard has let the call through.
pub(crate) struct Sent<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::from_request(request, state).await {
            Ok(Json(sent)) => Ok(Sent(sent)),
            Err(refused) => Err(Problem {
                status: refused.status(),
                code: "invalid_request",
                message: refused.body_text(),
            }),
        }
    }
}
