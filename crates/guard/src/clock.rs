//! Time as an argument, so that tests can turn it.

use std::time::Duration;

use procura_protocol::time::UnixSeconds;

/// Two clocks: the wall's, which `exp` is judged by, and one that never runs backwards, which the
/// freshness of marks and keys is judged by.
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
