//! Contract, chapter 4: what belongs to the person changes only while they are there.

use procura_protocol::contact_update::PERSONAL;
use procura_store::administration::Administration as _;
use procura_store::change::{Action, Actor, Entity};
use serde_json::json;

use crate::contract_4_world::{
    ADA, ALDER, BEN, app, assert_done, assert_error, get, patch, path, person_token, token,
};

/// A value that the field takes.
fn value(name: &str) -> &'static str {
    match name {
        "language" | "locale" => "en",
        "country_code" => "NO",
        "time_zone" => "Europe/Madrid",
        _ => "Something",
    }
}

#[tokio::test]
async fn with_a_contact_token_it_is_read_only_of_oneself_and_of_others() {
    let app = app().await;
    let token = token(&app, ADA).await;
    for name in PERSONAL {
        for contact in [ADA, BEN] {
            let body = json!({name: value(name), "can_manage_payments": true}).to_string();
            let details = assert_error(&patch(&app, &token, contact, &body).await, 403, "person_required");
            let sentence = "Changes only with the token of the person, after they signed in.";
            assert_eq!(details, json!({name: [sentence]}));
        }
    }
    assert!(!crate::contract_4_world::held(&app, BEN, ALDER).await.contains("can_manage_payments"));
}

#[tokio::test]
async fn a_value_that_is_there_already_is_refused_too_so_that_nobody_finds_out_by_trying() {
    let app = app().await;
    let token = token(&app, ADA).await;
    for value in ["no", "de"] {
        let answer = patch(&app, &token, BEN, &json!({"language": value}).to_string()).await;
        assert_error(&answer, 403, "person_required");
    }
}

#[tokio::test]
async fn a_person_who_signed_in_changes_their_own() {
    let app = app().await;
    let token = person_token(&app, BEN, &[]).await;
    let mut body = json!({});
    for name in PERSONAL {
        body[name] = value(name).into();
    }
    let before = app.directory.status().await.unwrap().last_change;
    assert_done(&patch(&app, &token, BEN, &body.to_string()).await);
    let shown = get(&app, &token, &path(BEN)).await.json();
    for name in PERSONAL {
        assert_eq!(shown[name], value(name));
    }
    let changes = app.directory.changes_after(before, 10).await.unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].entity, changes[0].action), (Entity::Contact, Action::Update));
    assert!(matches!(changes[0].actor, Actor::Contact { .. }));
}

#[tokio::test]
async fn an_empty_text_clears() {
    let app = app().await;
    let token = person_token(&app, BEN, &[]).await;
    assert_done(&patch(&app, &token, BEN, r#"{"city":"","language":""}"#).await);
    let shown = get(&app, &token, &path(BEN)).await.json();
    assert!(shown.get("city").is_none() && shown.get("language").is_none(), "{shown}");
}

#[tokio::test]
async fn a_person_changes_nobody_else_s() {
    let app = app().await;
    let token = person_token(&app, ADA, &["can_manage_contacts", "can_manage_permissions"]).await;
    let details =
        assert_error(&patch(&app, &token, BEN, r#"{"city":"Oslo"}"#).await, 403, "of_another_person");
    assert_eq!(details, json!({"city": ["Is changed by nobody but the person."]}));
}

#[tokio::test]
async fn several_fields_that_may_not_be_changed_are_told_at_once() {
    let app = app().await;
    let token = token(&app, ADA).await;
    let body = r#"{"city":"Oslo","can_authorise_payments":true,"can_trade":false}"#;
    let details = assert_error(&patch(&app, &token, BEN, body).await, 403, "person_required");
    let fields: Vec<_> = details.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["can_authorise_payments", "city"]);
}

#[tokio::test]
async fn person_and_mandate_change_together_or_not_at_all() {
    let app = app().await;
    let token = person_token(&app, ADA, &["can_manage_contacts"]).await;
    let answer = patch(&app, &token, ADA, r#"{"city":"Oslo","can_trade":false}"#).await;
    assert_error(&answer, 403, "insufficient_permission");
    assert_eq!(get(&app, &token, &path(ADA)).await.json()["city"], "Voss");
    assert_done(&patch(&app, &token, ADA, r#"{"city":"Oslo","has_online_access":true}"#).await);
    let shown = get(&app, &token, &path(ADA)).await.json();
    assert_eq!((&shown["city"], &shown["has_online_access"]), (&json!("Oslo"), &json!(true)));
}
