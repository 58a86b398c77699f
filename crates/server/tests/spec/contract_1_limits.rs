//! 429: what an address and an application may take (contract, "Every request" and chapter 1).

use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{Method, Request};
use http_body::Frame;
use procura_engine::limits::{Limit, PerMinute};
use procura_http::callers::TrustedProxies;
use procura_http::connection::Peer;
use procura_jose::Algorithm;
use procura_protocol::paths;
use procura_testkit::app::{basic, resource_basic, token_request};
use procura_testkit::world::{
    APPLICATION, COLLEAGUE, CONTACT, RESOURCE, RESOURCE_SECRET, SECRET, UNTRUSTED, UNTRUSTED_SECRET,
};
use procura_testkit::{Answer, TestApp, World};
use tracing::level_filters::LevelFilter;

use crate::logs::captured;
use crate::openapi::assert_described;
use crate::support::{assert_refused, get, without_body};

const HERE: &str = "192.0.2.1";
const THERE: &str = "198.51.100.1";

fn app(limits: PerMinute) -> TestApp {
    TestApp::with_settings(&World::default(), &[Algorithm::Es256], |settings| settings.limits = limits)
}

fn from(address: &str, mut request: Request<Body>) -> Request<Body> {
    request.extensions_mut().insert(Peer(address.parse().unwrap()));
    request
}

fn right() -> Request<Body> {
    token_request(CONTACT, "")
}

fn with_secret(id: &str, secret: &str) -> Request<Body> {
    let request = Request::post(format!("/token/{CONTACT}")).header(AUTHORIZATION, basic(id, secret));
    without_body(request)
}

fn wrong() -> Request<Body> {
    with_secret(APPLICATION, "pcs_portner")
}

/// Checks everything that an answer beyond a limit must be.
#[track_caller]
fn assert_too_many(answer: &Answer, retry_after: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.header(RETRY_AFTER.as_str())),
        (429, retry_after),
        "{answer:?}"
    );
    assert_eq!((answer.body.len(), answer.header(CONTENT_LENGTH.as_str())), (0, "0"));
    assert_eq!(
        (answer.header(CACHE_CONTROL.as_str()), answer.header(CONTENT_TYPE.as_str())),
        ("no-store", "")
    );
    assert_eq!((answer.header(WWW_AUTHENTICATE.as_str()), answer.header("procura-reference")), ("", ""));
}

/// A body that never comes.
struct Never;

impl HttpBody for Never {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        panic!("the body is asked for");
    }
}

#[tokio::test]
async fn an_address_beyond_its_limit_is_refused_before_its_body_is_read_and_no_other_is() {
    let app = app(PerMinute { requests_per_address: 3, ..PerMinute::default() });
    for _ in 0..3 {
        assert_eq!(app.send(from(HERE, right())).await.status, 200);
    }
    let unread = Request::post(format!("/token/{CONTACT}")).body(Body::new(Never)).unwrap();
    let refused = app.send(from(HERE, unread)).await;
    assert_too_many(&refused, "20");
    assert_described("post", paths::TOKEN_FOR_CONTACT, &refused);
    assert_eq!(app.send(from(THERE, right())).await.status, 200);
    app.clock.advance(Duration::from_secs(20));
    assert_eq!(app.send(from(HERE, right())).await.status, 200);
    assert_too_many(&app.send(from(HERE, right())).await, "20");
}

#[tokio::test(start_paused = true)]
async fn an_address_beyond_its_limit_waits_for_the_answer_and_an_application_does_not() {
    let limits =
        PerMinute { failed_proofs_per_address: 1, requests_per_application: 1, ..PerMinute::default() };
    let mut app = app(limits);
    app.surroundings.hold = Duration::from_secs(1);
    let within = |millis, request| tokio::time::timeout(Duration::from_millis(millis), app.send(request));
    assert_eq!(within(1, from(HERE, wrong())).await.unwrap().status, 401);
    within(999, from(HERE, wrong())).await.unwrap_err();
    assert_too_many(&within(1_001, from(HERE, right())).await.unwrap(), "60");
    assert_eq!(within(1, from(THERE, right())).await.unwrap().status, 200);
    assert_too_many(&within(1, from(THERE, right())).await.unwrap(), "60");
}

#[tokio::test]
async fn whatever_an_address_asks_for_counts_but_health_and_forward_auth() {
    let app = app(PerMinute { requests_per_address: 4, ..PerMinute::default() });
    for path in ["/health/live", "/health/ready", "/forward-auth/quotes"] {
        for _ in 0..10 {
            assert_ne!(app.send(from(HERE, get(path))).await.status, 429, "{path}");
        }
    }
    for path in ["/ping", "/jwks", "/nowhere"] {
        assert_ne!(app.send(from(HERE, get(path))).await.status, 429, "{path}");
    }
    let other = without_body(Request::builder().method(Method::DELETE).uri("/ping"));
    assert_eq!(app.send(from(HERE, other)).await.status, 405);
    for path in ["/ping", "/jwks", "/.well-known/oauth-authorization-server", "/openapi.json", "/nowhere"] {
        assert_too_many(&app.send(from(HERE, get(path))).await, "15");
    }
    assert_eq!(app.send(from(HERE, get("/health/live"))).await.status, 200);
}

#[tokio::test]
async fn a_subscriber_with_many_ipv6_addresses_is_one_caller() {
    let app = app(PerMinute { requests_per_address: 1, ..PerMinute::default() });
    assert_eq!(app.send(from("2001:db8:0:1::1", get("/ping"))).await.status, 200);
    assert_too_many(&app.send(from("2001:db8:0:1:f::2", get("/ping"))).await, "60");
    assert_eq!(app.send(from("2001:db8:0:2::1", get("/ping"))).await.status, 200);
}

#[tokio::test]
async fn nobody_can_lock_an_application_out_from_another_address() {
    let app = app(PerMinute { failed_proofs_per_address: 5, ..PerMinute::default() });
    for attempt in 0..100 {
        let answer = app.send(from(HERE, wrong())).await;
        match attempt {
            0..5 => drop(assert_refused(&answer, 401, "invalid_client")),
            _ => assert_too_many(&answer, "12"),
        }
        let honest = app.send(from(THERE, right())).await;
        assert_eq!(honest.status, 200, "an attack never costs the application a token");
    }
}

#[tokio::test]
async fn beyond_its_failures_no_proof_of_an_address_is_looked_at_right_or_wrong() {
    let app = app(PerMinute { failed_proofs_per_address: 2, ..PerMinute::default() });
    for _ in 0..2 {
        // A success gives no failure back.
        assert_eq!(app.send(from(HERE, with_secret(UNTRUSTED, UNTRUSTED_SECRET))).await.status, 400);
        assert_eq!(app.send(from(HERE, wrong())).await.status, 401);
    }
    for request in [wrong(), right(), with_secret("app_nobody", "x")] {
        assert_too_many(&app.send(from(HERE, request)).await, "30");
    }
    // Without a proof nothing is asked of us.
    let nothing = without_body(Request::post(format!("/token/{CONTACT}")));
    assert_refused(&app.send(from(HERE, nothing)).await, 401, "invalid_client");
    app.clock.advance(Duration::from_secs(30));
    assert_eq!(app.send(from(HERE, right())).await.status, 200);
}

#[tokio::test]
async fn failures_count_wherever_the_proof_is_shown_and_whoever_it_is_of() {
    let app = app(PerMinute { failed_proofs_per_address: 4, ..PerMinute::default() });
    let events = |secret| {
        without_body(Request::get("/events").header(AUTHORIZATION, resource_basic(RESOURCE, secret)))
    };
    let about = |path: &str| {
        let request = Request::post(path).header(AUTHORIZATION, basic(APPLICATION, "pcs_portner"));
        request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(Body::from("token=x")).unwrap()
    };
    let list = Request::get("/info/available-contacts").header(AUTHORIZATION, basic("app_nobody", SECRET));
    for request in [events("pcs_resaurce"), about("/introspect"), about("/revoke"), without_body(list)] {
        assert_eq!(app.send(from(HERE, request)).await.status, 401);
    }
    for request in [events(RESOURCE_SECRET), about("/introspect"), about("/revoke"), right()] {
        assert_too_many(&app.send(from(HERE, request)).await, "15");
    }
    assert_eq!(app.engine.limits().times_reached(Limit::FailedProofs), 4);
}

#[tokio::test]
async fn what_brings_no_proof_uses_nothing_up() {
    let app = app(PerMinute { failed_proofs_per_address: 1, ..PerMinute::default() });
    for _ in 0..10 {
        let nothing = without_body(Request::post(format!("/token/{CONTACT}")));
        assert_eq!(app.send(from(HERE, nothing)).await.status, 401);
    }
    assert_eq!(app.send(from(HERE, right())).await.status, 200);
}

#[tokio::test]
async fn an_application_is_counted_from_wherever_it_asks_and_takes_nothing_from_another() {
    let app = app(PerMinute { requests_per_application: 2, ..PerMinute::default() });
    assert_eq!(app.send(from(HERE, right())).await.status, 200);
    assert_eq!(app.send(from(THERE, right())).await.status, 200);
    assert_too_many(&app.send(from("203.0.113.1", right())).await, "30");
    let list = Request::get("/info/available-contacts").header(AUTHORIZATION, basic(APPLICATION, SECRET));
    assert_too_many(&app.send(from(HERE, without_body(list))).await, "30");
    let other = app.send(from(HERE, with_secret(UNTRUSTED, UNTRUSTED_SECRET))).await;
    assert_refused(&other, 400, "unauthorized_client");
    // Wrong secrets take nothing of it.
    app.clock.advance(Duration::from_secs(30));
    for _ in 0..10 {
        assert_eq!(app.send(from(HERE, wrong())).await.status, 401);
    }
    assert_eq!(app.send(from(HERE, right())).await.status, 200);
}

#[tokio::test]
async fn a_request_beyond_a_limit_leaves_no_record() {
    let app = app(PerMinute {
        requests_per_application: 1,
        contacts_per_application_per_hour: 1,
        ..PerMinute::default()
    });
    assert_eq!(app.token().await.status, 200);
    assert_too_many(&app.token().await, "60");
    app.clock.advance(Duration::from_secs(60));
    assert_too_many(&app.token_for(COLLEAGUE, "").await, "3540");
    assert_eq!(app.journal.records().len(), 1);
}

#[tokio::test]
async fn beyond_the_ceiling_contacts_of_this_hour_go_on_and_all_others_are_refused_alike() {
    let app = app(PerMinute { contacts_per_application_per_hour: 2, ..PerMinute::default() });
    assert_eq!(app.token().await.status, 200);
    // One that does not exist counts like one that does.
    assert_eq!(app.token_for("con.nobody", "").await.status, 400);
    let unknown = app.token_for("con.nothing", "").await;
    let known = app.token_for(COLLEAGUE, "").await;
    assert_too_many(&unknown, "3600");
    assert_eq!(known, unknown);
    assert_eq!(app.token().await.status, 200);
    assert_eq!(app.token_for("con.nobody", "").await.status, 400);
    // What can be no contact's id is told as ever.
    assert_refused(&app.token_for("no%20id", "").await, 400, "invalid_request");
    app.clock.advance(Duration::from_secs(3_600));
    assert_eq!(app.token_for(COLLEAGUE, "").await.status, 200);
}

#[tokio::test]
async fn the_operator_is_told_once_an_hour_that_a_ceiling_is_reached() {
    let (captured, _while_this_test_runs) = captured(LevelFilter::WARN);
    let app = app(PerMinute { contacts_per_application_per_hour: 1, ..PerMinute::default() });
    assert_eq!(app.token().await.status, 200);
    for _ in 0..3 {
        assert_eq!(app.token_for(COLLEAGUE, "").await.status, 429);
    }
    let log = captured.text();
    assert_eq!(log.matches("more contacts than it may").count(), 1, "{log}");
    assert!(log.contains(APPLICATION) && !log.contains(COLLEAGUE), "{log}");
    assert_eq!(app.engine.limits().ceilings_tripped(), 1);
}

fn behind_proxies(limits: PerMinute) -> TestApp {
    let mut app = app(limits);
    app.surroundings.proxies = TrustedProxies(vec!["10.0.0.0/8".parse().unwrap()]);
    app
}

fn forwarded(proxy: &str, field: &str, value: &str) -> Request<Body> {
    let mut request = from(proxy, get("/ping"));
    request.headers_mut().insert(http::HeaderName::try_from(field).unwrap(), value.parse().unwrap());
    request
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_caller_counts_for_itself() {
    let app = behind_proxies(PerMinute { requests_per_address: 1, ..PerMinute::default() });
    for (at, caller) in ["192.0.2.1", "192.0.2.2", "2001:db8::1"].into_iter().enumerate() {
        let proxy: IpAddr = [10, 0, 0, at as u8].into();
        let first = forwarded(&proxy.to_string(), "x-forwarded-for", caller);
        assert_eq!(app.send(first).await.status, 200, "{caller}");
        // Another proxy and another spelling are no way round.
        let told = format!("203.0.113.{at}, {caller}");
        assert_too_many(&app.send(forwarded("10.9.9.9", "x-forwarded-for", &told)).await, "60");
        let official =
            format!("for=\"{}\"", if caller.contains(':') { format!("[{caller}]") } else { caller.into() });
        assert_too_many(&app.send(forwarded("10.9.9.9", "forwarded", &official)).await, "60");
    }
}

#[tokio::test]
async fn what_a_stranger_says_about_where_it_is_from_changes_nothing() {
    let app = behind_proxies(PerMinute { requests_per_address: 1, ..PerMinute::default() });
    assert_eq!(app.send(forwarded(HERE, "x-forwarded-for", "192.0.2.77")).await.status, 200);
    assert_too_many(&app.send(forwarded(HERE, "x-forwarded-for", "192.0.2.78")).await, "60");
    assert_too_many(&app.send(forwarded(HERE, "forwarded", "for=192.0.2.79")).await, "60");
}

#[tokio::test]
async fn failures_behind_a_trusted_proxy_are_the_callers_and_not_the_proxys() {
    let app = behind_proxies(PerMinute { failed_proofs_per_address: 1, ..PerMinute::default() });
    let ask = |caller: &str, mut request: Request<Body>| {
        request.headers_mut().insert("x-forwarded-for", caller.parse().unwrap());
        from("10.0.0.1", request)
    };
    assert_eq!(app.send(ask(HERE, wrong())).await.status, 401);
    assert_too_many(&app.send(ask(HERE, right())).await, "60");
    assert_eq!(app.send(ask(THERE, right())).await.status, 200);
}
