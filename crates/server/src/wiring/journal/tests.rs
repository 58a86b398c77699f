//! What a server knows of the life before: here, which assertions were used.

use std::time::Duration;

use procura_engine::Settings as EngineSettings;
use procura_engine::application_auth::{Evidence, NotAuthenticated, Presented};
use procura_jose::{Algorithm, PrivateKey, SystemRandom};
use procura_protocol::paths;
use procura_protocol::secret::Secret;
use procura_storage::journal::DiskJournal;
use procura_testkit::World;
use procura_testkit::assertion::AssertionKey;
use procura_testkit::clock::FixedClock;
use procura_testkit::keys::TestKeys;
use procura_testkit::store::MemoryStore;
use procura_testkit::world::ISSUER;
use zeroize::Zeroizing;

use super::*;

/// A folder whose journal is written by one server after the other.
struct Lives {
    folder: tempfile::TempDir,
    clock: Arc<FixedClock>,
    signer: Arc<PrivateKey>,
    key: AssertionKey,
}

impl Lives {
    fn new() -> Lives {
        Lives {
            folder: tempfile::tempdir().unwrap(),
            clock: Arc::default(),
            signer: Arc::new(PrivateKey::generate(Algorithm::EdDsa).unwrap().0),
            key: AssertionKey::new(Algorithm::Es256),
        }
    }

    /// A server that begins, as every one does.
    async fn begin(&self) -> Arc<Engine<MemoryStore, DiskJournal>> {
        let disk = Arc::new(RealDisk::new(self.folder.path()));
        let clock: Arc<dyn Clock> = Arc::<FixedClock>::clone(&self.clock);
        let signer: Arc<dyn HeadSigner> = Arc::<PrivateKey>::clone(&self.signer);
        let chain = ChainId([7; 16]);
        let (journal, _) =
            DiskJournal::start(disk, Settings::default(), signer, Arc::clone(&clock), chain).unwrap();
        let store = MemoryStore::default();
        store.set(World::default().signing(&[&self.key]).publish());
        let keys = Arc::new(TestKeys::new(&[Algorithm::Es256]));
        let engine = Engine::new(store, journal, keys, (clock, Arc::new(SystemRandom)), settings());
        let engine = Arc::new(engine);
        remember_used_assertions(&engine, self.folder.path()).await.unwrap();
        engine
    }
}

fn settings() -> EngineSettings {
    EngineSettings {
        limits: procura_engine::limits::PerMinute::default(),
        issuer: ISSUER.into(),
        lifetime: 3_600,
        longest_lifetime: 3_600,
        token_marks_per_application: 100,
        revocations_per_minute: 600,
        assertion_lifetime: 300,
        max_access_token_bytes: 7_000,
        asked_for_key: Zeroizing::new([9; 32]),
    }
}

/// Whether the assertion proves its application to that server.
async fn proves(engine: &Engine<MemoryStore, DiskJournal>, assertion: &str) -> bool {
    let presented = Presented::Assertion { id: None, assertion: Secret::from(assertion.to_owned()) };
    let endpoint = paths::TOKEN_FOR_CONTACT;
    let evidence = Evidence { presented, certificates: &[], endpoint, path: endpoint, from: None };
    match engine.authenticate_application(&evidence).await.unwrap() {
        Ok(_) => true,
        Err(reason) => {
            assert_eq!(reason, NotAuthenticated::Credentials);
            false
        }
    }
}

#[tokio::test]
async fn an_assertion_that_was_used_is_refused_by_the_servers_of_later() {
    let lives = Lives::new();
    let (first, second) = (lives.key.assertion("first"), lives.key.assertion("second"));
    let server = lives.begin().await;
    assert!(proves(&server, &first).await);
    server.journal().stop();
    drop(server);
    let server = lives.begin().await;
    assert_eq!(server.used_assertions(), 1);
    assert!(!proves(&server, &first).await);
    assert!(proves(&server, &second).await);
    server.journal().stop();
    drop(server);
    let server = lives.begin().await;
    assert!(!proves(&server, &first).await);
    assert!(!proves(&server, &second).await);
}

#[tokio::test]
async fn what_proves_nothing_any_more_is_not_remembered() {
    let lives = Lives::new();
    let server = lives.begin().await;
    assert!(proves(&server, &lives.key.assertion("first")).await);
    server.journal().stop();
    drop(server);
    // A minute until its end, and one beyond.
    lives.clock.advance(Duration::from_secs(119));
    let server = lives.begin().await;
    assert_eq!(server.used_assertions(), 1);
    server.journal().stop();
    drop(server);
    lives.clock.advance(Duration::from_secs(1));
    assert_eq!(lives.begin().await.used_assertions(), 0);
}
