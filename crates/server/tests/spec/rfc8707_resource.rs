//! RFC 8707: where an access token is to be used.

use procura_testkit::world::{CONTACT, FOREIGN_RESOURCE, OTHER_RESOURCE, RESOURCE};
use procura_testkit::{TestApp, World};

use crate::support::assert_refused;

#[tokio::test]
async fn the_access_token_has_one_audience_and_it_is_the_resource() {
    let app = TestApp::new(&World::default());
    for resource in [RESOURCE, OTHER_RESOURCE] {
        let answer = app.token_for(CONTACT, &format!("resource={resource}")).await;
        assert_eq!(app.access_token(&answer)["aud"], resource);
    }
}

#[tokio::test]
async fn a_resource_is_compared_to_the_letter() {
    let app = TestApp::new(&World::default());
    for other in ["https://payments.example", "HTTPS://payments.example/", "https://payments.example:443/"] {
        assert_refused(&app.token_for(CONTACT, &format!("resource={other}")).await, 400, "invalid_target");
    }
}

#[tokio::test]
async fn a_resource_that_exists_and_one_that_does_not_are_refused_alike() {
    let app = TestApp::new(&World::default());
    let foreign = app.token_for(CONTACT, &format!("resource={FOREIGN_RESOURCE}")).await;
    let unknown = app.token_for(CONTACT, "resource=https://unknown.example/").await;
    assert_eq!((foreign.status, &foreign.body), (unknown.status, &unknown.body));
}

#[tokio::test]
async fn several_resources_in_one_request_are_refused() {
    let app = TestApp::new(&World::default());
    let form = format!("resource={RESOURCE}&resource={OTHER_RESOURCE}");
    assert_refused(&app.token_for(CONTACT, &form).await, 400, "invalid_request");
}

#[tokio::test]
async fn a_fragment_or_a_relative_reference_is_no_resource() {
    let app = TestApp::new(&World::default());
    for bad in ["https://payments.example/%23x", "payments", "//payments.example/", "https:// payments"] {
        assert_refused(&app.token_for(CONTACT, &format!("resource={bad}")).await, 400, "invalid_request");
    }
}
