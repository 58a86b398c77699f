//! The journal on a disk that drops, tears and reorders whatever was not synced.
//!
//! One seed is one history of several lives: a journal is opened, written, and stopped somewhere by a
//! power cut or a kill, on a disk whose writes and syncs sometimes fail. After every life each record
//! that was acknowledged, each record that a start reported as found, and each head that was signed must
//! still be there, and the chain must verify.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use procura_jose::{Algorithm, PrivateKey};
use procura_protocol::time::UnixMillis;
use procura_storage::journal::core::Core;
use procura_storage::journal::format::HEADER_LENGTH;
use procura_storage::journal::sim::{Faults, Random, SimDisk};
use procura_storage::journal::writer::prepare_ahead;
use procura_storage::journal::{BatchBuffer, ChainId, Class, HeadSigner, Layout, Reader, SyncSite};

const SEEDS: u64 = 10_000;

#[test]
fn no_acknowledged_record_is_lost_in_ten_thousand_power_cuts() {
    let failed = first_failure(None, SEEDS);
    assert!(failed.is_none(), "{failed:?}");
}

#[test]
fn every_sync_is_needed_taking_out_any_one_loses_something() {
    let unneeded: Vec<SyncSite> =
        SyncSite::ALL.into_iter().filter(|site| first_failure(Some(*site), SEEDS).is_none()).collect();
    assert!(unneeded.is_empty(), "nothing is lost without the syncs at {unneeded:?}");
}

/// The first seed under `seeds` whose history goes wrong, and how.
fn first_failure(left_out: Option<SyncSite>, seeds: u64) -> Option<(u64, String)> {
    (0..seeds).find_map(|seed| History::run(seed, left_out).err().map(|why| (seed, why)))
}

static SIGNER: LazyLock<Arc<PrivateKey>> =
    LazyLock::new(|| Arc::new(PrivateKey::generate(Algorithm::EdDsa).unwrap().0));

struct History {
    random: Random,
    disk: Arc<SimDisk>,
    layout: Layout,
    /// What may not be lost: number of a record to its payload.
    sure: BTreeMap<u64, Vec<u8>>,
    /// The last head that was signed and reported as written.
    sure_head: u64,
    now: i64,
}

impl History {
    fn run(seed: u64, left_out: Option<SyncSite>) -> Result<(), String> {
        let mut random = Random(seed);
        let disk = Arc::new(SimDisk::new(random.bits()));
        if let Some(site) = left_out {
            disk.leave_out(site);
        }
        let layout = Layout {
            segment_bytes: HEADER_LENGTH as u64 + 1024 + random.below(4096),
            first_segment_bytes: HEADER_LENGTH as u64 + 1024 + random.below(2048),
            reserve_bytes: 256,
            change_of: |_| None,
        };
        let mut history = History { random, disk, layout, sure: BTreeMap::new(), sure_head: 0, now: 0 };
        let lives = 2 + history.random.below(4);
        for _ in 0..lives {
            history.live()?;
            if history.random.below(4) == 0 {
                history.disk.kill();
            } else {
                history.disk.cut_power();
            }
        }
        history.disk.cut_power();
        let core = history.open()?.ok_or("did not open on a disk without faults")?;
        drop(core);
        history.check()
    }

    /// From one start to the next stop.
    fn live(&mut self) -> Result<(), String> {
        let stop_after = Some(self.random.below(60));
        let (write_fails, sync_fails) = match self.random.below(3) {
            0 => (20, 20),
            _ => (0, 0),
        };
        self.disk.set_faults(Faults { write_fails, sync_fails, full: false, stop_after });
        let Some(mut core) = self.open()? else { return Ok(()) };
        while !self.disk.stopped() {
            self.now += self.random.below(20) as i64 - 5;
            match self.random.below(12) {
                0 if core.writer().wants_segment() => {
                    if let Ok(prepared) = prepare_ahead(&*self.disk, &self.layout) {
                        core.writer_mut().offer(prepared);
                    }
                }
                1 => {
                    if core.sign_head().is_ok() {
                        self.sure_head = core.last_head().map_or(0, |head| head.head.seq);
                    }
                }
                2 if core.writer().is_broken() => {
                    let _ = core.writer_mut().repair(UnixMillis(self.now));
                }
                3 if self.random.below(4) == 0 => {
                    let full = self.random.coin();
                    self.disk.set_faults(Faults {
                        write_fails,
                        sync_fails,
                        full,
                        stop_after: Some(self.random.below(40)),
                    });
                }
                _ => self.append(&mut core),
            }
        }
        Ok(())
    }

    fn append(&mut self, core: &mut Core<SimDisk>) {
        let mut batch = BatchBuffer::new();
        for _ in 0..1 + self.random.below(5) {
            let length = 1 + self.random.below(200) as usize;
            let payload: Vec<u8> = (0..length).map(|_| self.random.bits() as u8).collect();
            assert!(batch.push(UnixMillis(self.now), &payload));
        }
        let payloads: Vec<Vec<u8>> = batch.payloads().map(<[u8]>::to_vec).collect();
        let class = if self.random.coin() { Class::Issue } else { Class::Change };
        if let Ok(appended) = core.append(&mut batch, class, UnixMillis(self.now)) {
            self.sure.extend((appended.first_seq..).zip(payloads));
            self.sure_head = core.last_head().map_or(0, |head| head.head.seq).max(self.sure_head);
        }
    }

    /// Opens the journal. `None` when the disk failed at it; an error when the journal is at fault.
    fn open(&mut self) -> Result<Option<Core<SimDisk>>, String> {
        use procura_storage::journal::JournalError::Io;
        let signer = Arc::clone(&*SIGNER) as Arc<dyn HeadSigner>;
        let chain = ChainId([self.random.bits() as u8; 16]);
        let opened = Core::open(Arc::clone(&self.disk), self.layout, signer, chain, UnixMillis(self.now));
        let (core, found) = match opened {
            Ok(opened) => opened,
            Err(Io { .. }) => return Ok(None),
            Err(error) => return Err(format!("a start failed: {error}")),
        };
        self.check()?;
        // What a start reports as found is built upon: from here on it may not be lost either.
        let last_sure = self.sure.keys().last().copied().unwrap_or(0);
        if found.end.seq < last_sure {
            return Err(format!("found {} of {last_sure} records", found.end.seq));
        }
        for entry in Reader::new(Arc::clone(&self.disk)).entries(1).map_err(|error| error.to_string())? {
            let entry = entry.map_err(|error| error.to_string())?;
            self.sure.insert(entry.seq, entry.payload);
        }
        if self.sure.len() as u64 != found.end.seq {
            return Err(format!("found {} records and reads {}", found.end.seq, self.sure.len()));
        }
        Ok(Some(core))
    }

    /// Everything that may not be lost is there, forwards and backwards, and the chain verifies.
    fn check(&self) -> Result<(), String> {
        let reader = Reader::new(Arc::clone(&self.disk));
        let report = reader.verify(None, &mut |_| {}).map_err(|error| format!("verify: {error}"))?;
        if report.proven_to < self.sure_head {
            return Err(format!("head {} of {} is left", report.proven_to, self.sure_head));
        }
        let mut forwards = BTreeMap::new();
        for entry in reader.entries(1).map_err(|error| error.to_string())? {
            let entry = entry.map_err(|error| format!("reading: {error}"))?;
            forwards.insert(entry.seq, entry);
        }
        for (seq, payload) in &self.sure {
            if forwards.get(seq).is_none_or(|entry| entry.payload != *payload) {
                return Err(format!("record {seq} is lost"));
            }
        }
        let backwards: Result<Vec<_>, _> = reader.entries_back().map_err(|e| e.to_string())?.collect();
        let backwards = backwards.map_err(|error| format!("reading back: {error}"))?;
        let times_rise = forwards.values().is_sorted_by_key(|entry| entry.at);
        let same = backwards.iter().rev().eq(forwards.values());
        if same && times_rise { Ok(()) } else { Err("backwards is another journal".into()) }
    }
}
