//! The program `procura` on a data folder of its own: made, filled, served and asked.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::process::{self, Tied};
use crate::steps::Failure;

/// The issuer of these installations; the built-in resource is `{ISSUER}/api`.
pub(crate) const ISSUER: &str = "https://procura.example";

/// Whoever measures asks more from one address than any limit allows.
const NO_LIMITS: &str = "
[limits]
requests_per_address_per_minute = 0
failed_proofs_per_address_per_minute = 0
requests_per_application_per_minute = 0
contacts_per_application_per_hour = 0
";

/// From a spawn to the line that says it is ready. A directory of a million contacts needs seconds.
const READY: Duration = Duration::from_secs(120);

/// An installation in a folder.
pub(crate) struct Procura {
    program: PathBuf,
    folder: PathBuf,
}

impl Procura {
    /// Makes one in `folder`, which must be empty, with a free port on loopback.
    pub(crate) fn init(program: &Path, folder: &Path) -> Result<Self, Failure> {
        Self::init_with(program, folder, "")
    }

    /// The same, with these lines at the end of its configuration. Without a table of limits among them there
    /// are none.
    pub(crate) fn init_with(program: &Path, folder: &Path, more: &str) -> Result<Self, Failure> {
        let procura = Self { program: program.to_owned(), folder: folder.to_owned() };
        let limits = if more.contains("[limits]") { "" } else { NO_LIMITS };
        let text = format!(
            "issuer = \"{ISSUER}\"\ndata = \"data\"\n{limits}\n[server]\nlisten = \"127.0.0.1:0\"\n{more}"
        );
        fs::write(procura.config(), text).map_err(|error| unusable(folder, &error))?;
        procura.call(&["init"])?;
        Ok(procura)
    }

    /// The same installation, for another thread.
    pub(crate) fn share(&self) -> Self {
        Self { program: self.program.clone(), folder: self.folder.clone() }
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The program itself.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    fn config(&self) -> PathBuf {
        self.folder.join("procura.toml")
    }

    /// Where the last server logs.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// A command on this installation; it ends by itself.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--config").arg(self.config());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to a good end; its standard output.
    pub(crate) fn call(&self, arguments: &[&str]) -> Result<String, Failure> {
        let what = arguments.iter().take(2).copied().collect::<Vec<_>>().join(" ");
        let output = self
            .command(arguments)
            .output()
            .map_err(|error| Failure::wrong(format!("procura {what} does not start: {error}")))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Failure::wrong(format!("procura {what}: {}: {}", output.status, said.trim())))
    }

    /// Imports a file.
    pub(crate) fn import(&self, noun: &str, file: &Path) -> Result<(), Failure> {
        self.call(&[noun, "import", &file.to_string_lossy()]).map(|_| ())
    }

    /// Makes a secret for an application.
    pub(crate) fn secret(&self, application: &str) -> Result<String, Failure> {
        let line = self.call(&["application", "secret", "add", application, "--json"])?;
        let value: Value = serde_json::from_str(&line)
            .map_err(|error| Failure::wrong(format!("secret add printed something else: {error}")))?;
        let secret = value["secret"].as_str();
        secret.map(str::to_owned).ok_or_else(|| Failure::wrong("secret add printed no secret"))
    }

    /// Serves, on these cores if any are named, and waits until it is ready.
    pub(crate) fn serve(&self, cores: Option<&str>) -> Result<Server, Failure> {
        let mut command = on_cores(&self.program, cores);
        command.args(["serve", "--json", "--config"]).arg(self.config());
        command.current_dir(&self.folder).stdout(Stdio::piped());
        command.stderr(File::create(self.log()).map_err(|error| unusable(&self.folder, &error))?);
        let mut process = Tied::spawn("procura serve", &mut command)?;
        match ready(&mut process).and_then(|told| Ok((address_of(&told)?, told))) {
            Ok((address, told)) => Ok(Server { process, address, listeners: listeners(&told) }),
            Err(why) => {
                let said = process::tail(&self.log(), 40);
                Err(Failure::wrong(format!("procura serve {why}; it said:\n{said}")))
            }
        }
    }
}

/// A running server; it goes when this is dropped.
pub(crate) struct Server {
    process: Tied,
    address: SocketAddr,
    /// Each with the table of the configuration that it is of.
    listeners: Vec<(String, SocketAddr)>,
}

impl Server {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for a table of the configuration.
    pub(crate) fn listener(&self, table: &str) -> Option<SocketAddr> {
        self.listeners.iter().find(|(of, _)| of == table).map(|(_, address)| *address)
    }

    /// Its number: every command in between has become it.
    pub(crate) fn pid(&mut self) -> u32 {
        self.process.child().id()
    }

    /// Kills it as a power cut would, and waits until it is gone.
    pub(crate) fn kill(self) {
        drop(self.process);
    }

    /// Asks it to stop, and waits for a good end.
    pub(crate) fn stop(self) -> Result<(), Failure> {
        self.process.stop(Duration::from_secs(45))
    }
}

/// A program on some of the cores, tied to this process.
pub(crate) fn on_cores(program: &Path, cores: Option<&str>) -> Command {
    match cores {
        Some(cores) => {
            let mut command = Tied::command("taskset");
            command.args(["--cpu-list", cores]).arg(program);
            command
        }
        None => Tied::command(program),
    }
}

/// Reads the line that a server prints once it is ready: where it listens without TLS.
pub(crate) fn announced(process: &mut Tied) -> Result<SocketAddr, String> {
    address_of(&ready(process)?)
}

/// Reads the line that a server prints once it is ready.
fn ready(process: &mut Tied) -> Result<Value, String> {
    let (sender, lines) = mpsc::channel();
    if let Some(out) = process.child().stdout.take() {
        thread::spawn(move || {
            let mut line = String::new();
            // An empty line tells that it ended.
            let _ = BufReader::new(out).read_line(&mut line);
            let _ = sender.send(line);
        });
    }
    let line = lines.recv_timeout(READY).map_err(|_| "was not ready in time".to_owned())?;
    serde_json::from_str(&line).map_err(|_| "ended before it was ready".to_owned())
}

fn listeners(told: &Value) -> Vec<(String, SocketAddr)> {
    let listener = |told: &Value| {
        let (_, address) = told["at"].as_str()?.split_once("://")?;
        Some((told["table"].as_str()?.to_owned(), address.parse().ok()?))
    };
    told["listeners"].as_array().into_iter().flatten().filter_map(listener).collect()
}

fn address_of(value: &Value) -> Result<SocketAddr, String> {
    let listeners = value["listeners"].as_array().into_iter().flatten();
    let mut urls = [&value["base_url"]].into_iter().chain(listeners.map(|listener| &listener["at"]));
    // The plain one is meant, where there are others.
    let address = urls.find_map(|url| url.as_str()?.strip_prefix("http://")?.parse().ok());
    address.ok_or_else(|| format!("is at {}, which is no address", value["base_url"]))
}

fn unusable(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::wrong(format!("{} can't be used: {error}", folder.display()))
}
