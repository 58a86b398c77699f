//! Tokens verified, APIs protected, and tokens asked for, by libraries nobody here wrote.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::demo::Demo;
use crate::process::{self, Tied};
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

/// An API in Python behind PyJWT, as `docs/protect-an-api.md` shows it.
pub(crate) fn protect_python(workspace: &Workspace) -> Verdict {
    let mut command = Tied::command(tools::python(workspace)?);
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    command.arg(tools::foreign(workspace, "python").join("check_protect.py")).arg(vectors(workspace));
    verify(workspace, "check_protect.py", command)
}

/// An API in Node.js behind `jose`, as the same page shows it.
pub(crate) fn protect_node(workspace: &Workspace) -> Verdict {
    let folder = tools::node(workspace)?;
    for name in ["protect.mjs", "check-protect.mjs"] {
        tools::copy(&tools::foreign(workspace, "node").join(name), &folder.join(name))?;
    }
    let mut command = Tied::command("node");
    command.arg(folder.join("check-protect.mjs")).arg(vectors(workspace));
    verify(workspace, "check-protect.mjs", command)
}

/// An API in Go behind go-jose, as the same page shows it.
pub(crate) fn protect_go(workspace: &Workspace) -> Verdict {
    let mut command = Tied::command(go_program(workspace)?);
    command.arg(vectors(workspace));
    verify(workspace, "protect", command)
}

/// An API in Java behind Nimbus JOSE+JWT, as the same page shows it.
pub(crate) fn protect_java(workspace: &Workspace) -> Verdict {
    let folder = tools::java(workspace)?;
    let (source, classes) = (tools::foreign(workspace, "java"), folder.join("classes"));
    let jars = folder.join("*");
    let mut javac = Command::new("javac");
    javac.arg("-d").arg(&classes).arg("-cp").arg(&jars);
    process::run(javac.args(["Protect.java", "CheckProtect.java"].map(|name| source.join(name))))?;
    let mut command = Tied::command("java");
    command.arg("-cp").arg(class_path(&classes, &jars)).arg("CheckProtect").arg(vectors(workspace));
    verify(workspace, "CheckProtect", command)
}

/// A partner in Python, with requests and PyJWT, at a demo with TLS.
pub(crate) fn partner_python(workspace: &Workspace) -> Verdict {
    let mut command = Tied::command(tools::python(workspace)?);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg(tools::foreign(workspace, "python").join("partner.py"));
    verify_at(Demo::start_with_tls(workspace)?, "partner.py", command)
}

/// A partner in Node.js, with its own client and `jose`.
pub(crate) fn partner_node(workspace: &Workspace) -> Verdict {
    let script = tools::node(workspace)?.join("partner.mjs");
    tools::copy(&tools::foreign(workspace, "node").join("partner.mjs"), &script)?;
    let mut command = Tied::command("node");
    command.arg(script);
    verify_at(Demo::start_with_tls(workspace)?, "partner.mjs", command)
}

/// A partner in Go, with its own client.
pub(crate) fn partner_go(workspace: &Workspace) -> Verdict {
    let mut command = Tied::command(go_program(workspace)?);
    command.arg("--partner");
    verify_at(Demo::start_with_tls(workspace)?, "protect --partner", command)
}

fn go_program(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let mut go = tools::go(workspace)?;
    let program = tools::go_folder(workspace).join("protect");
    process::run(go.env("GOPROXY", "off").args(["build", "-o"]).arg(&program).arg("."))?;
    Ok(program)
}

fn class_path(classes: &Path, jars: &Path) -> OsString {
    let mut path = classes.as_os_str().to_owned();
    path.push(":");
    path.push(jars);
    path
}

/// What a guard must answer, in every language.
fn vectors(workspace: &Workspace) -> PathBuf {
    workspace.root().join("tests/vectors/guard.json")
}

/// Runs a verifier against a demo of its own; its last line says how much it checked.
fn verify(workspace: &Workspace, name: &str, command: Command) -> Verdict {
    verify_at(Demo::start(workspace)?, name, command)
}

fn verify_at(demo: Demo, name: &str, mut command: Command) -> Verdict {
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
