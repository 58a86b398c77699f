//! The server in process over the real directory, in a folder that is thrown away.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use procura_jose::digest::sha256;
use procura_protocol::ids::ResourceId;
use procura_storage::directory::{Follower, Following, LiveDirectory, Source, connect_reader};
use procura_storage::{ServingDirectory, SqliteDirectory};
use procura_store::Clock as _;
use procura_store::administration::{Administration as _, ChangeContext};
use procura_store::change::{Actor, Entity};
use procura_store::fields::{Key, Row};
use procura_store::records::{RandomId, SecretHash, Version};
use tempfile::TempDir;

use crate::app::TestApp;
use crate::clock::FixedClock;
use crate::world::{APPLICATION, RESOURCE, SECRET};

/// How long a test waits for a change to be in force; it takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server of its own for one test, over a directory that begins with the trusted application and its
/// secret.
pub struct DiskApp {
    app: TestApp<ServingDirectory>,
    /// What operators use.
    pub directory: SqliteDirectory,
    live: LiveDirectory,
    // The thread stops before the folder goes.
    _following: Following,
    _folder: TempDir,
}

impl Deref for DiskApp {
    type Target = TestApp<ServingDirectory>;

    fn deref(&self) -> &TestApp<ServingDirectory> {
        &self.app
    }
}

impl DiskApp {
    /// Makes folder, directory and server.
    ///
    /// # Panics
    ///
    /// When the disk does not work.
    #[expect(clippy::expect_used, reason = "a test without a directory can only stop")]
    pub async fn new() -> DiskApp {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = SqliteDirectory::create(&folder.path().join("data")).expect("a directory");
        let (file, clock) = (directory.file().to_owned(), Arc::new(FixedClock::default()));
        let source = Source {
            connect: Arc::new(move || connect_reader(&file)),
            clock: clock.clone(),
            keys: None,
            epoch: RandomId([7; 16]),
            changed: None,
        };
        let (live, mut follower) = Follower::open(source).expect("a directory that can be read");
        follower.step();
        let following = follower.start().expect("a thread");
        let app = TestApp::on(ServingDirectory::new(live.clone(), directory.clone()), clock);
        let app = DiskApp { app, directory, live, _following: following, _folder: folder };
        let built_in = ResourceId::parse(RESOURCE).expect("a resource id");
        app.directory.set_built_in_resource(app.context(), built_in).await.expect("a directory");
        app.put(Entity::Application, &[("application_id", APPLICATION), ("trusted", "true")]).await;
        let owner = Key::read(Entity::Application, &[APPLICATION]).expect("an id");
        let hash = SecretHash(sha256(SECRET.as_bytes()));
        app.directory.add_credential(app.context(), owner, hash.into()).await.expect("a directory");
        app.in_force().await;
        app
    }

    /// An operator, now.
    pub fn context(&self) -> ChangeContext {
        ChangeContext {
            actor: Actor::Operator { uid: 1000 },
            at: self.app.clock.now(),
            reason: None,
            token_lifetime_max: 3_600,
        }
    }

    /// Adds or changes a record as an operator does, and waits until that is in force.
    ///
    /// # Panics
    ///
    /// When a value can't be, or the disk does not work.
    #[expect(clippy::expect_used, reason = "a test names its records")]
    pub async fn put(&self, entity: Entity, pairs: &[(&str, &str)]) {
        let row = Row::read(entity, pairs.iter().copied()).expect("a record");
        self.directory.put(self.context(), row).await.expect("a directory");
        self.in_force().await;
    }

    /// Removes a record as an operator does, and waits until that is in force.
    ///
    /// # Panics
    ///
    /// When there is none, or the disk does not work.
    #[expect(clippy::expect_used, reason = "a test names its records")]
    pub async fn remove(&self, entity: Entity, parts: &[&str]) {
        let key = Key::read(entity, parts).expect("a key");
        self.directory.remove(self.context(), key).await.expect("a directory");
        self.in_force().await;
    }

    /// The whole record.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[expect(clippy::expect_used, reason = "a test names its records")]
    pub async fn record(&self, entity: Entity, parts: &[&str]) -> Row {
        let key = Key::read(entity, parts).expect("a key");
        self.directory.get(key).await.expect("a directory").expect("a record")
    }

    /// Waits until everything that is committed is in force.
    ///
    /// # Panics
    ///
    /// When it takes too long.
    #[expect(clippy::expect_used, reason = "a test without a directory can only stop")]
    pub async fn in_force(&self) {
        let version = self.directory.status().await.expect("a directory").version;
        assert!(self.live.wait_for(version, PATIENCE), "the change is not in force yet");
    }

    /// Lets time pass, and waits until the directory was confirmed since then.
    ///
    /// # Panics
    ///
    /// When it takes too long.
    pub fn pass(&self, time: Duration) {
        self.app.clock.advance(time);
        let confirmed = (0..400).any(|_| {
            // No version is that high: the follower is made to look, and gets a moment for it.
            self.live.wait_for(Version(u64::MAX), Duration::from_millis(50));
            self.live.directory().is_ok()
        });
        assert!(confirmed, "the directory is not confirmed yet");
    }
}
