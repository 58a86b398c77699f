//! RFC 6749 4.4: an application's own token, which acts for nobody.

use http::Request;
use http::header::AUTHORIZATION;
use procura_engine::token_id::access_token_jti;
use procura_store::journal::{Record, RefusalCause};
use procura_testkit::TestApp;
use procura_testkit::World;
use procura_testkit::app::resource_basic;
use procura_testkit::world::{
    APPLICATION, FOREIGN_RESOURCE, ISSUER, OTHER_RESOURCE, RESOURCE, RESOURCE_SECRET, SECRET, UNTRUSTED,
    UNTRUSTED_SECRET,
};
use serde_json::json;

use crate::granting::ask;
use crate::support::{assert_refused, last_refusal, with_form};

const OWN: &str = "grant_type=client_credentials";

#[tokio::test]
async fn an_application_gets_a_token_that_acts_for_nobody() {
    let app = TestApp::new(&World::default());
    let answer = ask(&app, (APPLICATION, SECRET), OWN).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    let members: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["access_token", "expires_in", "token_type"]);
    assert_eq!((&body["expires_in"], &body["token_type"]), (&json!(3_600), &json!("Bearer")));
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    let claims = app.access_token(&answer);
    let issued_at = claims["iat"].as_i64().unwrap();
    let jti = claims["jti"].clone();
    let expected = json!({
        "iss": ISSUER, "sub": APPLICATION, "aud": RESOURCE, "iat": issued_at, "exp": issued_at + 3_600, "jti": jti,
        "client_id": APPLICATION, "dv": 7,
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn it_is_on_record_before_it_leaves() {
    let app = TestApp::new(&World::default());
    let answer = ask(&app, (APPLICATION, SECRET), OWN).await;
    let records = app.journal.records();
    let [Record::OwnIssued(issued)] = &records[..] else { panic!("{records:?}") };
    assert_eq!(issued.reference.to_string(), answer.header("procura-reference"));
    let jti = access_token_jti(issued.jti_seed).to_string();
    assert_eq!(app.access_token(&answer)["jti"].as_str(), Some(jti.as_str()));
    assert_eq!(app.engine.counts().own_issued(), 1);
    assert_eq!(app.engine.counts().issued(), 0, "it is no contact token");
}

#[tokio::test]
async fn it_needs_no_trust_and_opens_no_client() {
    let app = TestApp::new(&World::default());
    let answer = ask(&app, (UNTRUSTED, UNTRUSTED_SECRET), OWN).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = answer.text("access_token");
    let call = Request::get("/clients").header(AUTHORIZATION, format!("Bearer {token}"));
    let refused = app.send(call.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!((refused.status.as_u16(), refused.text("code").as_str()), (403, "no_contact"));
}

#[tokio::test]
async fn it_is_for_a_resource_that_the_application_is_registered_for() {
    let app = TestApp::new(&World::default());
    let other = ask(&app, (APPLICATION, SECRET), format!("{OWN}&resource={OTHER_RESOURCE}")).await;
    assert_eq!(app.access_token(&other)["aud"], OTHER_RESOURCE);
    let foreign = ask(&app, (APPLICATION, SECRET), format!("{OWN}&resource={FOREIGN_RESOURCE}")).await;
    assert_refused(&foreign, 400, "invalid_target");
    assert_eq!(last_refusal(&app).cause, RefusalCause::Target);
    assert_eq!(last_refusal(&app).reference.to_string(), foreign.header("procura-reference"));
}

#[tokio::test]
async fn it_asks_for_no_scope_and_no_client() {
    let app = TestApp::new(&World::default());
    for scope in ["openid", "can_trade", "openid%20can_trade"] {
        let answer = ask(&app, (APPLICATION, SECRET), format!("{OWN}&scope={scope}")).await;
        assert_refused(&answer, 400, "invalid_scope");
    }
    for more in ["scope=", "clients=cli.alder", "assertion=a", "subject_token=a", "username=a", "code=a"] {
        let answer = ask(&app, (APPLICATION, SECRET), format!("{OWN}&{more}")).await;
        assert_refused(&answer, 400, "invalid_request");
    }
    assert!(app.journal.records().is_empty());
}

#[tokio::test]
async fn whoever_proves_nothing_gets_nothing() {
    let app = TestApp::new(&World::default());
    assert_refused(&ask(&app, (APPLICATION, "wrong"), OWN).await, 401, "invalid_client");
    assert_refused(&ask(&app, ("app_nobody", SECRET), OWN).await, 401, "invalid_client");
    let alone = format!("{OWN}&client_id={APPLICATION}");
    let answer = app.send(with_form(Request::post("/token"), alone)).await;
    // The standard endpoints know no 495 and no 496.
    assert_refused(&answer, 401, "invalid_client");
    let disabled = TestApp::new(&World::default().application(|application| application.active = false));
    assert_refused(&ask(&disabled, (APPLICATION, SECRET), OWN).await, 401, "invalid_client");
}

#[tokio::test]
async fn it_is_introspected_and_revoked_as_any_other() {
    let app = TestApp::new(&World::default());
    let token = ask(&app, (APPLICATION, SECRET), OWN).await.text("access_token");
    let introspect = async || {
        let request =
            Request::post("/introspect").header(AUTHORIZATION, resource_basic(RESOURCE, RESOURCE_SECRET));
        app.send(with_form(request, format!("token={token}"))).await.json()
    };
    let active = introspect().await;
    assert_eq!(
        (&active["active"], &active["sub"], &active["client_id"], &active["token_type"]),
        (&json!(true), &json!(APPLICATION), &json!(APPLICATION), &json!("Bearer"))
    );
    for absent in ["act", "acr", "mandates", "scope", "cnf"] {
        assert!(active.get(absent).is_none(), "{absent}");
    }
}

#[tokio::test]
async fn an_unknown_grant_is_told_so_and_the_endpoint_takes_forms_by_post_alone() {
    let app = TestApp::new(&World::default());
    for grant in ["password", "authorization_code", "refresh_token", "implicit", "CLIENT_CREDENTIALS"] {
        let answer = ask(&app, (APPLICATION, SECRET), format!("grant_type={grant}")).await;
        assert_refused(&answer, 400, "unsupported_grant_type");
    }
    for form in ["", "grant_type=", "resource=https://a.example", "grant_type=a&grant_type=b"] {
        assert_refused(&ask(&app, (APPLICATION, SECRET), form).await, 400, "invalid_request");
    }
    let in_query = Request::post(format!("/token?{OWN}")).body(axum::body::Body::empty()).unwrap();
    assert_refused(&app.send(in_query).await, 400, "invalid_request");
    let json = Request::post("/token").header("content-type", "application/json");
    let json = json.body(r#"{"grant_type":"client_credentials"}"#.into()).unwrap();
    assert_refused(&app.send(json).await, 415, "invalid_request");
    let get = Request::get(format!("/token?{OWN}")).body(axum::body::Body::empty()).unwrap();
    let answer = app.send(get).await;
    assert_refused(&answer, 405, "invalid_request");
    assert_eq!(answer.header("allow"), "POST");
}
