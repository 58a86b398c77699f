//! Applications that prove themselves by signing, and by certificate alone: what their requests say.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Uri};
use procura_client::{
    Algorithm, Application, ApplicationId, AssertionAudience, AssertionKey, Blame, Error, Issuer, KeyId,
    Page, Procura, Signer, Signing, SigningError, Token, TransportErrorKind,
};
use procura_jose::{Expect, Jwk, Jwks, verify_jwt};
use procura_protocol::about_token::AboutToken;
use procura_protocol::application_auth::CLIENT_ASSERTION_TYPE;
use procura_protocol::contact_token::ContactTokenRequest;
use serde_json::Value;

use crate::fake::{
    APPLICATION, Act, Constant, Fake, ISSUER, START, TestClock, answer, contact, metadata, token,
};

/// A source of bytes that never gives the same twice.
struct Counting(AtomicUsize);

impl procura_client::Random for Counting {
    fn fill(&self, out: &mut [u8]) {
        for byte in out {
            *byte = self.0.fetch_add(1, Ordering::SeqCst) as u8;
        }
    }
}

fn id() -> ApplicationId {
    ApplicationId::parse(APPLICATION).unwrap()
}

fn key(algorithm: Algorithm) -> (Arc<AssertionKey>, Jwks) {
    let (key, _) = AssertionKey::generate(algorithm).unwrap();
    let jwk: Jwk = serde_json::from_str(&key.public_jwk().unwrap()).unwrap();
    (Arc::new(key), Jwks::new([jwk]))
}

fn asserting(signer: Arc<dyn Signer>) -> Application {
    Application::by_assertion(Issuer::parse(ISSUER).unwrap(), &id(), signer)
}

fn procura(fake: &Arc<Fake>, application: Application) -> Procura<Arc<Fake>> {
    Procura::new(application, Arc::clone(fake), TestClock::new(), Arc::new(Counting(AtomicUsize::new(0))))
}

fn verified(assertion: &str, keys: &Jwks, algorithm: Algorithm) -> Value {
    let expect = Expect { typ: "client-authentication+jwt", algorithms: &[algorithm] };
    verify_jwt(assertion, keys, &expect).unwrap().into_claims()
}

/// The assertion of a contact token's request, as the server reads it.
fn in_form(request: &Request<Bytes>) -> String {
    let read = ContactTokenRequest::parse(request.body(), b"").unwrap().credentials;
    assert_eq!(read.client_id.as_deref(), Some(APPLICATION));
    assert_eq!(read.client_assertion_type.as_deref(), Some(CLIENT_ASSERTION_TYPE));
    assert!(read.client_secret.is_none() && !request.headers().contains_key(AUTHORIZATION));
    read.client_assertion.unwrap().expose_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn an_assertion_says_who_asks_whom_until_when_and_nothing_else() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ps256] {
        let (signer, keys) = key(algorithm);
        let fake = Fake::new([token("t")]);
        procura(&fake, asserting(signer)).token_for_contact(&contact("c1")).await.unwrap();
        let claims = verified(&in_form(&fake.request(0)), &keys, algorithm);
        let expected = serde_json::json!({
            "iss": APPLICATION, "sub": APPLICATION, "aud": ISSUER, "jti": "AAECAwQFBgcICQoLDA0ODw",
            "iat": START.0, "exp": START.0 + 60,
        });
        assert_eq!(claims, expected, "{algorithm}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_request_and_every_retry_has_an_assertion_of_its_own() {
    let (signer, keys) = key(Algorithm::Es256);
    let script = [answer(503, &[], ""), Act::Fail(TransportErrorKind::Connection), token("t"), token("u")];
    let fake = Fake::new(script);
    let procura = procura(&fake, asserting(signer));
    for _ in 0..2 {
        procura.token_for_contact(&contact("c1")).await.unwrap();
    }
    let mut ids: Vec<String> = (0..4)
        .map(|number| verified(&in_form(&fake.request(number)), &keys, Algorithm::Es256)["jti"].to_string())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_endpoint_is_named_by_its_url_where_the_server_wants_that() {
    let (signer, keys) = key(Algorithm::EdDsa);
    let list = || answer(200, &[], r#"{"data":[]}"#);
    let fake = Fake::new([token("t"), list(), metadata(), answer(200, &[], "")]);
    let application = asserting(signer).naming(AssertionAudience::Endpoint);
    let procura = procura(&fake, application);
    procura.token_for_contact(&contact("c1")).await.unwrap();
    procura.available_contacts().await.unwrap();
    procura.revoke(&Token::from(String::from("a.b.c"))).await.unwrap();
    let revoked = fake.request(3);
    let about = AboutToken::parse(revoked.body(), b"").unwrap();
    let assertion = about.credentials.client_assertion.unwrap();
    let assertions = [
        in_form(&fake.request(0)),
        in_query(fake.request(1).uri()),
        assertion.expose_str().unwrap().to_owned(),
    ];
    for (assertion, path) in assertions.iter().zip(["/token/c1", "/info/available-contacts", "/revoke"]) {
        let claims = verified(assertion, &keys, Algorithm::EdDsa);
        assert_eq!(claims["aud"], format!("{ISSUER}{path}"));
    }
    assert_eq!(about.token, "a.b.c");
}

/// The assertion in a query, where no secret ever is.
fn in_query(url: &Uri) -> String {
    let query = url.query().unwrap();
    let named = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let mut found = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
        let value = found.next();
        assert!(found.next().is_none(), "{name} twice");
        value
    };
    assert_eq!(named("client_id").as_deref(), Some(APPLICATION));
    assert_eq!(named("client_assertion_type").unwrap().replace("%3A", ":"), CLIENT_ASSERTION_TYPE);
    assert_eq!(named("client_secret"), None);
    named("client_assertion").unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_list_carries_the_assertion_in_its_query_beside_the_page() {
    let (signer, keys) = key(Algorithm::Es256);
    let page = answer(200, &[("x-total-count", "0")], r#"{"data":[]}"#);
    let fake = Fake::new([page]);
    let page = Page { number: 1.try_into().unwrap(), size: 50 };
    procura(&fake, asserting(signer)).available_contacts_page(page).await.unwrap();
    let request = fake.request(0);
    assert!(request.uri().query().unwrap().starts_with("page=1&page_size=50&client_id="));
    verified(&in_query(request.uri()), &keys, Algorithm::Es256);
    assert!(request.body().is_empty() && !request.headers().contains_key(AUTHORIZATION));
}

#[tokio::test(start_paused = true)]
async fn a_key_has_the_name_that_the_server_knows() {
    let (key, _) = AssertionKey::generate(Algorithm::Es256).unwrap();
    let named = key.named("our-key-2").unwrap();
    let jwk: Value = serde_json::from_str(&named.public_jwk().unwrap()).unwrap();
    assert_eq!(jwk["kid"], "our-key-2");
    assert_eq!(jwk.get("d"), None);
    let fake = Fake::new([token("t")]);
    procura(&fake, asserting(Arc::new(named))).token_for_contact(&contact("c1")).await.unwrap();
    let assertion = in_form(&fake.request(0));
    let header = procura_jose::base64url::decode(assertion.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    let expected =
        serde_json::json!({ "alg": "ES256", "kid": "our-key-2", "typ": "client-authentication+jwt" });
    assert_eq!(header, expected);
}

/// A signer far away that can't sign.
struct Broken(KeyId);

impl Signer for Broken {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Es256
    }

    fn kid(&self) -> &KeyId {
        &self.0
    }

    fn sign<'a>(&'a self, _: &'a [u8]) -> Signing<'a> {
        Box::pin(async {
            tokio::task::yield_now().await;
            Err(SigningError::new("the vault is closed"))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_signed_is_told_and_nothing_is_sent() {
    let fake = Fake::new([]);
    let signer = Arc::new(Broken(KeyId::parse("k").unwrap()));
    let error = procura(&fake, asserting(signer)).token_for_contact(&contact("c1")).await.unwrap_err();
    assert!(matches!(&error, Error::Signing(_)), "{error}");
    assert_eq!((error.blame(), fake.requests()), (Blame::Caller, 0));
    assert_eq!(error.to_string(), "what had to be signed could not be signed: the vault is closed");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_not_proved_names_its_application_and_a_second_proof_changes_nothing() {
    let (signer, keys) = key(Algorithm::Es256);
    let application = asserting(signer);
    let request = application.token_request(&contact("c1"), &Default::default());
    assert_eq!(request.body(), &format!("client_id={APPLICATION}"));
    let proved = application.prove(request, START, &Constant(1)).await.unwrap();
    verified(&in_form(&proved), &keys, Algorithm::Es256);
    let again = application.prove(proved.clone(), START, &Constant(2)).await.unwrap();
    assert_eq!(again.body(), proved.body());
}

#[test]
fn neither_application_nor_key_shows_anything_of_the_key() {
    let (key, pkcs8) = AssertionKey::generate(Algorithm::EdDsa).unwrap();
    let key = Arc::new(key);
    let seed = procura_jose::base64url::encode(&pkcs8.expose()[16..48]);
    let printed = format!("{key:?} {:?}", asserting(key.clone()));
    assert!(printed.contains("EdDSA") && !printed.contains(&seed), "{printed}");
}

fn by_certificate() -> Application {
    Application::by_certificate(Issuer::parse(ISSUER).unwrap(), &id())
}

/// Metadata that name another place for certificates.
fn with_aliases(base: &str) -> Act {
    let mut document = serde_json::to_value(procura_protocol::metadata::Metadata::new(ISSUER)).unwrap();
    document["mtls_endpoint_aliases"] = serde_json::json!({
        "contact_token_endpoint": format!("{base}/token/{{contact_id}}"),
        "introspection_endpoint": format!("{base}/introspect"),
        "revocation_endpoint": format!("{base}/revoke"),
    });
    answer(200, &[], document.to_string())
}

#[tokio::test(start_paused = true)]
async fn with_a_certificate_alone_a_request_names_its_application_and_holds_no_proof() {
    let fake = Fake::new([metadata(), token("t"), answer(200, &[], r#"{"data":[]}"#)]);
    let procura = procura(&fake, by_certificate());
    procura.token_for_contact(&contact("c1")).await.unwrap();
    procura.available_contacts().await.unwrap();
    let asked = fake.request(1);
    assert_eq!(asked.body(), &format!("client_id={APPLICATION}"));
    assert_eq!(asked.uri(), format!("{ISSUER}/token/c1").as_str());
    let listed = fake.request(2);
    assert_eq!(listed.uri(), format!("{ISSUER}/info/available-contacts?client_id={APPLICATION}").as_str());
    assert!([asked, listed].iter().all(|request| !request.headers().contains_key(AUTHORIZATION)));
}

#[tokio::test(start_paused = true)]
async fn requests_go_to_where_the_server_asks_for_certificates() {
    let there = "https://token.example:9443";
    let body = || answer(200, &[], "");
    let fake = Fake::new([with_aliases(there), token("t"), answer(200, &[], r#"{"data":[]}"#), body()]);
    let procura = procura(&fake, by_certificate());
    procura.token_for_contact(&contact("c1")).await.unwrap();
    procura.available_contacts().await.unwrap();
    procura.revoke(&Token::from(String::from("a.b.c"))).await.unwrap();
    let urls: Vec<String> = (1..4).map(|number| fake.request(number).uri().to_string()).collect();
    let expected = [
        format!("{there}/token/c1"),
        format!("{there}/info/available-contacts?client_id={APPLICATION}"),
        format!("{there}/revoke"),
    ];
    assert_eq!(urls, expected);
}

#[tokio::test(start_paused = true)]
async fn another_host_gets_nothing_unless_the_caller_names_it() {
    let elsewhere = "https://mtls.example";
    let fake = Fake::new([with_aliases(elsewhere)]);
    let error = procura(&fake, by_certificate()).token_for_contact(&contact("c1")).await.unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    assert_eq!(fake.requests(), 1);

    let named = by_certificate().mutual_tls_at(Issuer::parse(elsewhere).unwrap());
    let fake = Fake::new([token("t"), with_aliases("https://third.example"), answer(200, &[], "")]);
    let procura = procura(&fake, named);
    procura.token_for_contact(&contact("c1")).await.unwrap();
    assert_eq!(fake.request(0).uri(), format!("{elsewhere}/token/c1").as_str());
    assert!(procura.revoke(&Token::from(String::from("a.b.c"))).await.is_ok());
    assert_eq!(fake.request(2).uri(), format!("{elsewhere}/revoke").as_str());
}

#[tokio::test(start_paused = true)]
async fn who_has_no_certificate_does_not_mind_where_they_are_asked_for() {
    let fake = Fake::new([token("t"), with_aliases("https://mtls.example"), answer(200, &[], "")]);
    let procura = procura(&fake, crate::fake::application());
    procura.token_for_contact(&contact("c1")).await.unwrap();
    procura.revoke(&Token::from(String::from("a.b.c"))).await.unwrap();
    assert_eq!(fake.request(2).uri(), format!("{ISSUER}/revoke").as_str());
}

#[tokio::test(start_paused = true)]
async fn a_second_factor_changes_where_requests_go_and_not_what_they_say() {
    let there = "https://token.example:9443";
    let (signer, keys) = key(Algorithm::Es256);
    let fake = Fake::new([with_aliases(there), token("t")]);
    let application = asserting(signer).naming(AssertionAudience::Endpoint).with_certificate();
    procura(&fake, application).token_for_contact(&contact("c1")).await.unwrap();
    let request = fake.request(1);
    assert_eq!(request.uri(), format!("{there}/token/c1").as_str());
    let claims = verified(&in_form(&request), &keys, Algorithm::Es256);
    assert_eq!(claims["aud"], format!("{ISSUER}/token/c1"), "by its name, wherever it is");

    let fake = Fake::new([with_aliases(there), token("t")]);
    let secret = crate::fake::application().with_certificate();
    procura(&fake, secret).token_for_contact(&contact("c1")).await.unwrap();
    let request = fake.request(1);
    assert_eq!(request.uri(), format!("{there}/token/c1").as_str());
    assert!(request.headers().contains_key(AUTHORIZATION) && request.body().is_empty());
}
