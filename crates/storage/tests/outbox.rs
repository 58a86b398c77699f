//! Changes of the directory reach the journal, each exactly once.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

use std::sync::Arc;

use procura_jose::{Algorithm, PrivateKey};
use procura_protocol::time::UnixMillis;
use procura_storage::journal::group::Settings;
use procura_storage::journal::sim::SimDisk;
use procura_storage::journal::{ChainId, Core, DiskJournal, Reader, codec};
use procura_storage::outbox::{ChangeLog, OutboxError, check, drain, trim};
use procura_store::administration::{Administration, Import, Line};
use procura_store::change::{ChangeSeq, Entity};
use procura_store::journal::{Changed, JournalUnavailable, Record};
use support::{Installation, NOW, row};

fn now() -> UnixMillis {
    NOW
}

fn key() -> Arc<PrivateKey> {
    Arc::new(PrivateKey::generate(Algorithm::EdDsa).unwrap().0)
}

fn core(disk: &SimDisk, key: &Arc<PrivateKey>) -> Core<SimDisk> {
    let layout = Settings::default().layout;
    Core::open(Arc::new(disk.clone()), layout, Arc::clone(key) as _, ChainId([1; 16]), NOW).unwrap().0
}

/// The changes on record, in order.
fn recorded(disk: &SimDisk) -> Vec<u64> {
    let entries = Reader::new(Arc::new(disk.clone())).entries(1).unwrap();
    entries
        .filter_map(|entry| match codec::decode(&entry.unwrap().payload).unwrap() {
            Record::Changed(changed) => Some(changed.change.0),
            _ => None,
        })
        .collect()
}

async fn import(installation: &Installation, count: u64) {
    let rows = (0..count).map(|no| row(Entity::Contact, &[("contact_id", &format!("con.{no}"))]));
    let rows: Vec<_> = rows.collect();
    let lines = (1..).zip(rows).map(|(number, row)| Line { number, row: Ok(row) });
    let import = Import { entity: Entity::Contact, dry_run: false };
    installation.directory.import(installation.context(), import, lines, |_| {}).await.unwrap();
}

/// Takes some batches, then fails.
#[derive(Default)]
struct Failing {
    changes: Vec<Changed>,
    batches_left: usize,
}

impl ChangeLog for Failing {
    fn last_change(&self) -> ChangeSeq {
        self.changes.last().map(|changed| changed.change).unwrap_or_default()
    }

    async fn record(&mut self, _: UnixMillis, changes: Vec<Changed>) -> Result<(), JournalUnavailable> {
        self.batches_left = self.batches_left.checked_sub(1).ok_or(JournalUnavailable)?;
        self.changes.extend(changes);
        Ok(())
    }
}

#[tokio::test]
async fn every_change_is_on_record_once_also_after_a_restart_in_between() {
    let installation = Installation::new();
    let (disk, key) = (SimDisk::new(1), key());
    installation.put_party().await;
    assert_eq!(drain(&installation.directory, &mut core(&disk, &key), now).await.unwrap(), 9);
    installation.put(Entity::Contact, &[("contact_id", "con.3")]).await;
    let mut reopened = core(&disk, &key);
    assert_eq!(drain(&installation.directory, &mut reopened, now).await.unwrap(), 1);
    assert_eq!(drain(&installation.directory, &mut reopened, now).await.unwrap(), 0);
    assert_eq!(recorded(&disk), (1..=10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_running_server_drains_into_its_journal() {
    let installation = Installation::new();
    let disk = SimDisk::new(1);
    let settings = Settings::default();
    let clock = installation.clock.clone();
    let disk_of_journal = Arc::new(disk.clone());
    let (journal, _) = DiskJournal::start(disk_of_journal, settings, key(), clock, ChainId([1; 16])).unwrap();
    import(&installation, 600).await;
    assert_eq!(drain(&installation.directory, &mut &journal, now).await.unwrap(), 600);
    journal.stop();
    assert_eq!(recorded(&disk), (1..=600).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_a_failure_left_behind_is_recorded_by_the_next_turn_and_nothing_twice() {
    let installation = Installation::new();
    import(&installation, 1_000).await;
    let mut log = Failing { batches_left: 2, ..Failing::default() };
    let broken_off = drain(&installation.directory, &mut log, now).await;
    assert!(matches!(broken_off, Err(OutboxError::Journal(_))), "{broken_off:?}");
    log.batches_left = usize::MAX;
    drain(&installation.directory, &mut log, now).await.unwrap();
    let seqs: Vec<_> = log.changes.iter().map(|changed| changed.change.0).collect();
    assert_eq!(seqs, (1..=1_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn only_what_is_old_and_on_record_is_trimmed_and_the_newest_stays() {
    let installation = Installation::new();
    let store = &installation.directory;
    installation.put_party().await;
    let later = UnixMillis(NOW.0 + 1);
    assert_eq!(trim(store, ChangeSeq(9), NOW).await.unwrap(), 0);
    assert_eq!(trim(store, ChangeSeq(4), later).await.unwrap(), 4);
    assert_eq!(store.changes_after(ChangeSeq(0), 100).await.unwrap()[0].seq, ChangeSeq(5));
    assert_eq!(trim(store, ChangeSeq(9), later).await.unwrap(), 4);
    assert_eq!(store.changes_after(ChangeSeq(0), 100).await.unwrap()[0].seq, ChangeSeq(9));
}

#[tokio::test]
async fn a_journal_that_is_ahead_of_the_directory_is_told() {
    let installation = Installation::new();
    installation.put_party().await;
    check(&installation.directory, ChangeSeq(9)).await.unwrap();
    let ahead = check(&installation.directory, ChangeSeq(10)).await;
    assert!(matches!(ahead, Err(OutboxError::Ahead { recorded: 10, known: 9 })), "{ahead:?}");
}
