//! Marks as guards are told them: read in the order in which they were written, each once.

use procura_protocol::events::ToldMark;
use procura_store::administration::StoreError;
use procura_store::records::RandomId;
use procura_store::revocations::Revocations;
use rusqlite::Connection;

use super::{failed, rows};

/// Marks that a server keeps in memory, whatever applications do: beyond, those of one application
/// collapse.
const CAPACITY: usize = 1_000_000;
/// Marks that are added at a time.
const AT_ONCE: usize = 10_000;

/// No marks yet.
pub(super) fn nothing(epoch: RandomId) -> Revocations {
    Revocations::new(epoch, CAPACITY, procura_jose::marks::everything())
}

/// Adds the marks behind a place; says how far they go. Marks that were swept meanwhile are over.
pub(super) fn add(connection: &Connection, after: i64, to: &Revocations) -> Result<i64, StoreError> {
    let mut statement = connection.prepare_cached(rows::MARKS_AFTER).map_err(failed)?;
    let mut found = statement.query([after]).map_err(failed)?;
    let (mut last, mut marks) = (after, Vec::<ToldMark>::new());
    while let Some(row) = found.next().map_err(failed)? {
        let (seq, mark) = rows::told_mark(row)?;
        marks.push(mark);
        if marks.len() == AT_ONCE {
            to.add(&marks);
            marks.clear();
        }
        last = seq;
    }
    to.add(&marks);
    Ok(last)
}
