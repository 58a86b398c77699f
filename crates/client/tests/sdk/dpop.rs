//! Tokens that are bound to a key: what is proved to whom, and with which nonce.

use std::sync::Arc;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Response};
use procura_client::{
    Algorithm, Api, Application, AssertionKey, Blame, ClientId, ContactUpdate, Door, DpopKey, Error,
    Permission, Procura, ProtocolError, SystemRandom, Token, TokenSource,
};
use procura_jose::digest::sha256;
use procura_jose::{Expect, verify_self_signed};
use procura_protocol::dpop::{DPOP_ALGORITHMS, DPOP_TYPE, DpopClaims, DpopTerms};
use procura_protocol::target_uri::TargetUri;
use procura_protocol::token::TOKEN_TYPE_ACCESS_TOKEN;
use serde_json::json;

use crate::fake::{Act, Fake, ISSUER, START, TestClock, answer, application, contact, metadata, token};

const DOORS: [Door; 3] = [Door::ContactToken, Door::JwtBearer, Door::TokenExchange];

fn key() -> DpopKey {
    DpopKey::generate(Algorithm::Es256).unwrap().0
}

fn through(door: Door) -> Application {
    let (signer, _) = AssertionKey::generate(Algorithm::EdDsa).unwrap();
    application().signing_grants_with(Arc::new(signer)).through(door).unwrap()
}

fn procura(fake: &Arc<Fake>, application: Application) -> Arc<Procura<Arc<Fake>>> {
    Arc::new(Procura::new(application, Arc::clone(fake), TestClock::new(), Arc::new(SystemRandom)))
}

fn bound_with(text: &str, headers: &[(&str, &str)]) -> Act {
    let body = json!({
        "access_token": text, "token_type": "DPoP", "expires_in": 3600, "id_token": "i.i.i",
        "issued_token_type": TOKEN_TYPE_ACCESS_TOKEN,
    });
    answer(200, headers, body.to_string())
}

fn bound(text: &str) -> Act {
    bound_with(text, &[])
}

fn wants_nonce(nonce: &str) -> Act {
    let body = r#"{"error":"use_dpop_nonce","error_description":"Put the nonce into the proof."}"#;
    answer(400, &[("DPoP-Nonce", nonce)], body)
}

fn api_wants_nonce(nonce: &str) -> Act {
    let challenge = r#"DPoP error="use_dpop_nonce", algs="ES256 PS256 EdDSA""#;
    answer(401, &[("WWW-Authenticate", challenge), ("DPoP-Nonce", nonce)], "")
}

fn clients() -> Act {
    answer(200, &[], r#"[{"client_id":"k1","client_name":"One","brand_name":"B","status":"Active"}]"#)
}

/// The proof of a request, which must hold for it and, at a resource, for its token.
fn proved<B>(request: &Request<B>, key: &DpopKey, token: Option<&str>) -> DpopClaims {
    let proofs: Vec<_> = request.headers().get_all("dpop").iter().collect();
    let [proof] = proofs[..] else { panic!("{} proofs", proofs.len()) };
    let expect = Expect { typ: DPOP_TYPE, algorithms: &DPOP_ALGORITHMS };
    let read = verify_self_signed::<DpopClaims>(proof.to_str().unwrap(), &expect).unwrap();
    assert_eq!(read.key().to_string(), key.thumbprint().as_str());
    let targets = [TargetUri::parse(&request.uri().to_string()).unwrap()];
    let terms = DpopTerms {
        method: request.method().as_str(),
        targets: &targets,
        now: START,
        token: token.map(|token| sha256(token.as_bytes())),
    };
    assert_eq!(read.claims().check(&terms), Ok(()));
    assert_eq!(read.claims().token.is_some(), token.is_some());
    read.claims().clone()
}

fn nonce_of(claims: &DpopClaims) -> Option<&str> {
    claims.nonce.as_deref()
}

#[tokio::test(start_paused = true)]
async fn every_door_is_asked_with_a_proof_of_that_request() {
    for door in DOORS {
        let key = key();
        let script = if door == Door::ContactToken { vec![] } else { vec![metadata()] };
        let fake = Fake::new(script.into_iter().chain([bound("t")]));
        let procura = procura(&fake, through(door).with_proof_key(key.clone()));
        let token = procura.token_for_contact(&contact("c1")).await.unwrap();
        assert_eq!(token.authorization().unwrap(), "DPoP t");
        let claims = proved(&fake.request(fake.requests() - 1), &key, None);
        assert_eq!(nonce_of(&claims), None);
    }
    let (key, fake) = (key(), Fake::new([metadata(), bound("own")]));
    procura(&fake, application().with_proof_key(key.clone())).own_token(None).await.unwrap();
    proved(&fake.request(1), &key, None);
}

#[tokio::test(start_paused = true)]
async fn what_gives_no_token_is_asked_without_a_proof() {
    let fake = Fake::new([answer(200, &[], r#"{"data":[]}"#), metadata(), answer(200, &[], "")]);
    let procura = procura(&fake, application().with_proof_key(key()));
    procura.available_contacts().await.unwrap();
    procura.revoke(&Token::from(String::from("a.b.c"))).await.unwrap();
    for number in 0..3 {
        assert!(!fake.request(number).headers().contains_key("dpop"), "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_wants_its_nonce_is_asked_once_more_with_it_and_from_then_on() {
    for door in DOORS {
        let key = key();
        let first = if door == Door::ContactToken { vec![] } else { vec![metadata()] };
        let at = first.len();
        let script = [wants_nonce("n1"), bound_with("t", &[("DPoP-Nonce", "n2")]), bound("u")];
        let fake = Fake::new(first.into_iter().chain(script));
        let procura = procura(&fake, through(door).with_proof_key(key.clone()));
        procura.token_for_contact(&contact("c1")).await.unwrap();
        procura.token_for_contact(&contact("c2")).await.unwrap();
        let proofs: Vec<_> = (at..at + 3).map(|number| proved(&fake.request(number), &key, None)).collect();
        let nonces: Vec<_> = proofs.iter().map(nonce_of).collect();
        assert_eq!(nonces, [None, Some("n1"), Some("n2")]);
        assert!(proofs[0].id != proofs[1].id, "a proof is used once");
        if door != Door::ContactToken {
            assert_ne!(fake.request(at).body(), fake.request(at + 1).body(), "and so is a grant");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_has_enough_nonces_is_not_asked_for_ever() {
    let fake = Fake::new([wants_nonce("n1"), wants_nonce("n2"), bound("t")]);
    let key = key();
    let procura = procura(&fake, application().with_proof_key(key.clone()));
    let error = procura.token_for_contact(&contact("c1")).await.unwrap_err();
    assert!(matches!(&error, Error::Refused { error, .. } if error == "use_dpop_nonce"), "{error}");
    assert_eq!((fake.requests(), error.blame()), (2, Blame::Caller));
    procura.token_for_contact(&contact("c1")).await.unwrap();
    assert_eq!(nonce_of(&proved(&fake.request(2), &key, None)), Some("n2"), "the last one counts");
}

#[tokio::test(start_paused = true)]
async fn any_other_refusal_of_a_proof_is_told_and_not_repeated() {
    for (status, body, nonce) in [
        (400, r#"{"error":"invalid_dpop_proof","error_description":"x"}"#, Some("n")),
        (400, r#"{"error":"use_dpop_nonce"}"#, None),
        (400, r#"{"error":"use_dpop_nonce"}"#, Some("not a nonce")),
        (401, r#"{"error":"use_dpop_nonce"}"#, Some("n")),
    ] {
        let headers: Vec<_> = nonce.iter().map(|nonce| ("DPoP-Nonce", *nonce)).collect();
        let fake = Fake::new([answer(status, &headers, body)]);
        let procura = procura(&fake, application().with_proof_key(key()));
        assert!(procura.token_for_contact(&contact("c1")).await.is_err());
        assert_eq!(fake.requests(), 1, "{body}");
    }
    let fake = Fake::new([wants_nonce("n")]);
    assert!(procura(&fake, application()).token_for_contact(&contact("c1")).await.is_err());
    assert_eq!(fake.requests(), 1, "who proves nothing needs no nonce");
}

#[tokio::test(start_paused = true)]
async fn a_token_of_the_wrong_type_is_not_taken() {
    for (application, given) in
        [(application().with_proof_key(key()), token("t")), (application(), bound("t"))]
    {
        let fake = Fake::new([given]);
        let error = procura(&fake, application).token_for_contact(&contact("c1")).await.unwrap_err();
        assert!(matches!(error, Error::Protocol(ProtocolError::Value { name: "token_type", .. })), "{error}");
    }
    let fake = Fake::new([metadata(), token("t")]);
    let error = procura(&fake, application().with_proof_key(key())).own_token(None).await.unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::Value { name: "token_type", .. })), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_proof_names_the_address_that_the_request_goes_to() {
    let mut document = serde_json::to_value(procura_protocol::metadata::Metadata::new(ISSUER)).unwrap();
    let there = "https://token.example:9443";
    document["mtls_endpoint_aliases"] = json!({
        "token_endpoint": format!("{there}/token"),
        "contact_token_endpoint": format!("{there}/token/{{contact_id}}"),
    });
    for door in DOORS {
        let key = key();
        let fake = Fake::new([answer(200, &[], document.to_string()), bound("t")]);
        let application = through(door).with_certificate().with_proof_key(key.clone());
        procura(&fake, application).token_for_contact(&contact("c1")).await.unwrap();
        let claims = proved(&fake.request(1), &key, None);
        assert!(claims.target.starts_with(there), "{}", claims.target);
    }
}

fn api(fake: &Arc<Fake>, key: &DpopKey) -> Api<Arc<Fake>> {
    let procura = procura(fake, application().with_proof_key(key.clone()));
    Api::new(TokenSource::new(procura), contact("c1"))
}

#[tokio::test(start_paused = true)]
async fn a_call_brings_the_token_and_a_proof_of_both() {
    let (key, changed) = (key(), || answer(204, &[], ""));
    let fake = Fake::new([bound("t"), clients(), changed()]);
    let api = api(&fake, &key);
    api.clients().await.unwrap();
    let update = ContactUpdate::new().permission(Permission::Trade, true);
    api.update_contact(&ClientId::parse("k1").unwrap(), &contact("c2"), &update, None).await.unwrap();
    for number in 1..3 {
        let request = fake.request(number);
        assert_eq!(request.headers()[AUTHORIZATION], "DPoP t");
        proved(&request, &key, Some("t"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_that_wants_its_nonce_gets_it_and_a_change_is_made_once() {
    let (key, changed) = (key(), || answer(204, &[("DPoP-Nonce", "a2")], ""));
    let script = [wants_nonce("s1"), bound("t"), api_wants_nonce("a1"), changed(), clients(), bound("u")];
    let fake = Fake::new(script);
    let source = TokenSource::new(procura(&fake, application().with_proof_key(key.clone())));
    let api = Api::new(source.clone(), contact("c1"));
    let update = ContactUpdate::new().permission(Permission::Trade, true);
    let client = ClientId::parse("k1").unwrap();
    api.update_contact(&client, &contact("c2"), &update, None).await.unwrap();
    assert_eq!(fake.request(2).body(), fake.request(3).body());
    api.clients().await.unwrap();
    let nonces: Vec<_> =
        (2..5).map(|number| proved(&fake.request(number), &key, Some("t")).nonce.map(String::from)).collect();
    assert_eq!(nonces, [None, Some("a1".to_owned()), Some("a2".to_owned())]);

    let other = Api::new(source, contact("c9"));
    fake.then(clients());
    other.clients().await.unwrap();
    let asked = proved(&fake.request(5), &key, None);
    assert_eq!(nonce_of(&asked), Some("s1"), "the token endpoint gets its own, not the API's");
}

#[tokio::test(start_paused = true)]
async fn a_bound_token_that_is_not_in_force_is_replaced_once() {
    let challenge = r#"DPoP error="invalid_token", error_description="Revoked.", algs="ES256 PS256 EdDSA""#;
    let revoked = answer(401, &[("WWW-Authenticate", challenge)], "");
    let (key, fake) = (key(), Fake::new([bound("old"), revoked, bound("new"), clients()]));
    api(&fake, &key).clients().await.unwrap();
    proved(&fake.request(1), &key, Some("old"));
    proved(&fake.request(3), &key, Some("new"));
}

#[tokio::test(start_paused = true)]
async fn a_proof_that_the_api_does_not_take_is_told_with_the_clock() {
    let challenge = r#"DPoP error="invalid_dpop_proof", error_description="It is too old.", algs="ES256""#;
    let date = ("Date", "Sun, 17 Mar 2030 17:49:40 GMT"); // 180 s after START
    let fake = Fake::new([bound("t"), answer(401, &[("WWW-Authenticate", challenge), date], "")]);
    match api(&fake, &key()).clients().await.unwrap_err() {
        Error::Api(refusal) => {
            assert_eq!(refusal.code, "invalid_dpop_proof");
            let told = "It is too old. (this machine's clock is 180 s behind the server's)";
            assert_eq!(refusal.message, told);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fake.requests(), 2, "the token may be right");
}

fn order() -> Request<&'static str> {
    Request::post("https://bank.example/orders?client_id=k1#top").body("{}").unwrap()
}

fn told(status: u16, nonce: Option<&str>) -> Response<Bytes> {
    let challenge = r#"DPoP error="use_dpop_nonce", algs="ES256""#;
    let builder = Response::builder().status(status).header("WWW-Authenticate", challenge);
    let builder = nonce.into_iter().fold(builder, |builder, nonce| builder.header("DPoP-Nonce", nonce));
    builder.body(Bytes::new()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_request_to_any_api_can_be_proved_and_its_nonces_are_kept() {
    let (key, fake) = (key(), Fake::new([bound("t")]));
    let procura = procura(&fake, application().with_proof_key(key.clone()));
    let token = procura.token_for_contact(&contact("c1")).await.unwrap();
    let url = order().uri().clone();
    let first = procura.prove_for_resource(order(), &token).await.unwrap();
    assert_eq!((first.body(), &first.headers()[AUTHORIZATION]), (&"{}", &"DPoP t".parse().unwrap()));
    let first = proved(&first, &key, Some("t"));
    assert_eq!((nonce_of(&first), &*first.target), (None, "https://bank.example/orders"));

    assert!(procura.take_nonce_of_resource(&url, &told(401, Some("b1"))));
    let second = proved(&procura.prove_for_resource(order(), &token).await.unwrap(), &key, Some("t"));
    assert_eq!(nonce_of(&second), Some("b1"));
    assert_ne!(first.id, second.id);
    let elsewhere = Request::get("https://other.example/").body(()).unwrap();
    let elsewhere = procura.prove_for_resource(elsewhere, &token).await.unwrap();
    assert_eq!(nonce_of(&proved(&elsewhere, &key, Some("t"))), None);
    assert!(!procura.take_nonce_of_resource(&url, &told(200, Some("b2"))), "it was served");
    let third = proved(&procura.prove_for_resource(order(), &token).await.unwrap(), &key, Some("t"));
    assert_eq!(nonce_of(&third), Some("b2"));
    assert!(!procura.take_nonce_of_resource(&url, &told(401, None)), "there is nothing new to say");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_bound_goes_without_a_proof_and_a_strangers_goes_nowhere() {
    let fake = Fake::new([token("t")]);
    let plain = procura(&fake, application());
    let free = plain.token_for_contact(&contact("c1")).await.unwrap();
    let request = plain.prove_for_resource(order(), &free).await.unwrap();
    assert_eq!(request.headers()[AUTHORIZATION], "Bearer t");
    assert!(!request.headers().contains_key("dpop"));
    assert!(!plain.take_nonce_of_resource(order().uri(), &told(401, Some("n"))));

    let fake = Fake::new([bound("t")]);
    let stolen = procura(&fake, application().with_proof_key(key()));
    let stolen = stolen.token_for_contact(&contact("c1")).await.unwrap();
    let error = plain.prove_for_resource(order(), &stolen).await.unwrap_err();
    assert!(matches!(error, Error::Signing(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn debug_output_holds_no_token_no_proof_and_no_nonce() {
    let (key, fake) = (key(), Fake::new([wants_nonce("hunter2"), bound("hunter3")]));
    let procura = procura(&fake, application().with_proof_key(key));
    let token = procura.token_for_contact(&contact("c1")).await.unwrap();
    let request = procura.prove_for_resource(order(), &token).await.unwrap();
    let printed = format!("{procura:?} {token:?} {request:?} {:?}", fake.request(1).headers());
    assert!(!printed.contains("hunter") && !printed.contains("eyJ"), "{printed}");
}
