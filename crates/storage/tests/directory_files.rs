//! The file in the data folder: who may read it, and which schema it has.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use procura_protocol::ids::ContactId;
use procura_protocol::time::{UnixMillis, UnixSeconds};
use procura_storage::{OpenError, SqliteDirectory};
use procura_store::administration::{AddCredential, Administration, ChangeContext, Erase};
use procura_store::change::{Actor, Entity};
use procura_store::credential::CredentialKind;
use procura_store::fields::{Key, Row};
use procura_store::records::{CredentialNo, SecretHash};

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

#[tokio::test]
async fn a_directory_of_before_keeps_its_secrets_and_their_numbers() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("directory.sqlite");
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.execute_batch("CREATE TABLE schema_migration (name TEXT NOT NULL PRIMARY KEY)").unwrap();
    for name in ["0001_directory", "0002_revocation"] {
        let text = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("migrations/sqlite/{name}.sql"));
        connection.execute_batch(&fs::read_to_string(text).unwrap()).unwrap();
        connection.execute("INSERT INTO schema_migration VALUES ($1)", [name]).unwrap();
    }
    connection
        .execute_batch(
            "INSERT INTO application (id, status, trusted, id_token_alg) VALUES ('app_1', 1, 1, 1);
             INSERT INTO secret (owner, owner_no, hash, created_at_ms, expires_at_ms)
                 VALUES (1, 1, zeroblob(32), 7, 9000), (1, 1, zeroblob(32), 8, NULL), (6, 1, zeroblob(32), 8, NULL);
             DELETE FROM secret WHERE number = 3;",
        )
        .unwrap();
    drop(connection);
    set_mode(data.path(), 0o700);
    set_mode(&file, 0o600);
    assert!(SqliteDirectory::is_behind(data.path()).unwrap());
    let directory = SqliteDirectory::open(data.path()).unwrap();
    assert!(!SqliteDirectory::is_behind(data.path()).unwrap());
    let owner = || Key::read(Entity::Application, &["app_1"]).unwrap();
    let secrets = directory.credentials(owner()).await.unwrap().unwrap();
    let told: Vec<_> = secrets.iter().map(|one| (one.no.0, one.kind(), one.expires_at)).collect();
    let kind = CredentialKind::Secret;
    assert_eq!(told, [(1, kind, Some(UnixSeconds(9))), (2, kind, None)]);
    let row = directory.get(owner()).await.unwrap().unwrap();
    assert_eq!(row.get("auth_methods"), Some(Some("client_secret_basic client_secret_post")));
    assert_eq!(row.get("assertion_alg"), Some(None));
    let context = ChangeContext {
        actor: Actor::Server,
        at: UnixMillis(1_767_225_600_000),
        reason: None,
        token_lifetime_max: 3_600,
    };
    let added = directory.add_credential(context, owner(), SecretHash([1; 32]).into()).await.unwrap();
    assert_eq!(added, AddCredential::Added { no: CredentialNo(4) });
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
