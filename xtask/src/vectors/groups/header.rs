//! Other members of the header: which key, which type, what else must be understood.

use serde_json::{Value, json};

use crate::vectors::case::{Answer, Case};
use crate::vectors::keys::Keys;
use crate::vectors::recipe::Recipe;

const GROUP: &str = "header";

pub(super) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = kid(keys);
    cases.extend(brought_along(keys));
    cases.extend(typ(keys));
    cases.extend(critical(keys));
    cases.extend(shape(keys));
    cases
}

fn refused(name: &str, source: &'static str, recipe: Recipe) -> Case {
    Case::new(GROUP, name, source, recipe).answer(Answer::invalid_token())
}

fn kid(keys: &Keys) -> Vec<Case> {
    let kid = keys.kid("es256");
    let values: [(&str, Value); 15] = [
        ("unknown", json!("n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg")),
        ("null", Value::Null),
        ("a_number", json!(0)),
        ("a_list", json!([kid])),
        ("an_object", json!({ "kid": kid })),
        ("empty", json!("")),
        ("a_path", json!("../../../../dev/null")),
        ("an_address", json!("https://attacker.example/jwks")),
        ("a_query", json!("' UNION SELECT 'attacker' --")),
        ("a_command", json!("/etc/passwd|whoami")),
        ("in_capitals", json!(kid.to_uppercase())),
        ("followed_by_a_space", json!(format!("{kid} "))),
        ("followed_by_a_zero", json!(format!("{kid}\u{0}"))),
        ("cut_short", json!(kid[..42])),
        ("very_long", json!("k".repeat(4096))),
    ];
    let mut cases: Vec<Case> = values
        .into_iter()
        .map(|(name, value)| {
            refused(&format!("kid_is_{name}"), "RFC 7515 4.1.4", Recipe::valid(keys).header("kid", value))
        })
        .collect();
    let retired = Recipe::valid(keys).signed_by(keys, "retired_not_in_jwks");
    let foreign = || Recipe::valid(keys).signed_by(keys, "foreign_es256");
    cases.extend([
        refused("kid_is_missing", "contract chapter 5", Recipe::valid(keys).without_header("kid")),
        refused("a_retired_key", "contract chapter 5", retired),
        refused("a_foreign_key_and_its_kid", "RFC 8725 3.10", foreign()),
        refused("a_foreign_key_without_kid", "RFC 8725 3.10", foreign().without_header("kid")),
        refused("a_foreign_key_under_our_kid", "RFC 8725 3.10", foreign().header("kid", kid)),
    ]);
    cases
}

/// Keys that the token brings along, and where it says they are.
fn brought_along(keys: &Keys) -> Vec<Case> {
    let foreign = || Recipe::valid(keys).key("foreign_es256");
    let jwk = || keys.public("foreign_es256").clone();
    let with_kid = |kid: &str| {
        let mut jwk = jwk();
        jwk["kid"] = json!(kid);
        jwk
    };
    let theirs = keys.kid("foreign_es256").to_owned();
    let ours = keys.kid("es256").to_owned();
    let url = "https://attacker.example/jwks";
    let data = format!("data:application/json,{}", json!({ "keys": [jwk()] }));
    let public = Recipe::valid(keys).header("jwk", keys.public("es256").clone());
    [
        ("jwk_in_the_header_and_our_kid", foreign().header("jwk", jwk())),
        ("jwk_in_the_header_and_its_kid", foreign().header("jwk", jwk()).header("kid", theirs.clone())),
        ("jwk_in_the_header_and_no_kid", foreign().header("jwk", jwk()).without_header("kid")),
        ("jwk_in_the_header_that_takes_our_kid", foreign().header("jwk", with_kid(&ours))),
        ("our_own_jwk_in_the_header_without_kid", public.without_header("kid")),
        ("jku_in_the_header_and_our_kid", foreign().header("jku", url)),
        ("jku_in_the_header_and_its_kid", foreign().header("jku", url).header("kid", theirs.clone())),
        ("jku_that_holds_the_keys", foreign().header("jku", data).header("kid", theirs.clone())),
        (
            "jku_that_begins_like_the_issuer",
            foreign()
                .header("jku", "https://procura.example@attacker.example/jwks")
                .header("kid", theirs.clone()),
        ),
        (
            "x5u_in_the_header",
            foreign().header("x5u", "https://attacker.example/chain.pem").header("kid", theirs.clone()),
        ),
        (
            "x5c_in_the_header",
            foreign().header("x5c", json!(["MIIBszCCAVmgAwIBAgIUattacker"])).header("kid", theirs.clone()),
        ),
        (
            "x5t_in_the_header",
            foreign().header("x5t#S256", "bfV4ZHyuVUXMuVzQvkLCTBSIBh0VWCcCWJsc1T9vCBs").header("kid", theirs),
        ),
    ]
    .into_iter()
    .map(|(name, recipe)| refused(name, "RFC 8725 3.10", recipe))
    .collect()
}

fn typ(keys: &Keys) -> Vec<Case> {
    let values: [(&str, Value); 14] = [
        ("jwt", json!("JWT")),
        ("id_token", json!("id_token+jwt")),
        ("logout_token", json!("logout+jwt")),
        ("dpop_proof", json!("dpop+jwt")),
        ("security_event", json!("secevent+jwt")),
        ("client_assertion", json!("client-authentication+jwt")),
        ("introspection", json!("token-introspection+jwt")),
        ("empty", json!("")),
        ("null", Value::Null),
        ("a_number", json!(1)),
        ("a_list", json!(["at+jwt"])),
        ("with_another_type_before_it", json!("text/at+jwt")),
        ("with_a_space_before_it", json!(" at+jwt")),
        ("with_a_parameter", json!("at+jwt;v=1")),
    ];
    let mut cases: Vec<Case> = values
        .into_iter()
        .map(|(name, value)| {
            refused(&format!("typ_is_{name}"), "RFC 8725 3.11", Recipe::valid(keys).header("typ", value))
        })
        .collect();
    cases.push(refused("typ_is_missing", "RFC 9068 4", Recipe::valid(keys).without_header("typ")));
    cases
}

fn critical(keys: &Keys) -> Vec<Case> {
    let crit = |value: Value| Recipe::valid(keys).header("crit", value);
    [
        ("crit_that_names_an_extension", crit(json!(["example"])).header("example", true)),
        ("crit_that_names_exp", crit(json!(["exp"])).header("exp", 1)),
        ("crit_that_names_b64", crit(json!(["b64"])).header("b64", true)),
        ("crit_that_is_empty", crit(json!([]))),
        ("crit_that_is_null", crit(Value::Null)),
        ("crit_that_is_text", crit(json!("exp"))),
    ]
    .into_iter()
    .map(|(name, recipe)| refused(name, "RFC 7515 4.1.11", recipe))
    .collect()
}

fn shape(keys: &Keys) -> Vec<Case> {
    let edited = |edit: fn(String) -> String| Recipe::valid(keys).edit_header(edit);
    let kid = format!(",\"kid\":\"{}\"", keys.kid("foreign_es256"));
    let twice = Recipe::valid(keys).edit_header(|text| text.replace('}', &(kid + "}")));
    [
        ("alg_twice_in_the_header", edited(|text| text.replace('{', "{\"alg\":\"none\","))),
        ("alg_twice_and_one_escaped", edited(|text| text.replace('{', "{\"\\u0061lg\":\"none\","))),
        ("alg_twice_and_alike", edited(|text| text.replace('{', "{\"alg\":\"ES256\","))),
        ("kid_twice_in_the_header", twice),
        ("typ_twice_in_the_header", edited(|text| text.replace('}', ",\"typ\":\"JWT\"}"))),
        ("a_member_twice_deep_in_the_header", edited(|text| text.replace('}', ",\"x\":{\"a\":1,\"a\":1}}"))),
        ("the_header_is_a_list", edited(|text| format!("[{text}]"))),
        ("the_header_is_text", edited(|text| json!(text).to_string())),
        ("the_header_is_null", edited(|_| "null".to_owned())),
        ("the_header_is_no_json", edited(|_| "alg=ES256".to_owned())),
        ("something_after_the_header", edited(|text| text + "{}")),
        ("the_header_breaks_off", edited(|text| text.replace('}', ""))),
        (
            "the_header_nests_too_deep",
            edited(|text| text.replace("\"at+jwt\"", &format!("{}{}", "[".repeat(5000), "]".repeat(5000)))),
        ),
    ]
    .into_iter()
    .map(|(name, recipe)| refused(name, "RFC 7515 4", recipe))
    .collect()
}
