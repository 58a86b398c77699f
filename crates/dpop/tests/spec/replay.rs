//! Each proof once (RFC 9449 11.1).

use std::sync::Barrier;
use std::thread;

use procura_dpop::{DpopFault, DpopJudge, DpopRefusal, DpopTerms, Of, Owner, Proofs, TargetUri};
use procura_jose::Algorithm;

use crate::made::{Constant, NOW, changed, fault, judge, judged, judged_at, key, proof};

#[test]
fn a_proof_that_was_used_is_refused() {
    let judge = judge();
    let es256 = key(Algorithm::Es256);
    let once = proof(es256, "1");
    assert!(judged(&judge, &once).is_ok());
    assert_eq!(judged(&judge, &once), fault(DpopFault::Replayed));
    // A new signature under the same name is the same proof.
    assert_eq!(judged(&judge, &proof(es256, "1")), fault(DpopFault::Replayed));
    let later = changed("1", |claims| claims["iat"] = (NOW.0 + 5).into());
    assert_eq!(judged(&judge, &later), fault(DpopFault::Replayed));
    assert!(judged(&judge, &proof(es256, "2")).is_ok());
    assert_eq!(judge.remembered(), 2);
}

#[test]
fn a_name_is_one_keys_own() {
    let judge = judge();
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        assert!(judged(&judge, &proof(key(algorithm), "1")).is_ok(), "{algorithm}");
    }
}

#[test]
fn it_is_remembered_for_as_long_as_it_could_be_shown() {
    let judge = judge();
    let ahead = changed("1", |claims| claims["iat"] = (NOW.0 + 10).into());
    assert!(judged(&judge, &ahead).is_ok());
    for later in [0, 35, 70] {
        assert_eq!(judged_at(&judge, &ahead, NOW.plus(later)), fault(DpopFault::Replayed), "{later}");
    }
    assert_eq!(judged_at(&judge, &ahead, NOW.plus(71)), fault(DpopFault::TooOld));
}

#[test]
fn one_of_sixteen_at_once_is_the_first() {
    let (judge, once) = (judge(), proof(key(Algorithm::Es256), "1"));
    let barrier = Barrier::new(16);
    let passed: usize = thread::scope(|scope| {
        let all: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    usize::from(judged(&judge, &once).is_ok())
                })
            })
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(passed, 1);
}

#[test]
fn without_room_none_is_forgotten_and_none_taken_and_that_is_no_fault_of_the_proof() {
    let judge = DpopJudge::new(false, 4, NOW.plus(-71), &Constant(1));
    let es256 = key(Algorithm::Es256);
    assert!(judged(&judge, &proof(es256, "1")).is_ok());
    assert_eq!(judged(&judge, &proof(es256, "2")), Err(DpopRefusal::Full));
    assert_eq!(judged(&judge, &proof(es256, "1")), fault(DpopFault::Replayed));
    // Keys are free: another one of the same application has no room of its own.
    assert_eq!(judged(&judge, &proof(key(Algorithm::EdDsa), "1")), Err(DpopRefusal::Full));
    let of = Of { owner: Owner::of("app_2"), key: None };
    let targets = [TargetUri::parse("https://procura.example/token").unwrap()];
    let terms = DpopTerms { method: "POST", targets: &targets, now: NOW, token: None };
    let other = proof(key(Algorithm::EdDsa), "1");
    assert!(
        judge.judge(Proofs::One(other.as_bytes()), &terms, of).is_ok(),
        "the room of another application"
    );
    assert_eq!(judge.faults().map(|(_, count)| count).sum::<u64>(), 1);
    assert!(judge.may_tell(NOW) && !judge.may_tell(NOW));
}
