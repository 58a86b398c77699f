//! The tests that every adapter of [`Administration`] runs (feature `contract-tests`).
//!
//! An adapter's test file makes a [`Harness`] and says
//! `procura_store::administration_contract_tests!(make_harness)`; each test gets a harness of its own.

pub mod credentials;
pub mod import;
pub mod keys;
pub mod log;
pub mod marks;
pub mod races;
pub mod records;
pub mod revocation;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use procura_protocol::time::UnixMillis;

use crate::administration::{Administration, ChangeContext, ListQuery, Put};
use crate::change::{Actor, Entity};
use crate::fields::{Key, Row};
use crate::mark::Mark;

/// A fresh, empty store.
pub trait Harness {
    /// What opens on it.
    type Directory: Administration;

    /// Opens it, as another process would.
    fn open(&self) -> Self::Directory;

    /// All marks, in the order in which they were written.
    fn marks(&self) -> Vec<Mark>;
}

/// Makes one test of each function of the suite.
#[macro_export]
macro_rules! administration_contract_tests {
    ($harness:path) => {
        $crate::administration_contract_tests! { $harness;
            records::what_was_put_is_there_whole
            records::an_application_says_how_it_proves_itself_and_a_secret_is_the_rule
            records::what_contradicts_the_profile_is_refused_by_every_verb
            records::adding_twice_says_that_it_exists
            records::updating_leaves_what_is_absent_and_clears_what_is_empty
            records::what_is_not_there_is_not_found
            records::a_row_that_changes_nothing_writes_nothing
            records::a_pair_needs_both_its_records
            records::a_trust_names_only_contacts_that_are_there
            records::disabling_uses_the_word_of_each_kind
            records::a_trust_that_is_withdrawn_says_why
            records::removing_takes_along_what_hangs_on_it
            records::a_number_is_never_used_twice
            records::the_built_in_resource_stays_and_is_nobodys_own
            records::lists_come_in_pages_and_filtered
            marks::switching_off_marks_what_was_on_and_only_that
            marks::an_application_that_loses_trust_or_a_resource_is_marked
            marks::narrowing_a_mandate_marks_and_widening_does_not
            marks::narrowing_a_trust_marks_and_widening_does_not
            marks::what_was_not_in_force_needs_no_mark
            marks::removing_marks_the_record_once
            marks::a_mark_is_kept_as_long_as_a_token_can_live
            import::a_file_is_imported_whole
            import::one_bad_line_keeps_everything_out
            import::bad_lines_are_named_by_number_and_counted_beyond_a_hundred
            import::a_dry_run_says_what_it_would_do_and_does_nothing
            import::importing_again_changes_nothing
            import::rows_of_another_kind_are_bad_lines
            credentials::two_of_a_kind_are_live_at_most
            credentials::what_is_public_is_shown_and_of_a_secret_nothing_is
            credentials::a_retired_credential_makes_room_and_is_gone
            credentials::a_compromised_credential_marks_its_application
            credentials::replacing_ends_all_other_secrets_and_nothing_else
            credentials::what_has_expired_makes_room_and_goes
            credentials::the_same_certificate_or_key_is_not_taken_twice
            credentials::keys_have_one_source
            credentials::a_profile_without_secrets_is_given_none_and_comes_after_the_last
            credentials::only_applications_have_certificates_and_keys
            credentials::a_change_says_which_kind_came_or_went
            credentials::what_ends_soon_is_counted_while_its_owner_is_active
            credentials::a_removed_application_leaves_no_credential
            keys::a_key_lives_its_life
            keys::only_one_key_announces_and_one_signs
            keys::revoking_promotes_the_announced_key_and_marks_the_old_one
            keys::the_last_key_that_signs_is_revoked_only_with_a_successor
            keys::sealing_anew_takes_every_key_or_none
            log::changes_are_told_in_order_with_who_and_why
            log::trimming_keeps_the_place
            log::numbers_keep_their_names_after_removal_and_lose_them_by_erasing
            log::facts_are_set_and_set_once
            log::algorithms_in_use_are_those_of_what_is_active
            revocation::a_revocation_marks_what_it_names_and_changes_no_record
            revocation::a_mark_on_tokens_of_one_application_names_it
            revocation::what_is_not_there_is_not_marked
            revocation::a_token_is_marked_once_and_until_its_end
            revocation::a_token_of_which_little_is_known_is_marked_by_every_id_it_may_have
            revocation::beyond_its_budget_an_application_is_marked_whole_and_no_other
            revocation::a_change_says_who_acted_for_whom
            revocation::of_sixteen_that_revoke_one_token_one_marks_it
            revocation::of_sixteen_tokens_at_once_no_more_than_the_budget_keep_marks
            races::of_sixteen_secrets_two_win
            races::of_sixteen_adders_one_wins
            races::versions_are_given_once_and_in_order
        }
    };
    ($harness:path; $($module:ident :: $test:ident)*) => {$(
        #[tokio::test]
        async fn $test() {
            $crate::contract_tests::$module::$test(&$harness()).await;
        }
    )*};
}

/// 2026-01-01T00:00:00Z.
const NOW: UnixMillis = UnixMillis(1_767_225_600_000);
const LIFETIME: i64 = 3_600;

fn context() -> ChangeContext {
    ChangeContext {
        actor: Actor::Operator { uid: 1_000 },
        at: NOW,
        reason: None,
        token_lifetime_max: LIFETIME,
    }
}

fn row(entity: Entity, pairs: &[(&str, &str)]) -> Row {
    Row::read(entity, pairs.iter().copied()).unwrap_or_else(|invalid| panic!("{invalid}"))
}

fn key(entity: Entity, parts: &[&str]) -> Key {
    Key::read(entity, parts).unwrap_or_else(|invalid| panic!("{invalid}"))
}

async fn put(directory: &impl Administration, entity: Entity, pairs: &[(&str, &str)]) -> Put {
    directory.put(context(), row(entity, pairs)).await.unwrap()
}

async fn get(directory: &impl Administration, entity: Entity, parts: &[&str], field: &str) -> Option<String> {
    let row = directory.get(key(entity, parts)).await.unwrap();
    row.unwrap().get(field).unwrap().map(str::to_owned)
}

/// A client, a contact with a mandate, and an application with the client's trust.
async fn small_world(directory: &impl Administration) {
    for (entity, pairs) in [
        (Entity::Client, &[("client_id", "cli"), ("client_name", "Client")][..]),
        (Entity::Contact, &[("contact_id", "con"), ("email_address", "con@example.com")]),
        (Entity::Application, &[("application_id", "app_1"), ("name", "One"), ("trusted", "true")]),
        (Entity::Mandate, &[("contact_id", "con"), ("client_id", "cli"), ("permissions", "can_trade")]),
        (
            Entity::Trust,
            &[("client_id", "cli"), ("application_id", "app_1"), ("contacts", "con"), ("ceiling", "all")],
        ),
    ] {
        assert_eq!(put(directory, entity, pairs).await, Put::Added);
    }
}

fn everything(entity: Entity) -> ListQuery {
    ListQuery { entity, filters: Vec::new(), after: None, limit: 1_000 }
}

/// Runs all of them at once.
async fn all_at_once<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<(Pin<Box<_>>, Option<T>)> =
        futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|cx| {
        for (future, done) in running.iter_mut().filter(|(_, done)| done.is_none()) {
            if let Poll::Ready(value) = future.as_mut().poll(cx) {
                *done = Some(value);
            }
        }
        if running.iter().all(|(_, done)| done.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, done)| done).collect()
}
