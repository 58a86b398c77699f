//! Whoever edits, removes, moves or cuts records is found out.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::sync::Arc;

use procura_jose::{Algorithm, PrivateKey};
use procura_protocol::time::UnixMillis;
use procura_storage::journal::core::Core;
use procura_storage::journal::error::{Damage, DamageKind};
use procura_storage::journal::format::{Batch, HEADER_LENGTH, Header};
use procura_storage::journal::sim::SimDisk;
use procura_storage::journal::{
    BatchBuffer, ChainId, Class, HeadSigner, JournalError, Layout, Reader, Report, SignedHead,
};

const FIRST: &str = "00000000000000000001.log";

struct Journal {
    disk: SimDisk,
    key: Arc<PrivateKey>,
}

fn layout() -> Layout {
    let length = HEADER_LENGTH as u64 + 1500;
    Layout {
        segment_bytes: length,
        first_segment_bytes: length,
        reserve_bytes: 0,
        change_of: |payload| payload.first().filter(|byte| **byte < 200).map(|byte| u64::from(*byte)),
    }
}

impl Journal {
    /// Batches of two records of 100 bytes, a head at the end.
    fn with_batches(batches: u8) -> Journal {
        let key = Arc::new(PrivateKey::generate(Algorithm::EdDsa).unwrap().0);
        let journal = Journal { disk: SimDisk::new(1), key };
        let mut core = journal.open().unwrap();
        for number in 0..batches {
            append(&mut core, number);
        }
        core.sign_head().unwrap();
        drop(core);
        journal
    }

    fn open(&self) -> Result<Core<SimDisk>, JournalError> {
        let signer = Arc::clone(&self.key) as Arc<dyn HeadSigner>;
        let disk = Arc::new(self.disk.clone());
        Ok(Core::open(disk, layout(), signer, ChainId([9; 16]), UnixMillis(5))?.0)
    }

    fn reader(&self) -> Reader<SimDisk> {
        Reader::new(Arc::new(self.disk.clone()))
    }

    fn verify(&self) -> Result<Report, JournalError> {
        self.reader().verify(None, &mut |_| {})
    }

    fn damage(&self) -> Damage {
        match self.verify() {
            Err(JournalError::Integrity(damage)) => damage,
            other => panic!("nothing was noticed: {other:?}"),
        }
    }

    /// Offsets of the batches of a segment, and where they end.
    fn batches(&self, file: &str) -> Vec<usize> {
        let bytes = self.disk.read(file).unwrap();
        let (header, mut link) = Header::decode(&bytes).unwrap();
        let (mut seq, mut offsets) = (header.first_seq, vec![HEADER_LENGTH]);
        while let Some(batch) = Batch::decode(&bytes[offsets[offsets.len() - 1]..], seq, link) {
            seq += batch.count as u64;
            link = batch.hash;
            offsets.push(offsets[offsets.len() - 1] + batch.length);
        }
        offsets
    }
}

fn append(core: &mut Core<SimDisk>, number: u8) {
    let mut batch = BatchBuffer::new();
    assert!(batch.push(UnixMillis(number.into()), &[number; 100]));
    assert!(batch.push(UnixMillis(number.into()), &[number; 100]));
    core.append(&mut batch, Class::Issue, UnixMillis(number.into())).unwrap();
}

fn files(journal: &Journal) -> Vec<String> {
    let infos = journal.reader().segments().unwrap();
    let mut names: Vec<String> =
        infos.iter().map(|info| format!("{:020}.log", info.header.first_seq)).collect();
    names.push("heads.jsonl".into());
    names
}

#[test]
fn a_journal_that_nobody_touched_verifies_to_its_last_head() {
    let journal = Journal::with_batches(12);
    let report = journal.verify().unwrap();
    assert_eq!((report.records, report.proven_to, report.unfinished_bytes), (24, 24, 0));
    assert!(report.segments > 2 && report.heads >= report.segments);
    assert_eq!(report.unfinished_head_bytes + report.abandoned_bytes, 0);
}

#[test]
fn any_byte_that_changes_anywhere_is_noticed() {
    let journal = Journal::with_batches(12);
    let untouched = journal.verify().unwrap();
    for file in files(&journal) {
        let length = journal.disk.read(&file).unwrap().len();
        for offset in 0..length {
            let mask = 1 << (offset % 8);
            journal.disk.flip(&file, offset, mask);
            let verified = journal.verify();
            let noticed = verified.as_ref().map_or(true, |report| *report != untouched);
            assert!(noticed, "{file} byte {offset}: {verified:?}");
            journal.disk.flip(&file, offset, mask);
        }
    }
    assert_eq!(journal.verify().unwrap(), untouched);
}

#[test]
fn an_edit_says_in_which_file_and_from_which_record_on() {
    let journal = Journal::with_batches(4);
    let second = journal.batches(FIRST)[1];
    journal.disk.flip(FIRST, second + 40, 1);
    let damage = journal.damage();
    assert_eq!((damage.file.as_str(), damage.seq), (FIRST, 3));
    assert_eq!(damage.kind, DamageKind::Record { offset: second as u64 });
    let reading: Vec<_> = journal.reader().entries(1).unwrap().collect();
    assert!(reading.last().unwrap().is_err() && reading.len() == 3);
    assert!(matches!(journal.open(), Err(JournalError::Integrity(_))));
}

#[test]
fn a_batch_that_is_removed_is_noticed() {
    let journal = Journal::with_batches(4);
    let offsets = journal.batches(FIRST);
    let mut bytes = journal.disk.read(FIRST).unwrap();
    let gone = offsets[2] - offsets[1];
    bytes.drain(offsets[1]..offsets[2]);
    bytes.resize(bytes.len() + gone, 0);
    journal.disk.put(FIRST, &bytes);
    assert_eq!(journal.damage().seq, 3);
}

#[test]
fn two_batches_that_are_swapped_are_noticed() {
    let journal = Journal::with_batches(4);
    let offsets = journal.batches(FIRST);
    let bytes = journal.disk.read(FIRST).unwrap();
    let (one, two) = (&bytes[offsets[1]..offsets[2]], &bytes[offsets[2]..offsets[3]]);
    let swapped = [&bytes[..offsets[1]], two, one, &bytes[offsets[3]..]].concat();
    journal.disk.put(FIRST, &swapped);
    assert_eq!(journal.damage().seq, 3);
}

#[test]
fn an_end_that_is_cut_off_is_noticed_by_the_head() {
    let journal = Journal::with_batches(4);
    let offsets = journal.batches(FIRST);
    let mut bytes = journal.disk.read(FIRST).unwrap();
    bytes[offsets[3]..].fill(0);
    journal.disk.put(FIRST, &bytes);
    let damage = journal.damage();
    assert_eq!((damage.seq, damage.kind), (7, DamageKind::BelowHead { head: 8 }));
    assert!(matches!(journal.open(), Err(JournalError::Integrity(_))));
}

#[test]
fn a_head_kept_elsewhere_notices_what_its_own_heads_no_longer_do() {
    let journal = Journal::with_batches(4);
    let exported = journal.reader().last_head().unwrap().unwrap();
    let exported = SignedHead::parse(&exported.line()).unwrap();
    let verify = || journal.reader().verify(Some(&exported), &mut |_| {});
    assert_eq!(verify().unwrap().proven_by_exported, Some(8));

    let heads = String::from_utf8(journal.disk.read("heads.jsonl").unwrap()).unwrap();
    let shorter: Vec<&str> = heads.lines().filter(|line| !line.contains("\"seq\"")).collect();
    journal.disk.put("heads.jsonl", format!("{}\n", shorter.join("\n")).as_bytes());
    let offsets = journal.batches(FIRST);
    let mut bytes = journal.disk.read(FIRST).unwrap();
    bytes[offsets[3]..].fill(0);
    journal.disk.put(FIRST, &bytes);
    assert!(journal.verify().is_ok(), "without the exported head nothing shows");
    let Err(JournalError::Integrity(damage)) = verify() else { panic!("the cut was not noticed") };
    assert_eq!(damage.kind, DamageKind::BelowHead { head: 8 });
}

#[test]
fn a_head_of_another_journal_proves_nothing() {
    let journal = Journal::with_batches(4);
    let other = Journal::with_batches(4);
    let exported = other.reader().last_head().unwrap().unwrap();
    let Err(JournalError::Integrity(damage)) = journal.reader().verify(Some(&exported), &mut |_| {}) else {
        panic!("a head of another journal was taken")
    };
    assert_eq!(damage.kind, DamageKind::OtherHead);
}

#[test]
fn a_segment_that_is_missing_is_noticed() {
    for missing in 0..3 {
        let journal = Journal::with_batches(12);
        let name = files(&journal)[missing].clone();
        use procura_storage::journal::Disk as _;
        journal.disk.remove(&name).unwrap();
        assert!(matches!(journal.verify(), Err(JournalError::Integrity(_))), "{name}");
        assert!(matches!(journal.open(), Err(JournalError::Integrity(_))), "{name}");
    }
}

#[test]
fn a_torn_last_batch_is_cut_and_told_and_the_journal_goes_on() {
    let journal = Journal::with_batches(2);
    let mut core = journal.open().unwrap();
    append(&mut core, 2);
    drop(core);
    let offsets = journal.batches(FIRST);
    journal.disk.flip(FIRST, offsets[2] + 70, 1);
    assert_eq!(journal.verify().unwrap().unfinished_bytes, (offsets[3] - offsets[2]) as u64);
    let signer = Arc::clone(&journal.key) as Arc<dyn HeadSigner>;
    let disk = Arc::new(journal.disk.clone());
    let (mut core, found) = Core::open(disk, layout(), signer, ChainId([9; 16]), UnixMillis(5)).unwrap();
    let cut = found.cut.unwrap();
    assert_eq!((found.end.seq, found.end.last_change, cut.offset), (4, 1, offsets[2] as u64));
    append(&mut core, 7);
    drop(core);
    let report = journal.verify().unwrap();
    assert_eq!((report.records, report.unfinished_bytes), (6, 0));
}

#[test]
fn a_successor_of_the_key_is_vouched_for_and_nobody_else_may_sign() {
    let journal = Journal::with_batches(2);
    let successor = Arc::new(PrivateKey::generate(Algorithm::EdDsa).unwrap().0);
    let mut core = journal.open().unwrap();
    core.succeed(Arc::clone(&successor) as _, UnixMillis(9)).unwrap();
    append(&mut core, 3);
    core.sign_head().unwrap();
    drop(core);
    assert_eq!(journal.verify().unwrap().proven_to, 6);
    assert!(matches!(journal.open(), Err(JournalError::OtherKey { .. })));
    let journal = Journal { disk: journal.disk, key: successor };
    assert!(journal.open().is_ok());

    let heads = String::from_utf8(journal.disk.read("heads.jsonl").unwrap()).unwrap();
    let without: Vec<&str> =
        heads.lines().enumerate().filter(|(at, _)| *at != 2).map(|line| line.1).collect();
    journal.disk.put("heads.jsonl", format!("{}\n", without.join("\n")).as_bytes());
    let unvouched = journal.verify();
    assert!(unvouched.map_or(true, |report| report.proven_to < 6));
}

#[test]
fn a_reader_goes_on_where_it_stopped_when_more_was_written() {
    let journal = Journal::with_batches(1);
    let mut entries = journal.reader().entries(2).unwrap();
    assert_eq!(entries.next().unwrap().unwrap().seq, 2);
    assert!(entries.next().is_none());
    let mut core = journal.open().unwrap();
    for number in 1..20 {
        append(&mut core, number);
        let seqs: Vec<u64> = entries.by_ref().map(|entry| entry.unwrap().seq).collect();
        assert_eq!(seqs, [u64::from(number) * 2 + 1, u64::from(number) * 2 + 2]);
    }
}

#[test]
fn journal_time_never_runs_backwards() {
    let journal = Journal::with_batches(0);
    let mut core = journal.open().unwrap();
    for number in [9, 3, 12, 0] {
        append(&mut core, number);
    }
    drop(core);
    let entries = journal.reader().entries(1).unwrap();
    let times: Vec<i64> = entries.step_by(2).map(|entry| entry.unwrap().at.0).collect();
    assert_eq!(times, [9, 9, 12, 12]);
    let mut core = journal.open().unwrap();
    append(&mut core, 1);
    assert_eq!(core.end().at, UnixMillis(12));
}
