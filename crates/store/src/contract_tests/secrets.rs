//! Secrets: two at most, retired one by one.

use super::{Harness, NOW, context, key, small_world};
use crate::administration::{AddSecret, Administration, RetireSecret, SecretNo};
use crate::change::Entity;
use crate::fields::Key;
use crate::mark::MarkKind;
use crate::records::SecretHash;

fn application() -> Key {
    key(Entity::Application, &["app_1"])
}

async fn add(directory: &impl Administration, byte: u8) -> AddSecret {
    directory.add_secret(context(), application(), SecretHash([byte; 32])).await.unwrap()
}

fn number(added: AddSecret) -> SecretNo {
    match added {
        AddSecret::Added { no } => no,
        AddSecret::TooMany | AddSecret::NotFound => panic!("{added:?}"),
    }
}

async fn live(directory: &impl Administration) -> Vec<SecretNo> {
    let secrets = directory.secrets(application()).await.unwrap().unwrap();
    assert!(secrets.iter().all(|secret| secret.created_at == NOW && secret.expires_at.is_none()));
    secrets.iter().map(|secret| secret.no).collect()
}

pub async fn two_are_live_at_most(harness: &impl Harness) {
    let directory = harness.open();
    assert_eq!(add(&directory, 0).await, AddSecret::NotFound);
    small_world(&directory).await;
    let (first, second) = (number(add(&directory, 1).await), number(add(&directory, 2).await));
    assert_eq!(add(&directory, 3).await, AddSecret::TooMany);
    assert_eq!(live(&directory).await, [first, second]);
}

pub async fn a_retired_secret_makes_room_and_is_gone(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let (first, second) = (number(add(&directory, 1).await), number(add(&directory, 2).await));
    let retire = async |no| directory.retire_secret(context(), application(), no, false).await.unwrap();
    assert_eq!(retire(first).await, RetireSecret::Retired);
    assert_eq!(retire(first).await, RetireSecret::NotFound);
    let third = number(add(&directory, 3).await);
    assert_eq!(live(&directory).await, [second, third]);
    assert_eq!(harness.marks(), []);
}

pub async fn a_compromised_secret_marks_its_application(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let no = number(add(&directory, 1).await);
    directory.retire_secret(context(), application(), no, true).await.unwrap();
    let kinds: Vec<MarkKind> = harness.marks().iter().map(|mark| mark.kind).collect();
    assert_eq!(kinds, [MarkKind::Application]);
}

pub async fn replacing_ends_all_others(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    add(&directory, 1).await;
    add(&directory, 2).await;
    let replaced = directory.replace_secrets(context(), application(), SecretHash([3; 32])).await.unwrap();
    assert_eq!(live(&directory).await, [number(replaced)]);
}
