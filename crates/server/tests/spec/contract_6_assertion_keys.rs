//! Contract, chapter 6: whose key an assertion is signed with, and how.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use procura_jose::Algorithm;
use procura_jose::digest::hmac_sha256;
use procura_protocol::client_assertion::AssertionFault;
use procura_testkit::assertion::{AssertionKey, claims};
use procura_testkit::clock::BEGINNING;
use procura_testkit::{TestApp, World};
use serde_json::{Value, json};

use crate::signing::{Signing, last_faults, send, used};
use crate::support::assert_refused;

#[tokio::test]
async fn an_assertion_may_be_signed_with_each_algorithm_but_rs256() {
    for (algorithm, expected) in
        [(Algorithm::Es256, 200), (Algorithm::Ps256, 200), (Algorithm::EdDsa, 200), (Algorithm::Rs256, 401)]
    {
        let key = AssertionKey::new(algorithm);
        let app = TestApp::new(&World::default().signing(&[&key]));
        assert_eq!(send(&app, &key.assertion("first")).await.status, expected, "{algorithm}");
    }
}

#[tokio::test]
async fn rs256_works_where_it_is_registered_and_then_nothing_else_does() {
    let rsa = AssertionKey::new(Algorithm::Rs256);
    let other = AssertionKey::new(Algorithm::Es256);
    let world = World::default().signing(&[&rsa, &other]);
    let app = TestApp::new(&world.registration(|r| r.assertion_algorithm = Some(Algorithm::Rs256)));
    assert_eq!(send(&app, &rsa.assertion("first")).await.status, 200);
    assert_refused(&send(&app, &other.assertion("second")).await, 401, "invalid_client");
    assert_eq!(last_faults(&app), [AssertionFault::Algorithm]);
}

#[tokio::test]
async fn nobody_signs_for_an_application_with_a_key_of_another() {
    let (ours, theirs) = (AssertionKey::new(Algorithm::Es256), AssertionKey::new(Algorithm::Es256));
    let mut world = World::default().signing(&[&ours]);
    world.applications[1].registration = Arc::clone(&world.applications[0].registration);
    Arc::make_mut(&mut world.applications[1].registration).keys = [theirs.registered()].into();
    let app = TestApp::new(&world);
    assert_refused(&send(&app, &theirs.assertion("named")).await, 401, "invalid_client");
    assert_eq!(last_faults(&app), [AssertionFault::UnknownKey]);
    let unnamed = theirs.sign(&json!({"alg": "ES256"}), &claims("unnamed"));
    assert_refused(&send(&app, &unnamed).await, 401, "invalid_client");
    let under_our_name = theirs.sign(&ours.header(), &claims("under our name"));
    assert_refused(&send(&app, &under_our_name).await, 401, "invalid_client");
    assert_eq!(last_faults(&app), [AssertionFault::UnknownKey, AssertionFault::Signature]);
    assert!(used(&app).is_empty());
}

#[tokio::test]
async fn without_a_signature_nothing_is_proved() {
    let signing = Signing::new();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let unsigned = format!("{}.{}.", part(&json!({"alg": alg})), part(&claims("none")));
        assert_refused(&signing.send(&unsigned).await, 401, "invalid_client");
        let signed = signing.changed(|header, _| header["alg"] = json!(alg)).await;
        assert_refused(&signed, 401, "invalid_client");
    }
    assert_eq!(last_faults(&signing.app), [AssertionFault::Algorithm]);
    let (front, _) =
        signing.key.assertion("cut").rsplit_once('.').map(|(a, b)| (a.to_owned(), b.len())).unwrap();
    assert_refused(&signing.send(&format!("{front}.")).await, 401, "invalid_client");
    assert_refused(&signing.send(&front).await, 401, "invalid_client");
}

#[tokio::test]
async fn the_public_key_is_no_secret_to_sign_with() {
    let signing = Signing::new();
    let public = signing.key.registered().jwk;
    let header = json!({"alg": "HS256", "kid": signing.key.jwk().kid()});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(&claims("hmac")));
    let mac = URL_SAFE_NO_PAD.encode(hmac_sha256(public.as_bytes(), message.as_bytes()));
    assert_refused(&signing.send(&format!("{message}.{mac}")).await, 401, "invalid_client");
    assert_eq!(last_faults(&signing.app), [AssertionFault::Algorithm]);
}

#[tokio::test]
async fn the_algorithm_is_that_of_the_key() {
    for alg in ["PS256", "EdDSA"] {
        let change = |header: &mut Value, _: &mut Value| header["alg"] = json!(alg);
        Signing::new().refuses(AssertionFault::KeyAlgorithm, change).await;
    }
}

#[tokio::test]
async fn a_kid_is_a_name_and_never_a_place() {
    for kid in ["../../etc/passwd", "/dev/null", "' OR 1=1 --", "https://evil.example/key", "\u{0}", "", "*"]
    {
        let change = |header: &mut Value, _: &mut Value| header["kid"] = json!(kid);
        Signing::new().refuses(AssertionFault::UnknownKey, change).await;
    }
    for kid in [json!(1), json!(["x"]), json!({})] {
        let change = |header: &mut Value, _: &mut Value| header["kid"] = kid;
        Signing::new().refuses(AssertionFault::Malformed, change).await;
    }
}

#[tokio::test]
async fn a_key_that_an_assertion_brings_along_is_never_taken() {
    let stranger = AssertionKey::new(Algorithm::Es256);
    let signing = Signing::new();
    for (name, value) in [
        ("jwk", json!(stranger.jwk())),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/certificate")),
        ("x5c", json!(["MIIB"])),
    ] {
        for kid in [json!(stranger.jwk().kid()), json!(signing.key.jwk().kid())] {
            let header = json!({"alg": "ES256", "kid": kid, name: value});
            let assertion = stranger.sign(&header, &claims("brought"));
            assert_refused(&signing.send(&assertion).await, 401, "invalid_client");
        }
        let beside = signing.changed(|header, claims| {
            header[name] = value;
            claims["jti"] = json!(name);
        });
        assert_eq!(beside.await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn without_a_kid_the_keys_of_its_algorithm_are_tried() {
    let keys = [Algorithm::Es256, Algorithm::Es256, Algorithm::EdDsa].map(AssertionKey::new);
    let app = TestApp::new(&World::default().signing(&[&keys[0], &keys[1], &keys[2]]));
    for (key, alg) in keys.iter().zip(["ES256", "ES256", "EdDSA"]) {
        let assertion = key.sign(&json!({"alg": alg}), &claims(&format!("{}", key.jwk().kid())));
        assert_eq!(send(&app, &assertion).await.status, 200, "{alg}");
    }
}

#[tokio::test]
async fn a_key_that_has_expired_proves_nothing() {
    let signing = Signing::with(|world| {
        world.registration(|registration| registration.keys[0].expires_at = Some(BEGINNING.plus(30)))
    });
    assert_eq!(signing.send(&signing.key.assertion("before")).await.status, 200);
    signing.app.clock.advance(Duration::from_secs(30));
    assert_refused(&signing.send(&signing.key.assertion("after")).await, 401, "invalid_client");
    assert_eq!(last_faults(&signing.app), [AssertionFault::UnknownKey]);
}

#[tokio::test]
async fn a_registered_key_that_is_taken_out_proves_nothing_from_the_next_request_on() {
    let (old, new) = (AssertionKey::new(Algorithm::Es256), AssertionKey::new(Algorithm::Es256));
    let app = TestApp::new(&World::default().signing(&[&old]));
    assert_eq!(send(&app, &old.assertion("first")).await.status, 200);
    app.store.set(World::default().signing(&[&new]).publish());
    assert_refused(&send(&app, &old.assertion("second")).await, 401, "invalid_client");
    assert_eq!(send(&app, &new.assertion("third")).await.status, 200);
}
