use std::io::Cursor;

use procura_server::import::{Format, lines};
use procura_store::administration::Line;
use procura_store::change::Entity;
use procura_store::fields::Row;

const ENTITIES: [Entity; 5] =
    [Entity::Client, Entity::Contact, Entity::Mandate, Entity::Application, Entity::Trust];

/// An imported file, as CSV and as JSON lines, of each kind of record.
///
/// Reading ends, lines go forward, and a row that was read can be written with every value quoted and
/// reads the same. Whether there was one.
pub fn csv(data: &[u8]) -> bool {
    let mut taken = false;
    for entity in ENTITIES {
        for format in [Format::Csv, Format::JsonLines] {
            let mut before = 0;
            for (count, line) in read(data, format, entity).enumerate() {
                assert!(count <= data.len(), "reading does not end");
                assert!(line.number >= before, "line {} after line {before}", line.number);
                before = line.number;
                if let Ok(row) = line.row {
                    written_again(&row);
                    taken = true;
                }
            }
        }
    }
    taken
}

fn written_again(row: &Row) {
    let names: Vec<&str> = row.iter().map(|(field, _)| field.name).collect();
    let quoted: Vec<String> = row
        .iter()
        .map(|(_, value)| format!("\"{}\"", value.unwrap_or_default().replace('"', "\"\"")))
        .collect();
    let text = format!("{}\n{}\n", names.join(","), quoted.join(","));
    let again: Vec<Line> = read(text.as_bytes(), Format::Csv, row.entity()).collect();
    assert!(matches!(again.as_slice(), [Line { row: Ok(again), .. }] if again == row), "{text}: {again:?}");
}

fn read(data: &[u8], format: Format, entity: Entity) -> impl Iterator<Item = Line> {
    lines(Cursor::new(data.to_vec()), format, entity)
}
