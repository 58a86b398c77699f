//! `cnf`: a token that is bound to a certificate or a key is nobody's without the proof.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use procura_jose::base64url;
use procura_jose::digest::sha256;
use serde_json::{Value, json};

use crate::vectors::case::{Answer, CLI1001_MAY, Case, NOW};
use crate::vectors::keys::Keys;
use crate::vectors::numbers::with_spare_bits;
use crate::vectors::recipe::Recipe;

const GROUP: &str = "cnf";

/// The certificate that the caller holds, and one of somebody else.
const CALLER: &str = "caller";
const OTHER: &str = "other";

pub(super) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = right(keys);
    cases.extend(wrong_certificate(keys));
    cases.extend(other_proofs(keys));
    cases.extend(other_shapes(keys));
    cases
}

fn refused(name: &str, source: &'static str, recipe: Recipe) -> Case {
    Case::new(GROUP, name, source, recipe).answer(Answer::invalid_token())
}

fn bound(keys: &Keys, recipe: Recipe) -> Recipe {
    recipe.claim("cnf", json!({ "x5t#S256": keys.certificates.thumbprint(CALLER) }))
}

fn right(keys: &Keys) -> Vec<Case> {
    let case = |name, recipe| Case::new(GROUP, name, "RFC 8705 3", recipe).certificate(CALLER);
    vec![
        case("bound_to_the_callers_certificate", bound(keys, Recipe::valid(keys))),
        case("bound_to_the_callers_certificate_and_a_permission", bound(keys, Recipe::valid(keys)))
            .permission("can_trade"),
        case("somebody_who_signed_in_bound_to_the_callers_certificate", bound(keys, Recipe::person(keys)))
            .answer(Answer::person("CLI1001", &CLI1001_MAY)),
        case("not_bound_and_with_a_certificate", Recipe::valid(keys)),
        case("an_application_alone_bound_to_its_certificate", bound(keys, Recipe::application(keys)))
            .answer(Answer::forbidden("no_contact")),
        case("bound_to_the_callers_certificate_and_another_client", bound(keys, Recipe::valid(keys)))
            .target("/quotes?client_id=CLI9001")
            .answer(Answer::client_not_allowed()),
    ]
}

fn wrong_certificate(keys: &Keys) -> Vec<Case> {
    let valid = || bound(keys, Recipe::valid(keys));
    let source = "RFC 8705 3";
    let der = STANDARD.encode(keys.certificates.der(CALLER));
    vec![
        refused("bound_to_a_certificate", source, valid()),
        refused("bound_to_another_certificate", source, valid()).certificate(OTHER),
        refused("somebody_who_signed_in_bound_to_another_certificate", source, {
            bound(keys, Recipe::person(keys))
        })
        .certificate(OTHER),
        refused("an_application_alone_bound_to_another_certificate", source, {
            bound(keys, Recipe::application(keys))
        })
        .certificate(OTHER),
        refused("bound_to_the_callers_certificate_and_expired", "RFC 7519 4.1.4", {
            valid().claim("exp", NOW - 60)
        })
        .certificate(CALLER),
        refused("bound_to_a_certificate_in_a_header_alone", "RFC 9440 4", valid())
            .header("client-cert", &format!(":{der}:")),
        refused(
            "bound_to_a_certificate_and_another_in_the_handshake_than_in_a_header",
            "RFC 9440 4",
            valid(),
        )
        .header("client-cert", &format!(":{der}:"))
        .certificate(OTHER),
    ]
}

/// Proofs that are not of a certificate.
fn other_proofs(keys: &Keys) -> Vec<Case> {
    let digest = "bfV4ZHyuVUXMuVzQvkLCTBSIBh0VWCcCWJsc1T9vCBs";
    let values: [(&str, Value); 7] = [
        ("a_key", json!({ "jkt": digest })),
        ("something_unknown", json!({ "example": digest })),
        ("nothing", json!({})),
        ("null", Value::Null),
        ("false", json!(false)),
        ("empty_text", json!("")),
        ("an_empty_list", json!([])),
    ];
    let mut cases: Vec<Case> = values
        .into_iter()
        .map(|(name, value)| {
            let recipe = Recipe::valid(keys).claim("cnf", value);
            refused(&format!("bound_to_{name}"), "RFC 7800 3.1", recipe)
        })
        .collect();
    let person = Recipe::person(keys).claim("cnf", json!({ "jkt": digest }));
    let alone = Recipe::application(keys).claim("cnf", json!({ "jkt": digest }));
    let by_dpop = Recipe::valid(keys).claim("cnf", json!({ "jkt": digest }));
    cases.extend([
        refused("somebody_who_signed_in_bound_to_a_key", "RFC 9449 6", person),
        refused("an_application_alone_bound_to_a_key", "RFC 9449 6", alone),
        refused("bound_to_a_key_and_sent_as_dpop_would", "RFC 9449 7.1", by_dpop)
            .header("dpop", "e30.e30.AAAA"),
    ]);
    cases
}

/// The caller holds a certificate, and `cnf` does not name it as RFC 8705 says.
fn other_shapes(keys: &Keys) -> Vec<Case> {
    let der = keys.certificates.der(CALLER);
    let digest = sha256(der);
    let right = keys.certificates.thumbprint(CALLER);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let named = |value: Value| json!({ "x5t#S256": value });
    let values: [(&str, Value); 20] = [
        ("and_a_key", json!({ "x5t#S256": right, "jkt": right })),
        ("and_something_unknown", json!({ "x5t#S256": right, "example": 1 })),
        ("and_null", json!({ "x5t#S256": right, "jkt": null })),
        ("by_sha_1s_name", json!({ "x5t": right })),
        ("by_a_name_in_small_letters", json!({ "x5t#s256": right })),
        ("as_text_alone", json!(right)),
        ("in_a_list", json!([named(json!(right))])),
        ("by_a_list", named(json!([right]))),
        ("by_an_object", named(json!({ "x5t#S256": right }))),
        ("by_null", named(Value::Null)),
        ("by_nothing", named(json!(""))),
        ("in_hexadecimal", named(json!(hex))),
        ("padded", named(json!(URL_SAFE.encode(digest)))),
        ("with_spare_bits", named(json!(with_spare_bits(&right, digest.len())))),
        ("followed_by_a_space", named(json!(format!("{right} ")))),
        ("without_its_last_character", named(json!(right[..42]))),
        ("by_half_its_digest", named(json!(base64url::encode(&digest[..16])))),
        ("by_its_bytes", named(json!(base64url::encode(der)))),
        ("by_a_digest_of_its_digest", named(json!(base64url::encode(&sha256(&digest))))),
        ("in_an_object_of_that_name", json!({ "cnf": named(json!(right)) })),
    ];
    let case = |(name, value): (&str, Value)| {
        let recipe = Recipe::valid(keys).claim("cnf", value);
        refused(&format!("bound_to_the_callers_certificate_{name}"), "RFC 8705 3.1", recipe)
            .certificate(CALLER)
    };
    let shown_unbound =
        [("a_key", json!({ "jkt": right })), ("an_empty_cnf", json!({})), ("null", Value::Null)].map(
            |(name, value)| {
                let recipe = Recipe::valid(keys).claim("cnf", value);
                refused(&format!("bound_to_{name}_and_with_a_certificate"), "RFC 7800 3.1", recipe)
                    .certificate(CALLER)
            },
        );
    let other = keys.certificates.thumbprint(OTHER);
    let two = bound(keys, Recipe::valid(keys)).edit_claims(|claims| {
        claims.replacen(r#""x5t#S256""#, &format!(r#""x5t#S256":"{other}","x5t#S256""#), 1)
    });
    let twice = Case::new("repeated", "bound_to_two_certificates", "RFC 7519 4", two)
        .certificate(CALLER)
        .answer(Answer::invalid_token());
    values.into_iter().map(case).chain(shown_unbound).chain([twice]).collect()
}
