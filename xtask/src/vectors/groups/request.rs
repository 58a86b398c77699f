//! How the token is sent (RFC 6750 2), and `X-Contact-ID`.

use crate::vectors::case::{Answer, Case};
use crate::vectors::keys::Keys;
use crate::vectors::recipe::Recipe;

pub(super) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = not_bearer(keys);
    cases.extend(malformed(keys));
    cases.extend(in_the_query(keys));
    cases.extend(contact(keys));
    cases
}

fn sent(keys: &Keys, name: &str, headers: &[(&str, &str)]) -> Case {
    Case::new("authorization", name, "RFC 6750 3.1", Recipe::valid(keys)).headers(headers)
}

fn not_bearer(keys: &Keys) -> Vec<Case> {
    let mut cases: Vec<Case> = [
        ("basic_credentials", "Basic YXBwX3BhcnRuZXIxOnBjc19BQUFB"),
        ("the_token_as_basic", "Basic {token}"),
        ("the_token_as_dpop", "DPoP {token}"),
        ("the_token_as_jwt", "JWT {token}"),
        ("the_token_without_a_scheme", "{token}"),
        ("a_scheme_that_begins_like_bearer", "Bearers {token}"),
        ("no_space_after_the_scheme", "Bearer{token}"),
        ("basic_before_the_bearer", "Basic YTpi, Bearer {token}"),
    ]
    .into_iter()
    .map(|(name, value)| sent(keys, name, &[("authorization", value)]).answer(Answer::unauthenticated()))
    .collect();
    let none = |name, headers: &[(&str, &str)]| sent(keys, name, headers).answer(Answer::unauthenticated());
    cases.extend([
        none("no_authorization", &[]).without_token(),
        none("the_token_in_proxy_authorization", &[("proxy-authorization", "Bearer {token}")]),
        none("the_token_in_another_header", &[("x-authorization", "Bearer {token}")]),
        none("the_token_in_a_cookie", &[("cookie", "access_token={token}")]),
        none("the_token_as_an_api_key", &[("x-api-key", "{token}")]),
        none(
            "identity_headers_without_a_token",
            &[("x-contact-id", "CON2002"), ("procura-client", "CLI1001")],
        )
        .without_token(),
    ]);
    cases
}

fn malformed(keys: &Keys) -> Vec<Case> {
    let one = [
        ("bearer_alone", "Bearer"),
        ("bearer_and_a_space", "Bearer "),
        ("bearer_and_a_colon", "Bearer: {token}"),
        ("bearer_and_a_tab", "Bearer\t{token}"),
        ("two_spaces_after_the_scheme", "Bearer  {token}"),
        ("bearer_twice", "Bearer Bearer {token}"),
        ("something_after_the_token", "Bearer {token} CON2002"),
        ("two_tokens_with_a_comma", "Bearer {token}, Bearer {token}"),
        ("two_tokens_with_a_comma_alone", "Bearer {token},{token}"),
        ("basic_after_the_token", "Bearer {token},Basic YTpi"),
        ("the_token_as_a_parameter", "Bearer token=\"{token}\""),
    ];
    let two: [(&str, [(&str, &str); 2]); 4] = [
        (
            "two_authorizations_alike",
            [("authorization", "Bearer {token}"), ("authorization", "Bearer {token}")],
        ),
        (
            "two_authorizations_of_two_tokens",
            [("authorization", "Bearer {token}"), ("authorization", "Bearer e30.e30.AAAA")],
        ),
        ("bearer_and_then_basic", [("authorization", "Bearer {token}"), ("authorization", "Basic YTpi")]),
        ("basic_and_then_bearer", [("authorization", "Basic YTpi"), ("authorization", "Bearer {token}")]),
    ];
    let one = one.into_iter().map(|(name, value)| sent(keys, name, &[("authorization", value)]));
    let two = two.into_iter().map(|(name, headers)| sent(keys, name, &headers));
    one.chain(two).map(|case| case.answer(Answer::malformed())).collect()
}

fn in_the_query(keys: &Keys) -> Vec<Case> {
    let query = |name, target| {
        Case::new("query", name, "RFC 6750 2.3", Recipe::valid(keys))
            .target(target)
            .answer(Answer::malformed())
    };
    vec![
        query("the_token_in_the_query_alone", "/quotes?client_id=CLI1001&access_token={token}").headers(&[]),
        query("the_token_in_the_query_too", "/quotes?client_id=CLI1001&access_token={token}"),
        query("the_token_in_the_query_before_the_client", "/quotes?access_token={token}&client_id=CLI1001"),
        query(
            "the_token_in_the_query_by_an_escaped_name",
            "/quotes?client_id=CLI1001&access%5Ftoken={token}",
        ),
        query(
            "the_token_in_the_query_by_a_name_all_escaped",
            "/quotes?client_id=CLI1001&%61%63%63%65%73%73%5f%74%6f%6b%65%6e={token}",
        ),
        query("an_empty_token_in_the_query", "/quotes?client_id=CLI1001&access_token="),
        query("the_name_of_the_token_in_the_query", "/quotes?client_id=CLI1001&access_token"),
        query("another_token_in_the_query", "/quotes?client_id=CLI1001&access_token=e30.e30.AAAA"),
    ]
}

fn contact(keys: &Keys) -> Vec<Case> {
    let case = |name, value| {
        Case::new("x_contact_id", name, "contract chapter 4", Recipe::valid(keys))
            .header("x-contact-id", value)
    };
    let values = [
        ("x_contact_id_is_another", "CON9999"),
        ("x_contact_id_is_empty", ""),
        ("x_contact_id_in_small_letters", "con2002"),
        ("x_contact_id_begins_alike", "CON200"),
        ("x_contact_id_is_longer", "CON20021"),
        ("x_contact_id_is_the_application", "app_partner1"),
        ("x_contact_id_is_a_client", "CLI1001"),
        ("x_contact_id_is_two_with_a_comma", "CON2002,CON2002"),
        ("x_contact_id_is_percent_encoded", "CON%32002"),
    ];
    let mismatch = || Answer::forbidden("contact_mismatch");
    let mut cases: Vec<Case> =
        values.into_iter().map(|(name, value)| case(name, value).answer(mismatch())).collect();
    cases.extend([
        case("x_contact_id_twice_and_alike", "CON2002")
            .header("x-contact-id", "CON2002")
            .answer(Answer::repeated()),
        case("x_contact_id_twice_and_the_first_is_right", "CON2002")
            .header("x-contact-id", "CON9999")
            .answer(Answer::repeated()),
        case("x_contact_id_twice_and_the_last_is_right", "CON9999")
            .header("x-contact-id", "CON2002")
            .answer(Answer::repeated()),
        case("x_contact_id_is_judged_before_the_client", "CON9999")
            .target("/quotes?client_id=CLI9999")
            .answer(mismatch()),
        case("x_contact_id_is_judged_before_the_permission", "CON9999")
            .permission("can_manage_contacts")
            .answer(mismatch()),
        Case::new(
            "x_contact_id",
            "x_contact_id_is_judged_after_the_token",
            "contract chapter 4",
            Recipe::valid(keys).claim("iss", "https://attacker.example"),
        )
        .header("x-contact-id", "CON9999")
        .answer(Answer::invalid_token()),
    ]);
    cases
}
