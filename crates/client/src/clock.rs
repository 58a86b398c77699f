//! Time as an argument, so that tests can turn it.

use std::time::Duration;

use procura_protocol::time::UnixSeconds;

/// Two clocks: the wall's, which ID tokens are judged by, and one that never runs backwards, which the
/// age of a cached token is judged by.
pub trait Clock: Send + Sync + 'static {
    /// Seconds of Unix time.
    fn now(&self) -> UnixSeconds;

    /// Time since a fixed but arbitrary point. Never less than an earlier answer of the same clock.
    fn elapsed(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: std::time::Instant,
}

impl SystemClock {
    /// Starts counting [`Clock::elapsed`] from here.
    #[expect(clippy::disallowed_methods, reason = "the one place of this crate that reads the clocks")]
    pub fn new() -> SystemClock {
        SystemClock { started: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place of this crate that reads the clocks")]
    fn now(&self) -> UnixSeconds {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        UnixSeconds(since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX)))
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// One reading of both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    elapsed: Duration,
    wall: UnixSeconds,
}

impl Moment {
    pub(crate) fn read(clock: &dyn Clock) -> Moment {
        Moment { elapsed: clock.elapsed(), wall: clock.now() }
    }

    /// Whether this was read before the other.
    pub(crate) fn is_before(self, other: Moment) -> bool {
        self.elapsed < other.elapsed
    }

    /// The larger of what the two clocks say has passed. A monotonic clock may stand still while a
    /// machine sleeps and a wall clock may be set back; to take a token for older than it is costs one
    /// request, to take it for younger costs a failed call.
    pub(crate) fn age(self, now: Moment) -> Duration {
        let wall = u64::try_from(now.wall.0.saturating_sub(self.wall.0)).unwrap_or(0);
        now.elapsed.saturating_sub(self.elapsed).max(Duration::from_secs(wall))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_is_the_larger_of_two_clocks() {
        let then = Moment { elapsed: Duration::from_secs(10), wall: UnixSeconds(1_000) };
        let age = |elapsed, wall| {
            then.age(Moment { elapsed: Duration::from_secs(elapsed), wall: UnixSeconds(wall) })
        };
        assert_eq!(age(15, 1_003), Duration::from_secs(5));
        assert_eq!(age(11, 1_060), Duration::from_secs(60), "the machine slept");
        assert_eq!(age(12, 900), Duration::from_secs(2), "the wall clock was set back");
    }
}
