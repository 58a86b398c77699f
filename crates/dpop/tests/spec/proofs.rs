//! Every fault of a proof, each one change away from a good one.

use procura_dpop::{DPOP_ALGORITHMS, DpopFault, Proofs};
use procura_jose::{Algorithm, PrivateKey, base64url};
use procura_protocol::dpop::{MAX_JTI_BYTES, MAX_PROOF_BYTES};
use serde_json::{Value, json};

use crate::made::{
    NOW, TOKEN, changed, claims, fault, header, judge, judged, judged_with_token, key, proof, signed,
    thumbprint, with_terms,
};

fn ath() -> String {
    base64url::encode(&procura_jose::digest::sha256(TOKEN.as_bytes()))
}

#[test]
fn a_proof_of_each_algorithm_tells_its_key() {
    for algorithm in DPOP_ALGORITHMS {
        let key = key(algorithm);
        assert_eq!(judged(&judge(), &proof(key, "1")), Ok(thumbprint(key)), "{algorithm}");
    }
}

#[test]
fn there_must_be_exactly_one() {
    let good = proof(key(Algorithm::Es256), "1");
    let good = good.as_bytes();
    let judge = judge();
    let ask = |proofs| with_terms(&judge, proofs, (NOW, None), None);
    assert_eq!(Proofs::of([]), Proofs::None);
    assert_eq!(ask(Proofs::of([])), fault(DpopFault::Missing));
    assert_eq!(ask(Proofs::of([good, good])), fault(DpopFault::Repeated));
    assert!(ask(Proofs::of([good])).is_ok());
}

#[test]
fn what_can_not_be_read_is_no_proof() {
    let es256 = key(Algorithm::Es256);
    let good = proof(es256, "1");
    let longest = |bytes: usize| changed("1", |claims| claims["x"] = "x".repeat(bytes).into());
    let twice = good.clone() + ", " + &good;
    for (text, expected) in [
        ("", DpopFault::Malformed),
        ("a.b", DpopFault::Malformed),
        ("e30.e30.AAAA", DpopFault::Algorithm),
        (&twice, DpopFault::Malformed),
        (&good.replace('.', " "), DpopFault::Malformed),
        (&format!("{good}="), DpopFault::Malformed),
        (&format!(" {good}"), DpopFault::Malformed),
        (&"a".repeat(MAX_PROOF_BYTES), DpopFault::Malformed),
        (&"a".repeat(MAX_PROOF_BYTES + 1), DpopFault::TooLong),
        (&longest(MAX_PROOF_BYTES), DpopFault::TooLong),
    ] {
        assert_eq!(judged(&judge(), text), fault(expected), "{text:.60}");
    }
    assert!(judged(&judge(), &longest(5_000)).is_ok());
    let judged = with_terms(&judge(), Proofs::One(b"\xff.\xff.\xff"), (NOW, None), None);
    assert_eq!(judged, fault(DpopFault::Malformed));
}

#[test]
fn its_header_says_what_it_is() {
    let es256 = key(Algorithm::Es256);
    let with = |name: &str, value: Value| {
        let mut header = header(es256);
        header[name] = value;
        judged(&judge(), &signed(es256, &header, &claims("1")))
    };
    assert!(with("kid", json!("anything")).is_ok());
    for (name, value, expected) in [
        ("typ", json!("JWT"), DpopFault::Type),
        ("typ", json!("dpop"), DpopFault::Type),
        ("typ", Value::Null, DpopFault::Type),
        ("alg", json!("none"), DpopFault::Algorithm),
        ("alg", json!("HS256"), DpopFault::Algorithm),
        ("alg", json!("RS256"), DpopFault::Algorithm),
        ("alg", json!("EdDSA"), DpopFault::Key),
        ("crit", json!(["exp"]), DpopFault::Critical),
        ("jwk", Value::Null, DpopFault::Key),
        ("jwk", json!({ "kty": "oct", "k": "AAAA" }), DpopFault::Key),
    ] {
        assert_eq!(with(name, value.clone()), fault(expected), "{name}: {value}");
    }
    let rs256 = key(Algorithm::Rs256);
    assert_eq!(judged(&judge(), &proof(rs256, "1")), fault(DpopFault::Algorithm));
    let mut private = header(es256);
    private["jwk"]["d"] = "AAAA".into();
    assert_eq!(judged(&judge(), &signed(es256, &private, &claims("1"))), fault(DpopFault::Key));
}

#[test]
fn its_own_key_signed_it() {
    let (other, _) = PrivateKey::generate(Algorithm::Es256).unwrap();
    let forged = signed(&other, &header(key(Algorithm::Es256)), &claims("1"));
    assert_eq!(judged(&judge(), &forged), fault(DpopFault::Signature));
}

#[test]
fn it_is_of_this_request_and_of_now() {
    let with = |name: &str, value: Value| judged(&judge(), &changed("1", |claims| claims[name] = value));
    assert!(with("exp", json!(1)).is_ok());
    assert!(with("htu", json!("https://Procura.example:443/token?a#b")).is_ok());
    for (name, value, expected) in [
        ("htm", json!("GET"), DpopFault::Method),
        ("htm", json!("post"), DpopFault::Method),
        ("htu", json!("https://procura.example/token/CON1"), DpopFault::Target),
        ("htu", json!("http://procura.example/token"), DpopFault::Target),
        ("iat", json!(NOW.0 - 61), DpopFault::TooOld),
        ("iat", json!(NOW.0 + 11), DpopFault::NotYet),
        ("jti", json!(""), DpopFault::Id),
        ("jti", json!("x".repeat(MAX_JTI_BYTES + 1)), DpopFault::Id),
        ("jti", Value::Null, DpopFault::Claims),
        ("htm", json!(1), DpopFault::Claims),
        ("htu", json!([]), DpopFault::Claims),
        ("iat", json!("1800000000"), DpopFault::Claims),
        ("ath", json!(1), DpopFault::Claims),
        ("nonce", json!(1), DpopFault::Claims),
    ] {
        assert_eq!(with(name, value.clone()), fault(expected), "{name}: {value}");
    }
}

#[test]
fn with_a_token_it_names_the_token_and_is_of_the_key_that_the_token_is_bound_to() {
    let own = thumbprint(key(Algorithm::Es256));
    let judge = judge();
    let with = |ath: Value| changed("1", |claims| claims["ath"] = ath);
    for wrong in [json!(""), json!(TOKEN), json!(format!("{}=", ath())), json!(&ath()[1..])] {
        let judged = judged_with_token(&judge, &with(wrong.clone()), own);
        assert_eq!(judged, fault(DpopFault::Token), "{wrong}");
    }
    assert_eq!(judged_with_token(&judge, &proof(key(Algorithm::Es256), "1"), own), fault(DpopFault::Token));
    let other = thumbprint(key(Algorithm::EdDsa));
    assert_eq!(judged_with_token(&judge, &with(json!(ath())), other), fault(DpopFault::OtherKey));
    // None of them was used up.
    assert_eq!(judged_with_token(&judge, &with(json!(ath())), own), Ok(own));
}

#[test]
fn faults_are_counted_by_what_they_are() {
    let judge = judge();
    for _ in 0..2 {
        assert!(judged(&judge, "").is_err());
    }
    let good = proof(key(Algorithm::Es256), "1");
    assert!(judged(&judge, &good).is_ok());
    assert!(judged(&judge, &good).is_err());
    let counted: Vec<_> = judge.faults().filter(|(_, count)| *count > 0).collect();
    assert_eq!(counted, [(DpopFault::Malformed, 2), (DpopFault::Replayed, 1)]);
}
