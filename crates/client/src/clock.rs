//! Time as an argument, so that tests can turn it.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use http::header::DATE;
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

/// How many seconds two clocks may be apart before it is worth telling: an answer takes a while to come.
const WORTH_TELLING: i64 = 5;

/// This machine's clock is not the server's, by what the answer says of its time. What is signed is dated, so that may
/// be why it was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Apart {
    seconds_ahead: i64,
}

impl Apart {
    /// Reads `Date` (RFC 9110 6.6.1). `None` for clocks that agree, and when there is nothing to read.
    pub(crate) fn read(headers: &HeaderMap, now: UnixSeconds) -> Option<Apart> {
        let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
        let theirs = i64::try_from(date.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?;
        let seconds_ahead = now.0.checked_sub(theirs)?;
        (seconds_ahead.unsigned_abs() > WORTH_TELLING.unsigned_abs()).then_some(Apart { seconds_ahead })
    }
}

impl fmt::Display for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (by, way) =
            (self.seconds_ahead.unsigned_abs(), if self.seconds_ahead > 0 { "ahead of" } else { "behind" });
        write!(f, " (this machine's clock is {by} s {way} the server's)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_are_more_than_five_seconds_apart_are_told() {
        let mut headers = HeaderMap::new();
        assert_eq!(Apart::read(&headers, UnixSeconds(0)), None);
        headers.insert(DATE, http::HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        let told = |now| Apart::read(&headers, UnixSeconds(now)).map(|apart| apart.to_string());
        for agrees in [784_111_772, 784_111_777, 784_111_782] {
            assert_eq!(told(agrees), None);
        }
        assert_eq!(
            told(784_111_783).as_deref(),
            Some(" (this machine's clock is 6 s ahead of the server's)")
        );
        assert_eq!(told(784_111_697).as_deref(), Some(" (this machine's clock is 80 s behind the server's)"));
        headers.insert(DATE, http::HeaderValue::from_static("yesterday"));
        assert_eq!(Apart::read(&headers, UnixSeconds(0)), None);
    }

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
