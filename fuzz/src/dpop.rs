use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use procura_dpop::{DpopFault, DpopJudge, DpopRefusal, DpopTerms, Of, Owner, Proofs, TargetUri};
use procura_jose::digest::sha256;
use procura_jose::{Algorithm, PrivateKey, SystemRandom};
use procura_protocol::confirmation::KeyThumbprint;
use procura_protocol::dpop::{AHEAD, MAX_JTI_BYTES, WINDOW};
use procura_protocol::time::UnixSeconds;
use serde_json::Value;

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
const METHOD: &str = "POST";
const TARGET: &str = "https://api.example/v1/quotes";
const TOKEN: &str = "a.token.text";

/// A proof as it came; and, when there is a line feed, a header and claims that one key has signed, with `$jwk` in
/// place of its public half.
///
/// What is taken keeps every bound, names this request and this token, is taken once, and never for another key than
/// the one that signed. Whether one was taken.
pub fn dpop(data: &[u8]) -> bool {
    let (key, jwk) = key();
    let Ok(text) = std::str::from_utf8(data) else {
        assert!(judged(&judge(), data, None).is_err(), "a proof that is no text");
        return false;
    };
    // Anybody can make one of a key of their own, and nobody one of ours.
    assert_ne!(judged(&judge(), data, None), Ok(thumbprint(key)), "a proof that our key did not sign");
    text.split_once('\n').is_some_and(|(header, claims)| {
        let proof = signed(key, &header.replace("$jwk", jwk), claims);
        taken(proof.as_bytes(), thumbprint(key), claims)
    })
}

fn taken(proof: &[u8], key: KeyThumbprint, claims: &str) -> bool {
    let judge = judge();
    let other = KeyThumbprint::from([7; 32]);
    let first = judged(&judge, proof, Some(other));
    assert!(first.is_err(), "a proof of another key");
    match judged(&judge, proof, Some(key)) {
        Ok(found) => assert_eq!(found, key),
        Err(refused) => {
            let is_about_the_key = refused == DpopRefusal::Fault(DpopFault::OtherKey);
            assert!(!is_about_the_key, "the key that signed it is another one's");
            // Nonces are asked about after the key.
            let is_about_a_nonce = refused == DpopRefusal::Fault(DpopFault::Nonce);
            assert!(is_about_a_nonce || first == Err(refused), "two answers to one proof");
            return false;
        }
    }
    assert_eq!(first, Err(DpopRefusal::Fault(DpopFault::OtherKey)));
    assert_eq!(judged(&judge, proof, Some(key)), Err(DpopRefusal::Fault(DpopFault::Replayed)), "taken twice");
    let Ok(written) = serde_json::from_str::<Value>(claims) else {
        panic!("claims that are no JSON");
    };
    assert_eq!(written["htm"], METHOD);
    let named = written["htu"].as_str().and_then(TargetUri::parse);
    assert_eq!(named, TargetUri::parse(TARGET), "another URL");
    assert_eq!(written["ath"], URL_SAFE_NO_PAD.encode(sha256(TOKEN.as_bytes())), "another token");
    let made = written["iat"].as_f64().map(f64::floor);
    let bounds = (NOW.0 - WINDOW) as f64..=(NOW.0 + AHEAD) as f64;
    assert!(made.is_some_and(|made| bounds.contains(&made)), "iat out of bounds");
    assert!(written["jti"].as_str().is_some_and(|jti| (1..=MAX_JTI_BYTES).contains(&jti.len())));
    true
}

fn judge() -> DpopJudge {
    DpopJudge::new(false, 16, NOW.plus(-WINDOW - AHEAD - 1), &SystemRandom)
}

fn judged(judge: &DpopJudge, proof: &[u8], key: Option<KeyThumbprint>) -> Result<KeyThumbprint, DpopRefusal> {
    let targets: Vec<TargetUri> = TargetUri::parse(TARGET).into_iter().collect();
    let token = Some(sha256(TOKEN.as_bytes()));
    let of = Of { owner: Owner::of("app_1"), key };
    judge.judge(Proofs::One(proof), &DpopTerms { method: METHOD, targets: &targets, now: NOW, token }, of)
}

fn signed(key: &PrivateKey, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let Ok(signature) = key.sign(message.as_bytes()) else {
        panic!("the key does not sign");
    };
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

fn thumbprint(key: &PrivateKey) -> KeyThumbprint {
    match KeyThumbprint::parse(key.public_jwk().thumbprint().as_str()) {
        Ok(thumbprint) => thumbprint,
        Err(error) => panic!("no thumbprint: {error}"),
    }
}

/// One key for the whole run, and its public half without a name.
fn key() -> &'static (PrivateKey, String) {
    static KEY: OnceLock<(PrivateKey, String)> = OnceLock::new();
    KEY.get_or_init(|| match PrivateKey::generate(Algorithm::Es256) {
        Ok((key, _)) => {
            let jwk = serde_json::to_string(&key.public_jwk()).unwrap_or_default();
            (key, jwk)
        }
        Err(error) => panic!("no key: {error}"),
    })
}
