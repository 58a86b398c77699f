//! The file and its folder, and who may read them.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use procura_store::administration::StoreError;
use thiserror::Error;

use super::FILE_NAME;

/// Permission bits of anyone but the owner.
const OTHERS: u32 = 0o077;

/// Why a directory can't be made or opened. All but the last two say what to do.
#[derive(Debug, Error)]
pub enum OpenError {
    /// There is none.
    #[error("there is no directory in {}; make one with: procura init --data {}", .data.display(), .data.display())]
    Missing {
        /// The data folder.
        data: PathBuf,
    },
    /// There is one.
    #[error("there is a directory in {} already", .data.display())]
    Exists {
        /// The data folder.
        data: PathBuf,
    },
    /// Others than the owner may read or write it.
    #[error("{} is open to others than its owner; close it with: chmod {wanted:o} {}", .path.display(), .path.display())]
    OpenToOthers {
        /// The folder or file.
        path: PathBuf,
        /// What its mode should be.
        wanted: u32,
    },
    /// A newer program made its schema.
    #[error("the directory was made by a newer program (it has {migration}); use that one")]
    NewerSchema {
        /// The first migration that this program does not know.
        migration: String,
    },
    /// The file system said no.
    #[error("{} can't be used: {source}", .path.display())]
    File {
        /// The folder or file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The store itself failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes the folder if there is none, and an empty file in it.
pub(super) fn create(data: &Path) -> Result<(), OpenError> {
    match fs::metadata(data) {
        Ok(_) => close_if_empty(data)?,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(at(data))?;
        }
        Err(source) => return Err(at(data)(source)),
    }
    check_mode(data, 0o700)?;
    let file = data.join(FILE_NAME);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
    match made {
        Ok(_) => File::open(data).and_then(|folder| folder.sync_all()).map_err(at(data)),
        Err(exists) if exists.kind() == io::ErrorKind::AlreadyExists => {
            Err(OpenError::Exists { data: data.to_owned() })
        }
        Err(source) => Err(at(&file)(source)),
    }
}

/// The file, if it is there and its owner's alone.
pub(super) fn check(data: &Path) -> Result<PathBuf, OpenError> {
    let file = data.join(FILE_NAME);
    match fs::metadata(&file) {
        Ok(_) => {}
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
            return Err(OpenError::Missing { data: data.to_owned() });
        }
        Err(source) => return Err(at(&file)(source)),
    }
    check_mode(data, 0o700)?;
    check_mode(&file, 0o600)?;
    Ok(file)
}

/// A folder that was made for us and holds nothing yet is ours to close.
fn close_if_empty(data: &Path) -> Result<(), OpenError> {
    let mut entries = fs::read_dir(data).map_err(at(data))?;
    if entries.next().is_none() {
        fs::set_permissions(data, Permissions::from_mode(0o700)).map_err(at(data))?;
    }
    Ok(())
}

fn check_mode(path: &Path, wanted: u32) -> Result<(), OpenError> {
    let mode = fs::metadata(path).map_err(at(path))?.permissions().mode();
    if mode & OTHERS == 0 { Ok(()) } else { Err(OpenError::OpenToOthers { path: path.to_owned(), wanted }) }
}

fn at(path: &Path) -> impl Fn(io::Error) -> OpenError {
    move |source| OpenError::File { path: path.to_owned(), source }
}
