//! RFC 6749 3.2: parameters of a token request.

use procura_testkit::world::CONTACT;
use procura_testkit::{TestApp, World};

use crate::support::{assert_refused, listed};

#[tokio::test]
async fn unrecognised_parameters_are_ignored() {
    let app = TestApp::new(&World::default());
    for form in
        ["utm_source=x", "Scope=nonsense", "clients[]=cli.nobody", "client=x&contact_id=con.ben", "é=1"]
    {
        let answer = app.token_for(CONTACT, form).await;
        assert_eq!(listed(&app, &answer).len(), 3, "{form}");
        assert_eq!(app.id_token(&answer)["sub"], CONTACT);
    }
}

#[tokio::test]
async fn parameters_must_not_come_twice_recognised_or_not() {
    let app = TestApp::new(&World::default());
    for form in ["scope=openid&scope=openid", "utm=1&utm=2", "utm&utm", "sc%6Fpe=openid&scope=openid"] {
        assert_refused(&app.token_for(CONTACT, form).await, 400, "invalid_request");
    }
}

#[tokio::test]
async fn a_parameter_without_a_value_is_not_taken_as_left_out() {
    let app = TestApp::new(&World::default());
    for form in ["clients=", "clients", "scope=", "resource"] {
        assert_refused(&app.token_for(CONTACT, form).await, 400, "invalid_request");
    }
}

#[tokio::test]
async fn grants_of_the_rfc_are_not_taken_here() {
    let app = TestApp::new(&World::default());
    for form in [
        "grant_type=client_credentials",
        "grant_type=password&username=a&password=b",
        "grant_type=refresh_token&refresh_token=x",
        "code=x&redirect_uri=https://a.example/",
        "subject_token=x",
        "actor_token=x",
        "assertion=x",
        "request=x",
        "audience=https://foreign.example/",
        "authorization_details=%5B%5D",
    ] {
        assert_refused(&app.token_for(CONTACT, form).await, 400, "invalid_request");
    }
}

#[tokio::test]
async fn a_hundred_parameters_are_read_and_one_more_is_refused() {
    let app = TestApp::new(&World::default());
    let form = |count: usize| (0..count).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
    assert_eq!(app.token_for(CONTACT, &form(100)).await.status, 200);
    assert_refused(&app.token_for(CONTACT, &form(101)).await, 400, "invalid_request");
}
