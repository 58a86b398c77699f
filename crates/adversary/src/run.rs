//! Making the attacks, one after the other.

use serde::Serialize;

use crate::adapter::Door;
use crate::attempt::Attempt;
use crate::case::{Case, Stop};
use crate::world::World;

/// How one case ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Ended {
    /// What must hold holds.
    Pass,
    /// It does not.
    Fail {
        /// What was sent, in words.
        sent: String,
        /// What came.
        came: String,
        /// Whether it was the honest request that was refused: then no attack was made.
        nothing_shown: bool,
    },
    /// It does not, by the server's declared choice.
    Departure {
        /// The adapter's reason.
        reason: String,
        /// What was sent, in words.
        sent: String,
        /// What came.
        came: String,
    },
    /// It was not tried.
    Skip {
        /// What the adapter does not have.
        reason: String,
    },
}

/// One case and how it ended.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The case's id.
    pub id: String,
    /// What must hold.
    pub title: String,
    /// What that rests on.
    pub source: &'static str,
    /// Where it went in.
    pub door: Door,
    /// How it ended.
    #[serde(flatten)]
    pub ended: Ended,
}

/// All that was made.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What the adapter calls the server.
    pub server: String,
    /// Case by case.
    pub cases: Vec<Outcome>,
}

/// How many ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Hold.
    pub passed: usize,
    /// Do not.
    pub failed: usize,
    /// Those of them that show nothing, because the honest request was refused.
    pub nothing_shown: usize,
    /// Do not, and that is declared.
    pub departures: usize,
    /// Were not tried.
    pub skipped: usize,
}

/// Makes these attacks; `told` hears of each as it ends.
///
/// # Errors
///
/// A sentence, when the server began to refuse honest requests as too many: no case shows anything then.
pub fn run<'c>(
    world: &World,
    cases: impl IntoIterator<Item = &'c Case>,
    mut told: impl FnMut(&Outcome),
) -> Result<Report, String> {
    let mut report = Report { server: world.adapter.name.clone(), cases: Vec::new() };
    for case in cases {
        let failed = |sent, came, nothing_shown| match world.adapter.departure(&case.id) {
            Some(reason) => Ended::Departure { reason: reason.to_owned(), sent, came },
            None => Ended::Fail { sent, came, nothing_shown },
        };
        let ended = match case.run(&Attempt { world, door: case.door }) {
            Ok(()) => Ended::Pass,
            Err(Stop::Skip(reason)) => Ended::Skip { reason },
            Err(Stop::Fail { sent, came }) => failed(sent, came, false),
            Err(Stop::Unshown { sent, came }) => failed(sent, came, true),
            Err(Stop::Halt(why)) => return Err(format!("{}: {why}", case.id)),
        };
        let outcome = Outcome {
            id: case.id.clone(),
            title: case.title.clone(),
            source: case.source,
            door: case.door,
            ended,
        };
        told(&outcome);
        report.cases.push(outcome);
    }
    Ok(report)
}

impl Report {
    /// How many ended how.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for outcome in &self.cases {
            match outcome.ended {
                Ended::Pass => counts.passed += 1,
                Ended::Fail { nothing_shown, .. } => {
                    counts.failed += 1;
                    counts.nothing_shown += usize::from(nothing_shown);
                }
                Ended::Departure { .. } => counts.departures += 1,
                Ended::Skip { .. } => counts.skipped += 1,
            }
        }
        counts
    }
}
