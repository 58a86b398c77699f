//! The suite that every adapter runs, on SQLite.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::path::PathBuf;

use procura_protocol::time::UnixSeconds;
use procura_storage::SqliteDirectory;
use procura_store::contract_tests::Harness;
use procura_store::mark::{Mark, MarkKind};
use procura_store::records::Version;
use tempfile::TempDir;

struct Sqlite {
    folder: TempDir,
    file: PathBuf,
}

fn sqlite() -> Sqlite {
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteDirectory::create(folder.path()).unwrap().file().to_owned();
    Sqlite { folder, file }
}

impl Harness for Sqlite {
    type Directory = SqliteDirectory;

    fn open(&self) -> SqliteDirectory {
        SqliteDirectory::open(self.folder.path()).unwrap()
    }

    fn marks(&self) -> Vec<Mark> {
        let connection = rusqlite::Connection::open(&self.file).unwrap();
        let text = "SELECT kind, subject, number, client_no, version, keep_until, application FROM mark ORDER BY seq";
        let mut statement = connection.prepare(text).unwrap();
        let marks = statement.query_map([], |row| {
            Ok(Mark {
                kind: MarkKind::from_code(row.get(0)?).unwrap(),
                subject: row.get(1)?,
                number: row.get(2)?,
                client: row.get(3)?,
                version: Version(row.get::<_, i64>(4)?.unsigned_abs()),
                keep_until: UnixSeconds(row.get(5)?),
                application: row.get(6)?,
            })
        });
        marks.unwrap().map(Result::unwrap).collect()
    }
}

procura_store::administration_contract_tests!(sqlite);
