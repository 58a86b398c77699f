//! What the stream of revocations says, event by event (contract, chapter 8). No network in here.

use std::sync::Arc;
use std::time::Duration;

use procura_protocol::events::{
    HEARTBEAT, Heartbeat, MARKS, MOST_MARKS_IN_EVENT, Marks, Position, SNAPSHOT, Snapshot,
};
use procura_protocol::mark_view::MarkView;
use procura_protocol::time::UnixSeconds;
use thiserror::Error;

use crate::clock::Clock;
use crate::marks::FollowedMarks;
use crate::sse::{Event, EventReader, NotEvents};

/// Why a stream is not believed any further. What it told may have a hole, so everything is asked for
/// anew, and until it is there no token passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Broken {
    #[error(transparent)]
    NotEvents(#[from] NotEvents),
    #[error("an event has another name than this guard knows")]
    Name,
    #[error("an event's data can't be read")]
    Data,
    #[error("an event's id is not where its marks end")]
    Id,
    #[error("the numbers have a gap, or belong to another epoch")]
    Gap,
    #[error("a snapshot does not fit together")]
    Snapshot,
    #[error("the wall clock was set back, and marks were forgotten that may be needed again")]
    Clock,
}

/// How far the stream was followed; outlives a connection.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    position: Option<Position>,
    collecting: Option<(Position, MarkView)>,
}

/// One answer of the stream.
#[derive(Debug)]
pub(crate) struct Answer {
    reader: EventReader,
    /// The guard's own time before it sent the request.
    asked_at: Duration,
}

impl Answer {
    pub(crate) fn new(asked_at: Duration) -> Answer {
        Answer { reader: EventReader::default(), asked_at }
    }
}

impl Follower {
    /// Where to go on from.
    pub(crate) fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// A new connection: what was collected of a snapshot is lost.
    pub(crate) fn begin(&mut self) {
        self.collecting = None;
    }

    /// Takes in a piece of an answer. Whether there was a heartbeat in it.
    pub(crate) fn read(
        &mut self,
        answer: &mut Answer,
        mut bytes: &[u8],
        marks: &FollowedMarks,
    ) -> Result<bool, Broken> {
        let mut told = false;
        while let Some(event) = answer.reader.next(&mut bytes)? {
            match event.name.as_str() {
                SNAPSHOT => self.snapshot(&event, marks)?,
                MARKS => self.marks(&event, marks)?,
                HEARTBEAT => {
                    let heartbeat = self.heartbeat(&event)?;
                    if marks.forgot_too_much() {
                        return Err(Broken::Clock);
                    }
                    let age = Duration::from_millis(heartbeat.age_ms);
                    marks.confirm(answer.asked_at.saturating_add(age));
                    told = true;
                }
                _ => return Err(Broken::Name),
            }
        }
        Ok(told)
    }

    /// The stream broke: nothing of it is known for sure.
    pub(crate) fn forget(&mut self, marks: &FollowedMarks) {
        *self = Follower::default();
        marks.cut_off();
    }

    fn snapshot(&mut self, event: &Event, marks: &FollowedMarks) -> Result<(), Broken> {
        let part: Snapshot = serde_json::from_str(&event.data).map_err(|_| Broken::Data)?;
        let mut view = match self.collecting.take() {
            _ if part.first => marks.empty_view(),
            Some((position, view)) if position == part.position => view,
            _ => return Err(Broken::Snapshot),
        };
        if part.marks.len() > MOST_MARKS_IN_EVENT {
            return Err(Broken::Data);
        }
        part.marks.iter().for_each(|mark| view.add(mark));
        if !part.complete {
            self.collecting = Some((part.position, view));
            return if event.id.is_none() { Ok(()) } else { Err(Broken::Id) };
        }
        if id_of(event)? != part.position {
            return Err(Broken::Id);
        }
        marks.replace(view);
        self.position = Some(part.position);
        Ok(())
    }

    fn marks(&mut self, event: &Event, marks: &FollowedMarks) -> Result<(), Broken> {
        let new: Marks = serde_json::from_str(&event.data).map_err(|_| Broken::Data)?;
        let position = self.known()?;
        if new.marks.is_empty() || new.marks.len() > MOST_MARKS_IN_EVENT {
            return Err(Broken::Data);
        }
        if position.number.checked_add(1) != Some(new.from) {
            return Err(Broken::Gap);
        }
        let last = position.number.checked_add(new.marks.len() as u64).ok_or(Broken::Gap)?;
        let id = id_of(event)?;
        if id.epoch != position.epoch {
            return Err(Broken::Gap);
        }
        if id.number != last {
            return Err(Broken::Id);
        }
        marks.add(&new.marks);
        position.number = last;
        Ok(())
    }

    fn heartbeat(&mut self, event: &Event) -> Result<Heartbeat, Broken> {
        let heartbeat: Heartbeat = serde_json::from_str(&event.data).map_err(|_| Broken::Data)?;
        let position = self.known()?;
        if event.id.is_some() {
            return Err(Broken::Id);
        }
        if heartbeat.number == position.number { Ok(heartbeat) } else { Err(Broken::Gap) }
    }

    /// Up to where everything is known. Nothing is while a snapshot is on its way: what follows it in the
    /// stream must wait for its end.
    fn known(&mut self) -> Result<&mut Position, Broken> {
        match (&self.collecting, &mut self.position) {
            (None, Some(position)) => Ok(position),
            (Some(_), _) => Err(Broken::Snapshot),
            (None, None) => Err(Broken::Gap),
        }
    }
}

fn id_of(event: &Event) -> Result<Position, Broken> {
    event.id.as_deref().and_then(|id| Position::parse(id).ok()).ok_or(Broken::Id)
}

/// Reads a stream of any bytes, whole and in pieces, for the fuzzer. Whether a heartbeat was believed.
#[doc(hidden)]
pub fn fuzz_events(bytes: &[u8]) -> bool {
    let whole = followed(&[bytes]);
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    assert_eq!(whole, followed(&[first, rest]), "it depends on how the bytes are cut");
    let (read, position, is_known) = whole;
    assert!(!is_known || position.is_some(), "known without a snapshot");
    assert!(read.is_ok() || !is_known, "believed after it broke");
    read == Ok(true)
}

fn followed(pieces: &[&[u8]]) -> (Result<bool, Broken>, Option<Position>, bool) {
    struct Still;
    impl Clock for Still {
        fn now(&self) -> UnixSeconds {
            UnixSeconds(0)
        }
        fn elapsed(&self) -> Duration {
            Duration::from_secs(60)
        }
    }
    let marks = FollowedMarks::new(100, Duration::from_secs(5), Arc::new(Still), Arc::default());
    let (mut follower, mut answer) = (Follower::default(), Answer::new(Duration::from_secs(59)));
    let mut told = Ok(false);
    for piece in pieces {
        told = match (told, follower.read(&mut answer, piece, &marks)) {
            (Ok(before), Ok(now)) => Ok(before | now),
            (Ok(_), Err(broken)) => {
                follower.forget(&marks);
                Err(broken)
            }
            (Err(broken), _) => Err(broken),
        };
        if told.is_err() {
            break;
        }
    }
    let position = follower.position().cloned();
    (told, position, marks.staleness().is_some())
}
