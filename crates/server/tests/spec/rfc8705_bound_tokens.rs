//! RFC 8705 3: tokens that are bound to a certificate, at the server's own API, at forward auth and in
//! introspection. The bindings are those of `tests/vectors/guard.json`.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Request;
use http::header::AUTHORIZATION;
use procura_guard::PeerCertificate;
use procura_http::connection::Peer;
use procura_jose::Algorithm;
use procura_jose::ring::{Keys, TokenKind};
use procura_testkit::app::resource_basic;
use procura_testkit::world::{RESOURCE, RESOURCE_SECRET};
use procura_testkit::{Answer, TestApp, World};
use serde_json::{Value, json};

use crate::contract_4_world::{self, ADA};
use crate::forward_auth;
use crate::support::with_form;

/// A binding, the certificate that the caller holds, and whether that is right.
struct Case {
    name: String,
    cnf: Value,
    certificate: Option<Vec<u8>>,
    is_right: bool,
}

/// Those of the vectors that change the valid token in its `cnf` alone.
fn cases() -> Vec<Case> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/guard.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let valid = &file["cases"][0];
    assert_eq!(valid["name"], "a_valid_token_and_one_of_its_clients");
    let read = |case: &Value| {
        let mut claims = case["recipe"]["claims"].clone();
        let cnf = claims.as_object_mut()?.remove("cnf")?;
        let same = claims == valid["recipe"]["claims"] && case["route"] == valid["route"];
        let same =
            same && ["target", "headers"].iter().all(|part| case["request"][part] == valid["request"][part]);
        let der = case["request"]["certificate"].as_str().map(|name| &file["certificates"][name]["der"]);
        Some(Case {
            name: case["name"].as_str()?.to_owned(),
            cnf,
            certificate: der.map(|der| STANDARD.decode(der.as_str().unwrap()).unwrap()),
            is_right: case["answer"]["status"] == 200,
        })
        .filter(|_| same)
    };
    let cases: Vec<Case> = file["cases"].as_array().unwrap().iter().filter_map(read).collect();
    assert!(cases.len() > 30 && cases.iter().filter(|case| case.is_right).count() == 1);
    cases
}

/// A token of this server with a binding.
pub(crate) async fn bound(keys: &impl Keys, claims: &Value, cnf: &Value) -> String {
    let mut claims = claims.clone();
    claims["cnf"] = cnf.clone();
    let ring = keys.current();
    let key = ring.signing(Algorithm::Es256).unwrap();
    key.sign(TokenKind::AccessToken, claims.to_string().as_bytes()).await.unwrap()
}

#[track_caller]
fn assert_judged(answer: &Answer, is_right: bool, name: &str) {
    assert_eq!(answer.status, if is_right { 200 } else { 401 }, "{name}: {answer:?}");
    if !is_right {
        assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn the_servers_own_api_takes_a_bound_token_with_its_certificate_alone() {
    let app = contract_4_world::app().await;
    let claims = app.access_token(&app.token_for(ADA, "").await);
    for case in cases() {
        let token = bound(&app.keys, &claims, &case.cnf).await;
        for path in ["/clients", "/contacts?client_id=cli.alder"] {
            let mut request = Request::get(path).header(AUTHORIZATION, format!("Bearer {token}"));
            if let Some(der) = &case.certificate {
                request = request.extension(PeerCertificate::of_der(der));
            }
            let answer = app.send(request.body(Body::empty()).unwrap()).await;
            assert_judged(&answer, case.is_right, &case.name);
        }
    }
}

/// The proxy's own certificate is on the connection, and a header of another name holds the right one.
#[tokio::test]
async fn a_proxy_passes_on_the_certificate_in_the_header_of_its_policy_alone() {
    let app = forward_auth::app();
    let claims = app.access_token(&app.token().await);
    let about = ("GET", "/quotes/EUR?client_id=cli.alder");
    for case in cases() {
        let token = bound(&app.keys, &claims, &case.cnf).await;
        let value = case.certificate.as_ref().map(|der| format!(":{}:", STANDARD.encode(der)));
        let with = |policy: &str, header: &str| {
            let mut request = forward_auth::about(policy, about, &token);
            if let Some(der) = &case.certificate {
                request = request.extension(PeerCertificate::of_der(der));
            }
            match &value {
                Some(value) => request.header(header, value),
                None => request,
            }
        };
        let answer = forward_auth::ask(&app, with("certificate", "Client-Cert")).await;
        assert_judged(&answer, case.is_right, &case.name);
        for (policy, header) in [("certificate", "X-Client-Cert"), ("original", "Client-Cert")] {
            assert_judged(&forward_auth::ask(&app, with(policy, header)).await, false, &case.name);
        }
        if let Some(value) = &value {
            let twice = with("certificate", "Client-Cert").header("Client-Cert", value);
            assert_judged(&forward_auth::ask(&app, twice).await, false, &case.name);
        }
    }
}

#[tokio::test]
async fn nobody_believes_a_certificate_from_a_proxy_that_may_not_ask() {
    let app = forward_auth::app();
    let claims = app.access_token(&app.token().await);
    let case = cases().into_iter().find(|case| case.is_right).unwrap();
    let token = bound(&app.keys, &claims, &case.cnf).await;
    let value = format!(":{}:", STANDARD.encode(case.certificate.unwrap()));
    let asked_from = |address: &str| {
        forward_auth::about("certificate", ("GET", "/quotes/EUR?client_id=cli.alder"), &token)
            .header("Client-Cert", &value)
            .extension(Peer(address.parse().unwrap()))
    };
    assert_eq!(forward_auth::ask(&app, asked_from("192.0.2.8")).await.status, 200);
    let answer = forward_auth::ask(&app, asked_from("198.51.100.1")).await;
    forward_auth::assert_stopped(&answer, 403, "");
}

#[tokio::test]
async fn introspection_tells_a_binding_that_can_be_checked_and_no_other_is_active() {
    let app = TestApp::new(&World::default());
    let claims = app.access_token(&app.token().await);
    let is_digest = |value: &Value| {
        let digest = value.as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        digest.is_some_and(|digest| digest.len() == 32)
    };
    // A certificate, a key, or both.
    let can_be_checked = |cnf: &Value| {
        cnf.as_object().is_some_and(|cnf| {
            let known = |(name, value): (&String, &Value)| {
                ["x5t#S256", "jkt"].contains(&name.as_str()) && is_digest(value)
            };
            !cnf.is_empty() && cnf.iter().all(known)
        })
    };
    for case in cases() {
        let token = bound(&app.keys, &claims, &case.cnf).await;
        let request =
            Request::post("/introspect").header(AUTHORIZATION, resource_basic(RESOURCE, RESOURCE_SECRET));
        let answer = app.send(with_form(request, format!("token={token}"))).await.json();
        // Whoever asks compares the certificate and the proof of its own caller.
        if can_be_checked(&case.cnf) {
            assert_eq!((&answer["active"], &answer["cnf"]), (&json!(true), &case.cnf), "{}", case.name);
        } else {
            assert_eq!(answer, json!({ "active": false }), "{}", case.name);
        }
    }
}
