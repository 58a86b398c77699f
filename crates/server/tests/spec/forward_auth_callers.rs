//! Forward auth (`docs/forward-auth.md`): who may ask, and by which name.

use axum::body::Body;
use http::Request;
use http::header::AUTHORIZATION;
use procura_engine::limits::PerMinute;
use procura_http::connection::Peer;
use procura_testkit::app::basic;
use procura_testkit::world::{APPLICATION, OTHER_RESOURCE, RESOURCE, SECRET};
use procura_testkit::{TestApp, World};

use crate::forward_auth::{
    PROXY, RESOURCE_SECRET, about, app, ask, asking, assert_let_through, assert_stopped, bare, limited, token,
};

#[tokio::test]
async fn a_caller_from_elsewhere_is_403_without_a_word() {
    let app = app();
    let token = token(&app).await;
    let original = ("GET", "/quotes/?client_id=cli.alder");
    for policy in ["elsewhere", "nobody"] {
        assert_stopped(&ask(&app, about(policy, original, &token)).await, 403, "");
    }
    for forged in ["X-Forwarded-For", "X-Real-IP", "Forwarded"] {
        let question = about("elsewhere", original, &token).header(forged, "198.51.100.1");
        assert_stopped(&ask(&app, question).await, 403, "");
    }
    let no_address = asking(&token).body(Body::empty()).map(|mut request| {
        request.extensions_mut().clear();
        request
    });
    assert_stopped(&app.send(no_address.unwrap()).await, 403, "");
}

#[tokio::test]
async fn a_credential_is_the_id_and_a_secret_of_the_policy_s_resource() {
    let app = app();
    let token = token(&app).await;
    let resource = RESOURCE.replace(':', "%3A");
    let question = |policy: &str, credential: &str| {
        about(policy, ("GET", "/quotes/?client_id=cli.alder"), &token)
            .header("Procura-Authorization", credential)
    };
    let right = basic(&resource, &format!("{RESOURCE_SECRET}1"));
    for policy in ["credential", "both"] {
        assert_let_through(&ask(&app, question(policy, &right)).await, "cli.alder");
        let other = basic(&OTHER_RESOURCE.replace(':', "%3A"), &format!("{RESOURCE_SECRET}2"));
        for wrong in
            [&basic(&resource, "pcs_wrong"), &basic(APPLICATION, SECRET), &other, "Basic", "Bearer x", ""]
        {
            assert_stopped(&ask(&app, question(policy, wrong)).await, 403, "");
        }
        let twice = question(policy, &right).header("Procura-Authorization", &right);
        assert_stopped(&ask(&app, twice).await, 403, "");
        let without = about(policy, ("GET", "/quotes/?client_id=cli.alder"), &token);
        assert_stopped(&ask(&app, without).await, 403, "");
    }
    let elsewhere = question("both", &right).extension(Peer([198, 51, 100, 1].into()));
    assert_stopped(&ask(&app, elsewhere).await, 403, "");
}

#[tokio::test]
async fn wrong_secrets_from_the_address_of_a_proxy_do_not_stop_it_from_asking() {
    let app = limited(PerMinute { failed_proofs_per_address: 1, ..PerMinute::default() });
    let token = token(&app).await;
    let question = || {
        let right = basic(&RESOURCE.replace(':', "%3A"), &format!("{RESOURCE_SECRET}1"));
        about("credential", ("GET", "/quotes/?client_id=cli.alder"), &token)
            .header("Procura-Authorization", right)
    };
    let wrong = || {
        let request = Request::post("/token/con.nobody").extension(Peer(PROXY.into()));
        request.header(AUTHORIZATION, basic(APPLICATION, "pcs_wrong")).body(Body::empty()).unwrap()
    };
    assert_eq!(app.send(wrong()).await.status, 401);
    assert_eq!(app.send(wrong()).await.status, 429);
    assert_let_through(&ask(&app, question()).await, "cli.alder");
}

#[tokio::test]
async fn an_unknown_policy_is_404() {
    let app = app();
    let token = token(&app).await;
    let original = ("GET", "/quotes/?client_id=cli.alder");
    for policy in ["unknown", "ORIGINAL", "%6Friginal", "original%2F", "unknown/quotes/"] {
        let answer = ask(&app, about(policy, original, &token)).await;
        assert_eq!(answer.status, 404, "{policy}");
    }
    for path in ["/forward-auth", "/forward-auth/"] {
        assert_eq!(ask(&app, bare(path, &token)).await.status, 404, "{path}");
    }
    let none = TestApp::new(&World::default());
    assert_eq!(ask(&none, about("original", original, &token)).await.status, 404);
}
