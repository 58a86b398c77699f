//! Contract, chapter 4: bodies of `PATCH` that can't be.

use axum::body::Body;
use http::Request;
use http::header::CONTENT_TYPE;
use serde_json::json;

use crate::contract_4_world::{
    ADA, ALDER, BEN, app, assert_done, assert_error, held, patch, path, person_token, token, with_token,
};

#[tokio::test]
async fn an_unknown_member_is_refused_by_name_and_nothing_is_changed() {
    let app = app().await;
    let token = token(&app, ADA).await;
    let answer = patch(&app, &token, BEN, r#"{"can_trade":false,"can_fly":true}"#).await;
    let details = assert_error(&answer, 400, "invalid_request");
    assert_eq!(details, json!({"can_fly": ["Is no member of ContactUpdate."]}));
    assert_eq!(held(&app, BEN, ALDER).await, "can_trade");
}

#[tokio::test]
async fn members_that_nobody_changes_here_are_refused() {
    let app = app().await;
    let token = person_token(&app, BEN, &[]).await;
    for name in ["contact_id", "email_address", "first_name", "last_name", "name", "password_reset_required"]
    {
        let answer = patch(&app, &token, BEN, &json!({name: "x"}).to_string()).await;
        let details = assert_error(&answer, 400, "invalid_request");
        assert_eq!(details, json!({name: ["Can't be changed here."]}));
    }
}

#[tokio::test]
async fn all_faulty_fields_are_told_at_once() {
    let app = app().await;
    let token = person_token(&app, BEN, &[]).await;
    let long = "x".repeat(201);
    let body = json!({
        "can_trade": "true", "has_online_access": null, "language": "EN", "locale": 7, "country_code": "no",
        "time_zone": "a b", "city": "a\u{0}b", "address_line_1": long, "x": {},
    });
    let answer = patch(&app, &token, BEN, &body.to_string()).await;
    let details = assert_error(&answer, 400, "invalid_request");
    assert_eq!(
        details,
        json!({
            "can_trade": ["Must be true or false."],
            "has_online_access": ["Must be true or false."],
            "language": ["Must be two small letters, for instance es."],
            "locale": ["Must be a string."],
            "country_code": ["Must be two capital letters, for instance ES."],
            "time_zone": ["Must be a name of the time zone database, for instance Europe/Madrid."],
            "city": ["Has a control character (a line break, a tab or NUL); take it out."],
            "address_line_1": ["Is longer than 200 characters; shorten it."],
            "x": ["Is no member of ContactUpdate."],
        })
    );
    assert!(!String::from_utf8(answer.body).unwrap().contains(&"x".repeat(50)), "no value is repeated");
}

#[tokio::test]
async fn a_member_that_comes_twice_is_refused() {
    let app = app().await;
    let token = token(&app, ADA).await;
    for body in [r#"{"can_trade":false,"can_trade":false}"#, r#"{"can_trade":false,"can\u005ftrade":true}"#] {
        assert_error(&patch(&app, &token, BEN, body).await, 400, "invalid_request");
    }
    assert_eq!(held(&app, BEN, ALDER).await, "can_trade");
}

#[tokio::test]
async fn what_is_not_one_json_object_is_refused() {
    let app = app().await;
    let token = token(&app, ADA).await;
    for body in
        ["", "null", "[]", "true", "{", "{} {}", "{\"can_trade\":false,}", "can_trade=false", "{'a':1}"]
    {
        assert_error(&patch(&app, &token, BEN, body).await, 400, "invalid_request");
    }
}

#[tokio::test]
async fn the_body_is_declared_as_json_once() {
    let app = app().await;
    let token = token(&app, ADA).await;
    let send = async |types: &[&str]| {
        let mut request = with_token(Request::patch(path(BEN)), &token);
        for declared in types {
            request = request.header(CONTENT_TYPE, *declared);
        }
        app.send(request.body(Body::from("{}")).unwrap()).await
    };
    for fine in ["application/json", "Application/JSON; charset=utf-8"] {
        assert_done(&send(&[fine]).await);
    }
    let others: [&[&str]; 6] = [
        &[],
        &["text/plain"],
        &["application/merge-patch+json"],
        &["*/*"],
        &["application/x-www-form-urlencoded"],
        &["application/json", "application/json"],
    ];
    for other in others {
        assert_error(&send(other).await, 415, "invalid_request");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413() {
    let app = app().await;
    let token = token(&app, ADA).await;
    let body = format!("{{\"city\":\"{}\"}}", "x".repeat(70_000));
    assert_error(&patch(&app, &token, BEN, &body).await, 413, "invalid_request");
}

#[tokio::test]
async fn shape_is_told_before_authority_and_authority_before_the_state() {
    let app = app().await;
    let token = token(&app, BEN).await;
    assert_error(&patch(&app, &token, ADA, r#"{"can_fly":1}"#).await, 400, "invalid_request");
    let stale = [("if-match", "\"x\"")];
    let request = crate::contract_4_world::patching(&token, BEN, r#"{"can_trade":false}"#, &stale);
    assert_error(&app.send(request).await, 403, "insufficient_permission");
}
