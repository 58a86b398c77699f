//! What counts as a difference.
//!
//! In every round each way has a lower quartile and a median, which a few disturbed samples don't move.
//! A way differs from the first if one of the two lies on the same side in at least [`SAME_SIDE`] of
//! [`ROUNDS`] rounds (a sign test: by chance, once in 28,000 times) and if the median over the rounds
//! of the relative difference is larger than a bound. The first condition leaves noise out, the second
//! what is real and too small to be seen from outside.

use serde::Serialize;

/// Rounds of a comparison.
pub(crate) const ROUNDS: usize = 24;
/// Rounds in which a difference must have the same sign.
const SAME_SIDE: usize = 22;

/// The samples of one round, as two quantiles of each way.
pub(crate) struct Round(Vec<[f64; 2]>);

impl Round {
    /// From samples in seconds, one list a way.
    pub(crate) fn new(times: Vec<Vec<f64>>) -> Round {
        let quantiles = |mut times: Vec<f64>| {
            times.sort_by(f64::total_cmp);
            [quantile(&times, 1), quantile(&times, 2)]
        };
        Round(times.into_iter().map(quantiles).collect())
    }

    /// The median of a way, in seconds.
    pub(crate) fn median(&self, way: usize) -> f64 {
        self.0[way][1]
    }
}

/// A way beside the first.
#[derive(Debug, Serialize)]
pub(crate) struct Compared {
    pub(crate) name: String,
    /// Relative difference of the lower quartile and of the median.
    relative: [f64; 2],
    /// In how many rounds it was slower, by the lower quartile and by the median.
    slower: [usize; 2],
    rounds: usize,
}

impl Compared {
    /// Compares a way with the first.
    pub(crate) fn of(rounds: &[Round], way: usize, name: &str) -> Compared {
        let differences = |at: usize| -> Vec<f64> {
            rounds.iter().map(|Round(ways)| ways[way][at] / ways[0][at] - 1.0).collect()
        };
        let differences = [differences(0), differences(1)];
        Compared {
            name: name.to_owned(),
            slower: [0, 1].map(|at: usize| differences[at].iter().filter(|part| **part > 0.0).count()),
            relative: differences.map(median),
            rounds: rounds.len(),
        }
    }

    /// Whether the difference is consistent and larger than `bound`.
    pub(crate) fn is_different(&self, bound: f64) -> bool {
        let allowed = self.rounds * (ROUNDS - SAME_SIDE) / ROUNDS;
        self.relative.iter().zip(self.slower).any(|(relative, slower)| {
            let same_side = slower <= allowed || slower >= self.rounds - allowed;
            same_side && relative.abs() > bound
        })
    }
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    quantile(&values, 2)
}

fn quantile(sorted: &[f64], quarter: usize) -> f64 {
    sorted.get(sorted.len() * quarter / 4).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use procura_testkit::random::SeededRandom;

    use super::*;

    /// Two ways; the second takes `by` longer. One sample in ten is disturbed, and so is every round.
    fn rounds(by: f64) -> Vec<Round> {
        let random = SeededRandom::new(7);
        let part = |bound: u64| random.below(bound) as f64 / bound as f64;
        let one = |drift: f64, base: f64| {
            let disturbed = if random.one_in(10) { 30.0 * part(1000) } else { 0.0 };
            drift * base * (1.0 + 0.2 * part(1000)) + disturbed
        };
        let round = |_| {
            let drift = 1.0 + part(100);
            let samples = |base: f64| (0..400).map(|_| one(drift, base)).collect();
            Round::new(vec![samples(1.0), samples(1.0 + by)])
        };
        (0..ROUNDS).map(round).collect()
    }

    #[test]
    fn a_planted_difference_is_found_in_noise_that_is_larger() {
        assert!(Compared::of(&rounds(0.1), 1, "planted").is_different(0.05));
        assert!(Compared::of(&rounds(-0.1), 1, "planted").is_different(0.05));
    }

    #[test]
    fn what_is_alike_or_within_the_bound_is_no_difference() {
        assert!(!Compared::of(&rounds(0.0), 1, "alike").is_different(0.05));
        assert!(!Compared::of(&rounds(0.03), 1, "within").is_different(0.05));
    }

    #[test]
    fn a_large_difference_that_changes_sides_is_noise() {
        let noisy = |at: usize| Round(vec![[1.0; 2], if at.is_multiple_of(3) { [0.5; 2] } else { [2.0; 2] }]);
        let rounds: Vec<Round> = (0..ROUNDS).map(noisy).collect();
        assert!(!Compared::of(&rounds, 1, "noisy").is_different(0.05));
    }
}
