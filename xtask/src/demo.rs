//! `procura demo --json`, started and stopped again: the server that verifiers in other languages, the
//! contract fuzzer and the example talk to.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;

use crate::process::{self, Tied};
use crate::steps::Failure;
use crate::workspace::{Profile, Workspace};

const READY: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(45);

/// A running demo. It goes when this is dropped, and so does its folder if that is a throw-away one.
pub(crate) struct Demo {
    server: Tied,
    lines: Receiver<String>,
    announced: Announced,
    folder: PathBuf,
    throw_away: Option<TempDir>,
}

/// What a command of our own needs of the line that the demo prints; the verifiers read all of it.
#[derive(Deserialize)]
pub(crate) struct Announced {
    pub(crate) base_url: String,
    pub(crate) issuer: String,
    pub(crate) application_id: String,
    pub(crate) application_secret: String,
    pub(crate) payments_resource_id: String,
    pub(crate) payments_resource_secret: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) contacts: Vec<Contact>,
    pub(crate) refused_contacts: Vec<Contact>,
    /// The CA of its certificates, with TLS.
    pub(crate) ca_file: Option<PathBuf>,
}

/// A contact that the demo names.
#[derive(Deserialize)]
pub(crate) struct Contact {
    pub(crate) contact_id: String,
}

impl Demo {
    /// Builds the server, starts it on a free port in a throw-away folder, and waits until it has said that
    /// it is ready.
    pub(crate) fn start(workspace: &Workspace) -> Result<Self, Failure> {
        Self::start_as(workspace, Profile::Dev)
    }

    /// The same with TLS and with certificates for partners.
    pub(crate) fn start_with_tls(workspace: &Workspace) -> Result<Self, Failure> {
        Self::start_apart(&workspace.server(Profile::Dev)?, &["--tls"])
    }

    /// The same, of a server built for figures.
    pub(crate) fn start_as(workspace: &Workspace, profile: Profile) -> Result<Self, Failure> {
        Self::start_apart(&workspace.server(profile)?, &[])
    }

    fn start_apart(server: &Path, more: &[&str]) -> Result<Self, Failure> {
        let folder =
            tempfile::Builder::new().prefix("procura-demo-").tempdir().map_err(|error| unusable(&error))?;
        let mut demo = Self::begin(folder.path(), server, 0, more)?;
        demo.throw_away = Some(folder);
        Ok(demo)
    }

    /// Starts a server in a folder that is there for this user alone; port 0 is a free one.
    pub(crate) fn start_in(folder: &Path, server: &Path, port: u16) -> Result<Self, Failure> {
        Self::begin(folder, server, port, &[])
    }

    /// The same with TLS, on a free port.
    pub(crate) fn start_with_tls_in(folder: &Path, server: &Path) -> Result<Self, Failure> {
        Self::begin(folder, server, 0, &["--tls"])
    }

    fn begin(folder: &Path, server: &Path, port: u16, more: &[&str]) -> Result<Self, Failure> {
        let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port).to_string();
        let mut command = Tied::command(server);
        command.args(["demo", "--json", "--listen", &listen, "--data"]).arg(folder.join("data")).args(more);
        command.current_dir(folder).stdout(Stdio::piped());
        command.stderr(File::create(log(folder)).map_err(|error| unusable(&error))?);
        let mut server = Tied::spawn("procura demo", &mut command)?;
        let lines = lines_of(&mut server);
        let Ok(line) = lines.recv_timeout(READY) else {
            let said = process::tail(&log(folder), 40);
            let limit = READY.as_secs();
            return Err(Failure::wrong(format!(
                "procura demo was not ready after {limit} s; it said:\n{said}"
            )));
        };
        let announced = serde_json::from_str(&line)
            .map_err(|error| Failure::wrong(format!("procura demo announced something else: {error}")))?;
        // The folder is ours alone (0700), so the secrets in this line stay where they are.
        fs::write(folder.join("demo.json"), line).map_err(|error| unusable(&error))?;
        Ok(Self { server, lines, announced, folder: folder.to_owned(), throw_away: None })
    }

    /// The line it printed, parsed.
    pub(crate) fn announced(&self) -> &Announced {
        &self.announced
    }

    /// The file that holds the line it printed.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.join("demo.json")
    }

    /// A folder for whoever talks to it, gone with it.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends it as a service manager would: it must finish well, and must have printed nothing but its line.
    pub(crate) fn stop(self) -> Result<(), Failure> {
        let log = log(&self.folder);
        self.server
            .stop(STOP)
            .map_err(|failure| Failure::wrong(format!("{failure}; it said:\n{}", process::tail(&log, 40))))?;
        let silent = match self.lines.recv() {
            Ok(line) => Err(Failure::wrong(format!("procura demo printed more than one line: {line}"))),
            Err(_) => Ok(()),
        };
        drop(self.throw_away);
        silent
    }

    /// Whether it runs.
    pub(crate) fn runs(&mut self) -> Result<bool, Failure> {
        Ok(self.server.wait(Duration::ZERO)?.is_none())
    }

    /// Its last words, for the report of a check that failed against it.
    pub(crate) fn last_words(&self) -> String {
        process::tail(&log(&self.folder), 40)
    }
}

/// What it prints, line by line as it comes.
pub(crate) fn lines_of(server: &mut Tied) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    if let Some(out) = server.child().stdout.take() {
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
    }
    lines
}

fn log(folder: &Path) -> PathBuf {
    folder.join("demo.log")
}

fn unusable(error: &std::io::Error) -> Failure {
    Failure::wrong(format!("the throw-away folder can't be used: {error}"))
}
