//! What a start reads of the journal about assertions that were used.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::sync::{Arc, LazyLock};

use procura_jose::{Algorithm, PrivateKey};
use procura_protocol::time::{UnixMillis, UnixSeconds};
use procura_storage::journal::core::Core;
use procura_storage::journal::sim::SimDisk;
use procura_storage::journal::writer::prepare_ahead;
use procura_storage::journal::{BatchBuffer, ChainId, Class, Layout, Reader, Settings, codec};
use procura_store::journal::{AssertionUsed, Record, Started};
use procura_store::records::{ApplicationNo, Version};

static SIGNER: LazyLock<Arc<PrivateKey>> =
    LazyLock::new(|| Arc::new(PrivateKey::generate(Algorithm::EdDsa).unwrap().0));

fn layout() -> Layout {
    Layout {
        segment_bytes: 16 * 1024,
        first_segment_bytes: 16 * 1024,
        reserve_bytes: 512,
        ..Settings::default().layout
    }
}

fn open(disk: &Arc<SimDisk>) -> Core<SimDisk> {
    let signer = Arc::<PrivateKey>::clone(&SIGNER);
    Core::open(Arc::clone(disk), layout(), signer, ChainId([1; 16]), UnixMillis(0)).unwrap().0
}

fn used(no: u32) -> AssertionUsed {
    AssertionUsed {
        application: ApplicationNo(no),
        digest: [no as u8; 16],
        expires_at: UnixSeconds(i64::from(no) + 60),
    }
}

/// Writes one that was used in that second, after a record of another kind.
fn write(core: &mut Core<SimDisk>, disk: &Arc<SimDisk>, no: u32) {
    let at = UnixMillis(i64::from(no) * 1_000);
    let mut batch = BatchBuffer::new();
    for record in [Record::Started(Started { version: Version(1) }), Record::AssertionUsed(used(no))] {
        let mut payload = Vec::new();
        codec::encode(&record, &mut payload);
        assert!(batch.push(at, &payload));
    }
    if no.is_multiple_of(50) {
        core.writer_mut().offer(prepare_ahead(&**disk, &layout()).unwrap());
    }
    core.append(&mut batch, Class::Issue, at).unwrap();
}

fn read(disk: &Arc<SimDisk>, since: i64) -> Vec<AssertionUsed> {
    let mut found = Vec::new();
    Reader::new(Arc::clone(disk)).used_assertions(UnixMillis(since), |used| found.push(used)).unwrap();
    found
}

#[test]
fn what_was_used_since_then_is_read_and_of_before_no_more_than_a_segment() {
    let disk = Arc::new(SimDisk::new(1));
    let mut core = open(&disk);
    assert!(read(&disk, 0).is_empty());
    (1..=400).for_each(|no| write(&mut core, &disk, no));
    drop(core);
    let segments = Reader::new(Arc::clone(&disk)).segments().unwrap();
    assert!(segments.len() >= 3, "{}", segments.len());
    let all: Vec<_> = (1..=400).map(used).collect();
    assert_eq!(read(&disk, 0), all);
    for since in [1, 50, 100, 200, 399, 400, 500] {
        let found = read(&disk, since * 1_000);
        assert!(all.ends_with(&found), "from {since}");
        let wanted = usize::try_from((401 - since).max(0)).unwrap();
        assert!(found.len() >= wanted, "from {since}: {}", found.len());
    }
    assert!(read(&disk, 400_000).len() < 400);
}

#[test]
fn whatever_was_acknowledged_before_a_power_cut_is_read_after_it() {
    for seed in 0..50 {
        let disk = Arc::new(SimDisk::new(seed));
        for life in 0..4 {
            let mut core = open(&disk);
            let first = life * 30 + 1;
            (first..first + 30).for_each(|no| write(&mut core, &disk, no));
            disk.cut_power();
        }
        drop(open(&disk));
        assert_eq!(read(&disk, 0), (1..=120).map(used).collect::<Vec<_>>(), "seed {seed}");
    }
}
