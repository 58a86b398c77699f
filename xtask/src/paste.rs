//! The commands that `procura demo --tls` prints for asking for a token, pasted into a shell.
//!
//! Whatever is indented and asks for a token is run as it stands there. So a way to authenticate that the demo
//! shows and that does not work fails here, and so does one that it stops showing.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::process::Tied;
use crate::steps::{Failure, Verdict};
use crate::tools;
use crate::workspace::{Profile, Workspace};

/// The last line that the demo prints.
const READY: &str = "Ctrl-C ends it.";
const PATIENCE: Duration = Duration::from_secs(60);

/// What tells one way to authenticate from the others, in the command that shows it.
const WAYS: [(&str, &[&str]); 7] = [
    ("client_secret_basic", &["curl", " -u ", "-X POST"]),
    ("client_secret_post", &["curl", "-d client_secret="]),
    ("the SDK with a secret", &["PROCURA_SECRET=", " token "]),
    ("tls_client_auth", &["curl", "/partner.pem", "-d client_id="]),
    ("self_signed_tls_client_auth", &["curl", "/partner-self-signed.pem", "-d client_id="]),
    ("a secret and a certificate", &["curl", "/partner.pem", " -u "]),
    ("private_key_jwt", &[" token ", "--assertion-key"]),
];

/// Starts the demo as a person does, and pastes.
pub(crate) fn check(workspace: &Workspace) -> Verdict {
    tools::shell_program("curl")?;
    let server = workspace.server(Profile::Dev)?;
    let mut command = Tied::command(&server);
    command.args(["demo", "--tls", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
    let mut demo = Tied::spawn("procura demo --tls", &mut command)?;
    let told = told(&mut demo)?;
    let commands = || told.iter().filter_map(|line| line.strip_prefix("  "));
    for (way, parts) in WAYS {
        let is_it = |command: &&str| parts.iter().all(|part| command.contains(part));
        let command = commands().find(is_it);
        let command =
            command.ok_or_else(|| Failure::wrong(format!("the demo shows no command for {way}")))?;
        paste(way, command)?;
    }
    demo.stop(Duration::from_secs(45))?;
    Ok(format!("{} ways to authenticate, each as it is printed", WAYS.len()))
}

/// The lines that the demo prints, to the last.
fn told(demo: &mut Tied) -> Result<Vec<String>, Failure> {
    let (sender, lines) = mpsc::channel();
    if let Some(out) = demo.child().stdout.take() {
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
    }
    let mut told = Vec::new();
    loop {
        let line = lines.recv_timeout(PATIENCE);
        let line = line.map_err(|_| Failure::wrong("the demo did not come to its last line"))?;
        let is_last = line.ends_with(READY);
        told.push(line);
        if is_last {
            return Ok(told);
        }
    }
}

/// Runs a command in a shell. It must print an answer with a token; neither is shown, for both hold secrets.
fn paste(way: &str, command: &str) -> Result<(), Failure> {
    let failed = |why: String| Failure::wrong(format!("the command for {way}: {why}"));
    let mut shell = Tied::command("sh");
    let output = shell.arg("-c").arg(command).stdin(Stdio::null()).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    let answer = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && (answer["access_token"].is_string() || text.contains("\naccess_token\n")) {
        return Ok(());
    }
    let error = answer["error"].as_str().unwrap_or("no token in what it printed");
    Err(failed(format!("{}: {error}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())))
}
