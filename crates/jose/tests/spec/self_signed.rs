//! JWTs that bring the key which signed them.

use procura_jose::{
    Algorithm, CompactPrefix, Expect, Jwk, JwkError, JwtError, MAX_TOKEN_BYTES, Part, PrivateKey,
    SelfSignedError, append_signature, compact_input, verify_self_signed,
};
use procura_protocol::confirmation::KeyThumbprint;
use serde_json::{Value, json};

use crate::support::{key, signed};

const TYP: &str = "dpop+jwt";
const TAKEN: [Algorithm; 3] = [Algorithm::Es256, Algorithm::Ps256, Algorithm::EdDsa];
const CLAIMS: &str = r#"{"jti":"1"}"#;

/// Its key, and what it says.
fn verified(token: &str) -> Result<(KeyThumbprint, Value), SelfSignedError> {
    let jwt = verify_self_signed::<Value>(token, &Expect { typ: TYP, algorithms: &TAKEN })?;
    Ok((jwt.key(), jwt.claims().clone()))
}

fn thumbprint(key: &PrivateKey) -> KeyThumbprint {
    KeyThumbprint::parse(key.public_jwk().thumbprint().as_str()).unwrap()
}

/// The members of a key without its name, its algorithm and its use.
fn bare(key: &PrivateKey) -> Value {
    let mut jwk = serde_json::to_value(key.public_jwk()).unwrap();
    for member in ["kid", "alg", "use"] {
        jwk.as_object_mut().unwrap().remove(member);
    }
    jwk
}

fn header(algorithm: Algorithm) -> Value {
    json!({ "typ": TYP, "alg": algorithm.as_str(), "jwk": bare(key(algorithm)) })
}

/// What becomes of a token of this algorithm, rightly signed, with a header that was changed.
fn changed(algorithm: Algorithm, change: impl FnOnce(&mut Value)) -> Result<KeyThumbprint, SelfSignedError> {
    let mut header = header(algorithm);
    change(&mut header);
    verified(&signed(key(algorithm), &header.to_string(), CLAIMS)).map(|(key, _)| key)
}

#[test]
fn it_tells_who_holds_which_key_and_what_they_say() {
    for algorithm in TAKEN {
        let expected = Ok((thumbprint(key(algorithm)), json!({ "jti": "1" })));
        let token = signed(key(algorithm), &header(algorithm).to_string(), CLAIMS);
        assert_eq!(verified(&token), expected, "{algorithm}");
        let prefix = CompactPrefix::bringing_its_key(&key(algorithm).public_jwk(), TYP);
        let message = compact_input(&prefix, CLAIMS.as_bytes());
        let signature = key(algorithm).sign(&message).unwrap();
        let token = String::from_utf8(append_signature(message, signature.as_ref())).unwrap();
        assert_eq!(verified(&token), expected, "{algorithm}, as we write it");
    }
}

#[test]
fn a_key_is_named_by_its_numbers_whatever_stands_beside_them() {
    let expected = Ok(thumbprint(key(Algorithm::Es256)));
    for (name, value) in
        [("kid", json!("another")), ("use", json!("sig")), ("alg", json!("ES256")), ("x5c", json!(["a"]))]
    {
        assert_eq!(changed(Algorithm::Es256, |header| header["jwk"][name] = value), expected, "{name}");
    }
    // The header's says nothing about a key that is there.
    assert_eq!(changed(Algorithm::Es256, |header| header["kid"] = "another".into()), expected);
}

#[test]
fn the_thumbprint_is_that_of_rfc_7638() {
    // Its section 3.1.
    let n = concat!(
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3",
        "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgd",
        "AZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur",
        "-kEgU8awapJzKnqDKgw",
    );
    let jwk = json!({ "kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29" });
    let jwk: Jwk = serde_json::from_str(&jwk.to_string()).unwrap();
    assert_eq!(jwk.thumbprint().as_str(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[test]
fn an_rsa_key_gets_its_algorithm_from_the_header_and_may_not_contradict_it() {
    assert_eq!(changed(Algorithm::Ps256, |_| {}), Ok(thumbprint(key(Algorithm::Ps256))));
    let contradicts = changed(Algorithm::Ps256, |header| header["jwk"]["alg"] = "RS256".into());
    assert_eq!(contradicts, Err(JwkError::AlgorithmOfOtherType.into()));
    let other = changed(Algorithm::Rs256, |_| {});
    assert_eq!(other, Err(JwtError::AlgorithmNotAllowed(Algorithm::Rs256).into()));
}

#[test]
fn what_is_no_public_key_of_the_algorithm_is_refused() {
    let hmac = json!({ "kty": "oct", "k": "AAAA" });
    let shared = json!({ "kty": "oct" });
    let p384 = json!({ "kty": "EC", "crv": "P-384", "x": "AA", "y": "AA" });
    for (jwk, error) in [
        (hmac, JwkError::Private),
        (shared, JwkError::Type),
        (p384, JwkError::Type),
        (json!({ "kty": "" }), JwkError::Type),
        (bare(key(Algorithm::EdDsa)), JwkError::AlgorithmOfOtherType),
        (bare(key(Algorithm::Ps256)), JwkError::AlgorithmOfOtherType),
    ] {
        assert_eq!(
            changed(Algorithm::Es256, |header| header["jwk"] = jwk.clone()),
            Err(error.into()),
            "{jwk}"
        );
    }
    let mut off_the_curve = bare(key(Algorithm::Es256));
    off_the_curve["y"] = off_the_curve["x"].clone();
    let refused = changed(Algorithm::Es256, |header| header["jwk"] = off_the_curve);
    assert_eq!(refused, Err(JwkError::NotAKey.into()));
    for (name, value, error) in [
        ("use", json!("enc"), JwkError::Use),
        ("key_ops", json!(["sign"]), JwkError::Use),
        ("alg", json!("EdDSA"), JwkError::AlgorithmOfOtherType),
        ("alg", json!("HS256"), JwkError::Algorithm),
        ("x", json!("AA"), JwkError::Length { name: "x" }),
        ("x", json!("++++"), JwkError::Encoding { name: "x" }),
    ] {
        let refused = changed(Algorithm::Es256, |header| header["jwk"][name] = value.clone());
        assert_eq!(refused, Err(error.into()), "{name}: {value}");
    }
}

#[test]
fn a_key_with_private_members_is_refused() {
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        for algorithm in TAKEN {
            let refused = changed(algorithm, |header| header["jwk"][name] = "AAAA".into());
            assert_eq!(refused, Err(JwkError::Private.into()), "{name} of {algorithm}");
        }
    }
}

#[test]
fn without_a_key_there_is_nothing_to_verify_with() {
    for jwk in [Value::Null, json!("a"), json!([]), json!({}), json!({ "kty": 1 })] {
        let refused = changed(Algorithm::Es256, |header| header["jwk"] = jwk.clone());
        assert_eq!(refused, Err(SelfSignedError::NoKey), "{jwk}");
    }
    let refused = changed(Algorithm::Es256, |header| {
        header.as_object_mut().unwrap().remove("jwk");
        header["kid"] = key(Algorithm::Es256).kid().as_str().into();
    });
    assert_eq!(refused, Err(SelfSignedError::NoKey));
}

#[test]
fn what_any_jwt_must_be_it_must_be_too() {
    for (name, value, error) in [
        ("typ", json!("at+jwt"), JwtError::Type),
        ("typ", json!("JWT"), JwtError::Type),
        ("typ", json!(null), JwtError::Type),
        ("typ", json!(1), JwtError::HeaderShape),
        ("kid", json!(1), JwtError::HeaderShape),
        ("alg", json!("none"), JwtError::AlgorithmUnknown),
        ("alg", json!("HS256"), JwtError::AlgorithmUnknown),
        ("alg", json!(null), JwtError::AlgorithmUnknown),
        ("crit", json!(["b64"]), JwtError::Critical),
        ("crit", json!(null), JwtError::Critical),
    ] {
        let refused = changed(Algorithm::Es256, |header| header[name] = value.clone());
        assert_eq!(refused, Err(error.into()), "{name}: {value}");
    }
    let es256 = key(Algorithm::Es256);
    let header = header(Algorithm::Es256).to_string();
    for (token, error) in [
        (String::new(), JwtError::NotThreeParts),
        ("a.b".into(), JwtError::NotThreeParts),
        ("a.b.c.d".into(), JwtError::NotThreeParts),
        ("a.".repeat(MAX_TOKEN_BYTES), JwtError::TooLong),
        (signed(es256, "[]", CLAIMS), JwtError::NotAnObject(Part::Header)),
        (signed(es256, &header, "[]"), JwtError::NotAnObject(Part::Claims)),
        (signed(es256, &header.replacen('{', r#"{"typ":"JWT","#, 1), CLAIMS), {
            JwtError::RepeatedMember(Part::Header)
        }),
        (signed(es256, &header.replacen(r#""kty""#, r#""kty":"RSA","kty""#, 1), CLAIMS), {
            JwtError::RepeatedMember(Part::Header)
        }),
        (signed(es256, &header, r#"{"jti":"1","jti":"2"}"#), JwtError::RepeatedMember(Part::Claims)),
        (format!("{}=", signed(es256, &header, CLAIMS)), JwtError::Encoding(Part::Signature)),
    ] {
        assert_eq!(verified(&token), Err(error.into()), "{token:.80}");
    }
}

#[test]
fn what_another_key_signed_or_somebody_changed_is_refused() {
    let (other, _) = PrivateKey::generate(Algorithm::Es256).unwrap();
    let header = header(Algorithm::Es256).to_string();
    assert_eq!(verified(&signed(&other, &header, CLAIMS)), Err(JwtError::Signature.into()));
    let token = signed(key(Algorithm::Es256), &header, CLAIMS);
    for position in 0..token.len() {
        for replacement in ['A', 'B', '_', '.'] {
            let mut changed = token.clone();
            changed.replace_range(position..=position, &replacement.to_string());
            assert!(changed == token || verified(&changed).is_err(), "{replacement:?} at {position}");
        }
    }
}

#[test]
fn claims_of_another_shape_are_refused_after_the_signature() {
    let token = signed(key(Algorithm::Es256), &header(Algorithm::Es256).to_string(), CLAIMS);
    let expect = Expect { typ: TYP, algorithms: &TAKEN };
    let refused = verify_self_signed::<Vec<u8>>(&token, &expect).map(|_| ());
    assert_eq!(refused, Err(JwtError::ClaimsShape.into()));
}
