//! The command: what `procura-adversary` and `procura adversary` have in common.

use std::fs::File;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use thiserror::Error;

use crate::adapter::{Draft, Values};
use crate::case::Case;
use crate::run::Ended;
use crate::{World, cases, ready, report, run, setup};

/// What the long help says beside the options.
pub const AFTER_HELP: &str = "\
Each case first shows that the honest request is granted, then sends it with one thing wrong.
docs/adversary.md describes the adapter file, the report, and how a case is added.

Exit codes:
  0  every case that ran holds, or its failing is a declared departure
  1  a case failed
  2  the command line or the adapter has to change
  3  the setup failed, the server can't be reached, or it answers 429 to honest requests";

/// The options.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The adapter file, which describes the server
    #[arg(long, value_name = "FILE")]
    pub adapter: Option<PathBuf>,
    /// A value for ${NAME} in the adapter; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    pub values: Vec<(String, String)>,
    /// Only cases whose id has this text in it; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub only: Vec<String>,
    /// Only cases of this door; may be repeated
    #[arg(long, value_name = "DOOR", value_parser = door)]
    pub door: Vec<String>,
    /// Print the cases instead of running them
    #[arg(long)]
    pub list: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Write the report as JUnit XML too
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Count skipped cases as failures
    #[arg(long)]
    pub fail_on_skip: bool,
}

/// A server that needs no adapter file: its adapter's text, and what its placeholders stand for.
pub struct Own {
    /// The adapter.
    pub adapter: &'static str,
    /// Values of its placeholders that its setup does not print.
    pub values: Values,
}

/// Why there is no report.
#[derive(Debug, Error)]
pub enum Failure {
    /// Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Exit code 3.
    #[error("{0}")]
    Setup(String),
}

impl Failure {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) => 2,
            Failure::Setup(_) => 3,
        }
    }
}

/// Does what the arguments ask for; the exit code.
///
/// # Errors
///
/// [`Failure`], when it came to no report.
pub fn main(arguments: &Arguments, own: Option<Own>) -> Result<u8, Failure> {
    let all = cases::all();
    let chosen: Vec<&Case> = all.iter().filter(|case| wanted(arguments, case)).collect();
    if chosen.is_empty() {
        return Err(Failure::Usage("no case has such an id at such a door: `--list` names them".to_owned()));
    }
    if arguments.list {
        line(&report::list(chosen, arguments.json));
        return Ok(0);
    }
    let (draft, mut values) = draft(arguments, own)?;
    for (name, value) in &arguments.values {
        values.set(name, value);
    }
    let running = match draft.setup() {
        None => None,
        Some(command) => {
            let filled = command.filled(&values).map_err(Failure::Usage)?;
            let (running, told) = setup::start(draft.folder(), &filled)
                .map_err(|why| Failure::Setup(format!("setup: {why}")))?;
            values.extend(&told).map_err(Failure::Setup)?;
            Some(running)
        }
    };
    let adapter = draft.fill(&values).map_err(|error| Failure::Usage(error.to_string()))?;
    let world = World::new(adapter).map_err(Failure::Usage)?;
    // A file that can't be written is no reason to make the attacks in vain.
    let junit = arguments.junit.as_ref().map(|file| (file, File::create(file)));
    let junit = junit.map(|(file, opened)| Ok((file, opened.map_err(|error| unwritable(file, &error))?)));
    let junit = junit.transpose()?;
    ready::look(&world)?;
    let bar = progress_bar(chosen.len());
    let report = run::run(&world, chosen, |outcome| {
        bar.set_message(outcome.id.clone());
        if let Ended::Fail { .. } = outcome.ended {
            bar.println(format!("FAIL {}", outcome.id));
        }
        bar.inc(1);
    });
    bar.finish_and_clear();
    drop(running);
    let report = report.map_err(Failure::Setup)?;
    if let Some((file, mut opened)) = junit {
        opened.write_all(report::junit(&report).as_bytes()).map_err(|error| unwritable(file, &error))?;
    }
    line(&if arguments.json { report::json(&report) } else { report::text(&report) });
    let counts = report.counts();
    let failed = counts.failed > 0 || arguments.fail_on_skip && counts.skipped > 0;
    Ok(u8::from(failed))
}

fn wanted(arguments: &Arguments, case: &Case) -> bool {
    let by_id =
        arguments.only.is_empty() || arguments.only.iter().any(|part| case.id.contains(part.as_str()));
    let by_door = arguments.door.is_empty() || arguments.door.iter().any(|door| door == case.door.name());
    by_id && by_door
}

fn draft(arguments: &Arguments, own: Option<Own>) -> Result<(Draft, Values), Failure> {
    let usage = |error: crate::adapter::AdapterError| Failure::Usage(error.to_string());
    match (&arguments.adapter, own) {
        (Some(file), own) => {
            let values = own.map(|own| own.values).unwrap_or_default();
            Ok((Draft::read(file).map_err(usage)?, values))
        }
        (None, Some(own)) => {
            let draft = Draft::parse("the adapter of this program", Path::new(""), own.adapter);
            Ok((draft.map_err(usage)?, own.values))
        }
        (None, None) => Err(Failure::Usage("say which server: --adapter FILE".to_owned())),
    }
}

fn unwritable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::Usage(format!("{} can't be written: {error}", file.display()))
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn door(text: &str) -> Result<String, String> {
    let names = crate::adapter::Door::ALL.map(crate::adapter::Door::name);
    if names.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(format!("must be one of {}", names.join(", ")))
    }
}

/// A bar on standard error, if somebody watches.
fn progress_bar(cases: usize) -> ProgressBar {
    let watched = std::io::stderr().is_terminal();
    let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(cases as u64), target);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}  {wide_msg}") {
        bar.set_style(style);
    }
    bar
}

/// Nobody may be reading, and there is no one else to tell.
fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
