//! The clock of this layer.

use std::time::SystemTime;

use tokio::time::Instant;

/// Now, on the runtime's clock.
///
/// Limits of a connection are spans between two moments that nobody else ever sees, and the timers that
/// enforce them are the runtime's; a test pauses both together (`tokio::time::pause`), so they need no
/// clock handed in. Everything that a caller can see or that is kept takes its time as an argument.
#[expect(clippy::disallowed_methods, reason = "the one place of this layer that reads the runtime's clock")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Now, as a `Date` field says it (RFC 9110 6.6.1), for answers that hyper does not write.
#[expect(clippy::disallowed_methods, reason = "a date that nothing is decided by")]
pub(crate) fn date() -> String {
    httpdate::fmt_http_date(SystemTime::now())
}
