//! FAPI 2.0 Security Profile: a token of the profile, as it was issued, at the server's own API. Whoever gets past the
//! guard with an application's own token is told that it names no contact. More of RFC 9449 7 is in
//! `rfc9449_resources`; that every answer has a `Date` is shown on the running binary.

use axum::body::Body;
use http::Request;
use http::header::AUTHORIZATION;
use procura_guard::PeerCertificate;
use procura_jose::Algorithm;
use procura_testkit::Answer;
use procura_testkit::clock::BEGINNING;
use procura_testkit::dpop::{Proof, ProofKey};
use procura_testkit::pki::{self, Issued};
use procura_testkit::world::ISSUER;
use serde_json::Value;

use crate::fapi2::{Fapi, WAYS, With};

const PATH: &str = "/clients";

/// What comes with a token.
struct Shown<'a> {
    scheme: &'a str,
    proofs: Vec<String>,
    certificate: Option<&'a Issued>,
}

async fn own_token(fapi: &Fapi) -> String {
    let answer = fapi.request("/token", "grant_type=client_credentials").to(&fapi.app).await;
    answer.text("access_token")
}

fn proof<'k>(key: &'k ProofKey, token: &str) -> Proof<'k> {
    key.for_request("GET", &format!("{ISSUER}{PATH}")).with_token(token)
}

/// As it must be shown.
fn right<'f>(fapi: &'f Fapi, token: &str) -> Shown<'f> {
    match fapi.way.1 {
        With::Key => {
            Shown { scheme: "DPoP", proofs: vec![proof(&fapi.proof_key, token).sign()], certificate: None }
        }
        With::Certificate => {
            Shown { scheme: "Bearer", proofs: Vec::new(), certificate: Some(&fapi.certificate) }
        }
    }
}

async fn show(fapi: &Fapi, token: &str, shown: Shown<'_>) -> Answer {
    let mut request = Request::get(PATH).header(AUTHORIZATION, format!("{} {token}", shown.scheme));
    for proof in &shown.proofs {
        request = request.header("dpop", proof);
    }
    if let Some(certificate) = shown.certificate {
        request = request.extension(PeerCertificate::of_der(&certificate.der));
    }
    fapi.app.send(request.body(Body::empty()).unwrap()).await
}

#[track_caller]
fn assert_passed(answer: &Answer, what: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.text("code").as_str()),
        (403, "no_contact"),
        "{what}: {answer:?}"
    );
}

#[track_caller]
fn assert_stopped(answer: &Answer, what: &str) {
    assert!([400, 401].contains(&answer.status.as_u16()), "{what}: {answer:?}");
}

#[tokio::test]
async fn a_token_is_taken_with_what_it_is_bound_to_and_with_nothing_less() {
    for way in WAYS {
        let fapi = Fapi::new(way);
        let token = own_token(&fapi).await;
        assert_passed(&show(&fapi, &token, right(&fapi, &token)).await, &format!("{way:?}"));
        for scheme in ["Bearer", "DPoP"] {
            let alone = Shown { scheme, proofs: Vec::new(), certificate: None };
            assert_stopped(&show(&fapi, &token, alone).await, &format!("{way:?}, {scheme} alone"));
        }
        let other = pki::self_signed(|_| {});
        let wrong = match way.1 {
            With::Key => Shown { scheme: "Bearer", ..right(&fapi, &token) },
            With::Certificate => Shown { certificate: Some(&other), ..right(&fapi, &token) },
        };
        assert_stopped(&show(&fapi, &token, wrong).await, &format!("{way:?}, downgraded"));
    }
}

#[tokio::test]
async fn a_scheme_has_no_case() {
    for way in WAYS {
        let fapi = Fapi::new(way);
        let token = own_token(&fapi).await;
        let usual = right(&fapi, &token).scheme;
        for scheme in [usual.to_lowercase(), usual.to_uppercase()] {
            let shown = Shown { scheme: &scheme, ..right(&fapi, &token) };
            assert_passed(&show(&fapi, &token, shown).await, &format!("{way:?}, {scheme}"));
        }
    }
}

#[tokio::test]
async fn a_proof_goes_with_its_token_its_request_and_its_moment() {
    let fapi = Fapi::new((With::Key, With::Key));
    let (token, another) = (own_token(&fapi).await, own_token(&fapi).await);
    let other_key = ProofKey::new(Algorithm::Es256);
    let by = |change: &dyn Fn(Proof<'_>) -> Proof<'_>| {
        let proofs = vec![change(proof(&fapi.proof_key, &token)).sign()];
        Shown { scheme: "DPoP", proofs, certificate: None }
    };
    let stopped = async |what: &str, shown| assert_stopped(&show(&fapi, &token, shown).await, what);
    stopped("no ath", by(&|proof| proof.claim("ath", Value::Null))).await;
    stopped("another token's", by(&|proof| proof.with_token(&another))).await;
    stopped("another method", by(&|proof| proof.claim("htm", "POST"))).await;
    stopped("another path", by(&|proof| proof.claim("htu", format!("{ISSUER}/contacts")))).await;
    stopped("another host", by(&|proof| proof.claim("htu", "https://other.example/clients"))).await;
    stopped("an hour ago", by(&|proof| proof.claim("iat", BEGINNING.0 - 3_600))).await;
    stopped("in an hour", by(&|proof| proof.claim("iat", BEGINNING.0 + 3_600))).await;
    stopped("another type", by(&|proof| proof.header("typ", "JWT"))).await;
    let foreign = vec![proof(&other_key, &token).sign()];
    stopped("another key", Shown { scheme: "DPoP", proofs: foreign, certificate: None }).await;
    let two = vec![proof(&fapi.proof_key, &token).sign(), proof(&fapi.proof_key, &token).sign()];
    stopped("two", Shown { scheme: "DPoP", proofs: two, certificate: None }).await;
    let once =
        by(&|proof| proof.claim("other", "ignored").claim("htu", "HTTPS://PROCURA.example:443/clients?a#b"));
    let again = Shown { scheme: "DPoP", proofs: once.proofs.clone(), certificate: None };
    assert_passed(&show(&fapi, &token, once).await, "once");
    stopped("again", again).await;
}
