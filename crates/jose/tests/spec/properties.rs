//! Promises that hold for any input.

use procura_jose::{Algorithm, Jwks, KeyEncryptionKey, PrivateKey, base64url, digest};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{TYP, header, key, signed, verify};

proptest! {
    #[test]
    fn base64url_is_one_to_one(bytes: Vec<u8>) {
        let text = base64url::encode(&bytes);
        prop_assert_eq!(text.len(), base64url::encoded_len(bytes.len()));
        prop_assert_eq!(base64url::decode(&text), Ok(bytes));
    }

    #[test]
    fn any_text_that_decodes_is_the_only_text_of_its_bytes(text in "[A-Za-z0-9_=+/-]{0,12}") {
        if let Ok(bytes) = base64url::decode(&text) {
            prop_assert_eq!(base64url::encode(&bytes), text);
        }
    }

    #[test]
    fn no_text_that_we_did_not_sign_verifies(text in "\\PC{0,200}") {
        prop_assert!(verify(&text).is_err());
    }

    #[test]
    fn no_header_and_claims_without_a_signature_verify(header: Vec<u8>, claims: Vec<u8>, signature: Vec<u8>) {
        let parts = [header, claims, signature].map(|part| base64url::encode(&part));
        prop_assert!(verify(&parts.join(".")).is_err());
    }

    #[test]
    fn a_right_header_with_any_other_signature_is_refused(claims in "\\PC{0,40}", signature: [u8; 32]) {
        let key = key(Algorithm::EdDsa);
        let claims = json!({ "sub": claims }).to_string();
        let input = [header(key), claims].map(|part| base64url::encode(part.as_bytes())).join(".");
        let signature = base64url::encode(&[signature, signature].concat());
        let token = format!("{input}.{signature}");
        prop_assert!(verify(&token).is_err());
    }

    #[test]
    fn any_claims_come_back_as_they_were(sub in "\\PC{0,80}", numbers: Vec<i64>, es256: bool) {
        let key = key(if es256 { Algorithm::Es256 } else { Algorithm::EdDsa });
        let claims = json!({ "sub": sub, "numbers": numbers, "act": { "sub": sub } });
        let token = key.sign_compact(TYP, claims.to_string().as_bytes()).unwrap();
        prop_assert_eq!(verify(&token).unwrap().into_claims(), claims.clone());
        prop_assert_eq!(verify(&signed(key, &header(key), &claims.to_string())).unwrap().into_claims(), claims);
    }

    #[test]
    fn a_repeated_name_anywhere_is_refused(name in "[a-z\"\\\\]{0,4}", depth in 0_usize..6, list: bool) {
        let name = serde_json::to_string(&name).unwrap();
        let mut claims = format!("{{{name}:1,{name}:1}}");
        for _ in 0..depth {
            claims = if list { format!("{{\"x\":[{claims}]}}") } else { format!("{{\"x\":{claims}}}") };
        }
        let key = key(Algorithm::EdDsa);
        prop_assert!(verify(&signed(key, &header(key), &claims)).is_err());
    }

    #[test]
    fn sealed_bytes_open_only_in_their_context(
        plaintext: Vec<u8>, one: Vec<u8>, other: Vec<u8>, noise: Vec<u8>,
    ) {
        let key = KeyEncryptionKey::generate().unwrap();
        let sealed = key.seal(&one, &plaintext).unwrap();
        let opened = key.open(&one, &sealed).unwrap();
        prop_assert_eq!(opened.expose(), plaintext.as_slice());
        prop_assert_eq!(key.open(&other, &sealed).is_ok(), one == other);
        prop_assert!(key.open(&one, &noise).is_err());
    }

    #[test]
    fn a_digest_does_not_depend_on_how_the_bytes_are_cut(pieces: Vec<Vec<u8>>) {
        let mut digest = digest::Sha256::new();
        pieces.iter().for_each(|piece| digest.update(piece));
        prop_assert_eq!(digest.finish(), digest::sha256(&pieces.concat()));
    }

    #[test]
    fn any_bytes_are_read_as_keys_without_panic(bytes: Vec<u8>, x: [u8; 32], y: [u8; 32]) {
        for algorithm in Algorithm::ALL {
            prop_assert!(PrivateKey::from_pkcs8(algorithm, &bytes).is_err());
        }
        let (n, x, y) = (base64url::encode(&bytes), base64url::encode(&x), base64url::encode(&y));
        let set = json!({ "keys": [
            { "kty": "EC", "crv": "P-256", "x": x, "y": y },
            { "kty": "OKP", "crv": "Ed25519", "x": x },
            { "kty": "RSA", "alg": "RS256", "n": n, "e": "AQAB" },
        ] });
        prop_assert!(serde_json::from_value::<Jwks>(set).is_ok());
    }
}
