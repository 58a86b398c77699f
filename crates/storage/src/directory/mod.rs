//! The directory in memory: loaded once, then kept up with what is committed.
//!
//! * `rows` and `registration`: the statements and how their rows are read. The only places here that know
//!   columns.
//! * [`mod@load`]: everything at once, when a server starts and after a large import.
//! * [`follow`]: a thread that looks ten times a second for what was committed, by whichever process.
//! * `told`: marks, read for those who ask and follow.
//! * [`live`]: what requests hold; it gives nothing away once the follower fell silent.
//! * [`measure`]: a directory of any size, for the bench.

mod apply;
pub mod follow;
pub mod live;
pub mod load;
pub mod measure;
mod registration;
pub(crate) mod rows;
mod told;

use std::path::Path;

use procura_store::administration::StoreError;
use rusqlite::Connection;

use crate::sqlite::connection::{self, failed};

pub use follow::{Follower, Following, Source, Step};
pub use live::LiveDirectory;
pub use load::{Loaded, load};

/// Opens a connection to a directory's file that never writes.
///
/// # Errors
///
/// What SQLite says.
pub fn connect_reader(file: &Path) -> Result<Connection, StoreError> {
    connection::reader(file)
}
