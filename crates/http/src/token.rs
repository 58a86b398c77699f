//! `POST /token` (contract, chapter 5): the standard grants. Extract, call, render.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::Request;
use http::request::Parts;
use procura_engine::application_auth::possession::TokenRequester;
use procura_engine::contact_token::{ContactToken, ContactTokenError, Refusal, Wanted};
use procura_engine::grant::{GrantError, OwnToken};
use procura_protocol::contact_token::{ContactTokenRequest, TokenType};
use procura_protocol::error::{AuthErrorMessage, ErrorCode};
use procura_protocol::paths;
use procura_protocol::secret::Secret;
use procura_protocol::token::{Grant, GrantType, TokenRequest, TokenResponse};
use procura_store::{Journal, Store};

use crate::contact_token::refused;
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
        Ok(response) | Err(response) => response,
    }
}

async fn issue<S: Store, J: Journal>(
    app: &App<S, J>,
    head: &Parts,
    body: &[u8],
) -> Result<Response, Response> {
    let query = head.uri.query().unwrap_or_default().as_bytes();
    let TokenRequest { grant, mut asked } =
        TokenRequest::parse(body, query).map_err(|error| answer::refuse(&error.into()))?;
    let in_form = std::mem::take(&mut asked.credentials);
    let presented = credentials::from_header_or_form(&head.headers, in_form)
        .map_err(|bad| answer::refuse(&AuthErrorMessage::from(bad)))?;
    let evidence = credentials::evidence(presented, head, paths::TOKEN);
    let application = app
        .engine
        .authenticate_application(&evidence)
        .await
        .map_err(answer::unavailable)?
        .map_err(answer::invalid_client)?;
    let requester = possession::require(app, application, head).await?;
    let response = match grant {
        Grant::Own => {
            let token = app.engine.own_token(&requester, &asked).await.map_err(refused)?;
            render_own(&token, &requester)
        }
        Grant::Assertion { by, assertion } => {
            let token = by_assertion(app, &requester, &assertion, (by, &asked)).await?;
            render(&token, by)
        }
    };
    Ok(possession::with_nonce(app, response, requester.binding()))
}

async fn by_assertion<S: Store, J: Journal>(
    app: &App<S, J>,
    requester: &TokenRequester,
    assertion: &Secret,
    (by, asked): (GrantType, &ContactTokenRequest<'_>),
) -> Result<ContactToken, Response> {
    let wanted = match by {
        GrantType::TokenExchange => Wanted::by_exchange(asked),
        GrantType::JwtBearer | GrantType::ClientCredentials => Wanted::BY_ASSERTION,
    };
    let token = app.engine.token_by_assertion(requester, assertion, asked, wanted).await;
    token.map_err(|error| match error {
        GrantError::Assertion { reference, .. } => answer::with_reference(unusable(), reference),
        GrantError::NotAuthenticated(reason) => answer::invalid_client(reason),
        // The id stands in the assertion, so that is what can't be granted (RFC 7523 3.1).
        GrantError::ContactToken(ContactTokenError::Refused {
            refusal: Refusal::MalformedContact(_),
            reference,
        }) => answer::with_reference(unusable(), reference),
        GrantError::ContactToken(error) => refused(error),
    })
}

/// One answer for whatever is wrong with an assertion.
fn unusable() -> Response {
    let text = "The assertion can't be granted. It must be a JWT of the type authorization-grant+jwt that this \
                application signed with one of its keys: iss is the application, sub the contact, aud the issuer of \
                this server as one string, exp at most 5 minutes ahead, and jti a name that was never used.";
    answer::refuse(&AuthErrorMessage::new(ErrorCode::InvalidGrant, text))
}

fn render(token: &ContactToken, by: GrantType) -> Response {
    let body = TokenResponse {
        access_token: &token.access_token,
        token_type: TokenType::of(token.binding),
        expires_in: token.expires_in,
        scope: Some(token.scope),
        id_token: token.id_token.as_deref(),
        exchanged: by == GrantType::TokenExchange,
    };
    answer::with_reference(answer::secret_json(body.to_json()), token.reference)
}

fn render_own(token: &OwnToken, requester: &TokenRequester) -> Response {
    let body = TokenResponse {
        access_token: &token.access_token,
        token_type: TokenType::of(requester.binding()),
        expires_in: token.expires_in,
        scope: None,
        id_token: None,
        exchanged: false,
    };
    answer::with_reference(answer::secret_json(body.to_json()), token.reference)
}
