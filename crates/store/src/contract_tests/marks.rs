//! Which changes write marks.

use super::{Harness, LIFETIME, NOW, context, key, put, small_world};
use crate::administration::Administration;
use crate::change::Entity;
use crate::mark::{KEEP_BEYOND_EXPIRY, MarkKind};

fn kinds(harness: &impl Harness) -> Vec<MarkKind> {
    harness.marks().iter().map(|mark| mark.kind).collect()
}

pub async fn switching_off_marks_what_was_on_and_only_that(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    assert_eq!(kinds(harness), []);
    let mut expected = Vec::new();
    for (entity, parts, kind) in [
        (Entity::Mandate, &["con", "cli"][..], MarkKind::Mandate),
        (Entity::Trust, &["cli", "app_1"], MarkKind::Trust),
        (Entity::Contact, &["con"], MarkKind::Contact),
        (Entity::Application, &["app_1"], MarkKind::Application),
        (Entity::Client, &["cli"], MarkKind::Client),
    ] {
        directory.disable(context(), key(entity, parts)).await.unwrap();
        expected.push(kind);
        assert_eq!(kinds(harness), expected, "{entity}");
        directory.disable(context(), key(entity, parts)).await.unwrap();
        directory.remove(context(), key(entity, parts)).await.unwrap();
        assert_eq!(kinds(harness), expected, "{entity} was off");
    }
}

pub async fn an_application_that_loses_trust_or_a_resource_is_marked(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    put(&directory, Entity::Resource, &[("resource_id", "https://a.example/")]).await;
    let application = async |name, value| {
        put(&directory, Entity::Application, &[("application_id", "app_1"), (name, value)]).await;
        kinds(harness).len()
    };
    assert_eq!(application("name", "Other").await, 0);
    assert_eq!(application("resources", "https://a.example/").await, 0);
    assert_eq!(application("resources", "").await, 1);
    assert_eq!(application("trusted", "false").await, 2);
    assert_eq!(application("trusted", "true").await, 2);
    assert!(kinds(harness).iter().all(|kind| *kind == MarkKind::Application));
}

pub async fn narrowing_a_mandate_marks_and_widening_does_not(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let mandate = async |name, value| {
        put(&directory, Entity::Mandate, &[("contact_id", "con"), ("client_id", "cli"), (name, value)]).await;
        kinds(harness).len()
    };
    assert_eq!(mandate("permissions", "can_trade can_manage_payments").await, 0);
    assert_eq!(mandate("has_online_access", "true").await, 0);
    assert_eq!(mandate("permissions", "can_trade").await, 1);
    assert_eq!(mandate("until", "2030-01-01T00:00:00Z").await, 2);
    assert_eq!(mandate("until", "2031-01-01T00:00:00Z").await, 2);
    assert_eq!(mandate("from", "2025-01-01T00:00:00Z").await, 3);
    assert_eq!(mandate("status", "suspended").await, 4);
    assert_eq!(mandate("permissions", "").await, 4);
    assert!(kinds(harness).iter().all(|kind| *kind == MarkKind::Mandate));
}

pub async fn narrowing_a_trust_marks_and_widening_does_not(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    put(&directory, Entity::Contact, &[("contact_id", "eva")]).await;
    let trust = async |name, value| {
        put(&directory, Entity::Trust, &[("client_id", "cli"), ("application_id", "app_1"), (name, value)])
            .await;
        kinds(harness).len()
    };
    assert_eq!(trust("contacts", "con eva").await, 0);
    assert_eq!(trust("contacts", "*").await, 0);
    assert_eq!(trust("reason", "a better one").await, 0);
    assert_eq!(trust("ceiling", "all can_authorise_payments").await, 0);
    assert_eq!(trust("contacts", "con eva").await, 1);
    assert_eq!(trust("contacts", "eva").await, 2);
    assert_eq!(trust("ceiling", "can_trade").await, 3);
    assert_eq!(trust("until", "2030-01-01T00:00:00Z").await, 4);
    assert_eq!(trust("status", "withdrawn").await, 5);
    assert!(kinds(harness).iter().all(|kind| *kind == MarkKind::Trust));
}

pub async fn what_was_not_in_force_needs_no_mark(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let pair = [("contact_id", "con"), ("client_id", "cli")];
    for window in [("until", "2025-12-31T00:00:00Z"), ("from", "2026-01-02T00:00:00Z")] {
        directory.remove(context(), key(Entity::Mandate, &["con", "cli"])).await.unwrap();
        let before = kinds(harness).len();
        put(&directory, Entity::Mandate, &[pair[0], pair[1], window]).await;
        directory.disable(context(), key(Entity::Mandate, &["con", "cli"])).await.unwrap();
        assert_eq!(kinds(harness).len(), before, "{window:?}");
    }
}

pub async fn removing_marks_the_record_once(harness: &impl Harness) {
    let directory = harness.open();
    for (entity, parts, kind) in [
        (Entity::Mandate, &["con", "cli"][..], MarkKind::Mandate),
        (Entity::Trust, &["cli", "app_1"], MarkKind::Trust),
        (Entity::Contact, &["con"], MarkKind::Contact),
        (Entity::Application, &["app_1"], MarkKind::Application),
        (Entity::Client, &["cli"], MarkKind::Client),
    ] {
        for (entity, id) in
            [(Entity::Contact, "con"), (Entity::Application, "app_1"), (Entity::Client, "cli")]
        {
            directory.remove(context(), key(entity, &[id])).await.unwrap();
        }
        small_world(&directory).await;
        let before = kinds(harness).len();
        directory.remove(context(), key(entity, parts)).await.unwrap();
        assert_eq!(kinds(harness)[before..], [kind], "{entity}");
    }
}

pub async fn a_mark_is_kept_as_long_as_a_token_can_live(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    directory.disable(context(), key(Entity::Mandate, &["con", "cli"])).await.unwrap();
    let [mark] = &harness.marks()[..] else { panic!("one mark") };
    assert_eq!(mark.version, directory.status().await.unwrap().version);
    assert_eq!(mark.keep_until, NOW.seconds().plus(LIFETIME + KEEP_BEYOND_EXPIRY));
    let numbers = async |entity, id: &str| directory.numbers_of(entity, id.to_owned()).await.unwrap();
    assert_eq!(numbers(Entity::Contact, "con").await, [mark.number]);
    assert_eq!(numbers(Entity::Client, "cli").await, [mark.client]);
    let at = |seconds: i64| procura_protocol::time::UnixMillis(seconds * 1_000);
    assert_eq!(directory.sweep_marks(at(mark.keep_until.0)).await.unwrap(), 0);
    assert_eq!(directory.sweep_marks(at(mark.keep_until.0 + 1)).await.unwrap(), 1);
    assert_eq!(harness.marks(), []);
}
