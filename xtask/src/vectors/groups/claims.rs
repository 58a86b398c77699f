//! Issuer, audience, token id, subject, and the shape of the claims as a whole.

use serde_json::{Value, json};

use crate::vectors::case::{AUDIENCE, Answer, Case, ISSUER, NOW};
use crate::vectors::keys::Keys;
use crate::vectors::recipe::Recipe;

pub(super) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = issuer(keys);
    cases.extend(audience(keys));
    cases.extend(identifiers(keys));
    cases.extend(version(keys));
    cases.extend(repeated(keys));
    cases.extend(shape(keys));
    cases.extend(other_tokens(keys));
    cases
}

fn refused(group: &'static str, name: &str, source: &'static str, recipe: Recipe) -> Case {
    Case::new(group, name, source, recipe).answer(Answer::invalid_token())
}

/// A case for each wrong value of one claim, and one in which it is missing.
pub(super) fn wrong_values<const N: usize>(
    group: &'static str,
    claim: &str,
    source: &'static str,
    valid: impl Fn() -> Recipe,
    values: [(&str, Value); N],
) -> Vec<Case> {
    let name = |what: &str| format!("the_claim_{claim}_is_{what}");
    let wrong = values
        .into_iter()
        .map(|(what, value)| refused(group, &name(what), source, valid().claim(claim, value)));
    wrong.chain([refused(group, &name("missing"), source, valid().without(claim))]).collect()
}

fn issuer(keys: &Keys) -> Vec<Case> {
    wrong_values(
        "issuer",
        "iss",
        "RFC 9068 4",
        || Recipe::valid(keys),
        [
            ("another", json!("https://attacker.example")),
            ("the_beginning_of_ours", json!("https://procura.exampl")),
            ("longer_than_ours", json!("https://procura.example.attacker.example")),
            ("ours_with_a_slash", json!("https://procura.example/")),
            ("ours_in_capitals", json!("HTTPS://PROCURA.EXAMPLE")),
            ("ours_without_tls", json!("http://procura.example")),
            ("ours_with_its_port", json!("https://procura.example:443")),
            ("ours_with_a_space", json!("https://procura.example ")),
            ("empty", json!("")),
            ("null", Value::Null),
            ("a_number", json!(1)),
            ("a_list", json!([ISSUER])),
        ],
    )
}

fn audience(keys: &Keys) -> Vec<Case> {
    wrong_values(
        "audience",
        "aud",
        "RFC 9068 4",
        || Recipe::valid(keys),
        [
            ("another_resource", json!("https://procura.example/api")),
            ("the_beginning_of_ours", json!("https://payments.exampl")),
            ("longer_than_ours", json!("https://payments.example.attacker.example")),
            ("ours_with_a_path", json!("https://payments.example/quotes")),
            ("ours_with_a_slash", json!("https://payments.example/")),
            ("ours_in_capitals", json!("HTTPS://PAYMENTS.EXAMPLE")),
            ("ours_without_tls", json!("http://payments.example")),
            ("the_issuer", json!(ISSUER)),
            ("the_application", json!("app_partner1")),
            ("a_list_of_ours", json!([AUDIENCE])),
            ("a_list_with_ours", json!(["https://other.example", AUDIENCE])),
            ("an_empty_list", json!([])),
            ("empty", json!("")),
            ("null", Value::Null),
            ("true", json!(true)),
            ("an_object", json!({ AUDIENCE: true })),
            ("everything", json!("*")),
        ],
    )
}

fn identifiers(keys: &Keys) -> Vec<Case> {
    let valid = || Recipe::valid(keys);
    let mut cases = wrong_values(
        "claims",
        "jti",
        "RFC 9068 2.2",
        valid,
        [
            ("a_number", json!(1)),
            ("null", Value::Null),
            ("a_list", json!(["xIdfcn1bGJvASnwdEzp18A"])),
            ("empty", json!("")),
        ],
    );
    cases.extend(wrong_values(
        "claims",
        "sub",
        "RFC 9068 2.2",
        valid,
        [
            ("null", Value::Null),
            ("a_number", json!(2002)),
            ("empty", json!("")),
            ("a_list", json!(["CON2002"])),
            ("the_application", json!("app_partner1")),
            ("another_application", json!("app_other")),
            ("a_path", json!("../CON2002")),
            ("dots", json!("..")),
            ("two_contacts", json!("CON2002 CON2003")),
            ("too_long", json!("C".repeat(65))),
            ("with_a_replacement_character", json!("CON\u{fffd}")),
        ],
    ));
    cases.extend(wrong_values(
        "claims",
        "client_id",
        "RFC 9068 2.2",
        valid,
        [
            ("null", Value::Null),
            ("a_number", json!(1)),
            ("empty", json!("")),
            ("a_list", json!(["app_partner1"])),
            ("a_contact", json!("CON2002")),
            ("a_client", json!("CLI1001")),
            ("another_application", json!("app_other")),
        ],
    ));
    cases.extend(wrong_values(
        "claims",
        "scope",
        "contract chapter 1",
        valid,
        [("null", Value::Null), ("a_number", json!(1)), ("a_list", json!(["openid"]))],
    ));
    cases
}

fn version(keys: &Keys) -> Vec<Case> {
    let raw = |number: &str| {
        Recipe::valid(keys).edit_claims(|text| text.replace("\"dv\":63", &format!("\"dv\":{number}")))
    };
    let mut cases = wrong_values(
        "claims",
        "dv",
        "contract chapter 8",
        || Recipe::valid(keys),
        [
            ("negative", json!(-1)),
            ("text", json!("63")),
            ("null", Value::Null),
            ("a_fraction", json!(63.5)),
            ("true", json!(true)),
            ("a_list", json!([63])),
        ],
    );
    cases.push(refused(
        "claims",
        "dv_is_beyond_every_integer",
        "contract chapter 8",
        raw("99999999999999999999"),
    ));
    cases.push(refused("claims", "dv_is_infinite", "RFC 8259 6", raw("1e400")));
    cases
}

/// A member that comes twice means one thing to one reader and another to the next.
fn repeated(keys: &Keys) -> Vec<Case> {
    let edited = |from: &str, to: &str| Recipe::valid(keys).edit_claims(|text| text.replacen(from, to, 1));
    let before = |added: &str| edited("{", &format!("{{{added},"));
    let after = |added: &str| {
        Recipe::valid(keys).edit_claims(|text| {
            text.strip_suffix('}').map_or(String::new(), |text| format!("{text},{added}}}"))
        })
    };
    [
        ("sub_twice", after(r#""sub":"CON9999""#)),
        ("sub_twice_and_alike", after(r#""sub":"CON2002""#)),
        ("sub_twice_and_one_escaped", after(r#""s\u0075b":"CON9999""#)),
        ("sub_twice_and_the_first_escaped", before(r#""\u0073ub":"CON9999""#)),
        ("exp_twice", before(r#""exp":1"#)),
        ("iss_twice", before(r#""iss":"https://attacker.example""#)),
        ("aud_twice", before(r#""aud":"https://other.example""#)),
        ("act_twice", after(r#""act":{"sub":"app_other"}"#)),
        ("client_id_twice", after(r#""client_id":"app_other""#)),
        ("jti_twice", after(r#""jti":"b-YJStPlyOtDJMDfRBBrdw""#)),
        ("dv_twice", after(r#""dv":99"#)),
        ("mandates_twice", after(r#""mandates":[{"clients":["CLI9999"],"permissions":[]}]"#)),
        ("act_sub_twice", edited(r#"{"sub":"app_partner1"}"#, r#"{"sub":"app_other","sub":"app_partner1"}"#)),
        ("clients_twice_in_a_mandate", edited(r#"{"clients":["#, r#"{"clients":["CLI9999"],"clients":["#)),
        (
            "permissions_twice_in_a_mandate",
            edited(r#""permissions":["#, r#""permissions":["can_trade"],"permissions":["#),
        ),
        ("an_unknown_claim_twice", after(r#""example":1,"example":1"#)),
    ]
    .into_iter()
    .map(|(name, recipe)| refused("repeated", name, "RFC 7519 4", recipe))
    .collect()
}

fn shape(keys: &Keys) -> Vec<Case> {
    let edited = |edit: fn(String) -> String| Recipe::valid(keys).edit_claims(edit);
    let bytes = |edit: fn(Vec<u8>) -> Vec<u8>| {
        let mut text = String::new();
        let recipe = Recipe::valid(keys).edit_claims(|claims| {
            text.clone_from(&claims);
            claims
        });
        recipe.claims_bytes(edit(text.into_bytes()))
    };
    let proto = Recipe::valid(keys).without("mandates");
    let proto =
        proto.claim("__proto__", json!({ "mandates": [{ "clients": ["CLI1001"], "permissions": [] }] }));
    [
        ("the_claims_are_a_list", edited(|text| format!("[{text}]"))),
        ("the_claims_are_text", edited(|text| json!(text).to_string())),
        ("the_claims_are_a_number", edited(|_| "1".to_owned())),
        ("the_claims_are_null", edited(|_| "null".to_owned())),
        ("the_claims_are_nothing", edited(|_| String::new())),
        ("the_claims_are_an_empty_object", edited(|_| "{}".to_owned())),
        ("the_claims_are_a_form", edited(|_| "sub=CON2002&client_id=app_partner1".to_owned())),
        ("something_after_the_claims", edited(|text| text + "{}")),
        ("a_zero_after_the_claims", edited(|text| text + "\u{0}")),
        ("a_byte_order_mark_before_the_claims", edited(|text| format!("\u{feff}{text}"))),
        ("a_comma_too_many_in_the_claims", edited(|text| text.replace(",\"dv\"", ",,\"dv\""))),
        ("a_comment_in_the_claims", edited(|text| text.replace("\"dv\"", "/* */\"dv\""))),
        ("single_quotes_in_the_claims", edited(|text| text.replace('"', "'"))),
        ("a_line_feed_in_a_text_of_the_claims", edited(|text| text.replace("CON2002", "CON\n2002"))),
        ("half_a_surrogate_in_the_claims", edited(|text| text.replace("CON2002", "\\ud800"))),
        ("not_a_number_in_the_claims", edited(|text| text.replace("\"dv\":63", "\"dv\":NaN"))),
        (
            "the_claims_nest_too_deep",
            edited(|text| text.replace("\"CON2002\"", &format!("{}{}", "[".repeat(5000), "]".repeat(5000)))),
        ),
        ("the_claims_in_utf_16", bytes(|text| text.into_iter().flat_map(|byte| [byte, 0]).collect())),
        (
            "a_byte_that_is_no_utf_8_in_the_claims",
            bytes(|mut text| {
                text.splice(1..1, *b"\"x\":\"\xff\",");
                text
            }),
        ),
        ("mandates_by_prototype", proto),
    ]
    .into_iter()
    .map(|(name, recipe)| refused("claims", name, "RFC 7519 7.2", recipe))
    .collect()
}

/// Right tokens of our own, but no access tokens of somebody for whom an application acts.
fn other_tokens(keys: &Keys) -> Vec<Case> {
    let id_claims = json!({
        "iss": ISSUER, "sub": "CON2002", "aud": "app_partner1", "iat": NOW - 14, "exp": NOW - 14 + 3600,
        "jti": "b-YJStPlyOtDJMDfRBBrdw", "act": { "sub": "app_partner1" },
        "acr": "urn:procura:acr:unattended",
        "clients": [{ "client_id": "CLI1001", "client_name": "Ceramika Bursztynowa Sp. z o.o." }],
    });
    let id_token = || Recipe::of_claims(keys, id_claims.clone()).header("typ", "JWT");
    let alone = || Recipe::application(keys);
    let no_contact = |name, recipe| {
        Case::new("other_tokens", name, "contract chapter 4", recipe).answer(Answer::forbidden("no_contact"))
    };
    vec![
        refused("other_tokens", "an_id_token", "RFC 8725 3.11", id_token()),
        refused(
            "other_tokens",
            "an_id_token_for_the_resource",
            "RFC 8725 3.11",
            id_token().claim("aud", AUDIENCE),
        ),
        refused(
            "other_tokens",
            "an_id_token_called_access_token",
            "RFC 8725 3.12",
            id_token().header("typ", "at+jwt"),
        ),
        no_contact("an_application_alone", alone()),
        no_contact("an_application_alone_without_client_id", alone()).target("/quotes"),
        no_contact("an_application_alone_where_a_person_is_demanded", alone()).person(),
        refused(
            "other_tokens",
            "an_application_alone_that_lists_clients",
            "contract chapter 4",
            alone().claim("mandates", json!([{ "clients": ["CLI1001"], "permissions": [] }])),
        ),
        refused(
            "other_tokens",
            "an_application_alone_that_acts",
            "contract chapter 4",
            alone().claim("act", json!({ "sub": "app_partner1" })),
        ),
        refused(
            "other_tokens",
            "an_application_alone_that_signed_in",
            "contract chapter 4",
            alone().claim("auth_time", NOW - 600),
        ),
        refused(
            "other_tokens",
            "another_application_than_the_subject",
            "contract chapter 4",
            alone().claim("sub", "app_other"),
        ),
        refused(
            "other_tokens",
            "an_expired_token_of_an_application",
            "RFC 7519 4.1.4",
            alone().claim("exp", NOW - 60),
        ),
        refused(
            "other_tokens",
            "a_contact_without_clients_or_actor",
            "contract chapter 4",
            alone().claim("sub", "CON2002"),
        ),
    ]
}
