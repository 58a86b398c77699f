//! Starting other programs, and making sure that none outlives us.
//!
//! Tools that end by themselves (cargo, a package manager) run in our own process group: an
//! interrupt at the keyboard reaches them too. What is started to be stopped again, and whatever could
//! hang, is a [`Tied`]: a process group of its own that is killed when the guard is dropped, and whose
//! leader the kernel kills should we die without dropping anything.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::steps::{Failure, now};

/// How often a process is asked whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Runs a program to its end; its output is ours.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.stdin(Stdio::null()).status();
    judge(command, status)
}

/// Runs a program to its end, shows its standard output as it comes, and returns it.
pub(crate) fn run_and_keep(command: &mut Command) -> Result<String, Failure> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::wrong(format!("{} does not start: {error}", name(command))))?;
    let mut kept = String::new();
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            kept.push_str(&line);
            kept.push('\n');
        }
    }
    judge(command, child.wait())?;
    Ok(kept)
}

/// Runs a program without showing anything; its standard output if it ended well.
pub(crate) fn ask(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn judge(command: &Command, status: std::io::Result<ExitStatus>) -> Result<(), Failure> {
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::wrong(format!("{}: {status}", name(command)))),
        Err(error) => Err(Failure::wrong(format!("{} does not start: {error}", name(command)))),
    }
}

/// Program and first argument: enough to know it by, and never a secret.
fn name(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    match command.get_args().next() {
        Some(first) => format!("{} {}", program.to_string_lossy(), first.to_string_lossy()),
        None => program.to_string_lossy().into_owned(),
    }
}

/// A process group that ends with this value.
pub(crate) struct Tied {
    child: Child,
    name: String,
}

impl Tied {
    /// A command to add arguments to and to hand to [`Tied::spawn`].
    pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
        if cfg!(target_os = "linux") {
            // Our own file, even after a build has replaced it on disk.
            let mut command = Command::new("/proc/self/exe");
            command.arg("tied").arg(std::process::id().to_string()).arg(program);
            command
        } else {
            Command::new(program)
        }
    }

    /// Starts it in a process group of its own, with nothing to read.
    pub(crate) fn spawn(name: &str, command: &mut Command) -> Result<Self, Failure> {
        std::os::unix::process::CommandExt::process_group(command, 0);
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.map_err(|error| Failure::wrong(format!("{name} does not start: {error}")))?;
        Ok(Self { child, name: name.to_owned() })
    }

    /// The running child, for its pipes.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits for a good end; kills what takes longer than `limit`.
    pub(crate) fn finish(mut self, limit: Duration) -> Result<(), Failure> {
        match self.wait(limit)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(Failure::wrong(format!("{}: {status}", self.name))),
            None => Err(Failure::wrong(format!("{} was not done after {} s", self.name, limit.as_secs()))),
        }
    }

    /// Asks it to stop, as a service manager would, and waits for a good end.
    pub(crate) fn stop(self, limit: Duration) -> Result<(), Failure> {
        self.signal(Signal::TERM);
        self.finish(limit)
    }

    /// Its end, or `None` if it still runs after `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<Option<ExitStatus>, Failure> {
        let begin = now();
        loop {
            match self.child.try_wait() {
                Ok(None) if now().duration_since(begin) < limit => thread::sleep(LOOK),
                Ok(end) => return Ok(end),
                Err(error) => return Err(Failure::wrong(format!("{}: {error}", self.name))),
            }
        }
    }

    /// Sends a signal to the whole group.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id())
            && let Some(group) = Pid::from_raw(pid)
        {
            // A group that is gone already is what we want.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Turns this process into `command`, killed by the kernel when `parent` dies. Returns only on failure.
pub(crate) fn become_tied(parent: u32, command: &[OsString]) -> Failure {
    let Some((program, arguments)) = command.split_first() else {
        return Failure::wrong("no command to become");
    };
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        return Failure::wrong(format!("can't tie {}: {error}", program.display()));
    }
    if std::os::unix::process::parent_id() != parent {
        return Failure::wrong("the process that asked for this one is gone");
    }
    let error = std::os::unix::process::CommandExt::exec(Command::new(program).args(arguments));
    Failure::wrong(format!("{} does not start: {error}", program.display()))
}

/// The last lines of a file, for the report of something that failed.
pub(crate) fn tail(file: &Path, lines: usize) -> String {
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Tied {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & wait"]).stdout(Stdio::piped());
        Tied::spawn("sleeper", &mut command).unwrap()
    }

    #[test]
    fn a_dropped_guard_takes_the_whole_group_with_it() {
        let mut tied = sleeper();
        let mut out = tied.child().stdout.take().unwrap();
        drop(tied);
        // The end of the pipe comes when nobody of the group holds it any more.
        assert_eq!(std::io::Read::read_to_end(&mut out, &mut Vec::new()).unwrap(), 0);
    }

    #[test]
    fn what_takes_too_long_is_a_failure_with_its_name() {
        let failure = sleeper().finish(Duration::ZERO).unwrap_err();
        assert_eq!(failure, Failure::wrong("sleeper was not done after 0 s"));
    }

    #[test]
    fn a_bad_end_is_told_without_arguments_beyond_the_first() {
        let failure = run(Command::new("sh").args(["-c", "exit 7", "a-secret"])).unwrap_err();
        assert_eq!(failure, Failure::wrong("sh -c: exit status: 7"));
    }
}
