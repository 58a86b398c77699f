//! FAPI 2.0 Security Profile: an application of the profile is let in by nothing weaker than the profile has, at
//! any endpoint, even where its row says otherwise. Operators can't write such a row.

use axum::body::Body;
use http::Request;
use http::header::AUTHORIZATION;
use procura_jose::Algorithm;
use procura_protocol::application_auth::{AssertionAudience, AuthMethods};
use procura_protocol::client_assertion::AssertionFault;
use procura_store::journal::RefusalCause;
use procura_testkit::Answer;
use procura_testkit::app::basic;
use procura_testkit::assertion::{AssertionKey, claims, form, grant_claims};
use procura_testkit::clock::BEGINNING;
use procura_testkit::world::{APPLICATION, CONTACT, ISSUER, SECRET};
use serde_json::{Value, json};

use crate::fapi2::{Fapi, Sent, With};
use crate::granting::{DOORS, Door};
use crate::signing::last_faults;
use crate::support::{assert_refused, contact_path, last_refusal};

const KEYS: (With, With) = (With::Key, With::Key);

/// Every endpoint of applications that takes a form, and what must stand in it.
fn endpoints() -> [(String, &'static str); 4] {
    [
        ("/token".to_owned(), "grant_type=client_credentials"),
        (contact_path(), ""),
        ("/introspect".to_owned(), "token=x"),
        ("/revoke".to_owned(), "token=x"),
    ]
}

#[tokio::test]
async fn a_secret_proves_nothing_at_any_endpoint() {
    let methods = "client_secret_basic client_secret_post private_key_jwt";
    let fapi = Fapi::with(
        KEYS,
        |registration| registration.methods = AuthMethods::parse(methods).unwrap(),
        |world| world,
    );
    for (path, asked) in endpoints() {
        assert_eq!(fapi.request(&path, asked).to(&fapi.app).await.status, 200, "{path}");
        let mut by_form = fapi.request(&path, asked);
        by_form.who = format!("client_id={APPLICATION}&client_secret={SECRET}");
        assert_refused(&by_form.to(&fapi.app).await, 401, "invalid_client");
        let by_basic = Sent {
            who: String::new(),
            basic: Some(basic(APPLICATION, SECRET)),
            ..fapi.request(&path, asked)
        };
        assert_refused(&by_basic.to(&fapi.app).await, 401, "invalid_client");
    }
    let list = Request::get("/info/available-contacts").header(AUTHORIZATION, basic(APPLICATION, SECRET));
    let list = fapi.app.send(list.body(Body::empty()).unwrap()).await;
    assert_refused(&list, 401, "invalid_client");
}

#[tokio::test]
async fn an_assertion_is_for_the_issuer_wherever_it_is_sent() {
    let fapi = Fapi::with(
        KEYS,
        |registration| registration.assertion_audience = AssertionAudience::Endpoint,
        |world| world,
    );
    for (path, asked) in endpoints() {
        assert_eq!(fapi.request(&path, asked).to(&fapi.app).await.status, 200, "{path}");
        for audience in [format!("{ISSUER}{path}"), format!("{ISSUER}/token"), format!("{ISSUER}/par")] {
            let answer = signed(&fapi, &path, asked, |claims| claims["aud"] = json!(audience)).await;
            assert_refused(&answer, 401, "invalid_client");
        }
    }
    assert_eq!(last_faults(&fapi.app), [AssertionFault::Audience]);
    let list = |audience: &str| {
        let mut claims = claims(&fapi.id());
        claims["aud"] = json!(audience);
        let query = form(&fapi.key.sign(&fapi.key.header(), &claims));
        Request::get(format!("/info/available-contacts?{query}")).body(Body::empty()).unwrap()
    };
    assert_eq!(fapi.app.send(list(ISSUER)).await.status, 200);
    let answer = fapi.app.send(list(&format!("{ISSUER}/info/available-contacts"))).await;
    assert_refused(&answer, 401, "invalid_client");
}

#[tokio::test]
async fn rs256_signs_nobody_in_and_grants_nothing() {
    let rsa = AssertionKey::new(Algorithm::Rs256);
    let register = |registration: &mut procura_store::records::Registration| {
        registration.keys = [rsa.registered()].into();
        registration.assertion_algorithm = Some(Algorithm::Rs256);
    };
    let fapi = Fapi::with(KEYS, register, |world| world);
    for (path, asked) in endpoints() {
        let mut sent = fapi.request(&path, asked);
        sent.who = form(&rsa.assertion(&fapi.id()));
        assert_refused(&sent.to(&fapi.app).await, 401, "invalid_client");
    }
    assert_eq!(last_faults(&fapi.app), [AssertionFault::Algorithm]);
    // Whoever proves themselves otherwise does not sign a grant with it either.
    let fapi = Fapi::with((With::Certificate, With::Key), register, |world| world);
    for door in DOORS {
        let answer = fapi.request("/token", &door.form(&rsa.grant(CONTACT, &fapi.id()))).to(&fapi.app).await;
        assert_refused(&answer, 400, "invalid_grant");
        assert_eq!(last_refusal(&fapi.app).cause, RefusalCause::Assertion);
    }
    assert_eq!(last_faults(&fapi.app), [AssertionFault::Algorithm]);
}

#[tokio::test]
async fn what_the_profile_says_of_an_assertion_holds_at_every_endpoint() {
    let at = |seconds: i64| json!(BEGINNING.0 + seconds);
    for (claim, value, accepted) in [
        ("aud", json!(ISSUER), true),
        ("aud", json!([ISSUER]), false),
        ("aud", json!([ISSUER, format!("{ISSUER}/token")]), false),
        ("aud", json!(format!("{ISSUER}/token")), false),
        ("aud", json!(format!("{ISSUER}/par")), false),
        ("aud", json!(format!("{ISSUER}/")), false),
        ("exp", at(-1), false),
        ("exp", at(-3_600), false),
        ("iat", at(8), true),
        ("nbf", at(8), true),
        ("iat", at(61), false),
        ("nbf", at(61), false),
        ("sub", json!("app_untrusted"), false),
    ] {
        for (path, asked) in endpoints() {
            let fapi = Fapi::new(KEYS);
            let answer = signed(&fapi, &path, asked, |claims| claims[claim] = value.clone()).await;
            let status = if accepted { 200 } else { 401 };
            assert_eq!(answer.status, status, "{path} {claim} {value}: {answer:?}");
        }
    }
    for missing in ["sub", "iss", "aud", "exp", "jti"] {
        let fapi = Fapi::new(KEYS);
        let without = |claims: &mut Value| drop(claims.as_object_mut().unwrap().remove(missing));
        let answer = signed(&fapi, "/token", "grant_type=client_credentials", without).await;
        assert_refused(&answer, 401, "invalid_client");
    }
}

#[tokio::test]
async fn what_the_profile_says_of_an_assertion_holds_for_a_grant_too() {
    let at = |seconds: i64| json!(BEGINNING.0 + seconds);
    for (claim, value, accepted) in [
        ("aud", json!([ISSUER]), false),
        ("aud", json!(format!("{ISSUER}/token")), false),
        ("exp", at(-1), false),
        ("iat", at(8), true),
        ("nbf", at(8), true),
        ("nbf", at(61), false),
    ] {
        for door in DOORS {
            let fapi = Fapi::new(KEYS);
            let mut claims = grant_claims(CONTACT, &fapi.id());
            claims[claim] = value.clone();
            let grant = fapi.key.sign(&fapi.key.grant_header(), &claims);
            let answer = fapi.request("/token", &door.form(&grant)).to(&fapi.app).await;
            assert_eq!(answer.status, if accepted { 200 } else { 400 }, "{door:?} {claim} {value}");
        }
    }
}

#[tokio::test]
async fn an_assertion_is_used_once_though_its_request_had_a_wrong_proof() {
    let fapi = Fapi::new(KEYS);
    let sent = fapi.request("/token", "grant_type=client_credentials");
    let refused = sent.clone().proving(&[]).to(&fapi.app).await;
    assert_refused(&refused, 400, "invalid_dpop_proof");
    assert_refused(&sent.to(&fapi.app).await, 401, "invalid_client");
    // The grant was not looked at, and is still good.
    let grant = fapi.key.grant(CONTACT, "kept");
    let asked = Door::JwtBearer.form(&grant);
    let refused = fapi.request("/token", &asked).proving(&[]).to(&fapi.app).await;
    assert_refused(&refused, 400, "invalid_dpop_proof");
    assert_eq!(fapi.request("/token", &asked).to(&fapi.app).await.status, 200);
}

/// The answer to a request whose assertion has changed claims.
async fn signed(fapi: &Fapi, path: &str, asked: &str, change: impl FnOnce(&mut Value)) -> Answer {
    let mut claims = claims(&fapi.id());
    change(&mut claims);
    let mut sent = fapi.request(path, asked);
    sent.who = form(&fapi.key.sign(&fapi.key.header(), &claims));
    sent.to(&fapi.app).await
}
