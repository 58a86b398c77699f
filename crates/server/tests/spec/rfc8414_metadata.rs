//! RFC 8414: the metadata, of what works and nothing else.

use procura_jose::Algorithm;
use procura_protocol::metadata::Metadata;
use procura_testkit::assertion::{self, AssertionKey};
use procura_testkit::world::{CONTACT, ISSUER};
use procura_testkit::{TestApp, World};
use serde_json::{Value, json};

use crate::granting::Granting;
use crate::support::{asking, contact_path, get, with_form, without_body};

async fn metadata(app: &TestApp) -> Value {
    let answer = app.send(get("/.well-known/oauth-authorization-server")).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    answer.json()
}

/// The path behind the issuer.
fn path(uri: &Value) -> String {
    uri.as_str().unwrap().strip_prefix(ISSUER).unwrap().to_owned()
}

#[tokio::test]
async fn the_document_has_exactly_these_members() {
    let document = metadata(&TestApp::new(&World::default())).await;
    let mut members: Vec<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(
        members,
        [
            "contact_token_endpoint",
            "dpop_signing_alg_values_supported",
            "grant_types_supported",
            "id_token_signing_alg_values_supported",
            "introspection_endpoint",
            "introspection_endpoint_auth_methods_supported",
            "introspection_endpoint_auth_signing_alg_values_supported",
            "issuer",
            "jwks_uri",
            "response_types_supported",
            "revocation_endpoint",
            "revocation_endpoint_auth_methods_supported",
            "revocation_endpoint_auth_signing_alg_values_supported",
            "revocation_events_endpoint",
            "scopes_supported",
            "token_endpoint",
            "token_endpoint_auth_methods_supported",
            "token_endpoint_auth_signing_alg_values_supported",
        ]
    );
}

#[tokio::test]
async fn the_issuer_is_that_of_the_tokens() {
    let app = TestApp::new(&World::default());
    let answer = app.token().await;
    let issuer = metadata(&app).await["issuer"].clone();
    assert_eq!(issuer, app.id_token(&answer)["iss"]);
    assert_eq!(issuer, app.access_token(&answer)["iss"]);
}

#[tokio::test]
async fn no_response_type_is_claimed_and_every_grant_that_is_gives_a_token() {
    let granting = Granting::new();
    let document = metadata(&granting.app).await;
    assert_eq!(document["response_types_supported"], json!([]));
    assert_eq!(path(&document["token_endpoint"]), "/token");
    let grants = document["grant_types_supported"].as_array().unwrap();
    assert_eq!(grants.len(), 3);
    for (at, grant) in grants.iter().enumerate() {
        let assertion = granting.key.grant(CONTACT, &at.to_string());
        let more = match at {
            0 => String::new(),
            1 => format!("&assertion={assertion}"),
            _ => {
                format!("&subject_token={assertion}&subject_token_type=urn:ietf:params:oauth:token-type:jwt")
            }
        };
        let answer = granting.ask(format!("grant_type={}{more}", grant.as_str().unwrap())).await;
        assert_eq!(answer.status, 200, "{grant}: {answer:?}");
    }
}

#[tokio::test]
async fn the_keys_are_where_it_says() {
    let app = TestApp::new(&World::default());
    let document = metadata(&app).await;
    assert_eq!(app.send(get(&path(&document["jwks_uri"]))).await.status, 200);
}

#[tokio::test]
async fn contact_tokens_are_where_it_says() {
    let app = TestApp::new(&World::default());
    let template = path(&metadata(&app).await["contact_token_endpoint"]);
    let request = without_body(asking(&template.replace("{contact_id}", CONTACT)));
    assert_eq!(app.send(request).await.status, 200);
}

#[tokio::test]
async fn every_scope_that_it_names_is_taken() {
    let app = TestApp::new(&World::default());
    let document: Metadata = serde_json::from_value(metadata(&app).await).unwrap();
    assert_eq!(document.scopes_supported.len(), 11);
    for scope in document.scopes_supported {
        let answer = app.token_for(CONTACT, &format!("scope=can_trade {scope}")).await;
        assert_eq!(answer.status, 200, "{scope}");
    }
}

#[tokio::test]
async fn every_authentication_method_that_it_names_works() {
    let app = TestApp::new(&World::default());
    let document = metadata(&app).await;
    assert_eq!(
        document["token_endpoint_auth_methods_supported"],
        json!(["client_secret_basic", "client_secret_post", "private_key_jwt"])
    );
    assert_eq!(app.token().await.status, 200);
    let form = "client_id=app_partner&client_secret=pcs_partner";
    let posted = app.send(with_form(http::Request::post(contact_path()), form)).await;
    assert_eq!(posted.status, 200);
    let Some(algorithms) = document["token_endpoint_auth_signing_alg_values_supported"].as_array() else {
        panic!("no algorithms")
    };
    for name in algorithms {
        let algorithm: Algorithm = serde_json::from_value(name.clone()).unwrap();
        let key = AssertionKey::new(algorithm);
        let world = World::default().signing(&[&key]);
        let app = TestApp::new(&world.registration(|r| r.assertion_algorithm = Some(algorithm)));
        let form = assertion::form(&key.assertion("first"));
        let signed = app.send(with_form(http::Request::post(contact_path()), form)).await;
        assert_eq!(signed.status, 200, "{name}");
    }
}
