//! Whether the server is there, and whether it can issue.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use procura_protocol::error::ErrorCode;
use procura_store::{Journal, Store};

use crate::answer;
use crate::routes::App;

/// `GET /ping` (contract, chapter 4): 200 for anyone.
pub(crate) async fn ping() -> Response {
    answer::secret_json(br#"{"status":"ok"}"#.to_vec())
}

/// `GET /health/live`: the process answers. To be restarted when it does not.
pub(crate) async fn live() -> Response {
    answer::secret_json(br#"{"status":"live"}"#.to_vec())
}

/// `GET /health/ready`: a token could be issued now. To be left out of balancing while it says 503.
pub(crate) async fn ready<S: Store, J: Journal>(State(app): State<Arc<App<S, J>>>) -> Response {
    if app.engine.ready().is_ok() && app.engine.journal().takes_issues() {
        answer::secret_json(br#"{"status":"ready"}"#.to_vec())
    } else {
        answer::refuse_with(ErrorCode::TemporarilyUnavailable)
    }
}
