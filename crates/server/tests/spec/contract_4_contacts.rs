//! Contract, chapter 4: who sees whom, and what of them.

use procura_store::administration::Administration as _;
use procura_store::change::Entity;
use procura_store::fields::Row;
use serde_json::{Value, json};

use crate::contract_4_world::{
    ADA, ALDER, BEN, BIRCH, CYD, DOT, app, assert_error, get, path, person_token, token,
};

fn list(client: &str) -> String {
    format!("/contacts?client_id={client}")
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|contact| contact["contact_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn with_can_manage_contacts_everyone_with_a_mandate_for_the_client_is_shown_sorted_by_id() {
    let app = app().await;
    let answer = get(&app, &token(&app, ADA).await, &list(ALDER)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(ids(&answer.json()), [ADA, BEN, DOT], "also who is disabled or suspended, and nobody else");
}

#[tokio::test]
async fn without_can_manage_contacts_one_sees_oneself_alone() {
    let app = app().await;
    let token = token(&app, BEN).await;
    assert_eq!(ids(&get(&app, &token, &list(ALDER)).await.json()), [BEN]);
    assert_eq!(get(&app, &token, &path(BEN)).await.status, 200);
    for other in [ADA, DOT, CYD, "con.nobody", "app_x", "a%2Fb"] {
        let answer = get(&app, &token, &path(other)).await;
        assert_error(&answer, 403, "insufficient_permission");
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.contains("error=\"insufficient_scope\", scope=\"can_manage_contacts\""),
            "{challenge}"
        );
    }
}

#[tokio::test]
async fn what_counts_is_what_the_token_allows_and_not_what_the_mandate_does() {
    let app = app().await;
    let token = token(&app, ADA).await;
    // Ada's mandate for Birch has can_manage_contacts; the ceiling of Birch's trust lets it not through.
    assert_eq!(ids(&get(&app, &token, &list(BIRCH)).await.json()), [ADA]);
    let answer = get(&app, &token, &format!("/contacts/{CYD}?client_id={BIRCH}")).await;
    assert_error(&answer, 403, "insufficient_permission");
}

#[tokio::test]
async fn a_token_that_was_narrowed_sees_less() {
    let app = app().await;
    let narrowed = app.token_for(ADA, "scope=can_trade").await.text("access_token");
    assert_eq!(ids(&get(&app, &narrowed, &list(ALDER)).await.json()), [ADA]);
}

#[tokio::test]
async fn one_s_own_data_are_shown_whole() {
    let app = app().await;
    let answer = get(&app, &token(&app, BEN).await, &path(BEN)).await;
    let expected = json!({
        "contact_id": BEN, "email_address": "ben@alder.example", "first_name": "Ben", "name": "Ben",
        "mobile_contact_number": "+47 555", "city": "Voss", "language": "no", "time_zone": "Europe/Oslo",
        "has_online_access": false, "password_reset_required": false,
        "can_authorise_payments": false, "can_make_same_currency_payments": false,
        "can_manage_beneficiaries": false, "can_manage_beneficiaries_groups": false,
        "can_manage_contacts": false, "can_manage_fix_forwards": false, "can_manage_multipayments": false,
        "can_manage_payments": false, "can_manage_permissions": false, "can_trade": true,
    });
    assert_eq!((answer.status.as_u16(), answer.json()), (200, expected));
}

#[tokio::test]
async fn of_others_a_contact_token_shows_id_names_e_mail_and_what_belongs_to_the_mandate() {
    let app = app().await;
    let token = token(&app, ADA).await;
    let one = get(&app, &token, &path(BEN)).await.json();
    let personal = ["mobile_contact_number", "city", "language", "time_zone", "password_reset_required"];
    for member in personal {
        assert!(one.get(member).is_none(), "{member}");
    }
    let shown = ["contact_id", "email_address", "first_name", "name", "has_online_access", "can_trade"];
    assert!(shown.iter().all(|member| one.get(member).is_some()), "{one}");
    let all = get(&app, &token, &list(ALDER)).await.json();
    assert_eq!(all[1], one, "the list shows the same");
    assert_eq!(all[0]["city"], "Voss", "and of oneself everything");
}

#[tokio::test]
async fn of_others_a_person_who_signed_in_sees_everything() {
    let app = app().await;
    let token = person_token(&app, ADA, &["can_manage_contacts"]).await;
    assert_eq!(get(&app, &token, &path(BEN)).await.json()["city"], "Voss");
    let token = person_token(&app, ADA, &[]).await;
    assert_error(&get(&app, &token, &path(BEN)).await, 403, "insufficient_permission");
}

#[tokio::test]
async fn the_permissions_shown_are_those_of_the_mandate_for_that_client() {
    let app = app().await;
    let token = token(&app, ADA).await;
    let of =
        async |client: &str| get(&app, &token, &format!("/contacts/{ADA}?client_id={client}")).await.json();
    let (alder, birch) = (of(ALDER).await, of(BIRCH).await);
    assert_eq!(alder["can_authorise_payments"], true, "though the ceiling does not let it through");
    assert_eq!((&birch["can_authorise_payments"], &birch["can_trade"]), (&json!(false), &json!(true)));
}

#[tokio::test]
async fn an_unknown_contact_and_one_without_anything_to_do_with_the_client_are_404_alike() {
    let app = app().await;
    let token = token(&app, ADA).await;
    let unknown = get(&app, &token, &path("con.nobody")).await;
    assert_error(&unknown, 404, "contact_not_found");
    for other in [CYD, "app_partner", "..%2Fping", "%ff", "a b".replace(' ', "%20").as_str()] {
        assert_eq!(get(&app, &token, &path(other)).await, unknown, "{other}");
    }
}

#[tokio::test]
async fn a_mandate_that_was_removed_is_no_longer_there() {
    let app = app().await;
    app.remove(Entity::Mandate, &[BEN, ALDER]).await;
    let token = token(&app, ADA).await;
    assert_error(&get(&app, &token, &path(BEN)).await, 404, "contact_not_found");
    assert_eq!(ids(&get(&app, &token, &list(ALDER)).await.json()), [ADA, DOT]);
}

#[tokio::test]
async fn a_client_with_many_contacts_is_listed_whole_in_order_and_once_each() {
    let app = app().await;
    for no in 0..250 {
        let id = format!("con.m{:03}", (no * 7) % 250);
        for row in [
            Row::read(Entity::Contact, [("contact_id", id.as_str())]),
            Row::read(Entity::Mandate, [("contact_id", id.as_str()), ("client_id", ALDER)]),
        ] {
            app.directory.put(app.context(), row.unwrap()).await.unwrap();
        }
    }
    app.in_force().await;
    let list = get(&app, &token(&app, ADA).await, &list(ALDER)).await.json();
    let ids = ids(&list);
    assert_eq!(ids.len(), 253);
    assert!(ids.is_sorted());
}
