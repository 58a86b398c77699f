//! RFC 7009: an application ends a token of its own (contract, chapter 5).

use std::time::Duration;

use http::Request;
use http::header::AUTHORIZATION;
use procura_testkit::app::{basic, resource_basic};
use procura_testkit::world::{APPLICATION, RESOURCE, RESOURCE_SECRET, SECRET, UNTRUSTED, UNTRUSTED_SECRET};
use procura_testkit::{Answer, TestApp, World};

use crate::support::{assert_refused, with_form};

async fn revoke(app: &TestApp, authorization: &str, form: &str) -> Answer {
    let request = Request::post("/revoke").header(AUTHORIZATION, authorization);
    app.send(with_form(request, form.to_owned())).await
}

async fn revoke_own(app: &TestApp, token: &str) -> Answer {
    revoke(app, &basic(APPLICATION, SECRET), &format!("token={token}")).await
}

async fn is_active(app: &TestApp, token: &str) -> bool {
    let me = resource_basic(RESOURCE, RESOURCE_SECRET);
    let request = Request::post("/introspect").header(AUTHORIZATION, me);
    let answer = app.send(with_form(request, format!("token={token}"))).await;
    answer.json()["active"].as_bool().unwrap()
}

#[track_caller]
fn assert_ended(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(!answer.headers.contains_key("content-type"));
}

#[tokio::test]
async fn a_token_that_was_revoked_is_dead_when_the_answer_is_there() {
    let app = TestApp::new(&World::default());
    let (token, other) = (app.token().await.text("access_token"), app.token().await.text("access_token"));
    assert!(is_active(&app, &token).await);
    assert_ended(&revoke_own(&app, &token).await);
    assert!(!is_active(&app, &token).await);
    assert!(is_active(&app, &other).await, "and no other");
    assert_ended(&revoke_own(&app, &token).await);
}

#[tokio::test]
async fn credentials_may_stand_in_the_form_and_the_hint_means_nothing() {
    let app = TestApp::new(&World::default());
    let token = app.token().await.text("access_token");
    let form =
        format!("client_id={APPLICATION}&client_secret={SECRET}&token_type_hint=refresh_token&token={token}");
    assert_ended(&app.send(with_form(Request::post("/revoke"), form)).await);
    assert!(!is_active(&app, &token).await);
}

#[tokio::test]
async fn what_is_no_token_or_over_is_no_error() {
    let app = TestApp::new(&World::default());
    let token = app.token().await.text("access_token");
    for nothing in ["a", "a.b.c", "pcs_x", &token[1..]] {
        assert_ended(&revoke_own(&app, nothing).await);
    }
    app.clock.advance(Duration::from_secs(3600));
    assert_ended(&revoke_own(&app, &token).await);
}

#[tokio::test]
async fn the_token_of_another_application_stays_and_its_asker_is_told() {
    let app = TestApp::new(&World::default());
    let token = app.token().await.text("access_token");
    let other = basic(UNTRUSTED, UNTRUSTED_SECRET);
    assert_refused(&revoke(&app, &other, &format!("token={token}")).await, 400, "invalid_grant");
    assert!(is_active(&app, &token).await);
}

#[tokio::test]
async fn an_id_token_can_t_be_revoked() {
    let app = TestApp::new(&World::default());
    let answer = app.token().await;
    let refused = revoke_own(&app, &answer.text("id_token")).await;
    assert_refused(&refused, 400, "unsupported_token_type");
    assert!(is_active(&app, &answer.text("access_token")).await);
}

#[tokio::test]
async fn only_an_application_that_proves_itself_revokes() {
    let app = TestApp::new(&World::default());
    let token = app.token().await.text("access_token");
    for wrong in [
        basic(APPLICATION, "pcs_wrong"),
        basic("app_nobody", SECRET),
        resource_basic(RESOURCE, RESOURCE_SECRET),
        format!("Bearer {token}"),
    ] {
        let answer = revoke(&app, &wrong, &format!("token={token}")).await;
        assert_refused(&answer, 401, "invalid_client");
    }
    assert!(is_active(&app, &token).await);
}

#[tokio::test]
async fn an_application_has_a_budget_a_minute_and_no_other_is_held_up() {
    let app = TestApp::with_settings(&World::default(), &[procura_jose::Algorithm::Es256], |settings| {
        settings.revocations_per_minute = 2;
    });
    for _ in 0..2 {
        let token = app.token().await.text("access_token");
        assert_ended(&revoke_own(&app, &token).await);
    }
    let token = app.token().await.text("access_token");
    let answer = revoke_own(&app, &token).await;
    assert_eq!((answer.status.as_u16(), answer.body.len(), answer.header("retry-after")), (429, 0, "30"));
    assert!(is_active(&app, &token).await);
    app.clock.advance(Duration::from_secs(30));
    assert_ended(&revoke_own(&app, &token).await);
}

#[tokio::test]
async fn a_mark_that_can_t_be_written_is_503() {
    let app = TestApp::new(&World::default());
    let token = app.token().await.text("access_token");
    app.store.break_changes();
    assert_refused(&revoke_own(&app, &token).await, 503, "temporarily_unavailable");
}

#[tokio::test]
async fn the_form_is_read_strictly() {
    let app = TestApp::new(&World::default());
    for form in ["", "token=", "token=a&token=a", "token=a&grant_type=x"] {
        let refused = revoke(&app, &basic(APPLICATION, SECRET), form).await;
        assert_refused(&refused, 400, "invalid_request");
    }
}
