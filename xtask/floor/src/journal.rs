//! A record of the journal, in batches of a given size; and what a journal holds.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use procura_jose::{Algorithm, PrivateKey};
use procura_protocol::time::UnixSeconds;
use procura_storage::journal::format::{Batch, HEADER_LENGTH, Header};
use procura_storage::journal::measure::{Workload, measure as measure_batches};
use procura_storage::journal::{RealDisk, Settings, codec, disk};
use procura_store::journal::{Issued, Record};
use procura_store::records::{ApplicationNo, ClientNo, ContactNo, KeyNo, RandomId, ResourceNo, Version};
use serde::Serialize;

use crate::Failure;
use crate::clocks::{now, thread_cpu};

/// What a record costs.
#[derive(Serialize)]
pub(crate) struct Figures {
    batch: usize,
    cpu_us: f64,
    median_sync_us: f64,
    bytes: f64,
}

/// Writes batches to a journal of its own in the empty folder `dir`.
pub(crate) fn measure(dir: &Path, batch: usize, batches: usize) -> Result<Figures, Failure> {
    let (key, _) = PrivateKey::generate(Algorithm::EdDsa)?;
    let mut payload = Vec::new();
    codec::encode(&Record::Issued(issued()), &mut payload);
    let begin = now();
    let work = Workload { payload: &payload, batches, cpu: &thread_cpu, wall: &|| begin.elapsed() };
    let disk = Arc::new(RealDisk::new(dir));
    let sizes = [batch.max(1)];
    let measured = measure_batches(&disk, Settings::default().layout, Arc::new(key), &work, &sizes)?;
    let measured = measured.first().ok_or("nothing was measured")?;
    Ok(Figures {
        batch: measured.batch,
        cpu_us: measured.cpu_micros_per_record,
        median_sync_us: measured.median_sync_micros,
        bytes: measured.bytes_per_record,
    })
}

/// A token for three clients out of a directory of some thousands.
fn issued() -> Issued {
    Issued {
        reference: RandomId([3; 16]),
        id_token_jti: RandomId([5; 16]),
        contact: ContactNo(7_000),
        application: ApplicationNo(1),
        clients: vec![ClientNo(1_200), ClientNo(1_201), ClientNo(1_202)],
        resource: ResourceNo(1),
        id_token_key: Some(KeyNo(1)),
        door: procura_store::journal::Door::ContactToken,
        bound_to: None,
        access_token_key: KeyNo(1),
        expires_at: UnixSeconds(1_800_000_000),
        version: Version(30_000),
    }
}

/// What a journal holds.
#[derive(Default, Serialize)]
pub(crate) struct Written {
    /// Records.
    records: u64,
    /// Batches, each of which was one sync.
    batches: u64,
    /// Bytes of those batches.
    bytes: u64,
    /// Segments.
    segments: u64,
}

/// Walks the segments of a data folder, also while a server writes.
pub(crate) fn written(data: &Path) -> Result<Written, Failure> {
    let mut found = Written::default();
    for entry in fs::read_dir(data.join(disk::FOLDER))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            count(&fs::read(&path)?, &mut found)?;
        }
    }
    Ok(found)
}

fn count(bytes: &[u8], found: &mut Written) -> Result<(), Failure> {
    let (header, mut link) = Header::decode(bytes).ok_or("a segment has no header")?;
    let (mut seq, mut rest) = (header.first_seq, bytes.get(HEADER_LENGTH..).unwrap_or_default());
    found.segments += 1;
    while let Some(batch) = Batch::decode(rest, seq, link) {
        (seq, link) = (seq + batch.count as u64, batch.hash);
        rest = rest.get(batch.length..).unwrap_or_default();
        found.records += batch.count as u64;
        found.batches += 1;
        found.bytes += batch.length as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_can_be_counted_again() {
        let folder = std::env::temp_dir().join(format!("procura-floor-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let figures = measure(&folder, 8, 20).unwrap();
        let found = written(&folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(figures.batch, 8);
        assert_eq!((found.records, found.batches), (160, 20));
        assert!(figures.bytes > 60.0 && figures.bytes < 200.0, "{}", figures.bytes);
        assert!((found.bytes as f64 / 160.0 - figures.bytes).abs() < 1.0);
    }
}
