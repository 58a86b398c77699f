//! What the modules of chapter 4 share: two clients, four contacts, and calls with their tokens.

use axum::body::Body;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Builder;
use procura_jose::Algorithm;
use procura_jose::ring::{Keys as _, TokenKind};
use procura_store::Clock as _;
use procura_store::change::Entity;
use procura_testkit::app::token_request;
use procura_testkit::world::{APPLICATION, ISSUER, RESOURCE};
use procura_testkit::{Answer, DiskApp};
use serde_json::{Value, json};

use crate::support::without_body;

/// The client that calls are about: `can_authorise_payments` does not pass its trust.
pub(crate) const ALDER: &str = "cli.alder";
/// The other client of Ada's, whose trust lets nobody manage contacts.
pub(crate) const BIRCH: &str = "cli.birch";
/// Manages contacts and permissions of Alder.
pub(crate) const ADA: &str = "con.ada";
/// May trade for Alder.
pub(crate) const BEN: &str = "con.ben";
/// Has nothing to do with Alder.
pub(crate) const CYD: &str = "con.cyd";
/// Disabled, with a suspended mandate for Alder.
pub(crate) const DOT: &str = "con.dot";

/// Ada's mandate for Alder, of which the trust lets all but the first through.
pub(crate) const ADAS: &str =
    "can_authorise_payments can_manage_contacts can_manage_payments can_manage_permissions can_trade";

/// A server in which Ada's token works.
pub(crate) async fn app() -> DiskApp {
    let app = DiskApp::new().await;
    let client = [("client_id", ALDER), ("client_name", "Alder & Sønner AS"), ("brand_name", "Nordbank")];
    let address = [("address_line_1", "Kaia 1"), ("city", "Bergen"), ("post_code", "5003")];
    app.put(Entity::Client, &[&client[..], &address[..]].concat()).await;
    app.put(Entity::Client, &[("client_id", BIRCH), ("client_name", "Birch \"Tree\" Ltd")]).await;
    for (client, ceiling) in [(ALDER, "all can_manage_contacts can_manage_permissions"), (BIRCH, "all")] {
        let names = [("client_id", client), ("application_id", APPLICATION)];
        app.put(Entity::Trust, &[names[0], names[1], ("contacts", "*"), ("ceiling", ceiling)]).await;
    }
    for (id, email, name) in [
        (ADA, "ada@alder.example", "Ada"),
        (BEN, "ben@alder.example", "Ben"),
        (CYD, "cyd@birch.example", "Cyd"),
    ] {
        let person = [("contact_id", id), ("email_address", email), ("first_name", name), ("name", name)];
        let own = [
            ("mobile_contact_number", "+47 555"),
            ("city", "Voss"),
            ("language", "no"),
            ("time_zone", "Europe/Oslo"),
        ];
        app.put(Entity::Contact, &[&person[..], &own[..]].concat()).await;
    }
    app.put(Entity::Contact, &[("contact_id", DOT), ("status", "disabled")]).await;
    for (contact, client, permissions) in [
        (ADA, ALDER, ADAS),
        (ADA, BIRCH, "can_manage_contacts can_trade"),
        (BEN, ALDER, "can_trade"),
        (CYD, BIRCH, "can_manage_contacts can_trade"),
    ] {
        mandate(&app, contact, client, &[("permissions", permissions)]).await;
    }
    mandate(&app, DOT, ALDER, &[("status", "suspended"), ("permissions", "can_trade")]).await;
    app
}

/// Sets a mandate as an operator does.
pub(crate) async fn mandate(app: &DiskApp, contact: &str, client: &str, more: &[(&str, &str)]) {
    let names = [("contact_id", contact), ("client_id", client)];
    app.put(Entity::Mandate, &[&names[..], more].concat()).await;
}

/// What a mandate allows now.
pub(crate) async fn held(app: &DiskApp, contact: &str, client: &str) -> String {
    let row = app.record(Entity::Mandate, &[contact, client]).await;
    row.get("permissions").flatten().unwrap_or_default().to_owned()
}

/// An access token of the trusted application for a contact.
pub(crate) async fn token(app: &DiskApp, contact: &str) -> String {
    let answer = app.send(token_request(contact, "")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text("access_token")
}

/// The access token of a person who signed in, as it will be issued once people can.
pub(crate) async fn person_token(app: &DiskApp, contact: &str, permissions: &[&str]) -> String {
    let now = app.clock.now().seconds().0;
    let version = app.engine.directory().unwrap().version().0;
    signed(
        app,
        &json!({
            "iss": ISSUER, "sub": contact, "aud": RESOURCE, "iat": now, "exp": now + 600,
            "jti": "AAAAAAAAAAAAAAAAAAAAAA", "client_id": APPLICATION, "scope": "openid", "auth_time": now,
            "acr": "urn:procura:acr:password", "dv": version,
            "mandates": [{"clients": [ALDER], "permissions": permissions}],
        }),
    )
    .await
}

/// Any claims, signed by this server.
pub(crate) async fn signed(app: &DiskApp, claims: &Value) -> String {
    let ring = app.keys.current();
    let key = ring.signing(Algorithm::Es256).unwrap();
    key.sign(TokenKind::AccessToken, claims.to_string().as_bytes()).await.unwrap()
}

/// The path of a contact, of Alder.
pub(crate) fn path(contact: &str) -> String {
    format!("/contacts/{contact}?client_id={ALDER}")
}

/// A call with a token, before its body.
pub(crate) fn with_token(request: Builder, token: &str) -> Builder {
    request.header(AUTHORIZATION, format!("Bearer {token}"))
}

/// `GET` with a token.
pub(crate) async fn get(app: &DiskApp, token: &str, path: &str) -> Answer {
    app.send(without_body(with_token(Request::get(path), token))).await
}

/// `PATCH` of a contact of Alder with a token.
pub(crate) async fn patch(app: &DiskApp, token: &str, contact: &str, body: &str) -> Answer {
    app.send(patching(token, contact, body, &[])).await
}

/// A `PATCH` of a contact of Alder, with more headers.
pub(crate) fn patching(token: &str, contact: &str, body: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request =
        with_token(Request::patch(path(contact)), token).header(CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

/// Checks a refusal in the shape of this chapter, and gives back what it says about fields.
#[track_caller]
pub(crate) fn assert_error(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!((answer.status.as_u16(), answer.text("code").as_str()), (status, code), "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("etag"), "");
    let body = answer.json();
    let members: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["code", "details", "message"]);
    assert!(!answer.text("message").is_empty());
    match answer.text("details").as_str() {
        "" => Value::Null,
        details => serde_json::from_str(details).unwrap(),
    }
}

/// Checks that something was done and says nothing but the state that it left.
#[track_caller]
pub(crate) fn assert_done(answer: &Answer) -> String {
    assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0), "{answer:?}");
    let tag = answer.header("etag").to_owned();
    assert_eq!((tag.len(), tag.starts_with('"')), (45, true), "a strong tag: {tag}");
    tag
}
