//! Private keys, JWKs and key sets.

use procura_jose::{Algorithm, CryptoError, Jwk, Jwks, PrivateKey, base64url};
use serde_json::{Value, json};

use crate::support::{all_keys, key};

fn read(value: &Value) -> Result<Jwk, String> {
    serde_json::from_value(value.clone()).map_err(|error| error.to_string())
}

fn es256() -> Value {
    serde_json::to_value(key(Algorithm::Es256).public_jwk()).unwrap()
}

fn rs256() -> Value {
    serde_json::to_value(key(Algorithm::Rs256).public_jwk()).unwrap()
}

/// `base` with members set; `null` takes one out.
fn with(mut base: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            base.as_object_mut().unwrap().remove(name);
        } else {
            base[name] = value.clone();
        }
    }
    base
}

#[test]
fn every_algorithm_signs_what_its_public_half_verifies_and_only_that() {
    for algorithm in Algorithm::ALL {
        let (made, pkcs8) = PrivateKey::generate(algorithm).unwrap();
        let read = PrivateKey::from_pkcs8(algorithm, pkcs8.expose()).unwrap();
        assert_eq!(made.public_jwk(), read.public_jwk());
        let signature = read.sign(b"message").unwrap();
        assert_eq!(signature.as_ref().len(), if algorithm.is_rsa() { 256 } else { 64 });
        assert!(made.public_key().verify(b"message", signature.as_ref()).is_ok());
        assert!(made.public_key().verify(b"massage", signature.as_ref()).is_err());
        assert!(key(algorithm).public_key().verify(b"message", signature.as_ref()).is_err());
        assert!(made.public_key().verify(b"message", &signature.as_ref()[1..]).is_err());
        assert!(made.public_key().verify(b"message", b"").is_err());
    }
}

#[test]
fn a_private_key_reads_as_no_other_type_and_not_when_cut() {
    for algorithm in Algorithm::ALL {
        let (_, pkcs8) = PrivateKey::generate(algorithm).unwrap();
        for other in Algorithm::ALL {
            let fits = other == algorithm || other.is_rsa() && algorithm.is_rsa();
            assert_eq!(PrivateKey::from_pkcs8(other, pkcs8.expose()).is_ok(), fits, "{algorithm} as {other}");
        }
        let cut = &pkcs8.expose()[..pkcs8.expose().len() - 1];
        assert_eq!(PrivateKey::from_pkcs8(algorithm, cut).unwrap_err(), CryptoError::Rejected { algorithm });
    }
}

#[test]
fn debug_output_of_a_private_key_is_its_name_alone() {
    for algorithm in Algorithm::ALL {
        let key = key(algorithm);
        assert_eq!(format!("{key:?}"), format!("PrivateKey({algorithm} {})", key.kid()));
    }
}

#[test]
fn a_jwk_has_the_members_of_its_type_and_reads_back() {
    let expected = [
        (Algorithm::Es256, vec!["alg", "crv", "kid", "kty", "use", "x", "y"]),
        (Algorithm::Rs256, vec!["alg", "e", "kid", "kty", "n", "use"]),
        (Algorithm::Ps256, vec!["alg", "e", "kid", "kty", "n", "use"]),
        (Algorithm::EdDsa, vec!["alg", "crv", "kid", "kty", "use", "x"]),
    ];
    for (algorithm, mut names) in expected {
        let jwk = key(algorithm).public_jwk();
        let value = serde_json::to_value(&jwk).unwrap();
        let mut written: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        written.sort_unstable();
        names.sort_unstable();
        assert_eq!(written, names);
        assert_eq!(value["alg"], algorithm.as_str());
        assert_eq!(value["use"], "sig");
        assert_eq!(value["kid"], jwk.thumbprint().as_str());
        assert_eq!(read(&value).unwrap(), jwk);
    }
}

#[test]
fn each_thing_wrong_with_a_jwk_is_named() {
    let long_n = base64url::encode(&[0xff; 513]);
    let short_n = base64url::encode(&[0xff; 128]);
    let zero_n = base64url::encode(&[&[0], [0xff; 256].as_slice()].concat());
    let cases = [
        (es256(), json!({"kty": "oct"}), "kty, crv"),
        (es256(), json!({"crv": "P-384"}), "kty, crv"),
        (es256(), json!({"alg": "none"}), "alg must be one of"),
        (es256(), json!({"alg": "EdDSA"}), "does not belong to its kty"),
        (rs256(), json!({"alg": "ES256"}), "does not belong to its kty"),
        (rs256(), json!({"alg": null}), "alg must be one of"),
        (es256(), json!({"use": "enc"}), "use, key_ops"),
        (es256(), json!({"key_ops": ["sign"]}), "use, key_ops"),
        (es256(), json!({"d": "AAAA"}), "private"),
        (rs256(), json!({"qi": "AAAA"}), "private"),
        (es256(), json!({"y": null}), "y is missing"),
        (es256(), json!({"x": "A+A="}), "x is not base64url"),
        (es256(), json!({"x": "AAAA"}), "x must be 32 bytes"),
        (es256(), json!({"x": base64url::encode(&[1; 32])}), "not a valid public key"),
        (rs256(), json!({"n": long_n}), "2048 to 4096"),
        (rs256(), json!({"n": short_n}), "2048 to 4096"),
        (rs256(), json!({"n": zero_n}), "zero byte"),
        (rs256(), json!({"n": ""}), "empty"),
        (rs256(), json!({"e": "Aw"}), "exponent"),
        (rs256(), json!({"e": "AQAC"}), "exponent"),
        (rs256(), json!({"e": "AQAAAAE"}), "exponent"),
        (es256(), json!({"kid": ""}), "kid"),
        (es256(), json!({"kid": "k".repeat(257)}), "kid"),
    ];
    for (base, change, says) in cases {
        let error = read(&with(base, &change)).unwrap_err();
        assert!(error.contains(says), "{change}: {error}");
    }
}

#[test]
fn alg_use_and_kid_of_an_elliptic_key_may_be_missing() {
    let bare = with(es256(), &json!({"alg": null, "use": null, "kid": null}));
    assert_eq!(read(&bare).unwrap(), key(Algorithm::Es256).public_jwk());
}

#[test]
fn a_set_reads_back_and_finds_each_key_by_its_kid() {
    let set = all_keys();
    let json = serde_json::to_string(&set).unwrap();
    let read: Jwks = serde_json::from_str(&json).unwrap();
    assert_eq!(read, set);
    for algorithm in Algorithm::ALL {
        assert_eq!(read.find(key(algorithm).kid().as_str()).unwrap().algorithm(), algorithm);
    }
    assert!(read.find("other").is_none());
    assert_eq!(serde_json::to_string(&Jwks::default()).unwrap(), r#"{"keys":[]}"#);
}

#[test]
fn keys_that_cannot_be_used_are_left_out_of_a_set() {
    let set = json!({"keys": [
        {"kty": "oct", "kid": "a"}, es256(), with(rs256(), &json!({"d": "AAAA"})), 5, {"kty": 5},
    ], "other": 1});
    let read: Jwks = serde_json::from_value(set).unwrap();
    assert_eq!(read.keys(), [key(Algorithm::Es256).public_jwk()]);
}

#[test]
fn a_set_with_one_kid_twice_or_too_many_keys_is_refused() {
    let twice = json!({"keys": [es256(), with(rs256(), &json!({"kid": es256()["kid"]}))]});
    let error = serde_json::from_value::<Jwks>(twice).unwrap_err().to_string();
    assert!(error.contains("same kid"), "{error}");
    let many = json!({"keys": vec![json!({}); Jwks::MAX_KEYS + 1]});
    let error = serde_json::from_value::<Jwks>(many).unwrap_err().to_string();
    assert!(error.contains("at most 100"), "{error}");
}

#[test]
fn of_two_keys_with_one_kid_the_first_stays() {
    let jwk = key(Algorithm::EdDsa).public_jwk();
    assert_eq!(Jwks::new([jwk.clone(), jwk.clone()]).keys(), [jwk]);
}
