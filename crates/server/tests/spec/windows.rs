//! Windows are half-open, `[from, until)`, and a token never outlives one of its own.

use std::time::Duration;

use procura_store::journal::Record;
use procura_store::records::Span;
use procura_testkit::clock::BEGINNING;
use procura_testkit::world::{CONTACT, span};
use procura_testkit::{Answer, TestApp, World};

use crate::support::{assert_refused, listed};

/// So many seconds after the tests' beginning.
const fn after(seconds: i64) -> Option<i64> {
    Some(BEGINNING.0 + seconds)
}

fn with_mandates(window: Span) -> World {
    World::default().mandates(|mandate| mandate.span = window)
}

fn with_trusts(window: Span) -> World {
    World::default().trusts(|trust| trust.span = window)
}

/// The two worlds in which that is the window of all mandates, or of all trusts.
fn both(window: Span) -> [World; 2] {
    [with_mandates(window), with_trusts(window)]
}

/// Checks that everything in an answer ends so many seconds from now.
fn assert_lasts(app: &TestApp, answer: &Answer, seconds: i64) {
    assert_eq!(answer.text("expires_in"), seconds.to_string());
    for claims in [app.id_token(answer), app.access_token(answer)] {
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), seconds);
    }
    let Some(Record::Issued(issued)) = app.journal.records().pop() else { panic!("no record") };
    assert_eq!(app.id_token(answer)["exp"], issued.expires_at.0);
}

#[tokio::test]
async fn the_first_second_is_inside() {
    for world in both(span(after(0), None)) {
        assert_eq!(TestApp::new(&world).token().await.status, 200);
    }
}

#[tokio::test]
async fn the_second_before_the_first_is_outside() {
    for world in both(span(after(1), None)) {
        assert_refused(&TestApp::new(&world).token().await, 400, "invalid_grant");
    }
}

#[tokio::test]
async fn the_last_second_is_inside_and_the_token_lasts_for_it() {
    for world in both(span(None, after(1))) {
        let app = TestApp::new(&world);
        app.clock.advance(Duration::from_millis(999));
        assert_lasts(&app, &app.token().await, 1);
    }
}

#[tokio::test]
async fn the_end_itself_is_outside() {
    for world in both(span(None, after(1))) {
        let app = TestApp::new(&world);
        app.clock.advance(Duration::from_secs(1));
        assert_refused(&app.token().await, 400, "invalid_grant");
    }
}

#[tokio::test]
async fn a_window_that_begins_opens_on_the_second() {
    for world in both(span(after(10), None)) {
        let app = TestApp::new(&world);
        app.clock.advance(Duration::from_millis(9_999));
        assert_refused(&app.token().await, 400, "invalid_grant");
        app.clock.advance(Duration::from_millis(1));
        assert_eq!(app.token().await.status, 200);
    }
}

#[tokio::test]
async fn an_empty_window_is_never_in_force() {
    for world in both(span(after(0), after(0))) {
        assert_refused(&TestApp::new(&world).token().await, 400, "invalid_grant");
    }
}

#[tokio::test]
async fn a_token_ends_with_the_window_that_ends_first() {
    let mut world = World::default();
    let mandates = &mut world.contacts[0].1.mandates;
    mandates[0].span = span(None, after(3_000));
    mandates[1].span = span(None, after(2_000));
    world.trusts[2].1.span = span(None, after(1_000));
    let app = TestApp::new(&world);
    assert_lasts(&app, &app.token().await, 1_000);
}

#[tokio::test]
async fn a_window_of_a_client_that_was_narrowed_away_ends_nothing() {
    let mut world = World::default();
    world.contacts[0].1.mandates[0].span = span(None, after(10));
    world.trusts[1].1.span = span(None, after(100));
    let app = TestApp::new(&world);
    assert_lasts(&app, &app.token().await, 10);
    assert_lasts(&app, &app.token_for(CONTACT, "clients=cli.birch cli.cedar").await, 100);
    assert_lasts(&app, &app.token_for(CONTACT, "clients=cli.cedar").await, 3_600);
}

#[tokio::test]
async fn a_window_that_is_over_leaves_its_client_out_and_ends_nothing() {
    let mut world = World::default();
    world.contacts[0].1.mandates[0].span = span(None, after(10));
    let app = TestApp::new(&world);
    app.clock.advance(Duration::from_secs(10));
    let answer = app.token().await;
    assert_eq!(listed(&app, &answer), ["cli.birch", "cli.cedar"]);
    assert_lasts(&app, &answer, 3_600);
}

#[tokio::test]
async fn a_window_that_ends_later_than_the_lifetime_does_not_lengthen_it() {
    for end in [3_600, 3_601, 1_000_000] {
        for world in both(span(None, after(end))) {
            let app = TestApp::new(&world);
            assert_lasts(&app, &app.token().await, 3_600);
        }
    }
    let app = TestApp::new(&with_trusts(span(None, after(3_599))));
    assert_lasts(&app, &app.token().await, 3_599);
}

#[tokio::test]
async fn the_lifetime_is_the_operator_s() {
    let set = |settings: &mut procura_engine::Settings| settings.lifetime = 600;
    let app = TestApp::with_settings(&World::default(), &[procura_jose::Algorithm::Es256], set);
    assert_lasts(&app, &app.token().await, 600);
}

#[tokio::test]
async fn times_are_whole_seconds_that_have_begun() {
    let app = TestApp::new(&World::default());
    app.clock.advance(Duration::from_millis(1_999));
    let claims = app.id_token(&app.token().await);
    assert_eq!(claims["iat"], BEGINNING.0 + 1);
}
