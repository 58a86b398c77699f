//! The journal on the files of this machine.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use procura_jose::{Algorithm, PrivateKey};
use procura_protocol::time::UnixMillis;
use procura_storage::journal::core::Core;
use procura_storage::journal::measure::{Workload, measure};
use procura_storage::journal::writer::prepare_ahead;
use procura_storage::journal::{
    BatchBuffer, ChainId, Class, HeadSigner, JournalError, Layout, Reader, RealDisk, Settings,
};

/// A folder of this test alone, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn signer() -> Arc<dyn HeadSigner> {
    Arc::new(PrivateKey::generate(Algorithm::EdDsa).unwrap().0)
}

fn layout() -> Layout {
    Layout {
        segment_bytes: 3 * 1024 * 1024,
        first_segment_bytes: 64 * 1024,
        reserve_bytes: 1024,
        ..Settings::default().layout
    }
}

#[test]
fn a_journal_of_several_segments_reads_back_after_a_restart() {
    let folder = Folder::new("restart");
    let (disk, key) = (Arc::new(RealDisk::new(&folder.0)), signer());
    let open = || {
        let chain = ChainId([3; 16]);
        Core::open(Arc::clone(&disk), layout(), Arc::clone(&key), chain, UnixMillis(1)).unwrap()
    };
    let (mut core, found) = open();
    assert!(found.created);
    assert!(matches!(
        Core::open(Arc::clone(&disk), layout(), Arc::clone(&key), ChainId([3; 16]), UnixMillis(1)),
        Err(JournalError::Locked)
    ));
    let mut batch = BatchBuffer::new();
    for number in 0..60_u8 {
        batch.clear();
        while batch.count() < 50 {
            assert!(batch.push(UnixMillis(2), &[number; 80]));
        }
        if number == 20 {
            core.writer_mut().offer(prepare_ahead(&*disk, &layout()).unwrap());
        }
        core.append(&mut batch, Class::Issue, UnixMillis(2)).unwrap();
    }
    drop(core);
    let (core, found) = open();
    assert_eq!((found.created, found.end.seq, found.cut), (false, 3000, None));
    drop(core);
    let reader = Reader::new(Arc::clone(&disk));
    let report =
        reader.verify(None, &mut |progress| assert!(progress.bytes <= progress.total_bytes)).unwrap();
    assert_eq!(report.records, 3000);
    assert!(report.segments >= 3, "{report:?}");
    let newest = reader.entries_back().unwrap().next().unwrap().unwrap();
    assert_eq!((newest.seq, newest.payload), (3000, vec![59; 80]));
    assert_eq!(reader.entries(2999).unwrap().count(), 2);
}

#[test]
fn only_the_owner_may_read_it_and_the_lock_stands_beside_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("modes");
    let disk = Arc::new(RealDisk::new(&folder.0));
    drop(Core::open(disk, layout(), signer(), ChainId([3; 16]), UnixMillis(1)).unwrap());
    assert!(folder.0.join("journal.lock").exists());
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder.0.join("journal")), 0o700);
    assert_eq!(mode(folder.0.join("journal/heads.jsonl")), 0o600);
    assert_eq!(mode(folder.0.join("journal/00000000000000000001.log")), 0o600);
}

#[test]
fn a_token_takes_at_most_two_hundred_bytes_even_alone_in_its_batch() {
    let folder = Folder::new("measure");
    let still = || Duration::ZERO;
    let work = Workload { payload: &[7; 110], batches: 3, cpu: &still, wall: &still };
    let disk = Arc::new(RealDisk::new(&folder.0));
    let measured = measure(&disk, layout(), signer(), &work, &[1, 8]).unwrap();
    assert_eq!(measured.iter().map(|line| line.batch).collect::<Vec<_>>(), [1, 8]);
    assert!(measured[0].bytes_per_record <= 200.0, "{measured:?}");
}
