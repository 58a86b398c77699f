//! The third part: another length, another shape, another message.

use procura_jose::base64url;
use serde_json::json;

use crate::vectors::case::{Answer, Case};
use crate::vectors::keys::Keys;
use crate::vectors::recipe::{Recipe, Signature, Turn};

const GROUP: &str = "signature";

pub(super) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = shapes(keys);
    cases.extend(messages(keys));
    cases
}

fn refused(name: &str, source: &'static str, recipe: Recipe) -> Case {
    Case::new(GROUP, name, source, recipe).answer(Answer::invalid_token())
}

fn shapes(keys: &Keys) -> Vec<Case> {
    let of = |key: &'static str| Recipe::valid(keys).signed_by(keys, key);
    let bytes = |key, bytes: &[u8]| of(key).signature(Signature::Bytes(base64url::encode(bytes)));
    let turned = |key, turn| of(key).signature(Signature::Turned(turn));
    let mut one = vec![0; 256];
    one[255] = 1;
    [
        ("es256_of_zeros", "RFC 7518 3.4", bytes("es256", &[0; 64])),
        ("es256_of_ones", "RFC 7518 3.4", bytes("es256", &[0xff; 64])),
        ("es256_of_one_byte", "RFC 7518 3.4", bytes("es256", &[0])),
        ("es256_with_r_zero", "RFC 7518 3.4", turned("es256", Turn::ZeroR)),
        ("es256_with_s_zero", "RFC 7518 3.4", turned("es256", Turn::ZeroS)),
        ("es256_as_der", "RFC 7518 3.4", turned("es256", Turn::Der)),
        ("es256_with_s_before_r", "RFC 7518 3.4", turned("es256", Turn::Swapped)),
        ("es256_with_a_zero_before_it", "RFC 7518 3.4", turned("es256", Turn::LedByZero)),
        ("es256_with_a_zero_after_it", "RFC 7518 3.4", turned("es256", Turn::TrailedByZero)),
        ("es256_without_its_last_byte", "RFC 7518 3.4", turned("es256", Turn::Short)),
        ("es256_with_one_bit_changed", "RFC 7518 3.4", turned("es256", Turn::OneBit)),
        ("rs256_of_zeros", "RFC 8017 8.2.2", bytes("rs256", &[0; 256])),
        ("rs256_of_the_number_one", "RFC 8017 8.2.2", bytes("rs256", &one)),
        ("rs256_with_a_zero_before_it", "RFC 8017 8.2.2", turned("rs256", Turn::LedByZero)),
        ("rs256_with_one_bit_changed", "RFC 8017 8.2.2", turned("rs256", Turn::OneBit)),
        ("ps256_of_zeros", "RFC 8017 8.1.2", bytes("ps256", &[0; 256])),
        ("ps256_with_one_bit_changed", "RFC 8017 8.1.2", turned("ps256", Turn::OneBit)),
        ("eddsa_of_zeros", "RFC 8032 5.1.7", bytes("eddsa", &[0; 64])),
        ("eddsa_with_the_order_added_to_s", "RFC 8032 5.1.7", turned("eddsa", Turn::RaisedS)),
        ("eddsa_with_one_bit_changed", "RFC 8032 5.1.7", turned("eddsa", Turn::OneBit)),
        ("eddsa_without_its_last_byte", "RFC 8032 5.1.7", turned("eddsa", Turn::Short)),
    ]
    .into_iter()
    .map(|(name, source, recipe)| refused(name, source, recipe))
    .collect()
}

/// A right signature over something else.
fn messages(keys: &Keys) -> Vec<Case> {
    let signed = || Recipe::valid(keys).seal();
    let mandates = json!([{ "clients": ["CLI1001"], "permissions": ["can_authorise_payments"] }]);
    [
        ("the_signature_of_another_token", signed().claim("jti", "b-YJStPlyOtDJMDfRBBrdw")),
        ("another_contact_than_was_signed", signed().claim("sub", "CON9999")),
        ("more_permissions_than_were_signed", signed().claim("mandates", mandates)),
        ("a_later_exp_than_was_signed", signed().claim("exp", 1_895_402_600)),
        ("another_header_than_was_signed", signed().header("typ", "application/at+jwt")),
        ("a_header_member_that_was_not_signed", signed().header("example", 1)),
        (
            "the_kid_was_not_signed",
            Recipe::valid(keys).without_header("kid").seal().header("kid", keys.kid("es256")),
        ),
        (
            "a_claim_less_than_was_signed",
            Recipe::valid(keys).claim("cnf", json!({ "jkt": "x" })).seal().without("cnf"),
        ),
        ("a_space_that_was_not_signed", signed().edit_claims(|text| format!("{text} "))),
    ]
    .into_iter()
    .map(|(name, recipe)| refused(name, "RFC 7515 5.2", recipe))
    .collect()
}
