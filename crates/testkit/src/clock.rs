//! A clock that stands still until it is moved.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use procura_protocol::time::{UnixMillis, UnixSeconds};
use procura_store::Clock;

/// 2026-01-01T00:00:00Z, when tests begin.
pub const BEGINNING: UnixSeconds = UnixSeconds(1_767_225_600);

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct FixedClock {
    wall: AtomicI64,
    monotonic: AtomicU64,
}

impl Default for FixedClock {
    fn default() -> Self {
        FixedClock { wall: AtomicI64::new(BEGINNING.0 * 1000), monotonic: AtomicU64::new(1_000_000) }
    }
}

impl FixedClock {
    /// Lets time pass, on the wall and in the process.
    pub fn advance(&self, by: Duration) {
        let millis = by.as_millis() as u64;
        self.wall.fetch_add(millis as i64, Ordering::SeqCst);
        self.monotonic.fetch_add(millis, Ordering::SeqCst);
    }

    /// Moves only the wall clock, as a broken time service does.
    pub fn move_wall(&self, millis: i64) {
        self.wall.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.wall.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic.load(Ordering::SeqCst))
    }
}
