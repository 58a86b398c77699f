//! What is asked again, how often, and when to stop.

use std::sync::Arc;
use std::time::Duration;

use procura_client::{Error, Page, Procura, TransportErrorKind};

use crate::fake::{
    Act, Constant, Fake, TestClock, answer, application, contact, now, procura, refusal, token,
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_broken_connection_a_429_and_a_503_are_tried_again() {
    for passing in [
        Act::Fail(TransportErrorKind::Connection),
        Act::Fail(TransportErrorKind::Timeout),
        answer(429, &[], ""),
        answer(503, &[], ""),
    ] {
        let fake = Fake::new([passing, token("t")]);
        let response = procura(&fake).token_for_contact(&contact("c1")).await.unwrap();
        assert_eq!(response.access_token.unwrap().expose(), "t");
        assert_eq!(fake.requests(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn three_tries_are_all() {
    let fake = Fake::new([
        answer(503, &[], ""),
        Act::Fail(TransportErrorKind::Connection),
        answer(503, &[("Procura-Reference", "abc"), ("Retry-After", "1")], ""),
    ]);
    let error = procura(&fake).token_for_contact(&contact("c1")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { status: 503, retry_after: Some(SECOND), .. }), "{error}");
    assert_eq!(error.reference(), Some("abc"));
    assert_eq!(fake.requests(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_pass_is_asked_once() {
    for status in [400, 401, 403, 404, 405, 409, 413, 415, 431, 495, 496, 497, 500, 502, 504, 302, 204] {
        let fake = Fake::new([answer(status, &[("Retry-After", "1")], "")]);
        assert!(procura(&fake).token_for_contact(&contact("c1")).await.is_err());
        assert_eq!(fake.requests(), 1, "{status}");
    }
    for kind in [TransportErrorKind::TooLarge, TransportErrorKind::Setup] {
        let fake = Fake::new([Act::Fail(kind)]);
        assert!(procura(&fake).token_for_contact(&contact("c1")).await.is_err());
        assert_eq!(fake.requests(), 1, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_passing_failure_is_the_answer() {
    let fake = Fake::new([answer(503, &[], ""), refusal()]);
    let error = procura(&fake).token_for_contact(&contact("c1")).await.unwrap_err();
    assert!(matches!(&error, Error::Refused { error, .. } if error == "invalid_grant"), "{error}");
    assert_eq!(fake.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn waits_grow_and_the_servers_own_comes_first() {
    let fake = Fake::new([answer(503, &[], ""), answer(503, &[], ""), token("t")]);
    procura(&fake).token_for_contact(&contact("c1")).await.unwrap();
    assert_eq!(fake.gaps(), [Duration::from_millis(250), SECOND]);

    let fake = Fake::new([answer(429, &[("Retry-After", "4")], ""), token("t")]);
    procura(&fake).token_for_contact(&contact("c1")).await.unwrap();
    assert_eq!(fake.gaps(), [4 * SECOND]);
}

#[tokio::test(start_paused = true)]
async fn the_wait_is_spread_by_the_given_randomness() {
    let fake = Fake::new([answer(503, &[], ""), token("t")]);
    let procura = Procura::new(application(), Arc::clone(&fake), TestClock::new(), Arc::new(Constant(255)));
    procura.token_for_contact(&contact("c1")).await.unwrap();
    assert_eq!(fake.gaps(), [Duration::from_millis(500)]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_ten_seconds_is_not_begun() {
    for seconds in ["10", "3600", "4294967295"] {
        let fake = Fake::new([answer(503, &[("Retry-After", seconds)], "")]);
        let before = now();
        let error = procura(&fake).token_for_contact(&contact("c1")).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { retry_after: Some(_), .. }), "{error}");
        assert_eq!((fake.requests(), now() - before), (1, Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_costs_ten_seconds() {
    let fake = Fake::new([Act::Hang, Act::Hang, Act::Hang]);
    let before = now();
    let error = procura(&fake).token_for_contact(&contact("c1")).await.unwrap_err();
    assert!(matches!(&error, Error::Transport(e) if e.kind() == TransportErrorKind::Timeout), "{error}");
    assert_eq!(now() - before, 10 * SECOND);
    assert_eq!(fake.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn contacts_come_whole_and_by_page() {
    let fake = Fake::slow(
        20 * SECOND,
        [
            answer(200, &[], r#"{"data":["c1","c2"]}"#),
            answer(200, &[("x-total-count", "3")], r#"{"data":["c1","c2"]}"#),
            answer(200, &[("x-total-count", "3")], r#"{"data":["c3"]}"#),
        ],
    );
    let procura = procura(&fake);
    assert_eq!(procura.available_contacts().await.unwrap(), ["c1", "c2"].map(contact));

    let mut page = Some(Page { number: 1.try_into().unwrap(), size: 2 });
    let mut all = Vec::new();
    while let Some(number) = page {
        let read = procura.available_contacts_page(number).await.unwrap();
        all.extend(read.contacts);
        page = read.next;
    }
    assert_eq!(all, ["c1", "c2", "c3"].map(contact));
}
