//! What the wire counts: requests and how long they took. Connections are counted by
//! [`ConnectionCounts`](crate::connection::ConnectionCounts), proofs of possession by the guards
//! that judge them ([`ProofWatch`]).
//!
//! Every count is one addition to a number that is there from the start: no lock, no allocation, and no
//! label that a caller could make up. Who writes them down for a scraper is not known here.
//!
//! **To add the next thing**: a number here, the place that adds to it, and a line where the server writes its
//! metrics down (`server/telemetry/metrics.rs`); the tests then ask for it in the dashboard and in
//! `docs/operations/metrics.md`.

mod proofs;
mod route;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use procura_protocol::paths;
use procura_store::histogram::Histogram;

pub use proofs::{Place, ProofWatch};
pub use route::Route;

/// Statuses that are counted apart. Whatever else there may be is counted with the last.
const STATUSES: [u16; 24] = [
    200, 204, 302, 304, 400, 401, 403, 404, 405, 408, 409, 412, 413, 414, 415, 421, 429, 431, 495, 496, 497,
    500, 503, 0,
];

/// What is counted about requests.
#[derive(Debug, Default)]
pub struct Metrics {
    routes: [OfRoute; Route::COUNT],
}

#[derive(Debug, Default)]
struct OfRoute {
    answers: [AtomicU64; STATUSES.len()],
    took: Histogram,
}

impl Metrics {
    pub(crate) fn answered(&self, route: Route, status: StatusCode, took: Duration) {
        let of_route = &self.routes[route.index()];
        let at = STATUSES.iter().position(|known| *known == status.as_u16());
        of_route.answers[at.unwrap_or(STATUSES.len() - 1)].fetch_add(1, Ordering::Relaxed);
        of_route.took.add(took);
    }

    /// Answers of a route by status, where there were any; 0 stands for statuses that are not counted apart.
    pub fn answers(&self, route: Route) -> impl Iterator<Item = (u16, u64)> + '_ {
        let counts = self.routes[route.index()].answers.iter().map(|count| count.load(Ordering::Relaxed));
        STATUSES.into_iter().zip(counts).filter(|(_, count)| *count > 0)
    }

    /// How long the answers of a route took, to their heads.
    pub fn took(&self, route: Route) -> &Histogram {
        &self.routes[route.index()].took
    }
}

/// The routes of the listener that scrapers ask: [`paths::METRICS`], with what `write` gives, as OpenMetrics text.
pub fn router(write: impl Fn() -> String + Clone + Send + Sync + 'static) -> Router {
    const OPEN_METRICS: HeaderValue =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    let answer = move || {
        let text = write();
        async move {
            let mut response = Response::new(Body::from(text));
            response.headers_mut().insert(CONTENT_TYPE, OPEN_METRICS);
            response
        }
    };
    Router::new()
        .route(paths::METRICS, get(answer))
        .fallback(crate::answer::not_found)
        .method_not_allowed_fallback(crate::answer::method_not_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_route_and_status() {
        let metrics = Metrics::default();
        let (token, other) = (Route::of("/token/CON1"), Route::of("/nowhere"));
        for status in [200, 200, 429, 497] {
            metrics.answered(token, StatusCode::from_u16(status).unwrap(), Duration::from_millis(3));
        }
        metrics.answered(other, StatusCode::IM_A_TEAPOT, Duration::ZERO);
        assert_eq!(metrics.answers(token).collect::<Vec<_>>(), [(200, 2), (429, 1), (497, 1)]);
        assert_eq!(metrics.answers(other).collect::<Vec<_>>(), [(0, 1)]);
        assert_eq!((metrics.took(token).count(), metrics.took(other).count()), (4, 1));
    }
}
