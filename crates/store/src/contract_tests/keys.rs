//! The life of keys.

use procura_protocol::algorithm::Algorithm;

use super::{Harness, NOW, context};
use crate::administration::{
    Administration, Fact, InsertKey, KeyPurpose, KeyState, NewKey, PromoteKey, RetireKey, RevokeKey,
    SealedKey,
};
use crate::mark::MarkKind;
use crate::records::KeyNo;

fn new_key(kid: &str, signs_at_once: bool) -> NewKey {
    NewKey {
        kid: kid.to_owned(),
        algorithm: Algorithm::Es256,
        purpose: KeyPurpose::Token,
        signs_at_once,
        sealed: kid.as_bytes().to_vec(),
        public_jwk: format!("{{\"kid\":\"{kid}\"}}"),
        endorsement: None,
    }
}

async fn insert(directory: &impl Administration, kid: &str, signs_at_once: bool) -> KeyNo {
    match directory.insert_key(context(), new_key(kid, signs_at_once)).await.unwrap() {
        InsertKey::Inserted(no) => no,
        other @ (InsertKey::Exists | InsertKey::AlreadyThere) => panic!("{other:?}"),
    }
}

async fn states(directory: &impl Administration) -> Vec<(String, KeyState)> {
    let keys = directory.keys().await.unwrap();
    for key in &keys {
        assert_eq!(key.announced_at, NOW.seconds());
        assert_eq!(key.sealed.is_none(), matches!(key.state, KeyState::Gone | KeyState::Revoked));
    }
    keys.into_iter().map(|key| (key.kid, key.state)).collect()
}

fn expected(states: &[(&str, KeyState)]) -> Vec<(String, KeyState)> {
    states.iter().map(|(kid, state)| ((*kid).to_owned(), *state)).collect()
}

pub async fn a_key_lives_its_life(harness: &impl Harness) {
    use KeyState::{Announced, Gone, Retired, Signing};
    let directory = harness.open();
    let first = insert(&directory, "k1", true).await;
    let second = insert(&directory, "k2", false).await;
    assert_eq!(states(&directory).await, expected(&[("k1", Signing), ("k2", Announced)]));
    let promote = async |no, next| directory.promote_key(context(), no, next).await.unwrap();
    assert_eq!(promote(second, Some(new_key("k3", true))).await, PromoteKey::Promoted);
    let now = expected(&[("k1", Retired), ("k2", Signing), ("k3", Announced)]);
    assert_eq!(states(&directory).await, now);
    assert_eq!(promote(second, None).await, PromoteKey::NotAnnounced);
    assert_eq!(promote(KeyNo(99), None).await, PromoteKey::NotFound);
    let let_go = async |no| directory.let_key_go(context(), no).await.unwrap();
    assert_eq!(let_go(second).await, RetireKey::NotRetired);
    assert_eq!(let_go(first).await, RetireKey::Gone);
    let now = expected(&[("k1", Gone), ("k2", Signing), ("k3", Announced)]);
    assert_eq!(states(&directory).await, now);
    assert_eq!(harness.marks(), []);
}

pub async fn only_one_key_announces_and_one_signs(harness: &impl Harness) {
    let directory = harness.open();
    insert(&directory, "k1", true).await;
    insert(&directory, "k2", false).await;
    let again = async |kid, at_once| directory.insert_key(context(), new_key(kid, at_once)).await.unwrap();
    assert_eq!(again("k1", true).await, InsertKey::Exists);
    assert_eq!(again("k3", true).await, InsertKey::AlreadyThere);
    assert_eq!(again("k3", false).await, InsertKey::AlreadyThere);
    let other = NewKey { purpose: KeyPurpose::Journal, algorithm: Algorithm::EdDsa, ..new_key("j1", true) };
    assert!(matches!(directory.insert_key(context(), other).await.unwrap(), InsertKey::Inserted(_)));
}

pub async fn revoking_promotes_the_announced_key_and_marks_the_old_one(harness: &impl Harness) {
    use KeyState::{Announced, Revoked, Signing};
    let directory = harness.open();
    let first = insert(&directory, "k1", true).await;
    insert(&directory, "k2", false).await;
    let revoke = async |no| directory.revoke_key(context(), no, Some(new_key("k3", false))).await.unwrap();
    assert_eq!(revoke(first).await, RevokeKey::Revoked);
    let now = expected(&[("k1", Revoked), ("k2", Signing), ("k3", Announced)]);
    assert_eq!(states(&directory).await, now);
    assert_eq!(revoke(first).await, RevokeKey::AlreadyGone);
    let marks: Vec<_> = harness.marks().iter().map(|mark| (mark.kind, mark.number)).collect();
    assert_eq!(marks, [(MarkKind::Key, first.0)]);
}

pub async fn the_last_key_that_signs_is_revoked_only_with_a_successor(harness: &impl Harness) {
    use KeyState::{Revoked, Signing};
    let directory = harness.open();
    let first = insert(&directory, "k1", true).await;
    let revoke = async |next| directory.revoke_key(context(), first, next).await.unwrap();
    assert_eq!(revoke(None).await, RevokeKey::NoSuccessor);
    assert_eq!(revoke(Some(new_key("k2", false))).await, RevokeKey::Revoked);
    assert_eq!(states(&directory).await, expected(&[("k1", Revoked), ("k2", Signing)]));
}

pub async fn sealing_anew_takes_every_key_or_none(harness: &impl Harness) {
    let directory = harness.open();
    let (first, second) = (insert(&directory, "k1", true).await, insert(&directory, "k2", false).await);
    let sealed = |no| SealedKey { no, sealed: b"new".to_vec() };
    let fact = vec![(Fact::UnknownInputKey, "new".to_owned())];
    assert!(!directory.rewrap(context(), vec![sealed(first)], fact.clone()).await.unwrap());
    assert_eq!(directory.fact(Fact::UnknownInputKey).await.unwrap(), None);
    assert!(directory.rewrap(context(), vec![sealed(second), sealed(first)], fact).await.unwrap());
    let keys = directory.keys().await.unwrap();
    assert!(keys.iter().all(|key| key.sealed.as_deref() == Some(b"new")));
    assert_eq!(directory.fact(Fact::UnknownInputKey).await.unwrap().as_deref(), Some("new"));
}
