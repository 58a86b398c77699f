//! How long to wait before asking again.

use std::time::Duration;

use procura_jose::Random;

/// Waits that double with every failure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pauses {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Pauses {
    /// The wait after so many failures in a row; of none, the first.
    pub(crate) fn after(self, failures: u32, random: &dyn Random) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        jittered(doubled.min(self.longest), random)
    }
}

/// Three quarters to the whole of a wait, so that many guards don't come back together.
pub(crate) fn jittered(wait: Duration, random: &dyn Random) -> Duration {
    let mut byte = [0];
    random.fill(&mut byte);
    wait * 3 / 4 + wait / 4 * u32::from(byte[0]) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Constant(u8);

    impl Random for Constant {
        fn fill(&self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    #[test]
    fn waits_grow_to_a_bound_and_are_spread() {
        let pauses = Pauses { first: Duration::from_millis(100), longest: Duration::from_secs(5) };
        let waits = [0, 1, 2, 3, 7, 1_000].map(|failures| pauses.after(failures, &Constant(255)).as_millis());
        assert_eq!(waits, [100, 100, 200, 400, 5_000, 5_000]);
        assert_eq!(pauses.after(2, &Constant(0)), Duration::from_millis(150));
    }
}
