//! The journal's two threads: one writes, one makes segments ahead of need.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::core::Core;
use super::disk::Disk;
use super::group::{Forming, Outcome, Queue, Shared};
use super::writer::{self, AppendError};

/// Makes the next segment whenever one is wanted, until the journal stops.
pub(crate) fn prepare_ahead<D: Disk>(disk: &D, shared: &Shared<D>) {
    let mut queue = shared.queue();
    loop {
        if queue.stopping {
            return;
        }
        if !queue.wants_segment {
            queue = shared.segment_wanted.wait(queue).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        drop(queue);
        let made = writer::prepare_ahead(disk, &shared.settings.layout);
        queue = shared.queue();
        match made {
            Ok(prepared) => {
                queue.prepared = Some(prepared);
                queue.wants_segment = false;
                shared.work.notify_one();
            }
            Err(error) => {
                tracing::warn!(%error, "the journal can't prepare its next segment; it tries again");
                let waited = shared.segment_wanted.wait_timeout(queue, shared.settings.retry_after);
                queue = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

/// Writes whatever waits, until the journal stops and nothing waits.
pub(crate) fn write<D: Disk>(core: Core<D>, shared: &Shared<D>) {
    let _on_exit = RefuseOnExit(shared);
    let mut worker =
        Worker { core, shared, last_head: shared.clock.monotonic(), retry_at: Duration::ZERO, last_count: 0 };
    while let Some(work) = worker.wait() {
        match work {
            Work::Batch(batch) => worker.batch(batch),
            Work::Housekeeping => {}
        }
        worker.housekeeping();
    }
    if let Err(error) = worker.core.sign_head() {
        tracing::warn!(%error, "the journal's last head could not be signed");
    }
}

enum Work {
    Batch(Forming),
    Housekeeping,
}

struct Worker<'a, D: Disk> {
    core: Core<D>,
    shared: &'a Shared<D>,
    last_head: Duration,
    retry_at: Duration,
    /// Records in the last batch.
    last_count: usize,
}

impl<D: Disk> Worker<'_, D> {
    /// What to do next; `None` when the journal has stopped.
    fn wait(&mut self) -> Option<Work> {
        self.gather();
        let mut queue = self.shared.queue();
        if let Some(batch) = queue.take() {
            return Some(Work::Batch(batch));
        }
        if queue.stopping {
            return None;
        }
        if queue.prepared.is_some() {
            return Some(Work::Housekeeping);
        }
        queue.asleep = true;
        let mut queue = match self.next_alarm() {
            None => self.shared.work.wait(queue).unwrap_or_else(PoisonError::into_inner),
            Some(in_time) => {
                let waited = self.shared.work.wait_timeout(queue, in_time);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        queue.asleep = false;
        Some(queue.take().map_or(Work::Housekeeping, Work::Batch))
    }

    /// Under load lets more records come before the next sync: for no longer than the pace, and only
    /// until someone says that no more will come now. Whoever is alone is never kept waiting.
    fn gather(&mut self) {
        let pace = self.shared.settings.pace;
        if pace.is_zero() || self.last_count < 2 {
            return;
        }
        let mut queue = self.shared.queue();
        queue.gathering = true;
        self.shared.gathering.store(true, Ordering::Release);
        let until = |queue: &mut Queue<D>| queue.gathering && !queue.stopping;
        let waited = self.shared.work.wait_timeout_while(queue, pace, until);
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        queue.gathering = false;
        self.shared.gathering.store(false, Ordering::Release);
    }

    /// How long nothing is due.
    fn next_alarm(&self) -> Option<Duration> {
        let now = self.shared.clock.monotonic();
        let head = self.core.wants_head().then(|| self.last_head + self.shared.settings.head_every);
        let retry = self.core.writer().is_broken().then_some(self.retry_at);
        let due = [head, retry].into_iter().flatten().min()?;
        Some(due.saturating_sub(now).max(Duration::from_millis(1)))
    }

    fn batch(&mut self, mut forming: Forming) {
        let shared = self.shared;
        let began = shared.clock.monotonic();
        let count = forming.batch.count();
        let appended = self.core.append(&mut forming.batch, forming.class, shared.clock.now());
        let took = shared.clock.monotonic().saturating_sub(began);
        let outcome = match &appended {
            Ok(_) => {
                let end = self.core.end();
                shared.last_seq.store(end.seq, Ordering::Release);
                shared.last_change.store(end.last_change, Ordering::Release);
                shared.metrics.syncs.add(took);
                shared.metrics.last_sync_nanos.store(took.as_nanos() as u64, Ordering::Relaxed);
                Outcome::Durable
            }
            Err(error) => {
                shared.metrics.refused.fetch_add(count as u64, Ordering::Relaxed);
                self.close(error);
                Outcome::Unavailable
            }
        };
        let buffer = forming.complete(outcome);
        shared.queue().give_back(buffer);
        self.last_count = count;
    }

    /// Takes no more of what can't be written now.
    fn close(&mut self, error: &AppendError) {
        tracing::error!(%error, "the journal can't write");
        let mut queue = self.shared.queue();
        match error {
            AppendError::Full => queue.full = true,
            AppendError::Failed(_) | AppendError::Broken => queue.broken = true,
        }
    }

    /// Takes a prepared segment, repairs, signs: whatever is due.
    fn housekeeping(&mut self) {
        let now = self.shared.clock.monotonic();
        self.exchange_segment(&mut self.shared.queue());
        if self.core.writer().is_broken() && now >= self.retry_at {
            self.repair();
            self.retry_at = now + self.shared.settings.retry_after;
        }
        if self.core.wants_head() && now >= self.last_head + self.shared.settings.head_every {
            if let Err(error) = self.core.sign_head() {
                tracing::warn!(%error, "the journal's head could not be signed; it tries again");
            }
            self.last_head = now;
        }
    }

    fn exchange_segment(&mut self, queue: &mut Queue<D>) {
        if let Some(prepared) = queue.prepared.take() {
            self.core.writer_mut().offer(prepared);
            queue.full = false;
        }
        if self.core.writer().wants_segment() && !queue.wants_segment {
            queue.wants_segment = true;
            self.shared.segment_wanted.notify_one();
        }
    }

    fn repair(&mut self) {
        // Everyone who waits was told by the batch that failed, or is told now.
        let left: Vec<Forming> = std::iter::from_fn(|| self.shared.queue().take()).collect();
        drop(left);
        match self.core.writer_mut().repair(self.shared.clock.now()) {
            Ok(()) => {
                tracing::warn!("the journal goes on in a new segment after a failed write");
                let mut queue = self.shared.queue();
                queue.broken = false;
            }
            Err(error) => tracing::error!(%error, "the journal can't be repaired yet; it tries again"),
        }
    }
}

struct RefuseOnExit<'a, D: Disk>(&'a Shared<D>);

impl<D: Disk> Drop for RefuseOnExit<'_, D> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.stopping = true;
        while queue.take().is_some() {}
    }
}
