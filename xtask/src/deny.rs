//! cargo-deny, in two halves: what must hold offline, and what needs the advisory database.

use std::process::Command;

use crate::process;
use crate::steps::{Failure, Verdict};
use crate::tools;
use crate::workspace::Workspace;

/// Bans, licences and sources.
pub(crate) fn check(workspace: &Workspace) -> Verdict {
    // A wrapper says who may, not who must.
    let mut command = deny(workspace)?;
    command.args(["check", "--allow", "unused-wrapper", "--allow", "license-exception-not-encountered"]);
    process::run(command.args(["bans", "licenses", "sources"]))?;
    Ok("bans, licences and sources are as written down".to_owned())
}

/// Known vulnerabilities and unmaintained crates. Not part of the tests: the answer changes from day
/// to day without a change of ours.
pub(crate) fn advisories(workspace: &Workspace) -> Verdict {
    let fetched = deny(workspace)?.args(["fetch", "db"]).output();
    let reached = fetched.is_ok_and(|output| output.status.success());
    if !reached {
        return Err(Failure::Missing {
            what: "the advisory database can't be reached: nothing was checked".to_owned(),
            get: None,
        });
    }
    process::run(deny(workspace)?.args(["--offline", "check", "advisories"]))?;
    Ok("no advisory against any dependency".to_owned())
}

fn deny(workspace: &Workspace) -> Result<Command, Failure> {
    let mut command = Command::new(tools::cargo_deny(workspace)?);
    command.current_dir(workspace.root());
    Ok(command)
}
