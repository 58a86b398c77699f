//! How long something took, how often: a histogram that costs two additions to add to, and no lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper ends of all classes but the last, which has none, in nanoseconds.
const BOUNDS: [u64; 16] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// Times in classes, from a tenth of a millisecond to ten seconds and beyond.
#[derive(Debug, Default)]
pub struct Histogram {
    classes: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

impl Histogram {
    /// Adds one.
    pub fn add(&self, took: Duration) {
        let nanos = took.as_nanos() as u64;
        let class = BOUNDS.partition_point(|bound| *bound < nanos);
        self.classes[class].fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Each class's upper end in seconds, and how many were in it and in no lower one. The last has no end.
    pub fn classes(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let ends = BOUNDS.iter().map(|bound| *bound as f64 / 1e9).chain([f64::INFINITY]);
        ends.zip(self.classes.iter().map(|class| class.load(Ordering::Relaxed)))
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.classes().map(|(_, count)| count).sum()
    }

    /// All of them together, in seconds.
    pub fn seconds(&self) -> f64 {
        self.nanos.load(Ordering::Relaxed) as f64 / 1e9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_class_that_ends_at_it_or_next_after_it() {
        let histogram = Histogram::default();
        for micros in [0, 100, 101, 1_000, 11_000_000, u64::MAX / 1_000] {
            histogram.add(Duration::from_micros(micros));
        }
        let found: Vec<_> = histogram.classes().filter(|(_, count)| *count > 0).collect();
        assert_eq!(found, [(0.0001, 2), (0.00025, 1), (0.001, 1), (f64::INFINITY, 2)]);
        assert_eq!(histogram.count(), 6);
    }
}
