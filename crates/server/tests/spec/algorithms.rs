//! What signs: the application's choice for the ID token, the resource's for the access token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use procura_jose::Algorithm;
use procura_testkit::world::{CONTACT, OTHER_RESOURCE};
use procura_testkit::{Answer, TestApp, World};
use serde_json::Value;

use crate::support::{assert_refused, issued};

fn algorithm(answer: &Answer, token: &str) -> String {
    let token = answer.text(token);
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["alg"].as_str().unwrap().to_owned()
}

fn world(id_token: Algorithm, access_token: Algorithm) -> World {
    let mut world = World::default().application(|application| application.id_token_algorithm = id_token);
    world.resources[0].access_token_algorithm = access_token;
    world
}

#[tokio::test]
async fn every_pair_of_algorithms_signs_tokens_that_verify() {
    let app = TestApp::with_algorithms(&World::default(), &Algorithm::ALL);
    for id_token in Algorithm::ALL {
        for access_token in Algorithm::ALL {
            app.store.set(world(id_token, access_token).publish());
            let answer = app.token().await;
            assert_eq!(answer.status, 200, "{id_token}, {access_token}");
            assert_eq!(algorithm(&answer, "id_token"), id_token.as_str());
            assert_eq!(algorithm(&answer, "access_token"), access_token.as_str());
            assert_eq!(app.id_token(&answer)["sub"], CONTACT);
            assert_eq!(app.access_token(&answer)["sub"], CONTACT);
        }
    }
}

#[tokio::test]
async fn the_access_token_follows_the_resource_that_was_asked_for() {
    let mut world = World::default();
    world.resources[1].access_token_algorithm = Algorithm::EdDsa;
    let app = TestApp::with_algorithms(&world, &Algorithm::ALL);
    let answer = app.token_for(CONTACT, &format!("resource={OTHER_RESOURCE}")).await;
    assert_eq!(algorithm(&answer, "access_token"), "EdDSA");
    assert_eq!(algorithm(&answer, "id_token"), "ES256");
}

#[tokio::test]
async fn without_a_key_of_the_registered_algorithm_nothing_is_issued_and_nothing_recorded() {
    for (id_token, access_token) in
        [(Algorithm::EdDsa, Algorithm::Es256), (Algorithm::Es256, Algorithm::Ps256)]
    {
        let app = TestApp::new(&world(id_token, access_token));
        assert_refused(&app.token().await, 503, "temporarily_unavailable");
        assert_eq!(issued(&app), 0);
    }
}
