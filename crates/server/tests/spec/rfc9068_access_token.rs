//! RFC 9068: JWT access tokens. Only `auth_time`, `amr` and friends are left out: nobody signed in.

use procura_jose::{Algorithm, Expect, verify_jwt};
use procura_protocol::claims::OwnedAccessTokenClaims;
use procura_testkit::{TestApp, World};
use serde_json::Value;

#[tokio::test]
async fn the_required_claims_are_there() {
    let app = TestApp::new(&World::default());
    let claims = app.access_token(&app.token().await);
    for claim in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
        assert!(claims.get(claim).is_some(), "{claim}");
    }
}

#[tokio::test]
async fn the_scope_is_what_was_granted_for_every_client_and_begins_with_openid() {
    let app = TestApp::new(&World::default());
    let claims = app.access_token(&app.token().await);
    assert_eq!(claims["scope"].as_str().unwrap().split(' ').next(), Some("openid"));
}

#[tokio::test]
async fn an_id_token_is_never_taken_for_an_access_token_nor_the_other_way_round() {
    let app = TestApp::new(&World::default());
    let answer = app.token().await;
    let keys = procura_jose::ring::Keys::current(&app.keys);
    let read = |token: &str, typ: &str| {
        let expect = Expect { typ, algorithms: &Algorithm::ALL };
        verify_jwt::<Value>(&answer.text(token), keys.published(), &expect).is_ok()
    };
    assert!(read("access_token", "at+jwt") && read("id_token", "JWT"));
    assert!(read("access_token", "application/at+jwt"), "RFC 9068 4 allows the long form");
    assert!(!read("id_token", "at+jwt") && !read("access_token", "JWT"));
}

#[tokio::test]
async fn who_acts_is_the_application_and_it_can_t_be_left_out() {
    let app = TestApp::new(&World::default());
    let claims = app.access_token(&app.token().await);
    assert_eq!(claims["act"]["sub"], claims["client_id"]);
    let mut without = claims;
    without.as_object_mut().unwrap().remove("act");
    assert!(serde_json::from_value::<OwnedAccessTokenClaims>(without).is_err());
}

#[tokio::test]
async fn the_claims_read_back_as_what_resources_read_them_as() {
    let app = TestApp::new(&World::default());
    let claims = app.access_token(&app.token().await);
    let read: OwnedAccessTokenClaims = serde_json::from_value(claims.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), claims);
}
