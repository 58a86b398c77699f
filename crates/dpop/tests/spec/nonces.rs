//! Nonces (RFC 9449 8), and proofs from before the judge began.

use procura_dpop::{DpopFault, DpopJudge};
use procura_protocol::time::UnixSeconds;

use crate::made::{Constant, NOW, changed, fault, judge, judged, judged_at};

fn with_nonce(jti: &str, nonce: &str) -> String {
    changed(jti, |claims| claims["nonce"] = nonce.into())
}

/// One that demands nonces, with a key of its own.
fn demanding(key: u8) -> DpopJudge {
    DpopJudge::new(true, 1_000, NOW.plus(-71), &Constant(key))
}

#[test]
fn where_they_are_demanded_a_proof_without_a_nonce_of_ours_is_none_yet() {
    let judge = demanding(1);
    assert!(judge.demands_nonces());
    let nonce = judge.nonce(NOW);
    for without in [changed("1", |_| {}), with_nonce("1", ""), with_nonce("1", &demanding(2).nonce(NOW))] {
        assert_eq!(judged(&judge, &without), fault(DpopFault::Nonce));
    }
    // None of them was used up.
    assert!(judged(&judge, &with_nonce("1", &nonce)).is_ok());
    assert_eq!(judged(&judge, &with_nonce("1", &nonce)), fault(DpopFault::Replayed));
    assert!(judged(&judge, &with_nonce("2", &nonce)).is_ok(), "a nonce is for many proofs");
}

#[test]
fn where_they_are_not_demanded_one_of_another_process_says_nothing() {
    let judge = judge();
    assert!(!judge.demands_nonces());
    assert!(judged(&judge, &with_nonce("1", &demanding(2).nonce(NOW))).is_ok());
    assert_eq!(judged(&judge, &with_nonce("1", "somebody elses")), fault(DpopFault::Replayed));
    assert!(judged(&judge, &with_nonce("3", &judge.nonce(NOW))).is_ok());
    assert!(judged(&judge, &changed("2", |_| {})).is_ok());
}

#[test]
fn a_nonce_is_over_after_five_minutes_at_the_latest() {
    let judge = demanding(1);
    let nonce = judge.nonce(NOW);
    let at = |later: i64, jti: &str| {
        let now = NOW.plus(later);
        let proof = changed(jti, |claims| {
            claims["iat"] = now.0.into();
            claims["nonce"] = nonce.as_str().into();
        });
        judged_at(&judge, &proof, now)
    };
    assert!(at(150, "1").is_ok());
    assert_eq!(at(300, "2"), fault(DpopFault::Nonce));
}

#[test]
fn a_proof_that_can_have_been_used_before_the_judge_began_is_taken_with_a_nonce_of_its_own_alone() {
    let judge = DpopJudge::new(false, 1_000, NOW, &Constant(1));
    let (nonce, foreign) = (judge.nonce(NOW), demanding(2).nonce(NOW));
    // Ten seconds ahead is what a clock may be behind that took it before.
    for (at, made) in [-1, 0, 1, 10].into_iter().enumerate() {
        let proof = |nonce: Option<&str>| {
            changed(&at.to_string(), |claims| {
                claims["iat"] = (NOW.0 + made).into();
                if let Some(nonce) = nonce {
                    claims["nonce"] = nonce.into();
                }
            })
        };
        assert_eq!(judged(&judge, &proof(None)), fault(DpopFault::Nonce), "{made}");
        assert_eq!(judged(&judge, &proof(Some(&foreign))), fault(DpopFault::Nonce), "{made}");
        assert!(judged(&judge, &proof(Some(&nonce))).is_ok(), "{made}");
    }
    let later = NOW.plus(1);
    let proof = changed("later", |claims| claims["iat"] = (NOW.0 + 11).into());
    assert!(judged_at(&judge, &proof, later).is_ok());
}

#[test]
fn who_was_no_judge_before_needs_no_nonce_for_it() {
    let judge = DpopJudge::new(false, 1_000, NOW, &Constant(1));
    judge.nothing_was_used_before();
    let proof = changed("1", |claims| claims["iat"] = (NOW.0 - 60).into());
    assert!(judged(&judge, &proof).is_ok());
    assert_eq!(judged(&judge, &proof), fault(DpopFault::Replayed));
}

#[test]
fn a_nonce_says_nothing_about_when_it_was_made() {
    let (now, later) = (judge().nonce(NOW), judge().nonce(UnixSeconds(NOW.0 + 150)));
    assert_eq!((now.len(), later.len()), (22, 22));
    assert_ne!(now, later);
    assert_ne!(now, demanding(2).nonce(NOW));
}
