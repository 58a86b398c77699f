//! Contract, chapter 6: an assertion is used once.

use std::sync::Arc;
use std::time::Duration;

use procura_engine::application_auth::assertion::REPLAY_WINDOW;
use procura_engine::limits::Limit;
use procura_jose::Algorithm;
use procura_protocol::client_assertion::AssertionFault;
use procura_store::journal::Record;
use procura_testkit::assertion::{AssertionKey, claims};
use procura_testkit::clock::BEGINNING;
use procura_testkit::journal::Mode;
use procura_testkit::{TestApp, World};
use serde_json::json;

use crate::signing::{Signing, last_faults, send, used};
use crate::support::assert_refused;

#[tokio::test]
async fn an_assertion_is_used_once() {
    let signing = Signing::new();
    let assertion = signing.key.assertion("once");
    assert_eq!(signing.send(&assertion).await.status, 200);
    for _ in 0..2 {
        assert_refused(&signing.send(&assertion).await, 401, "invalid_client");
    }
    assert_eq!(last_faults(&signing.app), [AssertionFault::Replayed]);
    let in_other_words = signing.changed(|header, claims| {
        header["typ"] = json!("JWT");
        (claims["jti"], claims["exp"]) = (json!("once"), json!(BEGINNING.0 + 61));
    });
    assert_refused(&in_other_words.await, 401, "invalid_client");
    assert_eq!(used(&signing.app).len(), 1);
}

#[tokio::test]
async fn of_sixteen_that_send_one_assertion_at_once_one_is_let_in() {
    let signing = Signing::new();
    let (assertion, app) = (signing.key.assertion("at once"), Arc::new(signing.app));
    let sent: Vec<_> = (0..16)
        .map(|_| {
            let (app, assertion) = (Arc::clone(&app), assertion.clone());
            tokio::spawn(async move { send(&app, &assertion).await.status.as_u16() })
        })
        .collect();
    let mut answers = Vec::new();
    for answer in sent {
        answers.push(answer.await.unwrap());
    }
    answers.sort_unstable();
    assert_eq!((answers[0], &answers[1..]), (200, &[401; 15][..]));
}

#[tokio::test]
async fn an_assertion_that_was_refused_is_not_used_up() {
    let signing = Signing::new();
    let early = signing.changed(|_, claims| claims["nbf"] = json!(BEGINNING.0 + 20));
    assert_refused(&early.await, 401, "invalid_client");
    assert!(used(&signing.app).is_empty());
    signing.app.clock.advance(Duration::from_secs(15));
    let later = signing.changed(|_, claims| claims["nbf"] = json!(BEGINNING.0 + 20));
    assert_eq!(later.await.status, 200);
}

#[tokio::test]
async fn that_an_assertion_was_used_is_on_record_before_the_token_is() {
    let signing = Signing::new();
    assert_eq!(signing.send(&signing.key.assertion("recorded")).await.status, 200);
    let records = signing.app.journal.records();
    assert!(matches!(records[..], [Record::AssertionUsed(_), Record::Issued(_)]), "{records:?}");
    let used = used(&signing.app)[0];
    assert_eq!((used.application.0, used.expires_at), (1, BEGINNING.plus(60)));
}

#[tokio::test]
async fn without_a_journal_nobody_is_let_in_by_an_assertion() {
    for mode in [Mode::Full, Mode::SyncFails] {
        let signing = Signing::new();
        signing.app.journal.set_mode(mode);
        let answer = signing.send(&signing.key.assertion("unrecorded")).await;
        assert_refused(&answer, 503, "temporarily_unavailable");
        signing.app.journal.set_mode(Mode::Works);
        let again = signing.send(&signing.key.assertion("unrecorded")).await;
        // Nobody knows what is on disk of it: it stays used.
        assert_eq!(again.status, 401, "{mode:?}");
    }
}

#[tokio::test]
async fn beyond_the_limit_of_its_application_an_assertion_is_neither_written_nor_used_up() {
    let key = AssertionKey::new(Algorithm::Es256);
    let world = World::default().signing(&[&key]);
    let app = TestApp::with_settings(&world, &[Algorithm::Es256], |settings| {
        settings.limits.requests_per_application = 1;
    });
    let long = |id: &str| {
        let mut claims = claims(id);
        claims["exp"] = json!(BEGINNING.0 + 200);
        key.sign(&key.header(), &claims)
    };
    let (first, second) = (long("first"), long("second"));
    assert_eq!(send(&app, &first).await.status, 200);
    for assertion in [&second, &long("third"), &second] {
        assert_eq!(send(&app, assertion).await.status, 429);
    }
    assert_eq!(used(&app).len(), 1);
    assert!(last_faults(&app).is_empty(), "nothing was wrong with them");
    assert_eq!(app.engine.limits().times_reached(Limit::Application), 3);
    app.clock.advance(Duration::from_secs(60));
    assert_refused(&send(&app, &first).await, 401, "invalid_client");
    assert_eq!(send(&app, &second).await.status, 200, "an assertion that is sent again takes nothing");
}

#[tokio::test]
async fn another_server_that_read_the_journal_refuses_what_was_used() {
    let signing = Signing::new();
    let assertion = signing.key.assertion("before the restart");
    assert_eq!(signing.send(&assertion).await.status, 200);
    let restarted = TestApp::new(&World::default().signing(&[&signing.key]));
    let now = restarted.engine.now().unwrap();
    used(&signing.app).iter().for_each(|used| restarted.engine.remember_used_assertion(used, now));
    assert_refused(&send(&restarted, &assertion).await, 401, "invalid_client");
    assert_eq!(last_faults(&restarted), [AssertionFault::Replayed]);
    assert_eq!(send(&restarted, &signing.key.assertion("after it")).await.status, 200);
}

#[tokio::test]
async fn what_is_read_of_the_journal_reaches_back_as_far_as_an_assertion_can_live() {
    let key = AssertionKey::new(Algorithm::Es256);
    let world = World::default().signing(&[&key]);
    let app =
        TestApp::with_settings(&world, &[Algorithm::Es256], |settings| settings.assertion_lifetime = 3_600);
    let mut longest = claims("longest");
    longest["exp"] = json!(BEGINNING.0 + 3_610);
    let assertion = key.sign(&key.header(), &longest);
    assert_eq!(send(&app, &assertion).await.status, 200);
    assert!(used(&app)[0].expires_at.0 < BEGINNING.0 + REPLAY_WINDOW);
}
