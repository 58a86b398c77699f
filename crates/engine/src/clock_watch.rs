//! Whether the wall clock can be believed.
//!
//! Tokens and windows are read off the wall clock, which an operator or a broken time service can move.
//! It is held against the monotonic clock since start: two seconds apart warn, five stop issuing until
//! they are within two again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use procura_protocol::time::{UnixMillis, UnixSeconds};
use procura_store::Clock;
use thiserror::Error;

/// Milliseconds apart from which it is told, and within which trust comes back.
const WARN: u64 = 2_000;
/// Milliseconds apart from which nothing is issued.
const STOP: u64 = 5_000;

const BELIEVED: u8 = 0;
const WARNED: u8 = 1;
const STOPPED: u8 = 2;

/// The wall clock has moved against the monotonic clock by five seconds or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the wall clock has moved against the monotonic clock")]
pub struct ClockOff;

/// A clock that notices when the wall clock is moved.
pub(crate) struct ClockWatch {
    clock: Arc<dyn Clock>,
    /// Wall minus monotonic at start, in milliseconds.
    offset: i64,
    started_at: UnixSeconds,
    state: AtomicU8,
}

impl ClockWatch {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> ClockWatch {
        let offset = offset(&*clock);
        let started_at = clock.now().seconds();
        ClockWatch { clock, offset, started_at, state: AtomicU8::new(BELIEVED) }
    }

    /// Time since some fixed point of this process.
    pub(crate) fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// The wall clock when this was made.
    pub(crate) fn started_at(&self) -> UnixSeconds {
        self.started_at
    }

    /// The wall clock, if it can be believed.
    pub(crate) fn now(&self) -> Result<UnixMillis, ClockOff> {
        let now = self.clock.now();
        let apart = (now.0 - millis(&*self.clock)).abs_diff(self.offset);
        let was = self.state.load(Ordering::Relaxed);
        let is = match (apart, was) {
            (STOP.., _) => STOPPED,
            (WARN.., STOPPED) => STOPPED,
            (WARN.., _) => WARNED,
            _ => BELIEVED,
        };
        if is != was {
            self.state.store(is, Ordering::Relaxed);
            tell(is, apart);
        }
        if is == STOPPED { Err(ClockOff) } else { Ok(now) }
    }
}

fn offset(clock: &dyn Clock) -> i64 {
    clock.now().0 - millis(clock)
}

fn millis(clock: &dyn Clock) -> i64 {
    i64::try_from(clock.monotonic().as_millis()).unwrap_or(i64::MAX)
}

fn tell(state: u8, apart: u64) {
    match state {
        STOPPED => {
            tracing::error!(apart_ms = apart, "the wall clock was moved: issuing stops until it is back");
        }
        WARNED => tracing::warn!(apart_ms = apart, "the wall clock and the monotonic clock drift apart"),
        _ => tracing::info!("the wall clock is believed again"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;
    use std::time::Duration;

    use super::*;

    struct Moved(AtomicI64);

    impl Clock for Moved {
        fn now(&self) -> UnixMillis {
            UnixMillis(1_700_000_000_000 + self.0.load(Ordering::Relaxed))
        }

        fn monotonic(&self) -> Duration {
            Duration::from_secs(100)
        }
    }

    #[test]
    fn five_seconds_stop_issuing_until_it_is_back_within_two() {
        let clock = Arc::new(Moved(AtomicI64::new(0)));
        let watch = ClockWatch::new(clock.clone());
        for (moved, believed) in [
            (0, true),
            (1_999, true),
            (4_999, true),
            (5_000, false),
            (3_000, false),
            (1_999, true),
            (-5_000, false),
            (-1_000, true),
        ] {
            clock.0.store(moved, Ordering::Relaxed);
            assert_eq!(watch.now().is_ok(), believed, "{moved} ms");
        }
    }
}
