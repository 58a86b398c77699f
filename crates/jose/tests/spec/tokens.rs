//! Verification: what passes, and everything that must not.

use procura_jose::{Algorithm, Expect, JwtError, MAX_TOKEN_BYTES, Part, base64url, digest, verify_jwt};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{TYP, all_keys, header, key, signed, verify};

const CLAIMS: &str = r#"{"sub":"c1","act":{"sub":"app_1"}}"#;

fn valid(algorithm: Algorithm) -> String {
    key(algorithm).sign_compact(TYP, CLAIMS.as_bytes()).unwrap()
}

/// The token of ES256 with this header (and `KID` in it replaced).
fn with_header(header: &str) -> String {
    let key = key(Algorithm::Es256);
    signed(key, &header.replace("KID", key.kid().as_str()), CLAIMS)
}

fn with_claims(claims: &str) -> String {
    let key = key(Algorithm::Es256);
    signed(key, &header(key), claims)
}

#[test]
fn a_token_of_every_algorithm_verifies_and_gives_its_claims() {
    for algorithm in Algorithm::ALL {
        let verified = verify(&valid(algorithm)).unwrap();
        assert_eq!(verified.algorithm(), algorithm);
        assert_eq!(verified.kid(), key(algorithm).kid());
        assert_eq!(verified.claims(), &json!({"sub": "c1", "act": {"sub": "app_1"}}));
    }
}

#[test]
fn a_change_of_any_byte_of_a_token_is_refused() {
    for algorithm in Algorithm::ALL {
        let token = valid(algorithm);
        for position in 0..token.len() {
            for replacement in ['A', 'B', '_', '.', '=', ' '] {
                let mut changed = token.clone();
                changed.replace_range(position..=position, &replacement.to_string());
                if changed != token {
                    assert!(verify(&changed).is_err(), "{algorithm}: {replacement:?} at {position}");
                }
            }
            let mut shorter = token.clone();
            shorter.remove(position);
            assert!(verify(&shorter).is_err(), "{algorithm}: {position} removed");
        }
    }
}

#[test]
fn anything_before_or_after_a_token_is_refused() {
    let token = valid(Algorithm::Es256);
    for extra in ["x", "A", "=", ".", " ", "\n", "\0", ".AAAA", "é"] {
        assert!(verify(&format!("{token}{extra}")).is_err(), "{extra:?} after");
        assert!(verify(&format!("{extra}{token}")).is_err(), "{extra:?} before");
    }
}

#[test]
fn other_than_three_parts_are_refused() {
    for token in ["", ".", "a", "a.b", "a.b.c.d", "....", "a.b.c.d.e"] {
        assert_eq!(verify(token).unwrap_err(), JwtError::NotThreeParts, "{token}");
    }
    assert_eq!(verify("..").unwrap_err(), JwtError::NotAnObject(Part::Header));
}

#[test]
fn a_token_of_16_kib_is_read_and_a_longer_one_is_not() {
    let claims_of = |len: usize| format!(r#"{{"sub":"{}"}}"#, "x".repeat(len));
    let lengths = (11_900..12_300).map(|len| with_claims(&claims_of(len)));
    let (mut within, mut beyond) = (0, 0);
    for token in lengths.step_by(20) {
        if token.len() <= MAX_TOKEN_BYTES {
            assert!(verify(&token).is_ok());
            within += 1;
        } else {
            assert_eq!(verify(&token).unwrap_err(), JwtError::TooLong);
            beyond += 1;
        }
    }
    assert!(within > 0 && beyond > 0, "{within} {beyond}");
}

#[test]
fn base64url_with_padding_or_loose_bits_is_refused_in_every_part() {
    let token = valid(Algorithm::Es256);
    let parts: Vec<&str> = token.split('.').collect();
    for (index, name) in [(0, Part::Header), (2, Part::Signature)] {
        for wrong in [format!("{}=", parts[index]), format!("{}+", parts[index])] {
            let mut changed = parts.clone();
            changed[index] = &wrong;
            assert_eq!(verify(&changed.join(".")).unwrap_err(), JwtError::Encoding(name));
        }
    }
    // Padded claims, signed as they are: the signature is right and the claims still are not.
    let signer = key(Algorithm::Es256);
    let padded = format!("{}.e30=", base64url::encode(header(signer).as_bytes()));
    let signature = signer.sign(padded.as_bytes()).unwrap();
    let token = format!("{padded}.{}", base64url::encode(signature.as_ref()));
    assert_eq!(verify(&token).unwrap_err(), JwtError::Encoding(Part::Claims));
}

#[test]
fn a_repeated_member_is_refused_in_header_and_claims() {
    let repeated = [
        r#"{"alg":"ES256","alg":"ES256","kid":"KID","typ":"at+jwt"}"#,
        r#"{"alg":"ES256","kid":"KID","typ":"at+jwt","x":1,"x":1}"#,
        r#"{"alg":"ES256","kid":"KID","typ":"at+jwt","\u0061lg":"none"}"#,
        r#"{"alg":"ES256","kid":"KID","typ":"at+jwt","x":{"y":1,"y":2}}"#,
    ];
    for header in repeated {
        let error = verify(&with_header(header)).unwrap_err();
        assert_eq!(error, JwtError::RepeatedMember(Part::Header), "{header}");
    }
    for claims in [r#"{"sub":"a","sub":"b"}"#, r#"{"act":{"sub":"a","sub":"b"}}"#, r#"{"x":[{"y":1,"y":1}]}"#]
    {
        let error = verify(&with_claims(claims)).unwrap_err();
        assert_eq!(error, JwtError::RepeatedMember(Part::Claims), "{claims}");
    }
}

#[test]
fn header_and_claims_must_each_be_one_object() {
    for json in ["", "[]", "null", "\"x\"", "1", "{", "{}x", "{}{}"] {
        let error = verify(&with_header(json)).unwrap_err();
        assert_eq!(error, JwtError::NotAnObject(Part::Header), "{json}");
        let error = verify(&with_claims(json)).unwrap_err();
        assert_eq!(error, JwtError::NotAnObject(Part::Claims), "{json}");
    }
}

#[test]
fn crit_is_refused_whatever_it_says() {
    for crit in ["[]", "null", r#"["b64"]"#, "1"] {
        let header = format!(r#"{{"alg":"ES256","kid":"KID","typ":"at+jwt","b64":true,"crit":{crit}}}"#);
        assert_eq!(verify(&with_header(&header)).unwrap_err(), JwtError::Critical, "{crit}");
    }
}

#[test]
fn none_hmac_and_missing_algorithms_are_refused() {
    for alg in [r#""alg":"none","#, r#""alg":"HS256","#, r#""alg":"es256","#, r#""alg":null,"#, ""] {
        let header = format!(r#"{{{alg}"kid":"KID","typ":"at+jwt"}}"#);
        assert_eq!(verify(&with_header(&header)).unwrap_err(), JwtError::AlgorithmUnknown, "{alg}");
    }
    let kid = key(Algorithm::Es256).kid();
    let header = base64url::encode(format!(r#"{{"alg":"none","kid":"{kid}","typ":"at+jwt"}}"#).as_bytes());
    let unsigned = format!("{header}.{}.", base64url::encode(CLAIMS.as_bytes()));
    assert_eq!(verify(&unsigned).unwrap_err(), JwtError::AlgorithmUnknown);
}

#[test]
fn an_hmac_keyed_with_the_published_key_is_no_signature() {
    let jwk = key(Algorithm::Rs256).public_jwk();
    let header = json!({"alg": "HS256", "kid": jwk.kid(), "typ": TYP}).to_string();
    let input = format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(CLAIMS.as_bytes()));
    let mac = digest::hmac_sha256(serde_json::to_string(&jwk).unwrap().as_bytes(), input.as_bytes());
    let token = format!("{input}.{}", base64url::encode(&mac));
    assert_eq!(verify(&token).unwrap_err(), JwtError::AlgorithmUnknown);
}

#[test]
fn the_algorithm_must_be_that_of_the_key_for_every_pair() {
    for signer in Algorithm::ALL {
        for named in Algorithm::ALL.into_iter().filter(|named| *named != signer) {
            // The key's own kid under another algorithm, and another key's kid under its algorithm.
            let own = format!(r#"{{"alg":"{named}","kid":"{}","typ":"{TYP}"}}"#, key(signer).kid());
            let error = verify(&signed(key(signer), &own, CLAIMS)).unwrap_err();
            assert_eq!(error, JwtError::AlgorithmNotTheKeys, "{signer} as {named}");
            let error = verify(&signed(key(signer), &header(key(named)), CLAIMS)).unwrap_err();
            assert_eq!(error, JwtError::Signature, "{signer} as {named}");
        }
    }
}

#[test]
fn an_algorithm_that_is_not_allowed_here_is_refused() {
    let expect = Expect { typ: TYP, algorithms: &[Algorithm::Es256] };
    let error = verify_jwt::<Value>(&valid(Algorithm::EdDsa), &all_keys(), &expect).unwrap_err();
    assert_eq!(error, JwtError::AlgorithmNotAllowed(Algorithm::EdDsa));
    let none = Expect { typ: TYP, algorithms: &[] };
    assert!(verify_jwt::<Value>(&valid(Algorithm::Es256), &all_keys(), &none).is_err());
}

#[test]
fn another_type_is_refused_and_the_same_in_other_words_is_not() {
    for typ in ["AT+JWT", "application/at+jwt", "APPLICATION/at+JWT"] {
        let header = format!(r#"{{"alg":"ES256","kid":"KID","typ":"{typ}"}}"#);
        assert!(verify(&with_header(&header)).is_ok(), "{typ}");
    }
    for typ in [r#""typ":"JWT","#, r#""typ":"","#, r#""typ":null,"#, ""] {
        let header = format!(r#"{{{typ}"alg":"ES256","kid":"KID"}}"#);
        assert_eq!(verify(&with_header(&header)).unwrap_err(), JwtError::Type, "{typ}");
    }
}

#[test]
fn a_missing_or_unknown_kid_is_refused_and_keys_in_the_header_are_never_used() {
    let error = verify(&with_header(r#"{"alg":"ES256","typ":"at+jwt"}"#)).unwrap_err();
    assert_eq!(error, JwtError::KidMissing);
    let error = verify(&with_header(r#"{"alg":"ES256","typ":"at+jwt","kid":"other"}"#)).unwrap_err();
    assert_eq!(error, JwtError::KidUnknown);

    let (own, _) = procura_jose::PrivateKey::generate(Algorithm::Es256).unwrap();
    let header = json!({
        "alg": "ES256", "typ": TYP, "kid": own.kid(), "jwk": own.public_jwk(), "jku": "https://x.example/jwks",
    });
    assert_eq!(verify(&signed(&own, &header.to_string(), CLAIMS)).unwrap_err(), JwtError::KidUnknown);
    let header = json!({
        "alg": "ES256", "typ": TYP, "kid": key(Algorithm::Es256).kid(), "jwk": own.public_jwk(),
    });
    assert_eq!(verify(&signed(&own, &header.to_string(), CLAIMS)).unwrap_err(), JwtError::Signature);
}

#[test]
fn header_members_of_the_wrong_type_are_refused() {
    for header in [
        r#"{"alg":5,"kid":"KID","typ":"at+jwt"}"#,
        r#"{"alg":["ES256"],"kid":"KID","typ":"at+jwt"}"#,
        r#"{"alg":"ES256","kid":{},"typ":"at+jwt"}"#,
    ] {
        assert_eq!(verify(&with_header(header)).unwrap_err(), JwtError::HeaderShape, "{header}");
    }
}

#[test]
fn claims_that_lack_a_needed_member_are_refused_and_errors_repeat_nothing() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Needed {
        #[expect(dead_code, reason = "only its absence matters")]
        sub: String,
    }
    let expect = Expect { typ: TYP, algorithms: &Algorithm::ALL };
    for claims in ["{}", r#"{"sub":5}"#, r#"{"sub":"a","marker":1}"#] {
        let error = verify_jwt::<Needed>(&with_claims(claims), &all_keys(), &expect).unwrap_err();
        assert_eq!(error, JwtError::ClaimsShape, "{claims}");
        assert!(!format!("{error} {error:?}").contains("marker"));
    }
}
