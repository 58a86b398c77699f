//! `exp`, `iat` and `nbf`, with five seconds between the clocks.

use serde_json::{Value, json};

use super::claims::wrong_values;
use crate::vectors::case::{Answer, Case, NOW};
use crate::vectors::keys::Keys;
use crate::vectors::recipe::Recipe;

const GROUP: &str = "time";

pub(super) fn cases(keys: &Keys) -> Vec<Case> {
    let valid = || Recipe::valid(keys);
    let mut cases = wrong_values(
        GROUP,
        "exp",
        "RFC 7519 4.1.4",
        valid,
        [
            ("long_past", json!(NOW - 86_400)),
            ("one_second_beyond_the_leeway", json!(NOW - 6)),
            ("at_the_end_of_the_leeway", json!(NOW - 5)),
            ("zero", json!(0)),
            ("negative", json!(-1)),
            ("text", json!((NOW + 3600).to_string())),
            ("a_date", json!("2031-05-01T00:00:00Z")),
            ("a_fraction", json!(1_795_406_186.5)),
            ("null", Value::Null),
            ("true", json!(true)),
            ("a_list", json!([NOW + 3600])),
        ],
    );
    cases.extend(wrong_values(
        GROUP,
        "iat",
        "RFC 7519 4.1.6",
        valid,
        [
            ("in_the_future", json!(NOW + 3600)),
            ("one_second_beyond_the_leeway", json!(NOW + 6)),
            ("text", json!(NOW.to_string())),
            ("a_fraction", json!(1_795_402_586.5)),
            ("null", Value::Null),
        ],
    ));
    let raw = |claim: &str, number: &str| {
        let value = valid().without(claim);
        value.edit_claims(|text| text.replacen('{', &format!("{{\"{claim}\":{number},"), 1))
    };
    let others = [
        ("nbf_is_in_the_future", "RFC 7519 4.1.5", valid().claim("nbf", NOW + 3600)),
        ("nbf_is_one_second_beyond_the_leeway", "RFC 7519 4.1.5", valid().claim("nbf", NOW + 6)),
        ("nbf_is_text", "RFC 7519 4.1.5", valid().claim("nbf", "0")),
        ("nbf_is_a_fraction", "RFC 7519 4.1.5", valid().claim("nbf", 0.5)),
        ("exp_is_infinite", "RFC 8259 6", raw("exp", "1e400")),
        ("exp_is_beyond_every_integer", "RFC 8259 6", raw("exp", "99999999999999999999")),
        ("exp_is_infinity_by_name", "RFC 8259 6", raw("exp", "Infinity")),
        ("exp_has_a_zero_before_it", "RFC 8259 6", raw("exp", "01795406186")),
    ];
    cases.extend(others.into_iter().map(|(name, source, recipe)| {
        Case::new(GROUP, name, source, recipe).answer(Answer::invalid_token())
    }));
    cases
}
