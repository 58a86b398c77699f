//! JSON lines: one object a line, names as in CSV, values as strings.

use std::fmt;
use std::io::{BufRead, BufReader, Read};

use procura_store::administration::{Line, Refusal};
use procura_store::change::Entity;
use procura_store::fields::Row;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::{LONGEST_ROW, bad};

/// U+FEFF in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads the lines of a file of JSON lines. Empty ones are skipped.
pub(super) fn lines(source: impl Read + Send, entity: Entity) -> impl Iterator<Item = Line> + Send {
    Lines { source: BufReader::with_capacity(1 << 16, source), entity, number: 0, over: false }
}

struct Lines<R> {
    source: BufReader<R>,
    entity: Entity,
    number: u64,
    over: bool,
}

impl<R: Read> Iterator for Lines<R> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        while !self.over {
            self.number += 1;
            let mut bytes = Vec::new();
            let read = (&mut self.source).take(LONGEST_ROW as u64 + 1).read_until(b'\n', &mut bytes);
            // Some editors put a byte order mark before the first line.
            if self.number == 1 && bytes.starts_with(MARK) {
                bytes.drain(..MARK.len());
            }
            let line = match read {
                Ok(0) => return None,
                Ok(read) if read > LONGEST_ROW => bad(self.number, "is longer than 1 MiB"),
                Ok(_) if bytes.trim_ascii().is_empty() => continue,
                Ok(_) => return Some(Line { number: self.number, row: row(self.entity, &bytes) }),
                Err(error) => bad(self.number, format_args!("can't be read: {error}")),
            };
            self.over = true;
            return Some(line);
        }
        None
    }
}

fn row(entity: Entity, bytes: &[u8]) -> Result<Row, Refusal> {
    let unreadable = |why: &str| Refusal::Unreadable(why.to_owned());
    let text = std::str::from_utf8(bytes).map_err(|_| unreadable("is not UTF-8"))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let pairs = reader.deserialize_map(Pairs).and_then(|pairs| reader.end().map(|()| pairs));
    let pairs = pairs.map_err(|error| {
        // The line is told already; the library's own "at line 1" would only confuse.
        let told = error.to_string();
        unreadable(told.split(" at line ").next().unwrap_or(&told))
    })?;
    Ok(Row::read(entity, pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))?)
}

/// Reads an object of strings. Names that stand there twice come out twice.
struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(String, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object whose values are strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            match map.next_value::<serde_json::Value>()? {
                serde_json::Value::String(value) => pairs.push((name, value)),
                // As `list --json` shows what is empty.
                serde_json::Value::Null => pairs.push((name, String::new())),
                _ => {
                    let shown: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
                    return Err(A::Error::custom(format_args!("'{shown}' must be a string, in quotes")));
                }
            }
        }
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &'static [u8]) -> Vec<String> {
        lines(text, Entity::Application)
            .map(|line| match line.row {
                Ok(row) => format!("{}: {}", line.number, row.key()),
                Err(refusal) => format!("{}: {refusal}", line.number),
            })
            .collect()
    }

    #[test]
    fn each_line_stands_for_itself() {
        let told = told(
            b"{\"application_id\":\"app_1\"}\n\n{\"application_id\":\"app_2\",\"trusted\":true}\n[]\n\
              \xff\n{\"name\":\"x\"}\n{\"application_id\":\"app_9\"}",
        );
        assert_eq!(
            told,
            [
                "1: application app_1",
                "3: 'trusted' must be a string, in quotes",
                "4: invalid type: sequence, expected an object whose values are strings",
                "5: is not UTF-8",
                "6: application_id is missing",
                "7: application app_9",
            ]
        );
    }

    #[test]
    fn a_byte_order_mark_may_stand_before_the_first_line_only() {
        let told = told(
            b"\xef\xbb\xbf{\"application_id\":\"app_1\"}\r\n\xef\xbb\xbf{\"application_id\":\"app_2\"}\r\n",
        );
        assert_eq!(told, ["1: application app_1", "2: expected value"]);
    }

    #[test]
    fn a_name_twice_or_something_after_the_object_is_refused() {
        assert_eq!(
            told(b"{\"application_id\":\"app_1\",\"application_id\":\"app_2\"}\n{} {}\n"),
            ["1: application_id stands there twice; keep one", "2: trailing characters"]
        );
    }
}
