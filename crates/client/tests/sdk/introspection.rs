//! What applications and resources are told about tokens.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use procura_client::{
    Binding, Error, Holder, Introspection, Introspector, Issuer, KeyThumbprint, Presence, ProtocolError,
    Resource, ResourceId, Secret, Token,
};
use serde_json::{Value, json};

use crate::fake::{
    APPLICATION, Act, Constant, Fake, ISSUER, SECRET, START, TestClock, answer, metadata, procura,
};

const BANK: &str = "https://bank.example/api";

fn claims() -> Value {
    json!({
        "active": true, "token_type": "Bearer", "iss": ISSUER, "sub": "c1", "aud": BANK, "iat": START.0,
        "exp": START.0 + 3_600, "jti": "AAAAAAAAAAAAAAAAAAAAAA", "client_id": APPLICATION,
        "scope": "openid can_trade", "act": {"sub": APPLICATION}, "acr": "urn:procura:acr:unattended", "dv": 7,
        "mandates": [{"clients": ["k1"], "permissions": ["can_trade"]}],
    })
}

fn says(claims: &Value) -> Act {
    answer(200, &[], claims.to_string())
}

fn bank(fake: &Arc<Fake>) -> Introspector<Arc<Fake>> {
    let resource = Resource::new(
        Issuer::parse(ISSUER).unwrap(),
        &ResourceId::parse(BANK).unwrap(),
        &Secret::from(String::from(SECRET)),
    );
    Introspector::new(resource, Arc::clone(fake), TestClock::new(), Arc::new(Constant(0)))
}

fn some_token() -> Token {
    Token::from(String::from("a.b.c"))
}

#[tokio::test(start_paused = true)]
async fn an_application_is_told_what_its_token_says() {
    let fake = Fake::new([metadata(), says(&claims())]);
    let asked = procura(&fake).introspect(&some_token()).await.unwrap();
    let token = asked.active().unwrap();
    let Holder::Contact { contact, presence, mandates } = &token.holder else { panic!("of nobody") };
    assert_eq!((contact.as_str(), *presence, mandates.len()), ("c1", Presence::NoPerson, 1));
    assert_eq!((token.issued_at, token.expires_at), (START, START.plus(3_600)));
    assert_eq!((&*token.audience, token.application.as_str()), (BANK, APPLICATION));
    assert_eq!(token.permissions_for("k1").unwrap().to_string(), "can_trade");
    assert_eq!(fake.paths()[1], "/introspect");
    assert_eq!(fake.tokens(), ["a.b.c"]);
}

#[tokio::test(start_paused = true)]
async fn a_resource_introduces_itself_by_its_escaped_uri_and_asks_the_metadata_once() {
    let fake = Fake::new([metadata(), says(&claims()), answer(200, &[], r#"{"active":false}"#)]);
    let bank = bank(&fake);
    assert!(bank.introspect(&some_token()).await.unwrap().active().is_some());
    assert_eq!(bank.introspect(&some_token()).await.unwrap(), Introspection::Inactive);
    assert_eq!(fake.paths()[1..], ["/introspect", "/introspect"]);
    let header = fake.request(1).headers()["authorization"].to_str().unwrap().to_owned();
    let pair = STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap();
    assert_eq!(String::from_utf8(pair).unwrap(), format!("https%3A%2F%2Fbank.example%2Fapi:{SECRET}"));
}

#[tokio::test(start_paused = true)]
async fn a_resource_is_told_what_a_token_is_bound_to_and_gets_no_plain_yes() {
    let key = KeyThumbprint([7; 32]);
    let mut bound = claims();
    (bound["token_type"], bound["cnf"]) = (json!("DPoP"), json!({"jkt": key.to_string()}));
    let fake = Fake::new([metadata(), says(&bound), metadata(), says(&bound)]);
    let asked = bank(&fake).introspect(&some_token()).await.unwrap();
    assert!(matches!(asked, Introspection::ActiveBound(_, Binding::Key(to)) if to == key), "{asked:?}");
    assert!(asked.active().is_none());
    let asked = procura(&fake).introspect(&some_token()).await.unwrap();
    assert_eq!(asked.in_force().unwrap().application.as_str(), APPLICATION);
}

#[tokio::test(start_paused = true)]
async fn an_answer_about_somebody_elses_token_is_not_a_yes() {
    let mut other = claims();
    other["aud"] = json!("https://other.example");
    let fake = Fake::new([metadata(), says(&other)]);
    let error = bank(&fake).introspect(&some_token()).await.unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::Value { name: "aud", .. })), "{error}");

    let mut other = claims();
    (other["client_id"], other["act"]["sub"]) = (json!("app_other"), json!("app_other"));
    let fake = Fake::new([metadata(), says(&other)]);
    let error = procura(&fake).introspect(&some_token()).await.unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::Value { name: "client_id", .. })), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_can_not_answer_is_not_a_yes_and_not_a_no() {
    let failures = (0..3).map(|_| answer(503, &[], ""));
    let fake = Fake::new(std::iter::once(metadata()).chain(failures));
    let error = bank(&fake).introspect(&some_token()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { status: 503, .. }) && error.is_passing(), "{error}");

    let refusal = answer(401, &[], r#"{"error":"invalid_client","error_description":"no"}"#);
    let fake = Fake::new([metadata(), refusal]);
    let error = bank(&fake).introspect(&some_token()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Refused { status: 401, error, .. } if error == "invalid_client"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn debug_output_of_an_introspector_holds_no_secret_and_no_token() {
    let fake = Fake::new([metadata(), says(&claims())]);
    let bank = bank(&fake);
    let asked = bank.introspect(&Token::from(String::from("hunter3"))).await.unwrap();
    let printed = format!("{bank:?} {asked:?} {:?}", bank.resource());
    assert!(!printed.contains("hunter") && !printed.contains(&STANDARD.encode(SECRET)), "{printed}");
}
