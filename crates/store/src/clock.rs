//! Time as an argument.

use std::time::Duration;

use procura_protocol::time::UnixMillis;

/// Tells the time. Decisions take one; tests hold it still.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock, UTC.
    fn now(&self) -> UnixMillis;

    /// Time since some fixed point of this process; never goes backwards, never jumps.
    fn monotonic(&self) -> Duration;
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> UnixMillis {
        (**self).now()
    }

    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }
}
