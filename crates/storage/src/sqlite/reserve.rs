//! Space that is kept for revocation: on a full disk it is given up for the next change.
//!
//! A file of zeros beside the directory. It proves nothing and holds nothing; it is made again as soon as
//! a program starts and there is room.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Name of the file in the data folder.
const NAME: &str = "directory.reserve";

/// Room for SQLite's shared memory and for the log of a few dozen changes.
const BYTES: usize = 512 * 1024;

/// Keeps the space, if there is room and it is not kept yet.
pub(super) fn keep(data: &Path) {
    let file = data.join(NAME);
    let kept = fs::metadata(&file).is_ok_and(|found| found.len() == BYTES as u64);
    if !kept && fill(&file).is_err() {
        // Half of it would only be in the way of what needs the rest.
        drop(fs::remove_file(&file));
    }
}

/// Gives the space up; says whether there was any.
pub(super) fn give_up(data: &Path) -> bool {
    let given_up = fs::remove_file(data.join(NAME)).is_ok();
    if given_up {
        tracing::warn!("the disk that holds the directory is full: the space kept for revocation is used");
    }
    given_up
}

fn fill(file: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    file.write_all(&vec![0; BYTES])
}
