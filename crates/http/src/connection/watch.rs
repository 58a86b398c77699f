//! Since when a connection has been in its phase, and for how long it may stay there.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};

use super::activity::Activity;
use super::clock::now;
use crate::limits::Limits;

/// For how long the closed side of a connection waits for the peer to stop sending. Closing a socket
/// with unread bytes would make the peer's kernel throw away the answer it has not read yet.
const LINGER: Duration = Duration::from_secs(2);

/// For how long a connection that was accepted just before the end may still send its first byte.
const FRESH: Duration = Duration::from_secs(1);

/// What a connection is doing, as far as its limits are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No byte of a request (HTTP/1.1), no stream (HTTP/2).
    Idle,
    /// A head has begun and is not complete.
    Head,
    /// A body is awaited by the service and is not complete.
    Body,
    /// The service works, or holds up its own response. Not limited here: that time is ours.
    Working,
    /// A response waits for the peer to take more of it.
    Writing,
    /// Closed on our side.
    Lingering,
}

/// One instance of a phase: a second head is not the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) phase: Phase,
    pub(super) mark: u32,
}

/// What to do now.
pub(super) enum Verdict {
    /// Nothing; the task will be woken.
    Wait,
    /// Come to an end in good order.
    Close,
    /// The service's body fails: its time is over.
    FailRead,
    /// Drop it.
    Cut(Phase),
}

pin_project! {
    pub(super) struct Watch {
        limits: Limits,
        seen: Seen,
        since: Instant,
        // Set while the connection closes in good order.
        closing: bool,
        draining: bool,
        #[pin]
        timer: Sleep,
    }
}

impl Watch {
    pub(super) fn new(limits: Limits) -> Self {
        let seen = Seen { phase: Phase::Idle, mark: 0 };
        let timer = sleep(limits.shortest_time());
        Self { limits, seen, since: now(), closing: false, draining: false, timer }
    }

    /// To be called after every poll of the connection; polls the timer, so a verdict other than
    /// `Wait` asks for another poll of the connection and another look.
    pub(super) fn look(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        activity: &Activity,
        draining: bool,
    ) -> Verdict {
        let mut this = self.project();
        let seen = activity.phase();
        if seen != *this.seen {
            *this.seen = seen;
            // The time of a phase without a limit is never asked for.
            if seen.phase != Phase::Working {
                *this.since = now();
            }
            if seen.phase == Phase::Lingering {
                this.timer.as_mut().reset(*this.since + LINGER);
            }
        }
        if draining && !*this.closing {
            if activity.is_http2() || (seen.phase == Phase::Idle && !activity.is_fresh()) {
                *this.closing = true;
                *this.since = now();
                this.timer.as_mut().reset(*this.since + LINGER);
                return Verdict::Close;
            }
            if !*this.draining {
                *this.draining = true;
                if seen.phase == Phase::Idle {
                    *this.since = now();
                    this.timer.as_mut().reset(*this.since + FRESH);
                }
            }
        }
        while this.timer.as_mut().poll(cx) == Poll::Ready(()) {
            let limit = match seen.phase {
                Phase::Idle if *this.closing => Some(LINGER),
                Phase::Idle if *this.draining => Some(FRESH),
                Phase::Idle => Some(this.limits.idle),
                Phase::Head => Some(this.limits.header_time),
                Phase::Body => Some(this.limits.body_time),
                Phase::Writing => Some(this.limits.write_stalled),
                Phase::Lingering => Some(LINGER),
                Phase::Working => None,
            };
            let now = now();
            let end = limit.map(|limit| *this.since + limit);
            let next_look = now + this.limits.shortest_time();
            match end {
                Some(end) if end <= now => {
                    this.timer.as_mut().reset(now + LINGER.min(this.limits.shortest_time()));
                    return match seen.phase {
                        Phase::Body => Verdict::FailRead,
                        Phase::Idle if !*this.closing => {
                            *this.closing = true;
                            *this.since = now;
                            Verdict::Close
                        }
                        phase => Verdict::Cut(phase),
                    };
                }
                Some(end) => this.timer.as_mut().reset(end.min(next_look)),
                None => this.timer.as_mut().reset(next_look),
            }
        }
        Verdict::Wait
    }
}
