//! Documents that anyone may read: the JWKS, the metadata, the OpenAPI description.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use procura_store::{Journal, Store};

use crate::routes::App;

/// The OpenAPI document of what this server serves, as it stands in the repository.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// Seconds that a JWKS may be kept. A key is announced for at least as long before it signs.
pub const JWKS_MAX_AGE: u64 = 300;

const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// `GET /jwks` (RFC 7517 5).
pub(crate) async fn jwks<S: Store, J: Journal>(State(app): State<Arc<App<S, J>>>) -> Response {
    let ring = app.engine.keys().current();
    document("application/jwk-set+json", Bytes::copy_from_slice(ring.document()))
}

/// `GET /.well-known/oauth-authorization-server` (RFC 8414 3).
pub(crate) async fn metadata<S: Store, J: Journal>(State(app): State<Arc<App<S, J>>>) -> Response {
    document("application/json", app.metadata.clone())
}

/// `GET /openapi.json`.
pub(crate) async fn openapi() -> Response {
    document("application/json", Bytes::from_static(OPENAPI.as_bytes()))
}

fn document(content_type: &'static str, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, CACHED);
    response
}
