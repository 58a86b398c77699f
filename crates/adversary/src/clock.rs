//! The machine's clocks: the one place of this crate that reads them.

use std::time::{Duration, Instant, SystemTime};

/// Seconds of Unix time.
#[expect(
    clippy::disallowed_methods,
    reason = "the attacks are made now, against a server whose clock is now"
)]
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// A moment after which waiting ends.
pub(crate) struct Deadline(Instant, Duration);

impl Deadline {
    /// This far ahead.
    #[expect(clippy::disallowed_methods, reason = "only to end a wait")]
    pub(crate) fn after(wait: Duration) -> Deadline {
        Deadline(Instant::now(), wait)
    }

    /// Whether it has come.
    pub(crate) fn is_over(&self) -> bool {
        self.0.elapsed() >= self.1
    }
}
