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
    #[cfg(target_os = "linux")]
    started: Duration,
    #[cfg(not(target_os = "linux"))]
    started: std::time::Instant,
}

/// Time since the machine started, its sleep included: a guard that slept must know that it is old.
#[cfg(target_os = "linux")]
fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

impl SystemClock {
    /// Starts counting [`Clock::elapsed`] from here.
    #[cfg(target_os = "linux")]
    pub fn new() -> SystemClock {
        SystemClock { started: since_boot() }
    }

    /// Starts counting [`Clock::elapsed`] from here.
    #[cfg(not(target_os = "linux"))]
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

    #[cfg(target_os = "linux")]
    fn elapsed(&self) -> Duration {
        since_boot().saturating_sub(self.started)
    }

    #[cfg(not(target_os = "linux"))]
    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
