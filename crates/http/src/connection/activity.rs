//! What happened on a connection, as counters that cost next to nothing to keep.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use super::watch::{Phase, Seen};

/// The notes of one connection. On HTTP/1.1 one task writes and reads them; on HTTP/2 every stream has
/// a task. Each note stands alone and a late look is only a late look, so the order is relaxed.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// HTTP/2: its whole preface came.
    http2: AtomicBool,
    /// Heads that were complete, ever (wrapping).
    heads: AtomicU32,
    /// HTTP/1.1: bytes came that belong to no request yet.
    head_begun: AtomicBool,
    /// HTTP/1.1: the head that has begun holds a line end, so its target is complete.
    line_ended: AtomicBool,
    /// Requests given to the service whose response has not been handed over whole.
    in_flight: AtomicU32,
    /// Bytes of the heads of those requests.
    head_bytes: AtomicUsize,
    /// Responses in flight that wait for room on the peer's side (HTTP/2's windows).
    awaiting_peer: AtomicU32,
    /// HTTP/1.1: the service has a body that has not ended.
    body_arriving: AtomicBool,
    /// HTTP/1.1: the service let go of a body before its end.
    body_abandoned: AtomicBool,
    /// HTTP/1.1: the body's time is over; reading fails from now on.
    body_late: AtomicBool,
    /// The last write found no room.
    write_blocked: AtomicBool,
    /// Steps forward of blocked writes (wrapping).
    writes: AtomicU32,
    /// Our side is closed; we only wait for the peer to stop sending.
    lingering: AtomicBool,
}

fn is(flag: &AtomicBool) -> bool {
    flag.load(Ordering::Relaxed)
}

fn set(flag: &AtomicBool, to: bool) {
    flag.store(to, Ordering::Relaxed);
}

impl Activity {
    /// The phase the connection is in. `Seen::mark` tells two instances of one phase apart.
    pub(super) fn phase(&self) -> Seen {
        let heads = self.heads.load(Ordering::Relaxed);
        let seen = |phase, mark| Seen { phase, mark };
        if is(&self.lingering) {
            return seen(Phase::Lingering, 0);
        }
        if is(&self.write_blocked) {
            return seen(Phase::Writing, self.writes.load(Ordering::Relaxed));
        }
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        if in_flight > 0 {
            if self.awaiting_peer.load(Ordering::Relaxed) >= in_flight && self.is_http2() {
                return seen(Phase::Writing, self.writes.load(Ordering::Relaxed));
            }
            if is(&self.body_arriving) && !is(&self.body_late) {
                return seen(Phase::Body, heads);
            }
            return seen(Phase::Working, 0);
        }
        if is(&self.head_begun) {
            return seen(Phase::Head, heads);
        }
        seen(Phase::Idle, heads)
    }

    pub(super) fn is_http2(&self) -> bool {
        is(&self.http2)
    }

    /// No request was ever complete here, and it is not HTTP/2, where a connection may wait for one.
    pub(super) fn is_fresh(&self) -> bool {
        self.heads.load(Ordering::Relaxed) == 0 && !self.is_http2()
    }

    // What the wire tells.

    pub(super) fn http2_begun(&self) {
        set(&self.http2, true);
        set(&self.head_begun, false);
    }

    /// Bytes of HTTP/1.1 came. While a request is in flight they are its body or wait in hyper.
    ///
    /// Two things are not seen from here, and both only choose another of our limits: a head whose
    /// beginning came together with the request before it counts from its next byte, and the rest of a
    /// body that nobody read counts as a head.
    pub(super) fn bytes_came(&self, bytes: &[u8]) {
        if self.in_flight.load(Ordering::Relaxed) > 0 {
            return;
        }
        if !is(&self.head_begun) {
            set(&self.head_begun, true);
            set(&self.line_ended, false);
        }
        if !is(&self.line_ended) && bytes.contains(&b'\n') {
            set(&self.line_ended, true);
        }
    }

    pub(super) fn line_has_ended(&self) -> bool {
        is(&self.line_ended)
    }

    pub(super) fn read_must_fail(&self) -> bool {
        is(&self.body_late)
    }

    pub(super) fn write_moved(&self) {
        if is(&self.write_blocked) {
            set(&self.write_blocked, false);
            self.writes.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn write_found_no_room(&self) {
        set(&self.write_blocked, true);
    }

    pub(super) fn lingers(&self) {
        set(&self.lingering, true);
    }

    // What the service tells.

    pub(super) fn body_begins(&self) {
        set(&self.body_arriving, true);
    }

    pub(super) fn body_ends(&self, whole: bool) {
        set(&self.body_arriving, false);
        if !whole {
            set(&self.body_abandoned, true);
        }
    }

    /// Bytes of the heads of all requests in flight.
    pub(super) fn head_bytes(&self) -> usize {
        self.head_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn body_was_abandoned(&self) -> bool {
        is(&self.body_abandoned)
    }

    // What the watch tells.

    pub(super) fn body_is_late(&self) {
        set(&self.body_late, true);
    }
}

/// A request from the end of its head until its response is handed over or given up.
#[derive(Debug)]
pub(super) struct InFlight {
    activity: Arc<Activity>,
    head_bytes: usize,
    awaits_peer: bool,
}

impl InFlight {
    /// A head of so many bytes is complete.
    pub(super) fn begin(activity: &Arc<Activity>, head_bytes: usize) -> Self {
        activity.heads.fetch_add(1, Ordering::Relaxed);
        set(&activity.head_begun, false);
        activity.in_flight.fetch_add(1, Ordering::Relaxed);
        activity.head_bytes.fetch_add(head_bytes, Ordering::Relaxed);
        Self { activity: Arc::clone(activity), head_bytes, awaits_peer: false }
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// A piece of the response was handed over (then only the peer can hold it up), or the response
    /// itself is not ready (then we do).
    pub(super) fn awaits_peer(&mut self, awaits: bool) {
        if awaits {
            self.activity.writes.fetch_add(1, Ordering::Relaxed);
        }
        match (self.awaits_peer, awaits) {
            (false, true) => self.activity.awaiting_peer.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.activity.awaiting_peer.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
        self.awaits_peer = awaits;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.awaits_peer(false);
        self.activity.head_bytes.fetch_sub(self.head_bytes, Ordering::Relaxed);
        self.activity.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
