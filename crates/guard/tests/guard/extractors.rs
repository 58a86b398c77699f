//! Layer and extractors in an axum router.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use procura_guard::{
    ActingFor, CanTrade, ClientPlace, Guard, OnBehalfOf, Person, Reading, Refusal, ResourceId, Settings,
};
use procura_protocol::mark::MarkKind;
use tower::ServiceExt;

use crate::fake::{AUDIENCE, Constant, ISSUER, Marks, START, SetKeys, Signer, TestClock, mark};

struct Setting {
    signer: Signer,
    keys: Arc<SetKeys>,
    marks: Arc<Marks>,
    clock: Arc<TestClock>,
    guard: Guard,
}

fn setting() -> Setting {
    let signer = Signer::new();
    let keys = Arc::new(SetKeys::new(Some(signer.keys())));
    let marks = Arc::new(Marks::default());
    let clock = Arc::new(TestClock::at(START));
    let settings = Settings::new(ISSUER, ResourceId::parse(AUDIENCE).unwrap());
    let guard = Guard::new(settings, keys.clone(), marks.clone(), clock.clone(), &Constant(1));
    Setting { signer, keys, marks, clock, guard }
}

fn routes() -> Router {
    async fn trade(acting: ActingFor<CanTrade>) -> String {
        format!("{} {} {}", acting.application(), acting.contact(), acting.client())
    }
    async fn rates(acting: ActingFor<Reading>) -> String {
        acting.permissions().to_string()
    }
    async fn pay(_: ActingFor<CanTrade, Person>) {}
    async fn clients(acting: OnBehalfOf) -> String {
        acting.mandates().iter().map(|mandate| mandate.client.as_str()).collect::<Vec<_>>().join(" ")
    }
    async fn me(_: OnBehalfOf<Person>) {}
    Router::new()
        .route("/trade", get(trade))
        .route("/rates", get(rates))
        .route("/pay", get(pay))
        .route("/clients", get(clients))
        .route("/me", get(me))
        .route("/bare", get(|| async { "bare" }))
        .route("/of/{client_id}/trade", get(trade))
}

async fn call(router: &Router, uri: &str, token: Option<&str>) -> (StatusCode, String) {
    let mut request = Request::builder().uri(uri);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = answer.into_parts();
    (parts.status, String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

#[tokio::test]
async fn a_handler_learns_who_acts_for_whom() {
    let setting = setting();
    let (app, token) = (routes().layer(setting.guard.layer()), setting.signer.token());
    let ok = |text: &str| (StatusCode::OK, text.to_owned());
    assert_eq!(call(&app, "/trade?client_id=CLI1", Some(&token)).await, ok("app_1 CON1 CLI1"));
    assert_eq!(call(&app, "/rates?client_id=CLI2", Some(&token)).await, ok(""));
    assert_eq!(call(&app, "/clients", Some(&token)).await, ok("CLI1 CLI2"));
    for (uri, code) in [
        ("/trade?client_id=CLI2", "insufficient_permission"),
        ("/trade?client_id=CLI3", "client_not_allowed"),
        ("/trade", "client_not_allowed"),
        ("/pay?client_id=CLI1", "person_required"),
        ("/me", "person_required"),
    ] {
        let (status, body) = call(&app, uri, Some(&token)).await;
        assert!(status == StatusCode::FORBIDDEN && body.contains(code), "{uri}: {status} {body}");
    }
}

#[tokio::test]
async fn even_a_route_without_an_extractor_needs_a_token_in_force() {
    let setting = setting();
    let app = routes().layer(setting.guard.layer());
    assert_eq!(call(&app, "/bare", None).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(call(&app, "/bare", Some(&setting.signer.token())).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_layer_around_the_guards_learns_why_it_refused() {
    let app = routes().layer(setting().guard.layer());
    let answer = app.oneshot(Request::get("/bare").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.extensions().get::<Refusal>(), Some(&Refusal::NoToken));
}

#[tokio::test]
async fn an_extractor_without_a_layer_lets_nobody_through() {
    let token = setting().signer.token();
    for uri in ["/trade?client_id=CLI1", "/clients"] {
        let (status, body) = call(&routes(), uri, Some(&token)).await;
        assert!(
            status == StatusCode::INTERNAL_SERVER_ERROR && body.contains("server_error"),
            "{status} {body}"
        );
    }
}

#[tokio::test]
async fn the_client_stands_where_the_layer_says() {
    let setting = setting();
    let token = setting.signer.token();
    let place = ClientPlace::path("/of/{client_id}").unwrap();
    let app = routes().layer(setting.guard.layer().client_in(place));
    assert_eq!(call(&app, "/of/CLI1/trade?client_id=CLI2", Some(&token)).await.1, "app_1 CON1 CLI1");
    assert_eq!(call(&app, "/of/CLI3/trade?client_id=CLI1", Some(&token)).await.0, StatusCode::FORBIDDEN);
    assert_eq!(call(&app, "/trade?client_id=CLI1", Some(&token)).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_token_from_the_cache_is_judged_anew() {
    let setting = setting();
    let (app, token) = (routes().layer(setting.guard.layer()), setting.signer.token());
    let status = async || call(&app, "/bare", Some(&token)).await.0;
    for _ in 0..3 {
        assert_eq!(status().await, StatusCode::OK);
    }
    assert_eq!(setting.marks.asked.load(Ordering::SeqCst), 1, "no mark came, so none is looked for again");
    setting.marks.add(&mark(MarkKind::Client, &["CLI3"], 99));
    assert_eq!(status().await, StatusCode::OK);
    assert_eq!(setting.marks.asked.load(Ordering::SeqCst), 2);

    setting.marks.set_fresh(false);
    assert_eq!(status().await, StatusCode::SERVICE_UNAVAILABLE);
    setting.marks.set_fresh(true);
    setting.clock.set_wall_by(3_605);
    assert_eq!(status().await, StatusCode::UNAUTHORIZED, "it expired");
    setting.clock.set_wall_by(-3_605 - 6);
    assert_eq!(status().await, StatusCode::UNAUTHORIZED, "it lies ahead");
    setting.clock.set_wall_by(6);

    setting.keys.set(Some(Signer::new().keys()));
    assert_eq!(status().await, StatusCode::UNAUTHORIZED, "its key is gone");
    setting.keys.set(None);
    assert_eq!(status().await, StatusCode::SERVICE_UNAVAILABLE);
    setting.keys.set(Some(setting.signer.keys()));
    assert_eq!(status().await, StatusCode::OK);
    for _ in 0..2 {
        setting.marks.add(&mark(MarkKind::Trust, &["app_1", "CLI2"], 8));
        assert_eq!(status().await, StatusCode::UNAUTHORIZED, "it was revoked");
        assert_eq!(status().await, StatusCode::UNAUTHORIZED, "and stays so");
    }
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_once_and_the_request_goes_on() {
    let setting = setting();
    let (app, newer) = (routes().layer(setting.guard.layer()), Signer::new());
    setting.keys.set_next(newer.keys());
    assert_eq!(call(&app, "/trade?client_id=CLI1", Some(&newer.token())).await.1, "app_1 CON1 CLI1");
    assert_eq!(setting.keys.refetched.load(Ordering::SeqCst), 1);
    let stranger = Signer::new().token();
    assert_eq!(call(&app, "/trade?client_id=CLI1", Some(&stranger)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(setting.keys.refetched.load(Ordering::SeqCst), 2);
}
