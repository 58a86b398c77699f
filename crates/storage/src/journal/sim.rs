//! A disk that loses, tears and reorders whatever was not synced. For tests.
//!
//! What has been written is seen by every reader at once, as with a page cache, but on the disk itself
//! only these are sure: bytes after a sync of data, a length after a full sync, names after a sync of
//! the folder. At a power cut every sector, every length and every change of a name that is not sure
//! falls to one side or the other by itself. A sync that fails leaves its sectors on either side and
//! *forgets that they were not written*, as Linux does: a later sync of the same file does not save them.
//!
//! One seed, one history.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{Disk, SyncSite};
use super::format::SECTOR;

/// The disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

/// What goes wrong, and how soon. Each is one in so many; 0 is never.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// A write fails after some of its sectors.
    pub write_fails: u64,
    /// A sync fails.
    pub sync_fails: u64,
    /// The disk is full for anything that needs new space.
    pub full: bool,
    /// After so many calls that change something the machine or the process stops.
    pub stop_after: Option<u64>,
}

/// A file, by its place on the disk.
pub struct SimFile(usize);

/// The lock; held until dropped.
pub struct SimLock(Arc<Mutex<State>>);

struct State {
    random: Random,
    faults: Faults,
    left_out: Option<SyncSite>,
    stopped: bool,
    locked: bool,
    folder: bool,
    folder_sure: bool,
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    sure_names: BTreeMap<String, usize>,
    unsure_names: Vec<NameChange>,
}

#[derive(Default)]
struct Content {
    seen: Vec<u8>,
    sure: Vec<u8>,
    sure_length: usize,
    unsure: BTreeSet<usize>,
}

enum NameChange {
    Create(String, usize),
    Rename { from: String, to: String, file: usize },
    Remove(String),
}

impl SimDisk {
    /// An empty one.
    pub fn new(seed: u64) -> SimDisk {
        let state = State {
            random: Random(seed),
            faults: Faults::default(),
            left_out: None,
            stopped: false,
            locked: false,
            folder: false,
            folder_sure: false,
            files: Vec::new(),
            names: BTreeMap::new(),
            sure_names: BTreeMap::new(),
            unsure_names: Vec::new(),
        };
        SimDisk { state: Arc::new(Mutex::new(state)) }
    }

    /// The syncs at that place do nothing from now on.
    pub fn leave_out(&self, site: SyncSite) {
        self.state().left_out = Some(site);
    }

    /// Sets what goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Whether the machine or the process has stopped.
    pub fn stopped(&self) -> bool {
        self.state().stopped
    }

    /// The process ends: what it wrote is still seen, and still not sure.
    pub fn kill(&self) {
        let mut state = self.state();
        state.faults = Faults::default();
        (state.stopped, state.locked) = (false, false);
    }

    /// The power fails and comes back: what is seen afterwards is all there is.
    pub fn cut_power(&self) {
        let mut state = self.state();
        let state = &mut *state;
        state.faults = Faults::default();
        (state.stopped, state.locked) = (false, false);
        let changes = std::mem::take(&mut state.unsure_names);
        for change in changes {
            if state.random.coin() {
                change.apply(&mut state.sure_names);
            }
        }
        if !state.folder_sure && state.random.coin() {
            state.folder = false;
            state.sure_names.clear();
        }
        state.folder_sure = state.folder;
        state.names = state.sure_names.clone();
        for content in &mut state.files {
            content.cut_power(&mut state.random);
        }
    }

    /// Changes one byte, as someone who can write to the files would.
    pub fn flip(&self, name: &str, offset: usize, mask: u8) {
        let mut state = self.state();
        if let Some(file) = state.names.get(name).copied() {
            let content = &mut state.files[file];
            content.seen[offset] ^= mask;
            content.sure = content.seen.clone();
        }
    }

    /// The whole of a file, as seen now.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(name).map(|file| state.files[*file].seen.clone())
    }

    /// Puts a whole file there, synced.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.state();
        let file = state.files.len();
        let (seen, sure) = (bytes.to_vec(), bytes.to_vec());
        state.files.push(Content { seen, sure, sure_length: bytes.len(), unsure: BTreeSet::new() });
        state.names.insert(name.to_owned(), file);
        state.sure_names.insert(name.to_owned(), file);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a call that changes something.
    fn step(&mut self) -> io::Result<()> {
        match &mut self.faults.stop_after {
            Some(0) => self.stopped = true,
            Some(left) => *left -= 1,
            None => {}
        }
        if self.stopped { Err(io::Error::other("the machine has stopped")) } else { Ok(()) }
    }

    fn space(&mut self) -> io::Result<()> {
        if self.faults.full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn write(&mut self, file: usize, bytes: &[u8], offset: usize) {
        let content = &mut self.files[file];
        let end = offset + bytes.len();
        if content.seen.len() < end {
            content.seen.resize(end, 0);
        }
        content.seen[offset..end].copy_from_slice(bytes);
        content.unsure.extend(offset / SECTOR..end.div_ceil(SECTOR));
    }

    fn sync(&mut self, file: usize, site: SyncSite, with_length: bool) -> io::Result<()> {
        self.step()?;
        if self.left_out == Some(site) {
            return Ok(());
        }
        if self.random.one_in(self.faults.sync_fails) {
            let State { files, random, .. } = self;
            files[file].settle(|| random.coin());
            return Err(io::Error::other("simulated failure of a sync"));
        }
        let content = &mut self.files[file];
        content.settle(|| true);
        if with_length {
            content.sure_length = content.seen.len();
        }
        Ok(())
    }
}

impl Content {
    /// Decides for each unsure sector whether it is on the disk; none is unsure afterwards.
    fn settle(&mut self, mut on_disk: impl FnMut() -> bool) {
        for sector in std::mem::take(&mut self.unsure) {
            if on_disk() {
                let start = (sector * SECTOR).min(self.seen.len());
                let end = (start + SECTOR).min(self.seen.len());
                if self.sure.len() < end {
                    self.sure.resize(end, 0);
                }
                self.sure[start..end].copy_from_slice(&self.seen[start..end]);
            }
        }
    }

    fn cut_power(&mut self, random: &mut Random) {
        self.settle(|| random.coin());
        if random.coin() {
            self.sure_length = self.seen.len();
        }
        self.sure.resize(self.sure_length, 0);
        self.seen = self.sure.clone();
    }
}

impl NameChange {
    fn apply(self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameChange::Create(name, file) => {
                names.insert(name, file);
            }
            NameChange::Rename { from, to, file } => {
                names.remove(&from);
                names.insert(to, file);
            }
            NameChange::Remove(name) => {
                names.remove(&name);
            }
        }
    }
}

impl Disk for SimDisk {
    type File = SimFile;
    type Lock = SimLock;

    fn create_folder(&self) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        state.folder = true;
        Ok(())
    }

    fn lock(&self) -> io::Result<Option<SimLock>> {
        let mut state = self.state();
        let taken = std::mem::replace(&mut state.locked, true);
        Ok((!taken).then(|| SimLock(Arc::clone(&self.state))))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let state = self.state();
        if state.folder { Ok(state.names.keys().cloned().collect()) } else { Err(not_found()) }
    }

    fn create(&self, name: &str) -> io::Result<SimFile> {
        let mut state = self.state();
        state.step()?;
        state.space()?;
        let file = state.files.len();
        state.files.push(Content::default());
        state.names.insert(name.to_owned(), file);
        state.unsure_names.push(NameChange::Create(name.to_owned(), file));
        Ok(SimFile(file))
    }

    fn open(&self, name: &str) -> io::Result<SimFile> {
        self.state().names.get(name).copied().map(SimFile).ok_or_else(not_found)
    }

    fn open_read(&self, name: &str) -> io::Result<SimFile> {
        self.open(name)
    }

    fn length(&self, file: &SimFile) -> io::Result<u64> {
        Ok(self.state().files[file.0].seen.len() as u64)
    }

    fn read_at(&self, file: &SimFile, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.state();
        let seen = &state.files[file.0].seen;
        let start = (offset as usize).min(seen.len());
        let count = into.len().min(seen.len() - start);
        into[..count].copy_from_slice(&seen[start..start + count]);
        Ok(count)
    }

    fn write_at(&self, file: &SimFile, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.state();
        let (offset, one_in) = (offset as usize, state.faults.write_fails);
        let was_stopped = state.stopped;
        if let Err(stop) = state.step() {
            let grows = offset + bytes.len() > state.files[file.0].seen.len();
            if !was_stopped && !grows {
                let written = state.random.below(bytes.len() as u64 + 1) as usize;
                state.write(file.0, &bytes[..written], offset);
            }
            return Err(stop);
        }
        if offset + bytes.len() > state.files[file.0].seen.len() {
            state.space()?;
        }
        if state.random.one_in(one_in) {
            let written = state.random.below(bytes.len() as u64 + 1) as usize;
            state.write(file.0, &bytes[..written], offset);
            return Err(io::Error::other("simulated failure of a write"));
        }
        state.write(file.0, bytes, offset);
        Ok(())
    }

    fn fill(&self, file: &SimFile, length: u64) -> io::Result<()> {
        self.write_at(file, &vec![0; length as usize], 0)
    }

    fn set_length(&self, file: &SimFile, length: u64) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        state.files[file.0].seen.resize(length as usize, 0);
        Ok(())
    }

    fn sync_data(&self, file: &SimFile, site: SyncSite) -> io::Result<()> {
        self.state().sync(file.0, site, false)
    }

    fn sync_all(&self, file: &SimFile, site: SyncSite) -> io::Result<()> {
        self.state().sync(file.0, site, true)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let file = state.names.remove(from).ok_or_else(not_found)?;
        state.names.insert(to.to_owned(), file);
        state.unsure_names.push(NameChange::Rename { from: from.to_owned(), to: to.to_owned(), file });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        state.names.remove(name).ok_or_else(not_found)?;
        state.unsure_names.push(NameChange::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_names(&self, site: SyncSite) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let one_in = state.faults.sync_fails;
        if state.left_out == Some(site) {
            return Ok(());
        }
        if state.random.one_in(one_in) {
            return Err(io::Error::other("simulated failure of a sync of names"));
        }
        state.sure_names = state.names.clone();
        state.unsure_names.clear();
        Ok(())
    }

    fn sync_folder(&self, site: SyncSite) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        if state.left_out != Some(site) {
            state.folder_sure = true;
        }
        Ok(())
    }

    fn forget(&self, _: &SimFile) {}
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).locked = false;
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

/// A small generator of pseudo-random numbers (SplitMix64), the same on every machine.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.bits() % end
    }

    /// Heads or tails.
    pub fn coin(&mut self) -> bool {
        self.bits() >> 63 == 1
    }

    /// True once in `count` times; never for 0.
    pub fn one_in(&mut self, count: u64) -> bool {
        count > 0 && self.below(count) == 0
    }
}
