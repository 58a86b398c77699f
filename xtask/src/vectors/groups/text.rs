//! The token as text: cut, stretched, written in another base64, or no JWT at all.

use procura_jose::base64url;

use crate::vectors::case::{Answer, Case};
use crate::vectors::keys::Keys;
use crate::vectors::recipe::{Edit, PartName, Recipe, Writing};

const GROUP: &str = "text";

pub(super) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = cut(keys);
    cases.extend(parts(keys));
    cases.extend(encodings(keys));
    cases.extend(characters(keys));
    cases
}

fn refused(name: &str, source: &'static str, recipe: Recipe) -> Case {
    Case::new(GROUP, name, source, recipe).answer(Answer::invalid_token())
}

fn cut(keys: &Keys) -> Vec<Case> {
    let keep = |part, characters| Recipe::valid(keys).then(Edit::Keep(part, characters));
    [
        ("the_header_is_empty", keep(PartName::Header, 0)),
        ("the_header_is_cut", keep(PartName::Header, 40)),
        ("the_claims_are_empty", keep(PartName::Claims, 0)),
        ("the_claims_are_cut", keep(PartName::Claims, 200)),
        ("the_signature_is_cut_to_half", keep(PartName::Signature, 43)),
        ("the_last_character_is_missing", keep(PartName::Signature, 85)),
        (
            "the_first_character_is_missing",
            Recipe::valid(keys).then(Edit::Replace(PartName::Header, {
                let kid = keys.kid("es256");
                base64url::encode(format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"at+jwt"}}"#).as_bytes())
                    [1..]
                    .to_owned()
            })),
        ),
    ]
    .into_iter()
    .map(|(name, recipe)| refused(name, "RFC 7515 5.2", recipe))
    .collect()
}

fn parts(keys: &Keys) -> Vec<Case> {
    let then = |edit| Recipe::valid(keys).then(edit);
    let jwe = [r#"{"alg":"ECDH-ES+A256KW","enc":"A256GCM"}"#, "encrypted key", "iv", "ciphertext", "tag"];
    let jwe = jwe.map(|part| base64url::encode(part.as_bytes())).join(".");
    let nested = Recipe::valid(keys).header("cty", "JWT");
    [
        ("one_part", then(Edit::Parts(1))),
        ("two_parts", then(Edit::Parts(2))),
        ("four_parts", then(Edit::Append(".e30"))),
        ("five_parts", then(Edit::Append(".e30.e30"))),
        ("an_encrypted_token", Recipe::raw(jwe)),
        ("a_dot_before_the_token", then(Edit::Prepend("."))),
        ("a_dot_after_the_token", then(Edit::Append("."))),
        ("two_dots_between_parts", then(Edit::Insert(PartName::Claims, 0, "."))),
        ("no_token_but_dots", Recipe::raw("..")),
        ("no_token_but_a_word", Recipe::raw("abc")),
        ("no_token_but_a_number_of_characters_like_an_opaque_one", Recipe::raw("2YotnFZFEjr1zCsicMWpAA")),
        ("a_secret_of_an_application", Recipe::raw(format!("pcs_{}", "A".repeat(43)))),
        (
            "a_token_inside_a_token",
            nested.edit_claims(|claims| {
                let header = base64url::encode(br#"{"alg":"none"}"#);
                format!("{header}.{}.", base64url::encode(claims.as_bytes()))
            }),
        ),
        ("longer_than_16_kib", Recipe::valid(keys).claim("padding", "x".repeat(12_000))),
        ("much_longer_than_16_kib", Recipe::raw("A".repeat(40_000))),
        ("very_many_dots", Recipe::raw(".".repeat(10_000))),
    ]
    .into_iter()
    .map(|(name, recipe)| refused(name, "RFC 7519 7.2", recipe))
    .collect()
}

/// Signed exactly as it is shown, so that nothing but the encoding is wrong.
fn encodings(keys: &Keys) -> Vec<Case> {
    let valid = || Recipe::valid(keys);
    // Characters whose base64 has + and /.
    let rich = || valid().claim("note", "~~~???>>>~~~~???");
    let header = || valid().header("note", "~~~???>>>~~~~???");
    [
        ("the_header_in_standard_base64", header().written(PartName::Header, Writing::Standard)),
        ("the_claims_in_standard_base64", rich().written(PartName::Claims, Writing::Standard)),
        ("the_signature_with_padding", valid().written(PartName::Signature, Writing::Padded)),
        (
            "the_header_with_spare_bits",
            valid().header("n", "12").written(PartName::Header, Writing::SpareBits),
        ),
        ("the_claims_with_spare_bits", valid().claim("n", "1").written(PartName::Claims, Writing::SpareBits)),
        ("the_signature_with_spare_bits", valid().written(PartName::Signature, Writing::SpareBits)),
        ("a_signature_in_hexadecimal", valid().then(Edit::Replace(PartName::Signature, "0f".repeat(64)))),
    ]
    .into_iter()
    .map(|(name, recipe)| refused(name, "RFC 7515 2", recipe))
    .collect()
}

/// Characters that no bearer token has (RFC 6750 2.1): the request is malformed, whatever the token.
fn characters(keys: &Keys) -> Vec<Case> {
    let valid = || Recipe::valid(keys);
    let insert = |part, text| valid().then(Edit::Insert(part, 10, text));
    let malformed =
        |name: &str, recipe| Case::new(GROUP, name, "RFC 6750 2.1", recipe).answer(Answer::malformed());
    vec![
        malformed(
            "the_header_with_padding",
            valid().header("n", "12").written(PartName::Header, Writing::Padded),
        ),
        malformed(
            "the_claims_with_padding",
            valid().claim("n", "1").written(PartName::Claims, Writing::Padded),
        ),
        malformed("a_space_in_the_header", insert(PartName::Header, " ")),
        malformed("a_space_in_the_claims", insert(PartName::Claims, " ")),
        malformed("a_space_in_the_signature", insert(PartName::Signature, " ")),
        malformed("a_tab_in_the_claims", insert(PartName::Claims, "\t")),
        malformed("a_line_feed_in_the_claims", insert(PartName::Claims, "\n")).unmakeable(),
        malformed("a_line_break_before_the_signature", insert(PartName::Signature, "\r\n")).unmakeable(),
        malformed("a_zero_in_the_claims", insert(PartName::Claims, "\u{0}")).unmakeable(),
        malformed("a_percent_sign_in_the_token", insert(PartName::Claims, "%2E")),
        malformed("a_token_in_the_json_serialization", Recipe::raw(r#"{"payload":"e30","signatures":[]}"#)),
        malformed("the_token_in_quotes", valid().then(Edit::Prepend("\"")).then(Edit::Append("\""))),
        malformed("a_comma_after_the_token", valid().then(Edit::Append(","))),
        malformed("a_semicolon_after_the_token", valid().then(Edit::Append(";"))),
    ]
}
