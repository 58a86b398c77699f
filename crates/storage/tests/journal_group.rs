//! The journal with its threads: many writers, failures, a full disk, and the end.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::future::Future as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use procura_jose::{Algorithm, PrivateKey};
use procura_protocol::time::UnixMillis;
use procura_storage::journal::group::{DiskJournal, Settings};
use procura_storage::journal::sim::{Faults, SimDisk};
use procura_storage::journal::{ChainId, Class, JournalError, Layout, Pending, Reader};
use procura_store::Clock;

/// Every look at the clock is a tenth of a second later than the one before.
#[derive(Default)]
struct Steps(AtomicU64);

impl Clock for Steps {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.monotonic().as_millis() as i64)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(100 * self.0.fetch_add(1, Ordering::Relaxed))
    }
}

fn settings() -> Settings {
    let layout = Layout {
        segment_bytes: 64 * 1024,
        first_segment_bytes: 16 * 1024,
        reserve_bytes: 4 * 1024,
        ..Settings::default().layout
    };
    Settings { layout, retry_after: Duration::from_millis(1), ..Settings::default() }
}

fn signer() -> Arc<PrivateKey> {
    Arc::new(PrivateKey::generate(Algorithm::EdDsa).unwrap().0)
}

fn start(disk: &SimDisk, key: &Arc<PrivateKey>) -> DiskJournal<SimDisk> {
    let clock = Arc::new(Steps::default());
    let (disk, signer) = (Arc::new(disk.clone()), Arc::clone(key) as _);
    DiskJournal::start(disk, settings(), signer, clock, ChainId([5; 16])).unwrap().0
}

fn payloads(disk: &SimDisk) -> Vec<Vec<u8>> {
    let entries = Reader::new(Arc::new(disk.clone())).entries(1).unwrap();
    entries.map(|entry| entry.unwrap().payload).collect()
}

#[test]
fn every_record_of_many_writers_is_there_once_after_a_power_cut() {
    let (disk, key) = (SimDisk::new(1), signer());
    let journal = start(&disk, &key);
    std::thread::scope(|scope| {
        for writer in 0..8_u8 {
            let journal = &journal;
            scope.spawn(move || {
                for number in 0..200_u8 {
                    let payload = [writer, number, 1, 2, 3];
                    let pending = journal.append_payload(UnixMillis(0), &payload, Class::Issue).unwrap();
                    pending.wait().unwrap();
                }
            });
        }
    });
    assert_eq!(journal.last_seq(), 1600);
    disk.cut_power();
    let mut found = payloads(&disk);
    assert_eq!(found.len(), 1600);
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 1600);
    let metrics = journal.metrics();
    assert_eq!(metrics.records.load(Ordering::Relaxed), 1600);
    assert!(metrics.batches.load(Ordering::Relaxed) <= 1600);
}

#[test]
fn only_one_may_write() {
    let (disk, key) = (SimDisk::new(2), signer());
    let first = start(&disk, &key);
    let clock = Arc::new(Steps::default());
    let second = |clock| {
        let (disk, signer) = (Arc::new(disk.clone()), Arc::clone(&key) as _);
        DiskJournal::start(disk, settings(), signer, clock, ChainId([6; 16]))
    };
    assert!(matches!(second(clock), Err(JournalError::Locked)));
    drop(first);
    assert!(second(Arc::new(Steps::default())).is_ok());
}

#[test]
fn a_stop_writes_what_waits_signs_a_head_and_refuses_the_rest() {
    let (disk, key) = (SimDisk::new(3), signer());
    let journal = start(&disk, &key);
    let waiting: Vec<_> = (0..50_u8)
        .map(|number| journal.append_payload(UnixMillis(0), &[number], Class::Issue).unwrap())
        .collect();
    journal.stop();
    waiting.into_iter().for_each(|pending| pending.wait().unwrap());
    assert!(journal.append_payload(UnixMillis(0), b"late", Class::Change).is_err());
    let report = Reader::new(Arc::new(disk.clone())).verify(None, &mut |_| {}).unwrap();
    assert_eq!((report.records, report.proven_to), (50, 50));
}

#[test]
fn a_failed_sync_is_told_to_everyone_who_waits_and_repaired_by_itself() {
    let (disk, key) = (SimDisk::new(4), signer());
    let journal = start(&disk, &key);
    let append = |payload: &[u8]| {
        let pending = journal.append_payload(UnixMillis(0), payload, Class::Issue);
        pending.and_then(Pending::wait)
    };
    append(b"before").unwrap();
    disk.set_faults(Faults { sync_fails: 1, ..Faults::default() });
    assert!(append(b"lost").is_err());
    assert!(append(b"lost too").is_err());
    disk.set_faults(Faults::default());
    while append(b"after").is_err() {
        std::thread::yield_now();
    }
    disk.cut_power();
    assert_eq!(payloads(&disk), [&b"before"[..], b"after"]);
    let report = Reader::new(Arc::new(disk.clone())).verify(None, &mut |_| {}).unwrap();
    assert_eq!(report.segments, 2);
}

#[test]
fn on_a_full_disk_traffic_stops_first_changes_go_on_and_space_ends_it() {
    let (disk, key) = (SimDisk::new(5), signer());
    let journal = start(&disk, &key);
    let append = |class| {
        let pending = journal.append_payload(UnixMillis(0), &[7; 100], class);
        pending.and_then(Pending::wait)
    };
    disk.set_faults(Faults { full: true, ..Faults::default() });
    let issued = (0..10_000).take_while(|_| append(Class::Issue).is_ok()).count();
    assert!(issued < 10_000);
    assert!(!journal.accepts(Class::Issue) && journal.accepts(Class::Change));
    for _ in 0..20 {
        append(Class::Change).unwrap();
    }
    assert!(append(Class::Issue).is_err());
    disk.set_faults(Faults::default());
    while append(Class::Issue).is_err() {
        std::thread::yield_now();
    }
    disk.cut_power();
    assert_eq!(payloads(&disk).len(), issued + 21);
}

#[test]
fn a_queue_that_is_full_refuses_at_once() {
    let (disk, key) = (SimDisk::new(6), signer());
    let clock = Arc::new(Steps::default());
    let settings = Settings { queue_records: 0, ..settings() };
    let (disk, signer) = (Arc::new(disk), Arc::clone(&key) as _);
    let (journal, _) = DiskJournal::start(disk, settings, signer, clock, ChainId([5; 16])).unwrap();
    assert!(journal.append_payload(UnixMillis(0), b"one too many", Class::Issue).is_err());
    assert_eq!(journal.metrics().refused.load(Ordering::Relaxed), 1);
}

#[test]
fn new_records_get_a_head_in_time_without_anyone_asking() {
    let (disk, key) = (SimDisk::new(7), signer());
    let journal = start(&disk, &key);
    for _ in 0..200 {
        journal.append_payload(UnixMillis(0), b"x", Class::Issue).unwrap().wait().unwrap();
    }
    assert!(journal.metrics().heads.load(Ordering::Relaxed) > 0);
    let head = Reader::new(Arc::new(disk.clone())).last_head().unwrap().unwrap();
    assert!(head.head.seq > 0);
}

#[test]
fn a_nudge_ends_the_gathering() {
    let (disk, key) = (SimDisk::new(8), signer());
    let clock = Arc::new(Steps::default());
    let for_ever = Settings { pace: Duration::from_secs(3600), ..settings() };
    let (disk, signer) = (Arc::new(disk), Arc::clone(&key) as _);
    let (journal, _) = DiskJournal::start(disk, for_ever, signer, clock, ChainId([5; 16])).unwrap();
    for _ in 0..50 {
        let append = || journal.append_payload(UnixMillis(0), b"x", Class::Issue).unwrap();
        let mut waiting = [append(), append(), append()];
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        for pending in &mut waiting {
            while std::pin::Pin::new(&mut *pending).poll(&mut context).is_pending() {
                journal.nudge();
            }
        }
    }
    assert_eq!(journal.last_seq(), 150);
}
