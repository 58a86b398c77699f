//! Tokens verified, APIs protected, and tokens asked for, by libraries nobody here wrote.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::demo::Demo;
use crate::example::{Example, Programs};
use crate::process::{self, Tied};
use crate::steps::{Failure, Verdict};
use crate::tools;
use crate::workspace::{Profile, Workspace};

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
    let mut command = java(workspace, &["Protect.java", "CheckProtect.java"])?;
    command.arg("CheckProtect").arg(vectors(workspace));
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

/// Authlib, in Python: grants by a secret, by private_key_jwt and by mutual TLS.
pub(crate) fn stock_python(workspace: &Workspace) -> Verdict {
    let mut command = Tied::command(tools::python(workspace)?);
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(tools::foreign(workspace, "python").join("stock.py"));
    verify_with_api(workspace, "stock.py", command)
}

/// `openid-client`, in Node.js: grants by private_key_jwt with DPoP, and by mutual TLS.
pub(crate) fn stock_node(workspace: &Workspace) -> Verdict {
    tools::node_for_openid_client()?;
    let script = tools::node(workspace)?.join("stock.mjs");
    tools::copy(&tools::foreign(workspace, "node").join("stock.mjs"), &script)?;
    let mut command = Tied::command("node");
    command.arg(script);
    verify_with_api(workspace, "stock.mjs", command)
}

/// Nimbus OAuth 2.0 SDK, in Java: grants by private_key_jwt with DPoP, and by mutual TLS.
pub(crate) fn stock_java(workspace: &Workspace) -> Verdict {
    let mut command = java(workspace, &["Stock.java"])?;
    command.arg("Stock");
    verify_with_api(workspace, "Stock", command)
}

/// golang.org/x/oauth2, in Go: grants by a secret and by mutual TLS.
pub(crate) fn stock_go(workspace: &Workspace) -> Verdict {
    let mut command = Tied::command(go_program(workspace)?);
    command.arg("--stock");
    verify_with_api(workspace, "protect --stock", command)
}

/// Java with what these files are compiled to, and what they need.
fn java(workspace: &Workspace, files: &[&str]) -> Result<Command, Failure> {
    let folder = tools::java(workspace)?;
    let (source, classes, jars) =
        (tools::foreign(workspace, "java"), folder.join("classes"), folder.join("*"));
    let mut javac = Command::new("javac");
    javac.arg("-d").arg(&classes).arg("-cp").arg(&jars);
    process::run(javac.args(files.iter().map(|name| source.join(name))))?;
    let mut java = Tied::command("java");
    java.arg("-cp").arg(class_path(&classes, &jars));
    Ok(java)
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
    command.arg(demo.file());
    let verdict = run_verifier(demo.folder(), name, command, || demo.last_words())?;
    demo.stop()?;
    Ok(verdict)
}

/// Runs a verifier against a demo with TLS and the example of an API behind a guard.
fn verify_with_api(workspace: &Workspace, name: &str, mut command: Command) -> Verdict {
    let programs = Programs::build(workspace, Profile::Dev)?;
    let folder = tempfile::Builder::new().prefix("procura-stock-").tempdir();
    let folder = folder.map_err(|error| Failure::wrong(error.to_string()))?;
    let example = Example::start_with_tls(folder.path(), &programs)?;
    command.arg(example.demo().file()).arg(example.base_url());
    let verdict = run_verifier(folder.path(), name, command, || example.last_words())?;
    example.stop()?;
    Ok(verdict)
}

fn run_verifier(folder: &Path, name: &str, mut command: Command, last_words: impl Fn() -> String) -> Verdict {
    let out = folder.join("verifier.out");
    let file = std::fs::File::create(&out).map_err(|error| Failure::wrong(error.to_string()))?;
    command.stdout(file).stderr(Stdio::inherit());
    let ended = Tied::spawn(name, &mut command)?.finish(LIMIT);
    let said = std::fs::read_to_string(&out).unwrap_or_default();
    print!("{said}");
    if let Err(failure) = ended {
        println!("the last words of what it talked to:\n{}", last_words());
        return Err(failure);
    }
    let last = said.lines().last().unwrap_or_default();
    if !last.ends_with("checks passed") || last.starts_with("0 ") {
        return Err(Failure::wrong(format!("{name} did not say what it checked")));
    }
    Ok(last.to_owned())
}
