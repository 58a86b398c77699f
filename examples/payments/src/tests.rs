use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use procura_guard::{
    Algorithm, Clock, Guard, Jwks, KeySource, MarkSource, MarkSubject, Refetch, ResourceId, Settings,
    SystemRandom, UnixSeconds,
};
use procura_jose::PrivateKey;
use serde_json::{Value, json};
use tower::ServiceExt as _;

const ISSUER: &str = "https://procura.example";
const AUDIENCE: &str = "https://payments.example";
const NOW: i64 = 1_795_402_600;

/// The API behind a guard that knows one key and no network.
struct Api {
    key: PrivateKey,
    app: Router,
}

struct Keys(Arc<Jwks>);

impl KeySource for Keys {
    fn current(&self) -> Option<Arc<Jwks>> {
        Some(Arc::clone(&self.0))
    }

    fn refetch<'a>(&'a self, _: &'a Arc<Jwks>) -> Refetch<'a> {
        Box::pin(std::future::ready(()))
    }
}

struct NoMarks;

impl MarkSource for NoMarks {
    fn generation(&self) -> Option<u64> {
        Some(0)
    }

    fn hits(&self, _: &[MarkSubject], _: u64) -> bool {
        false
    }
}

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> UnixSeconds {
        UnixSeconds(NOW)
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

impl Api {
    fn new() -> Api {
        let (key, _) = PrivateKey::generate(Algorithm::Es256).unwrap();
        let keys = Keys(Arc::new(Jwks::new([key.public_jwk()])));
        let settings = Settings::new(ISSUER, ResourceId::parse(AUDIENCE).unwrap());
        let (keys, marks, clock) = (Arc::new(keys), Arc::new(NoMarks), Arc::new(Stopped));
        let guard = Guard::new(settings, keys, marks, clock, &SystemRandom);
        Api { key, app: crate::app(guard) }
    }

    /// A token of CON1 for these clients; a person's, or a program's.
    fn token(&self, person: bool, mandates: &Value) -> String {
        let mut claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "CON1", "client_id": "app_klapp", "iat": NOW,
            "exp": NOW + 3600, "jti": "xIdfcn1bGJvASnwdEzp18A", "scope": "openid", "dv": 1,
            "mandates": mandates,
        });
        if person {
            claims["auth_time"] = NOW.into();
        } else {
            claims["act"] = json!({ "sub": "app_klapp" });
            claims["acr"] = "urn:procura:acr:unattended".into();
        }
        self.key.sign_compact("at+jwt", claims.to_string().as_bytes()).unwrap()
    }

    /// CLI1 with what programs need, CLI2 to read alone.
    fn program(&self) -> String {
        let permissions = ["can_authorise_payments", "can_manage_payments", "can_trade"];
        self.token(
            false,
            &json!([
                { "clients": ["CLI1", "CLI3"], "permissions": permissions },
                { "clients": ["CLI2"], "permissions": [] },
            ]),
        )
    }

    fn person(&self) -> String {
        self.token(true, &json!([{ "clients": ["CLI1"], "permissions": ["can_authorise_payments"] }]))
    }

    async fn call(&self, token: &str, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json");
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let answer = self.app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        let value = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        (status, value)
    }

    async fn post(&self, token: &str, path: &str, body: Value) -> (u16, Value) {
        let (status, value) = self.call(token, Method::POST, path, body).await;
        (status.as_u16(), value)
    }

    async fn get(&self, token: &str, path: &str) -> (u16, Value) {
        let (status, value) = self.call(token, Method::GET, path, Value::Null).await;
        (status.as_u16(), value)
    }
}

fn dollars(amount: u64) -> Value {
    json!({ "sell": "EUR", "buy": "USD", "sell_amount": amount })
}

#[tokio::test]
async fn a_quote_is_asked_for_paid_and_authorised_by_a_person() {
    let api = Api::new();
    let program = api.program();
    let (status, quote) = api.post(&program, "/quotes?client_id=CLI1", dollars(10_000)).await;
    assert_eq!((status, &quote["buy_amount"]), (201, &json!(11_627)));
    assert_eq!(api.get(&program, "/quotes/1?client_id=CLI1").await, (200, quote));
    let payment = json!({ "quote_id": 1, "beneficiary": "Quinta do Vale Fundo" });
    let (status, made) = api.post(&program, "/payments?client_id=CLI1", payment.clone()).await;
    assert_eq!((status, &made["made_for"], &made["made_by"]), (201, &json!("CON1"), &json!("app_klapp")));
    assert_eq!(api.post(&program, "/payments?client_id=CLI1", payment).await.0, 409);

    let path = "/payments/2/authorise?client_id=CLI1";
    assert_eq!(api.post(&api.person(), path, Value::Null).await.0, 404);
    let path = "/payments/1/authorise?client_id=CLI1";
    let (status, refused) = api.post(&program, path, Value::Null).await;
    assert_eq!((status, &refused["code"]), (403, &json!("person_required")));
    let (status, authorised) = api.post(&api.person(), path, Value::Null).await;
    assert_eq!((status, &authorised["authorised_by"]), (200, &json!("CON1")));
    assert_eq!(api.post(&api.person(), path, Value::Null).await.0, 409);
    let listed = json!({ "data": [authorised] });
    assert_eq!(api.get(&program, "/payments?client_id=CLI1").await, (200, listed));
}

#[tokio::test]
async fn a_record_of_one_client_is_unknown_to_a_call_for_another() {
    let api = Api::new();
    let token = api.program();
    assert_eq!(api.post(&token, "/quotes?client_id=CLI1", dollars(100)).await.0, 201);
    // The same token, which may act for both: the call decides.
    let (status, unknown) = api.get(&token, "/quotes/1?client_id=CLI3").await;
    assert_eq!((status, &unknown["code"]), (404, &json!("not_found")));
    let payment = json!({ "quote_id": 1, "beneficiary": "Ceramika" });
    assert_eq!(api.post(&token, "/payments?client_id=CLI3", payment.clone()).await.0, 404);
    assert_eq!(api.post(&token, "/payments?client_id=CLI1", payment).await.0, 201);
    assert_eq!(api.get(&token, "/payments?client_id=CLI3").await, (200, json!({ "data": [] })));
}

#[tokio::test]
async fn a_handler_is_not_called_for_another_client_or_without_its_permission() {
    let api = Api::new();
    let token = api.program();
    for (path, code) in [
        ("/quotes?client_id=CLI9", "client_not_allowed"),
        ("/quotes", "client_not_allowed"),
        ("/quotes?client_id=CLI2", "insufficient_permission"),
        ("/payments?client_id=CLI2", "insufficient_permission"),
        ("/payments/1/authorise?client_id=CLI2", "insufficient_permission"),
    ] {
        // The body is no JSON that a handler takes: nobody came to read it.
        let (status, refused) = api.post(&token, path, json!("x")).await;
        assert_eq!((status, &refused["code"]), (403, &json!(code)), "{path}");
    }
    assert_eq!(api.get(&token, "/payments?client_id=CLI2").await.0, 200);
}

#[tokio::test]
async fn without_a_token_there_is_nothing_but_the_status() {
    let api = Api::new();
    for path in ["/payments?client_id=CLI1", "/quotes/1?client_id=CLI1", "/nowhere"] {
        assert_eq!(api.get("x.y.z", path).await, (401, Value::Null), "{path}");
    }
    assert_eq!(api.get("x.y.z", "/status").await, (200, json!({})));
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_told_in_json() {
    let api = Api::new();
    let token = api.program();
    for (body, told) in [
        (dollars(0), "sell_amount"),
        (dollars(u64::MAX), "sell_amount"),
        (json!({ "sell": "EUR", "buy": "USD", "sell_amount": 1.5 }), "sell_amount"),
        (json!({ "sell": "EUR", "buy": "EUR", "sell_amount": 1 }), "same currency"),
        (json!({ "sell": "EUR", "buy": "USD", "sell_amount": 1, "client_id": "CLI9" }), "client_id"),
    ] {
        let (status, refused) = api.post(&token, "/quotes?client_id=CLI1", body).await;
        assert!(matches!(status, 400 | 422), "{status}");
        assert_eq!((&refused["code"], &refused["details"]), (&json!("invalid_request"), &json!("")));
        assert!(refused["message"].as_str().unwrap().contains(told), "{refused}");
    }
    let (status, refused) = api.get(&token, "/quotes/one?client_id=CLI1").await;
    assert_eq!((status, &refused["code"]), (400, &json!("invalid_request")));
    let payment = json!({ "quote_id": 1, "beneficiary": "two\nlines" });
    assert_eq!(api.post(&token, "/payments?client_id=CLI1", payment).await.0, 400);
}
