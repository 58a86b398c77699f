//! Revocations: which tokens a mark hits, and which it does not (contract, chapter 8).

use crate::vectors::case::{Answer, Case};
use crate::vectors::keys::Keys;
use crate::vectors::recipe::{Recipe, Signature, Turn};

const SOURCE: &str = "contract chapter 8";
const JTI: &str = "xIdfcn1bGJvASnwdEzp18A";
/// `dv` of the valid token, and the first version that revokes it.
const DV: u64 = 63;
const LATER: u64 = 64;

pub(super) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = by_version(keys);
    cases.extend(whatever_version(keys));
    cases.extend(of_others(keys));
    cases.extend(several(keys));
    cases
}

fn revoked(name: &str, recipe: Recipe) -> Case {
    Case::new("marks", name, SOURCE, recipe).answer(Answer::invalid_token())
}

fn in_force(name: &str, recipe: Recipe) -> Case {
    Case::new("marks", name, SOURCE, recipe)
}

/// Marks whose version counts: an older token is dead, one of the same version or a later one lives.
fn by_version(keys: &Keys) -> Vec<Case> {
    let marks: [(&str, &str, &[&str]); 11] = [
        ("the_contact", "contact", &["CON2002"]),
        ("the_client", "client", &["CLI1001"]),
        ("a_client_of_the_same_group", "client", &["CLI1003"]),
        ("a_client_that_is_not_asked_for", "client", &["CLI1002"]),
        ("the_application", "application", &["app_partner1"]),
        ("the_trust", "trust", &["app_partner1", "CLI1001"]),
        ("the_trust_of_a_client_that_is_not_asked_for", "trust", &["app_partner1", "CLI1002"]),
        ("the_mandate", "mandate", &["CON2002", "CLI1001"]),
        ("the_mandate_over_a_client_that_is_not_asked_for", "mandate", &["CON2002", "CLI1002"]),
        ("a_mandate_of_the_same_group", "mandate", &["CON2002", "CLI1003"]),
        ("everything", "all", &[]),
    ];
    let case = |(name, kind, ids): (&str, &str, &[&str])| {
        let valid = || Recipe::valid(keys);
        [
            revoked(&format!("a_later_mark_on_{name}"), valid()).mark(kind, ids, LATER),
            in_force(&format!("a_mark_on_{name}_at_the_version_of_the_token"), valid()).mark(kind, ids, DV),
            in_force(&format!("an_earlier_mark_on_{name}"), valid()).mark(kind, ids, DV - 3),
        ]
    };
    marks.into_iter().flat_map(case).collect()
}

/// A token or a key is dead whatever the token says of itself.
fn whatever_version(keys: &Keys) -> Vec<Case> {
    let valid = || Recipe::valid(keys);
    let huge = || valid().claim("dv", 9_007_199_254_740_991_u64);
    let key = keys.kid("es256");
    let rs256 = || valid().signed_by(keys, "rs256");
    let negated = valid().signature(Signature::Turned(Turn::NegatedS));
    vec![
        revoked("a_later_mark_on_the_token", valid()).mark("token", &[JTI], LATER),
        revoked("an_earlier_mark_on_the_token", valid()).mark("token", &[JTI], 1),
        revoked("a_mark_on_the_token_that_claims_the_latest_version", huge()).mark("token", &[JTI], LATER),
        revoked("a_mark_on_the_token_in_another_text", negated).mark("token", &[JTI], LATER),
        revoked("a_later_mark_on_the_key", valid()).mark("key", &[key], LATER),
        revoked("an_earlier_mark_on_the_key", valid()).mark("key", &[key], 1),
        revoked("a_mark_on_the_key_whose_token_claims_the_latest_version", huge()).mark("key", &[key], LATER),
        revoked("a_mark_on_the_rs256_key", rs256()).mark("key", &[keys.kid("rs256")], 1),
        revoked("a_mark_on_the_contact_whose_token_has_version_zero", valid().claim("dv", 0)).mark(
            "contact",
            &["CON2002"],
            1,
        ),
        in_force("a_mark_on_the_contact_whose_token_claims_the_latest_version", huge()).mark(
            "contact",
            &["CON2002"],
            LATER,
        ),
    ]
}

fn of_others(keys: &Keys) -> Vec<Case> {
    let marks: [(&str, &str, &[&str]); 24] = [
        ("another_token", "token", &["b-YJStPlyOtDJMDfRBBrdw"]),
        ("another_key", "key", &["n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"]),
        ("the_key_of_another_algorithm", "key", &[keys.kid("rs256")]),
        ("another_contact", "contact", &["CON9999"]),
        ("a_contact_that_begins_alike", "contact", &["CON200"]),
        ("a_contact_in_small_letters", "contact", &["con2002"]),
        ("another_client", "client", &["CLI9999"]),
        ("another_application", "application", &["app_other"]),
        ("a_trust_of_another_application", "trust", &["app_other", "CLI1001"]),
        ("a_trust_of_another_client", "trust", &["app_partner1", "CLI9999"]),
        ("a_trust_with_its_ids_changed_about", "trust", &["CLI1001", "app_partner1"]),
        ("a_mandate_of_another_contact", "mandate", &["CON9999", "CLI1001"]),
        ("a_mandate_over_another_client", "mandate", &["CON2002", "CLI9999"]),
        ("a_mandate_with_its_ids_changed_about", "mandate", &["CLI1001", "CON2002"]),
        ("a_client_named_like_the_contact", "client", &["CON2002"]),
        ("a_contact_named_like_the_client", "contact", &["CLI1001"]),
        ("a_token_named_like_the_contact", "token", &["CON2002"]),
        ("a_contact_named_like_the_token", "contact", &[JTI]),
        ("a_contact_named_like_the_application", "contact", &["app_partner1"]),
        ("an_application_named_like_the_contact", "application", &["CON2002"]),
        ("a_mandate_of_the_application", "mandate", &["app_partner1", "CLI1001"]),
        ("a_trust_in_the_contact", "trust", &["CON2002", "CLI1001"]),
        ("a_key_named_like_the_token", "key", &[JTI]),
        ("a_token_named_like_the_key", "token", &[keys.kid("es256")]),
    ];
    marks
        .into_iter()
        .map(|(name, kind, ids)| {
            in_force(&format!("a_mark_on_{name}"), Recipe::valid(keys)).mark(kind, ids, LATER)
        })
        .collect()
}

fn several(keys: &Keys) -> Vec<Case> {
    let valid = || Recipe::valid(keys);
    let contact = &["CON2002"];
    let alone = || Recipe::application(keys);
    vec![
        revoked("one_mark_of_two_hits", valid())
            .mark("contact", &["CON9999"], LATER)
            .mark("contact", contact, LATER),
        revoked("an_earlier_mark_that_comes_later_takes_nothing_back", valid())
            .mark("contact", contact, LATER)
            .mark("contact", contact, 62),
        revoked("a_later_mark_that_comes_later_counts", valid())
            .mark("contact", contact, 62)
            .mark("contact", contact, LATER),
        in_force("two_marks_that_do_not_hit", valid()).mark("contact", contact, 62).mark(
            "client",
            &["CLI9999"],
            LATER,
        ),
        revoked("a_mark_is_judged_before_x_contact_id", valid()).header("x-contact-id", "CON9999").mark(
            "all",
            &[],
            LATER,
        ),
        revoked("a_mark_is_judged_before_the_client", valid()).target("/quotes?client_id=CLI9999").mark(
            "token",
            &[JTI],
            1,
        ),
        revoked("a_mark_is_judged_before_a_repeated_client", valid())
            .target("/quotes?client_id=CLI1001&client_id=CLI1001")
            .mark("application", &["app_partner1"], LATER),
        revoked("a_mark_is_judged_before_the_permission", valid()).permission("can_manage_contacts").mark(
            "trust",
            &["app_partner1", "CLI1001"],
            LATER,
        ),
        revoked("a_mark_on_the_application_alone", alone()).mark("application", &["app_partner1"], LATER),
        revoked("a_mark_on_the_token_of_an_application", alone()).mark(
            "token",
            &["pWlT0Zt2m9cQe7rVbYk4Ug"],
            1,
        ),
        revoked("a_mark_on_everything_and_an_application", alone()).mark("all", &[], LATER),
        revoked("a_mark_on_the_contact_who_signed_in", Recipe::person(keys)).mark("contact", contact, LATER),
        revoked("a_mark_on_the_mandate_of_somebody_who_signed_in", Recipe::person(keys)).mark(
            "mandate",
            &["CON2002", "CLI1001"],
            LATER,
        ),
        in_force("an_earlier_mark_on_the_contact_who_signed_in", Recipe::person(keys))
            .mark("contact", contact, DV)
            .answer(Answer::person("CLI1001", &crate::vectors::case::CLI1001_MAY)),
    ]
}

/// A guard that can't know answers 503 to what it would have let through, and never 200.
pub(super) fn cut_off(keys: &Keys) -> Vec<Case> {
    let source = "contract chapter 8";
    let valid = || Recipe::valid(keys);
    let case = |state: &'static str, name: &str, recipe| {
        Case::new("cut_off", name, source, recipe).state(state).answer(Answer::unavailable())
    };
    let mut cases = vec![
        case("marks_never_synced", "a_valid_token_before_the_first_marks", valid()),
        case("marks_stale", "a_valid_token_and_marks_that_are_too_old", valid()),
        case("marks_stale", "a_foreign_client_and_marks_that_are_too_old", valid())
            .target("/quotes?client_id=CLI9999"),
        case("marks_stale", "an_application_alone_and_marks_that_are_too_old", Recipe::application(keys)),
        case("keys_never_fetched", "a_valid_token_before_the_first_keys", valid()),
        case("keys_stale", "a_valid_token_and_keys_that_are_too_old", valid()),
    ];
    cases.extend([
        case("marks_stale", "a_forged_token_and_marks_that_are_too_old", valid().key("foreign_es256"))
            .answer(Answer::invalid_token()),
        case("marks_stale", "no_token_and_marks_that_are_too_old", valid())
            .headers(&[])
            .without_token()
            .answer(Answer::unauthenticated()),
        case("marks_stale", "two_tokens_and_marks_that_are_too_old", valid())
            .header("authorization", "Bearer {token}")
            .answer(Answer::malformed()),
        case("keys_never_fetched", "no_token_before_the_first_keys", valid())
            .headers(&[])
            .without_token()
            .answer(Answer::unauthenticated()),
    ]);
    cases
}
