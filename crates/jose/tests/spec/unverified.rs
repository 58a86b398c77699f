//! JWTs that say who wrote them before they are verified.

use procura_jose::{Algorithm, Jwk, JwtError, Part, UnverifiedJwt};
use serde_json::{Value, json};

use crate::support::{key, signed};

const TYPES: &[&str] = &["JWT", "client-authentication+jwt"];
const CLAIMS: &str = r#"{"iss":"app_1","x":1}"#;

fn jwks(algorithms: &[Algorithm]) -> Vec<Jwk> {
    algorithms.iter().map(|algorithm| key(*algorithm).public_jwk()).collect()
}

/// The token of ES256 with this header (and `KID` in it replaced).
fn with_header(header: &str) -> String {
    let key = key(Algorithm::Es256);
    signed(key, &header.replace("KID", key.kid().as_str()), CLAIMS)
}

fn verified(token: &str, keys: &[Jwk]) -> Result<Value, JwtError> {
    UnverifiedJwt::read(token, TYPES)?.verify(keys)
}

#[test]
fn it_shows_who_it_says_to_be_from_and_what_it_says_only_when_a_key_signed_it() {
    let token = with_header(r#"{"alg":"ES256","kid":"KID"}"#);
    let jwt = UnverifiedJwt::read(&token, TYPES).unwrap();
    assert_eq!(jwt.named_issuer(), "app_1");
    assert_eq!((jwt.algorithm(), jwt.kid()), (Algorithm::Es256, Some(key(Algorithm::Es256).kid().as_str())));
    assert_eq!(jwt.verify::<Value>(&jwks(&Algorithm::ALL)), Ok(json!({"iss": "app_1", "x": 1})));
    assert_eq!(jwt.verify::<Value>(&jwks(&[Algorithm::EdDsa])), Err(JwtError::KidUnknown));
    assert_eq!(jwt.verify::<Value>(&[]), Err(JwtError::KidUnknown));
    assert_eq!(jwt.verify::<Vec<u8>>(&jwks(&[Algorithm::Es256])), Err(JwtError::ClaimsShape));
    assert_eq!(format!("{jwt:?}"), "UnverifiedJwt(ES256)");
}

#[test]
fn a_change_of_any_byte_is_refused() {
    let token = with_header(r#"{"alg":"ES256"}"#);
    let keys = jwks(&[Algorithm::Es256]);
    assert!(verified(&token, &keys).is_ok());
    for position in 0..token.len() {
        for replacement in ['A', 'B', '_', '.', '='] {
            let mut changed = token.clone();
            changed.replace_range(position..=position, &replacement.to_string());
            assert!(changed == token || verified(&changed, &keys).is_err(), "{replacement:?} at {position}");
        }
    }
}

#[test]
fn without_a_kid_at_most_two_keys_of_the_algorithm_are_tried() {
    let token = with_header(r#"{"alg":"ES256"}"#);
    let others: Vec<Jwk> = (0..2)
        .map(|_| procura_jose::PrivateKey::generate(Algorithm::Es256).unwrap().0.public_jwk())
        .collect();
    let ours = key(Algorithm::Es256).public_jwk();
    assert!(verified(&token, &[others[0].clone(), ours.clone()]).is_ok());
    assert!(verified(&token, &[key(Algorithm::EdDsa).public_jwk(), ours.clone()]).is_ok());
    assert_eq!(verified(&token, &others), Err(JwtError::Signature));
    let three = [others[0].clone(), others[1].clone(), ours];
    assert_eq!(verified(&token, &three), Err(JwtError::KidMissing));
}

#[test]
fn a_type_may_be_missing_and_must_be_one_of_those_when_it_is_there() {
    let keys = jwks(&[Algorithm::Es256]);
    for typ in ["", r#","typ":"jwt""#, r#","typ":"application/client-authentication+JWT""#] {
        let token = with_header(&format!(r#"{{"alg":"ES256"{typ}}}"#));
        assert!(verified(&token, &keys).is_ok(), "{typ}");
    }
    let token = with_header(r#"{"alg":"ES256","typ":"at+jwt"}"#);
    assert_eq!(verified(&token, &keys), Err(JwtError::Type));
}

#[test]
fn what_nobody_may_ask_for_is_refused_before_a_key_is_looked_for() {
    for (header, error) in [
        (r#"{"alg":"none"}"#, JwtError::AlgorithmUnknown),
        (r#"{"alg":"HS256"}"#, JwtError::AlgorithmUnknown),
        (r#"{}"#, JwtError::AlgorithmUnknown),
        (r#"{"alg":"ES256","crit":["x"]}"#, JwtError::Critical),
        (r#"{"alg":"ES256","alg":"ES256"}"#, JwtError::RepeatedMember(Part::Header)),
        (r#"{"alg":["ES256"]}"#, JwtError::HeaderShape),
    ] {
        assert_eq!(UnverifiedJwt::read(&with_header(header), TYPES).unwrap_err(), error, "{header}");
    }
    let key = key(Algorithm::Es256);
    for (claims, error) in [
        (r#"{"iss":"a","iss":"b"}"#, JwtError::RepeatedMember(Part::Claims)),
        (r#"{"iss":["a"]}"#, JwtError::ClaimsShape),
        (r#"{}"#, JwtError::ClaimsShape),
        (r#"[]"#, JwtError::NotAnObject(Part::Claims)),
    ] {
        let token = signed(key, r#"{"alg":"ES256"}"#, claims);
        assert_eq!(UnverifiedJwt::read(&token, TYPES).unwrap_err(), error, "{claims}");
    }
}
