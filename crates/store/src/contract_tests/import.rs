//! Files: whole or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Harness, context, everything, row};
use crate::administration::{Administration, Import, ImportReport, Line, MAX_BAD_LINES, Refusal};
use crate::change::{ChangeSeq, Entity};
use crate::fields::{Invalid, Row};

const FOR_REAL: bool = false;
const DRY: bool = true;

async fn import(directory: &impl Administration, lines: Vec<Line>, dry_run: bool) -> ImportReport {
    let import = Import { entity: Entity::Contact, dry_run };
    directory.import(context(), import, lines.into_iter(), |_| {}).await.unwrap()
}

fn line(number: u64, row: Result<Row, Refusal>) -> Line {
    Line { number, row }
}

fn contacts(names: &str) -> Vec<Line> {
    let one = |(at, id): (usize, &str)| {
        line(at as u64 + 2, Ok(row(Entity::Contact, &[("contact_id", id), ("name", names)])))
    };
    ["c1", "c2", "c3"].into_iter().enumerate().map(one).collect()
}

fn counts(report: &ImportReport) -> (u64, u64, u64, u64) {
    (report.added, report.updated, report.unchanged, report.bad_count)
}

pub async fn a_file_is_imported_whole(harness: &impl Harness) {
    let directory = harness.open();
    let told = Arc::new(AtomicU64::new(0));
    let progress = Arc::clone(&told);
    let import = Import { entity: Entity::Contact, dry_run: FOR_REAL };
    let report = directory
        .import(context(), import, contacts("A").into_iter(), move |read| {
            progress.store(read, Ordering::SeqCst);
        })
        .await
        .unwrap();
    assert!(report.committed);
    assert_eq!(counts(&report), (3, 0, 0, 0));
    assert_eq!(told.load(Ordering::SeqCst), 3);
    let changes = directory.changes_after(ChangeSeq(0), 100).await.unwrap();
    assert_eq!(changes.len(), 3);
    assert!(changes.iter().all(|change| change.version.0 == 1), "an import is one version");
}

pub async fn one_bad_line_keeps_everything_out(harness: &impl Harness) {
    let directory = harness.open();
    let mut lines = contacts("A");
    lines.insert(1, line(7, Err(Invalid::Missing { field: "contact_id" }.into())));
    let report = import(&directory, lines, FOR_REAL).await;
    assert!(!report.committed);
    assert_eq!(counts(&report), (3, 0, 0, 1));
    assert_eq!(report.bad[0].to_string(), "line 7: contact_id is missing");
    assert_eq!(directory.list(everything(Entity::Contact)).await.unwrap().rows, []);
    assert_eq!(directory.status().await.unwrap().version.0, 0);
}

pub async fn bad_lines_are_named_by_number_and_counted_beyond_a_hundred(harness: &impl Harness) {
    let directory = harness.open();
    let bad = |number| line(number, Err(Refusal::Unreadable("is not JSON".to_owned())));
    let report = import(&directory, (1..=250).map(bad).collect(), FOR_REAL).await;
    assert_eq!(report.bad_count, 250);
    let named: Vec<u64> = report.bad.iter().map(|bad| bad.line).collect();
    assert_eq!(named, (1..=MAX_BAD_LINES as u64).collect::<Vec<_>>());
}

pub async fn a_dry_run_says_what_it_would_do_and_does_nothing(harness: &impl Harness) {
    let directory = harness.open();
    let report = import(&directory, contacts("A"), DRY).await;
    assert_eq!((counts(&report), report.committed), ((3, 0, 0, 0), false));
    assert_eq!(directory.status().await.unwrap().version.0, 0);
    assert_eq!(directory.list(everything(Entity::Contact)).await.unwrap().rows, []);
}

pub async fn importing_again_changes_nothing(harness: &impl Harness) {
    let directory = harness.open();
    import(&directory, contacts("A"), FOR_REAL).await;
    let before = directory.status().await.unwrap();
    let report = import(&directory, contacts("A"), FOR_REAL).await;
    assert_eq!((counts(&report), report.committed), ((0, 0, 3, 0), true));
    assert_eq!(directory.status().await.unwrap(), before);
    let report = import(&directory, contacts("B"), FOR_REAL).await;
    assert_eq!(counts(&report), (0, 3, 0, 0));
}

pub async fn rows_of_another_kind_are_bad_lines(harness: &impl Harness) {
    let directory = harness.open();
    let client = row(Entity::Client, &[("client_id", "cli"), ("client_name", "Client")]);
    let report = import(&directory, vec![line(2, Ok(client))], FOR_REAL).await;
    assert_eq!(counts(&report), (0, 0, 0, 1));
}
