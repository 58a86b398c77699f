//! Sixteen at once, as if each were a process of its own.

use super::{Harness, all_at_once, context, key, row, small_world};
use crate::administration::{Add, AddCredential, Administration};
use crate::change::{ChangeSeq, Entity};
use crate::records::SecretHash;

const AT_ONCE: u8 = 16;

pub async fn of_sixteen_secrets_two_win(harness: &impl Harness) {
    small_world(&harness.open()).await;
    let directories: Vec<_> = (0..AT_ONCE).map(|_| harness.open()).collect();
    let application = key(Entity::Application, &["app_1"]);
    let adding = directories.iter().zip(0u8..).map(|(directory, byte)| {
        directory.add_credential(context(), application.clone(), SecretHash([byte; 32]).into())
    });
    let outcomes = all_at_once(adding).await;
    let added = |outcome: &Result<AddCredential, _>| matches!(outcome, Ok(AddCredential::Added { .. }));
    assert_eq!(outcomes.iter().filter(|outcome| added(outcome)).count(), 2);
    assert!(outcomes.iter().all(|outcome| added(outcome) || matches!(outcome, Ok(AddCredential::TooMany))));
    assert_eq!(directories[0].credentials(application).await.unwrap().unwrap().len(), 2);
}

pub async fn of_sixteen_adders_one_wins(harness: &impl Harness) {
    let directories: Vec<_> = (0..AT_ONCE).map(|_| harness.open()).collect();
    let contact = row(Entity::Contact, &[("contact_id", "con")]);
    let outcomes = all_at_once(directories.iter().map(|one| one.add(context(), contact.clone()))).await;
    let added = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Add::Added))).count();
    let exists = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Add::Exists))).count();
    assert_eq!((added, exists), (1, usize::from(AT_ONCE) - 1));
}

pub async fn versions_are_given_once_and_in_order(harness: &impl Harness) {
    let directories: Vec<_> = (0..AT_ONCE).map(|_| harness.open()).collect();
    let adding = directories.iter().enumerate().map(|(at, directory)| {
        directory.add(context(), row(Entity::Contact, &[("contact_id", &format!("c{at}"))]))
    });
    for outcome in all_at_once(adding).await {
        assert_eq!(outcome.unwrap(), Add::Added);
    }
    let changes = directories[0].changes_after(ChangeSeq(0), 100).await.unwrap();
    let versions: Vec<u64> = changes.iter().map(|change| change.version.0).collect();
    assert_eq!(versions, (1..=u64::from(AT_ONCE)).collect::<Vec<_>>());
}
