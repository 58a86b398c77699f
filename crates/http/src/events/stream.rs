//! The stream as a body: everything first, or what was missed, then marks as they come and a heartbeat
//! every second.
//!
//! A heartbeat promises that everything up to some moment was told. So the order is: see that the
//! directory is fresh, then take the marks (those of a version are there before the version is), send
//! them, and only then the heartbeat. While the directory can't be confirmed there is none, and guards
//! fail closed by themselves.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use procura_engine::resource_auth::ListeningResource;
use procura_protocol::events::{
    HEARTBEAT, HEARTBEAT_SECONDS, Heartbeat, MARKS, MOST_MARKS_IN_EVENT, Marks, Position, SNAPSHOT, Snapshot,
    ToldMark, frame,
};
use procura_store::revocations::Since;
use procura_store::{Journal, Store};
use serde::Serialize;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::places::{Place, Turn};
use crate::routes::App;

/// An answer ends then, so that the clocks of both sides never drift apart by much within one.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// Who has not taken in by then what there was at the beginning, makes room for others.
const LONGEST_TURN: Duration = Duration::from_secs(30);
/// When to look again after the directory was confirmed before this answer began, and not since.
const SOON: Duration = Duration::from_millis(100);

/// `GET /events`, from its first event to its last.
pub(super) struct EventStream<S, J> {
    app: Arc<App<S, J>>,
    resource: ListeningResource,
    /// Up to where the guard knows, or will when all that is ready was sent.
    known: Option<Position>,
    /// When this answer began.
    began: Duration,
    ticks: Interval,
    /// Marks that are still to be sent, of one look.
    ready: Ready,
    /// To be sent after them.
    heartbeat: Option<Heartbeat>,
    drained: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Held until what there was at the beginning has been told.
    turn: Option<Turn>,
    /// Whether it was looked at all for what there is.
    looked: bool,
    _place: Place,
}

#[derive(Default)]
struct Ready {
    marks: VecDeque<ToldMark>,
    /// Of a snapshot: where it ends, and whether its first part is to be sent.
    snapshot: Option<(Position, bool)>,
    /// Of new marks: the number of the next.
    next: u64,
}

impl<S: Store, J: Journal> EventStream<S, J> {
    pub(super) fn new(
        app: Arc<App<S, J>>,
        resource: ListeningResource,
        known: Option<Position>,
        (place, turn): (Place, Turn),
    ) -> EventStream<S, J> {
        let mut ticks = interval(Duration::from_secs(HEARTBEAT_SECONDS));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        EventStream {
            began: app.engine.monotonic(),
            drained: Box::pin(app.drain.clone().drained()),
            app,
            resource,
            known,
            ticks,
            ready: Ready::default(),
            heartbeat: None,
            turn: Some(turn),
            looked: false,
            _place: place,
        }
    }

    /// Looks for what is new, and whether a heartbeat may follow it; `false` when it is time to end.
    fn look(&mut self, with_heartbeat: bool) -> bool {
        let engine = &self.app.engine;
        let age = engine.monotonic().saturating_sub(self.began);
        // The confirmation is older than the look at the version: that is what may be promised.
        let confirmed = age.checked_sub(engine.directory_age());
        let listens = engine.may_still_listen(&self.resource);
        let version = engine.directory().map(|directory| directory.version());
        match engine.revocations().since(self.known.as_ref()) {
            Since::Marks { from, marks } => {
                self.ready = Ready { marks: marks.into(), snapshot: None, next: from };
            }
            Since::Snapshot { position, marks } => {
                let snapshot = Some((position, true));
                self.ready = Ready { marks: marks.into(), snapshot, next: 0 };
            }
        }
        let number = self.after().number;
        self.looked = true;
        self.heartbeat = match (version, confirmed) {
            (Ok(version), Some(confirmed)) if with_heartbeat => Some(Heartbeat {
                number,
                version: version.0,
                age_ms: u64::try_from(confirmed.as_millis()).unwrap_or(u64::MAX),
            }),
            (Ok(_), None) if with_heartbeat => {
                self.ticks.reset_after(SOON);
                None
            }
            _ => None,
        };
        age < LONGEST && listens.unwrap_or(true)
    }

    /// Where the guard is when everything that is ready was sent.
    fn after(&self) -> Position {
        match (&self.ready.snapshot, &self.known) {
            (Some((position, _)), _) => position.clone(),
            (None, Some(known)) => {
                let number = self.ready.next - 1 + self.ready.marks.len() as u64;
                Position { number, ..known.clone() }
            }
            (None, None) => self.app.engine.revocations().position(),
        }
    }

    /// The next event that is ready.
    fn event(&mut self) -> Option<Bytes> {
        let text = if self.ready.snapshot.is_some() {
            self.snapshot_event()
        } else if !self.ready.marks.is_empty() {
            self.marks_event()
        } else {
            // All was told: the next guard may have its turn.
            if self.looked {
                self.turn = None;
            }
            let heartbeat = self.heartbeat.take()?;
            json(&heartbeat).map(|data| frame(HEARTBEAT, None, &data))
        };
        text.map(Bytes::from)
    }

    fn snapshot_event(&mut self) -> Option<String> {
        let (position, first) = self.ready.snapshot.take()?;
        let marks = self.take();
        let complete = self.ready.marks.is_empty();
        let data = json(&Snapshot { position: position.clone(), first, complete, marks })?;
        if complete {
            let text = frame(SNAPSHOT, Some(&position), &data);
            self.known = Some(position);
            Some(text)
        } else {
            self.ready.snapshot = Some((position, false));
            Some(frame(SNAPSHOT, None, &data))
        }
    }

    fn marks_event(&mut self) -> Option<String> {
        let from = self.ready.next;
        let marks = self.take();
        self.ready.next += marks.len() as u64;
        let known = self.known.as_mut()?;
        known.number = self.ready.next - 1;
        Some(frame(MARKS, Some(known), &json(&Marks { from, marks })?))
    }

    fn take(&mut self) -> Vec<ToldMark> {
        let some = self.ready.marks.len().min(MOST_MARKS_IN_EVENT);
        self.ready.marks.drain(..some).collect()
    }
}

impl<S: Store, J: Journal> Body for EventStream<S, J> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let stream = self.get_mut();
        loop {
            if stream.drained.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            let age = stream.app.engine.monotonic().saturating_sub(stream.began);
            if stream.turn.is_some() && age > LONGEST_TURN {
                return Poll::Ready(None);
            }
            if let Some(event) = stream.event() {
                return Poll::Ready(Some(Ok(Frame::data(event))));
            }
            let ticked = stream.ticks.poll_tick(cx).is_ready();
            let number = stream.known.as_ref().map_or(0, |known| known.number);
            let marked = stream.app.engine.revocations().poll_beyond(number, cx).is_ready();
            if !ticked && !marked {
                return Poll::Pending;
            }
            if !stream.look(ticked) {
                return Poll::Ready(None);
            }
        }
    }
}

fn json<T: Serialize>(value: &T) -> Option<String> {
    // Numbers and base64url: nothing in there can fail.
    serde_json::to_string(value).ok()
}
