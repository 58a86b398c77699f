//! Contract, chapter 1, status 503: when nothing can be decided, recorded or believed, nothing leaves.

use std::time::Duration;

use procura_protocol::time::UnixSeconds;
use procura_store::Store as _;
use procura_store::directory::PendingMarks;
use procura_store::mark::{Mark, MarkKind};
use procura_store::records::Version;
use procura_testkit::journal::Mode;
use procura_testkit::world::{COLLEAGUE, CONTACT};
use procura_testkit::{TestApp, World};

use crate::support::{asking, asking_as_nobody, assert_refused, list, listed, with_form, without_body};

/// The sentence is fixed: what is wrong here is not for callers.
#[track_caller]
fn assert_unavailable(answer: &procura_testkit::Answer) {
    let sentence = assert_refused(answer, 503, "temporarily_unavailable");
    assert_eq!(sentence, "The server can't answer now. Try again later.");
    assert_eq!(answer.header("retry-after"), "1");
    assert!(answer.headers.get("procura-reference").is_none(), "there is no record to name");
}

#[tokio::test]
async fn a_directory_that_is_not_fresh_is_503_and_nothing_is_recorded() {
    let app = TestApp::new(&World::default());
    app.store.make_stale();
    assert_unavailable(&app.token().await);
    assert_unavailable(&list(&app, "").await);
    assert!(app.journal.records().is_empty());
}

#[tokio::test]
async fn a_directory_that_is_not_fresh_can_t_even_say_that_credentials_are_wrong() {
    let app = TestApp::new(&World::default());
    app.store.make_stale();
    assert_unavailable(&app.send(without_body(asking_as_nobody())).await);
}

#[tokio::test]
async fn what_is_wrong_with_the_shape_is_told_without_a_directory() {
    let app = TestApp::new(&World::default());
    app.store.make_stale();
    let answer = app.send(with_form(asking(&crate::support::contact_path()), "grant_type=x")).await;
    assert_refused(&answer, 400, "invalid_request");
}

#[tokio::test]
async fn a_fresh_directory_ends_it() {
    let app = TestApp::new(&World::default());
    app.store.make_stale();
    assert_unavailable(&app.token().await);
    app.store.set(World::default().publish());
    assert_eq!(app.token().await.status, 200);
}

#[tokio::test]
async fn a_full_journal_is_503_for_tokens_and_for_refusals() {
    let app = TestApp::new(&World::default());
    app.journal.set_mode(Mode::Full);
    assert_unavailable(&app.token().await);
    assert_unavailable(&app.token_for("con.nobody", "").await);
    assert_unavailable(&app.token_for("malformed%20", "").await);
    app.journal.set_mode(Mode::Works);
    assert_eq!(app.token().await.status, 200, "and it ends by itself");
}

#[tokio::test]
async fn a_record_that_can_t_be_made_durable_is_503_and_no_token_leaves() {
    let app = TestApp::new(&World::default());
    app.journal.set_mode(Mode::SyncFails);
    let answer = app.token().await;
    assert_unavailable(&answer);
    assert!(!String::from_utf8(answer.body).unwrap().contains("eyJ"), "nothing of a token");
    assert_unavailable(&app.token_for("con.nobody", "").await);
}

#[tokio::test]
async fn failed_authentication_needs_no_journal() {
    let app = TestApp::new(&World::default());
    app.journal.set_mode(Mode::Full);
    assert_refused(&app.send(without_body(asking_as_nobody())).await, 401, "invalid_client");
}

#[tokio::test]
async fn a_list_is_not_recorded_and_goes_on_without_a_journal() {
    let app = TestApp::new(&World::default());
    app.journal.set_mode(Mode::Full);
    assert_eq!(list(&app, "").await.status, 200);
}

#[tokio::test]
async fn a_list_that_is_refused_is_recorded_and_is_503_without_a_journal() {
    let app = TestApp::new(&World::default().application(|application| application.trusted = false));
    app.journal.set_mode(Mode::Full);
    assert_unavailable(&list(&app, "").await);
}

#[tokio::test]
async fn a_wall_clock_moved_by_five_seconds_stops_issuing_until_it_is_back_within_two() {
    for direction in [1, -1] {
        let app = TestApp::new(&World::default());
        for (moved, status) in
            [(4_999, 200), (5_000, 503), (2_000, 503), (1_999, 200), (60_000, 503), (0, 200)]
        {
            app.clock.move_wall(direction * moved);
            assert_eq!(app.token().await.status.as_u16(), status, "{}", direction * moved);
            assert_eq!(list(&app, "").await.status.as_u16(), status, "{}", direction * moved);
            app.clock.move_wall(-direction * moved);
        }
    }
}

#[tokio::test]
async fn time_that_passes_on_both_clocks_is_believed() {
    let app = TestApp::new(&World::default());
    app.clock.advance(Duration::from_secs(86_400 * 365));
    assert_eq!(app.token().await.status, 200);
}

/// The default world while a change with that mark is still being loaded.
fn loading(kind: MarkKind, number: u32, client: u32) -> TestApp {
    let app = TestApp::new(&World::default());
    let keep_until = UnixSeconds(i64::MAX);
    let mark =
        Mark { kind, subject: [0; 32], number, client, version: Version(8), keep_until, application: None };
    let pending = PendingMarks::collect([&mark]);
    app.store.set(World::default().publish().with_pending(Some(pending)));
    app
}

macro_rules! while_loading {
    ($($name:ident: $kind:ident($number:literal, $client:literal) hits $hit:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let app = loading(MarkKind::$kind, $number, $client);
            let hit: &[&str] = $hit;
            for contact in [CONTACT, COLLEAGUE] {
                let answer = app.token_for(contact, "").await;
                if hit.contains(&contact) {
                    assert_unavailable(&answer);
                } else {
                    assert_eq!(answer.status, 200, "{contact}");
                }
            }
            assert_eq!(list(&app, "").await.status.as_u16(), if hit.is_empty() { 200 } else { 503 });
        }
    )*};
}

while_loading! {
    a_change_of_a_contact_that_is_being_loaded_is_503_for_that_contact: Contact(1, 0) hits &[CONTACT];
    a_change_of_another_contact_that_is_being_loaded_hits_nobody_else: Contact(9, 0) hits &[];
    a_change_of_a_client_is_503_for_its_contacts: Client(0, 1) hits &[CONTACT];
    a_change_of_a_client_of_both_is_503_for_both: Client(0, 2) hits &[CONTACT, COLLEAGUE];
    a_change_of_an_application_is_503_for_all_it_asks: Application(1, 0) hits &[CONTACT, COLLEAGUE];
    a_change_of_another_application_is_503_for_nothing_here: Application(2, 0) hits &[];
    a_change_of_a_trust_is_503_for_the_contacts_of_its_client: Trust(1, 3) hits &[CONTACT];
    a_change_of_a_trust_in_another_application_hits_nothing_here: Trust(2, 3) hits &[];
    a_change_of_a_mandate_is_503_for_its_contact: Mandate(2, 2) hits &[COLLEAGUE];
    a_change_of_a_key_is_503_for_all: Key(1, 0) hits &[CONTACT, COLLEAGUE];
    a_mark_on_one_token_hits_no_request_for_a_new_one: Token(0, 0) hits &[];
}

#[tokio::test]
async fn what_is_being_loaded_is_neither_granted_nor_recorded() {
    let app = loading(MarkKind::Contact, 1, 0);
    assert_unavailable(&app.token().await);
    assert!(app.journal.records().is_empty());
}

#[tokio::test]
async fn while_a_change_is_being_loaded_a_contact_without_trust_looks_like_an_unknown_one() {
    for (kind, number) in [(MarkKind::Contact, 1), (MarkKind::Application, 1), (MarkKind::Key, 1)] {
        let app = loading(kind, number, 0);
        let pending = app.store.directory().unwrap();
        let world = World::default().without_trusts().publish();
        app.store.set(world.with_pending_of(&pending));
        let [exists, unknown] = [app.token().await, app.token_for("con.nobody", "").await];
        assert_refused(&exists, 400, "invalid_grant");
        assert_eq!(exists.body, unknown.body);
        assert_eq!(app.journal.records().len(), 2);
        assert_eq!(list(&app, "").await.status, 200);
    }
}

#[tokio::test]
async fn an_unknown_contact_is_refused_while_others_are_being_loaded() {
    let app = loading(MarkKind::Contact, 1, 0);
    assert_refused(&app.token_for("con.nobody", "").await, 400, "invalid_grant");
    assert_eq!(listed(&app, &app.token_for(COLLEAGUE, "").await), ["cli.birch"]);
}
