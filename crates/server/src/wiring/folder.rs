//! The data folder: where everything is, who may read it, and that one server works on it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use procura_protocol::secret::Secret;
use procura_storage::SqliteDirectory;
use procura_storage::keys::KeyEncryption;
use procura_storage::keys::encryption::FILE;
use procura_storage::sqlite::FILE_NAME;

use super::failure::open_failed;
use crate::config::Config;
use crate::config::environment::KEY_ENCRYPTION_KEY;
use crate::exit::{Failure, Outcome};

/// Held by the server as long as it runs.
const SERVER_LOCK: &str = "server.lock";

/// A command that looks whether somebody serves holds the lock for less than this; a server that starts
/// just then looks again so often.
const GLANCE: Duration = Duration::from_millis(10);
const GLANCES: u32 = 10;

/// Whether the folder is a data folder; tells what to do if not.
pub(crate) fn check_folder(data: &Path) -> Outcome {
    if is_data_folder(data) {
        return Ok(());
    }
    let shown = data.display();
    Err(Failure::usage(format_args!("{shown} is no data folder; `procura init --data {shown}` makes one")))
}

/// Whether a directory was begun there.
pub(crate) fn is_data_folder(data: &Path) -> bool {
    data.join(FILE_NAME).is_file()
}

/// Makes the folder, for this user only. One that is there must be, or become, only theirs.
pub(crate) fn make_folder(data: &Path) -> Outcome {
    let failed = |error| Failure::unavailable(format_args!("{} can't be made: {error}", data.display()));
    DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(failed)?;
    if is_data_folder(data) {
        return Ok(());
    }
    let foreign = fs::read_dir(data).map_err(failed)?.filter_map(Result::ok).any(|entry| {
        // What an `init` that was interrupted may have left is ours.
        !matches!(entry.file_name().to_str(), Some(FILE | SERVER_LOCK | "journal.lock" | "journal"))
    });
    if foreign {
        return Err(Failure::refused(format_args!(
            "{} is not empty, and no data folder: name a new or an empty folder",
            data.display()
        )));
    }
    fs::set_permissions(data, fs::Permissions::from_mode(0o700)).map_err(failed)
}

/// Takes the lock that the one server of a folder holds. Given back when the file is dropped.
pub(crate) fn lock_for_serving(data: &Path) -> Result<File, Failure> {
    let path = data.join(SERVER_LOCK);
    let failed =
        |error: io::Error| Failure::unavailable(format_args!("{} can't be locked: {error}", path.display()));
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    let mut locked = file.try_lock();
    for _ in 0..GLANCES {
        if !matches!(locked, Err(TryLockError::WouldBlock)) {
            break;
        }
        std::thread::sleep(GLANCE);
        locked = file.try_lock();
    }
    match locked {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::unavailable(format_args!(
            "another server works on {}; stop it first",
            data.display()
        ))),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Whether a server holds that lock.
pub(crate) fn is_served(data: &Path) -> Result<bool, Failure> {
    let path = data.join(SERVER_LOCK);
    match File::open(&path).map(|file| file.try_lock_shared()) {
        Ok(Err(TryLockError::WouldBlock)) => Ok(true),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Failure::unavailable(format_args!("{} can't be opened: {error}", path.display()))),
    }
}

/// Opens the directory of a folder. One that an older program made is brought up to date only while nobody
/// serves it: a server of that program could not read it any more.
pub(crate) fn open_directory(data: &Path) -> Result<SqliteDirectory, Failure> {
    let is_behind = SqliteDirectory::is_behind(data).map_err(|error| open_failed(&error))?;
    if is_behind && is_served(data)? {
        return Err(Failure::unavailable(format_args!(
            "a server of an older program works on {}; stop it first, for this program brings the directory up \
             to date, which that one can't read",
            data.display()
        )));
    }
    SqliteDirectory::open(data).map_err(|error| open_failed(&error))
}

/// Where the key-encryption key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// In a file that was configured.
    Configured(PathBuf),
    /// In the environment.
    Environment,
    /// In the data folder.
    Folder(PathBuf),
}

impl KeySource {
    /// The first that is there, in the order of the reference.
    pub(crate) fn of(config: &Config, data: &Path) -> KeySource {
        if let Some(file) = &config.keys.key_encryption_key_file {
            return KeySource::Configured(file.clone());
        }
        match std::env::var_os(KEY_ENCRYPTION_KEY) {
            Some(_) => KeySource::Environment,
            None => KeySource::Folder(data.join(FILE)),
        }
    }

    /// Reads the key.
    pub(crate) fn read(&self) -> Result<KeyEncryption, Failure> {
        match self {
            KeySource::Environment => {
                let text = std::env::var(KEY_ENCRYPTION_KEY)
                    .map_err(|_| Failure::usage(format_args!("{KEY_ENCRYPTION_KEY} is not UTF-8")))?;
                KeyEncryption::given(&Secret::from(text)).map_err(Failure::usage)
            }
            KeySource::Configured(file) | KeySource::Folder(file) => {
                KeyEncryption::from_file(file).map_err(Failure::usage)
            }
        }
    }

    /// Reads the key, or makes it where it belongs into the folder and is not there yet. Says which file
    /// was made.
    pub(crate) fn read_or_make(&self) -> Result<(KeyEncryption, Option<&Path>), Failure> {
        match self {
            KeySource::Folder(file) if !file.exists() => {
                Ok((KeyEncryption::create(file).map_err(Failure::unavailable)?, Some(file)))
            }
            other => Ok((other.read()?, None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let source = KeySource::Folder(path.clone());
        assert_eq!(source.read_or_make().unwrap().1, Some(path.as_path()));
        assert_eq!(source.read_or_make().unwrap().1, None);
        let elsewhere = KeySource::Configured(folder.path().join("other.key"));
        assert!(elsewhere.read_or_make().is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(source.read().err().unwrap().to_string().contains("chmod 600"));
    }

    #[test]
    fn a_folder_with_something_else_in_it_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("letter.txt"), "dear").unwrap();
        assert!(make_folder(folder.path()).unwrap_err().to_string().contains("is not empty"));
        let new = folder.path().join("a/b");
        make_folder(&new).unwrap();
        assert_eq!(fs::metadata(&new).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_folder_of_an_older_program_is_brought_up_to_date_only_while_nobody_serves_it() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        make_folder(&data).unwrap();
        // The oldest there can be: nothing has been applied to it.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(data.join(FILE_NAME)).unwrap();
        let lock = lock_for_serving(&data).unwrap();
        let refused = open_directory(&data).err().unwrap().to_string();
        assert!(refused.contains("older program") && refused.contains("stop it first"), "{refused}");
        assert!(SqliteDirectory::is_behind(&data).unwrap(), "nothing was written");
        drop(lock);
        drop(open_directory(&data).unwrap());
        let _lock = lock_for_serving(&data).unwrap();
        assert!(open_directory(&data).is_ok(), "what is up to date is opened beside its server");
    }

    #[test]
    fn one_server_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock_for_serving(folder.path()).unwrap();
        assert!(lock_for_serving(folder.path()).unwrap_err().to_string().contains("another server"));
        drop(lock);
        assert!(lock_for_serving(folder.path()).is_ok());
    }
}
