//! The file layer: what the journal asks of a disk, and the real one.
//!
//! Everything the journal writes goes through [`Disk`], so that tests can put a disk there that loses
//! whatever was not synced. Each sync has a name, a [`SyncSite`]: a test takes them out one at a time
//! and must see records lost.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Folder of the journal inside the data folder.
pub const FOLDER: &str = "journal";
/// The file in the data folder that whoever writes the journal holds locked.
pub const LOCK: &str = "journal.lock";

/// A place in the code that waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SyncSite {
    /// The journal's folder in the data folder.
    Folder,
    /// The zeros, and with them the length, of a segment that was prepared.
    Prepared,
    /// A segment's header, before the segment gets its name.
    Header,
    /// A segment's name.
    Name,
    /// A batch, before anyone is told.
    Batch,
    /// The last batch that is found at start: whoever wrote it may have died before its sync.
    Found,
    /// The names that are found at start.
    FoundNames,
    /// A line of `heads.jsonl`.
    Heads,
    /// The name of `heads.jsonl`.
    HeadsName,
}

impl SyncSite {
    /// All of them.
    pub const ALL: [SyncSite; 9] = [
        SyncSite::Folder,
        SyncSite::Prepared,
        SyncSite::Header,
        SyncSite::Name,
        SyncSite::Batch,
        SyncSite::Found,
        SyncSite::FoundNames,
        SyncSite::Heads,
        SyncSite::HeadsName,
    ];
}

/// Files in one folder, and the syncs that make them last.
pub trait Disk: Send + Sync + 'static {
    /// An open file.
    type File: Send + Sync;
    /// Held by whoever writes the journal; given back when dropped.
    type Lock: Send;

    /// Makes the folder unless it is there.
    fn create_folder(&self) -> io::Result<()>;
    /// Takes the writer's lock; `None` when someone else has it.
    fn lock(&self) -> io::Result<Option<Self::Lock>>;
    /// The names in the folder, in no order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// A new empty file for reading and writing, in place of one of the same name.
    fn create(&self, name: &str) -> io::Result<Self::File>;
    /// Opens a file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// Opens a file for reading.
    fn open_read(&self, name: &str) -> io::Result<Self::File>;
    /// Its length in bytes.
    fn length(&self, file: &Self::File) -> io::Result<u64>;
    /// Reads up to `into.len()` bytes; fewer only at the end of the file.
    fn read_at(&self, file: &Self::File, into: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes`.
    fn write_at(&self, file: &Self::File, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Fills an empty file with zeros.
    fn fill(&self, file: &Self::File, length: u64) -> io::Result<()>;
    /// Cuts or stretches a file.
    fn set_length(&self, file: &Self::File, length: u64) -> io::Result<()>;
    /// Waits until the bytes written are on disk; of the length nothing is promised.
    fn sync_data(&self, file: &Self::File, site: SyncSite) -> io::Result<()>;
    /// Waits until bytes and length are on disk; of the name nothing is promised.
    fn sync_all(&self, file: &Self::File, site: SyncSite) -> io::Result<()>;
    /// Gives a file another name, replacing what had it, whole or not at all.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Waits until the names in the folder are on disk.
    fn sync_names(&self, site: SyncSite) -> io::Result<()>;
    /// Waits until the folder's own name is on disk.
    fn sync_folder(&self, site: SyncSite) -> io::Result<()>;
    /// Asks for the next reads of a file to come from the disk and not from memory, where it can be had.
    fn forget(&self, file: &Self::File);
}

/// Files of the operating system.
#[derive(Debug, Clone)]
pub struct RealDisk {
    data: PathBuf,
    folder: PathBuf,
}

impl RealDisk {
    /// The journal of that data folder; nothing is touched yet.
    pub fn new(data: &Path) -> RealDisk {
        RealDisk { data: data.to_owned(), folder: data.join(FOLDER) }
    }

    fn options(&self, name: &str, options: &mut OpenOptions) -> io::Result<File> {
        options.mode(0o600).open(self.folder.join(name))
    }
}

impl Disk for RealDisk {
    type File = File;
    type Lock = File;

    fn create_folder(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)
    }

    fn lock(&self) -> io::Result<Option<File>> {
        let path = self.data.join(LOCK);
        let file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.folder)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(io::Result::transpose).collect()
    }

    fn create(&self, name: &str) -> io::Result<File> {
        match self.remove(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.options(name, OpenOptions::new().read(true).write(true).create_new(true))
    }

    fn open(&self, name: &str) -> io::Result<File> {
        self.options(name, OpenOptions::new().read(true).write(true))
    }

    fn open_read(&self, name: &str) -> io::Result<File> {
        self.options(name, OpenOptions::new().read(true))
    }

    fn length(&self, file: &File) -> io::Result<u64> {
        Ok(file.metadata()?.len())
    }

    fn read_at(&self, file: &File, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < into.len() {
            match file.read_at(&mut into[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    /// Written, not reserved: the blocks of a file that is only reserved are changed again by the first
    /// write, and every sync of the hot path would wait for that too. In portions, each waited for, so
    /// that a sync of the segment in use never queues behind a whole segment of zeros.
    fn fill(&self, file: &File, length: u64) -> io::Result<()> {
        let zeros = [0; 64 * 1024];
        let portion = 1024 * 1024;
        let mut offset = 0;
        while offset < length {
            let count = (length - offset).min(zeros.len() as u64);
            file.write_all_at(&zeros[..count as usize], offset)?;
            offset += count;
            if offset % portion == 0 && offset < length {
                file.sync_data()?;
            }
        }
        Ok(())
    }

    fn set_length(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn sync_data(&self, file: &File, _: SyncSite) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_all(&self, file: &File, _: SyncSite) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.folder.join(from), self.folder.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.join(name))
    }

    fn sync_names(&self, _: SyncSite) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    fn sync_folder(&self, _: SyncSite) -> io::Result<()> {
        File::open(&self.data)?.sync_all()
    }

    fn forget(&self, file: &File) {
        // Only a hint: where the system does not take it, the reads still check what memory holds.
        let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    }
}
