//! The marks that were told over the network, and until when nothing can have been missed.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

use procura_jose::marks::everything;
use procura_protocol::events::ToldMark;
use procura_protocol::mark::MarkSubject;
use procura_protocol::mark_view::MarkView;
use procura_protocol::time::UnixSeconds;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::sources::MarkSource;

/// Marks as a follower of the stream knows them.
///
/// Whoever reads first asks for the generation. The follower writes in the order marks, generation, "known
/// until": who sees one of them sees what was written before.
pub(crate) struct FollowedMarks {
    view: RwLock<MarkView>,
    capacity: usize,
    generation: AtomicU64,
    /// Nanoseconds of the clock's [`Clock::elapsed`], plus one; 0 when it is not known that nothing is
    /// missing.
    known_until: AtomicU64,
    /// Marks that were over then, by the wall clock, are forgotten.
    swept_at: AtomicI64,
    connected: AtomicBool,
    clock: Arc<dyn Clock>,
    max_stale: Duration,
    /// Told when it becomes known that nothing is missing.
    complete: Arc<Notify>,
}

const NOTHING_SWEPT: i64 = i64::MIN;

impl FollowedMarks {
    pub(crate) fn new(
        capacity: usize,
        max_stale: Duration,
        clock: Arc<dyn Clock>,
        complete: Arc<Notify>,
    ) -> FollowedMarks {
        FollowedMarks {
            view: RwLock::new(MarkView::new(capacity, everything())),
            capacity,
            generation: AtomicU64::new(0),
            known_until: AtomicU64::new(0),
            swept_at: AtomicI64::new(NOTHING_SWEPT),
            connected: AtomicBool::new(false),
            clock,
            max_stale,
            complete,
        }
    }

    /// A view to collect a snapshot in.
    pub(crate) fn empty_view(&self) -> MarkView {
        MarkView::new(self.capacity, everything())
    }

    /// All marks anew, perhaps of another process that is a moment behind: only its own heartbeat says up to
    /// when nothing is missing.
    pub(crate) fn replace(&self, view: MarkView) {
        let mut held = self.write();
        self.cut_off();
        let former = std::mem::replace(&mut *held, view);
        self.generation.fetch_add(1, Ordering::Release);
        self.swept_at.store(NOTHING_SWEPT, Ordering::Release);
        drop(held);
        // A hundred thousand marks are freed without anybody waiting.
        drop(former);
    }

    /// New marks.
    pub(crate) fn add(&self, marks: &[ToldMark]) {
        let mut held = self.write();
        marks.iter().for_each(|mark| held.add(mark));
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Nothing is missing up to a moment, which is never taken to lie ahead or to go back.
    pub(crate) fn confirm(&self, until: Duration) {
        let until = nanos(until.min(self.clock.elapsed())).saturating_add(1);
        if self.known_until.fetch_max(until, Ordering::Release) == 0 {
            self.complete.notify_waiters();
        }
    }

    /// Something may be missing.
    pub(crate) fn cut_off(&self) {
        self.known_until.store(0, Ordering::Release);
    }

    pub(crate) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
    }

    /// How long ago nothing was missing for sure.
    pub(crate) fn staleness(&self) -> Option<Duration> {
        let until = self.known_until.load(Ordering::Acquire).checked_sub(1)?;
        Some(self.clock.elapsed().saturating_sub(Duration::from_nanos(until)))
    }

    /// Forgets what is over.
    pub(crate) fn sweep(&self) {
        let now = self.clock.now();
        self.write().sweep(now);
        self.swept_at.store(now.0, Ordering::Release);
    }

    /// Whether the wall clock was set back behind a sweep: then tokens are in force again whose marks were
    /// forgotten.
    pub(crate) fn forgot_too_much(&self) -> bool {
        self.clock.now() < UnixSeconds(self.swept_at.load(Ordering::Acquire))
    }

    pub(crate) fn status(&self) -> MarksStatus {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        MarksStatus {
            connected: self.connected.load(Ordering::Relaxed),
            staleness: self.staleness(),
            max_stale: self.max_stale,
            marks: view.len(),
            bytes: view.memory(),
            collapsed: view.collapsed(),
        }
    }

    fn write(&self) -> RwLockWriteGuard<'_, MarkView> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MarkSource for FollowedMarks {
    fn generation(&self) -> Option<u64> {
        let fresh = self.staleness()? <= self.max_stale;
        (fresh && !self.forgot_too_much()).then(|| self.generation.load(Ordering::Acquire))
    }

    fn hits(&self, subjects: &[MarkSubject], dv: u64) -> bool {
        self.view.read().unwrap_or_else(PoisonError::into_inner).hits(subjects, dv)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What a guard knows of revocations, for its metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MarksStatus {
    /// Whether the stream is open.
    pub connected: bool,
    /// How long ago nothing was missing for sure; `None` when something may be missing.
    pub staleness: Option<Duration>,
    /// Beyond this, calls are answered 503.
    pub max_stale: Duration,
    /// How many marks there are.
    pub marks: usize,
    /// Bytes that they take, about.
    pub bytes: usize,
    /// How often those of an application had to be collapsed into one since the last snapshot.
    pub collapsed: u64,
}
