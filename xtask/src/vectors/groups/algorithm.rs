//! Tokens that try to choose how they are verified (RFC 8725 2.1).

use serde_json::{Value, json};

use crate::vectors::case::{Answer, Case};
use crate::vectors::keys::Keys;
use crate::vectors::recipe::{Edit, KnownBytes, Recipe, Signature};

const GROUP: &str = "algorithm";

pub(super) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = unsigned(keys);
    cases.extend(symmetric(keys));
    cases.extend(named(keys));
    cases.extend(others_key(keys));
    cases
}

fn refused(name: &str, source: &'static str, recipe: Recipe) -> Case {
    Case::new(GROUP, name, source, recipe).answer(Answer::invalid_token())
}

fn unsigned(keys: &Keys) -> Vec<Case> {
    let nothing = || Signature::Bytes(String::new());
    let mut cases: Vec<Case> = ["none", "None", "NONE", "nOnE"]
        .into_iter()
        .enumerate()
        .map(|(number, alg)| {
            let recipe = Recipe::valid(keys).header("alg", alg).signature(nothing());
            refused(&format!("alg_none_spelled_{number}"), "RFC 8725 3.1", recipe)
        })
        .collect();
    let none = || Recipe::valid(keys).header("alg", "none");
    cases.extend([
        refused("alg_none_with_a_real_signature", "RFC 8725 3.1", none()),
        refused("alg_none_without_kid", "RFC 8725 3.1", none().without_header("kid").signature(nothing())),
        refused("alg_none_without_the_last_dot", "RFC 7515 3.1", none().then(Edit::Parts(2))),
        refused("no_signature", "RFC 7515 5.2", Recipe::valid(keys).signature(nothing())),
    ]);
    cases
}

/// HMAC under what everybody can fetch.
fn symmetric(keys: &Keys) -> Vec<Case> {
    let known = [
        ("no_bytes", KnownBytes::Nothing),
        ("the_public_pem", KnownBytes::SpkiPem),
        ("the_public_pem_without_line_feed", KnownBytes::SpkiPemWithoutLineFeed),
        ("the_public_der", KnownBytes::SpkiDer),
        ("the_public_jwk", KnownBytes::Jwk),
        ("the_kid", KnownBytes::Kid),
        ("the_first_number", KnownBytes::FirstNumber),
        ("the_text_of_the_first_number", KnownBytes::FirstNumberText),
        ("the_point", KnownBytes::Point),
    ];
    let signed = |key: &'static str, bytes| {
        let recipe = Recipe::valid(keys).signed_by(keys, key).header("alg", "HS256");
        recipe.signature(Signature::Hmac(bytes))
    };
    let mut cases: Vec<Case> = ["es256", "rs256", "eddsa"]
        .into_iter()
        .flat_map(|key| known.map(|(name, bytes)| (key, name, bytes)))
        .filter(|(key, _, bytes)| *key == "es256" || *bytes != KnownBytes::Point)
        .map(|(key, name, bytes)| {
            refused(&format!("hs256_under_{name}_of_{key}"), "RFC 8725 2.1", signed(key, bytes))
        })
        .collect();
    let es256 = || signed("es256", KnownBytes::SpkiPem);
    cases.extend([
        refused("hs256_without_kid", "RFC 8725 2.1", es256().without_header("kid")),
        refused("hs384_of_32_bytes", "RFC 8725 2.1", es256().header("alg", "HS384")),
        refused("hs512_of_32_bytes", "RFC 8725 2.1", es256().header("alg", "HS512")),
        refused("hs256_bytes_called_es256", "RFC 8725 2.1", es256().header("alg", "ES256")),
    ]);
    cases
}

/// A right signature under another name.
fn named(keys: &Keys) -> Vec<Case> {
    let values: [(&str, Value); 14] = [
        ("small_letters", json!("es256")),
        ("a_space_after_it", json!("ES256 ")),
        ("nothing", json!("")),
        ("null", Value::Null),
        ("a_number", json!(256)),
        ("a_list", json!(["ES256"])),
        ("es256k", json!("ES256K")),
        ("es384", json!("ES384")),
        ("es512", json!("ES512")),
        ("rs1", json!("RS1")),
        ("ecdh_es", json!("ECDH-ES")),
        ("dir", json!("dir")),
        ("a_uri", json!("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256")),
        ("a_zero_after_it", json!("ES256\u{0}")),
    ];
    let mut cases: Vec<Case> = values
        .into_iter()
        .map(|(name, alg)| {
            let recipe = Recipe::valid(keys).header("alg", alg);
            refused(&format!("alg_is_{name}"), "RFC 8725 3.1", recipe)
        })
        .collect();
    cases.push(refused("alg_is_missing", "RFC 7515 4.1.1", Recipe::valid(keys).without_header("alg")));
    cases
}

/// Algorithms of ours, and a key that is for another.
fn others_key(keys: &Keys) -> Vec<Case> {
    let of = |key: &'static str| Recipe::valid(keys).signed_by(keys, key);
    let kid = |key: &str| keys.kid(key).to_owned();
    [
        ("ps256_by_the_key_for_rs256", of("rs256").header("alg", "PS256").signature(Signature::By("PS256"))),
        ("rs256_by_the_key_for_ps256", of("ps256").header("alg", "RS256").signature(Signature::By("RS256"))),
        ("rs256_called_ps256", of("rs256").header("alg", "PS256")),
        ("es256_called_eddsa", of("es256").header("alg", "EdDSA")),
        ("es256_called_ed25519", of("es256").header("alg", "Ed25519")),
        ("eddsa_called_es256", of("eddsa").header("alg", "ES256")),
        ("eddsa_called_ed25519", of("eddsa").header("alg", "Ed25519")),
        ("rs256_called_rs384", of("rs256").header("alg", "RS384")),
        ("rs256_called_rs512", of("rs256").header("alg", "RS512")),
        ("ps256_called_ps384", of("ps256").header("alg", "PS384")),
        ("es256_with_the_kid_of_rs256", of("es256").header("kid", kid("rs256"))),
        ("es256_with_the_kid_of_eddsa", of("es256").header("kid", kid("eddsa"))),
        ("rs256_with_the_kid_of_es256", of("rs256").header("kid", kid("es256"))),
        ("rs256_with_the_kid_of_ps256", of("rs256").header("kid", kid("ps256"))),
        ("eddsa_with_the_kid_of_es256", of("eddsa").header("kid", kid("es256"))),
        ("an_es256_signature_in_an_rs256_token", of("rs256").key("es256")),
    ]
    .into_iter()
    .map(|(name, recipe)| refused(name, "RFC 8725 3.1", recipe))
    .collect()
}
