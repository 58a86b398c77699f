//! The directory in memory follows what is committed, and says so only while it knows.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

use std::fmt::Write as _;
use std::time::Duration;

use procura_jose::digest::sha256;
use procura_protocol::algorithm::Algorithm;
use procura_protocol::application_auth::{
    AssertionAudience, AuthMethods, CertificateSubject, Profile, SecondFactor,
};
use procura_protocol::ids::ResourceId;
use procura_protocol::permission::Permissions;
use procura_protocol::time::UnixSeconds;
use procura_storage::directory::follow::MOST_CHANGES_APPLIED;
use procura_storage::directory::{Follower, LiveDirectory, Step, connect_reader, load, measure};
use procura_store::administration::{
    Administration, CredentialToRetire, CredentialValue, Import, Line, NewCredential, RetireCredential,
};
use procura_store::change::{ChangeSeq, Entity};
use procura_store::credential::CredentialKind;
use procura_store::mark::MarkKind;
use procura_store::records::{
    ApplicationNo, ClientNo, ContactNo, Coverage, CredentialNo, RegisteredCertificate, RegisteredKey,
    RegisteredSecret, Registration, ResourceNo, SecretHash, Version,
};
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
    store.add_credential(installation.context(), owner, SecretHash([7; 32]).into()).await.unwrap();

    let directory = loaded(&installation);
    assert_eq!(directory.version(), store.status().await.unwrap().version);
    let application = directory.application("app_one").unwrap();
    assert!(application.active && application.trusted);
    let secret = |secret: &RegisteredSecret| (secret.no, secret.hash, secret.expires_at);
    let secrets: Vec<_> = application.secrets.iter().map(secret).collect();
    assert_eq!(secrets, [(CredentialNo(1), SecretHash([7; 32]), None)]);
    assert_eq!(*application.registration, Registration::default());
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
async fn a_load_gives_how_an_application_proves_itself() {
    let installation = Installation::new();
    let store = &installation.directory;
    let pairs = [
        ("application_id", "app_one"),
        ("auth_methods", "private_key_jwt tls_client_auth self_signed_tls_client_auth"),
        ("certificate", "required"),
        ("certificate_bound_tokens", "false"),
        ("certificate_subject_dn", "CN=erp"),
        ("assertion_audience", "endpoint"),
        ("assertion_alg", "RS256"),
        ("dpop_bound_access_tokens", "true"),
    ];
    installation.put(Entity::Application, &pairs).await;
    let owner = || key(Entity::Application, &["app_one"]);
    let end = Some(UnixSeconds(2_000_000_000));
    let der = b"not looked at here";
    for (value, expires_at) in [
        (CredentialValue::Key("{}".into()), None),
        (CredentialValue::Certificate((*der).into()), end),
        (CredentialValue::Secret(SecretHash([7; 32])), end),
    ] {
        let new = NewCredential { value, expires_at };
        store.add_credential(installation.context(), owner(), new).await.unwrap();
    }
    let directory = loaded(&installation);
    let application = directory.application("app_one").unwrap();
    let registration = Registration {
        methods: AuthMethods::parse("private_key_jwt tls_client_auth self_signed_tls_client_auth").unwrap(),
        second_factor: SecondFactor::Required,
        bound_tokens: false,
        subject: Some(CertificateSubject::Dn("CN=erp".into())),
        certificates: [RegisteredCertificate {
            no: CredentialNo(2),
            thumbprint: sha256(der),
            expires_at: end,
        }]
        .into(),
        keys: [RegisteredKey { no: CredentialNo(1), jwk: "{}".into(), expires_at: None }].into(),
        jwks_uri: None,
        assertion_audience: AssertionAudience::Endpoint,
        assertion_algorithm: Some(Algorithm::Rs256),
        proof_of_key: true,
        profile: Profile::Standard,
    };
    assert_eq!(*application.registration, registration);
    assert_eq!(application.secrets.len(), 1);
    assert_eq!((application.secrets[0].no, application.secrets[0].expires_at), (CredentialNo(3), end));
    let ending: Vec<_> = directory.expiring(UnixSeconds(2_000_000_001)).map(|one| one.no.0).collect();
    assert_eq!(ending, [3, 2]);
    for (field, value, subject) in [
        ("certificate_san_dns", "erp.example", CertificateSubject::Dns("erp.example".into())),
        ("certificate_san_uri", "urn:erp", CertificateSubject::Uri("urn:erp".into())),
        ("certificate_san_ip", "192.0.2.1", CertificateSubject::Ip([192, 0, 2, 1].into())),
        ("certificate_san_email", "erp@example.com", CertificateSubject::Email("erp@example.com".into())),
    ] {
        let id = format!("app_{}", &field[16..]);
        installation.put(Entity::Application, &[("application_id", &id), (field, value)]).await;
        let directory = loaded(&installation);
        let registration = &directory.application(&id).unwrap().registration;
        assert_eq!(registration.subject, Some(subject));
        assert_eq!(registration.methods, AuthMethods::SECRET);
    }
    let published = [("application_id", "app_uri"), ("jwks_uri", "https://erp.example/jwks")];
    installation.put(Entity::Application, &published).await;
    let directory = loaded(&installation);
    let registration = &directory.application("app_uri").unwrap().registration;
    assert_eq!(registration.jwks_uri.as_deref(), Some("https://erp.example/jwks"));
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
    store.add_credential(context(), owner, SecretHash([7; 32]).into()).await.unwrap();
    store
        .add_credential(context(), key(Resource, &["https://other.example/"]), SecretHash([8; 32]).into())
        .await
        .unwrap();
    check("secrets");
    let end = Some(UnixSeconds(2_000_000_000));
    for value in [CredentialValue::Certificate([9; 40].into()), CredentialValue::Key("{}".into())] {
        let new = NewCredential { value, expires_at: end };
        store.add_credential(context(), key(Application, &["app_one"]), new).await.unwrap();
    }
    check("a certificate and a key");
    let methods = ("auth_methods", "tls_client_auth private_key_jwt");
    installation.put(Application, &[application, methods, ("certificate_san_ip", "192.0.2.1")]).await;
    check("how an application proves itself");
    let certificate =
        CredentialToRetire { kind: CredentialKind::Certificate, no: CredentialNo(3), compromised: false };
    let retired = store.retire_credential(context(), key(Application, &["app_one"]), certificate).await;
    assert_eq!(retired.unwrap(), RetireCredential::Retired);
    check("a certificate that is gone");
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
