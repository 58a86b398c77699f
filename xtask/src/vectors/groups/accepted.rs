//! What is accepted, so that a verifier that refuses everything does not pass.

use serde_json::json;

use crate::vectors::case::{Answer, CLI1001_MAY, Case, NOW};
use crate::vectors::keys::Keys;
use crate::vectors::recipe::{Recipe, Signature, Turn};

const GROUP: &str = "accepted";
const PERMISSIONS: [&str; 10] = [
    "can_authorise_payments",
    "can_make_same_currency_payments",
    "can_manage_beneficiaries",
    "can_manage_beneficiaries_groups",
    "can_manage_contacts",
    "can_manage_fix_forwards",
    "can_manage_multipayments",
    "can_manage_payments",
    "can_manage_permissions",
    "can_trade",
];

pub(super) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = vec![
        Case::new(GROUP, "a_valid_token_and_one_of_its_clients", "contract chapter 1", Recipe::valid(keys)),
        Case::new(GROUP, "another_client_of_the_same_group", "contract chapter 1", Recipe::valid(keys))
            .target("/quotes?client_id=CLI1003")
            .answer(Answer::acting("CLI1003", &CLI1001_MAY)),
        Case::new(GROUP, "reading_with_empty_permissions", "contract chapter 1", Recipe::valid(keys))
            .target("/quotes?client_id=CLI1002")
            .answer(Answer::acting("CLI1002", &[])),
        Case::new(GROUP, "somebody_who_signed_in", "contract chapter 4", Recipe::person(keys))
            .answer(Answer::person("CLI1001", &CLI1001_MAY)),
        Case::new(
            GROUP,
            "somebody_who_signed_in_where_a_person_is_demanded",
            "contract chapter 4",
            Recipe::person(keys),
        )
        .person()
        .answer(Answer::person("CLI1001", &CLI1001_MAY)),
    ];
    cases.extend(permissions(keys));
    cases.extend(tokens(keys));
    cases.extend(requests(keys));
    cases
}

fn permissions(keys: &Keys) -> impl Iterator<Item = Case> {
    PERMISSIONS.into_iter().map(|permission| {
        let mandates = json!([{ "clients": ["CLI1001"], "permissions": [permission] }]);
        let recipe = Recipe::valid(keys).claim("mandates", mandates);
        Case::new(GROUP, &format!("a_route_that_asks_for_{permission}"), "contract chapter 4", recipe)
            .permission(permission)
            .answer(Answer::acting("CLI1001", &[permission]))
    })
}

fn tokens(keys: &Keys) -> Vec<Case> {
    let valid = || Recipe::valid(keys);
    let sixty_four: Vec<String> = (1001..1065).map(|number| format!("CLI{number}")).collect();
    let mandates = json!([{ "clients": sixty_four, "permissions": CLI1001_MAY }]);
    [
        ("a_token_signed_with_rs256", "RFC 7518 3.3", valid().signed_by(keys, "rs256")),
        ("a_token_signed_with_ps256", "RFC 7518 3.5", valid().signed_by(keys, "ps256")),
        ("a_token_signed_with_eddsa", "RFC 8037 3.1", valid().signed_by(keys, "eddsa")),
        ("typ_with_application_before_it", "RFC 7515 4.1.9", valid().header("typ", "application/at+jwt")),
        ("typ_in_capitals", "RFC 7515 4.1.9", valid().header("typ", "AT+JWT")),
        ("a_header_member_that_nobody_knows", "RFC 7515 4", valid().header("example", "is ignored")),
        ("a_claim_that_nobody_knows", "RFC 7519 4", valid().claim("example", json!({ "is": ["ignored"] }))),
        (
            "a_key_set_address_that_is_not_followed",
            "RFC 8725 3.10",
            valid().header("jku", "https://attacker.example/jwks"),
        ),
        (
            "the_other_s_of_an_es256_signature",
            "RFC 6979 2.4",
            valid().signature(Signature::Turned(Turn::NegatedS)),
        ),
        ("white_space_around_the_claims", "RFC 8259 2", valid().edit_claims(|text| format!(" {text}\n"))),
        (
            "claims_with_escaped_letters",
            "RFC 8259 7",
            valid().edit_claims(|text| text.replace("CON2002", "\\u0043ON2002")),
        ),
        ("a_token_with_sixty_four_clients", "contract chapter 1", valid().claim("mandates", mandates)),
        ("dv_of_zero", "contract chapter 8", valid().claim("dv", 0)),
        (
            "exp_as_late_as_a_number_is_exact",
            "RFC 7519 4.1.4",
            valid().claim("exp", 9_007_199_254_740_991_i64),
        ),
        ("exp_inside_the_leeway", "RFC 7519 4.1.4", valid().claim("exp", NOW - 4)),
        ("iat_inside_the_leeway", "RFC 7519 4.1.6", valid().claim("iat", NOW + 5)),
        ("nbf_inside_the_leeway", "RFC 7519 4.1.5", valid().claim("nbf", NOW + 5)),
        ("nbf_in_the_past", "RFC 7519 4.1.5", valid().claim("nbf", NOW - 14)),
    ]
    .into_iter()
    .map(|(name, source, recipe)| Case::new(GROUP, name, source, recipe))
    .collect()
}

fn requests(keys: &Keys) -> Vec<Case> {
    let case = |name, source| Case::new(GROUP, name, source, Recipe::valid(keys));
    let scheme = |name, value| case(name, "RFC 9110 11.1").headers(&[("authorization", value)]);
    let target = |name, target| case(name, "contract chapter 4").target(target);
    vec![
        scheme("the_scheme_in_small_letters", "bearer {token}"),
        scheme("the_scheme_in_capitals", "BEARER {token}"),
        scheme("the_scheme_in_both", "bEaReR {token}"),
        target("a_client_with_percent_encoding", "/quotes?client_id=%43LI1001"),
        target("a_parameter_name_with_percent_encoding", "/quotes?client%5Fid=CLI1001"),
        target("other_parameters_around_the_client", "/quotes?from=EUR&client_id=CLI1001&to=USD"),
        target("other_parameters_may_come_twice", "/quotes?status=open&client_id=CLI1001&status=done"),
        target("empty_pieces_of_the_query", "/quotes?&&client_id=CLI1001&"),
        case("x_contact_id_that_is_the_tokens", "contract chapter 4").header("x-contact-id", "CON2002"),
        case("an_api_key_beside_the_token", "contract chapter 4").header("x-api-key", "anything"),
        case("a_cookie_beside_the_token", "RFC 6750 2").header("cookie", "access_token=eyJ.eyJ.AAAA"),
    ]
}
