//! Proofs of possession at the token endpoints (RFC 9449 5 and 8).

use axum::response::Response;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use procura_dpop::{DpopFault, Proofs};
use procura_engine::application_auth::AuthenticatedApplication;
use procura_engine::application_auth::possession::{PossessionError, ProvedRequest, TokenRequester};
use procura_protocol::confirmation::Binding;
use procura_protocol::dpop::{DPOP_HEADER, DPOP_NONCE_HEADER};
use procura_protocol::error::{AuthErrorMessage, ErrorCode};
use procura_store::{Journal, Store};

use crate::answer;
use crate::routes::App;

const NONCE: HeaderName = HeaderName::from_static(DPOP_NONCE_HEADER);

/// What a token for this application is to be bound to.
pub(crate) async fn require<S: Store, J: Journal>(
    app: &App<S, J>,
    application: AuthenticatedApplication,
    head: &Parts,
) -> Result<TokenRequester, Response> {
    let request = ProvedRequest {
        proofs: Proofs::of(head.headers.get_all(DPOP_HEADER).iter().map(HeaderValue::as_bytes)),
        method: head.method.as_str(),
        path: head.uri.path(),
    };
    match app.engine.require_possession(application, &request).await {
        Ok(requester) => Ok(requester),
        Err(error) => Err(refused(app, &error)),
    }
}

fn refused<S: Store, J: Journal>(app: &App<S, J>, error: &PossessionError) -> Response {
    match *error {
        PossessionError::Fault { fault: DpopFault::Nonce, .. } => {
            add_nonce(answer::refuse_with(ErrorCode::UseDpopNonce), app.engine.proof_nonce(true))
        }
        PossessionError::Fault { fault, reference } => {
            let text = format!("The DPoP proof {}.", fault.what_is_wrong());
            let response = answer::refuse(&AuthErrorMessage::new(ErrorCode::InvalidDpopProof, text));
            let response = add_nonce(response, app.engine.proof_nonce(false));
            match reference {
                Some(reference) => answer::with_reference(response, reference),
                None => response,
            }
        }
        PossessionError::NotRegistered { reference } => {
            let text = "This application is not registered for DPoP. Leave the DPoP header out, or have it registered \
                        with dpop_bound_access_tokens.";
            let message = AuthErrorMessage::new(ErrorCode::InvalidRequest, text);
            answer::with_reference(answer::refuse(&message), reference)
        }
        PossessionError::NothingToBindTo { reference } => {
            let text = "The tokens of this application must be bound, and it is registered for nothing that they could be \
                        bound to. Its registration must change.";
            let message = AuthErrorMessage::new(ErrorCode::InvalidRequest, text);
            answer::with_reference(answer::refuse(&message), reference)
        }
        PossessionError::Unavailable(reason) => answer::unavailable(reason),
    }
}

/// The nonce for the next proof beside a token that is bound to a key, where proofs must have one (RFC 9449
/// 8.2).
pub(crate) fn with_nonce<S: Store, J: Journal>(
    app: &App<S, J>,
    response: Response,
    binding: Option<Binding>,
) -> Response {
    match binding.and_then(Binding::key) {
        Some(_) => add_nonce(response, app.engine.proof_nonce(false)),
        None => response,
    }
}

fn add_nonce(mut response: Response, nonce: Option<String>) -> Response {
    if let Some(nonce) = nonce.and_then(|nonce| HeaderValue::try_from(nonce).ok()) {
        response.headers_mut().insert(NONCE, nonce);
    }
    response
}
