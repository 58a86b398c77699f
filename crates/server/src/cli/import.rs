//! `procura NOUN import FILE`.

use std::fs::File;
use std::io::{IsTerminal as _, Read};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Args, Command};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use procura_store::administration::{Administration as _, Import, ImportReport, Line, Refusal};
use procura_store::change::Entity;
use serde_json::json;

use super::record::registration;
use super::{Json, Place, arguments};
use crate::exit::{Failure, Outcome};
use crate::import::{Format, lines};
use crate::output::{self, Form, plain};
use crate::wiring::Desk;

#[derive(Debug, Args)]
struct Arguments {
    /// The file: .csv with a header line, or .jsonl with an object a line
    file: PathBuf,
    /// How the file is written, whatever its name says
    #[arg(long, value_enum)]
    format: Option<NamedFormat>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Why. Stays a day with the change; the reasons of trusts are a column
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum NamedFormat {
    /// RFC 4180, UTF-8, the first line names the columns
    Csv,
    /// One JSON object a line, values as strings
    Jsonl,
}

pub(super) fn command(noun: &str) -> Command {
    Arguments::augment_args(Command::new("import"))
        .about(format!("Add and change {noun}s from a CSV or JSON lines file, all of it or nothing"))
        .after_long_help(
            "Columns are named like the flags of `add`, with _ for -. Rows whose key exists are updated; \
             columns that are absent leave what was there, and an empty value clears. If one row is bad \
             nothing is imported: bad rows are told by line number on standard error, and the exit code is \
             1. Import clients, contacts, mandates, applications and trusts in this order, because each \
             names those before it.",
        )
}

pub(super) fn run(entity: Entity, matches: &ArgMatches) -> Outcome {
    let arguments: Arguments = arguments(matches)?;
    let format = match arguments.format {
        Some(NamedFormat::Csv) => Format::Csv,
        Some(NamedFormat::Jsonl) => Format::JsonLines,
        None => Format::of(&arguments.file).ok_or_else(|| {
            Failure::usage("the file's name ends neither in .csv nor in .jsonl: say --format csv or jsonl")
        })?,
    };
    let shown = arguments.file.display();
    let file = File::open(&arguments.file)
        .map_err(|error| Failure::usage(format_args!("{shown} can't be opened: {error}")))?;
    let desk = Desk::open(&arguments.place)?;
    let bar = progress_bar(file.metadata().map_or(0, |metadata| metadata.len()));
    let rows = lines(counted(file, &bar), format, entity).map(looked_at);
    let counter = bar.clone();
    let import = Import { entity, dry_run: arguments.dry_run };
    let report = desk.wait(desk.store().import(desk.context(arguments.reason), import, rows, move |count| {
        counter.set_message(format!("{count} rows"));
    }));
    bar.finish_and_clear();
    let report = report?;
    if report.committed {
        desk.record_changes();
    }
    tell(arguments.json.form(), &report, entity, arguments.dry_run)
}

/// A row that names a certificate which can't be is a bad one.
fn looked_at(line: Line) -> Line {
    let row = line.row.and_then(|row| match registration::check(&row) {
        Ok(()) => Ok(row),
        Err(problem) => Err(Refusal::Unreadable(problem)),
    });
    Line { row, ..line }
}

fn tell(form: Form, report: &ImportReport, entity: Entity, dry_run: bool) -> Outcome {
    for bad in &report.bad {
        output::note(&plain(&bad.to_string()));
    }
    let ImportReport { added, updated, unchanged, bad_count, .. } = *report;
    let named = report.bad.len() as u64;
    if bad_count > named {
        output::note(&format!("and {} bad rows more", bad_count - named));
    }
    let would = if dry_run { "would be " } else { "" };
    let text = format!("{entity}s: {would}{added} added, {updated} updated, {unchanged} unchanged");
    let bad: Vec<_> = report
        .bad
        .iter()
        .map(|bad| json!({ "line": bad.line, "error": plain(&bad.refusal.to_string()) }))
        .collect();
    let value = json!({
        "committed": report.committed, "dry_run": dry_run, "added": added, "updated": updated,
        "unchanged": unchanged, "bad": bad_count, "bad_rows": bad,
    });
    if bad_count == 0 {
        return form.print(&text, &value);
    }
    if form == Form::Json {
        output::json_line(&value)?;
    }
    let (rows, them) = match bad_count {
        1 => ("1 row is bad".to_owned(), "it"),
        _ => (format!("{bad_count} rows are bad"), "them"),
    };
    Err(Failure::refused(format_args!(
        "{rows}: nothing was imported; correct {them} and import the file again"
    )))
}

/// A bar on standard error, if somebody watches.
fn progress_bar(bytes: u64) -> ProgressBar {
    let watched = std::io::stderr().is_terminal();
    let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(bytes), target);
    let template = "{bar:30} {percent:>3} %  {msg}  {elapsed} of {duration}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    if watched {
        bar.enable_steady_tick(Duration::from_millis(200));
    }
    bar
}

fn counted(file: File, bar: &ProgressBar) -> impl Read + Send + 'static {
    bar.wrap_read(file)
}
