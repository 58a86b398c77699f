//! Contract, chapter 4: what is refused before anything is looked at. Every route stands behind the guard.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use procura_protocol::events::ToldMark;
use procura_protocol::mark::MarkKind;
use procura_protocol::time::UnixSeconds;
use procura_store::change::Entity;
use procura_testkit::world::{APPLICATION, ISSUER, RESOURCE};
use procura_testkit::{Answer, DiskApp, TestApp, World};
use serde_json::json;

use crate::contract_4_world::{
    ADA, ALDER, BEN, app, assert_error, get, held, mandate, path, signed, token, with_token,
};
use crate::support::{assert_refused, without_body};

/// Every call of the chapter that needs a token.
fn calls() -> [(Method, String); 4] {
    [
        (Method::GET, "/clients".to_owned()),
        (Method::GET, format!("/contacts?client_id={ALDER}")),
        (Method::GET, path(BEN)),
        (Method::PATCH, path(BEN)),
    ]
}

/// The answers to every call with that `Authorization`.
async fn answers(app: &DiskApp, authorization: Option<&str>) -> Vec<Answer> {
    let mut answers = Vec::new();
    for (method, path) in calls() {
        let mut request =
            Request::builder().method(method).uri(path).header("content-type", "application/json");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        answers.push(app.send(request.body(Body::from("{}")).unwrap()).await);
    }
    answers
}

#[track_caller]
fn assert_challenged(answer: &Answer, error: &str) {
    assert_eq!((answer.status.as_u16(), answer.body.len()), (401, 0), "{answer:?}");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with(&format!("Bearer realm=\"{RESOURCE}\"")), "{challenge}");
    assert_eq!(challenge.contains(&format!("error=\"{error}\"")), !error.is_empty(), "{challenge}");
    assert_eq!(answer.header("content-type"), "");
}

#[tokio::test]
async fn without_a_token_every_call_is_401_with_a_challenge_that_names_no_error() {
    let app = app().await;
    for authorization in [None, Some("Basic YXBwX3BhcnRuZXI6cGNzX3BhcnRuZXI=")] {
        for answer in answers(&app, authorization).await {
            assert_challenged(&answer, "");
            assert!(!answer.header("www-authenticate").contains("error"));
        }
    }
}

#[tokio::test]
async fn a_token_that_is_worth_nothing_is_401_everywhere() {
    let app = app().await;
    let answer = app.token_for(ADA, "").await;
    let (good, id_token) = (answer.text("access_token"), answer.text("id_token"));
    let mut forged = good.clone();
    forged.truncate(good.len() - 2);
    for token in [id_token, forged, "a.b.c".to_owned()] {
        for answer in answers(&app, Some(&format!("Bearer {token}"))).await {
            assert_challenged(&answer, "invalid_token");
        }
    }
    app.pass(Duration::from_secs(3_606));
    for answer in answers(&app, Some(&format!("Bearer {good}"))).await {
        assert_challenged(&answer, "invalid_token");
    }
}

#[tokio::test]
async fn a_token_for_another_resource_is_401() {
    let app = app().await;
    app.put(Entity::Resource, &[("resource_id", "https://payments.example/")]).await;
    let more = [("application_id", APPLICATION), ("resources", "https://payments.example/")];
    app.put(Entity::Application, &more).await;
    let token = app.token_for(ADA, "resource=https://payments.example/").await.text("access_token");
    assert_challenged(&get(&app, &token, "/clients").await, "invalid_token");
}

#[tokio::test]
async fn a_token_that_a_mark_hits_is_401_from_that_moment_on() {
    let app = app().await;
    let token = token(&app, ADA).await;
    assert_eq!(get(&app, &token, "/clients").await.status, 200);
    mandate(&app, ADA, ALDER, &[("status", "suspended")]).await;
    for answer in answers(&app, Some(&format!("Bearer {token}"))).await {
        assert_challenged(&answer, "invalid_token");
    }
}

#[tokio::test]
async fn a_token_of_an_application_alone_is_403() {
    let app = app().await;
    let claims = json!({
        "iss": ISSUER, "sub": APPLICATION, "aud": RESOURCE, "iat": 1_767_225_600, "exp": 1_767_225_900,
        "jti": "AAAAAAAAAAAAAAAAAAAAAA", "client_id": APPLICATION, "scope": "openid", "dv": 1_000,
    });
    let token = signed(&app, &claims).await;
    for answer in answers(&app, Some(&format!("Bearer {token}"))).await {
        assert_error(&answer, 403, "no_contact");
    }
}

#[tokio::test]
async fn a_client_id_that_is_missing_or_not_the_token_s_is_403_and_a_repeated_one_400() {
    let app = app().await;
    let token = token(&app, BEN).await;
    for query in [
        "",
        "?client_id=",
        "?client_id=cli.birch",
        "?client_id=cli.nobody",
        "?client_id=app_x",
        "?client_id=%20",
    ] {
        for path in ["/contacts", "/contacts/con.ben"] {
            let details =
                assert_error(&get(&app, &token, &format!("{path}{query}")).await, 403, "client_not_allowed");
            assert!(details["client_id"][0].is_string(), "{details}");
        }
    }
    for twice in ["?client_id=cli.alder&client_id=cli.alder", "?client_id=cli.alder&client%5Fid=cli.birch"] {
        assert_error(&get(&app, &token, &format!("/contacts{twice}")).await, 400, "invalid_request");
    }
}

#[tokio::test]
async fn x_contact_id_must_be_the_token_s_contact_if_it_is_sent() {
    let app = app().await;
    let token = token(&app, BEN).await;
    let asking = |contact: &str| {
        without_body(with_token(Request::get(path(BEN)), &token).header("x-contact-id", contact))
    };
    assert_eq!(app.send(asking(BEN)).await.status, 200);
    assert_error(&app.send(asking(ADA)).await, 403, "contact_mismatch");
}

#[tokio::test]
async fn other_methods_are_405_with_or_without_a_token() {
    let app = app().await;
    for (path, allow) in
        [("/clients", "GET,HEAD"), ("/contacts", "GET,HEAD"), ("/contacts/con.ben", "GET,HEAD,PATCH")]
    {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let answer = app.send(without_body(Request::builder().method(method).uri(path))).await;
            assert_refused(&answer, 405, "invalid_request");
            assert_eq!(answer.header("allow"), allow, "{path}");
        }
    }
}

#[tokio::test]
async fn while_the_directory_can_not_be_confirmed_every_call_is_503() {
    let app = TestApp::new(&World::default());
    let token = app.token().await.text("access_token");
    app.store.make_stale();
    let answer = app.send(without_body(with_token(Request::get("/clients"), &token))).await;
    assert_error(&answer, 503, "temporarily_unavailable");
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn while_the_clock_was_moved_every_call_is_503() {
    let app = app().await;
    let token = token(&app, ADA).await;
    app.clock.move_wall(-60_000);
    for answer in answers(&app, Some(&format!("Bearer {token}"))).await {
        assert_error(&answer, 503, "temporarily_unavailable");
    }
}

#[tokio::test]
async fn when_records_can_not_be_read_it_is_503_and_not_an_empty_list() {
    let app = TestApp::new(&World::default());
    let token = app.token().await.text("access_token");
    for path in ["/clients", "/contacts?client_id=cli.birch", "/contacts/con.ada?client_id=cli.birch"] {
        let answer = app.send(without_body(with_token(Request::get(path), &token))).await;
        assert_error(&answer, 503, "temporarily_unavailable");
        assert_eq!(answer.header("retry-after"), "1");
    }
}

#[tokio::test]
async fn a_mark_on_one_token_ends_that_one_alone() {
    let app = TestApp::new(&World::default());
    let (first, second) = (app.token().await, app.token().await);
    let jti = app.access_token(&first)["jti"].as_str().unwrap().to_owned();
    app.store.mark(MarkKind::Token, (&jti, None), World::default().version);
    let statuses = async |answer: &Answer| {
        let token = answer.text("access_token");
        app.send(without_body(with_token(Request::get("/clients"), &token))).await.status.as_u16()
    };
    assert_eq!(statuses(&first).await, 401);
    assert_eq!(statuses(&second).await, 503, "the guard lets it pass; a directory in memory has no records");
}

#[tokio::test]
async fn what_was_revoked_while_the_body_came_changes_nothing_any_more() {
    let app = app().await;
    let (token, before) = (token(&app, ADA).await, held(&app, BEN, ALDER).await);
    let revocations = Arc::clone(app.engine.revocations());
    let everything = ToldMark {
        subject: procura_jose::marks::everything(),
        version: u64::MAX,
        any_version: true,
        keep_until: UnixSeconds(i64::MAX),
        application: None,
    };
    // The head has passed the guard by the time that the body is asked for.
    let body = Full::new(Bytes::from(r#"{"can_manage_payments":true}"#)).map_frame(move |frame| {
        revocations.add(&[everything]);
        frame
    });
    let request = with_token(Request::patch(path(BEN)), &token).header("content-type", "application/json");
    assert_challenged(&app.send(request.body(Body::new(body)).unwrap()).await, "invalid_token");
    assert_eq!(held(&app, BEN, ALDER).await, before);
}
