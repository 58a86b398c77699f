//! Contact tokens through the standard grants, and an application's own token: what their requests say.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use procura_client::{
    Algorithm, Application, ApplicationId, AssertionKey, ClientId, Door, Error, Issuer, NothingToSignWith,
    Permission, Permissions, Procura, ProtocolError, ResourceId, SystemRandom, TokenOptions, TokenSource,
    TransportErrorKind,
};
use procura_jose::{Expect, Jwk, Jwks, verify_jwt};
use procura_protocol::scope::RequestedScope;
use procura_protocol::token::{Grant, GrantType, TOKEN_TYPE_ACCESS_TOKEN, TokenRequest};
use serde_json::{Value, json};

use crate::fake::{
    APPLICATION, Act, Fake, ISSUER, START, TestClock, answer, application, contact, metadata, refusal,
};

const SIGNED: [(Door, GrantType); 2] =
    [(Door::JwtBearer, GrantType::JwtBearer), (Door::TokenExchange, GrantType::TokenExchange)];

fn id() -> ApplicationId {
    ApplicationId::parse(APPLICATION).unwrap()
}

fn issuer() -> Issuer {
    Issuer::parse(ISSUER).unwrap()
}

fn key() -> (Arc<AssertionKey>, Jwks) {
    let (key, _) = AssertionKey::generate(Algorithm::Es256).unwrap();
    let jwk: Jwk = serde_json::from_str(&key.public_jwk().unwrap()).unwrap();
    (Arc::new(key), Jwks::new([jwk]))
}

fn procura(fake: &Arc<Fake>, application: Application) -> Arc<Procura<Arc<Fake>>> {
    Arc::new(Procura::new(application, Arc::clone(fake), TestClock::new(), Arc::new(SystemRandom)))
}

/// What the token endpoint answers; an exchange says what it gave.
fn granted(text: &str) -> Act {
    let body = json!({
        "access_token": text, "token_type": "Bearer", "expires_in": 3600, "scope": "openid",
        "issued_token_type": TOKEN_TYPE_ACCESS_TOKEN, "id_token": "i.i.i",
    });
    answer(200, &[], body.to_string())
}

/// The assertion that is a request's grant, and by which grant, as the server reads them.
fn grant(request: &Request<Bytes>) -> (GrantType, String) {
    match TokenRequest::parse(request.body(), b"").unwrap().grant {
        Grant::Assertion { by, assertion } => (by, assertion.expose_str().unwrap().to_owned()),
        Grant::Own => panic!("a request for the application itself"),
    }
}

fn verified(assertion: &str, keys: &Jwks, typ: &str) -> Value {
    verify_jwt(assertion, keys, &Expect { typ, algorithms: &[Algorithm::Es256] }).unwrap().into_claims()
}

#[tokio::test(start_paused = true)]
async fn a_grant_says_for_whom_and_nothing_that_could_be_taken_for_a_proof_of_the_application() {
    for (door, by) in SIGNED {
        let (signer, keys) = key();
        let fake = Fake::new([metadata(), granted("t")]);
        let application = application().signing_grants_with(signer).through(door).unwrap();
        let token = procura(&fake, application).token_for_contact(&contact("c1")).await.unwrap();
        assert_eq!(token.access_token.unwrap().expose(), "t");
        assert_eq!(token.expires_in, Some(Duration::from_secs(3_600)));

        let asked = fake.request(1);
        assert_eq!(asked.uri(), format!("{ISSUER}/token").as_str());
        assert!(asked.headers().contains_key(AUTHORIZATION), "the secret proves who asks");
        let (grant_type, assertion) = grant(&asked);
        assert_eq!(grant_type, by);
        let mut claims = verified(&assertion, &keys, "authorization-grant+jwt");
        let jti = claims["jti"].take();
        assert_eq!(jti.as_str().unwrap().len(), 22);
        let expected = json!({
            "iss": APPLICATION, "sub": "c1", "aud": ISSUER, "jti": null, "iat": START.0, "exp": START.0 + 60,
        });
        assert_eq!(claims, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn every_try_has_a_grant_of_its_own() {
    for (door, _) in SIGNED {
        let (signer, keys) = key();
        let broken = [answer(503, &[], ""), Act::Fail(TransportErrorKind::Connection)];
        let fake = Fake::new([metadata()].into_iter().chain(broken).chain([granted("t"), granted("u")]));
        let application = application().signing_grants_with(signer).through(door).unwrap();
        let procura = procura(&fake, application);
        for _ in 0..2 {
            procura.token_for_contact(&contact("c1")).await.unwrap();
        }
        let name = |number| {
            let (_, assertion) = grant(&fake.request(number));
            verified(&assertion, &keys, "authorization-grant+jwt")["jti"].to_string()
        };
        let mut names: Vec<String> = (1..5).map(name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn one_key_signs_in_and_grants_by_two_jwts() {
    let (signer, keys) = key();
    let fake = Fake::new([metadata(), granted("t")]);
    let application = Application::by_assertion(issuer(), &id(), signer).through(Door::JwtBearer).unwrap();
    procura(&fake, application).token_for_contact(&contact("c1")).await.unwrap();
    let asked = fake.request(1);
    let read = TokenRequest::parse(asked.body(), b"").unwrap().asked.credentials;
    assert_eq!(read.client_id.as_deref(), Some(APPLICATION));
    let proof = read.client_assertion.unwrap();
    let claims = verified(proof.expose_str().unwrap(), &keys, "client-authentication+jwt");
    let granted = verified(&grant(&asked).1, &keys, "authorization-grant+jwt");
    assert_eq!((&claims["sub"], &granted["sub"]), (&json!(APPLICATION), &json!("c1")));
    assert_ne!(claims["jti"], granted["jti"]);
}

#[tokio::test(start_paused = true)]
async fn another_key_may_sign_grants_than_signs_in() {
    let ((own, keys), (other, other_keys)) = (key(), key());
    let fake = Fake::new([metadata(), granted("t")]);
    let application = Application::by_assertion(issuer(), &id(), own).signing_grants_with(other);
    let application = application.through(Door::TokenExchange).unwrap();
    procura(&fake, application).token_for_contact(&contact("c1")).await.unwrap();
    let asked = fake.request(1);
    verified(&grant(&asked).1, &other_keys, "authorization-grant+jwt");
    let read = TokenRequest::parse(asked.body(), b"").unwrap().asked.credentials;
    let proof = read.client_assertion.unwrap();
    verified(proof.expose_str().unwrap(), &keys, "client-authentication+jwt");
}

#[test]
fn a_door_that_is_signed_for_is_shut_without_a_key() {
    let by_certificate = || Application::by_certificate(issuer(), &id());
    for (door, _) in SIGNED {
        assert_eq!(application().through(door).map(|_| ()), Err(NothingToSignWith));
        assert_eq!(by_certificate().through(door).map(|_| ()), Err(NothingToSignWith));
        assert!(by_certificate().signing_grants_with(key().0).through(door).is_ok());
        assert!(Application::by_assertion(issuer(), &id(), key().0).through(door).is_ok());
    }
    assert_eq!(application().through(Door::ContactToken).unwrap().door(), Door::ContactToken);
}

#[tokio::test(start_paused = true)]
async fn options_narrow_at_every_door_and_an_exchange_asks_for_the_id_token() {
    let narrowed = TokenOptions::default()
        .only_permissions(Permissions::NONE.with(Permission::Trade))
        .unwrap()
        .only_clients([ClientId::parse("k1").unwrap()])
        .unwrap()
        .for_resource(ResourceId::parse("https://api.example/a").unwrap());
    for (door, _) in SIGNED {
        let fake = Fake::new([metadata(), granted("t"), granted("t")]);
        let application = application().signing_grants_with(key().0).through(door).unwrap();
        let procura = procura(&fake, application);
        procura.token_for_contact_with(&contact("c1"), &narrowed).await.unwrap();
        procura.token_for_contact(&contact("c1")).await.unwrap();
        let (first, second) = (fake.request(1), fake.request(2));
        let asked = TokenRequest::parse(first.body(), b"").unwrap().asked;
        assert_eq!(asked.clients.unwrap(), [ClientId::parse("k1").unwrap()]);
        assert_eq!(asked.resource.unwrap().as_str(), "https://api.example/a");
        let scope = asked.scope.unwrap();
        assert_eq!(scope.permissions(), Some(Permissions::NONE.with(Permission::Trade)));
        assert!(scope.openid());
        let asked = TokenRequest::parse(second.body(), b"").unwrap().asked;
        let openid = asked.scope.map(RequestedScope::openid);
        assert_eq!(openid, (door == Door::TokenExchange).then_some(true));
        assert!(asked.clients.is_none() && asked.resource.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_gives_something_else_is_refused() {
    let of = |kind: Value| {
        let body = json!({
            "access_token": "t", "token_type": "Bearer", "expires_in": 60, "issued_token_type": kind,
        });
        answer(200, &[], body.to_string())
    };
    let refresh = "urn:ietf:params:oauth:token-type:refresh_token";
    for kind in [json!(refresh), json!(null), json!("")] {
        let fake = Fake::new([metadata(), of(kind)]);
        let application = application().signing_grants_with(key().0).through(Door::TokenExchange).unwrap();
        let error = procura(&fake, application).token_for_contact(&contact("c1")).await.unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_application_asks_for_itself_by_its_credentials_alone() {
    let own = || {
        answer(200, &[], json!({"access_token": "t", "token_type": "Bearer", "expires_in": 60}).to_string())
    };
    let fake = Fake::new([metadata(), own(), own()]);
    let procura = procura(&fake, application());
    let token = procura.own_token(None).await.unwrap();
    assert!(token.id_token.is_none() && token.authorization().is_some());
    assert_eq!(fake.request(1).body(), "grant_type=client_credentials");
    assert_eq!(fake.request(1).uri(), format!("{ISSUER}/token").as_str());
    let resource = ResourceId::parse("https://api.example/a").unwrap();
    procura.own_token(Some(&resource)).await.unwrap();
    let body = "grant_type=client_credentials&resource=https%3A%2F%2Fapi.example%2Fa";
    assert_eq!(fake.request(2).body(), body);
    assert!(fake.request(2).headers().contains_key(AUTHORIZATION));
}

fn with_token_endpoint(endpoint: Option<&str>, alias: Option<&str>) -> Act {
    let mut document = serde_json::to_value(procura_protocol::metadata::Metadata::new(ISSUER)).unwrap();
    document["token_endpoint"] = json!(endpoint);
    document["mtls_endpoint_aliases"] = json!({ "token_endpoint": alias });
    answer(200, &[], document.to_string())
}

#[tokio::test(start_paused = true)]
async fn the_token_endpoint_is_where_the_metadata_say_and_its_alias_for_certificates_alone() {
    let (plain, alias) = ("https://token.example/oauth/token", "https://token.example:9443/token");
    for (with_certificate, there) in [(false, plain), (true, alias)] {
        let fake = Fake::new([with_token_endpoint(Some(plain), Some(alias)), granted("t"), granted("own")]);
        let application = application().signing_grants_with(key().0).through(Door::JwtBearer).unwrap();
        let application = if with_certificate { application.with_certificate() } else { application };
        let procura = procura(&fake, application);
        procura.token_for_contact(&contact("c1")).await.unwrap();
        procura.own_token(None).await.unwrap();
        assert_eq!(
            (fake.request(1).uri(), fake.request(2).uri()),
            (&there.parse().unwrap(), &there.parse().unwrap())
        );
    }
    let fake = Fake::new([metadata(), granted("t")]);
    let elsewhere = application().mutual_tls_at(Issuer::parse("https://mtls.example").unwrap());
    procura(&fake, elsewhere).own_token(None).await.unwrap();
    assert_eq!(fake.request(1).uri(), "https://mtls.example/token");
}

#[tokio::test(start_paused = true)]
async fn a_server_without_the_grants_or_with_them_elsewhere_gets_nothing() {
    for (endpoint, alias) in [
        (None, None),
        (Some("https://evil.example/token"), None),
        (Some("http://token.example/token"), None),
        (Some("https://token.example/token"), Some("https://evil.example/token")),
    ] {
        let fake = Fake::new([with_token_endpoint(endpoint, alias)]);
        let application = application().with_certificate().signing_grants_with(key().0);
        let procura = procura(&fake, application.through(Door::JwtBearer).unwrap());
        let error = procura.token_for_contact(&contact("c1")).await.unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{error}");
        let error = procura.own_token(None).await.unwrap_err();
        assert!(
            matches!(error, Error::Protocol(ProtocolError::Missing(_) | ProtocolError::Value { .. })),
            "{error}"
        );
        assert_eq!(fake.requests(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_keeps_tokens_of_any_door() {
    for (door, _) in SIGNED {
        let fake = Fake::new([metadata(), granted("t"), refusal()]);
        let application = application().signing_grants_with(key().0).through(door).unwrap();
        let source = TokenSource::new(procura(&fake, application));
        for _ in 0..3 {
            let token = source.token_for_contact(&contact("c1")).await.unwrap();
            assert_eq!(token.access_token.as_ref().unwrap().expose(), "t");
        }
        let error = source.token_for_contact(&contact("c2")).await.unwrap_err();
        assert!(matches!(&error, Error::Refused { error, .. } if error == "invalid_grant"), "{error}");
        assert_eq!(fake.requests(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_not_the_servers_is_told_to_those_who_sign() {
    let refused = || {
        let date = ("Date", "Sun, 17 Mar 2030 17:47:00 GMT"); // 20 s after START
        answer(400, &[date], r#"{"error":"invalid_grant","error_description":"No."}"#)
    };
    let fake = Fake::new([metadata(), refused()]);
    let signing = application().signing_grants_with(key().0).through(Door::JwtBearer).unwrap();
    let error = procura(&fake, signing).token_for_contact(&contact("c1")).await.unwrap_err();
    assert!(error.to_string().ends_with("No. (this machine's clock is 20 s behind the server's)"), "{error}");

    let fake = Fake::new([refused()]);
    let error = procura(&fake, application()).token_for_contact(&contact("c1")).await.unwrap_err();
    assert!(error.to_string().ends_with("No."), "{error}");
}
