//! `GET /info/available-contacts` (contract, chapter 2): extract, call, stream.

mod slots;
mod stream;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::LINK;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request};
use procura_engine::Unavailable;
use procura_engine::application_auth::{AuthenticatedApplication, Evidence};
use procura_engine::available_contacts::{AvailableContacts, AvailableContactsError};
use procura_protocol::contact_token::{FormCredentials, ShapeError};
use procura_protocol::error::{AuthErrorMessage, ErrorCode};
use procura_protocol::form::Form;
use procura_protocol::parameters::{Taken, classify};
use procura_protocol::paths;
use procura_protocol::secret::Secret;
use procura_store::{Journal, Store};

use crate::routes::App;
use crate::{answer, credentials};
pub(crate) use slots::{Slot, Slots};
use stream::ContactIds;

/// How long a second list of the same application waits for the first.
const WAIT: Duration = Duration::from_secs(10);

/// A GET has no form: an application without a secret names itself in the query, where a secret is refused.
const TAKEN: &[&str] = &["page", "page_size", "client_id", "client_assertion", "client_assertion_type"];
const TOTAL: HeaderName = HeaderName::from_static("x-total-count");

/// One page of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Page {
    number: usize,
    size: usize,
}

/// The route's handler.
pub(crate) async fn get<S: Store, J: Journal>(
    State(app): State<Arc<App<S, J>>>,
    request: Request<Body>,
) -> Response {
    let (head, _) = request.into_parts();
    match list(&app, &head).await {
        Ok(response) | Err(response) => response,
    }
}

async fn list<S: Store, J: Journal>(app: &Arc<App<S, J>>, head: &Parts) -> Result<Response, Response> {
    let invalid = |text| answer::refuse(&AuthErrorMessage::new(ErrorCode::InvalidRequest, text));
    let query = read_query(head.uri.query().unwrap_or_default()).map_err(invalid)?;
    let page = read_page(&query).map_err(invalid)?;
    let shape = |error: ShapeError| answer::refuse(&error.into());
    let presented = credentials::from_header_or_form(&head.headers, in_query(&query).map_err(shape)?)
        .map_err(|bad| answer::refuse(&AuthErrorMessage::from(bad)))?;
    let evidence = credentials::evidence(presented, head, paths::AVAILABLE_CONTACTS);
    let application = authenticate(app, &evidence).await?;
    let number = application.application().no;
    let slot = app
        .slots
        .take(number, WAIT)
        .await
        .ok_or_else(|| answer::refuse_with(ErrorCode::TemporarilyUnavailable))?;
    // The turn may have taken seconds to come: what is listed is decided on the directory of now.
    let application = app.engine.renew(&application).map_err(answer::unavailable)?;
    let application = admit(app, application.map_err(answer::not_authenticated)?).await?;
    let contacts = find(app, application).await.map_err(answer::unavailable)?;
    let total = contacts.len();
    let (skip, take) =
        page.map_or((0, total), |page| ((page.number - 1).saturating_mul(page.size), page.size));
    let mut response = answer::secret_json(Vec::new());
    *response.body_mut() = Body::new(ContactIds::new(contacts, skip..skip.saturating_add(take), slot));
    if let Some(page) = page {
        let headers = response.headers_mut();
        headers.insert(TOTAL, HeaderValue::from(total));
        if let Ok(link) = HeaderValue::from_str(&links(&app.engine.settings().issuer, page, total)) {
            headers.insert(LINK, link);
        }
    }
    Ok(response)
}

/// Who asks.
async fn authenticate<S: Store, J: Journal>(
    app: &Arc<App<S, J>>,
    evidence: &Evidence<'_>,
) -> Result<AuthenticatedApplication, Response> {
    let application = app.engine.authenticate_application(evidence).await.map_err(answer::unavailable)?;
    admit(app, application.map_err(answer::not_authenticated)?).await
}

/// Who asks, if they may.
async fn admit<S: Store, J: Journal>(
    app: &Arc<App<S, J>>,
    application: AuthenticatedApplication,
) -> Result<AuthenticatedApplication, Response> {
    app.engine.may_list_contacts(&application).await.map_err(|error| match error {
        AvailableContactsError::NotTrusted { reference } => {
            answer::with_reference(answer::refuse_with(ErrorCode::UnauthorizedClient), reference)
        }
        AvailableContactsError::Unavailable(reason) => answer::unavailable(reason),
    })?;
    Ok(application)
}

/// Walks the directory away from the threads that serve others.
async fn find<S: Store, J: Journal>(
    app: &Arc<App<S, J>>,
    application: AuthenticatedApplication,
) -> Result<AvailableContacts, Unavailable> {
    let app = Arc::clone(app);
    let walk = tokio::task::spawn_blocking(move || app.engine.available_contacts(application));
    walk.await.unwrap_or_else(|error| {
        tracing::error!(%error, "listing the available contacts failed");
        Err(Unavailable::BeingLoaded)
    })
}

/// A parameter that is repeated, or means something elsewhere, is refused.
fn read_query(query: &str) -> Result<Form<'_>, String> {
    let form = Form::parse(query.as_bytes()).map_err(|error| format!("The query can't be read: {error}."))?;
    for (name, _) in form.iter() {
        if let Taken::RegisteredNotTaken(name) = classify(name, TAKEN) {
            return Err(format!("This request does not take the parameter '{name}'. Leave it out."));
        }
    }
    Ok(form)
}

/// What the query says about who asks. An empty value must not come to mean that none is there.
fn in_query<'a>(query: &'a Form<'_>) -> Result<FormCredentials<'a>, ShapeError> {
    let text = |name: &'static str| match query.get(name) {
        Some("") => Err(ShapeError::Empty(name)),
        value => Ok(value),
    };
    Ok(FormCredentials {
        client_id: text("client_id")?.map(Cow::Borrowed),
        client_secret: None,
        client_assertion: text("client_assertion")?.map(|jwt| Secret::from(jwt.to_owned())),
        client_assertion_type: text("client_assertion_type")?.map(Cow::Borrowed),
    })
}

/// Either parameter turns paging on; a value out of bounds is refused.
fn read_page(form: &Form<'_>) -> Result<Option<Page>, String> {
    if form.get("page").is_none() && form.get("page_size").is_none() {
        return Ok(None);
    }
    let number = bounded(form, "page", 1, u32::MAX)?;
    let size = bounded(form, "page_size", 100, 1_000)?;
    Ok(Some(Page { number, size }))
}

fn bounded(form: &Form<'_>, name: &str, default: u32, most: u32) -> Result<usize, String> {
    let text = form.get(name).unwrap_or_default();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = match form.get(name) {
        None => Some(default),
        Some(_) if digits => text.parse().ok().filter(|value| (1..=most).contains(value)),
        Some(_) => None,
    };
    value
        .map(|value| value as usize)
        .ok_or_else(|| format!("The parameter '{name}' must be a number from 1 to {most}."))
}

/// RFC 8288, with the relations that list APIs use.
fn links(issuer: &str, page: Page, total: usize) -> String {
    let last = total.div_ceil(page.size).max(1);
    let mut relations = vec![(1, "first")];
    if page.number > 1 {
        relations.push(((page.number - 1).min(last), "prev"));
    }
    if page.number < last {
        relations.push((page.number + 1, "next"));
    }
    relations.push((last, "last"));
    let size = page.size;
    let link = |(number, relation)| {
        format!("<{issuer}{}?page={number}&page_size={size}>; rel=\"{relation}\"", paths::AVAILABLE_CONTACTS)
    };
    relations.into_iter().map(link).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_parameter_turns_paging_on() {
        let read_page = |query| read_query(query).and_then(|form| read_page(&form));
        assert_eq!(read_page(""), Ok(None));
        assert_eq!(read_page("page=3"), Ok(Some(Page { number: 3, size: 100 })));
        assert_eq!(read_page("page_size=1000"), Ok(Some(Page { number: 1, size: 1_000 })));
        for bad in [
            "page=0",
            "page=",
            "page=-1",
            "page=+1",
            "page=a",
            "page_size=0",
            "page_size=1001",
            "page=1&page=1",
            "scope=openid",
            "page=99999999999",
        ] {
            assert!(read_page(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn links_lead_to_the_neighbours_and_the_ends() {
        let text = links("https://p.example", Page { number: 2, size: 10 }, 35);
        let url = "https://p.example/info/available-contacts?page=";
        assert_eq!(
            text,
            format!(
                "<{url}1&page_size=10>; rel=\"first\", <{url}1&page_size=10>; rel=\"prev\", \
                 <{url}3&page_size=10>; rel=\"next\", <{url}4&page_size=10>; rel=\"last\""
            )
        );
        assert!(!links("", Page { number: 4, size: 10 }, 35).contains("next"));
        assert!(!links("", Page { number: 1, size: 10 }, 0).contains("prev"));
    }
}
