//! Points in time and half-open windows. Seconds and milliseconds of Unix time, UTC.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Seconds since 1970-01-01T00:00:00Z (a NumericDate of RFC 7519 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixSeconds(pub i64);

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

/// A text that is not a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be an RFC 3339 time in UTC with whole seconds, for instance 2031-05-01T00:00:00Z")]
pub struct InvalidTime;

impl UnixSeconds {
    /// Reads RFC 3339 in UTC (`Z`), whole seconds.
    pub fn parse_rfc3339(text: &str) -> Result<UnixSeconds, InvalidTime> {
        let plain = text.len() == 20 && text.as_bytes()[10] == b'T' && text.ends_with('Z');
        let instant: Timestamp =
            if plain { text.parse().map_err(|_| InvalidTime)? } else { return Err(InvalidTime) };
        Ok(UnixSeconds(instant.as_second()))
    }

    /// This many seconds later.
    #[must_use]
    pub const fn plus(self, seconds: i64) -> UnixSeconds {
        UnixSeconds(self.0.saturating_add(seconds))
    }
}

impl UnixMillis {
    /// The second that this falls in.
    pub const fn seconds(self) -> UnixSeconds {
        UnixSeconds(self.0.div_euclid(1000))
    }
}

impl fmt::Display for UnixSeconds {
    /// RFC 3339, whole seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_second(self.0) {
            Ok(instant) => write!(f, "{instant}"),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

impl fmt::Display for UnixMillis {
    /// RFC 3339, always with three digits of milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => write!(f, "@{}ms", self.0),
        }
    }
}

/// A half-open window `[from, until)`; an absent end is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Window {
    /// The first second inside.
    pub from: Option<UnixSeconds>,
    /// The first second after.
    pub until: Option<UnixSeconds>,
}

impl Window {
    /// Open at both ends.
    pub const ALWAYS: Window = Window { from: None, until: None };

    /// Whether `now` is inside.
    pub fn contains(self, now: UnixSeconds) -> bool {
        !self.is_before(now) && !self.is_over(now)
    }

    /// Whether the window has not begun at `now`.
    pub fn is_before(self, now: UnixSeconds) -> bool {
        self.from.is_some_and(|from| now < from)
    }

    /// Whether the window has ended at `now`.
    pub fn is_over(self, now: UnixSeconds) -> bool {
        self.until.is_some_and(|until| now >= until)
    }

    /// Whether every second of `self` is in `other`.
    pub fn is_within(self, other: Window) -> bool {
        let begins = other.from.is_none_or(|theirs| self.from.is_some_and(|ours| ours >= theirs));
        let ends = other.until.is_none_or(|theirs| self.until.is_some_and(|ours| ours <= theirs));
        begins && ends
    }

    /// Whether no second can be inside.
    pub fn is_empty(self) -> bool {
        matches!((self.from, self.until), (Some(from), Some(until)) if until <= from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_half_open() {
        let window = Window { from: Some(UnixSeconds(10)), until: Some(UnixSeconds(20)) };
        assert!(!window.contains(UnixSeconds(9)));
        assert!(window.contains(UnixSeconds(10)));
        assert!(window.contains(UnixSeconds(19)));
        assert!(!window.contains(UnixSeconds(20)));
        assert!(window.is_within(Window::ALWAYS));
        assert!(!Window::ALWAYS.is_within(window));
    }

    #[test]
    fn times_read_and_write_rfc_3339_in_utc_only() {
        let text = "2039-12-31T23:59:59Z";
        assert_eq!(UnixSeconds::parse_rfc3339(text).unwrap().to_string(), text);
        for bad in
            ["2039-12-31", "2039-12-31T23:59:59+01:00", "2039-12-31 23:59:59Z", "", "2039-13-01T00:00:00Z"]
        {
            assert_eq!(UnixSeconds::parse_rfc3339(bad), Err(InvalidTime), "{bad}");
        }
        assert_eq!(UnixMillis(1_000).to_string(), "1970-01-01T00:00:01.000Z");
        assert_eq!(UnixMillis(1_234).to_string(), "1970-01-01T00:00:01.234Z");
    }
}
