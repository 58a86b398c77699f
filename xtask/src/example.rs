//! `cargo xtask example`: the demo and an API behind a guard, started together and stopped together.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::demo::{Announced, Demo, lines_of};
use crate::process::{self, Tied};
use crate::steps::Failure;
use crate::story;
use crate::workspace::{Profile, Workspace};

/// Where the README looks for what a run is told by, seen from the root folder.
pub(crate) const FOLDER: &str = "target/example";

const READY: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(45);
/// How often the two are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Builds both, starts them in a fresh folder, and stops them when somebody asks.
pub(crate) fn run(workspace: &Workspace, profile: Profile, port: u16) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::wrong(format!("no runtime could be started: {error}")))?;
    let folder = workspace.root().join(FOLDER);
    let _alone = lock(&folder)?;
    let programs = Programs::build(workspace, profile)?;
    let signals = Signals::begin(&runtime)?;
    fresh(&folder)?;
    let mut example = Example::start(&folder, &programs, port)?;
    println!(
        "\nProcura is at {}, an API for quotes and payments at {}.\nIn bash, in {}:\n\n{}\nCtrl-C ends both.",
        example.demo.announced().base_url,
        example.base_url,
        workspace.root().display(),
        story::commands(workspace)?,
    );
    runtime.block_on(signals.wait(&mut example))?;
    example.stop()
}

/// The programs of an example.
pub(crate) struct Programs {
    server: PathBuf,
    payments: PathBuf,
}

impl Programs {
    pub(crate) fn build(workspace: &Workspace, profile: Profile) -> Result<Self, Failure> {
        Ok(Self { server: workspace.server(profile)?, payments: workspace.payments(profile)? })
    }
}

/// The demo and the API, running. Both go when this is dropped.
pub(crate) struct Example {
    payments: Tied,
    _lines: Receiver<String>,
    demo: Demo,
    base_url: String,
    folder: PathBuf,
}

impl Example {
    /// Starts both in an empty folder for this user alone, and writes there what a shell needs. The API
    /// has the port after the demo's; port 0 are free ones.
    pub(crate) fn start(folder: &Path, programs: &Programs, port: u16) -> Result<Self, Failure> {
        let next = if port == 0 { 0 } else { port.saturating_add(1) };
        Self::begin(folder, programs, Demo::start_in(folder, &programs.server, port)?, next)
    }

    /// The same with TLS on the demo's side, on free ports.
    pub(crate) fn start_with_tls(folder: &Path, programs: &Programs) -> Result<Self, Failure> {
        Self::begin(folder, programs, Demo::start_with_tls_in(folder, &programs.server)?, 0)
    }

    fn begin(folder: &Path, programs: &Programs, demo: Demo, port: u16) -> Result<Self, Failure> {
        let told = demo.announced();
        let mut command = Tied::command(&programs.payments);
        command.env_remove("RESOURCE_SECRET_FILE").envs([
            ("PROCURA_ISSUER", told.issuer.as_str()),
            ("RESOURCE_ID", told.payments_resource_id.as_str()),
            ("RESOURCE_SECRET", told.payments_resource_secret.as_str()),
            ("LISTEN", format!("127.0.0.1:{port}").as_str()),
        ]);
        // Its guard knows the CA of a demo from nobody else.
        command.envs(told.ca_file.iter().map(|file| ("SSL_CERT_FILE", file)));
        command.current_dir(folder).stdout(Stdio::piped());
        command.stderr(File::create(log(folder)).map_err(|error| unusable(folder, &error))?);
        let mut payments = Tied::spawn("the example", &mut command)?;
        let lines = lines_of(&mut payments);
        // "quotes and payments at http://127.0.0.1:8081", once the guard has keys and revocations.
        let line = lines.recv_timeout(READY).unwrap_or_default();
        let Some(base_url) = line.split(' ').next_back().filter(|word| word.starts_with("http://")) else {
            let said = process::tail(&log(folder), 40);
            return Err(Failure::wrong(format!("the example was not ready in time; it said:\n{said}")));
        };
        write_env(folder, &env(told, base_url, &programs.server))?;
        let (base_url, folder) = (base_url.to_owned(), folder.to_owned());
        Ok(Self { payments, _lines: lines, demo, base_url, folder })
    }

    /// The demo.
    pub(crate) fn demo(&self) -> &Demo {
        &self.demo
    }

    /// Where the API is.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Ends both; each must finish well.
    pub(crate) fn stop(self) -> Result<(), Failure> {
        let said = |failure| Failure::wrong(format!("{failure}; it said:\n{}", tail(&self.folder)));
        self.payments.stop(STOP).map_err(said)?;
        self.demo.stop()
    }

    /// The last words of both, for the report of a check that failed against them.
    pub(crate) fn last_words(&self) -> String {
        format!("{}\n{}", self.demo.last_words(), tail(&self.folder))
    }

    /// Both must still run.
    fn look(&mut self) -> Result<(), Failure> {
        if self.demo.runs()? && self.payments.wait(Duration::ZERO)?.is_none() {
            return Ok(());
        }
        Err(Failure::wrong(format!("one of them ended by itself; they said:\n{}", self.last_words())))
    }
}

/// Whoever asks this program to stop. From here on it is told, and not ended at once.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn begin(runtime: &Runtime) -> Result<Self, Failure> {
        let _within = runtime.enter();
        let told = |kind| {
            signal(kind).map_err(|error| Failure::wrong(format!("signals can't be waited for: {error}")))
        };
        Ok(Self { interrupt: told(SignalKind::interrupt())?, terminate: told(SignalKind::terminate())? })
    }

    async fn wait(mut self, example: &mut Example) -> Result<(), Failure> {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return Ok(()),
                _ = self.terminate.recv() => return Ok(()),
                () = tokio::time::sleep(LOOK) => example.look()?,
            }
        }
    }
}

/// One at a time: the next would take the folder away from this one.
fn lock(folder: &Path) -> Result<File, Failure> {
    let path = folder.with_extension("lock");
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| unusable(parent, &error))?;
    }
    let file = File::create(&path).map_err(|error| unusable(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::wrong("an example of this checkout is running")),
        Err(TryLockError::Error(error)) => Err(unusable(&path, &error)),
    }
}

/// Takes away what an earlier run left, and makes the folder for this user alone.
pub(crate) fn fresh(folder: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(folder, &error)),
        _ => {}
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| unusable(folder, &error))
}

/// What the README's commands need, for a shell to read.
fn env(told: &Announced, payments: &str, procura: &Path) -> String {
    let values = [
        ("PROCURA", told.base_url.as_str()),
        ("PAYMENTS", payments),
        ("APPLICATION", &told.application_id),
        ("SECRET", &told.application_secret),
        ("RESOURCE", &told.payments_resource_id),
        ("RESOURCE_SECRET", &told.payments_resource_secret),
        ("DATA", &told.data_dir.to_string_lossy()),
    ];
    let mut text: String = values.iter().map(|(name, value)| format!("{name}={}\n", quoted(value))).collect();
    text.push_str(&format!("procura() {{ {} \"$@\"; }}\n", quoted(&procura.to_string_lossy())));
    text
}

fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

fn write_env(folder: &Path, text: &str) -> Result<(), Failure> {
    let path = folder.join("env");
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| unusable(&path, &error))
}

fn log(folder: &Path) -> PathBuf {
    folder.join("payments.log")
}

fn tail(folder: &Path) -> String {
    process::tail(&log(folder), 40)
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::wrong(format!("{} can't be used: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::*;

    fn told() -> Announced {
        serde_json::from_value(serde_json::json!({
            "base_url": "http://127.0.0.1:8080", "issuer": "http://127.0.0.1:8080",
            "application_id": "app_klapp", "application_secret": "pcs_a",
            "payments_resource_id": "https://payments.example", "payments_resource_secret": "pcs_b",
            "contacts": [], "refused_contacts": [], "data_dir": "/it's here/$HOME",
        }))
        .unwrap()
    }

    #[test]
    fn a_shell_reads_the_values_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        write_env(folder.path(), &env(&told(), "http://127.0.0.1:8081", Path::new("echo"))).unwrap();
        let file = folder.path().join("env");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let shown = process::ask(
            Command::new("sh")
                .current_dir(&folder)
                .args(["-euc", ". ./env; procura \"$DATA|$SECRET|$PAYMENTS\""]),
        );
        assert_eq!(shown.unwrap(), "/it's here/$HOME|pcs_a|http://127.0.0.1:8081\n");
    }

    #[test]
    fn a_fresh_folder_holds_nothing_of_before_and_is_for_one_user() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/b");
        for _ in 0..2 {
            fresh(&folder).unwrap();
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
            assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
            fs::write(folder.join("left"), "").unwrap();
        }
    }

    #[test]
    fn there_is_one_example_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("example");
        let alone = lock(&folder).unwrap();
        lock(&folder).unwrap_err();
        drop(alone);
        // A program that another test is just starting holds what this one had open, until it is itself.
        (0..1_000_000).find_map(|_| lock(&folder).ok()).unwrap();
    }
}
