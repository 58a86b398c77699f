//! What the modules share: requests that work, and looks at answers.

use axum::body::Body;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Builder;
use http::{Request, StatusCode};
use procura_store::journal::{Record, Refused};
use procura_testkit::app::basic;
use procura_testkit::world::{APPLICATION, CONTACT, SECRET};
use procura_testkit::{Answer, TestApp};

/// The type of a form.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// The way to the contact for whom a token is to be had.
pub(crate) fn contact_path() -> String {
    format!("/token/{CONTACT}")
}

/// A request for a contact token with the right credentials, before its body.
pub(crate) fn asking(path: &str) -> Builder {
    Request::post(path).header(AUTHORIZATION, basic(APPLICATION, SECRET))
}

/// A request for a contact token without credentials, before its body.
pub(crate) fn asking_as_nobody() -> Builder {
    Request::post(contact_path())
}

/// That request with a form.
pub(crate) fn with_form(request: Builder, form: impl Into<Body>) -> Request<Body> {
    request.header(CONTENT_TYPE, FORM).body(form.into()).unwrap()
}

/// That request without a body.
pub(crate) fn without_body(request: Builder) -> Request<Body> {
    request.body(Body::empty()).unwrap()
}

/// A `GET` of anybody.
pub(crate) fn get(path: &str) -> Request<Body> {
    without_body(Request::get(path))
}

/// Asks for the available contacts, with that query.
pub(crate) async fn list(app: &TestApp, query: &str) -> Answer {
    let path = format!("/info/available-contacts{query}");
    app.send(without_body(Request::get(path).header(AUTHORIZATION, basic(APPLICATION, SECRET)))).await
}

/// Checks everything that an answer of this status and code must be, and gives back its sentence.
#[track_caller]
pub(crate) fn assert_refused(answer: &Answer, status: u16, error: &str) -> String {
    assert_eq!((answer.status.as_u16(), answer.text("error").as_str()), (status, error), "{answer:?}");
    let body = answer.json();
    let members: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["error", "error_description"], "AuthErrorMessage has two members");
    assert_eq!(answer.header(CONTENT_TYPE.as_str()), "application/json");
    assert_eq!(answer.header(CACHE_CONTROL.as_str()), "no-store");
    let challenge = if status == 401 { "Basic realm=\"procura\"" } else { "" };
    assert_eq!(answer.header(WWW_AUTHENTICATE.as_str()), challenge);
    assert_eq!(!answer.header(RETRY_AFTER.as_str()).is_empty(), status == 503, "Retry-After goes with 503");
    let sentence = answer.text("error_description");
    let allowed = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    assert!(!sentence.is_empty() && sentence.chars().all(allowed), "RFC 6749 5.2: {sentence}");
    sentence
}

/// Checks that a token came, and gives back the ids of the clients that it lists.
#[track_caller]
pub(crate) fn listed(app: &TestApp, answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let claims = app.id_token(answer);
    let clients = claims["clients"].as_array().unwrap().iter();
    clients.map(|client| client["client_id"].as_str().unwrap().to_owned()).collect()
}

/// How many tokens the journal says were issued.
pub(crate) fn issued(app: &TestApp) -> usize {
    app.journal.records().iter().filter(|record| matches!(record, Record::Issued(_))).count()
}

/// The last record, which must be a refusal.
#[track_caller]
pub(crate) fn last_refusal(app: &TestApp) -> Refused {
    match app.journal.records().pop() {
        Some(Record::Refused(refused)) => refused,
        other => panic!("the last record is no refusal: {other:?}"),
    }
}
