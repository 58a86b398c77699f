//! Whether refusals can be told apart by the time they take.
//!
//! No absolute time decides anything. In every round the ways to be refused are asked in an order that
//! is shuffled again and again, so that whatever disturbs the machine disturbs all of them. A way
//! differs only if it is slower, or faster, than the first one in nearly every round, and by more than a
//! part of what the first one takes: see [`statistics`].
//!
//! Each comparison carries its own proof: one way is asked under two names, which must look alike, and
//! once with a planted delay, which must be found.

mod engine;
mod http;
mod statistics;

use std::hint::spin_loop;
use std::path::Path;
use std::time::Duration;

use procura_testkit::random::SeededRandom;
use serde::Serialize;

use crate::Failure;
use crate::clocks::now;
use statistics::{Compared, ROUNDS, Round};

/// Something that refuses in several ways, which should look alike.
trait Subject {
    /// The ways, by name. All are compared with the first.
    fn ways(&self) -> &[String];

    /// The relative difference that counts.
    fn bound(&self) -> f64;

    /// Asks once, in that way, and waits for the refusal.
    fn ask(&mut self, way: usize) -> Result<(), Failure>;
}

/// The first way under another name: must look like itself.
const AGAIN: &str = "the first again";
/// The first way with a delay of twice the bound: must be found.
const PLANTED: &str = "the first with a planted delay";

/// What came out.
#[derive(Serialize)]
pub(crate) struct Report {
    /// Samples of each way, in all rounds together.
    samples: usize,
    groups: Vec<Group>,
}

/// Ways that should look alike.
#[derive(Serialize)]
struct Group {
    name: &'static str,
    /// Relative difference from which two ways count as different.
    bound: f64,
    /// The first way, with which all others were compared, and its median in microseconds.
    first: String,
    median_us: f64,
    compared: Vec<Compared>,
    /// Ways that differ.
    different: Vec<String>,
    /// Whether the first way looked like itself.
    itself_alike: bool,
    /// Whether the planted delay was found.
    planted_found: bool,
}

/// Compares the refusals of the engine alone, or of the demo server whose line is in that file.
pub(crate) fn compare(demo: Option<&Path>, samples: usize) -> Result<Report, Failure> {
    let samples = samples.max(20);
    let groups = match demo {
        None => engine::with_subjects(|name, it| group(name, it, samples))?,
        Some(file) => {
            let each = http::subjects(file)?.into_iter().map(|(name, mut it)| group(name, &mut it, samples));
            each.collect::<Result<_, _>>()?
        }
    };
    Ok(Report { samples: samples * ROUNDS, groups })
}

fn group(name: &'static str, subject: &mut dyn Subject, samples: usize) -> Result<Group, Failure> {
    let (ways, bound) = (subject.ways().len(), subject.bound());
    let mut names = subject.ways().to_vec();
    names.extend([AGAIN.to_owned(), PLANTED.to_owned()]);
    let random = SeededRandom::new(u64::from(std::process::id()));
    // The first pass warms up and says how long the planted delay has to be.
    let pilot = round(subject, samples, (ways, Duration::ZERO), &random)?;
    let delay = Duration::from_secs_f64(pilot.median(0) * 2.0 * bound);
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        rounds.push(round(subject, samples, (ways, delay), &random)?);
    }
    let compared: Vec<Compared> =
        names.iter().enumerate().skip(1).map(|(way, name)| Compared::of(&rounds, way, name)).collect();
    let differs =
        |name: &str| compared.iter().any(|compared| compared.name == name && compared.is_different(bound));
    Ok(Group {
        name,
        bound,
        first: names[0].clone(),
        median_us: statistics::median(rounds.iter().map(|round| round.median(0)).collect()) * 1e6,
        different: names[1..ways].iter().filter(|name| differs(name)).cloned().collect(),
        itself_alike: !differs(AGAIN),
        planted_found: differs(PLANTED),
        compared,
    })
}

/// Asks in every way so many times, in an order shuffled anew each time.
fn round(
    subject: &mut dyn Subject,
    samples: usize,
    (ways, delay): (usize, Duration),
    random: &SeededRandom,
) -> Result<Round, Failure> {
    let mut times = vec![Vec::with_capacity(samples); ways + 2];
    let mut order: Vec<usize> = (0..ways + 2).collect();
    for _ in 0..samples {
        for at in (1..order.len()).rev() {
            order.swap(at, random.below(at as u64 + 1) as usize);
        }
        for &way in &order {
            let begin = now();
            subject.ask(if way < ways { way } else { 0 })?;
            if way == ways + 1 {
                let asked = begin.elapsed();
                while begin.elapsed() < asked + delay {
                    spin_loop();
                }
            }
            times[way].push(begin.elapsed().as_secs_f64());
        }
    }
    Ok(Round::new(times))
}
