//! `cargo xtask timing`: the refusals can't be told apart by the time they take.
//!
//! `procura-floor timing` asks and compares; this starts it, over HTTP against a demo server or on the
//! engine alone, and judges what it says. The first way under another name must look alike, and a
//! planted delay must be found: a comparison that fails one of these proves nothing. A machine that is
//! busy with something else can spoil a comparison, so each may be made [`ATTEMPTS`] times; a
//! difference that is there is there every time.

use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::demo::Demo;
use crate::process;
use crate::steps::{Failure, Verdict};
use crate::workspace::{Profile, Workspace};

const ATTEMPTS: usize = 3;

/// Samples of each way in one round: of the engine alone, and over HTTP.
const SAMPLES: [&str; 2] = ["300", "60"];
const SAMPLES_LONG: [&str; 2] = ["1500", "200"];

#[derive(Deserialize)]
struct Report {
    samples: usize,
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
    bound: f64,
    first: String,
    median_us: f64,
    compared: Vec<Compared>,
    different: Vec<String>,
    itself_alike: bool,
    planted_found: bool,
}

#[derive(Deserialize)]
struct Compared {
    name: String,
    relative: [f64; 2],
    slower: [usize; 2],
    rounds: usize,
}

/// Compares the refusals of the engine, and unless it is to be `short` those of a release server too.
pub(crate) fn run(workspace: &Workspace, short: bool) -> Verdict {
    let profile = if short { Profile::Dev } else { Profile::Release };
    let floor = workspace.floor(profile)?;
    let samples = if short { SAMPLES } else { SAMPLES_LONG };
    let mut said = judge("the engine alone", || {
        let mut command = Command::new(&floor);
        command.args(["timing", "--samples", samples[0]]);
        ask(&mut command)
    })?;
    if !short {
        let demo = Demo::start_as(workspace, Profile::Release)?;
        let over_http = judge("over HTTP", || {
            let mut command = Command::new(&floor);
            command.args(["timing", "--samples", samples[1], "--demo"]).arg(demo.file());
            ask(&mut command)
        });
        demo.stop()?;
        said = format!("{said}; {}", over_http?);
    }
    Ok(said)
}

fn ask(command: &mut Command) -> Result<Report, Failure> {
    let line = process::ask(command.stdin(Stdio::null()))
        .ok_or_else(|| Failure::wrong("procura-floor timing did not end well"))?;
    serde_json::from_str(&line).map_err(|error| Failure::wrong(format!("procura-floor timing: {error}")))
}

fn judge(what: &str, mut measure: impl FnMut() -> Result<Report, Failure>) -> Verdict {
    let mut last = String::new();
    for attempt in 1..=ATTEMPTS {
        let report = measure()?;
        show(what, &report);
        match report.wrong() {
            None => {
                let ways: usize = report.groups.iter().map(|group| group.compared.len() - 1).sum();
                return Ok(format!(
                    "{what}: {ways} ways to be refused alike, {} samples each",
                    report.samples
                ));
            }
            Some(wrong) => last = wrong,
        }
        println!("attempt {attempt} of {ATTEMPTS}: {last}");
    }
    Err(Failure::wrong(format!("{what}: {last}")))
}

impl Report {
    /// What speaks against it, if anything does.
    fn wrong(&self) -> Option<String> {
        let of = |group: &Group| {
            if !group.itself_alike {
                Some(format!("{}: a way differed from itself: too much noise here", group.name))
            } else if !group.planted_found {
                Some(format!("{}: a planted delay was not found: too much noise here", group.name))
            } else if !group.different.is_empty() {
                Some(format!(
                    "{}: {} can be told from {}",
                    group.name,
                    group.different.join(", "),
                    group.first
                ))
            } else {
                None
            }
        };
        self.groups.iter().find_map(of)
    }
}

fn show(what: &str, report: &Report) {
    let percent = |part: f64| part * 100.0;
    for group in &report.groups {
        println!(
            "{what}, {}: {} takes {:.1} us; others differ from it by (bound {:.0} %)",
            group.name,
            group.first,
            group.median_us,
            percent(group.bound)
        );
        for way in &group.compared {
            println!(
                "  {:<38} quartile {:+6.1} %  median {:+6.1} %  slower in {} and {} of {} rounds",
                way.name,
                percent(way.relative[0]),
                percent(way.relative[1]),
                way.slower[0],
                way.slower[1],
                way.rounds
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(different: &[&str], itself_alike: bool, planted_found: bool) -> Report {
        let different = different.iter().map(|name| (*name).to_owned()).collect();
        let group = Group {
            name: "rule".to_owned(),
            bound: 0.1,
            first: "unknown".to_owned(),
            median_us: 1.0,
            compared: Vec::new(),
            different,
            itself_alike,
            planted_found,
        };
        Report { samples: 1, groups: vec![group] }
    }

    #[test]
    fn a_comparison_that_can_find_nothing_does_not_pass() {
        assert!(report(&[], true, true).wrong().is_none());
        assert!(report(&[], true, false).wrong().is_some_and(|wrong| wrong.contains("planted")));
        assert!(report(&[], false, true).wrong().is_some_and(|wrong| wrong.contains("itself")));
        assert!(report(&["disabled"], true, true).wrong().is_some_and(|wrong| wrong.contains("disabled")));
    }
}
