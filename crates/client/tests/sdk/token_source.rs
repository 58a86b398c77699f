//! One request per contact, for as long as its token lives.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use procura_client::{Error, TokenOptions, TokenSource, TransportErrorKind};
use tokio::time::advance;

use crate::fake::{Act, Fake, SECRET, TestClock, answer, contact, procura, procura_at, refusal, token};

type Source = TokenSource<Arc<Fake>>;

const LIFE: Duration = Duration::from_secs(3_600);

async fn text(source: &Source, id: &str) -> Result<String, Error> {
    let token = source.token_for_contact(&contact(id)).await?;
    Ok(token.access_token.as_ref().unwrap().expose().to_owned())
}

async fn ok(source: &Source, id: &str) -> String {
    text(source, id).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn sixteen_at_once_ask_once_and_share_the_token() {
    let fake = Fake::slow(Duration::from_secs(1), [token("t")]);
    let source = TokenSource::new(procura(&fake));
    let askers: Vec<_> = (0..16)
        .map(|_| {
            let source = source.clone();
            tokio::spawn(async move { source.token_for_contact(&contact("c1")).await.unwrap() })
        })
        .collect();
    let mut tokens = Vec::new();
    for asker in askers {
        tokens.push(asker.await.unwrap());
    }
    assert!(tokens.iter().all(|token| Arc::ptr_eq(token, &tokens[0])));
    assert_eq!(fake.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn sixteen_at_once_share_a_refusal_and_the_next_asks_again() {
    let fake = Fake::slow(Duration::from_secs(1), [refusal(), token("t")]);
    let source = TokenSource::new(procura(&fake));
    let askers: Vec<_> = (0..16)
        .map(|_| {
            let source = source.clone();
            tokio::spawn(async move { text(&source, "c1").await })
        })
        .collect();
    for asker in askers {
        let error = asker.await.unwrap().unwrap_err();
        assert_eq!(error.reference(), Some("AAAAAAAAAAAAAAAAAAAAAA"));
    }
    assert_eq!(fake.requests(), 1);
    assert_eq!(ok(&source, "c1").await, "t");
}

#[tokio::test(start_paused = true)]
async fn two_contacts_are_two_requests() {
    let fake = Fake::new([token("t1"), token("t2")]);
    let source = TokenSource::new(procura(&fake));
    let both = (ok(&source, "c1").await, ok(&source, "c2").await);
    assert_eq!(both, ("t1".into(), "t2".into()));
    assert_eq!(fake.paths(), ["/token/c1", "/token/c2"]);
}

#[tokio::test(start_paused = true)]
async fn an_asker_who_gives_up_takes_nothing_from_the_others() {
    let fake = Fake::slow(Duration::from_secs(2), [token("t")]);
    let source = TokenSource::new(procura(&fake));
    let second = Duration::from_secs(1);
    let gave_up = tokio::time::timeout(second, source.token_for_contact(&contact("c1"))).await;
    assert!(gave_up.is_err());
    assert_eq!(ok(&source, "c1").await, "t");
    assert_eq!(fake.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_lands_even_if_everybody_gave_up() {
    let fake = Fake::slow(Duration::from_secs(2), [token("t")]);
    let source = TokenSource::new(procura(&fake));
    let gave_up =
        tokio::time::timeout(Duration::from_secs(1), source.token_for_contact(&contact("c1"))).await;
    assert!(gave_up.is_err());
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(ok(&source, "c1").await, "t");
    assert_eq!(fake.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_kept_for_80_percent_of_its_life() {
    let fake = Fake::new([token("old")]);
    let source = TokenSource::new(procura(&fake));
    assert_eq!(ok(&source, "c1").await, "old");
    advance(LIFE * 4 / 5 - Duration::from_secs(1)).await;
    assert_eq!(ok(&source, "c1").await, "old");
    advance(Duration::from_secs(1)).await;
    fake.then(token("new"));
    assert_eq!(ok(&source, "c1").await, "new");
    assert_eq!(fake.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_life_is_counted_from_the_request_and_not_from_the_answer() {
    let fake = Fake::slow(Duration::from_secs(4), [token("old"), token("new")]);
    let source = TokenSource::new(procura(&fake));
    assert_eq!(ok(&source, "c1").await, "old");
    advance(LIFE * 4 / 5 - Duration::from_secs(4)).await;
    assert_eq!(ok(&source, "c1").await, "new");
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_jumps_ahead_makes_a_token_old() {
    let fake = Fake::new([token("old"), token("new")]);
    let clock = TestClock::new();
    let source = TokenSource::new(procura_at(&fake, Arc::clone(&clock)));
    assert_eq!(ok(&source, "c1").await, "old");
    clock.set_wall_by(-7_200);
    assert_eq!(ok(&source, "c1").await, "old", "set back, it changes nothing");
    clock.set_wall_by(7_200);
    assert_eq!(ok(&source, "c1").await, "new");
}

#[tokio::test(start_paused = true)]
async fn a_failed_renewal_gives_the_old_token_while_it_lives_and_waits_ten_seconds() {
    let fake = Fake::new([token("old")]);
    let source = TokenSource::new(procura(&fake));
    assert_eq!(ok(&source, "c1").await, "old");
    advance(LIFE * 4 / 5).await;
    for _ in 0..3 {
        fake.then(Act::Fail(TransportErrorKind::Connection));
    }
    assert_eq!(ok(&source, "c1").await, "old");
    assert_eq!(ok(&source, "c1").await, "old");
    assert_eq!(fake.requests(), 4, "three tries, then a pause");
    advance(Duration::from_secs(10)).await;
    fake.then(token("new"));
    assert_eq!(ok(&source, "c1").await, "new");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_broken_takes_no_living_token_away() {
    for broken in [answer(500, &[], ""), answer(302, &[], ""), answer(200, &[], "<html>")] {
        let fake = Fake::new([token("old")]);
        let source = TokenSource::new(procura(&fake));
        ok(&source, "c1").await;
        advance(LIFE * 4 / 5).await;
        fake.then(broken);
        assert_eq!(ok(&source, "c1").await, "old");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_token_is_never_handed_out() {
    let fake = Fake::new([token("old")]);
    let source = TokenSource::new(procura(&fake));
    ok(&source, "c1").await;
    advance(LIFE).await;
    for _ in 0..3 {
        fake.then(answer(503, &[], ""));
    }
    assert!(matches!(text(&source, "c1").await, Err(Error::Unavailable { status: 503, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_refused_renewal_forgets_the_old_token() {
    let fake = Fake::new([token("old")]);
    let source = TokenSource::new(procura(&fake));
    ok(&source, "c1").await;
    advance(LIFE * 4 / 5).await;
    fake.then(refusal());
    assert!(matches!(text(&source, "c1").await, Err(Error::Refused { .. })));
    for _ in 0..3 {
        fake.then(answer(503, &[], ""));
    }
    assert!(text(&source, "c1").await.is_err(), "nothing is left to fall back on");
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_token_is_asked_for_again() {
    let fake = Fake::new([token("old"), token("new")]);
    let source = TokenSource::new(procura(&fake));
    ok(&source, "c1").await;
    source.forget(&contact("c1"));
    assert_eq!(ok(&source, "c1").await, "new");
}

#[tokio::test(start_paused = true)]
async fn beyond_its_capacity_a_source_drops_the_contact_not_asked_for_longest() {
    let fake = Fake::new([token("t1"), token("t2"), token("t3"), token("t2 again")]);
    let capacity = NonZeroUsize::new(2).unwrap();
    let source = TokenSource::with(procura(&fake), TokenOptions::default(), capacity);
    for (id, expected) in
        [("c1", "t1"), ("c2", "t2"), ("c1", "t1"), ("c3", "t3"), ("c1", "t1"), ("c2", "t2 again")]
    {
        assert_eq!(ok(&source, id).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_does_not_say_how_long_it_lives_is_not_kept() {
    let once = |text| answer(200, &[], format!(r#"{{"access_token":"{text}","token_type":"Bearer"}}"#));
    let fake = Fake::new([once("t1"), once("t2")]);
    let source = TokenSource::new(procura(&fake));
    assert_eq!(ok(&source, "c1").await, "t1");
    assert_eq!(ok(&source, "c1").await, "t2");
}

#[tokio::test(start_paused = true)]
async fn a_flight_that_panics_strands_nobody() {
    let fake = Fake::slow(Duration::from_secs(1), [Act::Panic, token("t")]);
    let source = TokenSource::new(procura(&fake));
    let (first, second) = tokio::join!(text(&source, "c1"), text(&source, "c1"));
    assert!(matches!(first, Err(Error::Transport(_))));
    assert!(matches!(second, Err(Error::Transport(_))));
    assert_eq!(ok(&source, "c1").await, "t");
}

#[tokio::test(start_paused = true)]
async fn debug_output_of_everything_holds_no_secret_and_no_token() {
    let fake = Fake::new([token("hunter3"), refusal()]);
    let procura = procura(&fake);
    let source = TokenSource::new(Arc::clone(&procura));
    let token = source.token_for_contact(&contact("c1")).await.unwrap();
    let error = text(&source, "c2").await.unwrap_err();
    let printed = format!("{procura:?} {source:?} {token:?} {error:?} {error}");
    assert!(!printed.contains(SECRET) && !printed.contains("hunter"), "{printed}");
}
