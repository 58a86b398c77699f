//! An answer as large as a contact token, by axum alone: what the wire costs without anything to say.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, PRAGMA};
use axum::routing::{any, post};
use serde_json::json;

use crate::Failure;

/// Serves until killed. The first line on standard output says where.
pub(crate) fn serve(listen: SocketAddr, bytes: usize) -> Result<(), Failure> {
    // As many threads as there are cores to run on, which is what the server does too.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(listen).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        crate::say(&json!({ "base_url": base_url }))?;
        Ok(axum::serve(listener, router(bytes)).await?)
    })
}

/// What answers.
pub(crate) fn router(bytes: usize) -> Router {
    Router::new()
        .route("/token/{contact_id}", post(answer))
        .route("/token", post(standard_answer))
        .route("/empty", any(async || ()))
        .with_state(body(bytes))
}

fn body(bytes: usize) -> Arc<str> {
    let empty = r#"{"access_token":""}"#.len();
    format!(r#"{{"access_token":"{}"}}"#, "x".repeat(bytes.saturating_sub(empty))).into()
}

/// The same without a path to read.
async fn standard_answer(state: State<Arc<str>>, form: Bytes) -> (HeaderMap, Vec<u8>) {
    answer(state, Path(String::new()), form).await
}

/// Reads the form and makes an answer of its own, with the headers that a contact token has.
async fn answer(
    State(body): State<Arc<str>>,
    Path(contact_id): Path<String>,
    form: Bytes,
) -> (HeaderMap, Vec<u8>) {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    let reference = HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAA");
    headers.insert(HeaderName::from_static("procura-reference"), reference);
    std::hint::black_box((contact_id, form));
    (headers, body.as_bytes().to_vec())
}
