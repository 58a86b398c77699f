//! The stream of revocations, `GET /events` (contract, chapter 8): server-sent events.
//!
//! | event | data | id |
//! |---|---|---|
//! | `snapshot` | [`Snapshot`]: some of all marks that are kept; the last one is `complete` | on the last |
//! | `marks` | [`Marks`]: new ones, numbered without gaps | position of the last of them |
//! | `heartbeat` | [`Heartbeat`]: up to when everything was told | none |
//!
//! Marks are numbered from 1 within an epoch, which is another one after each start of a server.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::mark::MarkSubject;
use crate::time::UnixSeconds;

/// Name of an event that holds a part of a [`Snapshot`].
pub const SNAPSHOT: &str = "snapshot";
/// Name of an event that holds [`Marks`].
pub const MARKS: &str = "marks";
/// Name of an event that holds a [`Heartbeat`].
pub const HEARTBEAT: &str = "heartbeat";

/// Most marks in one event.
pub const MOST_MARKS_IN_EVENT: usize = 500;
/// Longest line of the stream in bytes; whoever reads may refuse longer ones.
pub const LONGEST_LINE: usize = 256 * 1024;
/// Seconds between heartbeats.
pub const HEARTBEAT_SECONDS: u64 = 1;

/// A mark as resources are told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldMark {
    /// What it hits, as a digest.
    pub subject: MarkSubject,
    /// Tokens with this subject that were decided on a lower version are dead.
    pub version: u64,
    /// Whether they are dead whatever their version.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_version: bool,
    /// When the last token that it can hit is gone for sure.
    pub keep_until: UnixSeconds,
    /// Of a mark on tokens of one application (kinds token, application and trust): the subject of a mark
    /// on that application. What an overflow collapses to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<MarkSubject>,
}

/// A place in the stream: `EPOCH.NUMBER`, as in `id` and `Last-Event-ID`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Position {
    /// 22 characters of base64url, random.
    pub epoch: Box<str>,
    /// Number of the last mark that is known; 0 before the first.
    pub number: u64,
}

/// A text that is no [`Position`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an epoch of 22 characters of base64url, a dot and a number")]
pub struct InvalidPosition;

impl Position {
    /// Reads `EPOCH.NUMBER`.
    pub fn parse(text: &str) -> Result<Position, InvalidPosition> {
        let (epoch, number) = text.split_once('.').ok_or(InvalidPosition)?;
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if epoch.len() != 22 || !epoch.bytes().all(letters) || !digits {
            return Err(InvalidPosition);
        }
        Ok(Position { epoch: epoch.into(), number: number.parse().map_err(|_| InvalidPosition)? })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.number)
    }
}

impl From<Position> for String {
    fn from(position: Position) -> String {
        position.to_string()
    }
}

impl TryFrom<String> for Position {
    type Error = InvalidPosition;

    fn try_from(text: String) -> Result<Self, InvalidPosition> {
        Position::parse(&text)
    }
}

/// A part of all marks that are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Up to which mark the whole snapshot goes; the same in all its parts.
    pub position: Position,
    /// Whether this is its first part: what was collected of another is forgotten.
    pub first: bool,
    /// Whether this is its last part: from now on it holds.
    pub complete: bool,
    /// Some marks; none in an empty snapshot.
    pub marks: Vec<ToldMark>,
}

/// New marks, in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Number of the first; it follows the last that was told.
    pub from: u64,
    /// They themselves, never none.
    pub marks: Vec<ToldMark>,
}

/// Everything up to some moment was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Number of the last mark that was told.
    pub number: u64,
    /// The directory's version that the marks told so far go with.
    pub version: u64,
    /// Milliseconds from the beginning of this answer to the moment up to which everything is told.
    /// Whoever asked for the stream at a time T of its own knows everything up to T + `age_ms` at least.
    pub age_ms: u64,
}

/// One event as it is sent. `data` must be one line.
pub fn frame(event: &str, id: Option<&Position>, data: &str) -> String {
    debug_assert!(!data.contains(['\n', '\r']));
    match id {
        Some(id) => format!("event: {event}\nid: {id}\ndata: {data}\n\n"),
        None => format!("event: {event}\ndata: {data}\n\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: &str = "AAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn a_position_reads_back_and_nothing_else_is_one() {
        let position = Position { epoch: EPOCH.into(), number: 17 };
        assert_eq!(Position::parse(&position.to_string()), Ok(position));
        for wrong in [
            "",
            "17",
            ".17",
            "AAAA.1",
            "AAAAAAAAAAAAAAAAAAAAAA.",
            "AAAAAAAAAAAAAAAAAAAAAA.+1",
            "AAAAAAAAAAAAAAAAAAAAAA.-1",
            "AAAAAAAAAAAAAAAAAAAA\nA.1",
            "AAAAAAAAAAAAAAAAAAAAAA.99999999999999999999",
        ] {
            assert_eq!(Position::parse(wrong), Err(InvalidPosition), "{wrong}");
        }
    }

    #[test]
    fn a_full_event_fits_into_the_longest_line() {
        let subject = MarkSubject([255; 32]);
        let mark = ToldMark {
            subject,
            version: u64::MAX,
            any_version: true,
            keep_until: UnixSeconds(i64::MAX),
            application: Some(subject),
        };
        let marks = Marks { from: u64::MAX, marks: vec![mark; MOST_MARKS_IN_EVENT] };
        assert!(serde_json::to_string(&marks).unwrap().len() + 16 < LONGEST_LINE);
    }

    #[test]
    fn what_is_usual_is_left_out_of_a_mark() {
        let mark = ToldMark {
            subject: MarkSubject([0; 32]),
            version: 7,
            any_version: false,
            keep_until: UnixSeconds(9),
            application: None,
        };
        let text = serde_json::to_string(&mark).unwrap();
        let subject = "A".repeat(43);
        assert_eq!(text, format!(r#"{{"subject":"{subject}","version":7,"keep_until":9}}"#));
        assert_eq!(serde_json::from_str::<ToldMark>(&text).unwrap(), mark);
        let frame = frame(MARKS, Some(&Position { epoch: EPOCH.into(), number: 3 }), "{}");
        assert_eq!(frame, format!("event: marks\nid: {EPOCH}.3\ndata: {{}}\n\n"));
    }
}
