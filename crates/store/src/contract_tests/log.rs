//! What the journal and people read.

use procura_protocol::algorithm::Algorithm;
use procura_protocol::ids::ContactId;

use super::{Harness, NOW, context, key, put, row, small_world};
use crate::administration::{Administration, ChangeContext, Erase, Fact};
use crate::change::{Action, Actor, ChangeSeq, Entity};

pub async fn changes_are_told_in_order_with_who_and_why(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let reason = Some("left the company".to_owned());
    let why = ChangeContext { actor: Actor::Server, reason: reason.clone(), ..context() };
    directory.remove(why, key(Entity::Contact, &["con"])).await.unwrap();
    let changes = directory.changes_after(ChangeSeq(0), 100).await.unwrap();
    let told: Vec<_> = changes.iter().map(|change| (change.entity, change.action)).collect();
    let mut expected = [Entity::Client, Entity::Contact, Entity::Application, Entity::Mandate, Entity::Trust]
        .map(|entity| (entity, Action::Add))
        .to_vec();
    expected.extend([(Entity::Mandate, Action::Remove), (Entity::Contact, Action::Remove)]);
    assert_eq!(told, expected);
    assert!(changes.is_sorted_by(|one, next| one.seq < next.seq && one.version <= next.version));
    let (mandate, contact) = (&changes[3], &changes[6]);
    assert_eq!((contact.actor, &contact.reason, contact.at), (Actor::Server, &reason, NOW));
    assert_eq!(contact.version, changes[5].version, "one verb, one version");
    assert_eq!((mandate.number, mandate.client), (changes[1].number, changes[0].number));
    let later = directory.changes_after(changes[4].seq, 1).await.unwrap();
    assert_eq!(later, changes[5..6]);
}

pub async fn trimming_keeps_the_place(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let last = directory.status().await.unwrap().last_change;
    assert_eq!(directory.trim_changes(ChangeSeq(2)).await.unwrap(), 2);
    assert_eq!(directory.changes_after(ChangeSeq(0), 100).await.unwrap()[0].seq, ChangeSeq(3));
    directory.trim_changes(last).await.unwrap();
    assert_eq!(directory.status().await.unwrap().last_change, last);
    put(&directory, Entity::Contact, &[("contact_id", "eva")]).await;
    assert_eq!(directory.changes_after(last, 100).await.unwrap()[0].seq, ChangeSeq(last.0 + 1));
}

pub async fn numbers_keep_their_names_after_removal_and_lose_them_by_erasing(harness: &impl Harness) {
    let directory = harness.open();
    let why = ChangeContext { reason: Some("Con Tact asked".to_owned()), ..context() };
    let contact = row(Entity::Contact, &[("contact_id", "con")]);
    directory.put(why.clone(), contact.clone()).await.unwrap();
    directory.remove(why.clone(), contact.key()).await.unwrap();
    directory.put(why.clone(), contact).await.unwrap();
    let numbers = directory.numbers_of(Entity::Contact, "con".to_owned()).await.unwrap();
    assert_eq!(numbers.len(), 2);
    let asked: Vec<_> = numbers.iter().map(|number| (Entity::Contact, *number)).collect();
    let names = async || directory.names_of(asked.clone()).await.unwrap();
    assert_eq!(names().await, [Some("con".to_owned()), Some("con".to_owned())]);
    let erase = async |id| directory.erase_contact(context(), ContactId::parse(id).unwrap()).await.unwrap();
    assert_eq!(erase("con").await, Erase::Erased);
    assert_eq!(names().await, [None, None]);
    assert!(directory.numbers_of(Entity::Contact, "con".to_owned()).await.unwrap().is_empty());
    let changes = directory.changes_after(ChangeSeq(0), 100).await.unwrap();
    assert!(changes.iter().all(|change| change.reason.is_none()), "reasons may name the person");
    assert_eq!(changes.iter().filter(|change| change.action == Action::Erase).count(), 2);
    assert_eq!(erase("con").await, Erase::NotFound);
}

pub async fn facts_are_set_and_set_once(harness: &impl Harness) {
    let directory = harness.open();
    let set = async |value: &str, once| {
        directory.set_fact(Fact::InstallationId, value.to_owned(), once).await.unwrap()
    };
    assert_eq!(directory.fact(Fact::InstallationId).await.unwrap(), None);
    assert_eq!(set("a", true).await, "a");
    assert_eq!(set("b", true).await, "a");
    assert_eq!(set("c", false).await, "c");
    assert_eq!(directory.fact(Fact::InstallationId).await.unwrap().as_deref(), Some("c"));
    assert_eq!(directory.fact(Fact::Demo).await.unwrap(), None);
}

pub async fn algorithms_in_use_are_those_of_what_is_active(harness: &impl Harness) {
    let directory = harness.open();
    let application = [("application_id", "app_1"), ("id_token_alg", "PS256")];
    put(&directory, Entity::Application, &application).await;
    let off = [("application_id", "app_2"), ("id_token_alg", "RS256"), ("status", "disabled")];
    put(&directory, Entity::Application, &off).await;
    let resource = [("resource_id", "https://a.example/"), ("access_token_alg", "ES256")];
    put(&directory, Entity::Resource, &resource).await;
    let in_use = directory.algorithms_in_use().await.unwrap();
    assert_eq!(in_use, [Algorithm::Es256, Algorithm::Ps256]);
}
