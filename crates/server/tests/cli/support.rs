//! Running the binary.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// What a command said and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// It must have ended with this code.
    #[track_caller]
    pub(crate) fn ends_with(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

/// The binary, without anything that the environment of the tests configures.
pub(crate) fn procura() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_procura"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PROCURA_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    ran(procura().args(arguments))
}

/// Runs a prepared command to its end.
pub(crate) fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A data folder that `init` made.
pub(crate) struct Folder {
    _parent: TempDir,
    path: PathBuf,
}

impl Folder {
    /// Makes one.
    pub(crate) fn new() -> Folder {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        run([OsStr::new("init"), OsStr::new("--data"), path.as_os_str()]).ends_with(0);
        Folder { _parent: parent, path }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a command on it; words are separated by spaces, or by '|' where one holds spaces.
    pub(crate) fn run(&self, line: &str) -> Ran {
        let separator = if line.contains('|') { '|' } else { ' ' };
        let words = line.split(separator).map(OsStr::new);
        run(words.chain([OsStr::new("--data"), self.path.as_os_str()]))
    }

    /// Runs a command that must succeed.
    #[track_caller]
    pub(crate) fn done(&self, line: &str) -> Ran {
        self.run(line).ends_with(0)
    }
}

/// A server that runs, and what it said when it was ready.
pub(crate) struct Server {
    child: Child,
    pub(crate) ready: Value,
}

impl Server {
    /// Starts `demo` or `serve` on a free port and waits for its line.
    pub(crate) fn start(command: &mut Command) -> Server {
        let mut child = command
            .args(["--listen", "127.0.0.1:0", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.as_mut().unwrap());
        out.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Server { child, ready }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A member of the ready line.
    pub(crate) fn text(&self, member: &str) -> &str {
        self.ready[member].as_str().unwrap()
    }

    /// Sends a request with these headers and gives status line, headers and body.
    pub(crate) fn ask(&self, request: &str, headers: &str) -> String {
        let address = self.text("base_url").strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!("{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Ends it with a signal, as an operator does, and gives the exit code and what else it printed.
    pub(crate) fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        let mut rest = String::new();
        self.child.stdout.as_mut().unwrap().read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone when it was stopped; a test that failed leaves none behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Unix seconds, as the system's clock has them: tests of the running binary live in its time.
pub(crate) fn now() -> u64 {
    let touched = tempfile::NamedTempFile::new().unwrap().as_file().metadata().unwrap().modified().unwrap();
    touched.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// A header of an answer as it came.
#[track_caller]
pub(crate) fn member(answer: &str, name: &str) -> String {
    let lines = answer.lines().take_while(|line| !line.is_empty());
    let mut values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    values.next().unwrap_or_else(|| panic!("{name} is not in {answer}")).to_owned()
}
