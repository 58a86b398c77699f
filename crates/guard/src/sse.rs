//! A strict reader of server-sent events, as this server writes them.
//!
//! The general format lets a reader guess (unknown fields, events without a name, several lines of data,
//! three kinds of line ends). Here an event is a name, perhaps an id, and one line of data, and anything
//! else is an error: then the stream is not believed any further. Comments are passed over.

use procura_protocol::events::LONGEST_LINE;
use thiserror::Error;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: String,
}

/// The bytes are not events of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum NotEvents {
    #[error("a line is longer than {LONGEST_LINE} bytes")]
    LongLine,
    #[error("a line is not UTF-8")]
    Utf8,
    #[error("a line is not a field of an event")]
    Field,
    #[error("an event names a field twice")]
    Repeated,
    #[error("an event has no name or no data")]
    Incomplete,
}

/// Puts events together from pieces of a body, however they are cut.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    line: Vec<u8>,
    name: Option<String>,
    id: Option<String>,
    data: Option<String>,
}

impl EventReader {
    /// The next event in `bytes`, which is moved behind it; `None` when the rest of the event is still to
    /// come. After an error there is nothing more to read.
    pub(crate) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Event>, NotEvents> {
        loop {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let piece = &bytes[..end.unwrap_or(bytes.len())];
            if self.line.len() + piece.len() > LONGEST_LINE {
                return Err(NotEvents::LongLine);
            }
            self.line.extend_from_slice(piece);
            let Some(end) = end else {
                *bytes = &[];
                return Ok(None);
            };
            *bytes = &bytes[end + 1..];
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8(line).map_err(|_| NotEvents::Utf8)?;
            if !line.is_empty() {
                self.field(&line)?;
            } else if let Some(event) = self.finish()? {
                return Ok(Some(event));
            }
        }
    }

    fn field(&mut self, line: &str) -> Result<(), NotEvents> {
        if line.starts_with(':') {
            return Ok(());
        }
        let (field, value) = line.split_once(": ").ok_or(NotEvents::Field)?;
        let place = match field {
            "event" => &mut self.name,
            "id" => &mut self.id,
            "data" => &mut self.data,
            _ => return Err(NotEvents::Field),
        };
        match place.replace(value.to_owned()) {
            None => Ok(()),
            Some(_) => Err(NotEvents::Repeated),
        }
    }

    /// An empty line ends an event; after a comment there is none to end.
    fn finish(&mut self) -> Result<Option<Event>, NotEvents> {
        match (self.name.take(), self.id.take(), self.data.take()) {
            (None, None, None) => Ok(None),
            (Some(name), id, Some(data)) => Ok(Some(Event { name, id, data })),
            _ => Err(NotEvents::Incomplete),
        }
    }
}

#[cfg(test)]
mod tests {
    use procura_protocol::events::{Position, frame};
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<Event>, NotEvents> {
        let mut reader = EventReader::default();
        let mut events = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while let Some(event) = reader.next(&mut rest)? {
                events.push(event);
            }
            assert!(rest.is_empty());
        }
        Ok(events)
    }

    proptest! {
        #[test]
        fn whatever_is_framed_is_read_however_it_is_cut(
            told in prop::collection::vec(("[a-z]{1,9}", any::<Option<u64>>(), "[^\r\n]{0,40}"), 0..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
        ) {
            let mut text = String::from(": hello\n\n");
            let mut expected = Vec::new();
            for (name, number, data) in told {
                let id = number.map(|number| Position { epoch: "A".repeat(22).into(), number });
                text.push_str(&frame(&name, id.as_ref(), &data));
                expected.push(Event { name, id: id.map(String::from), data });
            }
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            at.extend([0, text.len()]);
            at.sort_unstable();
            let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(&pieces), Ok(expected));
        }

        #[test]
        fn any_bytes_are_read_or_refused(pieces in prop::collection::vec("(event|id|data|:| |\n|a|é){0,12}", 0..9)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(String::as_bytes).collect();
            let whole = pieces.concat();
            prop_assert_eq!(read(&pieces), read(&[&whole]));
        }
    }

    #[test]
    fn what_this_server_does_not_write_is_refused() {
        for (text, why) in [
            ("event: a\ndata: b\ndata: c\n\n", NotEvents::Repeated),
            ("event: a\n\n", NotEvents::Incomplete),
            ("data: a\n\n", NotEvents::Incomplete),
            ("id: a\n\n", NotEvents::Incomplete),
            ("event:a\ndata: b\n\n", NotEvents::Field),
            ("event: a\r\ndata: b\r\n\r\n", NotEvents::Field),
            ("retry: 5\n\n", NotEvents::Field),
            ("\u{feff}event: a\ndata: b\n\n", NotEvents::Field),
            ("<html>\n", NotEvents::Field),
        ] {
            assert_eq!(read(&[text.as_bytes()]), Err(why), "{text:?}");
        }
        assert_eq!(read(&[b"event: \xff\n"]), Err(NotEvents::Utf8));
    }

    #[test]
    fn an_endless_line_is_refused_before_it_fills_the_memory() {
        let mut reader = EventReader::default();
        let piece = vec![b'a'; 64 * 1024];
        let refused = (0..100).find_map(|_| reader.next(&mut &piece[..]).err());
        assert_eq!(refused, Some(NotEvents::LongLine));
        assert!(reader.line.len() <= LONGEST_LINE);
    }
}
