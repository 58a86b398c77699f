//! Contract, chapter 1: the request, and how its parameters narrow.

use axum::body::Body;
use http::header::CONTENT_TYPE;
use procura_testkit::world::{COLLEAGUE, CONTACT, OTHER_RESOURCE, RESOURCE, mandate};
use procura_testkit::{TestApp, World};
use serde_json::json;

use crate::support::{asking, assert_refused, contact_path, listed, with_form, without_body};

#[tokio::test]
async fn no_body_is_needed() {
    let app = TestApp::new(&World::default());
    assert_eq!(app.send(without_body(asking(&contact_path()))).await.status, 200);
}

#[tokio::test]
async fn an_empty_form_is_accepted() {
    let app = TestApp::new(&World::default());
    assert_eq!(app.send(with_form(asking(&contact_path()), "")).await.status, 200);
}

#[tokio::test]
async fn a_body_may_come_as_a_form_as_anything_or_without_a_type() {
    let app = TestApp::new(&World::default());
    for declared in [
        Some("application/x-www-form-urlencoded"),
        Some("Application/X-WWW-Form-URLencoded; charset=UTF-8"),
        Some("*/*"),
        None,
    ] {
        let mut request = asking(&contact_path());
        if let Some(declared) = declared {
            request = request.header(CONTENT_TYPE, declared);
        }
        let answer = app.send(request.body(Body::from("clients=cli.birch")).unwrap()).await;
        assert_eq!(listed(&app, &answer), ["cli.birch"], "{declared:?}");
    }
}

#[tokio::test]
async fn a_declared_type_without_a_body_means_nothing() {
    let app = TestApp::new(&World::default());
    let request = asking(&contact_path()).header(CONTENT_TYPE, "application/json");
    assert_eq!(app.send(without_body(request)).await.status, 200);
}

#[tokio::test]
async fn openid_alone_narrows_nothing() {
    let app = TestApp::new(&World::default());
    let plain = app.access_token(&app.token().await);
    let with = app.access_token(&app.token_for(CONTACT, "scope=openid").await);
    assert_eq!(with["mandates"], plain["mandates"]);
}

#[tokio::test]
async fn with_permission_names_each_client_keeps_only_those() {
    let app = TestApp::new(&World::default());
    let answer = app.token_for(CONTACT, "scope=can_trade").await;
    let groups = json!([
        {"clients": ["cli.alder", "cli.birch"], "permissions": ["can_trade"]},
        {"clients": ["cli.cedar"], "permissions": []},
    ]);
    assert_eq!(app.access_token(&answer)["mandates"], groups);
    assert_eq!(listed(&app, &answer).len(), 3, "a scope leaves no client out");
}

#[tokio::test]
async fn an_id_token_comes_with_or_without_openid() {
    let app = TestApp::new(&World::default());
    for form in ["scope=can_trade", "scope=openid can_trade", "scope=openid"] {
        assert!(!app.token_for(CONTACT, form).await.text("id_token").is_empty(), "{form}");
    }
}

#[tokio::test]
async fn the_order_and_repetition_of_scope_names_mean_nothing() {
    let app = TestApp::new(&World::default());
    let one = app.token_for(CONTACT, "scope=openid can_trade can_authorise_payments").await;
    let other = app.token_for(CONTACT, "scope=can_authorise_payments can_trade can_trade openid").await;
    assert_eq!(app.access_token(&one)["mandates"], app.access_token(&other)["mandates"]);
}

#[tokio::test]
async fn a_permission_in_the_scope_gives_nothing_that_was_not_held() {
    let app = TestApp::new(&World::default());
    let answer = app.token_for(CONTACT, "scope=can_trade can_manage_contacts").await;
    assert!(!app.access_token(&answer).to_string().contains("can_manage_contacts"));
}

#[tokio::test]
async fn clients_narrow_to_those_named() {
    let app = TestApp::new(&World::default());
    let answer = app.token_for(CONTACT, "clients=cli.cedar cli.alder").await;
    assert_eq!(listed(&app, &answer), ["cli.alder", "cli.cedar"]);
    let mandates = app.access_token(&answer)["mandates"].to_string();
    assert!(!mandates.contains("cli.birch"), "{mandates}");
}

#[tokio::test]
async fn naming_a_client_twice_is_naming_it() {
    let app = TestApp::new(&World::default());
    let answer = app.token_for(CONTACT, "clients=cli.alder cli.alder").await;
    assert_eq!(listed(&app, &answer), ["cli.alder"]);
}

#[tokio::test]
async fn client_ids_are_case_sensitive() {
    let app = TestApp::new(&World::default());
    assert_refused(&app.token_for(CONTACT, "clients=Cli.Alder").await, 400, "invalid_grant");
}

#[tokio::test]
async fn without_resource_the_audience_is_the_default_one() {
    let app = TestApp::new(&World::default());
    assert_eq!(app.access_token(&app.token().await)["aud"], RESOURCE);
}

#[tokio::test]
async fn a_named_resource_is_the_audience() {
    let app = TestApp::new(&World::default());
    let answer = app.token_for(CONTACT, &format!("resource={OTHER_RESOURCE}")).await;
    assert_eq!(app.access_token(&answer)["aud"], OTHER_RESOURCE);
    assert_eq!(app.id_token(&answer)["aud"], "app_partner", "the ID token is for the application");
}

#[tokio::test]
async fn another_contact_gets_their_own_clients() {
    let app = TestApp::new(&World::default());
    let answer = app.token_for(COLLEAGUE, "").await;
    assert_eq!(app.id_token(&answer)["sub"], COLLEAGUE);
    assert_eq!(listed(&app, &answer), ["cli.birch"]);
}

#[tokio::test]
async fn a_contact_id_may_come_percent_encoded_and_is_decoded_once() {
    let app = TestApp::new(&World::default());
    for path in ["/token/con%2Eada", "/token/%63%6F%6E.ada", "/token/con%2eada"] {
        assert_eq!(app.send(without_body(asking(path))).await.status, 200, "{path}");
    }
    let twice = app.send(without_body(asking("/token/con%252Eada"))).await;
    assert_refused(&twice, 400, "invalid_request");
}

#[tokio::test]
async fn a_change_of_the_directory_is_in_force_with_the_next_request() {
    let app = TestApp::new(&World::default());
    assert_eq!(listed(&app, &app.token().await).len(), 3);
    app.store.set(World::default().contact(|contact| contact.mandates = [mandate(2, "")].into()).publish());
    assert_eq!(listed(&app, &app.token().await), ["cli.birch"]);
}

#[tokio::test]
async fn sixty_four_clients_fit_into_one_token() {
    let app = TestApp::new(&crate::defects::of_clients(64));
    let answer = app.token().await;
    assert_eq!(listed(&app, &answer).len(), 64);
    assert!(answer.text("access_token").len() <= 7_000);
}
