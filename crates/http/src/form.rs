//! The forms that the token endpoints read.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Request};
use procura_protocol::error::ErrorCode;
use procura_store::{Journal, Store};

use crate::answer;
use crate::connection::read_body;
use crate::routes::App;

/// The head of a request and the form in its body, or the answer that there is none to read.
pub(crate) async fn read<S: Store, J: Journal>(
    app: &App<S, J>,
    request: Request<Body>,
) -> Result<(Parts, Bytes), Response> {
    let (head, body) = request.into_parts();
    let body = read_body(body, &app.limits).await.map_err(answer::unreadable)?;
    if !body.is_empty() && !is_form(&head.headers) {
        return Err(answer::refuse_with(ErrorCode::UnsupportedMediaType));
    }
    Ok((head, body))
}

/// A body may come without a type, as a form, or as `*/*`, which the published description says.
fn is_form(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let Some(declared) = types.next() else { return true };
    let Ok(declared) = declared.to_str() else { return false };
    let essence = declared.split(';').next().unwrap_or_default().trim();
    types.next().is_none()
        && (essence == "*/*" || essence.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}
