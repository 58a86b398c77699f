//! Contract, chapter 1: the answer, field for field, claim for claim, header for header.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use procura_store::journal::Record;
use procura_store::records::{ClientNo, RandomId};
use procura_testkit::clock::BEGINNING;
use procura_testkit::world::{APPLICATION, CLIENTS, CONTACT, ISSUER, RESOURCE, mandate};
use procura_testkit::{TestApp, World};
use serde_json::{Value, json};

/// The header of a JWT, unverified.
fn header_of(token: &str) -> Value {
    let part = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn the_body_has_exactly_the_four_fields() {
    let answer = TestApp::new(&World::default()).token().await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    let fields: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["access_token", "expires_in", "id_token", "token_type"]);
}

#[tokio::test]
async fn expires_in_is_a_string_of_seconds() {
    let answer = TestApp::new(&World::default()).token().await;
    assert_eq!(answer.json()["expires_in"], json!("3600"));
}

#[tokio::test]
async fn the_token_type_is_bearer() {
    assert_eq!(TestApp::new(&World::default()).token().await.json()["token_type"], json!("Bearer"));
}

#[tokio::test]
async fn there_is_never_a_refresh_token() {
    let app = TestApp::new(&World::default());
    for form in ["", "scope=openid", "scope=openid can_trade"] {
        assert!(app.token_for(CONTACT, form).await.json().get("refresh_token").is_none());
    }
}

#[tokio::test]
async fn the_headers_are_these_and_no_others() {
    let answer = TestApp::new(&World::default()).token().await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    let mut names: Vec<_> = answer.headers.keys().map(http::HeaderName::as_str).collect();
    names.retain(|name| !["date", "content-length"].contains(name));
    names.sort_unstable();
    assert_eq!(names, ["cache-control", "content-type", "pragma", "procura-reference"]);
}

#[tokio::test]
async fn the_id_token_has_exactly_these_claims() {
    let app = TestApp::new(&World::default());
    let claims = app.id_token(&app.token().await);
    let jti = claims["jti"].clone();
    assert_eq!(
        claims,
        json!({
            "iss": ISSUER,
            "sub": CONTACT,
            "aud": APPLICATION,
            "iat": BEGINNING.0,
            "exp": BEGINNING.0 + 3600,
            "jti": jti,
            "act": {"sub": APPLICATION},
            "acr": "urn:procura:acr:unattended",
            "clients": [
                {"client_id": CLIENTS[0].0, "client_name": CLIENTS[0].1},
                {"client_id": CLIENTS[1].0, "client_name": CLIENTS[1].1},
                {"client_id": CLIENTS[2].0, "client_name": CLIENTS[2].1},
            ],
        })
    );
}

#[tokio::test]
async fn the_access_token_has_exactly_these_claims() {
    let app = TestApp::new(&World::default());
    let claims = app.access_token(&app.token().await);
    let jti = claims["jti"].clone();
    assert_eq!(
        claims,
        json!({
            "iss": ISSUER,
            "sub": CONTACT,
            "aud": RESOURCE,
            "iat": BEGINNING.0,
            "exp": BEGINNING.0 + 3600,
            "jti": jti,
            "client_id": APPLICATION,
            "scope": "openid",
            "act": {"sub": APPLICATION},
            "acr": "urn:procura:acr:unattended",
            "dv": 7,
            "mandates": [
                {"clients": ["cli.alder"], "permissions": ["can_authorise_payments", "can_trade"]},
                {"clients": ["cli.birch"], "permissions": ["can_trade"]},
                {"clients": ["cli.cedar"], "permissions": []},
            ],
        })
    );
}

#[tokio::test]
async fn nothing_in_the_id_token_says_that_a_person_signed_in() {
    let app = TestApp::new(&World::default());
    let claims = app.id_token(&app.token().await);
    for claim in ["nonce", "auth_time", "amr", "sid", "azp", "at_hash", "email"] {
        assert!(claims.get(claim).is_none(), "{claim}");
    }
}

#[tokio::test]
async fn times_are_numbers_in_both_tokens() {
    let app = TestApp::new(&World::default());
    let answer = app.token().await;
    for claims in [app.id_token(&answer), app.access_token(&answer)] {
        assert!(claims["iat"].is_i64() && claims["exp"].is_i64());
    }
}

#[tokio::test]
async fn token_ids_are_22_characters_of_base64url_and_differ() {
    let app = TestApp::new(&World::default());
    let mut seen = Vec::new();
    for _ in 0..20 {
        let answer = app.token().await;
        for claims in [app.id_token(&answer), app.access_token(&answer)] {
            let jti = claims["jti"].as_str().unwrap().to_owned();
            assert!(RandomId::parse(&jti).is_ok(), "{jti}");
            seen.push(jti);
        }
        seen.push(answer.header("procura-reference").to_owned());
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 60);
}

#[tokio::test]
async fn clients_are_ordered_by_id_and_not_by_number() {
    let mut world = World::default();
    world.clients.swap(0, 2);
    world.clients[0].0 = ClientNo(1);
    world.clients[2].0 = ClientNo(3);
    let app = TestApp::new(&world);
    let answer = app.token().await;
    assert_eq!(crate::support::listed(&app, &answer), CLIENTS.map(|(id, _)| id));
    let mandates = app.access_token(&answer)["mandates"].clone();
    let firsts: Vec<_> = mandates.as_array().unwrap().iter().map(|one| one["clients"][0].clone()).collect();
    assert_eq!(firsts, CLIENTS.map(|(id, _)| id));
}

#[tokio::test]
async fn clients_with_equal_permissions_are_one_group() {
    let world = World::default().contact(|contact| {
        contact.mandates = [mandate(1, "can_trade"), mandate(2, ""), mandate(3, "can_trade")].into();
    });
    let app = TestApp::new(&world);
    let claims = app.access_token(&app.token().await);
    let groups = json!([
        {"clients": ["cli.alder", "cli.cedar"], "permissions": ["can_trade"]},
        {"clients": ["cli.birch"], "permissions": []},
    ]);
    assert_eq!(claims["mandates"], groups);
}

#[tokio::test]
async fn the_scope_holds_what_every_listed_client_has() {
    let permissions = ["can_trade can_manage_payments", "can_manage_payments can_trade", "can_trade"];
    let world = World::default()
        .contact(|contact| contact.mandates = (1..).zip(permissions).map(|(no, p)| mandate(no, p)).collect());
    let app = TestApp::new(&world);
    assert_eq!(app.access_token(&app.token().await)["scope"], "openid can_trade");
    let two = app.token_for(CONTACT, "clients=cli.alder cli.birch").await;
    assert_eq!(app.access_token(&two)["scope"], "openid can_manage_payments can_trade");
}

#[tokio::test]
async fn permissions_are_those_of_the_mandate_within_the_ceiling() {
    let world = World::default().trusts(|trust| {
        trust.ceiling = procura_protocol::permission::Ceiling::parse("all").unwrap().permissions();
    });
    let app = TestApp::new(&world);
    let claims = app.access_token(&app.token().await);
    // `all` leaves can_authorise_payments out, and gives nothing that the mandate has not.
    assert_eq!(claims["mandates"][0]["clients"], json!(["cli.alder", "cli.birch"]));
    assert_eq!(claims["mandates"][0]["permissions"], json!(["can_trade"]));
}

#[tokio::test]
async fn the_directory_version_is_the_one_that_was_decided_on() {
    let world = World { version: procura_store::records::Version(123_456), ..World::default() };
    let app = TestApp::new(&world);
    assert_eq!(app.access_token(&app.token().await)["dv"], 123_456);
}

#[tokio::test]
async fn the_tokens_say_their_types_and_their_key() {
    let app = TestApp::new(&World::default());
    let answer = app.token().await;
    let (id, access) = (header_of(&answer.text("id_token")), header_of(&answer.text("access_token")));
    assert_eq!((&id["typ"], &access["typ"]), (&json!("JWT"), &json!("at+jwt")));
    assert_eq!((&id["alg"], &access["alg"]), (&json!("ES256"), &json!("ES256")));
    assert_eq!(id["kid"], access["kid"]);
    assert_eq!(id.as_object().unwrap().len(), 3);
}

#[tokio::test]
async fn the_reference_names_the_record_and_the_record_says_what_left() {
    let app = TestApp::new(&World::default());
    let answer = app.token().await;
    let records = app.journal.records();
    let [Record::Issued(issued)] = &records[..] else { panic!("{records:?}") };
    assert_eq!(issued.reference.to_string(), answer.header("procura-reference"));
    assert_eq!(issued.id_token_jti.to_string(), app.id_token(&answer)["jti"].as_str().unwrap());
    let access_jti = procura_engine::token_id::access_token_jti(issued.id_token_jti).to_string();
    assert_eq!(access_jti, app.access_token(&answer)["jti"].as_str().unwrap());
    assert_eq!(issued.clients, [1, 2, 3].map(ClientNo));
    assert_eq!(issued.expires_at.0, BEGINNING.0 + 3600);
    assert_eq!(issued.version.0, 7);
}

#[tokio::test]
async fn a_name_in_any_script_and_with_quotes_arrives_as_it_is() {
    let name = "Ἀθῆναι \\ \"A\" 株式会社 \u{1F9FE} & <b>\u{7}";
    let world = World::default().clients(|client| client.name = name.into());
    let app = TestApp::new(&world);
    let claims = app.id_token(&app.token().await);
    assert_eq!(claims["clients"][0]["client_name"], name);
}
