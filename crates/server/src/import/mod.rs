//! Reading the files of an import: CSV and JSON lines, row by row, with line numbers.
//!
//! This knows how a file is cut into names and values; which names there are and what a value may be is
//! judged by `procura_store::fields`. Nothing is kept but the row at hand, so a file of millions of rows
//! costs no memory.

mod csv;
mod json_lines;

use std::fmt;
use std::io::Read;
use std::path::Path;

use procura_store::administration::{Line, Refusal};
use procura_store::change::Entity;

/// Longest row, in bytes. The longest that makes sense is a trust that names thousands of contacts.
pub const LONGEST_ROW: usize = 1 << 20;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180 with a header line, UTF-8.
    Csv,
    /// One JSON object a line, values as strings.
    JsonLines,
}

impl Format {
    /// The format that a file's name tells: `.csv`, `.jsonl`, `.ndjson`.
    pub fn of(path: &Path) -> Option<Format> {
        let extension = path.extension()?.to_str()?.to_lowercase();
        match extension.as_str() {
            "csv" => Some(Format::Csv),
            "jsonl" | "ndjson" => Some(Format::JsonLines),
            _ => None,
        }
    }
}

/// Reads the lines of an import. What can't be read at all is a line too, with its reason; after a
/// header that makes no sense, or when the file can't be read on, it is the last.
pub fn lines(
    source: impl Read + Send + 'static,
    format: Format,
    entity: Entity,
) -> Box<dyn Iterator<Item = Line> + Send> {
    match format {
        Format::Csv => Box::new(csv::lines(source, entity)),
        Format::JsonLines => Box::new(json_lines::lines(source, entity)),
    }
}

fn bad(number: u64, why: impl fmt::Display) -> Line {
    Line { number, row: Err(Refusal::Unreadable(why.to_string())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_name_tells_its_format() {
        assert_eq!(Format::of(Path::new("a/contacts.CSV")), Some(Format::Csv));
        assert_eq!(Format::of(Path::new("x.ndjson")), Some(Format::JsonLines));
        assert_eq!(Format::of(Path::new("x.xlsx")), None);
    }

    #[test]
    fn the_same_rows_come_out_of_both_formats() {
        let csv = "name,contact_id\n\"Σοφία \"\"S\"\", Ltd\",c1\n,c2\n";
        let json = "{\"name\":\"Σοφία \\\"S\\\", Ltd\",\"contact_id\":\"c1\"}\n\
                    {\"name\":\"\",\"contact_id\":\"c2\"}\n";
        let of = |text: &'static str, format| -> Vec<_> {
            lines(text.as_bytes(), format, Entity::Contact).map(|line| line.row.unwrap()).collect()
        };
        assert_eq!(of(csv, Format::Csv), of(json, Format::JsonLines));
        assert_eq!(of(csv, Format::Csv)[0].get("name"), Some(Some("Σοφία \"S\", Ltd")));
        assert_eq!(of(csv, Format::Csv)[1].get("name"), Some(None));
    }
}
