//! FAPI 2.0 Security Profile and RFC 9449 4.3: what a proof of possession must be at the token endpoints, where an
//! application signs in by an assertion. Nonces, and the other listener's URL, are shown on the running binary.

use std::time::Duration;

use procura_jose::Algorithm;
use procura_protocol::dpop::DpopFault;
use procura_store::journal::RefusalCause;
use procura_testkit::Answer;
use procura_testkit::clock::BEGINNING;
use procura_testkit::dpop::{Proof, ProofKey};
use procura_testkit::world::{CONTACT, ISSUER};
use serde_json::{Value, json};

use crate::fapi2::{Fapi, With};
use crate::support::{assert_refused, contact_path, last_refusal};

const OWN: &str = "grant_type=client_credentials";

/// A server that began a while ago, so that a proof may be older than a moment.
fn begun() -> Fapi {
    let fapi = Fapi::new((With::Key, With::Key));
    fapi.app.clock.advance(Duration::from_secs(100));
    fapi
}

const NOW: i64 = BEGINNING.0 + 100;

/// The doors at which a proof may come: path and form.
fn doors() -> [(String, &'static str); 2] {
    [("/token".to_owned(), OWN), (contact_path(), "")]
}

/// The answer at each door to a proof that was changed.
async fn answers(fapi: &Fapi, change: impl Fn(Proof<'_>, &str) -> String) -> Vec<Answer> {
    let mut answers = Vec::new();
    for (path, form) in doors() {
        let proof = change(fapi.proof(&path), &path);
        answers.push(fapi.request(&path, form).proving(&[proof]).to(&fapi.app).await);
    }
    answers
}

/// Faults that were counted, each once.
fn faults(fapi: &Fapi) -> Vec<DpopFault> {
    fapi.app.engine.refused_proofs().filter(|(_, count)| *count > 0).map(|(fault, _)| fault).collect()
}

async fn accepts(what: &str, change: impl Fn(Proof<'_>, &str) -> String) {
    let fapi = begun();
    for answer in answers(&fapi, change).await {
        assert_eq!(
            (answer.status.as_u16(), answer.text("token_type").as_str()),
            (200, "DPoP"),
            "{what}: {answer:?}"
        );
    }
    assert_eq!(faults(&fapi), [], "{what}");
}

async fn refuses(fault: DpopFault, what: &str, change: impl Fn(Proof<'_>, &str) -> String) {
    let fapi = begun();
    for answer in answers(&fapi, change).await {
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
        let sentence = assert_refused(&answer, 400, "invalid_dpop_proof");
        assert_eq!(sentence, format!("The DPoP proof {}.", fault.what_is_wrong()), "{what}");
        assert_eq!(last_refusal(&fapi.app).cause, RefusalCause::Proof, "{what}");
        assert!(!answer.headers.contains_key("dpop-nonce"), "{what}");
    }
    assert_eq!(faults(&fapi), [fault], "{what}");
}

#[tokio::test]
async fn a_proof_by_each_algorithm_is_taken() {
    for algorithm in [Algorithm::Es256, Algorithm::Ps256, Algorithm::EdDsa] {
        let fapi = begun();
        let key = ProofKey::new(algorithm);
        for (path, form) in doors() {
            let proof = key.for_request("POST", &format!("{ISSUER}{path}")).claim("iat", NOW).sign();
            let answer = fapi.request(&path, form).proving(&[proof]).to(&fapi.app).await;
            assert_eq!(answer.status, 200, "{algorithm}: {answer:?}");
            assert_eq!(fapi.app.access_token(&answer)["cnf"], json!({ "jkt": key.thumbprint() }));
        }
    }
}

#[tokio::test]
async fn a_proof_by_any_other_algorithm_is_none() {
    let rsa = ProofKey::new(Algorithm::Rs256);
    let by_rsa = |_: Proof<'_>, path: &str| rsa.for_request("POST", &format!("{ISSUER}{path}")).sign();
    refuses(DpopFault::Algorithm, "RS256", by_rsa).await;
    for other in ["none", "HS256", "ES384", "RS512", "es256", ""] {
        refuses(DpopFault::Algorithm, other, |proof, _| proof.header("alg", other).sign()).await;
    }
    refuses(DpopFault::Algorithm, "HS256 with a key in it", |proof, _| {
        proof.header("alg", "HS256").header("jwk", json!({"kty": "oct", "k": "c2VjcmV0"})).sign()
    })
    .await;
}

#[tokio::test]
async fn a_proof_is_of_now() {
    for seconds in [-60, -10, -1, 0, 1, 10] {
        accepts(&seconds.to_string(), |proof, _| proof.claim("iat", NOW + seconds).sign()).await;
    }
    for (seconds, fault) in [
        (-61, DpopFault::TooOld),
        (-3_600, DpopFault::TooOld),
        (11, DpopFault::NotYet),
        (3_600, DpopFault::NotYet),
    ] {
        refuses(fault, &seconds.to_string(), |proof, _| proof.claim("iat", NOW + seconds).sign()).await;
    }
}

#[tokio::test]
async fn a_proof_is_used_once() {
    let fapi = begun();
    for (path, form) in doors() {
        let proof = [fapi.proof(&path).sign()];
        assert_eq!(fapi.request(&path, form).proving(&proof).to(&fapi.app).await.status, 200);
        let again = fapi.request(&path, form).proving(&proof).to(&fapi.app).await;
        assert_refused(&again, 400, "invalid_dpop_proof");
    }
    assert_eq!(faults(&fapi), [DpopFault::Replayed]);
}

#[tokio::test]
async fn one_that_is_refused_is_not_used_up_and_another_key_may_use_the_same_name() {
    let fapi = begun();
    let once = fapi.proof("/token").claim("jti", "once");
    let elsewhere = fapi.request(&contact_path(), "").proving(&[once.sign()]).to(&fapi.app).await;
    assert_refused(&elsewhere, 400, "invalid_dpop_proof");
    assert_eq!(fapi.request("/token", OWN).proving(&[once.sign()]).to(&fapi.app).await.status, 200);
    let other = ProofKey::new(Algorithm::EdDsa);
    let other = other.for_request("POST", &format!("{ISSUER}/token")).claim("iat", NOW).claim("jti", "once");
    assert_eq!(fapi.request("/token", OWN).proving(&[other.sign()]).to(&fapi.app).await.status, 200);
    // Signed again it is another text, and the same proof.
    assert_refused(
        &fapi.request("/token", OWN).proving(&[once.claim("other", 1).sign()]).to(&fapi.app).await,
        400,
        "invalid_dpop_proof",
    );
}

#[tokio::test]
async fn a_proof_has_its_type() {
    for typ in ["dpop+jwt", "DPOP+JWT", "application/dpop+jwt"] {
        accepts(typ, |proof, _| proof.header("typ", typ).sign()).await;
    }
    for typ in ["JWT", "at+jwt", "authorization-grant+jwt", "client-authentication+jwt", ""] {
        refuses(DpopFault::Type, typ, |proof, _| proof.header("typ", typ).sign()).await;
    }
    refuses(DpopFault::Type, "no typ", |proof, _| proof.header("typ", Value::Null).sign()).await;
}

#[tokio::test]
async fn a_proof_brings_its_public_key_and_that_alone() {
    let mine = ProofKey::new(Algorithm::Es256);
    let with = |name: &'static str, value: Value| {
        let mut jwk = mine.jwk();
        jwk[name] = value;
        jwk
    };
    refuses(DpopFault::Key, "no jwk", |proof, _| proof.header("jwk", Value::Null).sign()).await;
    for wrong in [json!([]), json!("x"), json!({}), json!({"kty": "EC"}), json!({"kty": "oct", "k": "AAAA"})]
    {
        refuses(DpopFault::Key, &wrong.to_string(), |proof, _| proof.header("jwk", wrong.clone()).sign())
            .await;
    }
    refuses(DpopFault::Key, "a private member", |_, path| {
        let proof = mine.for_request("POST", &format!("{ISSUER}{path}")).claim("iat", NOW);
        proof.header("jwk", with("d", json!("AAAA"))).sign()
    })
    .await;
    refuses(DpopFault::Signature, "another key", |proof, _| proof.header("jwk", mine.jwk()).sign()).await;
    // What names a key elsewhere is not looked at.
    accepts("kid, jku, x5c", |proof, _| {
        let proof = proof.header("kid", "../../key").header("jku", "https://attacker.example/jwks");
        proof.header("x5c", json!(["AAAA"])).sign()
    })
    .await;
}

#[tokio::test]
async fn a_proof_is_for_this_request() {
    for method in ["GET", "post", "PUT", ""] {
        refuses(DpopFault::Method, method, |proof, _| proof.claim("htm", method).sign()).await;
    }
    for other in [
        "https://other.example/token",
        "http://procura.example/token",
        "https://procura.example:8443/token",
        "https://procura.example/token/",
        "https://procura.example",
        "/token",
        "",
    ] {
        refuses(DpopFault::Target, other, |proof, _| proof.claim("htu", other).sign()).await;
    }
    let fapi = begun();
    for ((path, form), (other, _)) in doors().into_iter().zip(doors().into_iter().rev()) {
        let proof = fapi.proof(&other).sign();
        let answer = fapi.request(&path, form).proving(&[proof]).to(&fapi.app).await;
        assert_refused(&answer, 400, "invalid_dpop_proof");
    }
    let escaped = format!("{ISSUER}/token/{}", CONTACT.replace('.', "%2E"));
    let proof = fapi.proof(&contact_path()).claim("htu", escaped).sign();
    assert_eq!(fapi.request(&contact_path(), "").proving(&[proof]).to(&fapi.app).await.status, 200);
}

#[tokio::test]
async fn one_url_may_be_written_in_several_ways() {
    let rest = |path: &str, base: &str| format!("{base}{path}");
    for base in ["HTTPS://procura.example", "https://PROCURA.Example", "https://procura.example:443"] {
        accepts(base, |proof, path| proof.claim("htu", rest(path, base)).sign()).await;
    }
    for end in ["?a=b", "#c", "?a=b#c"] {
        accepts(end, |proof, path| proof.claim("htu", format!("{ISSUER}{path}{end}")).sign()).await;
    }
}

#[tokio::test]
async fn a_proof_has_its_claims_and_may_have_others() {
    for name in ["jti", "htm", "htu", "iat"] {
        refuses(DpopFault::Claims, name, |proof, _| proof.claim(name, Value::Null).sign()).await;
    }
    refuses(DpopFault::Id, "an empty jti", |proof, _| proof.claim("jti", "").sign()).await;
    refuses(DpopFault::Id, "a long jti", |proof, _| proof.claim("jti", "x".repeat(257)).sign()).await;
    accepts("unknown claims", |proof, _| {
        proof.claim("exp", 1).claim("aud", json!(["x"])).claim("cnf", json!({})).claim("ath", "x").sign()
    })
    .await;
    refuses(DpopFault::Critical, "crit", |proof, _| proof.header("crit", json!(["b64"])).sign()).await;
}

#[tokio::test]
async fn where_none_is_demanded_a_nonce_of_another_process_says_nothing() {
    accepts("another's nonce", |proof, _| proof.claim("nonce", "AAAAAAAAAAAAAAAAAAAAAA").sign()).await;
}

#[tokio::test]
async fn a_proof_that_can_have_been_used_before_the_process_began_needs_a_nonce_of_it() {
    let fapi = Fapi::after_another((With::Key, With::Key));
    for (path, form) in doors() {
        for made in [BEGINNING.0 - 1, BEGINNING.0, BEGINNING.0 + 10] {
            let proof = fapi.proof(&path).claim("iat", made);
            let asked = async |proof: Proof<'_>| {
                fapi.request(&path, form).proving(&[proof.sign()]).to(&fapi.app).await
            };
            let answer = asked(proof.clone()).await;
            assert_refused(&answer, 400, "use_dpop_nonce");
            let others = asked(proof.clone().claim("nonce", "AAAAAAAAAAAAAAAAAAAAAA")).await;
            assert_refused(&others, 400, "use_dpop_nonce");
            assert_eq!(asked(proof.claim("nonce", answer.header("dpop-nonce"))).await.status, 200);
        }
    }
}

#[tokio::test]
async fn two_headers_are_none() {
    let fapi = begun();
    for (path, form) in doors() {
        let one = || fapi.proof(&path).sign();
        let same = one();
        for both in [[one(), one()], [same.clone(), same.clone()], [one(), String::new()]] {
            let answer = fapi.request(&path, form).proving(&both).to(&fapi.app).await;
            assert_refused(&answer, 400, "invalid_dpop_proof");
        }
        let listed = format!("{}, {}", one(), one());
        let answer = fapi.request(&path, form).proving(&[listed]).to(&fapi.app).await;
        assert_refused(&answer, 400, "invalid_dpop_proof");
    }
    assert_eq!(faults(&fapi), [DpopFault::Repeated, DpopFault::Malformed]);
}

#[tokio::test]
async fn nothing_of_a_proof_is_told_and_a_long_one_is_not_read() {
    let long = "x".repeat(8_193);
    refuses(DpopFault::TooLong, "long", |_, _| long.clone()).await;
    for garbage in ["hunter2", "a.b", "a.b.c", "e30.e30."] {
        let fapi = begun();
        for answer in answers(&fapi, |_, _| garbage.to_owned()).await {
            let sentence = assert_refused(&answer, 400, "invalid_dpop_proof");
            assert!(!sentence.contains(garbage), "{sentence}");
        }
    }
}
