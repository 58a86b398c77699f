//! Keeps the directory in memory up with what is committed, by whichever process.
//!
//! SQLite tells a connection that never writes whether anyone else committed (`PRAGMA data_version`).
//! When someone did, one read transaction gives the version, the rows of the `change` table that are new,
//! and the records they name; the next snapshot is published before anything is confirmed.
//!
//! A large import is loaded whole, on a thread and a connection of its own. Meanwhile its marks are
//! published, so that nobody gets on the old version what the new one takes away; everything else goes on.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use procura_store::administration::StoreError;
use procura_store::change::ChangeSeq;
use procura_store::directory::PendingMarks;
use procura_store::records::{RandomId, ResourceNo, Version};
use procura_store::{Clock, Directory};
use rusqlite::{Connection, Transaction};

use super::apply::{self, Touched};
use super::load::{self, Loaded};
use super::{LiveDirectory, failed, rows, told};
use crate::keys::LiveKeys;

/// How often it looks.
pub const POLL_EVERY: Duration = Duration::from_millis(100);
/// More changes than this at once are loaded as a whole: to look them up one by one would hold up the
/// confirmation of the version for too long.
pub const MOST_CHANGES_APPLIED: u64 = 5_000;

/// Where the directory comes from, and who else wants to know when it changes.
pub struct Source {
    /// Opens a connection that nobody writes on; see [`super::connect_reader`].
    pub connect: Arc<dyn Fn() -> Result<Connection, StoreError> + Send + Sync>,
    /// Only its monotonic side is used.
    pub clock: Arc<dyn Clock>,
    /// The key ring to keep up with changes of keys.
    pub keys: Option<Arc<LiveKeys>>,
    /// Names the marks of this process: random.
    pub epoch: RandomId,
    /// Told, on the follower's thread, after each change that was seen: drains the outbox.
    pub changed: Option<Box<dyn Fn() + Send>>,
}

/// What came of one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing new; the published version is confirmed.
    Unchanged,
    /// Changes were applied and published.
    Applied,
    /// A load of everything began or goes on; its marks are published.
    Loading,
    /// A load of everything was published. There may be more already: look again at once.
    Loaded,
    /// The database could not be read: nothing is confirmed.
    Unreadable,
}

/// Looks, one [`Follower::step`] at a time.
pub struct Follower {
    source: Source,
    live: LiveDirectory,
    connection: Option<Connection>,
    /// `PRAGMA data_version` when everything up to it was published.
    data_version: Option<i64>,
    change: ChangeSeq,
    /// The last mark that is among the revocations.
    mark: i64,
    built_in: Option<ResourceNo>,
    loading: Option<Receiver<Result<Loaded, StoreError>>>,
    /// What was published before a load, to be freed away from those who serve.
    former: Option<Arc<Directory>>,
    unreadable: bool,
}

impl Follower {
    /// Loads the directory, which is confirmed as of when the load began to be sure: call
    /// [`Follower::step`] once before serving.
    ///
    /// # Errors
    ///
    /// When the database can't be read.
    pub fn open(source: Source) -> Result<(LiveDirectory, Follower), StoreError> {
        let began = source.clock.monotonic();
        let connection = (source.connect)()?;
        let loaded = load::load(&connection)?;
        let revocations = Arc::new(told::nothing(source.epoch));
        // After the directory, so that no mark of its version is missing.
        let (mark, version) = (told::add(&connection, 0, &revocations)?, loaded.directory.version());
        let live = LiveDirectory::new(loaded.directory, revocations, Arc::clone(&source.clock), began);
        live.know_marks_of(version);
        if let Some(keys) = &source.keys {
            keys.publish(&loaded.keys);
        }
        let follower = Follower {
            source,
            live: live.clone(),
            connection: Some(connection),
            data_version: None,
            change: loaded.change,
            mark,
            built_in: loaded.built_in,
            loading: None,
            former: None,
            unreadable: false,
        };
        Ok((live, follower))
    }

    /// Looks once, publishes what is new, and confirms.
    pub fn step(&mut self) -> Step {
        let began = self.live.now();
        self.free_former();
        match self.look() {
            Ok(step) => {
                if std::mem::take(&mut self.unreadable) {
                    tracing::info!("the directory can be read again");
                }
                self.live.confirm(began);
                if let (Step::Applied | Step::Loading | Step::Loaded, Some(changed)) =
                    (step, &self.source.changed)
                {
                    changed();
                }
                step
            }
            Err(error) => {
                if !std::mem::replace(&mut self.unreadable, true) {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(%error, cause, "the directory can't be read: nothing is issued until it can");
                }
                self.connection = None;
                Step::Unreadable
            }
        }
    }

    /// Waits for a load of everything, if one goes on: for tools and tests.
    pub fn finish_loading(&mut self) {
        if let Some(loading) = self.loading.take() {
            let (tell, ready) = mpsc::channel();
            if let Ok(loaded) = loading.recv() {
                drop(tell.send(loaded));
            }
            self.loading = Some(ready);
        }
    }

    /// Goes on looking on a thread of its own until the result is dropped.
    pub fn start(mut self) -> std::io::Result<Following> {
        let live = self.live.clone();
        let run = move || {
            loop {
                let again = matches!(self.step(), Step::Applied | Step::Loaded);
                if !self.live.rest(if again { Duration::ZERO } else { POLL_EVERY }) {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("directory".into()).spawn(run)?;
        Ok(Following { live, thread: Some(thread) })
    }

    fn look(&mut self) -> Result<Step, StoreError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                self.data_version = None;
                (self.source.connect)()?
            }
        };
        let swapped = self.take_loaded(&connection)?;
        // Before the snapshot: what is committed in between is seen by the next look.
        let data_version =
            connection.pragma_query_value(None, "data_version", |row| row.get(0)).map_err(failed)?;
        let step = if self.data_version == Some(data_version) {
            if self.loading.is_some() { Step::Loading } else { Step::Unchanged }
        } else {
            self.read(&connection)?
        };
        self.connection = Some(connection);
        self.data_version = Some(data_version);
        Ok(if swapped && step != Step::Loading { Step::Loaded } else { step })
    }

    fn read(&mut self, connection: &Connection) -> Result<Step, StoreError> {
        let snapshot = connection.unchecked_transaction().map_err(failed)?;
        let stand = load::stand(&snapshot)?;
        self.tell_marks(&snapshot, stand.version)?;
        let current = self.live.current();
        if self.loading.is_none() && stand.version == current.version() && stand.last == self.change {
            if current.pending().is_some() {
                self.live.publish(current.with_pending(None));
            }
            return Ok(Step::Unchanged);
        }
        if self.loading.is_none() && self.can_apply(&stand, &current) {
            let touched = Touched::read(&snapshot, self.change)?;
            if !touched.moves_built_in(&snapshot, self.built_in)? {
                return self.apply(&snapshot, &stand, &touched);
            }
        }
        let pending = read_pending(&snapshot, &current)?;
        drop(snapshot);
        self.live.publish(current.with_pending(Some(pending)));
        if self.loading.is_none() {
            tracing::info!(from = current.version().0, to = stand.version.0, "loading the whole directory");
            self.begin_loading()?;
        }
        Ok(Step::Loading)
    }

    /// Adds the marks of that version, and of all before, to the revocations. Before the version is
    /// published or confirmed: whoever knows it must not miss them.
    fn tell_marks(&mut self, connection: &Connection, version: Version) -> Result<(), StoreError> {
        self.mark = told::add(connection, self.mark, self.live.revocations())?;
        self.live.know_marks_of(version);
        Ok(())
    }

    /// Whether what is new is there row by row, and little enough.
    fn can_apply(&self, stand: &rows::Stand, current: &Directory) -> bool {
        let goes_on = stand.first.is_some_and(|first| first.0 <= self.change.0 + 1);
        let forward = stand.version >= current.version() && stand.last >= self.change;
        goes_on && forward && stand.last.0 - self.change.0 <= MOST_CHANGES_APPLIED
    }

    fn apply(
        &mut self,
        snapshot: &Transaction<'_>,
        stand: &rows::Stand,
        touched: &Touched,
    ) -> Result<Step, StoreError> {
        let next = apply::apply(snapshot, &self.live.current(), touched, self.built_in)?;
        if let Some(keys) = self.source.keys.as_ref().filter(|_| touched.keys) {
            keys.publish(&load::read_keys(snapshot)?);
        }
        self.live.publish(next.finish(stand.version));
        self.change = stand.last;
        Ok(Step::Applied)
    }

    fn begin_loading(&mut self) -> Result<(), StoreError> {
        let (tell, loading) = mpsc::channel();
        let connect = Arc::clone(&self.source.connect);
        let load = move || {
            let loaded = connect().and_then(|connection| load::load(&connection));
            // Nobody listens any more when the follower stopped.
            drop(tell.send(loaded));
        };
        let spawned = thread::Builder::new().name("directory-load".into()).spawn(load);
        spawned.map_err(|error| StoreError::Failed(Box::new(error)))?;
        self.loading = Some(loading);
        Ok(())
    }

    /// Publishes a load that is done. What was committed since it began is found by looking on.
    fn take_loaded(&mut self, connection: &Connection) -> Result<bool, StoreError> {
        let Some(loading) = &self.loading else { return Ok(false) };
        let loaded = match loading.try_recv() {
            Err(TryRecvError::Empty) => return Ok(false),
            Ok(loaded) => loaded,
            Err(TryRecvError::Disconnected) => Err(StoreError::Damaged("directory: its load broke off")),
        };
        self.loading = None;
        self.data_version = None;
        let loaded = loaded?;
        // It may be newer than what was looked at last.
        self.tell_marks(connection, loaded.directory.version())?;
        if let Some(keys) = &self.source.keys {
            keys.publish(&loaded.keys);
        }
        self.change = loaded.change;
        self.built_in = loaded.built_in;
        tracing::info!(version = loaded.directory.version().0, "the whole directory is loaded");
        // Marks of what was committed while it loaded hold until that is found too.
        let loaded = loaded.directory.with_pending_of(&self.live.current());
        self.former = Some(self.live.publish(loaded));
        Ok(true)
    }

    /// Freeing millions of records takes a while: not where confirmations or requests wait for it.
    fn free_former(&mut self) {
        if let Some(former) = self.former.take_if(|former| Arc::strong_count(former) == 1) {
            // Without a thread it is freed here.
            drop(thread::Builder::new().name("directory-free".into()).spawn(move || drop(former)));
        }
    }
}

fn read_pending(snapshot: &Transaction<'_>, current: &Directory) -> Result<PendingMarks, StoreError> {
    let mut statement = snapshot.prepare_cached(rows::MARKS).map_err(failed)?;
    let mut found = statement.query([current.version().0 as i64]).map_err(failed)?;
    let mut failure = None;
    let marks = std::iter::from_fn(|| match found.next() {
        Ok(row) => Some(rows::mark(row?)),
        Err(error) => Some(Err(failed(error))),
    });
    let pending =
        PendingMarks::collect(marks.map_while(|mark| mark.map_err(|error| failure = Some(error)).ok()));
    match failure {
        None => Ok(pending),
        Some(error) => Err(error),
    }
}

/// A follower at work. Dropping it stops it; the directory is no longer confirmed from then on.
pub struct Following {
    live: LiveDirectory,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.live.stop();
        if let Some(thread) = self.thread.take() {
            // A panic there was told by the panic itself.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use procura_protocol::time::UnixMillis;
    use procura_store::administration::{Administration as _, ChangeContext};
    use procura_store::change::{Actor, Entity};
    use procura_store::fields::{Key, Row};
    use procura_store::records::{ApplicationNo, ContactNo};

    use super::*;
    use crate::SqliteDirectory;
    use crate::directory::connect_reader;

    struct Still;

    impl Clock for Still {
        fn now(&self) -> UnixMillis {
            UnixMillis(1_800_000_000_000)
        }

        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
    }

    #[tokio::test]
    async fn a_mark_of_what_was_committed_while_everything_was_loaded_holds_until_that_is_found_too() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteDirectory::create(&folder.path().join("data")).unwrap();
        let context = ChangeContext {
            actor: Actor::Operator { uid: 1 },
            at: Still.now(),
            reason: None,
            token_lifetime_max: 3_600,
        };
        for id in ["con.1", "con.2", "con.3"] {
            let row = Row::read(Entity::Contact, [("contact_id", id)]).unwrap();
            store.put(context.clone(), row).await.unwrap();
        }
        let file = store.file().to_owned();
        let connect = Arc::new(move || connect_reader(&file));
        let epoch = RandomId([7; 16]);
        let source = Source { connect, clock: Arc::new(Still), keys: None, epoch, changed: None };
        let (live, mut follower) = Follower::open(source).unwrap();
        let disable = async |id: &str| {
            let key = Key::read(Entity::Contact, &[id]).unwrap();
            store.disable(context.clone(), key).await.unwrap();
        };
        let hits = |contact| {
            let directory = live.directory().unwrap();
            directory.pending().is_some_and(|marks| marks.hits(ApplicationNo(1), ContactNo(contact), &[]))
        };

        disable("con.1").await;
        // As if there were too many to apply one by one.
        follower.change = ChangeSeq(u64::MAX - 1);
        assert_eq!(follower.step(), Step::Loading);
        follower.finish_loading();
        disable("con.2").await;
        let connection = follower.connection.take().unwrap();
        assert_eq!(follower.read(&connection).unwrap(), Step::Loading);
        follower.connection = Some(connection);
        assert!(hits(1) && hits(2) && !hits(3));

        let connection = follower.connection.take().unwrap();
        assert!(follower.take_loaded(&connection).unwrap());
        follower.connection = Some(connection);
        assert!(hits(2), "it is known, and not in what was loaded");
        assert!(live.directory().unwrap().contact("con.2").unwrap().1.active);
        while follower.step() != Step::Unchanged {}
        assert!(live.directory().unwrap().pending().is_none());
        assert!(!live.directory().unwrap().contact("con.2").unwrap().1.active);
    }
}
