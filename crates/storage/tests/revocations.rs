//! Marks are in memory before their version is, and what a request changed is in force when it is told.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use procura_protocol::events::ToldMark;
use procura_protocol::ids::{ApplicationId, ContactId};
use procura_protocol::mark::MarkSubject;
use procura_storage::directory::follow::MOST_CHANGES_APPLIED;
use procura_storage::directory::{Follower, Following, LiveDirectory, Source, Step};
use procura_storage::{ServingDirectory, SqliteDirectory};
use procura_store::administration::{
    Administration, Import, Line, Revocation, Revoke, StoreError, TokenToRevoke,
};
use procura_store::change::{Actor, Entity};
use procura_store::changes::{ChangeIfUnchanged, Changes};
use procura_store::mark::MarkKind;
use procura_store::records::{ApplicationNo, ContactNo, RandomId};
use procura_store::revocations::Since;
use procura_store::{Revocations, Store};
use support::{Installation, key, raw, row, subject};

fn open(installation: &Installation) -> (LiveDirectory, Follower) {
    Follower::open(installation.source()).unwrap()
}

fn contact(id: &str) -> Revocation {
    Revocation::Contact(ContactId::parse(id).unwrap())
}

fn token(id: &str) -> Revocation {
    Revocation::Token(TokenToRevoke {
        ids: vec![id.into()],
        application: Some(ApplicationId::parse("app_one").unwrap()),
        expires_at: None,
        most_of_application: 100,
    })
}

async fn revoke(store: &SqliteDirectory, installation: &Installation, revocation: Revocation) {
    let revoked = store.revoke(installation.context(), revocation).await.unwrap();
    assert!(matches!(revoked, Revoke::Marked(_)), "{revoked:?}");
}

/// A server: its follower runs.
fn serve(installation: &Installation) -> (ServingDirectory, Following) {
    let (live, follower) = open(installation);
    (ServingDirectory::new(live, installation.directory.clone()), follower.start().unwrap())
}

fn told(revocations: &Revocations) -> Vec<ToldMark> {
    match revocations.since(None) {
        Since::Snapshot { marks, .. } => marks,
        Since::Marks { marks, .. } => panic!("{marks:?}"),
    }
}

#[tokio::test]
async fn marks_of_before_a_start_are_there_and_numbered_under_another_epoch() {
    let installation = Installation::new();
    installation.put_party().await;
    let store = &installation.directory;
    revoke(store, &installation, token("a token")).await;
    revoke(store, &installation, contact("con.1")).await;
    revoke(store, &installation, Revocation::All).await;
    let (live, _follower) = open(&installation);
    let first = live.revocations();
    assert_eq!(first.number(), 3);
    let marks = told(first);
    let of = |subject: MarkSubject| *marks.iter().find(|mark| mark.subject == subject).unwrap();
    let on_token = of(subject(MarkKind::Token, "a token"));
    assert!(on_token.any_version);
    assert_eq!(on_token.application, Some(subject(MarkKind::Application, "app_one")));
    let on_contact = of(subject(MarkKind::Contact, "con.1"));
    assert!(!on_contact.any_version && on_contact.application.is_none());
    assert_eq!(on_contact.version, on_token.version + 1);
    assert!(first.hits(&[subject(MarkKind::All, "")], on_contact.version));

    let epoch = RandomId([8; 16]);
    let (again, _follower) = Follower::open(Source { epoch, ..installation.source() }).unwrap();
    assert_eq!(again.revocations().number(), 3);
    assert_ne!(again.revocations().position(), first.position());
}

#[tokio::test]
async fn a_mark_of_another_process_arrives_with_its_version_and_each_once() {
    let installation = Installation::new();
    installation.put_party().await;
    let (live, mut follower) = open(&installation);
    let other = SqliteDirectory::open(&installation.data()).unwrap();
    for (number, id) in (1..).zip(["one", "two", "three"]) {
        revoke(&other, &installation, token(id)).await;
        assert_eq!(follower.step(), Step::Applied);
        assert_eq!(live.revocations().number(), number);
        assert_eq!(live.version(), other.status().await.unwrap().version);
        assert_eq!(follower.step(), Step::Unchanged);
        assert_eq!(live.revocations().number(), number);
    }
    let Since::Marks { marks, .. } = live
        .revocations()
        .since(Some(&procura_protocol::events::Position { number: 0, ..live.revocations().position() }))
    else {
        panic!("all of them are kept in order")
    };
    let subjects: Vec<_> = marks.iter().map(|mark| mark.subject).collect();
    assert_eq!(subjects, ["one", "two", "three"].map(|id| subject(MarkKind::Token, id)));
}

#[tokio::test]
async fn a_version_is_not_published_nor_confirmed_without_its_marks() {
    let installation = Installation::new();
    installation.put_party().await;
    let (live, mut follower) = open(&installation);
    follower.step();
    let before = live.version();
    let other = raw(installation.directory.file());
    revoke(&installation.directory, &installation, contact("con.1")).await;
    let damage = |subject: &str| other.execute(&format!("UPDATE mark SET subject = {subject}"), []).unwrap();
    let good: Vec<u8> = other.query_row("SELECT subject FROM mark", [], |row| row.get(0)).unwrap();
    damage("x'00'");
    installation.clock.pass(Duration::from_secs(2));
    assert_eq!(follower.step(), Step::Unreadable);
    assert_eq!((live.version(), live.revocations().number()), (before, 0));
    assert!(live.directory().is_err());
    other.execute("UPDATE mark SET subject = ?1", [good]).unwrap();
    assert_eq!(follower.step(), Step::Applied);
    assert!(live.version() > before);
    assert!(live.revocations().hits(&[subject(MarkKind::Contact, "con.1")], before.0));
}

#[tokio::test]
async fn what_was_marked_while_everything_was_loaded_is_told_before_what_was_loaded_is_published() {
    let installation = Installation::new();
    installation.put_party().await;
    let (live, mut follower) = open(&installation);
    follower.step();
    let before = live.version();
    let import = Import { entity: Entity::Contact, dry_run: false };
    let rows =
        (0..=MOST_CHANGES_APPLIED).map(|no| row(Entity::Contact, &[("contact_id", &format!("new.{no}"))]));
    let lines: Vec<_> = (1..).zip(rows).map(|(number, row)| Line { number, row: Ok(row) }).collect();
    installation.directory.import(installation.context(), import, lines.into_iter(), |_| {}).await.unwrap();
    assert_eq!(follower.step(), Step::Loading);
    follower.finish_loading();
    let other = raw(installation.directory.file());
    revoke(&installation.directory, &installation, contact("con.1")).await;
    let good: Vec<u8> = other.query_row("SELECT subject FROM mark", [], |row| row.get(0)).unwrap();
    other.execute("UPDATE mark SET subject = x'00'", []).unwrap();
    // The load is done, and a mark that may belong to it can't be read.
    assert_eq!(follower.step(), Step::Unreadable);
    assert_eq!(live.version(), before);
    other.execute("UPDATE mark SET subject = ?1", [good]).unwrap();
    let mut steps = 0;
    while follower.step() != Step::Unchanged {
        follower.finish_loading();
        steps += 1;
        assert!(steps < 10);
    }
    assert_eq!(live.version(), installation.directory.status().await.unwrap().version);
    assert!(live.revocations().hits(&[subject(MarkKind::Contact, "con.1")], before.0));
    assert!(live.directory().unwrap().contact("new.5000").is_some());
}

#[tokio::test]
async fn what_is_revoked_is_dead_here_when_it_is_told() {
    let installation = Installation::new();
    installation.put_party().await;
    let (serving, _following) = serve(&installation);
    let actor = Actor::Application { application: ApplicationNo(1) };
    let context = || procura_store::administration::ChangeContext { actor, ..installation.context() };
    for id in ["one", "two", "three"] {
        let revoked = serving.changes().revoke(context(), token(id)).await.unwrap();
        assert!(matches!(revoked, Revoke::Marked(_)), "{revoked:?}");
        assert!(serving.revocations().hits(&[subject(MarkKind::Token, id)], u64::MAX));
    }
    let again = serving.changes().revoke(context(), token("one")).await.unwrap();
    assert_eq!(again, Revoke::NothingToMark);
}

#[tokio::test]
async fn what_is_changed_is_in_the_directory_when_it_is_told() {
    let installation = Installation::new();
    installation.put_party().await;
    let (serving, _following) = serve(&installation);
    let keys = vec![key(Entity::Contact, &["con.1"]), key(Entity::Mandate, &["con.1", "cli.1"])];
    let nobody = key(Entity::Contact, &["nobody"]);
    let whole = serving.whole([keys.clone(), vec![nobody]].concat()).await.unwrap();
    let [Some(person), Some(mandate), None] = &whole[..] else { panic!("{whole:?}") };
    let actor = Actor::Contact { contact: ContactNo(1), application: ApplicationNo(1) };
    let context = || procura_store::administration::ChangeContext { actor, ..installation.context() };
    let expected = vec![person.clone(), mandate.clone()];
    let off =
        row(Entity::Mandate, &[("contact_id", "con.1"), ("client_id", "cli.1"), ("status", "suspended")]);
    let city = row(Entity::Contact, &[("contact_id", "con.1"), ("city", "Volos")]);
    let change = async |updates| {
        serving.changes().change_if_unchanged(context(), expected.clone(), updates).await.unwrap()
    };
    assert_eq!(change(vec![]).await, ChangeIfUnchanged::Unchanged);
    assert_eq!(change(vec![city.clone(), off.clone()]).await, ChangeIfUnchanged::Changed);
    let directory = serving.directory().unwrap();
    let (_, now) = directory.contact("con.1").unwrap();
    assert_eq!(now.mandates.iter().filter(|mandate| mandate.active).count(), 1);
    assert_eq!(serving.revocations().number(), 1, "a smaller mandate is marked");

    assert_eq!(change(vec![city.clone()]).await, ChangeIfUnchanged::Stale);
    let changes = installation.directory.changes_after(Default::default(), 100).await.unwrap();
    assert_eq!(changes.last().unwrap().actor, actor);
    let fresh = serving.whole(keys).await.unwrap();
    assert_eq!(fresh[0].as_ref().unwrap().get("city"), Some(Some("Volos")));
}

#[tokio::test]
async fn of_several_records_all_are_changed_or_none() {
    let installation = Installation::new();
    installation.put_party().await;
    let (serving, _following) = serve(&installation);
    let city = row(Entity::Contact, &[("contact_id", "con.1"), ("city", "Volos")]);
    let window = [("from", "2030-01-01T00:00:00Z"), ("until", "2029-01-01T00:00:00Z")];
    let refused =
        row(Entity::Mandate, &[("contact_id", "con.1"), ("client_id", "cli.1"), window[0], window[1]]);
    let missing = row(Entity::Contact, &[("contact_id", "nobody"), ("city", "Volos")]);
    let before = installation.directory.status().await.unwrap();
    let change = async |update| {
        let updates = vec![city.clone(), update];
        serving.changes().change_if_unchanged(installation.context(), vec![], updates).await.unwrap()
    };
    assert!(matches!(change(refused).await, ChangeIfUnchanged::Refused(_)));
    assert_eq!(change(missing.clone()).await, ChangeIfUnchanged::Stale);
    let gone =
        serving.changes().change_if_unchanged(installation.context(), vec![missing], vec![city.clone()]);
    assert_eq!(gone.await.unwrap(), ChangeIfUnchanged::Stale);
    assert_eq!(installation.directory.status().await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_who_change_what_they_read_one_does() {
    let installation = Installation::new();
    installation.put_party().await;
    let (serving, _following) = serve(&installation);
    let read = serving.whole(vec![key(Entity::Contact, &["con.1"])]).await.unwrap();
    let expected: Vec<_> = read.into_iter().flatten().collect();
    let mut racing = tokio::task::JoinSet::new();
    for no in 0..16 {
        let (serving, expected, context) = (serving.clone(), expected.clone(), installation.context());
        let update = row(Entity::Contact, &[("contact_id", "con.1"), ("city", &format!("City {no}"))]);
        racing.spawn(
            async move { serving.change_if_unchanged(context, expected, vec![update]).await.unwrap() },
        );
    }
    let outcomes = racing.join_all().await;
    let count = |outcome| outcomes.iter().filter(|other| **other == outcome).count();
    assert_eq!((count(ChangeIfUnchanged::Changed), count(ChangeIfUnchanged::Stale)), (1, 15));
}

#[tokio::test]
async fn what_is_not_in_force_here_in_time_is_told_so_and_stays_committed() {
    let installation = Installation::new();
    installation.put_party().await;
    // Nobody follows.
    let (live, _follower) = open(&installation);
    let serving = ServingDirectory::new(live, installation.directory.clone());
    let serving = serving.with_patience(Duration::from_millis(10));
    let revoked = serving.revoke(installation.context(), token("one")).await;
    assert!(matches!(revoked, Err(StoreError::NotInForce)), "{revoked:?}");
    let again = serving.revoke(installation.context(), token("one")).await;
    assert!(matches!(again, Err(StoreError::NotInForce)), "marked, and not in force here: {again:?}");
    assert_eq!(installation.directory.status().await.unwrap().marks, 1);
    let city = row(Entity::Contact, &[("contact_id", "con.1"), ("city", "Volos")]);
    let changed = serving.change_if_unchanged(installation.context(), vec![], vec![city]).await;
    assert!(matches!(changed, Err(StoreError::NotInForce)), "{changed:?}");
    let fresh = serving.whole(vec![key(Entity::Contact, &["con.1"])]).await.unwrap();
    assert_eq!(fresh[0].as_ref().unwrap().get("city"), Some(Some("Volos")));
}

#[tokio::test]
async fn a_folder_of_before_keeps_its_marks_and_changes() {
    let installation = Installation::new();
    installation.put_party().await;
    let store = &installation.directory;
    store.disable(installation.context(), key(Entity::Trust, &["cli.1", "app_one"])).await.unwrap();
    let data = installation.data();
    let before = store.changes_after(Default::default(), 100).await.unwrap();
    let old = raw(store.file());
    // What the program of before had made.
    old.execute_batch(
        "DROP INDEX mark_on; DROP INDEX mark_in; ALTER TABLE mark DROP COLUMN application; \
         ALTER TABLE change DROP COLUMN actor_application; ALTER TABLE change DROP COLUMN actor_contact; \
         ALTER TABLE change DROP COLUMN subject; \
         DELETE FROM schema_migration WHERE name = '0002_revocation'",
    )
    .unwrap();
    let upgraded = SqliteDirectory::open(&data).unwrap();
    assert_eq!(upgraded.changes_after(Default::default(), 100).await.unwrap(), before);
    let file = upgraded.file().to_owned();
    let connect = Arc::new(move || procura_storage::directory::connect_reader(&file));
    let (live, _follower) = Follower::open(Source { connect, ..installation.source() }).unwrap();
    assert_eq!(live.revocations().number(), 1);
    assert_eq!(upgraded.status().await.unwrap().marks_by_kind, [(MarkKind::Trust, 1)]);
}
