//! `client_id` of the request: one of the token's clients, named once.

use serde_json::json;

use crate::vectors::case::{Answer, Case};
use crate::vectors::keys::Keys;
use crate::vectors::recipe::Recipe;

const GROUP: &str = "client";

pub(super) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = not_allowed(keys);
    cases.extend(repeated(keys));
    cases.extend(order(keys));
    cases
}

fn asked(keys: &Keys, name: &str, target: &str) -> Case {
    Case::new(GROUP, name, "contract chapter 4", Recipe::valid(keys)).target(target)
}

fn not_allowed(keys: &Keys) -> Vec<Case> {
    let long = format!("/quotes?client_id=CLI1001{}", "1".repeat(4000));
    let targets = [
        ("client_id_is_missing", "/quotes"),
        ("there_is_no_query_behind_the_mark", "/quotes?"),
        ("client_id_is_empty", "/quotes?client_id="),
        ("client_id_has_no_value", "/quotes?client_id"),
        ("client_id_of_another_contact", "/quotes?client_id=CLI9999"),
        ("client_id_in_small_letters", "/quotes?client_id=cli1001"),
        ("client_id_begins_alike", "/quotes?client_id=CLI100"),
        ("client_id_is_longer", "/quotes?client_id=CLI10011"),
        ("client_id_is_very_long", long.as_str()),
        ("client_id_is_the_application", "/quotes?client_id=app_partner1"),
        ("client_id_is_the_contact", "/quotes?client_id=CON2002"),
        ("client_id_is_everything", "/quotes?client_id=*"),
        ("client_id_is_two_with_a_comma", "/quotes?client_id=CLI1001,CLI1002"),
        ("client_id_is_two_with_a_space", "/quotes?client_id=CLI1001+CLI1002"),
        ("client_id_is_two_with_an_escaped_ampersand", "/quotes?client_id=CLI1001%26client_id=CLI1002"),
        ("client_id_with_a_space_before_it", "/quotes?client_id=%20CLI1001"),
        ("client_id_with_a_plus_after_it", "/quotes?client_id=CLI1001+"),
        ("client_id_with_a_zero_after_it", "/quotes?client_id=CLI1001%00"),
        ("client_id_with_a_line_feed_after_it", "/quotes?client_id=CLI1001%0A"),
        ("client_id_with_a_broken_escape", "/quotes?client_id=CLI1001%"),
        ("client_id_with_an_escape_of_no_digits", "/quotes?client_id=CLI100%ZZ"),
        ("client_id_with_an_escape_of_old", "/quotes?client_id=%u0043LI1001"),
        ("client_id_with_bytes_that_are_no_utf_8", "/quotes?client_id=CLI1001%FF"),
        ("client_id_escaped_twice", "/quotes?client_id=%2543LI1001"),
        ("client_id_in_wide_letters", "/quotes?client_id=%EF%BC%A3LI1001"),
        ("client_id_with_a_path", "/quotes?client_id=../CLI1001"),
        ("client_id_with_an_equals_sign_before_it", "/quotes?client_id==CLI1001"),
        ("client_id_in_quotes", "/quotes?client_id=%22CLI1001%22"),
        ("a_semicolon_and_another_client", "/quotes?client_id=CLI1001;client_id=CLI9999"),
        ("a_semicolon_and_another_parameter", "/quotes?client_id=CLI1001;x=1"),
        ("a_semicolon_before_client_id", "/quotes?x=1;client_id=CLI1001"),
        ("client_id_as_a_list", "/quotes?client_id[]=CLI1001"),
        ("client_id_as_an_escaped_list", "/quotes?client_id%5B%5D=CLI1001"),
        ("client_id_named_in_capitals", "/quotes?CLIENT_ID=CLI1001"),
        ("client_id_named_with_a_minus", "/quotes?client-id=CLI1001"),
        ("client_id_named_with_a_space_before_it", "/quotes?+client_id=CLI1001"),
        ("client_id_named_with_a_space_inside", "/quotes?client+id=CLI1001"),
        ("client_id_named_with_a_zero_after_it", "/quotes?client_id%00=CLI1001"),
        ("client_id_named_with_a_broken_escape", "/quotes?client_id%=CLI1001"),
        ("client_id_named_behind_two_question_marks", "/quotes??client_id=CLI1001"),
        ("client_id_in_the_path_alone", "/quotes/CLI1001"),
    ];
    let mut cases: Vec<Case> = targets
        .into_iter()
        .map(|(name, target)| asked(keys, name, target).answer(Answer::client_not_allowed()))
        .collect();
    cases.extend([
        asked(keys, "client_id_in_a_header_alone", "/quotes")
            .header("client_id", "CLI1001")
            .answer(Answer::client_not_allowed()),
        asked(keys, "client_id_in_another_header_alone", "/quotes")
            .header("x-client-id", "CLI1001")
            .answer(Answer::client_not_allowed()),
        asked(keys, "a_foreign_client_and_a_header_that_is_right", "/quotes?client_id=CLI9999")
            .header("x-client-id", "CLI1001")
            .answer(Answer::client_not_allowed()),
        Case::new(
            GROUP,
            "a_client_of_a_claim_that_grants_nothing",
            "contract chapter 1",
            Recipe::valid(keys).claim("clients", json!([{ "client_id": "CLI9999" }])),
        )
        .target("/quotes?client_id=CLI9999")
        .answer(Answer::client_not_allowed()),
        Case::new(
            GROUP,
            "a_foreign_client_for_somebody_who_signed_in",
            "contract chapter 4",
            Recipe::person(keys),
        )
        .target("/quotes?client_id=CLI9999")
        .answer(Answer::client_not_allowed()),
    ]);
    cases
}

fn repeated(keys: &Keys) -> Vec<Case> {
    [
        ("client_id_twice_and_alike", "/quotes?client_id=CLI1001&client_id=CLI1001"),
        ("client_id_twice_and_the_last_is_foreign", "/quotes?client_id=CLI1001&client_id=CLI9999"),
        ("client_id_twice_and_the_first_is_foreign", "/quotes?client_id=CLI9999&client_id=CLI1001"),
        ("client_id_twice_and_both_are_the_tokens", "/quotes?client_id=CLI1001&client_id=CLI1002"),
        (
            "client_id_twice_with_others_between",
            "/quotes?client_id=CLI1001&from=EUR&to=USD&client_id=CLI9999",
        ),
        ("client_id_twice_and_one_name_escaped", "/quotes?client_id=CLI1001&client%5Fid=CLI9999"),
        ("client_id_twice_and_one_name_escaped_in_small", "/quotes?client%5fid=CLI9999&client_id=CLI1001"),
        ("client_id_twice_and_one_letter_escaped", "/quotes?client_id=CLI1001&%63lient_id=CLI9999"),
        ("client_id_twice_and_the_first_is_empty", "/quotes?client_id=&client_id=CLI1001"),
        ("client_id_twice_and_the_last_is_empty", "/quotes?client_id=CLI1001&client_id="),
        ("client_id_twice_and_one_has_no_value", "/quotes?client_id=CLI1001&client_id"),
        ("client_id_three_times", "/quotes?client_id=CLI1001&client_id=CLI1001&client_id=CLI1001"),
    ]
    .into_iter()
    .map(|(name, target)| asked(keys, name, target).answer(Answer::repeated()))
    .collect()
}

/// Several things are wrong, and the first is told.
fn order(keys: &Keys) -> Vec<Case> {
    let foreign = "/quotes?client_id=CLI9999";
    vec![
        asked(keys, "the_client_is_judged_before_the_permission", foreign)
            .permission("can_manage_contacts")
            .answer(Answer::client_not_allowed()),
        asked(keys, "the_client_is_judged_before_the_person", foreign)
            .person()
            .answer(Answer::client_not_allowed()),
        asked(keys, "the_client_is_judged_after_the_authorization", foreign)
            .headers(&[])
            .without_token()
            .answer(Answer::unauthenticated()),
        asked(
            keys,
            "a_repeated_client_is_judged_after_x_contact_id",
            "/quotes?client_id=CLI1001&client_id=CLI1001",
        )
        .header("x-contact-id", "CON9999")
        .answer(Answer::forbidden("contact_mismatch")),
        Case::new(
            GROUP,
            "the_client_is_judged_after_the_token",
            "contract chapter 4",
            Recipe::valid(keys).claim("exp", 1),
        )
        .target(foreign)
        .answer(Answer::invalid_token()),
        Case::new(
            GROUP,
            "a_repeated_client_is_judged_after_the_token",
            "contract chapter 4",
            Recipe::valid(keys).claim("exp", 1),
        )
        .target("/quotes?client_id=CLI1001&client_id=CLI1001")
        .answer(Answer::invalid_token()),
        Case::new(
            GROUP,
            "the_clients_are_judged_after_the_signature",
            "contract chapter 4",
            Recipe::valid(keys).key("foreign_es256"),
        )
        .target(foreign)
        .answer(Answer::invalid_token()),
    ]
}
