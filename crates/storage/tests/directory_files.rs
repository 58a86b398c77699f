//! The file in the data folder: who may read it, and which schema it has.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use procura_protocol::ids::ContactId;
use procura_protocol::time::UnixMillis;
use procura_storage::{OpenError, SqliteDirectory};
use procura_store::administration::{Administration, ChangeContext, Erase};
use procura_store::change::{Actor, Entity};
use procura_store::fields::Row;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn folder_and_files_are_their_owners_alone() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let directory = SqliteDirectory::create(&data).unwrap();
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(directory.file()), 0o600);
    for entry in fs::read_dir(&data).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()) & 0o077, 0);
    }
}

#[test]
fn an_empty_folder_is_closed_and_a_used_one_must_be() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    fs::create_dir(&data).unwrap();
    set_mode(&data, 0o755);
    SqliteDirectory::create(&data).unwrap();
    assert_eq!(mode(&data), 0o700);
    set_mode(&data, 0o750);
    let refused = SqliteDirectory::open(&data).err().unwrap();
    assert!(matches!(refused, OpenError::OpenToOthers { wanted: 0o700, .. }), "{refused}");
    set_mode(&data, 0o700);
    set_mode(&data.join("directory.sqlite"), 0o640);
    let refused = SqliteDirectory::open(&data).err().unwrap();
    assert!(refused.to_string().contains("chmod 600"), "{refused}");
}

#[test]
fn a_directory_is_made_once() {
    let data = tempfile::tempdir().unwrap();
    assert!(matches!(SqliteDirectory::open(data.path()).err().unwrap(), OpenError::Missing { .. }));
    SqliteDirectory::create(data.path()).unwrap();
    assert!(matches!(SqliteDirectory::create(data.path()).err().unwrap(), OpenError::Exists { .. }));
    SqliteDirectory::open(data.path()).unwrap();
}

#[test]
fn a_crash_while_it_is_made_is_finished_by_the_next_start() {
    let data = tempfile::tempdir().unwrap();
    set_mode(data.path(), 0o700);
    let file = data.path().join("directory.sqlite");
    fs::write(&file, []).unwrap();
    set_mode(&file, 0o600);
    SqliteDirectory::open(data.path()).unwrap();
}

#[test]
fn the_schema_of_a_newer_program_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let file = SqliteDirectory::create(data.path()).unwrap().file().to_owned();
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.execute("INSERT INTO schema_migration (name) VALUES ('9999_later')", []).unwrap();
    drop(connection);
    let refused = SqliteDirectory::open(data.path()).err().unwrap();
    assert!(matches!(&refused, OpenError::NewerSchema { migration } if migration == "9999_later"));
}

#[test]
fn what_is_not_a_directory_is_told_without_a_panic() {
    let data = tempfile::tempdir().unwrap();
    set_mode(data.path(), 0o700);
    let file = data.path().join("directory.sqlite");
    fs::write(&file, "not SQLite at all, but long enough to have a header ".repeat(20)).unwrap();
    set_mode(&file, 0o600);
    assert!(matches!(SqliteDirectory::open(data.path()).err().unwrap(), OpenError::Store(_)));
}

#[tokio::test]
async fn no_file_holds_a_byte_of_an_erased_contact() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let directory = SqliteDirectory::create(&data).unwrap();
    let context = ChangeContext {
        actor: Actor::Operator { uid: 0 },
        at: UnixMillis(1_767_225_600_000),
        reason: Some("asked-by-erasable".to_owned()),
        token_lifetime_max: 3_600,
    };
    for at in 0..200 {
        let (id, email) = (format!("erasable.{at}"), format!("erasable.{at}@mail.example"));
        let row = Row::read(Entity::Contact, [("contact_id", &*id), ("email_address", &*email)]).unwrap();
        directory.put(context.clone(), row).await.unwrap();
    }
    assert!(mentions(&data) > 0);
    for at in 0..200 {
        let id = ContactId::parse(&format!("erasable.{at}")).unwrap();
        let silent = ChangeContext { reason: None, ..context.clone() };
        assert_eq!(directory.erase_contact(silent, id).await.unwrap(), Erase::Erased);
    }
    assert_eq!(mentions(&data), 0);
}

fn mentions(folder: &Path) -> usize {
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    files.map(|bytes| bytes.windows(8).filter(|part| part == b"erasable").count()).sum()
}
