//! A file of records: all of it or nothing.

use procura_store::administration::{
    BadLine, ChangeContext, Import, ImportReport, Line, MAX_BAD_LINES, Put, Refusal, StoreError,
};

use super::Sql;
use super::put::put;
use super::writing::{Writing, writing};

/// How many lines are read between two words of progress.
const PROGRESS_EVERY: u64 = 1_000;

/// Puts every line in one transaction; forgets it all if a line is bad or it is only a dry run.
pub(crate) fn import(
    sql: &mut dyn Sql,
    context: &ChangeContext,
    import: Import,
    lines: impl Iterator<Item = Line>,
    mut progress: impl FnMut(u64),
) -> Result<ImportReport, StoreError> {
    let mut report = ImportReport::default();
    let mut read = 0;
    writing(sql, context, |writing| {
        for line in lines {
            take(writing, import, line, &mut report)?;
            read += 1;
            if read % PROGRESS_EVERY == 0 {
                progress(read);
            }
        }
        if import.dry_run || report.bad_count > 0 {
            writing.abandon();
        }
        Ok(())
    })?;
    progress(read);
    report.committed = !import.dry_run && report.bad_count == 0;
    Ok(report)
}

fn take(
    writing: &mut Writing<'_>,
    import: Import,
    line: Line,
    report: &mut ImportReport,
) -> Result<(), StoreError> {
    let outcome = match line.row {
        Ok(row) if row.entity() == import.entity => put(writing, &row)?,
        Ok(row) => {
            let sentence = format!("is a {} where {}s are imported", row.entity(), import.entity);
            Put::Refused(Refusal::Unreadable(sentence))
        }
        Err(refusal) => Put::Refused(refusal),
    };
    match outcome {
        Put::Added => report.added += 1,
        Put::Updated => report.updated += 1,
        Put::Unchanged => report.unchanged += 1,
        Put::Refused(refusal) => {
            report.bad_count += 1;
            if report.bad.len() < MAX_BAD_LINES {
                report.bad.push(BadLine { line: line.number, refusal });
            }
        }
    }
    Ok(())
}
