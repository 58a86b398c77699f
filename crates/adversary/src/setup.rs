//! The command that an adapter names to begin with: it prints the placeholders' values, and may go on as
//! the server.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::adapter::Command as Named;
use crate::clock::Deadline;

const READY: Duration = Duration::from_secs(120);
const END: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);

/// A setup that may still run. It is told to end, by the end of its input, when this is dropped.
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
}

/// Starts it and waits for its one line.
pub(crate) fn start(folder: &Path, named: &Named) -> Result<(Running, String), String> {
    let (name, arguments) = named.command.split_first().ok_or("`setup.command` names no program")?;
    let mut command = Command::new(program(folder, name));
    // An interrupt at the keyboard ends us, and not the setup: that learns of it by the end of its input, and cleans up.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{name} does not start: {error}"))?;
    let input = child.stdin.take();
    let output = child.stdout.take();
    let running = Running { child, input };
    let (sender, lines) = mpsc::channel();
    if let Some(output) = output {
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = String::new();
            let _ = output.read_line(&mut line);
            let _ = sender.send(line);
            // What else it says is read, so that it never waits for us.
            let _ = std::io::copy(&mut output, &mut std::io::sink());
        });
    }
    match lines.recv_timeout(READY) {
        Ok(line) if !line.trim().is_empty() => Ok((running, line)),
        Ok(_) => Err(format!("{name} ended before it printed a line")),
        Err(_) => Err(format!("{name} printed no line in {} s", READY.as_secs())),
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.input.take());
        let deadline = Deadline::after(END);
        while !deadline.is_over() {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(LOOK);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program as it is started: a name is looked for on the PATH, a relative path below the folder.
pub(crate) fn program(folder: &Path, name: &str) -> PathBuf {
    if name.contains('/') { folder.join(name) } else { PathBuf::from(name) }
}
