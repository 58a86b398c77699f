//! FAPI 2.0 Security Profile, for a server without people: tokens of an application of the profile are always bound,
//! and never signed with RS256. TLS itself is shown by `http/tests/tls`.

use axum::body::Body;
use http::Request;
use http::header::AUTHORIZATION;
use procura_jose::Algorithm;
use procura_store::journal::RefusalCause;
use procura_testkit::app::resource_basic;
use procura_testkit::pki::{self, Authority};
use procura_testkit::world::{OTHER_RESOURCE, RESOURCE, RESOURCE_SECRET, UNTRUSTED};
use procura_testkit::{Answer, TestApp, World};
use serde_json::{Value, json};

use crate::fapi2::{Fapi, WAYS, With};
use crate::support::{assert_refused, contact_path, get, last_refusal, with_form};

/// What a token is bound to, and nothing else.
fn cnf(fapi: &Fapi) -> Value {
    match fapi.way.1 {
        With::Key => json!({ "jkt": fapi.proof_key.thumbprint() }),
        With::Certificate => {
            use base64::Engine as _;
            let digest = procura_jose::digest::sha256(&fapi.certificate.der);
            json!({ "x5t#S256": base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest) })
        }
    }
}

/// Refused before the application is known: the standard endpoint knows no 495 and no 496.
#[track_caller]
fn assert_nobody(answer: &Answer, path: &str, own: u16) {
    match (path, own) {
        ("/token", _) => drop(assert_refused(answer, 401, "invalid_client")),
        (_, 496) => assert_eq!((answer.status.as_u16(), answer.body.len()), (496, 0)),
        (_, own) => drop(assert_refused(answer, own, "invalid_client")),
    }
}

#[tokio::test]
async fn every_way_gets_a_bound_token_at_every_door() {
    for way in WAYS {
        let fapi = Fapi::new(way);
        for (path, form) in fapi.doors() {
            let answer = fapi.request(&path, &form).to(&fapi.app).await;
            assert_eq!(answer.status, 200, "{way:?} {path} {form}: {answer:?}");
            assert_eq!(fapi.app.access_token(&answer)["cnf"], cnf(&fapi), "{way:?} {path}");
            let kind = if way.1 == With::Key { "DPoP" } else { "Bearer" };
            assert_eq!(answer.text("token_type"), kind, "{way:?} {path}");
            assert!(answer.json().get("refresh_token").is_none());
        }
    }
}

#[tokio::test]
async fn a_token_may_be_bound_to_both() {
    let fapi = Fapi::with(
        (With::Certificate, With::Key),
        |registration| registration.bound_tokens = true,
        |world| world,
    );
    for (path, form) in fapi.doors() {
        let answer = fapi.request(&path, &form).to(&fapi.app).await;
        let bound = fapi.app.access_token(&answer)["cnf"].clone();
        assert_eq!((bound["jkt"].is_string(), bound["x5t#S256"].is_string()), (true, true), "{bound}");
    }
}

#[tokio::test]
async fn without_its_certificate_an_application_gets_no_token() {
    for way in WAYS.into_iter().filter(|way| *way != (With::Key, With::Key)) {
        let fapi = Fapi::new(way);
        let (other, stranger) = (pki::self_signed(|_| {}), Authority::new("Other Root").issue(|_| {}));
        for (path, form) in fapi.doors() {
            let missing = fapi.request(&path, &form).by(&[]).to(&fapi.app).await;
            assert_nobody(&missing, &path, 496);
            for wrong in [&other, &stranger] {
                let answer = fapi.request(&path, &form).by(&[wrong]).to(&fapi.app).await;
                assert_nobody(&answer, &path, 495);
            }
        }
    }
}

#[tokio::test]
async fn nobody_gets_a_token_under_the_id_of_another_application() {
    for way in WAYS {
        let fapi = Fapi::new(way);
        for (path, form) in fapi.doors() {
            let mut sent = fapi.request(&path, &form);
            match way.0 {
                With::Key => sent.who.push_str(&format!("&client_id={UNTRUSTED}")),
                With::Certificate => sent.who = format!("client_id={UNTRUSTED}"),
            }
            let own = if way.0 == With::Key { 401 } else { 495 };
            assert_nobody(&sent.to(&fapi.app).await, &path, own);
        }
    }
}

#[tokio::test]
async fn an_application_without_a_certificate_of_its_own_proves_nothing_with_one() {
    let fapi = Fapi::new((With::Key, With::Key));
    for (path, form) in fapi.doors() {
        let mut sent = fapi.request(&path, &form).by(&[&fapi.certificate]);
        sent.who = "client_id=app_partner".to_owned();
        assert_nobody(&sent.to(&fapi.app).await, &path, 495);
    }
}

#[tokio::test]
async fn without_a_proof_there_is_no_token() {
    for way in WAYS.into_iter().filter(|way| way.1 == With::Key) {
        let fapi = Fapi::new(way);
        for (path, form) in fapi.doors() {
            let answer = fapi.request(&path, &form).proving(&[]).to(&fapi.app).await;
            assert_refused(&answer, 400, "invalid_dpop_proof");
            assert_eq!(last_refusal(&fapi.app).cause, RefusalCause::Proof);
        }
    }
}

/// Registrations can't say so; a row that was written by somebody else may.
#[tokio::test]
async fn a_registration_without_any_binding_gets_no_token() {
    for who in [With::Key, With::Certificate] {
        let fapi =
            Fapi::with((who, With::Key), |registration| registration.proof_of_key = false, |world| world);
        for (path, form) in fapi.doors() {
            let answer = fapi.request(&path, &form).proving(&[]).to(&fapi.app).await;
            assert_refused(&answer, 400, "invalid_request");
            assert_eq!(last_refusal(&fapi.app).cause, RefusalCause::NothingToBindTo, "{path}");
        }
        assert!(!fapi.app.journal.records().iter().any(|record| {
            matches!(
                record,
                procura_store::journal::Record::Issued(_) | procura_store::journal::Record::OwnIssued(_)
            )
        }));
    }
}

#[tokio::test]
async fn no_token_of_the_profile_is_signed_with_rs256() {
    let resource = |mut world: World| {
        world.resources[1].access_token_algorithm = Algorithm::Rs256;
        world
    };
    let fapi = Fapi::with((With::Key, With::Key), |_| {}, resource);
    for (path, form) in fapi.doors() {
        let asked = format!("{form}&resource={OTHER_RESOURCE}");
        let answer = fapi.request(&path, asked.trim_start_matches('&')).to(&fapi.app).await;
        assert_refused(&answer, 400, "invalid_target");
        assert_eq!(last_refusal(&fapi.app).cause, RefusalCause::ProfileAlgorithm, "{path} {form}");
    }
    let id_token =
        |world: World| world.application(|application| application.id_token_algorithm = Algorithm::Rs256);
    let fapi = Fapi::with((With::Key, With::Key), |_| {}, id_token);
    for (path, form) in fapi.doors().into_iter().filter(|(_, form)| !form.contains("client_credentials")) {
        let answer = fapi.request(&path, &form).to(&fapi.app).await;
        assert_refused(&answer, 400, "invalid_target");
        assert_eq!(last_refusal(&fapi.app).cause, RefusalCause::ProfileAlgorithm, "{path} {form}");
    }
}

#[tokio::test]
async fn whatever_a_caller_accepts_it_gets_json() {
    let fapi = Fapi::new((With::Key, With::Key));
    for accept in ["application/json", "*/*", "text/html", "application/xml;q=0.1", "nothing/at-all", ""] {
        for (path, form) in fapi.doors() {
            let answer = fapi.request(&path, &form).header("accept", accept).to(&fapi.app).await;
            assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
        }
        let ping = Request::get("/ping").header("accept", accept).body(Body::empty()).unwrap();
        assert_eq!(fapi.app.send(ping).await.status, 200, "{accept}");
    }
}

#[tokio::test]
async fn a_bound_token_in_the_query_is_refused() {
    for way in WAYS {
        let fapi = Fapi::new(way);
        let token = fapi.request(&contact_path(), "").to(&fapi.app).await.text("access_token");
        let answer = fapi.app.send(get(&format!("/clients?access_token={token}"))).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
}

#[tokio::test]
async fn a_bound_token_is_introspected_with_its_binding_and_ended_as_any_other() {
    for way in WAYS {
        let fapi = Fapi::new(way);
        for (path, form) in fapi.doors() {
            let token = fapi.request(&path, &form).to(&fapi.app).await.text("access_token");
            let active = introspected(&fapi.app, &token).await;
            assert_eq!((&active["active"], &active["cnf"]), (&json!(true), &cnf(&fapi)), "{active}");
            let kind = if way.1 == With::Key { "DPoP" } else { "Bearer" };
            assert_eq!(active["token_type"], kind);
            let asked = format!("token={token}");
            let own = fapi.request("/introspect", &asked).to(&fapi.app).await;
            assert_eq!(own.json()["active"], true, "{way:?}: {own:?}");
            let revoked = fapi.request("/revoke", &asked).to(&fapi.app).await;
            assert_eq!((revoked.status.as_u16(), revoked.body.len()), (200, 0), "{way:?}: {revoked:?}");
            assert_eq!(introspected(&fapi.app, &token).await, json!({ "active": false }));
        }
    }
}

async fn introspected(app: &TestApp, token: &str) -> Value {
    let request =
        Request::post("/introspect").header(AUTHORIZATION, resource_basic(RESOURCE, RESOURCE_SECRET));
    app.send(with_form(request, format!("token={token}"))).await.json()
}

#[tokio::test]
async fn the_metadata_name_what_the_profile_asks_for() {
    let fapi = Fapi::new((With::Key, With::Key));
    let document = fapi.app.send(get("/.well-known/oauth-authorization-server")).await.json();
    let has = |member: &str, value: &str| {
        document[member].as_array().is_some_and(|all| all.iter().any(|one| one == value))
    };
    for algorithm in ["ES256", "PS256", "EdDSA"] {
        assert!(has("dpop_signing_alg_values_supported", algorithm), "{document}");
        assert!(has("token_endpoint_auth_signing_alg_values_supported", algorithm), "{document}");
    }
    assert!(!has("dpop_signing_alg_values_supported", "RS256"), "{document}");
    assert!(has("token_endpoint_auth_methods_supported", "private_key_jwt"), "{document}");
    assert!(has("grant_types_supported", "client_credentials"), "{document}");
}
