//! RFC 7517: the key set.

use procura_jose::Algorithm;
use procura_testkit::{TestApp, World};
use serde_json::Value;

use crate::support::get;

async fn keys(algorithms: &[Algorithm]) -> Vec<Value> {
    let app = TestApp::with_algorithms(&World::default(), algorithms);
    app.send(get("/jwks")).await.json()["keys"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_set_has_its_own_media_type_and_may_be_kept_for_five_minutes() {
    let answer = TestApp::new(&World::default()).send(get("/jwks")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/jwk-set+json");
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
}

#[tokio::test]
async fn the_set_is_one_object_with_keys() {
    let answer = TestApp::new(&World::default()).send(get("/jwks")).await;
    assert_eq!(answer.json().as_object().unwrap().keys().collect::<Vec<_>>(), ["keys"]);
}

#[tokio::test]
async fn every_key_is_for_signatures_and_says_its_algorithm_and_its_id() {
    for key in keys(&Algorithm::ALL).await {
        assert_eq!(key["use"], "sig");
        assert_eq!(key["kid"].as_str().unwrap().len(), 43, "an RFC 7638 thumbprint");
        assert!(["ES256", "RS256", "PS256", "EdDSA"].contains(&key["alg"].as_str().unwrap()));
    }
}

#[tokio::test]
async fn keys_have_the_members_of_their_type_and_no_private_ones() {
    let mut seen = Vec::new();
    for key in keys(&Algorithm::ALL).await {
        let mut members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        members.retain(|member| !["use", "alg", "kid", "kty"].contains(member));
        members.sort_unstable();
        let kind = key["kty"].as_str().unwrap();
        let public: &[&str] = match kind {
            "EC" => &["crv", "x", "y"],
            "OKP" => &["crv", "x"],
            _ => &["e", "n"],
        };
        assert_eq!(members, public, "{kind}");
        seen.push(kind.to_owned());
    }
    seen.sort_unstable();
    assert_eq!(seen, ["EC", "OKP", "RSA", "RSA"]);
}

#[tokio::test]
async fn key_ids_are_unique() {
    let keys = keys(&Algorithm::ALL).await;
    let mut ids: Vec<_> = keys.iter().map(|key| key["kid"].to_string()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn the_set_is_served_while_nothing_can_be_issued() {
    let app = TestApp::new(&World::default());
    app.store.make_stale();
    assert_eq!(app.send(get("/jwks")).await.status, 200);
}
