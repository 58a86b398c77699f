//! Contract, chapter 4: `GET /clients`.

use procura_store::change::Entity;
use serde_json::json;

use crate::contract_4_world::{ADA, ALDER, BEN, BIRCH, app, get, token};
use crate::support::without_body;

#[tokio::test]
async fn the_clients_of_a_token_are_those_that_it_lists_ordered_by_id() {
    let app = app().await;
    let answer = get(&app, &token(&app, ADA).await, "/clients").await;
    assert_eq!(answer.status, 200);
    let alder = json!({
        "client_id": ALDER, "client_name": "Alder & Sønner AS", "brand_name": "Nordbank", "status": "Active",
        "address_line_1": "Kaia 1", "city": "Bergen", "post_code": "5003",
    });
    let birch = json!({
        "client_id": BIRCH, "client_name": "Birch \"Tree\" Ltd", "brand_name": "", "status": "Active",
    });
    assert_eq!(answer.json(), json!([alder, birch]));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn clients_that_the_token_does_not_list_are_not_shown() {
    let app = app().await;
    let answer = get(&app, &token(&app, BEN).await, "/clients").await;
    assert_eq!(answer.json().as_array().unwrap().len(), 1);
    let narrowed = app.token_for(ADA, &format!("clients={BIRCH}")).await.text("access_token");
    let answer = get(&app, &narrowed, "/clients").await;
    assert_eq!(answer.json()[0]["client_id"], BIRCH);
    assert_eq!(answer.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn no_client_id_is_needed_and_one_that_is_sent_changes_nothing() {
    let app = app().await;
    let token = token(&app, ADA).await;
    let whole = get(&app, &token, "/clients").await;
    assert_eq!(get(&app, &token, "/clients?client_id=cli.nobody").await.body, whole.body);
}

#[tokio::test]
async fn head_and_an_api_key_are_taken() {
    let app = app().await;
    let token = token(&app, ADA).await;
    let head = http::Request::head("/clients")
        .header("authorization", format!("Bearer {token}"))
        .header("x-api-key", "anything at all");
    let answer = app.send(without_body(head)).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
}

#[tokio::test]
async fn a_token_of_before_its_client_was_closed_shows_nothing_any_more() {
    let app = app().await;
    let token = token(&app, ADA).await;
    app.put(Entity::Client, &[("client_id", BIRCH), ("status", "Closed")]).await;
    assert_eq!(get(&app, &token, "/clients").await.status, 401);
}
