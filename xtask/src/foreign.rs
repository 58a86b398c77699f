//! Tokens verified by libraries nobody here wrote.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::demo::Demo;
use crate::process::Tied;
use crate::steps::{Failure, Verdict};
use crate::tools;
use crate::workspace::Workspace;

const LIMIT: Duration = Duration::from_secs(300);

/// PyJWT, in Python.
pub(crate) fn python(workspace: &Workspace) -> Verdict {
    let mut command = Tied::command(tools::python(workspace)?);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg(tools::foreign(workspace, "python").join("verify.py"));
    verify(workspace, "verify.py", command)
}

/// `jose`, in Node.js.
pub(crate) fn node(workspace: &Workspace) -> Verdict {
    let folder = tools::node(workspace)?;
    // A module finds its packages beside its own file.
    let script = folder.join("verify.mjs");
    tools::copy(&tools::foreign(workspace, "node").join("verify.mjs"), &script)?;
    let mut command = Tied::command("node");
    command.arg(script);
    verify(workspace, "verify.mjs", command)
}

/// Runs a verifier against a demo of its own; its last line says how much it checked.
fn verify(workspace: &Workspace, name: &str, mut command: Command) -> Verdict {
    let demo = Demo::start(workspace)?;
    let out = demo.folder().join("verifier.out");
    let file = std::fs::File::create(&out).map_err(|error| Failure::wrong(error.to_string()))?;
    command.arg(demo.file()).stdout(file).stderr(Stdio::inherit());
    let ended = Tied::spawn(name, &mut command)?.finish(LIMIT);
    let said = std::fs::read_to_string(&out).unwrap_or_default();
    print!("{said}");
    if let Err(failure) = ended {
        println!("the server's last words:\n{}", demo.last_words());
        return Err(failure);
    }
    demo.stop()?;
    let last = said.lines().last().unwrap_or_default();
    if !last.ends_with("checks passed") || last.starts_with("0 ") {
        return Err(Failure::wrong(format!("{name} did not say what it checked")));
    }
    Ok(last.to_owned())
}
