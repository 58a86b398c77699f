//! A directory in a throw-away folder, and a clock that stands still until it is moved.

#![allow(clippy::allow_attributes, clippy::unwrap_used, dead_code, reason = "each test file uses its part")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use procura_jose::digest::sha256;
use procura_protocol::mark::MarkSubject;
use procura_protocol::time::UnixMillis;
use procura_storage::SqliteDirectory;
use procura_storage::directory::{Source, connect_reader};
use procura_store::Clock;
use procura_store::administration::{Administration, ChangeContext, Put};
use procura_store::change::{Actor, Entity};
use procura_store::fields::{Key, Row};
use procura_store::mark::{MarkKind, subject_text};
use procura_store::records::RandomId;
use tempfile::TempDir;

/// 2027-01-15T08:00:00Z.
pub(crate) const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// Stands still.
#[derive(Default)]
pub(crate) struct Still(AtomicU64);

impl Still {
    pub(crate) fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }
}

impl Clock for Still {
    fn now(&self) -> UnixMillis {
        UnixMillis(NOW.0 + self.monotonic().as_millis() as i64)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

pub(crate) struct Installation {
    pub(crate) folder: TempDir,
    pub(crate) directory: SqliteDirectory,
    pub(crate) clock: Arc<Still>,
}

impl Installation {
    pub(crate) fn new() -> Installation {
        let folder = tempfile::tempdir().unwrap();
        let directory = SqliteDirectory::create(&folder.path().join("data")).unwrap();
        Installation { folder, directory, clock: Arc::default() }
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn source(&self) -> Source {
        let file = self.directory.file().to_owned();
        Source {
            connect: Arc::new(move || connect_reader(&file)),
            clock: self.clock.clone(),
            keys: None,
            epoch: RandomId([7; 16]),
            changed: None,
        }
    }

    pub(crate) fn context(&self) -> ChangeContext {
        ChangeContext {
            actor: Actor::Operator { uid: 1000 },
            at: self.clock.now(),
            reason: None,
            token_lifetime_max: 3_600,
        }
    }

    /// Adds or changes a record: its kind, then names and values.
    pub(crate) async fn put(&self, entity: Entity, pairs: &[(&str, &str)]) {
        let put = self.directory.put(self.context(), row(entity, pairs)).await.unwrap();
        assert!(matches!(put, Put::Added | Put::Updated), "{put:?}");
    }

    pub(crate) async fn put_party(&self) {
        use Entity::{Application, Client, Contact, Mandate, Trust};
        self.put(Application, &[("application_id", "app_one"), ("trusted", "true")]).await;
        self.put(Client, &[("client_id", "cli.1"), ("client_name", "One Ltd")]).await;
        self.put(Client, &[("client_id", "cli.2"), ("client_name", "Two Ltd")]).await;
        self.put(Contact, &[("contact_id", "con.1")]).await;
        self.put(Contact, &[("contact_id", "con.2")]).await;
        let until = ("until", "2031-05-01T00:00:00Z");
        self.put(Mandate, &[("contact_id", "con.1"), ("client_id", "cli.2"), until]).await;
        self.put(Mandate, &[("contact_id", "con.1"), ("client_id", "cli.1"), ("permissions", "can_trade")])
            .await;
        let one = [("client_id", "cli.1"), ("application_id", "app_one")];
        self.put(Trust, &[one[0], one[1], ("contacts", "con.2 con.1"), ("ceiling", "all"), until]).await;
        self.put(Trust, &[("client_id", "cli.2"), one[1], ("contacts", "*"), ("ceiling", "can_trade")]).await;
    }
}

pub(crate) fn row(entity: Entity, pairs: &[(&str, &str)]) -> Row {
    Row::read(entity, pairs.iter().copied()).unwrap()
}

pub(crate) fn key(entity: Entity, parts: &[&str]) -> Key {
    Key::read(entity, parts).unwrap()
}

/// What guards are told of a mark on one id.
pub(crate) fn subject(kind: MarkKind, id: &str) -> MarkSubject {
    MarkSubject(sha256(subject_text(kind, id, None).as_bytes()))
}

/// A connection past everything that the program does.
pub(crate) fn raw(file: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(file).unwrap()
}
