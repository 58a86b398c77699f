//! Keys, proofs made by hand, and a judge to show them to.

use std::sync::LazyLock;

use procura_dpop::{DpopFault, DpopJudge, DpopRefusal, DpopTerms, Of, Owner, Proofs, TargetUri};
use procura_jose::digest::sha256;
use procura_jose::{Algorithm, PrivateKey, Random, base64url};
use procura_protocol::confirmation::KeyThumbprint;
use procura_protocol::time::UnixSeconds;
use serde_json::{Value, json};

pub(crate) const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
pub(crate) const TOKEN: &str = "token.of.somebody";

static KEYS: LazyLock<Vec<PrivateKey>> =
    LazyLock::new(|| Algorithm::ALL.map(|algorithm| PrivateKey::generate(algorithm).unwrap().0).into());

/// One key of each algorithm.
pub(crate) fn key(algorithm: Algorithm) -> &'static PrivateKey {
    KEYS.iter().find(|key| key.algorithm() == algorithm).unwrap()
}

pub(crate) fn thumbprint(key: &PrivateKey) -> KeyThumbprint {
    KeyThumbprint::parse(key.public_jwk().thumbprint().as_str()).unwrap()
}

pub(crate) fn header(key: &PrivateKey) -> Value {
    let mut jwk = serde_json::to_value(key.public_jwk()).unwrap();
    for member in ["kid", "alg", "use"] {
        jwk.as_object_mut().unwrap().remove(member);
    }
    json!({ "typ": "dpop+jwt", "alg": key.algorithm().as_str(), "jwk": jwk })
}

/// Of a POST to the token endpoint, now.
pub(crate) fn claims(jti: &str) -> Value {
    json!({ "jti": jti, "htm": "POST", "htu": "https://procura.example/token", "iat": NOW.0 })
}

pub(crate) fn signed(key: &PrivateKey, header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| base64url::encode(value.to_string().as_bytes());
    let input = format!("{}.{}", encode(header), encode(claims));
    let signature = key.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", base64url::encode(signature.as_ref()))
}

/// A good one, by this key.
pub(crate) fn proof(key: &PrivateKey, jti: &str) -> String {
    signed(key, &header(key), &claims(jti))
}

/// By the ES256 key, with claims that were changed.
pub(crate) fn changed(jti: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut claims = claims(jti);
    change(&mut claims);
    signed(key(Algorithm::Es256), &header(key(Algorithm::Es256)), &claims)
}

pub(crate) struct Constant(pub(crate) u8);

impl Random for Constant {
    fn fill(&self, out: &mut [u8]) {
        out.fill(self.0);
    }
}

/// One that began a minute ago and demands no nonces.
pub(crate) fn judge() -> DpopJudge {
    DpopJudge::new(false, 1_000, NOW.plus(-71), &Constant(1))
}

pub(crate) type Judged = Result<KeyThumbprint, DpopRefusal>;

pub(crate) const fn fault(fault: DpopFault) -> Judged {
    Err(DpopRefusal::Fault(fault))
}

/// What it says about the one proof of a POST to the token endpoint.
pub(crate) fn judged(judge: &DpopJudge, proof: &str) -> Judged {
    judged_at(judge, proof, NOW)
}

pub(crate) fn judged_at(judge: &DpopJudge, proof: &str, now: UnixSeconds) -> Judged {
    with_terms(judge, Proofs::One(proof.as_bytes()), (now, None), None)
}

/// The same at a resource: with the token, and the key that it is bound to.
pub(crate) fn judged_with_token(judge: &DpopJudge, proof: &str, key: KeyThumbprint) -> Judged {
    let token = Some(sha256(TOKEN.as_bytes()));
    with_terms(judge, Proofs::One(proof.as_bytes()), (NOW, token), Some(key))
}

pub(crate) fn with_terms(
    judge: &DpopJudge,
    proofs: Proofs<'_>,
    (now, token): (UnixSeconds, Option<[u8; 32]>),
    expected: Option<KeyThumbprint>,
) -> Judged {
    let targets = [TargetUri::parse("https://procura.example/token").expect("a URL")];
    let terms = DpopTerms { method: "POST", targets: &targets, now, token };
    judge.judge(proofs, &terms, Of { owner: Owner::of("app_1"), key: expected })
}
