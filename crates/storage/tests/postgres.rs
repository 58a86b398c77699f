//! Every text on a PostgreSQL of our own, started in a throw-away folder.
//!
//! `PROCURA_TEST_POSTGRES_BIN` names the folder with `initdb` and `postgres`, for instance
//! `/usr/lib/postgresql/15/bin`. Without it the test says that it was skipped.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use postgres::{Client, NoTls};
use procura_storage::sql::all_statements;
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

const BIN: &str = "PROCURA_TEST_POSTGRES_BIN";
const USER: &str = "procura";

struct Server {
    process: Child,
    folder: TempDir,
}

impl Server {
    fn start(bin: &Path) -> Server {
        // Sockets have short paths: not below a long TMPDIR.
        let folder = tempfile::Builder::new().prefix("procura-pg").tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        let data = folder.path().join("data");
        let mut init = unprivileged(&bin.join("initdb"), folder.path());
        init.args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "--username", USER]);
        let made = init.arg("--pgdata").arg(&data).stdout(Stdio::null()).output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut serve = unprivileged(&bin.join("postgres"), folder.path());
        serve.arg("-D").arg(&data).arg("-k").arg(folder.path());
        serve.args(["-c", "listen_addresses=", "-c", "fsync=off"]);
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let process = serve.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Server { process, folder }
    }

    /// Connects as soon as it answers.
    fn connect(&mut self) -> Client {
        let settings = format!("host={} user={USER} dbname=postgres", self.folder.path().display());
        loop {
            match Client::connect(&settings, NoTls) {
                Ok(client) => return client,
                Err(error) => {
                    let ended = self.process.try_wait().unwrap();
                    assert!(ended.is_none(), "postgres ended: {error}\n{}", self.log());
                    std::thread::yield_now();
                }
            }
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGQUIT is its immediate shutdown: it takes its children and its shared memory along.
        let quit = rustix::process::kill_process(Pid::from_child(&self.process), Signal::QUIT);
        if quit.is_err() {
            drop(self.process.kill());
        }
        drop(self.process.wait());
    }
}

/// PostgreSQL refuses to run as root: then as the user that its package made.
fn unprivileged(program: &Path, folder: &Path) -> Command {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let mut command = if is_root {
        let mut command = Command::new("setpriv");
        // It ends with us, even if nobody is left to end it.
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=QUIT"]);
        command.arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(folder);
    command
}

#[test]
fn every_text_is_prepared_by_postgresql_too() {
    let Some(bin) = env::var_os(BIN).map(PathBuf::from) else {
        eprintln!("skipped: every_text_is_prepared_by_postgresql_too (set {BIN} to the folder of initdb)");
        return;
    };
    let mut server = Server::start(&bin);
    let mut client = server.connect();
    client.batch_execute("CREATE TABLE schema_migration (name TEXT NOT NULL PRIMARY KEY)").unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        client.batch_execute(&fs::read_to_string(file).unwrap()).unwrap();
    }
    for (name, text) in all_statements() {
        // Questions to SQLite about itself are no part of the one SQL.
        if text.starts_with("PRAGMA") {
            continue;
        }
        let statement = client.prepare(text).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        for kind in statement.params() {
            assert!(["int8", "text", "bytea"].contains(&kind.name()), "{name} takes {kind}");
        }
        for column in statement.columns() {
            let kind = column.type_().name();
            assert!(["int8", "text", "bytea"].contains(&kind), "{name} gives {} as {kind}", column.name());
        }
    }
}
