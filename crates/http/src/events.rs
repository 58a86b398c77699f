//! `GET /events` (contract, chapter 8): revocations as they come, for resources.

mod places;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use procura_protocol::error::{AuthErrorMessage, ErrorCode};
use procura_protocol::events::Position;
use procura_protocol::paths;
use procura_store::{Journal, Store};

use crate::routes::App;
use crate::{answer, credentials};
pub(crate) use places::Places;
use stream::EventStream;

/// How long a guard that asks for everything waits for its turn.
const WAIT: Duration = Duration::from_secs(10);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
/// Asks nginx not to keep events back until it has a buffer full of them.
const NO_BUFFERING: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// The route's handler.
pub(crate) async fn get<S: Store, J: Journal>(
    State(app): State<Arc<App<S, J>>>,
    request: Request<Body>,
) -> Response {
    let (head, _) = request.into_parts();
    match listen(app, &head).await {
        Ok(response) | Err(response) => response,
    }
}

async fn listen<S: Store, J: Journal>(app: Arc<App<S, J>>, head: &Parts) -> Result<Response, Response> {
    let known = last_event_id(&head.headers).map_err(|message| answer::refuse(&message))?;
    let presented = credentials::from_header(&head.headers);
    let resource = app
        .engine
        .authenticate_resource(&credentials::evidence(presented, head, paths::EVENTS))
        .map_err(answer::unavailable)?
        .map_err(answer::invalid_client)?;
    let full = || answer::refuse_with(ErrorCode::TemporarilyUnavailable);
    let place = app.places.take(resource.resource().no).ok_or_else(full)?;
    // Only so many get everything at once: after a start all guards come, and each has it in memory.
    let turn = app.places.turn(resource.resource().no, WAIT).await.ok_or_else(full)?;
    let stream = EventStream::new(Arc::clone(&app), resource.listening(), known, (place, turn));
    let mut response = answer::secret_json(Vec::new());
    *response.body_mut() = Body::new(stream);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, EVENT_STREAM);
    headers.insert(NO_BUFFERING.0, NO_BUFFERING.1);
    Ok(response)
}

/// Where the guard was. What is no position of ours is refused: a guard that sends it is broken, and
/// would not notice that it gets everything again and again.
fn last_event_id(headers: &HeaderMap) -> Result<Option<Position>, AuthErrorMessage> {
    let mut ids = headers.get_all(LAST_EVENT_ID).iter();
    let Some(id) = ids.next() else { return Ok(None) };
    let position = id.to_str().ok().and_then(|id| Position::parse(id).ok());
    match (position, ids.next()) {
        (Some(position), None) => Ok(Some(position)),
        _ => Err(AuthErrorMessage::new(
            ErrorCode::InvalidRequest,
            "Last-Event-ID must be the id of an event of this stream, once.",
        )),
    }
}
