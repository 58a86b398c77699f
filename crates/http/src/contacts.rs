//! `/contacts` and `/contacts/{contact_id}` (contract, chapter 4): extract, call, render.

mod stream;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode};
use percent_encoding::percent_decode_str;
use procura_engine::Unavailable;
use procura_engine::contacts::change::checked;
use procura_engine::contacts::{Acting, ContactList};
use procura_guard::{ActingFor, Permission, Reading};
use procura_protocol::contact_update::ContactUpdate;
use procura_protocol::paths;
use procura_store::{Journal, Store};

use crate::connection::read_body;
use crate::preconditions::{if_match, is_known};
use crate::routes::App;
use crate::{answer, api_answer};

/// How long a second list of the same application waits for the first.
const WAIT: Duration = Duration::from_secs(10);

/// `GET /contacts`.
pub(crate) async fn list<S: Store, J: Journal>(
    State(app): State<Arc<App<S, J>>>,
    acting: ActingFor<Reading>,
    request: Request<Body>,
) -> Response {
    let (head, _) = request.into_parts();
    match begin_list(&app, facts(&acting), head).await {
        Ok(response) | Err(response) => response,
    }
}

async fn begin_list<S: Store, J: Journal>(
    app: &Arc<App<S, J>>,
    acting: Acting,
    head: Parts,
) -> Result<Response, Response> {
    let slot = if acting.permissions.contains(Permission::ManageContacts) {
        let directory = app.engine.directory().map_err(|stale| api_answer::unavailable(stale.into()))?;
        let application = directory.application(acting.application.as_str()).map(|found| found.no);
        let application = application.ok_or_else(api_answer::unavailable_now)?;
        let slot = app.contact_lists.take(application, WAIT).await.ok_or_else(api_answer::unavailable_now)?;
        // The turn may have taken seconds to come, and the token may be dead by now.
        app.still_passes(&head).await?;
        Some(slot)
    } else {
        None
    };
    let list = sort(app, acting).await.map_err(api_answer::unavailable)?;
    stream::answer(Arc::clone(app), list, head, slot).await
}

/// Sorts away from the threads that serve others.
async fn sort<S: Store, J: Journal>(
    app: &Arc<App<S, J>>,
    acting: Acting,
) -> Result<ContactList, Unavailable> {
    if !acting.permissions.contains(Permission::ManageContacts) {
        return app.engine.contacts(acting);
    }
    let app = Arc::clone(app);
    let sorted = tokio::task::spawn_blocking(move || app.engine.contacts(acting));
    sorted.await.unwrap_or_else(|error| {
        tracing::error!(%error, "listing the contacts failed");
        Err(Unavailable::NotRead)
    })
}

/// `GET /contacts/{contact_id}`.
pub(crate) async fn get<S: Store, J: Journal>(
    State(app): State<Arc<App<S, J>>>,
    acting: ActingFor<Reading>,
    request: Request<Body>,
) -> Response {
    let (head, _) = request.into_parts();
    match show(&app, &facts(&acting), &head).await {
        Ok(response) | Err(response) => response,
    }
}

async fn show<S: Store, J: Journal>(
    app: &App<S, J>,
    acting: &Acting,
    head: &Parts,
) -> Result<Response, Response> {
    let precondition = if_match(&head.headers).map_err(api_answer::bad_request)?;
    let shown = app.engine.contact(acting, &contact_id(head.uri.path()), &precondition).await;
    let shown = shown.map_err(|error| api_answer::contact_error((&app.guard, &head.headers), error))?;
    if is_known(&head.headers, shown.tag).map_err(api_answer::bad_request)? {
        return Ok(api_answer::nothing_but(StatusCode::NOT_MODIFIED, shown.tag));
    }
    Ok(api_answer::with_tag(answer::secret_json(shown.json), shown.tag))
}

/// `PATCH /contacts/{contact_id}`.
pub(crate) async fn patch<S: Store, J: Journal>(
    State(app): State<Arc<App<S, J>>>,
    acting: ActingFor<Reading>,
    request: Request<Body>,
) -> Response {
    let (head, body) = request.into_parts();
    match change(&app, &facts(&acting), &head, body).await {
        Ok(response) | Err(response) => response,
    }
}

async fn change<S: Store, J: Journal>(
    app: &App<S, J>,
    acting: &Acting,
    head: &Parts,
    body: Body,
) -> Result<Response, Response> {
    let body = read_body(body, &app.limits).await.map_err(api_answer::unreadable)?;
    if !is_json(&head.headers) {
        return Err(api_answer::not_json());
    }
    // The body may have taken seconds to come, and what was revoked meanwhile changes nothing any more.
    app.still_passes(head).await?;
    let precondition = if_match(&head.headers).map_err(api_answer::bad_request)?;
    let (update, faults) = ContactUpdate::parse(&body).map_err(api_answer::not_an_update)?;
    let update = checked(update, faults).map_err(|faults| api_answer::bad_fields(&faults))?;
    let changed =
        app.engine.change_contact(acting, &contact_id(head.uri.path()), &update, &precondition).await;
    let tag = changed.map_err(|error| api_answer::contact_error((&app.guard, &head.headers), error))?;
    Ok(api_answer::nothing_but(StatusCode::NO_CONTENT, tag))
}

impl<S: Store, J: Journal> App<S, J> {
    /// Whether the token of a call that takes long is still in force.
    pub(crate) async fn still_passes(&self, head: &Parts) -> Result<(), Response> {
        let passes = self.guard.still_passes(head).await;
        passes.map_err(|refusal| self.guard.answer(&refusal, &head.headers).map(Body::from))
    }
}

/// What the guard found, in the engine's words.
fn facts(acting: &ActingFor<Reading>) -> Acting {
    Acting {
        contact: acting.contact().clone(),
        application: acting.application().clone(),
        client: acting.client().clone(),
        permissions: acting.permissions(),
        presence: acting.presence(),
    }
}

/// The last segment, decoded once. What does not decode to text is no id of anybody.
fn contact_id(path: &str) -> Cow<'_, str> {
    let segment = path.strip_prefix(paths::CONTACTS).and_then(|rest| rest.strip_prefix('/'));
    percent_decode_str(segment.unwrap_or_default()).decode_utf8_lossy()
}

/// Exactly one `Content-Type`, of JSON, whatever its parameters say: JSON is UTF-8 (RFC 8259 8.1).
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let declared = types.next().and_then(|declared| declared.to_str().ok()).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim();
    types.next().is_none() && essence.eq_ignore_ascii_case("application/json")
}
