//! `GET /clients` (contract, chapter 4): extract, call, render.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use procura_guard::OnBehalfOf;
use procura_store::{Journal, Store};

use crate::routes::App;
use crate::{answer, api_answer};

/// The route's handler. A token lists 64 clients at most.
pub(crate) async fn get<S: Store, J: Journal>(
    State(app): State<Arc<App<S, J>>>,
    acting: OnBehalfOf,
) -> Response {
    let clients: Vec<_> = acting.mandates().iter().map(|mandate| mandate.client.clone()).collect();
    match app.engine.clients(&clients).await {
        Ok(clients) => match serde_json::to_vec(&clients) {
            Ok(json) => answer::secret_json(json),
            Err(_) => api_answer::unavailable_now(),
        },
        Err(reason) => api_answer::unavailable(reason),
    }
}
