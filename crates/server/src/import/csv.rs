//! CSV (RFC 4180): a header line with the columns' names, then a row a line.

use std::collections::VecDeque;
use std::io::{self, Read};

use csv::{ByteRecord, Reader, ReaderBuilder};
use procura_store::administration::{Line, Refusal};
use procura_store::change::Entity;
use procura_store::fields::{Columns, Row};

use super::{LONGEST_ROW, bad};

/// Reads the lines of a CSV file below its header.
pub(super) fn lines(source: impl Read + Send, entity: Entity) -> impl Iterator<Item = Line> + Send {
    let watched = Watched { source, since_row: 0, read: 0, line: 1, at_start: true, starts: VecDeque::new() };
    let reader = ReaderBuilder::new().flexible(true).has_headers(false).from_reader(watched);
    Lines { reader, entity, columns: None, record: ByteRecord::new(), over: false }
}

struct Lines<R> {
    reader: Reader<Watched<R>>,
    entity: Entity,
    /// Known once the header has been read.
    columns: Option<Columns>,
    record: ByteRecord,
    over: bool,
}

impl<R: Read> Iterator for Lines<R> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        if self.over {
            return None;
        }
        let line = if self.columns.is_none() { self.after_header() } else { self.line() };
        self.over = line.as_ref().is_none_or(|(_, last)| *last);
        line.map(|(line, _)| line)
    }
}

impl<R: Read> Lines<R> {
    /// The first line below the header, or what is wrong with the header.
    fn after_header(&mut self) -> Option<(Line, bool)> {
        let number = match self.read() {
            None => return Some((bad(1, "the file is empty; its first line must name the columns"), true)),
            Some(Ok(number)) => number,
            Some(Err(line)) => return Some((line, true)),
        };
        match header(self.entity, &self.record) {
            Ok(columns) => self.columns = Some(columns),
            Err(refusal) => return Some((Line { number, row: Err(refusal) }, true)),
        }
        self.line()
    }

    /// The next line, and whether it is the last that can be read.
    fn line(&mut self) -> Option<(Line, bool)> {
        let number = match self.read()? {
            Ok(number) => number,
            Err(line) => return Some((line, true)),
        };
        let row = row(self.columns.as_ref()?, &self.record);
        Some((Line { number, row }, false))
    }

    /// Reads one record and gives the number of its first line.
    fn read(&mut self) -> Option<Result<u64, Line>> {
        self.reader.get_mut().since_row = 0;
        let begins = self.reader.position().byte();
        match self.reader.read_byte_record(&mut self.record) {
            Ok(true) => Some(Ok(self.reader.get_mut().line_of(begins))),
            Ok(false) => None,
            Err(error) => {
                let line = self.reader.get_mut().line_of(begins);
                Some(Err(bad(line, format_args!("can't be read: {error}"))))
            }
        }
    }
}

fn header(entity: Entity, record: &ByteRecord) -> Result<Columns, Refusal> {
    let names: Vec<String> = record
        .iter()
        .enumerate()
        // Spreadsheets like to begin a file with a byte order mark.
        .map(|(at, name)| if at == 0 { name.strip_prefix(b"\xef\xbb\xbf").unwrap_or(name) } else { name })
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    Ok(Columns::read(entity, names.iter().map(String::as_str))?)
}

fn row(columns: &Columns, record: &ByteRecord) -> Result<Row, Refusal> {
    let values: Result<Vec<&str>, _> = record.iter().map(std::str::from_utf8).collect();
    let values = values.map_err(|_| Refusal::Unreadable("is not UTF-8".to_owned()))?;
    Ok(columns.row(values)?)
}

/// Watches the bytes that go by.
///
/// It stops when one row has taken more than a row may: a quote that is never closed would otherwise
/// swallow the rest of the file into memory. And it counts lines, because the library's count is off by
/// the line ends that it skips before a row.
struct Watched<R> {
    source: R,
    since_row: usize,
    /// Bytes so far.
    read: u64,
    /// The line that the next byte is on.
    line: u64,
    /// Whether that line is empty so far.
    at_start: bool,
    /// Where lines with something on them begin, as far as no row was made of them yet.
    starts: VecDeque<(u64, u64)>,
}

impl<R> Watched<R> {
    /// The number of the first line with something on it from this byte on.
    fn line_of(&mut self, byte: u64) -> u64 {
        while self.starts.front().is_some_and(|(start, _)| *start < byte) {
            self.starts.pop_front();
        }
        self.starts.front().map_or(self.line, |(_, line)| *line)
    }

    fn watch(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => (self.line, self.at_start) = (self.line + 1, true),
                b'\r' => {}
                _ if self.at_start => {
                    self.starts.push_back((self.read, self.line));
                    self.at_start = false;
                }
                _ => {}
            }
            self.read += 1;
        }
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since_row > LONGEST_ROW {
            return Err(io::Error::other("a row is longer than 1 MiB; is a quote left open?"));
        }
        let read = self.source.read(buffer)?;
        self.since_row += read;
        self.watch(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: impl AsRef<[u8]>) -> Vec<String> {
        let text = std::io::Cursor::new(text.as_ref().to_vec());
        lines(text, Entity::Client)
            .map(|line| match line.row {
                Ok(row) => format!("{}: {}", line.number, row.key()),
                Err(refusal) => format!("{}: {refusal}", line.number),
            })
            .collect()
    }

    #[test]
    fn rows_are_told_by_the_line_they_begin_on() {
        let text = "client_id,client_name\nc0,\"has a comma, and\"\nc1\n\nc2,ok\n";
        assert_eq!(
            told(text),
            ["2: client c0", "3: has 1 values where the first line has 2 names", "5: client c2"]
        );
        let two_lines = told("client_id,client_name\nc0,\"two\nlines\"\nc1,x\n");
        assert!(two_lines[0].starts_with("2: client_name has a control character"), "{}", two_lines[0]);
        assert_eq!(two_lines[1], "4: client c1");
    }

    #[test]
    fn a_wrong_header_ends_it() {
        let wrong = told("client_id,client_nam\nc1,x\n");
        assert_eq!(wrong.len(), 1);
        assert!(wrong[0].starts_with("1: there is no field 'client_nam'"), "{}", wrong[0]);
        assert_eq!(told("client_id,client_id\nc1,x\n"), ["1: client_id stands there twice; keep one"]);
        assert_eq!(told(""), ["1: the file is empty; its first line must name the columns"]);
        assert_eq!(told("client_id,client_name\n"), [""; 0]);
    }

    #[test]
    fn what_is_not_utf_8_is_told_and_the_rest_goes_on() {
        let rows = told(b"\xef\xbb\xbfclient_id,client_name\r\nc1,\xff\r\nc2,x\r\n");
        assert_eq!(rows, ["2: is not UTF-8", "3: client c2"]);
    }

    #[test]
    fn an_open_quote_does_not_swallow_a_large_file() {
        let rows = told(format!("client_id,client_name\nc1,\"{}", "x\n".repeat(LONGEST_ROW)));
        assert_eq!(rows.len(), 1);
        assert!(rows[0].contains("longer than 1 MiB"), "{}", rows[0]);
    }
}
