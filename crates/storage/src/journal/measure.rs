//! What the journal costs on this machine: for the bench.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use procura_protocol::time::UnixMillis;

use super::core::Core;
use super::disk::Disk;
use super::error::JournalError;
use super::format::{BatchBuffer, ChainId};
use super::heads::HeadSigner;
use super::writer::{AppendError, Class, Layout, prepare_ahead};

/// One line of the result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Records in each batch.
    pub batch: usize,
    /// CPU time for a record, its share of the sync included, in microseconds.
    pub cpu_micros_per_record: f64,
    /// Median time of a batch from hand-over to durable, in microseconds.
    pub median_sync_micros: f64,
    /// Bytes on disk for a record.
    pub bytes_per_record: f64,
}

/// What to measure and with which clocks.
pub struct Workload<'a> {
    /// Payload of every record.
    pub payload: &'a [u8],
    /// Batches to write for each size.
    pub batches: usize,
    /// CPU time of this thread so far.
    pub cpu: &'a dyn Fn() -> Duration,
    /// Monotonic time.
    pub wall: &'a dyn Fn() -> Duration,
}

/// Writes batches of each of `sizes` to a journal of its own on an empty `disk`, on this thread.
pub fn measure<D: Disk>(
    disk: &Arc<D>,
    layout: Layout,
    signer: Arc<dyn HeadSigner>,
    work: &Workload<'_>,
    sizes: &[usize],
) -> Result<Vec<Measured>, JournalError> {
    let (mut core, _) = Core::open(Arc::clone(disk), layout, signer, ChainId([1; 16]), UnixMillis(0))?;
    let io = |error: AppendError| JournalError::io("write", "a batch")(io::Error::other(error));
    let mut results = Vec::new();
    for &size in sizes {
        let mut batch = BatchBuffer::new();
        let mut times = Vec::with_capacity(work.batches);
        let (mut cpu, mut length) = (Duration::ZERO, 0);
        for _ in 0..work.batches.max(1) {
            if core.writer().wants_segment() {
                let prepared =
                    prepare_ahead(&**disk, &layout).map_err(JournalError::io("prepare", "a segment"))?;
                core.writer_mut().offer(prepared);
            }
            let (cpu_before, before) = ((work.cpu)(), (work.wall)());
            batch.clear();
            while batch.count() < size && batch.push(UnixMillis(0), work.payload) {}
            core.append(&mut batch, Class::Issue, UnixMillis(0)).map_err(io)?;
            times.push((work.wall)().saturating_sub(before));
            cpu += (work.cpu)().saturating_sub(cpu_before);
            length = batch.length();
        }
        times.sort_unstable();
        let records = (times.len() * batch.count()).max(1) as f64;
        results.push(Measured {
            batch: batch.count(),
            cpu_micros_per_record: cpu.as_secs_f64() * 1e6 / records,
            median_sync_micros: times[times.len() / 2].as_secs_f64() * 1e6,
            bytes_per_record: length as f64 / batch.count().max(1) as f64,
        });
    }
    Ok(results)
}
