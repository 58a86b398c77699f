//! Group commit: a queue, and one thread that takes all that wait, writes them with one sync, and wakes
//! them all.
//!
//! Records are copied straight into the batch that is forming, under a lock that is held for the length
//! of that copy. All waiters of a batch share one [`Completion`]. The thread is only notified when it
//! sleeps. A batch holds records of one [`Class`], so that a full disk has one answer for each.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use procura_protocol::time::UnixMillis;
use procura_store::clock::Clock;
use procura_store::journal::{Journal, JournalUnavailable, Record};

use super::codec;
use super::core::Core;
use super::disk::{Disk, RealDisk};
use super::error::JournalError;
use super::format::{BatchBuffer, ChainId};
use super::heads::HeadSigner;
use super::recovery::Found;
use super::segment::Prepared;
use super::worker;
use super::writer::{Class, Layout, Metrics};

/// How the journal works.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Files.
    pub layout: Layout,
    /// The most records that wait; beyond it the answer is "unavailable" at once.
    pub queue_records: usize,
    /// Under load, the longest that records are gathered before the next sync; [`DiskJournal::nudge`]
    /// ends it. A sync costs as much CPU time as two tokens; shared by many records it is hardly seen.
    /// Whoever is alone never waits for it.
    pub pace: Duration,
    /// How often new records get a signed head.
    pub head_every: Duration,
    /// How long after a failure it is tried again.
    pub retry_after: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            layout: Layout {
                segment_bytes: 16 * 1024 * 1024,
                first_segment_bytes: 1024 * 1024,
                reserve_bytes: 128 * 1024,
                change_of: codec::change_of,
            },
            queue_records: 8192,
            pace: Duration::from_millis(1),
            head_every: Duration::from_secs(10),
            retry_after: Duration::from_secs(1),
        }
    }
}

/// The journal of a running server.
pub struct DiskJournal<D: Disk = RealDisk> {
    shared: Arc<Shared<D>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl<D: Disk> DiskJournal<D> {
    /// Opens the journal, or begins one named `new_chain` (16 random bytes), and starts its threads.
    ///
    /// # Errors
    ///
    /// As [`Core::open`]; [`JournalError::Io`] too when a thread can't be started.
    pub fn start(
        disk: Arc<D>,
        settings: Settings,
        signer: Arc<dyn HeadSigner>,
        clock: Arc<dyn Clock>,
        new_chain: ChainId,
    ) -> Result<(DiskJournal<D>, Found), JournalError> {
        let (core, found) = Core::open(Arc::clone(&disk), settings.layout, signer, new_chain, clock.now())?;
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue::default()),
            work: Condvar::new(),
            segment_wanted: Condvar::new(),
            metrics: Arc::clone(core.writer().metrics()),
            last_change: AtomicU64::new(found.end.last_change),
            last_seq: AtomicU64::new(found.end.seq),
            gathering: AtomicBool::new(false),
            settings,
            clock,
        });
        let journal = DiskJournal { shared: Arc::clone(&shared), threads: Mutex::default() };
        let ahead = Arc::clone(&shared);
        journal.spawn("journal-ahead", move || worker::prepare_ahead(&*disk, &ahead))?;
        journal.spawn("journal", move || worker::write(core, &shared))?;
        Ok((journal, found))
    }

    /// Queues a payload that happened at `at`. The write begins at once; [`Pending`] tells when it is
    /// sure.
    pub fn append_payload(
        &self,
        at: UnixMillis,
        payload: &[u8],
        class: Class,
    ) -> Result<Pending, JournalUnavailable> {
        self.queue(|queue, bound| queue.push(at, payload, class, bound))
    }

    /// Queues payloads as one: all of them get on disk, or none does. Refused when a batch can't hold
    /// them ([`super::format::MAX_BATCH_RECORDS`], [`super::format::MAX_BATCH_BYTES`]).
    pub fn append_together(
        &self,
        at: UnixMillis,
        payloads: &[Vec<u8>],
        class: Class,
    ) -> Result<Pending, JournalUnavailable> {
        self.queue(|queue, bound| queue.push_together(at, payloads, class, bound))
    }

    fn queue(
        &self,
        push: impl FnOnce(&mut Queue<D>, usize) -> Option<Pending>,
    ) -> Result<Pending, JournalUnavailable> {
        let mut queue = self.shared.queue();
        let queued = push(&mut queue, self.shared.settings.queue_records);
        let wake = queued.is_some() && std::mem::take(&mut queue.asleep);
        debug_assert!(!(wake && queue.gathering), "the writer sleeps or gathers");
        drop(queue);
        if wake {
            self.shared.work.notify_one();
        }
        queued.ok_or_else(|| {
            self.shared.metrics.refused.fetch_add(1, Ordering::Relaxed);
            JournalUnavailable
        })
    }

    /// Says that no more records come until those that wait are sure: write now. Cheap, for a runtime
    /// to call whenever one of its threads goes to sleep (`on_thread_park` of tokio's builder).
    pub fn nudge(&self) {
        self.shared.nudge();
    }

    /// [`DiskJournal::nudge`] for whoever outlives a borrow of the journal.
    pub fn nudger(&self) -> impl Fn() + Send + Sync + 'static
    where
        D: 'static,
    {
        let shared = Arc::clone(&self.shared);
        move || shared.nudge()
    }

    /// The highest row of the `change` table that is recorded for sure: where draining goes on.
    pub fn last_change(&self) -> u64 {
        self.shared.last_change.load(Ordering::Acquire)
    }

    /// The last record that is sure.
    pub fn last_seq(&self) -> u64 {
        self.shared.last_seq.load(Ordering::Acquire)
    }

    /// Whether a record of that class would be taken now, as far as the disk is concerned.
    pub fn accepts(&self, class: Class) -> bool {
        self.shared.queue().accepts(class)
    }

    /// How many records wait for the disk.
    pub fn waiting(&self) -> usize {
        self.shared.queue().waiting
    }

    /// What was done since the start.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Takes nothing more, writes what waits, signs a head, ends the threads and gives back the lock.
    pub fn stop(&self) {
        self.shared.queue().stopping = true;
        self.shared.work.notify_all();
        self.shared.segment_wanted.notify_all();
        let threads = std::mem::take(&mut *lock(&self.threads));
        for thread in threads {
            // A panic in there has failed every waiter already.
            let _ = thread.join();
        }
    }

    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), JournalError> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
        let thread = thread.map_err(JournalError::io("start a thread for", "its writer"))?;
        lock(&self.threads).push(thread);
        Ok(())
    }
}

impl<D: Disk> Drop for DiskJournal<D> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl<D: Disk> Journal for DiskJournal<D> {
    type Pending = Pending;

    fn append(&self, at: UnixMillis, record: &Record) -> Result<Pending, JournalUnavailable> {
        thread_local! {
            static PAYLOAD: RefCell<Vec<u8>> = RefCell::default();
        }
        PAYLOAD.with_borrow_mut(|payload| {
            payload.clear();
            codec::encode(record, payload);
            self.append_payload(at, payload, codec::class_of(record))
        })
    }

    fn takes_issues(&self) -> bool {
        self.accepts(Class::Issue)
    }
}

pub(crate) struct Shared<D: Disk> {
    queue: Mutex<Queue<D>>,
    /// The writer sleeps on it.
    pub(crate) work: Condvar,
    /// Whoever prepares segments sleeps on it.
    pub(crate) segment_wanted: Condvar,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) last_change: AtomicU64,
    pub(crate) last_seq: AtomicU64,
    /// As in the queue, to be looked at without its lock.
    pub(crate) gathering: AtomicBool,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
}

impl<D: Disk> Shared<D> {
    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue<D>> {
        lock(&self.queue)
    }

    fn nudge(&self) {
        if self.gathering.load(Ordering::Acquire) {
            self.queue().gathering = false;
            self.work.notify_one();
        }
    }
}

pub(crate) struct Queue<D: Disk> {
    pub(crate) forming: VecDeque<Forming>,
    waiting: usize,
    spare: Vec<BatchBuffer>,
    /// The writer lets more records come.
    pub(crate) gathering: bool,
    /// The writer sleeps and must be notified.
    pub(crate) asleep: bool,
    pub(crate) stopping: bool,
    /// A write failed and is not repaired yet.
    pub(crate) broken: bool,
    /// Only the reserve is left.
    pub(crate) full: bool,
    pub(crate) wants_segment: bool,
    pub(crate) prepared: Option<Prepared<D>>,
}

impl<D: Disk> Default for Queue<D> {
    fn default() -> Self {
        Queue {
            forming: VecDeque::new(),
            waiting: 0,
            spare: Vec::new(),
            gathering: false,
            asleep: false,
            stopping: false,
            broken: false,
            full: false,
            wants_segment: true,
            prepared: None,
        }
    }
}

impl<D: Disk> Queue<D> {
    fn accepts(&self, class: Class) -> bool {
        let full = self.full && class == Class::Issue;
        !(self.stopping || self.broken || full)
    }

    fn push(&mut self, at: UnixMillis, payload: &[u8], class: Class, bound: usize) -> Option<Pending> {
        if !self.accepts(class) || self.waiting >= bound {
            return None;
        }
        let fits =
            self.forming.back_mut().is_some_and(|last| last.class == class && last.batch.push(at, payload));
        if !fits {
            let mut batch = self.spare.pop().unwrap_or_default();
            if !batch.push(at, payload) {
                return None;
            }
            self.forming.push_back(Forming { batch, class, done: Arc::default() });
        }
        self.waiting += 1;
        let done = Arc::clone(&self.forming.back()?.done);
        Some(Pending { done, registered: None })
    }

    /// In a batch that none of them is in yet, so that they share its fate.
    fn push_together(
        &mut self,
        at: UnixMillis,
        payloads: &[Vec<u8>],
        class: Class,
        bound: usize,
    ) -> Option<Pending> {
        if !self.accepts(class) || self.waiting + payloads.len() > bound {
            return None;
        }
        let mut batch = self.spare.pop().unwrap_or_default();
        if payloads.is_empty() || !payloads.iter().all(|payload| batch.push(at, payload)) {
            self.give_back(batch);
            return None;
        }
        let done = Arc::<Completion>::default();
        self.forming.push_back(Forming { batch, class, done: Arc::clone(&done) });
        self.waiting += payloads.len();
        Some(Pending { done, registered: None })
    }

    pub(crate) fn take(&mut self) -> Option<Forming> {
        let taken = self.forming.pop_front()?;
        self.waiting -= taken.batch.count();
        Some(taken)
    }

    /// Keeps the memory of a batch for another.
    pub(crate) fn give_back(&mut self, mut batch: BatchBuffer) {
        if self.spare.len() < 2 {
            batch.clear();
            self.spare.push(batch);
        }
    }
}

/// A batch that records are still added to.
pub(crate) struct Forming {
    pub(crate) batch: BatchBuffer,
    pub(crate) class: Class,
    done: Arc<Completion>,
}

impl Forming {
    /// Tells everyone who waits, and gives the batch back.
    pub(crate) fn complete(mut self, outcome: Outcome) -> BatchBuffer {
        self.done.complete(outcome);
        std::mem::take(&mut self.batch)
    }
}

impl Drop for Forming {
    /// Whatever happened to the writer, nobody waits for ever and nobody is told that it is done.
    fn drop(&mut self) {
        self.done.complete(Outcome::Unavailable);
    }
}

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Durable,
    Unavailable,
}

const WAITING: u64 = 0;
const DURABLE: u64 = 1;
const UNAVAILABLE: u64 = 2;

/// Shared by all that wait for one batch.
#[derive(Default)]
struct Completion {
    state: AtomicU64,
    wakers: Mutex<Vec<Waker>>,
}

impl Completion {
    fn complete(&self, outcome: Outcome) {
        let state = match outcome {
            Outcome::Durable => DURABLE,
            Outcome::Unavailable => UNAVAILABLE,
        };
        // The first word counts. Before the wakers are taken: who registers later looks again.
        if self.state.compare_exchange(WAITING, state, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            let wakers = std::mem::take(&mut *lock(&self.wakers));
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    fn outcome(&self) -> Poll<Result<(), JournalUnavailable>> {
        match self.state.load(Ordering::Acquire) {
            WAITING => Poll::Pending,
            DURABLE => Poll::Ready(Ok(())),
            _ => Poll::Ready(Err(JournalUnavailable)),
        }
    }
}

/// Resolves when the record is on disk, or when nobody can say that it is.
#[must_use = "nothing may be answered before the record is durable"]
pub struct Pending {
    done: Arc<Completion>,
    registered: Option<usize>,
}

impl Pending {
    /// Blocks this thread until it is known. Not for a thread that serves.
    pub fn wait(mut self) -> Result<(), JournalUnavailable> {
        struct Unpark(Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            match Pin::new(&mut self).poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(outcome) => return outcome,
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl Future for Pending {
    type Output = Result<(), JournalUnavailable>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let ready @ Poll::Ready(_) = this.done.outcome() {
            return ready;
        }
        let mut wakers = lock(&this.done.wakers);
        if let ready @ Poll::Ready(_) = this.done.outcome() {
            return ready;
        }
        match this.registered.and_then(|at| wakers.get_mut(at)) {
            Some(waker) => waker.clone_from(context.waker()),
            None => {
                this.registered = Some(wakers.len());
                wakers.push(context.waker().clone());
            }
        }
        Poll::Pending
    }
}

/// A panic elsewhere must not stop the journal: what the locks protect is whole between statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
