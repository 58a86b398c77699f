//! A bucket that fills evenly, in eight bytes.

use std::time::Duration;

/// A minute, in nanoseconds.
const MINUTE: u64 = 60_000_000_000;

/// So many a minute, evenly, and as many at once for whoever took none for a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Nanoseconds in which one more comes.
    interval: u64,
}

impl Rate {
    /// `None` for 0, which is without a limit.
    pub(crate) fn per_minute(number: u32) -> Option<Rate> {
        Some(Rate { interval: MINUTE.checked_div(number.into())?.max(1) })
    }
}

/// What is left of a [`Rate`]: the moment at which the bucket will be full again, which is all there is to
/// know. The moment is of the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bucket {
    full_at: u64,
}

impl Bucket {
    /// Takes one, or says in how many seconds, at least one, there is one again.
    pub(crate) fn take(&mut self, rate: Rate, now: Duration) -> Result<(), u64> {
        self.full_at = self.after_one(rate, now)?;
        Ok(())
    }

    /// What [`Bucket::take`] would say.
    pub(crate) fn look(&self, rate: Rate, now: Duration) -> Result<(), u64> {
        self.after_one(rate, now).map(drop)
    }

    /// Whether nothing is missing: then it is as good as one that was never touched.
    pub(crate) fn is_full(&self, now: Duration) -> bool {
        self.full_at <= nanos(now)
    }

    /// When nothing will be missing any more.
    pub(crate) fn full_at(&self) -> Duration {
        Duration::from_nanos(self.full_at)
    }

    fn after_one(&self, rate: Rate, now: Duration) -> Result<u64, u64> {
        let now = nanos(now);
        let full_at = self.full_at.max(now).saturating_add(rate.interval);
        match (full_at - now).checked_sub(MINUTE) {
            None | Some(0) => Ok(full_at),
            Some(too_early) => Err(too_early.div_ceil(1_000_000_000)),
        }
    }
}

/// Of five centuries.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_whole_content_at_once_and_fills_evenly() {
        let rate = Rate::per_minute(6).unwrap();
        let mut bucket = Bucket::default();
        let at = |seconds: u64| Duration::from_secs(100 + seconds);
        for _ in 0..6 {
            assert_eq!(bucket.take(rate, at(0)), Ok(()));
        }
        assert_eq!(bucket.take(rate, at(0)), Err(10));
        assert_eq!((bucket.look(rate, at(7)), bucket.take(rate, at(7))), (Err(3), Err(3)));
        assert_eq!(bucket.take(rate, at(10)), Ok(()));
        assert_eq!(bucket.take(rate, at(10)), Err(10));
        assert!(!bucket.is_full(at(69)) && bucket.is_full(at(70)));
        for _ in 0..6 {
            assert_eq!(bucket.take(rate, at(10_000)), Ok(()));
        }
        assert_eq!(bucket.take(rate, at(10_000)), Err(10));
    }

    #[test]
    fn looking_takes_nothing() {
        let rate = Rate::per_minute(1).unwrap();
        let mut bucket = Bucket::default();
        for _ in 0..3 {
            assert_eq!(bucket.look(rate, Duration::ZERO), Ok(()));
        }
        assert_eq!(bucket.take(rate, Duration::ZERO), Ok(()));
        assert_eq!(bucket.look(rate, Duration::ZERO), Err(60));
    }

    #[test]
    fn no_rate_gives_more_than_its_number_in_a_minute() {
        for number in [1, 7, 60, 999, 6_000, 60_001] {
            let rate = Rate::per_minute(number).unwrap();
            let mut bucket = Bucket::default();
            let taken = (0..number + 10).filter(|_| bucket.take(rate, Duration::ZERO).is_ok()).count();
            assert_eq!(taken, number as usize);
        }
        assert_eq!(Rate::per_minute(0), None);
        assert_eq!(Rate::per_minute(u32::MAX).map(|rate| rate.interval), Some(13));
    }
}
