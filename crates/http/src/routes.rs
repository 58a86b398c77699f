//! Which path goes where.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::{any, get, post};
use bytes::Bytes;
use procura_engine::Engine;
use procura_guard::{Guard, Refusal};
use procura_protocol::ids::InvalidId;
use procura_protocol::metadata::Metadata;
use procura_protocol::paths;
use procura_store::{Journal, Store};
use thiserror::Error;
use tower::ServiceBuilder;

use crate::available_contacts::Slots;
use crate::connection::Drain;
use crate::events::Places;
use crate::forward_auth::{ForwardAuth, Policy};
use crate::limits::Limits;
use crate::metrics::{Place, ProofWatch};
use crate::own_guard::own_guard;
use crate::{
    about_token, answer, available_contacts, clients, contact_token, contacts, documents, events,
    forward_auth, health, token,
};

/// [`paths::FORWARD_AUTH`], and the target of the original request after it.
const FORWARD_AUTH_OF_ROOT: &str = "/forward-auth/{policy}/";
const FORWARD_AUTH_OF_PATH: &str = "/forward-auth/{policy}/{*path}";

/// What the handlers share.
pub(crate) struct App<S, J> {
    pub(crate) engine: Arc<Engine<S, J>>,
    pub(crate) limits: Limits,
    pub(crate) metadata: Bytes,
    pub(crate) slots: Slots,
    pub(crate) contact_lists: Slots,
    pub(crate) places: Places,
    pub(crate) drain: Drain,
    pub(crate) guard: Guard,
    pub(crate) forward_auth: ForwardAuth,
    pub(crate) proofs: ProofWatch,
}

/// Why the routes can't be put together.
#[derive(Debug, Error)]
pub enum CannotServe {
    /// The metadata can't be written as JSON, which no issuer causes.
    #[error("the metadata can't be written: {0}")]
    Metadata(#[from] serde_json::Error),
    /// The server's own API has no id, because the issuer is no URI.
    #[error("the issuer {0}")]
    Issuer(#[from] InvalidId),
}

/// What an installation serves beside what every one does.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// What proxies may let through.
    pub policies: Vec<Policy>,
    /// The URL under which a listener asks for certificates, if one does (RFC 8705 5).
    pub mutual_tls: Option<String>,
    /// For whoever wants to know what the guards count: filled by the router.
    pub proofs: ProofWatch,
}

impl From<Vec<Policy>> for Offer {
    fn from(policies: Vec<Policy>) -> Offer {
        Offer { policies, ..Offer::default() }
    }
}

/// The service that a listener serves. What would go on for hours ends when `drain` begins.
///
/// # Errors
///
/// [`CannotServe`].
pub fn router<S: Store, J: Journal>(
    engine: Arc<Engine<S, J>>,
    limits: Limits,
    drain: Drain,
    offer: impl Into<Offer>,
) -> Result<Router, CannotServe> {
    let Offer { policies, mutual_tls, proofs } = offer.into();
    let metadata = Metadata::new(&engine.settings().issuer);
    let metadata = match &mutual_tls {
        Some(base) => metadata.with_mutual_tls(base),
        None => metadata,
    };
    let metadata = serde_json::to_vec(&metadata)?.into();
    let guard = own_guard(&engine, mutual_tls.as_deref())?;
    let forward_auth = ForwardAuth::new(&engine, policies, &guard);
    proofs.fill(Place::Api, vec![guard.clone()]);
    proofs.fill(Place::ForwardAuth, forward_auth.guards_of_resources());
    let watch = proofs.clone();
    let seen = move |response: Response| {
        if let Some(refusal) = response.extensions().get::<Refusal>() {
            watch.refused_at(Place::Api, refusal);
        }
        response
    };
    let guarded = ServiceBuilder::new().map_response(seen).layer(guard.layer());
    let app = Arc::new(App {
        engine,
        limits,
        metadata,
        slots: Slots::default(),
        contact_lists: Slots::default(),
        places: Places::default(),
        drain,
        guard,
        forward_auth,
        proofs,
    });
    Ok(Router::new()
        .route(paths::TOKEN_FOR_CONTACT, post(contact_token::post))
        .route(paths::TOKEN, post(token::post))
        .route(paths::AVAILABLE_CONTACTS, get(available_contacts::get))
        .route(paths::INTROSPECT, post(about_token::introspect))
        .route(paths::REVOKE, post(about_token::revoke))
        .route(paths::EVENTS, get(events::get))
        .route(paths::CLIENTS, get(clients::get).route_layer(guarded.clone()))
        .route(paths::CONTACTS, get(contacts::list).route_layer(guarded.clone()))
        .route(paths::CONTACT, get(contacts::get).patch(contacts::patch).route_layer(guarded))
        .route(paths::FORWARD_AUTH, any(forward_auth::any))
        .route(FORWARD_AUTH_OF_ROOT, any(forward_auth::any))
        .route(FORWARD_AUTH_OF_PATH, any(forward_auth::any))
        .route(paths::PING, get(health::ping))
        .route(paths::JWKS, get(documents::jwks))
        .route(paths::METADATA, get(documents::metadata))
        .route(paths::OPENAPI, get(documents::openapi))
        .route(paths::HEALTH_LIVE, get(health::live))
        .route(paths::HEALTH_READY, get(health::ready))
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .with_state(app))
}
