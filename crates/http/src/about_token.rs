//! `POST /introspect` (RFC 7662) and `POST /revoke` (RFC 7009): extract, call, render.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::request::Parts;
use http::{Request, StatusCode};
use procura_engine::application_auth::Presented;
use procura_engine::revocation::RevokeError;
use procura_protocol::about_token::AboutToken;
use procura_protocol::error::{AuthErrorMessage, ErrorCode};
use procura_protocol::{introspection, paths};
use procura_store::{Journal, Store};

use crate::routes::App;
use crate::{answer, credentials, form};

/// `POST /introspect`.
pub(crate) async fn introspect<S: Store, J: Journal>(
    State(app): State<Arc<App<S, J>>>,
    request: Request<Body>,
) -> Response {
    match form::read(&app, request).await {
        Ok((head, body)) => match answer_about(&app, &head, &body).await {
            Ok(response) | Err(response) => response,
        },
        Err(refused) => refused,
    }
}

async fn answer_about<S: Store, J: Journal>(
    app: &App<S, J>,
    head: &Parts,
    body: &[u8],
) -> Result<Response, Response> {
    let (asked, presented) = shape(head, body).map_err(|message| answer::refuse(&message))?;
    let evidence = credentials::evidence(presented, head, paths::INTROSPECT);
    let caller = app
        .engine
        .authenticate_caller(&evidence)
        .await
        .map_err(answer::unavailable)?
        .map_err(answer::invalid_client)?;
    let found = app.engine.introspect(&caller, &asked.token).map_err(answer::unavailable)?;
    let body = found.as_ref().map_or(introspection::INACTIVE, |active| active.answer());
    Ok(answer::secret_json(body.to_vec()))
}

/// `POST /revoke`.
pub(crate) async fn revoke<S: Store, J: Journal>(
    State(app): State<Arc<App<S, J>>>,
    request: Request<Body>,
) -> Response {
    match form::read(&app, request).await {
        Ok((head, body)) => match end_token(&app, &head, &body).await {
            Ok(response) | Err(response) => response,
        },
        Err(refused) => refused,
    }
}

async fn end_token<S: Store, J: Journal>(
    app: &App<S, J>,
    head: &Parts,
    body: &[u8],
) -> Result<Response, Response> {
    let (asked, presented) = shape(head, body).map_err(|message| answer::refuse(&message))?;
    let evidence = credentials::evidence(presented, head, paths::REVOKE);
    let application = app
        .engine
        .authenticate_application(&evidence)
        .await
        .map_err(answer::unavailable)?
        .map_err(answer::invalid_client)?;
    match app.engine.revoke(&application, &asked.token).await {
        Ok(()) => Ok(answer::empty(StatusCode::OK)),
        Err(RevokeError::IdToken) => Err(answer::refuse_with(ErrorCode::UnsupportedTokenType)),
        Err(RevokeError::NotTheirs) => Err(answer::refuse(&AuthErrorMessage::new(
            ErrorCode::InvalidGrant,
            "This token was issued to another application. Only that one can revoke it.",
        ))),
        Err(RevokeError::Budget(reached)) => Err(answer::too_many(reached)),
        Err(RevokeError::Unavailable(reason)) => Err(answer::unavailable(reason)),
    }
}

fn shape<'a>(head: &Parts, body: &'a [u8]) -> Result<(AboutToken<'a>, Presented<'a>), AuthErrorMessage> {
    let query = head.uri.query().unwrap_or_default().as_bytes();
    let mut asked = AboutToken::parse(body, query)?;
    let in_form = std::mem::take(&mut asked.credentials);
    let presented = credentials::from_header_or_form(&head.headers, in_form)?;
    Ok((asked, presented))
}
