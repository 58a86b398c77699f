//! The key encryption key: what private halves are sealed under, kept apart from the database.
//!
//! It is a file that only its owner may read, or it is given from outside (the environment). Another
//! takes its place in three steps, each of which may be the last before a power cut: the new key is
//! written to `<file>.new`, everything sealed is sealed anew in one transaction, and the new file takes
//! the name of the old. Until that is done, whichever of the two opens what is sealed is the right one.
//!
//! Whoever seals holds the file locked, so that no command seals under a key that another is replacing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use procura_jose::{KeyEncryptionKey, SealError};
use procura_protocol::secret::Secret;
use thiserror::Error;

/// Name of the file in the data folder.
pub const FILE: &str = "key-encryption.key";
/// Name of the variable of the environment that may hold the key instead, in base64.
pub const VARIABLE: &str = "PROCURA_KEY_ENCRYPTION_KEY";
/// More than this is no key file.
const MAX_FILE: u64 = 1024;

/// Why there is no key encryption key. Blame: the operator's files or configuration.
#[derive(Debug, Error)]
pub enum EncryptionError {
    /// The file can't be used.
    #[error("the key encryption key {path} can't be {action}: {source}", path = .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read it.
    #[error(
        "the key encryption key {path} may be read by others (its mode is {mode:04o}): \
         run chmod 600 {path}", path = .path.display()
    )]
    Permissions {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// What stands there is no key.
    #[error("{place}: {source}")]
    NotAKey {
        /// Where it stands.
        place: String,
        /// What is wrong.
        source: SealError,
    },
    /// It is a key, but not the one.
    #[error("{place} does not hold the key that the private keys in the directory were sealed under")]
    Other {
        /// Where it stands.
        place: String,
    },
    /// A key that is given from outside can't be replaced from here.
    #[error(
        "the key encryption key was given by {VARIABLE}: to replace it, first write it to the \
         file {FILE} in the data folder (mode 0600) and unset the variable"
    )]
    Given,
}

/// Seals and opens, and notices when another process has put another key in place.
pub struct KeyEncryption {
    /// Absent when the key was given from outside.
    file: Option<PathBuf>,
    current: Mutex<Arc<KeyEncryptionKey>>,
}

impl KeyEncryption {
    /// The key of an installation: in the file that is configured, else given (the variable
    /// [`VARIABLE`]), else in [`FILE`] in the data folder.
    ///
    /// # Errors
    ///
    /// As [`KeyEncryption::from_file`] and [`KeyEncryption::given`].
    pub fn find(
        data: &Path,
        configured: Option<&Path>,
        given: Option<&Secret>,
    ) -> Result<KeyEncryption, EncryptionError> {
        match (configured, given) {
            (Some(file), _) => KeyEncryption::from_file(file),
            (None, Some(text)) => KeyEncryption::given(text),
            (None, None) => KeyEncryption::from_file(&data.join(FILE)),
        }
    }

    /// Makes a key and keeps it in a new file.
    ///
    /// # Errors
    ///
    /// [`EncryptionError::Io`], also when the file is there already.
    pub fn create(file: &Path) -> Result<KeyEncryption, EncryptionError> {
        let key = generate(file)?;
        write_new(file, &key)?;
        Ok(KeyEncryption::new(Some(file.to_owned()), key))
    }

    /// Reads it from a file.
    ///
    /// # Errors
    ///
    /// [`EncryptionError::Permissions`] when others than its owner may read the file.
    pub fn from_file(file: &Path) -> Result<KeyEncryption, EncryptionError> {
        let key = read(file)?;
        Ok(KeyEncryption::new(Some(file.to_owned()), key))
    }

    /// Takes the text of the variable [`VARIABLE`].
    ///
    /// # Errors
    ///
    /// [`EncryptionError::NotAKey`].
    pub fn given(text: &Secret) -> Result<KeyEncryption, EncryptionError> {
        let key = KeyEncryptionKey::from_base64(text.expose_str().unwrap_or_default());
        let key = key.map_err(|source| EncryptionError::NotAKey { place: VARIABLE.to_owned(), source })?;
        Ok(KeyEncryption::new(None, key))
    }

    /// Opens what was sealed for that context. If the key at hand does not, the files are read again:
    /// another process may have replaced it.
    ///
    /// # Errors
    ///
    /// As [`KeyEncryptionKey::open`].
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Secret, SealError> {
        let result = self.current().open(context, sealed);
        let (Err(SealError::Open), Some(file)) = (&result, &self.file) else { return result };
        // In this order: a file that is not there any more when it is looked for has become the other.
        let candidates = [new_name(file), file.clone()];
        for key in candidates.iter().filter_map(|file| read(file).ok()) {
            if let Ok(opened) = key.open(context, sealed) {
                *self.slot() = Arc::new(key);
                return Ok(opened);
            }
        }
        result
    }

    /// Waits until nobody else seals or replaces the key.
    pub(super) async fn lock(&self) -> Result<Lock, EncryptionError> {
        let Some(file) = self.file.clone() else { return Ok(Lock(None)) };
        let stopped = failed("locked", &file);
        let locked = tokio::task::spawn_blocking(move || lock(&file)).await;
        locked
            .unwrap_or_else(|_| Err(stopped(io::ErrorKind::Interrupted.into())))
            .map(|file| Lock(Some(file)))
    }

    /// Settles which key counts: the one that opens `sample` (context and sealed bytes, read under the
    /// lock), or the file's if nothing is sealed yet. Finishes what a power cut left of a replacement.
    pub(super) fn settle(
        &self,
        lock: Lock,
        sample: Option<&(Vec<u8>, Vec<u8>)>,
    ) -> Result<Held<'_>, EncryptionError> {
        let opens =
            |key: &KeyEncryptionKey| sample.is_none_or(|(context, sealed)| key.open(context, sealed).is_ok());
        let key = match &self.file {
            None => Some(self.current()).filter(|key| opens(key)),
            Some(file) => settle_file(file, opens)?.map(Arc::new),
        };
        let place =
            || self.file.as_ref().map_or_else(|| VARIABLE.to_owned(), |file| file.display().to_string());
        let key = key.ok_or_else(|| EncryptionError::Other { place: place() })?;
        *self.slot() = Arc::clone(&key);
        Ok(Held { encryption: self, key, _lock: lock })
    }

    fn new(file: Option<PathBuf>, key: KeyEncryptionKey) -> KeyEncryption {
        KeyEncryption { file, current: Mutex::new(Arc::new(key)) }
    }

    fn current(&self) -> Arc<KeyEncryptionKey> {
        Arc::clone(&self.slot())
    }

    fn slot(&self) -> MutexGuard<'_, Arc<KeyEncryptionKey>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held by one who seals or replaces the key.
pub(super) struct Lock(
    #[expect(dead_code, reason = "the system holds it for as long as it is open")] Option<File>,
);

/// The key encryption key, while nobody else may seal or replace it.
pub(super) struct Held<'e> {
    encryption: &'e KeyEncryption,
    key: Arc<KeyEncryptionKey>,
    _lock: Lock,
}

impl Held<'_> {
    pub(super) fn key(&self) -> &KeyEncryptionKey {
        &self.key
    }

    /// Writes a successor beside the file; it counts once something is sealed under it.
    pub(super) fn prepare_successor(&self) -> Result<KeyEncryptionKey, EncryptionError> {
        let file = self.encryption.file.as_deref().ok_or(EncryptionError::Given)?;
        let (successor, new) = (generate(file)?, new_name(file));
        remove(&new)?;
        write_new(&new, &successor)?;
        Ok(successor)
    }

    /// Everything is sealed under the successor now.
    pub(super) fn finish(self, successor: KeyEncryptionKey) -> Result<(), EncryptionError> {
        *self.encryption.slot() = Arc::new(successor);
        let file = self.encryption.file.as_deref().ok_or(EncryptionError::Given)?;
        replace(&new_name(file), file)
    }
}

/// The file's key or its successor's, whichever it is, and only one file left.
fn settle_file(
    file: &Path,
    opens: impl Fn(&KeyEncryptionKey) -> bool,
) -> Result<Option<KeyEncryptionKey>, EncryptionError> {
    let (key, new) = (read(file)?, new_name(file));
    if opens(&key) {
        remove(&new)?;
        return Ok(Some(key));
    }
    let successor = read(&new).ok().filter(opens);
    if successor.is_some() {
        replace(&new, file)?;
    }
    Ok(successor)
}

fn generate(file: &Path) -> Result<KeyEncryptionKey, EncryptionError> {
    KeyEncryptionKey::generate()
        .map_err(|source| EncryptionError::NotAKey { place: file.display().to_string(), source })
}

fn read(path: &Path) -> Result<KeyEncryptionKey, EncryptionError> {
    let file = File::open(path).map_err(failed("opened", path))?;
    let mode = file.metadata().map_err(failed("read", path))?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(EncryptionError::Permissions { path: path.to_owned(), mode });
    }
    let mut text = Vec::with_capacity(64);
    let read = file.take(MAX_FILE).read_to_end(&mut text);
    let text = Secret::from(text);
    read.map_err(failed("read", path))?;
    KeyEncryptionKey::from_base64(text.expose_str().unwrap_or_default())
        .map_err(|source| EncryptionError::NotAKey { place: path.display().to_string(), source })
}

fn write_new(path: &Path, key: &KeyEncryptionKey) -> Result<(), EncryptionError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(key.to_base64().expose())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        sync_folder(path)
    };
    write().map_err(failed("written", path))
}

fn replace(new: &Path, file: &Path) -> Result<(), EncryptionError> {
    fs::rename(new, file).and_then(|()| sync_folder(file)).map_err(failed("replaced", file))
}

fn remove(path: &Path) -> Result<(), EncryptionError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("removed", path)(error)),
        _ => Ok(()),
    }
}

/// Locks the file that has that name once it is locked: who replaces it holds the lock too.
fn lock(path: &Path) -> Result<File, EncryptionError> {
    loop {
        let file = File::open(path).map_err(failed("opened", path))?;
        file.lock().map_err(failed("locked", path))?;
        let (ours, named) = (file.metadata(), fs::metadata(path));
        match (ours.map_err(failed("read", path))?, named.map_err(failed("read", path))?) {
            (ours, named) if ours.ino() == named.ino() && ours.dev() == named.dev() => return Ok(file),
            _ => {}
        }
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

fn new_name(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EncryptionError + use<> {
    let path = path.to_owned();
    move |source| EncryptionError::Io { action, path, source }
}
