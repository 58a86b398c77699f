//! `procura audit verify`.

use std::fs;
use std::io::IsTerminal as _;
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use procura_storage::journal::{Reader, RealDisk, Report, SignedHead};
use serde_json::json;

use crate::exit::{Failure, Outcome};
use crate::output::Form;
use crate::wiring;

pub(super) fn run(reader: &Reader<RealDisk>, head: Option<&Path>, form: Form) -> Outcome {
    let head = head.map(read_head).transpose()?;
    let bar = progress_bar();
    let report = reader.verify(head.as_ref(), &mut |progress| {
        bar.set_length(progress.total_bytes);
        bar.set_position(progress.bytes);
        bar.set_message(format!("{} records", progress.records));
    });
    bar.finish_and_clear();
    let report = report.map_err(|error| wiring::journal_failed(&error))?;
    tell(form, &report)
}

fn read_head(path: &Path) -> Result<SignedHead, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::usage(format_args!("{shown} can't be read: {error}")))?;
    SignedHead::parse(text.trim_end()).ok_or_else(|| {
        Failure::usage(format_args!("{shown} is not a head: it must hold one line as `audit head` prints it"))
    })
}

fn tell(form: Form, report: &Report) -> Outcome {
    let Report { records, segments, heads, proven_to, .. } = *report;
    let mut text = format!(
        "verified: {} in {} are as they were written, with {}\n",
        counted(records, "record"),
        counted(segments, "segment"),
        counted(heads, "signed head")
    );
    text.push_str(&match report.proven_by_exported {
        Some(seq) => format!(
            "proven up to record {seq}, also against the owner of this host: the head was kept elsewhere\n"
        ),
        None => String::from(
            "not proven against the owner of this host: give a head that was kept elsewhere with --head\n",
        ),
    });
    text.push_str(&match records.saturating_sub(proven_to) {
        0 => format!("a head that was signed here covers everything up to record {proven_to}"),
        after => format!(
            "a head that was signed here covers everything up to record {proven_to}; the {after} after it are \
             linked, but could have been cut off unseen"
        ),
    });
    if report.unfinished_bytes > 0 {
        text.push_str("\nthe end is being written just now, or a power cut left a batch half-written");
    }
    let value = json!({
        "verified": true,
        "records": records,
        "segments": segments,
        "heads": heads,
        "last_hash": report.end.hash.to_string(),
        "proven_to": proven_to,
        "proven_by_exported": report.proven_by_exported,
        "unfinished_bytes": report.unfinished_bytes,
        "abandoned_bytes": report.abandoned_bytes,
    });
    form.print(&text, &value)
}

fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn progress_bar() -> ProgressBar {
    let watched = std::io::stderr().is_terminal();
    let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target);
    match ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}  {elapsed} of {duration}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
