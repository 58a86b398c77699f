//! What commands print on standard output: tables for people, JSON for programs.

use std::io::{self, BufWriter, StdoutLock, Write};

use serde::Serialize;
use serde_json::Value;

use crate::exit::{Failure, Outcome};

/// Standard output, in the form that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Aligned text.
    Text,
    /// One JSON document.
    Json,
}

impl Form {
    /// The form that `--json` stands for.
    pub(crate) fn json_if(json: bool) -> Form {
        if json { Form::Json } else { Form::Text }
    }

    /// Prints one thing: `text` for people, `value` for programs.
    pub(crate) fn print(self, text: &str, value: &impl Serialize) -> Outcome {
        match self {
            Form::Text => line(text),
            Form::Json => json_line(value),
        }
    }
}

/// Prints a line. Flushed, because a program may be waiting for it.
pub(crate) fn line(text: &str) -> Outcome {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).or_else(closed)
}

/// Prints one line of JSON.
pub(crate) fn json_line(value: &impl Serialize) -> Outcome {
    line(&serde_json::to_string(value).map_err(Failure::unavailable)?)
}

/// Tells something beside the result, on standard error, so that pipes stay clean.
pub(crate) fn note(text: &str) {
    // Nobody may be listening, and the result does not depend on it.
    let _ = writeln!(io::stderr(), "{text}");
}

/// A list that is printed while it is read, page by page: rows of a table, or members of one JSON array.
pub(crate) struct List {
    form: Form,
    columns: &'static [&'static str],
    out: BufWriter<StdoutLock<'static>>,
    widths: Vec<usize>,
    rows: usize,
}

/// The widest that a column of a table gets before its text is simply longer.
const WIDEST: usize = 48;

impl List {
    /// Begins a list with these columns.
    pub(crate) fn begin(form: Form, columns: &'static [&'static str]) -> List {
        List { form, columns, out: BufWriter::new(io::stdout().lock()), widths: Vec::new(), rows: 0 }
    }

    /// Prints a page. Columns are as wide as the first page needs.
    pub(crate) fn page(&mut self, rows: &[Value]) -> Outcome {
        let written = match self.form {
            Form::Json => self.json(rows),
            Form::Text => self.table(rows),
        };
        written.or_else(closed)
    }

    /// Ends the list; a table says how many rows it had.
    pub(crate) fn end(mut self) -> Outcome {
        let written = match self.form {
            Form::Json if self.rows == 0 => writeln!(self.out, "[]"),
            Form::Json => writeln!(self.out, "\n]"),
            Form::Text if self.rows == 0 => writeln!(self.out, "none"),
            Form::Text => Ok(()),
        };
        written.and_then(|()| self.out.flush()).or_else(closed)
    }

    fn json(&mut self, rows: &[Value]) -> io::Result<()> {
        for row in rows {
            let before = if self.rows == 0 { "[\n" } else { ",\n" };
            self.rows += 1;
            write!(self.out, "{before}{row}")?;
        }
        Ok(())
    }

    fn table(&mut self, rows: &[Value]) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let cells: Vec<Vec<String>> =
            rows.iter().map(|row| self.columns.iter().map(|column| cell(&row[*column])).collect()).collect();
        if self.rows == 0 {
            self.widths = widths(self.columns, &cells);
            let titles: Vec<String> = self.columns.iter().map(|column| column.to_uppercase()).collect();
            self.row(&titles)?;
        }
        self.rows += rows.len();
        cells.iter().try_for_each(|row| self.row(row))
    }

    fn row(&mut self, cells: &[String]) -> io::Result<()> {
        writeln!(self.out, "{}", aligned(cells, &self.widths))
    }
}

/// JSON lines, many of them.
pub(crate) struct Lines {
    out: BufWriter<StdoutLock<'static>>,
}

impl Lines {
    /// Begins.
    pub(crate) fn begin() -> Lines {
        Lines { out: BufWriter::new(io::stdout().lock()) }
    }

    /// Prints an object.
    pub(crate) fn push(&mut self, value: &impl Serialize) -> Outcome {
        let line = serde_json::to_string(value).map_err(Failure::unavailable)?;
        writeln!(self.out, "{line}").or_else(closed)
    }

    /// Ends.
    pub(crate) fn end(mut self) -> Outcome {
        self.out.flush().or_else(closed)
    }
}

/// Names and values for people, one pair a line.
pub(crate) fn pairs<'a>(members: impl Iterator<Item = (&'a str, Option<&'a str>)> + Clone) -> String {
    let width = members.clone().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let line = |(name, value): (&str, Option<&str>)| {
        format!("{name:width$}  {}", plain(value.unwrap_or_default())).trim_end().to_owned()
    };
    members.map(line).collect::<Vec<_>>().join("\n")
}

fn widths(columns: &[&str], cells: &[Vec<String>]) -> Vec<usize> {
    (0..columns.len())
        .map(|at| {
            let widest = cells.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
            widest.unwrap_or(0).clamp(columns[at].chars().count(), WIDEST.max(columns[at].len()))
        })
        .collect()
}

fn aligned(cells: &[String], widths: &[usize]) -> String {
    let row: Vec<String> =
        cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}", width = *width)).collect();
    row.join("  ").trim_end().to_owned()
}

/// A value as text in a terminal. Control characters are shown, not obeyed: names come from imports.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => plain(text),
        Value::Bool(true) => "true".to_owned(),
        Value::Bool(false) => "false".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(" "),
        Value::Object(_) => value.to_string(),
    }
}

/// Text that can't move the cursor or change colours.
pub(crate) fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "for or_else")]
fn closed(error: io::Error) -> Outcome {
    Err(match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::unread(),
        _ => Failure::unavailable(format_args!("standard output can't be written: {error}")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn control_characters_in_a_name_are_shown_and_not_obeyed() {
        assert_eq!(cell(&json!("a\u{1b}[2Jb\n")), "a\\u{1b}[2Jb\\n");
        assert_eq!(cell(&json!("Τρομπούκη")), "Τρομπούκη");
    }

    #[test]
    fn a_record_is_aligned_by_its_longest_name() {
        let record = [("id", Some("a")), ("client_name", Some("Wells-Byrne")), ("city", None)];
        assert_eq!(pairs(record.into_iter()), "id           a\nclient_name  Wells-Byrne\ncity");
    }

    #[test]
    fn a_column_is_as_wide_as_its_widest_cell_within_reason() {
        let cells = vec![vec!["a".repeat(90), "b".to_owned()]];
        assert_eq!(widths(&["x", "title"], &cells), [WIDEST, 5]);
        assert_eq!(aligned(&["é".to_owned(), "b".to_owned()], &[3, 1]), "é    b");
    }
}
