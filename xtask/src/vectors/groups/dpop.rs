//! Tokens that are bound to a key, as their owners send them (RFC 9449 7), to a guard that can check no proof: it must
//! refuse them however they come, and take no other token by that scheme.

use serde_json::json;

use crate::vectors::case::{Answer, Case, NOW};
use crate::vectors::keys::Keys;
use crate::vectors::recipe::Recipe;

const GROUP: &str = "dpop";

/// The certificate that the caller holds.
const CALLER: &str = "caller";
/// Some key's thumbprint.
const KEY: &str = "bfV4ZHyuVUXMuVzQvkLCTBSIBh0VWCcCWJsc1T9vCBs";
/// In the shape of a proof.
const PROOF: (&str, &str) = ("dpop", "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7fX0.e30.AAAA");

pub(super) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = by_the_scheme(keys);
    cases.extend(by_another(keys));
    cases
}

fn of_a_key(recipe: Recipe) -> Recipe {
    recipe.claim("cnf", json!({ "jkt": KEY }))
}

fn of_both(keys: &Keys, recipe: Recipe) -> Recipe {
    recipe.claim("cnf", json!({ "x5t#S256": keys.certificates.thumbprint(CALLER), "jkt": KEY }))
}

/// `Authorization: DPoP`, which says nothing to who takes Bearer alone.
fn by_the_scheme(keys: &Keys) -> Vec<Case> {
    let case = |name: &str, recipe: Recipe| {
        Case::new(GROUP, name, "RFC 9449 7.1", recipe)
            .headers(&[("authorization", "DPoP {token}"), PROOF])
            .answer(Answer::unauthenticated())
    };
    let valid = || Recipe::valid(keys);
    let certificate = json!({ "x5t#S256": keys.certificates.thumbprint(CALLER) });
    vec![
        case("a_token_of_a_key_with_a_proof", of_a_key(valid())),
        case("a_token_of_a_key_without_a_proof", of_a_key(valid()))
            .headers(&[("authorization", "DPoP {token}")]),
        case("a_token_of_a_key_with_two_proofs", of_a_key(valid())).header(PROOF.0, PROOF.1),
        case("a_token_of_a_key_by_the_scheme_in_small_letters", of_a_key(valid()))
            .headers(&[("authorization", "dpop {token}"), PROOF]),
        case("somebody_who_signed_in_with_a_token_of_a_key", of_a_key(Recipe::person(keys))),
        case("an_application_alone_with_a_token_of_a_key", of_a_key(Recipe::application(keys))),
        case("a_token_of_a_key_that_is_expired", of_a_key(valid()).claim("exp", NOW - 60)),
        case("a_token_of_a_key_and_of_the_callers_certificate", of_both(keys, valid())).certificate(CALLER),
        case("a_token_of_a_key_and_of_a_certificate_that_nobody_shows", of_both(keys, valid())),
        case("a_token_of_the_callers_certificate_alone", valid().claim("cnf", certificate))
            .certificate(CALLER),
        case("a_token_of_nothing", valid()),
    ]
}

/// Made to look like a token that is not bound (RFC 9449 7.2).
fn by_another(keys: &Keys) -> Vec<Case> {
    let case = |name: &str, recipe: Recipe| {
        Case::new(GROUP, name, "RFC 9449 7.2", recipe).answer(Answer::invalid_token())
    };
    let valid = || Recipe::valid(keys);
    vec![
        case("a_token_of_a_key_as_bearer_with_a_proof", of_a_key(valid())).header(PROOF.0, PROOF.1),
        case(
            "a_token_of_a_key_and_of_the_callers_certificate_as_bearer_with_a_proof",
            of_both(keys, valid()),
        )
        .header(PROOF.0, PROOF.1)
        .certificate(CALLER),
        case("a_token_of_a_key_by_both_schemes", of_a_key(valid()))
            .headers(&[("authorization", "DPoP {token}"), ("authorization", "Bearer {token}"), PROOF])
            .answer(Answer::malformed()),
    ]
}
