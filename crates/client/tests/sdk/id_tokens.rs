//! Which ID tokens are believed, and how often the keys are fetched.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use procura_client::{
    ApplicationId, CLOCK_SKEW, Error, ExpectedIdToken, IdTokenError, Issuer, Jwks, JwtError,
    PostTokenForContactResponse, ProtocolError, verify_id_token,
};
use procura_jose::{Algorithm, PrivateKey};
use serde_json::{Value, json};
use tokio::time::advance;

use crate::fake::{APPLICATION, Act, Fake, ISSUER, START, answer, contact, procura};

static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(Algorithm::Es256).unwrap().0);
static OTHER_KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(Algorithm::EdDsa).unwrap().0);

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "c1", "aud": APPLICATION, "iat": START.0, "exp": START.0 + 3_600,
        "jti": "AAAAAAAAAAAAAAAAAAAAAA", "act": {"sub": APPLICATION}, "acr": "urn:procura:acr:unattended",
        "clients": [{"client_id": "k1", "client_name": "Łódź"}, {"client_id": "k2", "client_name": "Two"}],
    })
}

fn with(member: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[member] = value;
    claims
}

fn signed(key: &PrivateKey, claims: &Value) -> String {
    key.sign_compact("JWT", claims.to_string().as_bytes()).unwrap()
}

fn keys<'a>(keys: impl IntoIterator<Item = &'a PrivateKey>) -> Jwks {
    Jwks::new(keys.into_iter().map(PrivateKey::public_jwk))
}

fn verify(token: &str) -> Result<procura_client::VerifiedIdToken, IdTokenError> {
    let expected = ExpectedIdToken {
        issuer: &Issuer::parse(ISSUER).unwrap(),
        application: &ApplicationId::parse(APPLICATION).unwrap(),
        contact: &contact("c1"),
        now: START,
    };
    verify_id_token(token, &keys([&*KEY]), &expected)
}

fn why(claims: &Value) -> IdTokenError {
    verify(&signed(&KEY, claims)).unwrap_err()
}

#[test]
fn a_good_token_tells_contact_application_clients_and_times() {
    let token = verify(&signed(&KEY, &claims())).unwrap();
    assert_eq!(token.contact, contact("c1"));
    assert_eq!(token.application.as_str(), APPLICATION);
    let clients: Vec<_> = token.clients.iter().map(|c| (c.id.as_str(), c.name.as_str())).collect();
    assert_eq!(clients, [("k1", "Łódź"), ("k2", "Two")]);
    assert_eq!((token.issued_at, token.expires_at), (START, START.plus(3_600)));
    assert_eq!(token.token_id, "AAAAAAAAAAAAAAAAAAAAAA");
}

#[test]
fn every_claim_is_checked() {
    assert!(matches!(why(&with("iss", json!("https://token.example/"))), IdTokenError::Issuer));
    assert!(matches!(why(&with("aud", json!("app_other"))), IdTokenError::Audience));
    assert!(matches!(why(&with("sub", json!("c2"))), IdTokenError::Contact));
    assert!(matches!(why(&with("act", json!({"sub": "app_other"}))), IdTokenError::Actor));
    assert!(matches!(why(&with("acr", json!("urn:procura:acr:pwd"))), IdTokenError::Authentication));
    assert!(matches!(why(&with("clients", json!([]))), IdTokenError::NoClients));
}

#[test]
fn a_claim_of_another_shape_or_none_is_refused() {
    for (member, value) in [
        ("aud", json!([APPLICATION])),
        ("sub", json!("app_partner")),
        ("exp", json!("1900003600")),
        ("act", json!(null)),
        ("clients", json!(["k1"])),
    ] {
        let error = why(&with(member, value));
        assert!(matches!(error, IdTokenError::Jwt(JwtError::ClaimsShape)), "{member}: {error}");
    }
    for member in ["iss", "sub", "aud", "iat", "exp", "jti", "act", "acr", "clients"] {
        let mut less = claims();
        less.as_object_mut().unwrap().remove(member);
        assert!(matches!(why(&less), IdTokenError::Jwt(JwtError::ClaimsShape)), "{member}");
    }
}

#[test]
fn a_token_is_in_force_from_iat_to_exp_give_or_take_the_skew() {
    let at = |iat: i64, exp: i64| {
        let mut claims = with("iat", json!(START.0.saturating_add(iat)));
        claims["exp"] = json!(START.0.saturating_add(exp));
        verify(&signed(&KEY, &claims))
    };
    assert!(at(CLOCK_SKEW, 3_600).is_ok());
    assert!(matches!(at(CLOCK_SKEW + 1, 3_600), Err(IdTokenError::Future(_))));
    assert!(at(-3_600, 1 - CLOCK_SKEW).is_ok());
    assert!(matches!(at(-3_600, -CLOCK_SKEW), Err(IdTokenError::Expired(_))));
    assert!(at(i64::MIN, i64::MAX).is_ok(), "numbers at the edge do not overflow");
}

#[test]
fn another_key_type_or_token_type_is_refused() {
    let foreign = verify(&signed(&OTHER_KEY, &claims())).unwrap_err();
    assert!(matches!(foreign, IdTokenError::Jwt(JwtError::KidUnknown)), "{foreign}");
    let access = KEY.sign_compact("at+jwt", claims().to_string().as_bytes()).unwrap();
    assert!(matches!(verify(&access), Err(IdTokenError::Jwt(JwtError::Type))));
    let mut altered = signed(&KEY, &claims());
    let last = if altered.pop() == Some('A') { 'Q' } else { 'A' };
    altered.push(last);
    assert!(matches!(verify(&altered), Err(IdTokenError::Jwt(_))));
}

#[test]
fn every_algorithm_of_the_server_is_accepted() {
    for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa] {
        let (key, _) = PrivateKey::generate(algorithm).unwrap();
        let issuer = Issuer::parse(ISSUER).unwrap();
        let application = ApplicationId::parse(APPLICATION).unwrap();
        let expected = ExpectedIdToken {
            issuer: &issuer,
            application: &application,
            contact: &contact("c1"),
            now: START,
        };
        let verdict = verify_id_token(&signed(&key, &claims()), &keys([&key]), &expected);
        assert!(verdict.is_ok(), "{algorithm}: {verdict:?}");
    }
}

fn metadata() -> Act {
    let document = json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/jwks")});
    answer(200, &[], document.to_string())
}

fn jwks<'a>(set: impl IntoIterator<Item = &'a PrivateKey>) -> Act {
    answer(200, &[], serde_json::to_string(&keys(set)).unwrap())
}

fn response(key: &PrivateKey) -> PostTokenForContactResponse {
    PostTokenForContactResponse { id_token: Some(signed(key, &claims()).into()), ..Default::default() }
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_once_for_many_at_once_and_kept_for_five_minutes() {
    let fake = Fake::slow(Duration::from_millis(50), [metadata(), jwks([&*KEY])]);
    let procura = procura(&fake);
    let askers: Vec<_> = (0..16)
        .map(|_| {
            let procura = Arc::clone(&procura);
            tokio::spawn(async move { procura.verify_id_token(&response(&KEY), &contact("c1")).await })
        })
        .collect();
    for asker in askers {
        asker.await.unwrap().unwrap();
    }
    assert_eq!(fake.paths(), ["/.well-known/oauth-authorization-server", "/jwks"]);

    advance(Duration::from_secs(299)).await;
    procura.verify_id_token(&response(&KEY), &contact("c1")).await.unwrap();
    assert_eq!(fake.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn many_at_once_share_a_failed_fetch_and_the_next_tries_again() {
    let failures = (0..3).map(|_| answer(503, &[], ""));
    let fake = Fake::slow(Duration::from_millis(50), failures);
    let procura = procura(&fake);
    let askers: Vec<_> = (0..16)
        .map(|_| {
            let procura = Arc::clone(&procura);
            tokio::spawn(async move { procura.verify_id_token(&response(&KEY), &contact("c1")).await })
        })
        .collect();
    for asker in askers {
        assert!(matches!(asker.await.unwrap(), Err(Error::Unavailable { status: 503, .. })));
    }
    assert_eq!(fake.requests(), 3);

    fake.then(metadata());
    fake.then(jwks([&*KEY]));
    procura.verify_id_token(&response(&KEY), &contact("c1")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_key_is_believed_for_five_minutes_at_most() {
    let fake = Fake::new([metadata(), jwks([&*KEY]), metadata(), jwks([&*OTHER_KEY])]);
    let procura = procura(&fake);
    procura.verify_id_token(&response(&KEY), &contact("c1")).await.unwrap();
    advance(Duration::from_secs(300)).await;
    let error = procura.verify_id_token(&response(&KEY), &contact("c1")).await.unwrap_err();
    assert!(matches!(error, Error::IdToken(IdTokenError::Jwt(JwtError::KidUnknown))), "{error}");
    assert_eq!(fake.requests(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_key_unknown_to_the_kept_set_is_looked_for_in_a_new_one() {
    let fake = Fake::new([metadata(), jwks([&*KEY]), metadata(), jwks([&*KEY, &*OTHER_KEY])]);
    let procura = procura(&fake);
    procura.verify_id_token(&response(&KEY), &contact("c1")).await.unwrap();
    procura.verify_id_token(&response(&OTHER_KEY), &contact("c1")).await.unwrap();
    procura.verify_id_token(&response(&KEY), &contact("c1")).await.unwrap();
    assert_eq!(fake.requests(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_stays_unknown_is_an_error_and_not_a_loop() {
    let fake = Fake::new([metadata(), jwks([&*KEY]), metadata(), jwks([&*KEY])]);
    let procura = procura(&fake);
    for requests in [2, 4] {
        let error = procura.verify_id_token(&response(&OTHER_KEY), &contact("c1")).await.unwrap_err();
        assert!(matches!(error, Error::IdToken(IdTokenError::Jwt(JwtError::KidUnknown))), "{error}");
        assert_eq!(fake.requests(), requests, "a set that was just fetched is not fetched again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_token_does_not_fetch_keys_again() {
    let fake = Fake::new([metadata(), jwks([&*KEY])]);
    let error = procura(&fake).verify_id_token(&response(&KEY), &contact("c2")).await.unwrap_err();
    assert!(matches!(error, Error::IdToken(IdTokenError::Contact)), "{error}");
    assert_eq!(fake.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn keys_of_another_issuer_are_not_taken() {
    let document = json!({"issuer": "https://evil.example", "jwks_uri": "https://evil.example/jwks"});
    let fake = Fake::new([answer(200, &[], document.to_string())]);
    let error = procura(&fake).verify_id_token(&response(&KEY), &contact("c1")).await.unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::Issuer { .. })), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_response_without_an_id_token_is_told_so_without_asking_anybody() {
    let fake = Fake::new([]);
    let nothing = PostTokenForContactResponse::default();
    let error = procura(&fake).verify_id_token(&nothing, &contact("c1")).await.unwrap_err();
    assert!(matches!(error, Error::IdToken(IdTokenError::Missing)), "{error}");
}
