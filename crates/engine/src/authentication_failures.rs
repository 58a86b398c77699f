//! Failed authentications: counted, and recorded as a sum, so that a stranger can't fill the disk.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use procura_protocol::time::UnixMillis;
use procura_store::journal::AuthenticationFailures;

/// Failures since they were last taken.
#[derive(Debug, Default)]
pub struct AuthenticationFailureCount {
    known: AtomicU32,
    unknown: AtomicU32,
    since: AtomicI64,
}

impl AuthenticationFailureCount {
    /// Counts one.
    pub(crate) fn count(&self, at: UnixMillis, known_application: bool) {
        let _ = self.since.compare_exchange(0, at.0, Ordering::Relaxed, Ordering::Relaxed);
        let counter = if known_application { &self.known } else { &self.unknown };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes what was counted, if anything was.
    pub fn take(&self) -> Option<AuthenticationFailures> {
        let since = self.since.swap(0, Ordering::Relaxed);
        let known_application = self.known.swap(0, Ordering::Relaxed);
        let unknown_application = self.unknown.swap(0, Ordering::Relaxed);
        (known_application > 0 || unknown_application > 0).then_some(AuthenticationFailures {
            known_application,
            unknown_application,
            since: UnixMillis(since),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_taken_once() {
        let count = AuthenticationFailureCount::default();
        assert_eq!(count.take(), None);
        count.count(UnixMillis(5), true);
        count.count(UnixMillis(6), false);
        count.count(UnixMillis(7), false);
        let taken = count.take().unwrap();
        assert_eq!((taken.known_application, taken.unknown_application, taken.since), (1, 2, UnixMillis(5)));
        assert_eq!(count.take(), None);
    }
}
