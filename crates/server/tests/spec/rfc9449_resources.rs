//! RFC 9449 7: tokens that are bound to a key, at the server's own API and at forward auth.

use axum::body::Body;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Builder;
use procura_guard::PeerCertificate;
use procura_http::connection::Drain;
use procura_http::limits::Limits;
use procura_http::metrics::Place;
use procura_http::{Offer, router};
use procura_jose::digest::sha256;
use procura_jose::{Algorithm, base64url};
use procura_store::{Clock as _, Store};
use procura_testkit::assertion::AssertionKey;
use procura_testkit::world::{ISSUER, OTHER_RESOURCE};
use procura_testkit::{Answer, DiskApp, TestApp};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::contract_4_world::{self, ADA, ALDER};
use crate::forward_auth;
use crate::openapi::assert_described;
use crate::rfc8705_bound_tokens::bound;

/// A key, and the token that is bound to it.
struct Held {
    key: AssertionKey,
    token: String,
    now: i64,
}

impl Held {
    async fn of<S>(app: &TestApp<S>, claims: &Value) -> Held {
        Held::with(app, claims, json!({})).await
    }

    /// The same, bound to something else besides.
    async fn with<S>(app: &TestApp<S>, claims: &Value, mut cnf: Value) -> Held {
        let key = AssertionKey::new(Algorithm::Es256);
        cnf["jkt"] = key.jwk().thumbprint().as_str().into();
        let token = bound(&app.keys, claims, &cnf).await;
        Held { key, token, now: app.clock.now().seconds().0 }
    }

    /// A proof of this key for that request.
    fn proof(&self, method: &str, url: &str, jti: &str) -> String {
        let mut jwk = json!(self.key.jwk());
        jwk.as_object_mut().unwrap().remove("kid");
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk });
        let ath = base64url::encode(&sha256(self.token.as_bytes()));
        let claims = json!({ "jti": jti, "htm": method, "htu": url, "iat": self.now, "ath": ath });
        self.key.sign(&header, &claims)
    }

    fn dpop(&self) -> String {
        format!("DPoP {}", self.token)
    }

    /// A question of the proxy by that policy.
    fn about(&self, policy: &str, (method, uri): (&str, &str)) -> Builder {
        let mut request = forward_auth::about(policy, (method, uri), &self.token);
        let headers = request.headers_mut().unwrap();
        headers.insert(AUTHORIZATION, self.dpop().parse().unwrap());
        request
    }
}

async fn held(app: &DiskApp) -> Held {
    let claims = app.access_token(&app.token_for(ADA, "").await);
    Held::of(app, &claims).await
}

#[track_caller]
fn assert_refused(answer: &Answer, scheme: &str, error: &str) {
    assert_eq!(answer.status, 401, "{answer:?}");
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.starts_with(scheme) && challenge.contains(&format!("error=\"{error}\"")),
        "{challenge}"
    );
}

async fn call<S: Store + Clone>(app: &TestApp<S>, held: &Held, path: &str, proof: &str) -> Answer {
    let request = Request::get(path).header(AUTHORIZATION, held.dpop()).header("dpop", proof);
    app.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn the_servers_own_api_takes_a_token_with_a_proof_for_the_issuers_url() {
    let app = contract_4_world::app().await;
    let held = held(&app).await;
    let clients = format!("{ISSUER}/clients");
    let proof = held.proof("GET", &clients, "1");
    let answer = call(&app, &held, "/clients", &proof).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_described("get", "/clients", &answer);
    let again = call(&app, &held, "/clients", &proof).await;
    assert_refused(&again, "DPoP realm", "invalid_dpop_proof");
    assert_described("get", "/clients", &again);
    for (jti, method, url) in [
        ("2", "POST", clients.as_str()),
        ("3", "GET", &format!("{ISSUER}/contacts")),
        ("4", "GET", "https://mtls.procura.example/clients"),
        ("5", "GET", "/clients"),
    ] {
        let answer = call(&app, &held, "/clients", &held.proof(method, url, jti)).await;
        assert_refused(&answer, "DPoP realm", "invalid_dpop_proof");
    }
}

#[tokio::test]
async fn who_leaves_the_proof_out_or_changes_the_scheme_gets_nothing() {
    let app = contract_4_world::app().await;
    let held = held(&app).await;
    let proof = held.proof("GET", &format!("{ISSUER}/clients"), "1");
    let bearer = Request::get("/clients")
        .header(AUTHORIZATION, format!("Bearer {}", held.token))
        .header("dpop", &proof)
        .body(Body::empty());
    assert_refused(&app.send(bearer.unwrap()).await, "Bearer realm", "invalid_token");
    let none = Request::get("/clients").header(AUTHORIZATION, held.dpop()).body(Body::empty());
    assert_refused(&app.send(none.unwrap()).await, "DPoP realm", "invalid_dpop_proof");
    let plain = app.token_for(ADA, "").await.text("access_token");
    let plain =
        Request::get("/clients").header(AUTHORIZATION, format!("DPoP {plain}")).header("dpop", &proof);
    assert_refused(&app.send(plain.body(Body::empty()).unwrap()).await, "DPoP realm", "invalid_token");
    assert_eq!(call(&app, &held, "/clients", &proof).await.status, 200);
}

/// The token is looked at once more when the body has come; its proof was used up by then.
#[tokio::test]
async fn a_change_needs_one_proof() {
    let app = contract_4_world::app().await;
    let held = held(&app).await;
    let path = format!("/contacts/{ADA}");
    let patch = |proof: &str| {
        Request::patch(format!("{path}?client_id={ALDER}"))
            .header(AUTHORIZATION, held.dpop())
            .header("dpop", proof)
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(r#"{"city":"Bergen"}"#))
            .unwrap()
    };
    let proof = held.proof("PATCH", &format!("{ISSUER}{path}"), "1");
    let answer = app.send(patch(&proof)).await;
    assert_ne!(answer.status, 401, "{answer:?}");
    assert_refused(&app.send(patch(&proof)).await, "DPoP realm", "invalid_dpop_proof");
    let list = format!("/contacts?client_id={ALDER}");
    let answer = call(&app, &held, &list, &held.proof("GET", &format!("{ISSUER}/contacts"), "2")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn the_servers_own_api_is_also_reached_where_certificates_are_asked_for() {
    let app = contract_4_world::app().await;
    let held = held(&app).await;
    let base = "https://mtls.procura.example";
    let offer = Offer { mutual_tls: Some(base.into()), ..Offer::default() };
    let router = router(app.engine.clone(), Limits::default(), Drain::new(), offer).unwrap();
    for (jti, base, status) in [("1", base, 200), ("2", ISSUER, 200), ("3", "https://other.example", 401)] {
        let request = Request::get("/clients")
            .header(AUTHORIZATION, held.dpop())
            .header("dpop", held.proof("GET", &format!("{base}/clients"), jti));
        let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), status, "{base}");
    }
}

const QUOTES: (&str, &str) = ("GET", "/quotes/EUR?client_id=cli.alder");

#[tokio::test]
async fn a_proxy_lets_a_token_through_with_a_proof_for_the_url_that_the_caller_used() {
    let app = forward_auth::app();
    let held = Held::of(&app, &app.access_token(&app.token().await)).await;
    let ask = |policy: &str, proof: String| {
        let request = held.about(policy, QUOTES).header("dpop", proof);
        let app = &app;
        async move { forward_auth::ask(app, request).await }
    };
    let url = "https://quotes.example/quotes/EUR";
    let proof = held.proof("GET", url, "1");
    forward_auth::assert_let_through(&ask("reached", proof.clone()).await, "cli.alder");
    let again = ask("reached", proof).await;
    assert_refused(&again, "DPoP realm", "invalid_dpop_proof");
    forward_auth::assert_stopped(&again, 401, "");
    let behind = held.proof("GET", "https://other.example/bank/quotes/EUR", "2");
    forward_auth::assert_let_through(&ask("reached", behind).await, "cli.alder");
    for (jti, method, url) in [
        // The question's own method and URL, and what is nearly right.
        ("3", "GET", format!("{ISSUER}/forward-auth/reached").as_str()),
        ("4", "GET", &format!("{ISSUER}/quotes/EUR")),
        ("5", "POST", url),
        ("6", "GET", "https://quotes.example/quotes/USD"),
        ("7", "GET", "http://quotes.example/quotes/EUR"),
        ("8", "GET", "https://other.example/quotes/EUR"),
    ] {
        let answer = ask("reached", held.proof(method, url, jti)).await;
        assert_refused(&answer, "DPoP realm", "invalid_dpop_proof");
    }
}

/// What a proof was used for by one policy of a resource, it is used up for by every other.
#[tokio::test]
async fn a_policy_that_does_not_say_where_callers_are_takes_no_token_of_a_key() {
    let app = forward_auth::app();
    let held = Held::of(&app, &app.access_token(&app.token().await)).await;
    let proof = held.proof("GET", "https://quotes.example/quotes/EUR", "1");
    let answer = forward_auth::ask(&app, held.about("original", QUOTES).header("dpop", &proof)).await;
    assert_refused(&answer, "DPoP realm", "invalid_token");
    let bearer = forward_auth::about("reached", QUOTES, &held.token).header("dpop", &proof);
    assert_refused(&forward_auth::ask(&app, bearer).await, "Bearer realm", "invalid_token");
    let answer = forward_auth::ask(&app, held.about("reached", QUOTES).header("dpop", &proof)).await;
    forward_auth::assert_let_through(&answer, "cli.alder");
}

#[tokio::test]
async fn a_proxy_asks_for_the_certificate_and_the_proof_of_a_token_that_has_both() {
    let app = forward_auth::app();
    let der = b"der of the caller";
    let certificate = json!({ "x5t#S256": PeerCertificate::of_der(der).thumbprint().to_string() });
    let held = Held::with(&app, &app.access_token(&app.token().await), certificate).await;
    let header = |der: &[u8]| {
        use base64::Engine as _;
        format!(":{}:", base64::engine::general_purpose::STANDARD.encode(der))
    };
    let proof = held.proof("GET", "https://quotes.example/quotes/EUR", "1");
    let ask = |certificate: Option<&[u8]>, proof: Option<&str>| {
        let mut request = held.about("reached", QUOTES);
        if let Some(der) = certificate {
            request = request.header("client-cert", header(der));
        }
        if let Some(proof) = proof {
            request = request.header("dpop", proof);
        }
        let app = &app;
        async move { forward_auth::ask(app, request).await }
    };
    assert_refused(&ask(None, Some(&proof)).await, "DPoP realm", "invalid_token");
    assert_refused(&ask(Some(b"another"), Some(&proof)).await, "DPoP realm", "invalid_token");
    assert_refused(&ask(Some(der), None).await, "DPoP realm", "invalid_dpop_proof");
    forward_auth::assert_let_through(&ask(Some(der), Some(&proof)).await, "cli.alder");
}

fn counted(app: &TestApp, place: Place) -> Vec<(&'static str, u64)> {
    app.proofs.refused(place).filter(|(_, count)| *count > 0).collect()
}

#[tokio::test]
async fn what_the_servers_own_guard_refuses_is_counted_as_the_apis_whoever_asked() {
    let app = forward_auth::app();
    let held = Held::of(&app, &app.access_token(&app.token().await)).await;
    let proof = held.proof("GET", &format!("{ISSUER}/clients"), "1");
    for _ in 0..2 {
        call(&app, &held, "/clients", &proof).await;
    }
    let bearer = Request::get("/clients").header(AUTHORIZATION, format!("Bearer {}", held.token));
    app.send(bearer.body(Body::empty()).unwrap()).await;
    assert_eq!(counted(&app, Place::Api), [("replayed", 1), ("bearer", 1)]);
    assert_eq!(app.proofs.remembered(Place::Api), 1);
    let proof = held.proof("GET", "https://quotes.example/quotes/EUR", "2");
    for policy in ["reached", "reached", "original"] {
        forward_auth::ask(&app, held.about(policy, QUOTES).header("dpop", &proof)).await;
    }
    forward_auth::ask(&app, forward_auth::about("reached", QUOTES, &held.token)).await;
    assert_eq!(counted(&app, Place::Api), [("replayed", 2), ("bearer", 2), ("not_taken", 1)]);
    assert_eq!(app.proofs.remembered(Place::Api), 2);
    assert_eq!((counted(&app, Place::ForwardAuth), app.proofs.remembered(Place::ForwardAuth)), (vec![], 0));
}

/// Two policies of the resource have one guard, which is counted once.
#[tokio::test]
async fn what_the_guard_of_another_resource_refuses_is_counted_as_forward_auths() {
    let app = forward_auth::app();
    let mut claims = app.access_token(&app.token().await);
    claims["aud"] = OTHER_RESOURCE.into();
    let held = Held::of(&app, &claims).await;
    let proof = held.proof("GET", "https://payments.example/quotes/EUR", "1");
    for policy in ["other_reached", "other_reached", "other"] {
        forward_auth::ask(&app, held.about(policy, QUOTES).header("dpop", &proof)).await;
    }
    let certificate = json!({ "x5t#S256": PeerCertificate::of_der(b"der").thumbprint().to_string() });
    let plain = Held { token: bound(&app.keys, &claims, &certificate).await, ..held };
    forward_auth::ask(&app, plain.about("other_reached", QUOTES).header("dpop", &proof)).await;
    assert_eq!(counted(&app, Place::ForwardAuth), [("replayed", 1), ("not_bound", 1), ("not_taken", 1)]);
    assert_eq!(app.proofs.remembered(Place::ForwardAuth), 1);
    assert_eq!((counted(&app, Place::Api), app.proofs.remembered(Place::Api)), (vec![], 0));
}
