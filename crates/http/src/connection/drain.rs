//! The signal to come to an end, to all connections at once.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::counts::ConnectionCounts;

/// Tells connections to end after what they have accepted. Clones share one signal.
#[derive(Clone, Debug, Default)]
pub struct Drain(Arc<Signal>);

#[derive(Debug, Default)]
struct Signal {
    begun: AtomicBool,
    notify: Notify,
    counts: ConnectionCounts,
}

impl Drain {
    /// A signal that has not been given.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the signal, for ever.
    pub fn begin(&self) {
        self.0.begun.store(true, Ordering::Release);
        self.0.notify.notify_waiters();
    }

    /// Whether the signal was given.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.begun.load(Ordering::Acquire)
    }

    /// The connections that it is for, counted.
    #[must_use]
    pub fn counts(&self) -> &ConnectionCounts {
        &self.0.counts
    }

    /// Ready when the signal was given.
    pub(crate) async fn drained(self) {
        let mut begun = pin!(self.begun());
        poll_fn(|cx| if begun.as_mut().poll_begun(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    pub(super) fn begun(&self) -> Begun<'_> {
        Begun { drain: self, registered: None, notified: self.0.notify.notified() }
    }
}

pin_project! {
    /// Wakes its task when the signal is given.
    ///
    /// The queue of those who wait has one lock for all connections; a task enters it once and not
    /// at every poll.
    pub(super) struct Begun<'a> {
        drain: &'a Drain,
        registered: Option<Waker>,
        #[pin]
        notified: Notified<'a>,
    }
}

impl Begun<'_> {
    pub(super) fn poll_begun(self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        let this = self.project();
        if this.drain.has_begun() {
            return true;
        }
        if this.registered.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return false;
        }
        *this.registered = Some(cx.waker().clone());
        matches!(this.notified.poll(cx), Poll::Ready(())) || this.drain.has_begun()
    }
}
