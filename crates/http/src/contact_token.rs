//! `POST /token/{contact_id}` (contract, chapter 1): extract, call, render.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::Request;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use procura_engine::contact_token::{ContactToken, ContactTokenError, Wanted};
use procura_protocol::contact_token::{ContactTokenRequest, ContactTokenResponse, TokenType};
use procura_protocol::error::AuthErrorMessage;
use procura_protocol::paths;
use procura_store::{Journal, Store};

use crate::routes::App;
use crate::{answer, credentials, form, possession};

/// The route's handler.
pub(crate) async fn post<S: Store, J: Journal>(
    State(app): State<Arc<App<S, J>>>,
    request: Request<Body>,
) -> Response {
    let (head, body) = match form::read(&app, request).await {
        Ok(read) => read,
        Err(refused) => return refused,
    };
    match issue(&app, &head, &body).await {
        Ok(token) => render(&app, &token),
        Err(refused) => refused,
    }
}

async fn issue<S: Store, J: Journal>(
    app: &App<S, J>,
    head: &Parts,
    body: &[u8],
) -> Result<ContactToken, Response> {
    let query = head.uri.query().unwrap_or_default().as_bytes();
    let mut request =
        ContactTokenRequest::parse(body, query).map_err(|error| answer::refuse(&error.into()))?;
    let in_form = std::mem::take(&mut request.credentials);
    let presented = credentials::from_header_or_form(&head.headers, in_form)
        .map_err(|bad| answer::refuse(&AuthErrorMessage::from(bad)))?;
    let evidence = credentials::evidence(presented, head, paths::TOKEN_FOR_CONTACT);
    let application = app
        .engine
        .authenticate_application(&evidence)
        .await
        .map_err(answer::unavailable)?
        .map_err(answer::not_authenticated)?;
    let requester = possession::require(app, application, head).await?;
    let contact_id = contact_id(head.uri.path());
    let issued = app.engine.contact_token(&requester, &contact_id, &request, Wanted::CONTACT_TOKEN);
    issued.await.map_err(refused)
}

/// A contact token that was not given, at any door.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn refused(error: ContactTokenError) -> Response {
    match error {
        ContactTokenError::Refused { refusal, reference } => {
            answer::with_reference(answer::refusal(refusal), reference)
        }
        ContactTokenError::LimitReached(reached) => answer::too_many(reached),
        ContactTokenError::Unavailable(reason) => answer::unavailable(reason),
    }
}

fn render<S: Store, J: Journal>(app: &App<S, J>, token: &ContactToken) -> Response {
    let body = ContactTokenResponse {
        access_token: &token.access_token,
        expires_in: token.expires_in,
        // By this door it is always wanted.
        id_token: token.id_token.as_deref().unwrap_or_default(),
        token_type: TokenType::of(token.binding),
    };
    let response = answer::with_reference(answer::secret_json(body.to_json()), token.reference);
    possession::with_nonce(app, response, token.binding)
}

/// The segment behind the prefix, decoded once. What does not decode to text can't be a contact id,
/// and neither can what stands for it here.
fn contact_id(path: &str) -> Cow<'_, str> {
    percent_decode_str(path.strip_prefix(paths::TOKEN_FOR_CONTACT_PREFIX).unwrap_or_default())
        .decode_utf8_lossy()
}
