//! The directory in memory follows what is committed, and says so only while it knows.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

use std::fmt::Write as _;
use std::time::Duration;

use procura_protocol::ids::ResourceId;
use procura_protocol::permission::Permissions;
use procura_storage::directory::follow::MOST_CHANGES_APPLIED;
use procura_storage::directory::{Follower, LiveDirectory, Step, connect_reader, load, measure};
use procura_store::administration::{Administration, Import, Line};
use procura_store::change::{ChangeSeq, Entity};
use procura_store::mark::MarkKind;
use procura_store::records::{ApplicationNo, ClientNo, ContactNo, Coverage, ResourceNo, SecretHash, Version};
use procura_store::{Directory, NotFresh};
use support::{Installation, key, raw, row, subject};

const SECOND: Duration = Duration::from_secs(1);

fn open(installation: &Installation) -> (LiveDirectory, Follower) {
    Follower::open(installation.source()).unwrap()
}

fn loaded(installation: &Installation) -> Directory {
    load(&connect_reader(installation.directory.file()).unwrap()).unwrap().directory
}

/// Everything that decisions can see, by number.
fn dump(directory: &Directory) -> String {
    let mut text = format!("{:?} {:?}\n", directory.version(), directory.sizes());
    for no in 0..40 {
        if let Some(application) = directory.application_by_number(ApplicationNo(no)) {
            assert!(directory.has_application(&application.id));
            writeln!(text, "{application:?}").unwrap();
        }
        if let Some(contact) = directory.contact_by_number(ContactNo(no)) {
            assert_eq!(directory.contact(contact.id.as_str()).unwrap().0, ContactNo(no));
            writeln!(text, "{no} {contact:?}").unwrap();
        }
        let client = directory.client(ClientNo(no));
        writeln!(text, "{no} {client:?} {:?}", directory.contacts_of(ClientNo(no))).unwrap();
        if let Some(resource) = directory.resource_by_number(ResourceNo(no)) {
            assert!(directory.resource(resource.id.as_str()).is_some());
            writeln!(text, "{resource:?}").unwrap();
        }
    }
    text
}

#[tokio::test]
async fn a_load_gives_what_the_verbs_wrote() {
    let installation = Installation::new();
    let store = &installation.directory;
    let built_in = ResourceId::parse("https://id.example/api").unwrap();
    store.set_built_in_resource(installation.context(), built_in).await.unwrap();
    installation.put(Entity::Resource, &[("resource_id", "https://other.example/")]).await;
    installation.put_party().await;
    let others = ("resources", "https://other.example/");
    installation.put(Entity::Application, &[("application_id", "app_one"), others]).await;
    let owner = key(Entity::Application, &["app_one"]);
    store.add_secret(installation.context(), owner, SecretHash([7; 32])).await.unwrap();

    let directory = loaded(&installation);
    assert_eq!(directory.version(), store.status().await.unwrap().version);
    let application = directory.application("app_one").unwrap();
    assert!(application.active && application.trusted);
    assert_eq!(application.secrets, [SecretHash([7; 32]).into()]);
    let ids: Vec<_> = application
        .resources
        .iter()
        .map(|no| directory.resource_by_number(*no).unwrap().id.as_str().to_owned())
        .collect();
    assert_eq!(ids, ["https://id.example/api", "https://other.example/"]);

    let (no, contact) = directory.contact("con.1").unwrap();
    assert_eq!(contact.mandates.len(), 2);
    assert!(contact.mandates.is_sorted_by_key(|mandate| mandate.client));
    let first = contact
        .mandates
        .iter()
        .find(|mandate| directory.client(mandate.client).unwrap().name == "One Ltd".into());
    assert_eq!(first.unwrap().permissions, Permissions::parse("can_trade").unwrap());
    assert_eq!(directory.contacts_of(first.unwrap().client), [no]);
    let named = application.trust(first.unwrap().client).unwrap();
    assert_eq!(named.contacts, Coverage::Named([ContactNo(1), ContactNo(2)].into()));
    assert!(named.span.until().is_some());
    assert!(directory.contact("nobody").is_none() && directory.application("app_nobody").is_none());
}

#[tokio::test]
async fn after_each_change_the_snapshot_is_what_a_fresh_load_would_give() {
    use Entity::{Application, Client, Contact, Mandate, Resource, Trust};
    let installation = Installation::new();
    let (live, mut follower) = open(&installation);
    assert_eq!(follower.step(), Step::Unchanged);
    let store = &installation.directory;
    let context = || installation.context();
    let mut check = |what: &str| {
        assert_eq!(follower.step(), Step::Applied, "{what}");
        let published = dump(&live.directory().unwrap());
        assert_eq!(published, dump(&loaded(&installation)), "{what}");
        assert_eq!(follower.step(), Step::Unchanged, "{what}");
    };

    installation.put_party().await;
    check("records of every kind");
    installation.put(Resource, &[("resource_id", "https://other.example/")]).await;
    let application = ("application_id", "app_one");
    installation.put(Application, &[application, ("resources", "https://other.example/")]).await;
    check("a resource and an application that has it");
    let owner = key(Application, &["app_one"]);
    store.add_secret(context(), owner, SecretHash([7; 32])).await.unwrap();
    store
        .add_secret(context(), key(Resource, &["https://other.example/"]), SecretHash([8; 32]))
        .await
        .unwrap();
    check("secrets");
    installation.put(Mandate, &[("contact_id", "con.2"), ("client_id", "cli.1")]).await;
    store.disable(context(), key(Mandate, &["con.1", "cli.2"])).await.unwrap();
    check("mandates");
    installation
        .put(Client, &[("client_id", "cli.2"), ("client_name", "Two again"), ("status", "Closed")])
        .await;
    check("a client");
    store.disable(context(), key(Trust, &["cli.1", "app_one"])).await.unwrap();
    store.remove(context(), key(Trust, &["cli.2", "app_one"])).await.unwrap();
    check("trusts");
    store.remove(context(), key(Client, &["cli.1"])).await.unwrap();
    check("a client that is removed");
    store.remove(context(), key(Contact, &["con.1"])).await.unwrap();
    check("a contact that is removed");
    store.remove(context(), key(Application, &["app_one"])).await.unwrap();
    check("an application that is removed");
}

#[tokio::test]
async fn when_the_built_in_resource_is_set_every_application_has_it_first() {
    let installation = Installation::new();
    installation.put_party().await;
    let (live, mut follower) = open(&installation);
    for (issuer, step) in
        [("https://id.example/api", Step::Loading), ("https://new.example/api", Step::Applied)]
    {
        let id = ResourceId::parse(issuer).unwrap();
        installation.directory.set_built_in_resource(installation.context(), id).await.unwrap();
        assert_eq!(follower.step(), step);
        follower.finish_loading();
        follower.step();
        let directory = live.directory().unwrap();
        let first = directory.application("app_one").unwrap().resources[0];
        assert_eq!(directory.resource_by_number(first).unwrap().id.as_str(), issuer);
    }
}

#[tokio::test]
async fn nothing_is_given_a_second_after_the_last_confirmation() {
    let installation = Installation::new();
    let (live, mut follower) = open(&installation);
    installation.clock.pass(SECOND - Duration::from_millis(1));
    assert!(live.directory().is_ok());
    installation.clock.pass(Duration::from_millis(1));
    assert_eq!(live.directory().err(), Some(NotFresh));
    follower.step();
    assert!(live.directory().is_ok());
}

#[tokio::test]
async fn a_database_that_cannot_be_read_confirms_nothing_until_it_can() {
    let installation = Installation::new();
    let (live, mut follower) = open(&installation);
    follower.step();
    let other = raw(installation.directory.file());
    other.execute_batch("ALTER TABLE version RENAME TO away").unwrap();
    installation.clock.pass(SECOND);
    assert_eq!([follower.step(), follower.step()], [Step::Unreadable; 2]);
    assert_eq!(live.directory().err(), Some(NotFresh));
    other.execute_batch("ALTER TABLE away RENAME TO version").unwrap();
    installation.put_party().await;
    assert_eq!(follower.step(), Step::Applied);
    assert!(live.directory().unwrap().contact("con.1").is_some());
}

#[tokio::test]
async fn what_was_trimmed_before_it_was_seen_is_loaded() {
    let installation = Installation::new();
    let (live, mut follower) = open(&installation);
    installation.put_party().await;
    installation.directory.trim_changes(ChangeSeq(5)).await.unwrap();
    assert_eq!(follower.step(), Step::Loading);
    assert!(live.directory().unwrap().contact("con.1").is_none());
    follower.finish_loading();
    assert_eq!(follower.step(), Step::Loaded);
    assert_eq!(dump(&live.directory().unwrap()), dump(&loaded(&installation)));
    assert_eq!(follower.step(), Step::Unchanged);
}

#[tokio::test]
async fn while_a_large_import_is_loaded_its_marks_hold_and_everything_else_goes_on() {
    let installation = Installation::new();
    installation.put_party().await;
    let (live, mut follower) = open(&installation);
    follower.step();
    let before = live.version();

    let new =
        (0..MOST_CHANGES_APPLIED).map(|no| row(Entity::Contact, &[("contact_id", &format!("new.{no}"))]));
    let off = row(Entity::Contact, &[("contact_id", "con.1"), ("status", "disabled")]);
    let rows: Vec<_> = new.chain([off]).collect();
    let lines = (1..).zip(rows).map(|(number, row)| Line { number, row: Ok(row) });
    let import = Import { entity: Entity::Contact, dry_run: false };
    let report = installation.directory.import(installation.context(), import, lines, |_| {}).await.unwrap();
    assert!(report.committed, "{report:?}");

    assert_eq!(follower.step(), Step::Loading);
    let directory = live.directory().unwrap();
    assert_eq!(directory.version(), before);
    let hits = |directory: &Directory, contact| {
        directory.pending().unwrap().hits(ApplicationNo(1), ContactNo(contact), &[])
    };
    assert!(hits(&directory, 1) && !hits(&directory, 2));
    let marked = |contact| live.revocations().hits(&[subject(MarkKind::Contact, contact)], before.0);
    assert!(marked("con.1") && !marked("con.2"), "guards are told while it loads");

    // Something small in the meantime waits too, and its mark does not.
    installation.directory.disable(installation.context(), key(Entity::Contact, &["con.2"])).await.unwrap();
    installation.clock.pass(SECOND);
    while follower.step() == Step::Loading && !hits(&live.directory().unwrap(), 2) {}
    assert!(marked("con.2"));
    follower.finish_loading();
    while follower.step() != Step::Unchanged {}
    let directory = live.directory().unwrap();
    assert!(directory.pending().is_none());
    assert_eq!(directory.sizes().contacts, MOST_CHANGES_APPLIED as usize + 2);
    assert!(!directory.contact("con.1").unwrap().1.active && !directory.contact("con.2").unwrap().1.active);
    assert_eq!(directory.version(), loaded(&installation).version());
}

#[tokio::test]
async fn a_follower_on_its_own_thread_publishes_what_another_connection_commits() {
    let installation = Installation::new();
    let (live, follower) = open(&installation);
    let following = follower.start().unwrap();
    installation.put_party().await;
    let version = installation.directory.status().await.unwrap().version;
    assert!(live.wait_for(version, Duration::from_secs(60)));
    assert!(live.directory().unwrap().contact("con.1").is_some());
    drop(following);
    assert!(!live.wait_for(Version(version.0 + 1), Duration::from_secs(60)), "it stopped, so nobody waits");
}

#[tokio::test]
async fn a_directory_filled_for_the_bench_loads_as_its_arithmetic_says() {
    let installation = Installation::new();
    let scale =
        measure::Scale { applications: 3, clients: 200, contacts: 60, mandates_each: 3, trusts_each: 20 };
    measure::fill(installation.directory.file(), &scale).unwrap();
    let directory = loaded(&installation);
    assert_eq!(directory.sizes().contacts, 60);
    let mut may = 0;
    for application in 1..=3 {
        let trusts = directory.application(&measure::application_id(application)).unwrap();
        assert_eq!(trusts.trusts.len(), 20);
        for contact in 1..=60 {
            let (_, record) = directory.contact(&measure::contact_id(contact)).unwrap();
            assert_eq!(record.mandates.len(), 3);
            let shared = record.mandates.iter().any(|mandate| trusts.trust(mandate.client).is_some());
            assert_eq!(shared, measure::may_act(&scale, application, contact), "{application} {contact}");
            may += u32::from(shared);
        }
    }
    assert!((1..180).contains(&may), "{may}");
}
