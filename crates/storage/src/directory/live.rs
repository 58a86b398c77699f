//! What requests hold.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use procura_store::records::Version;
use procura_store::{Clock, Directory, NotFresh, Revocations};

/// How old the last confirmation may be.
pub const FRESH_FOR: Duration = Duration::from_secs(1);

/// The directory as a running server has it: the version that was published last, for as long as
/// somebody confirms it. A clone costs a counter.
#[derive(Clone)]
pub struct LiveDirectory {
    shared: Arc<Shared>,
}

struct Shared {
    directory: ArcSwap<Directory>,
    revocations: Arc<Revocations>,
    /// The version whose marks, and those of all before, are among the revocations.
    marks_of: AtomicU64,
    clock: Arc<dyn Clock>,
    /// [`Clock::monotonic`] in nanoseconds, when the version was last known to be the newest.
    confirmed_at: AtomicU64,
    signals: Mutex<Signals>,
    wake: Condvar,
    published: Condvar,
}

#[derive(Default)]
struct Signals {
    poked: bool,
    stopping: bool,
}

impl LiveDirectory {
    pub(super) fn new(
        directory: Directory,
        revocations: Arc<Revocations>,
        clock: Arc<dyn Clock>,
        confirmed_at: Duration,
    ) -> LiveDirectory {
        let shared = Shared {
            directory: ArcSwap::from_pointee(directory),
            revocations,
            marks_of: AtomicU64::new(0),
            clock,
            confirmed_at: AtomicU64::new(nanos(confirmed_at)),
            signals: Mutex::default(),
            wake: Condvar::new(),
            published: Condvar::new(),
        };
        LiveDirectory { shared: Arc::new(shared) }
    }

    /// The directory at a version that was confirmed less than a second ago.
    ///
    /// # Errors
    ///
    /// [`NotFresh`] when it was not.
    pub fn directory(&self) -> Result<Arc<Directory>, NotFresh> {
        if self.age() < FRESH_FOR { Ok(self.shared.directory.load_full()) } else { Err(NotFresh) }
    }

    /// The marks that are kept. Those of a version are there before the version is published.
    pub fn revocations(&self) -> &Arc<Revocations> {
        &self.shared.revocations
    }

    /// The version that was published last, confirmed or not: for tools and metrics, not for decisions.
    pub fn version(&self) -> Version {
        self.shared.directory.load().version()
    }

    /// How long ago the version was confirmed.
    pub fn age(&self) -> Duration {
        let confirmed_at = Duration::from_nanos(self.shared.confirmed_at.load(Ordering::Acquire));
        self.now().saturating_sub(confirmed_at)
    }

    /// Makes the follower look now instead of at its next turn: after a write of this process.
    pub fn poke(&self) {
        self.signals().poked = true;
        self.shared.wake.notify_all();
    }

    /// Blocks this thread until that version or a later one is published; `false` when it was not within
    /// `patience`.
    pub fn wait_for(&self, version: Version, patience: Duration) -> bool {
        self.wait_until(patience, || self.version() >= version)
    }

    /// Blocks this thread until the marks of that version are known here, whether or not the version is
    /// published; `false` when they were not within `patience`.
    pub fn wait_for_marks(&self, version: Version, patience: Duration) -> bool {
        self.wait_until(patience, || self.shared.marks_of.load(Ordering::Acquire) >= version.0)
    }

    fn wait_until(&self, patience: Duration, is_so: impl Fn() -> bool) -> bool {
        if is_so() {
            return true;
        }
        self.poke();
        let waited = self
            .shared
            .published
            .wait_timeout_while(self.signals(), patience, |signals| !is_so() && !signals.stopping);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        is_so()
    }

    pub(super) fn now(&self) -> Duration {
        self.shared.clock.monotonic()
    }

    pub(super) fn current(&self) -> Arc<Directory> {
        self.shared.directory.load_full()
    }

    /// Gives the next version to all who ask from now on; what they had comes back.
    pub(super) fn publish(&self, directory: Directory) -> Arc<Directory> {
        let former = self.shared.directory.swap(Arc::new(directory));
        drop(self.signals()); // who found the old version is waiting by now
        self.shared.published.notify_all();
        former
    }

    /// All marks up to those of that version are among the revocations.
    pub(super) fn know_marks_of(&self, version: Version) {
        if self.shared.marks_of.fetch_max(version.0, Ordering::AcqRel) < version.0 {
            drop(self.signals()); // as above
            self.shared.published.notify_all();
        }
    }

    /// The published version was the newest at `at`, a moment before it was looked up.
    pub(super) fn confirm(&self, at: Duration) {
        self.shared.confirmed_at.store(nanos(at), Ordering::Release);
    }

    /// Sleeps until poked; `false` when it is time to stop.
    pub(super) fn rest(&self, at_most: Duration) -> bool {
        let waited = self
            .shared
            .wake
            .wait_timeout_while(self.signals(), at_most, |signals| !signals.poked && !signals.stopping);
        let (mut signals, _) = waited.unwrap_or_else(PoisonError::into_inner);
        signals.poked = false;
        !signals.stopping
    }

    pub(super) fn stop(&self) {
        self.signals().stopping = true;
        self.shared.wake.notify_all();
        self.shared.published.notify_all();
    }

    fn signals(&self) -> MutexGuard<'_, Signals> {
        self.shared.signals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Five hundred years fit.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
