//! The commands that `procura demo --tls` prints, pasted into a shell.
//!
//! Whatever is indented and can be run is run as it stands there, in order. So a door or a way to authenticate that
//! the demo shows and that does not work fails here, and so does one that it stops showing.

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

/// What stands in a command where a person puts the token that an earlier one printed.
const TOKEN: &str = "ACCESS_TOKEN";
/// And where a reference of a refusal belongs: such a command is not run.
const REFERENCE: &str = "REFERENCE";

/// What tells a door, and a way to go through it, from the others in the command that shows it.
const WAYS: &[(&str, &[&str])] = &[
    ("client_secret_basic", &["curl", " -u ", "-X POST", "/token/"]),
    ("client_secret_post", &["curl", "-d client_secret="]),
    ("the SDK with a secret", &["PROCURA_SECRET=", " token "]),
    ("tls_client_auth", &["curl", "/partner.pem", "-d client_id=", "/token/"]),
    ("self_signed_tls_client_auth", &["curl", "/partner-self-signed.pem", "-d client_id="]),
    ("a secret and a certificate", &["curl", "/partner.pem", " -u "]),
    ("private_key_jwt", &[" token ", "--assertion-key"]),
    ("a resource", &["curl", "-d resource="]),
    ("DPoP by a secret", &["curl", "DPoP: ", " -u ", "-X POST", "/token/"]),
    ("DPoP by a certificate", &["curl", "DPoP: ", "/partner.pem", "/token/"]),
    ("DPoP by private_key_jwt", &[" token ", "--assertion-key", "--dpop-key"]),
    ("client_credentials", &["curl", " -u ", "grant_type=client_credentials"]),
    ("client_credentials with DPoP", &["curl", "DPoP: ", "grant_type=client_credentials"]),
    ("client_credentials by a certificate", &["/partner.pem", "grant_type=client_credentials"]),
    ("JWT bearer by a secret", &["PROCURA_SECRET=", "--door jwt-bearer"]),
    ("JWT bearer with DPoP", &["PROCURA_SECRET=", "--door jwt-bearer", "--dpop-key"]),
    ("JWT bearer by private_key_jwt", &["--door jwt-bearer", "--assertion-key", "--dpop-key"]),
    ("JWT bearer by a certificate", &["--door jwt-bearer", "--certificate"]),
    ("token exchange by a secret", &["PROCURA_SECRET=", "--door token-exchange"]),
    ("token exchange with DPoP", &["PROCURA_SECRET=", "--door token-exchange", "--dpop-key"]),
    ("token exchange by private_key_jwt", &["--door token-exchange", "--assertion-key", "--dpop-key"]),
    ("token exchange by a certificate", &["--door token-exchange", "--certificate"]),
    ("the API with a bearer token", &["Authorization: Bearer", "/clients"]),
    ("the API with a proof", &["Authorization: DPoP", "DPoP: ", "/clients"]),
    ("the API with a certificate", &["Authorization: Bearer", "/partner.pem", "/clients"]),
    ("the keys", &["/jwks"]),
    ("introspection", &["token=ACCESS_TOKEN", "/introspect"]),
    ("revocation", &["token=ACCESS_TOKEN", "/revoke"]),
];

/// Starts the demo as a person does, and pastes.
pub(crate) fn check(workspace: &Workspace) -> Verdict {
    tools::shell_program("curl")?;
    let server = workspace.server(Profile::Dev)?;
    let mut command = Tied::command(&server);
    command.args(["demo", "--tls", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
    let mut demo = Tied::spawn("procura demo --tls", &mut command)?;
    let told = told(&mut demo)?;
    let commands = commands(&told, &server.to_string_lossy());
    for (way, parts) in WAYS {
        if !commands.iter().any(|command| parts.iter().all(|part| command.text.contains(part))) {
            return Err(Failure::wrong(format!("the demo shows no command for {way}")));
        }
    }
    let mut token = None;
    for command in &commands {
        let printed = paste(command, token.as_deref())?;
        token = token.or(printed);
    }
    demo.stop(Duration::from_secs(45))?;
    Ok(format!("{} commands, among them {} doors and ways", commands.len(), WAYS.len()))
}

/// A command that the demo prints, and the line before it that says what it does.
struct Shown<'a> {
    what: &'a str,
    text: &'a str,
}

/// Those that can be run, in order.
fn commands<'a>(told: &'a [String], program: &str) -> Vec<Shown<'a>> {
    let begins = ["curl ", "PROCURA_SECRET=", "TOKEN=", program];
    let lines = told.iter().zip(told.iter().skip(1));
    let commands = lines.filter_map(|(what, line)| Some(Shown { what, text: line.strip_prefix("  ")? }));
    commands
        .filter(|command| begins.iter().any(|begin| command.text.starts_with(begin)))
        .filter(|command| !command.text.contains(REFERENCE))
        .collect()
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

/// Runs a command in a shell. It must print what its last word answers; the access token, if that is it. Nothing of
/// it is shown, for it holds secrets.
fn paste(command: &Shown<'_>, token: Option<&str>) -> Result<Option<String>, Failure> {
    let failed = |why: String| Failure::wrong(format!("{} {why}", command.what));
    let text = match token {
        Some(token) => command.text.replace(TOKEN, token),
        None => command.text.to_owned(),
    };
    let mut shell = Tied::command("sh");
    let output = shell.arg("-c").arg(&text).stdin(Stdio::null()).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let answer = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default();
    let issued = answer["access_token"].as_str().map(str::to_owned);
    let endpoint = text.rsplit('/').next().unwrap_or_default();
    let right = match endpoint {
        "jwks" => answer["keys"].is_array(),
        "clients" => answer.as_array().is_some_and(|clients| !clients.is_empty()),
        "introspect" => answer["active"] == true,
        "revoke" => said.is_empty(),
        _ if text.contains(" trust disable ") => true,
        _ => issued.is_some() || said.contains("\naccess_token\n"),
    };
    if output.status.success() && right {
        return Ok(issued);
    }
    let error = answer["error"].as_str().unwrap_or("not what it should print");
    Err(failed(format!("{}: {error}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_what_is_indented_and_can_be_run() {
        let told = [
            "# A title",
            "By a secret:",
            "  curl -u a:b https://x/token/CON1",
            "# Contacts",
            "  CON1  CLI1",
            "Why one was refused:",
            "  /bin/procura audit explain REFERENCE --data d",
            "# A company takes its trust back",
            "  /bin/procura trust disable CLI1 a",
        ];
        let told = told.map(str::to_owned);
        let commands = commands(&told, "/bin/procura");
        let shown: Vec<_> = commands.iter().map(|command| (command.what, command.text)).collect();
        let first = ("By a secret:", "curl -u a:b https://x/token/CON1");
        assert_eq!(shown, [first, (told[7].as_str(), "/bin/procura trust disable CLI1 a")]);
    }
}
