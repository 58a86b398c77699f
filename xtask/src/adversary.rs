//! The adversarial suite against the server that was built: `procura adversary`.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use crate::process::{self, Tied};
use crate::steps::{Failure, Verdict};
use crate::workspace::{Profile, Workspace};

/// A run takes a minute on two idle cores.
const LIMIT: Duration = Duration::from_secs(900);

/// Cases that Procura's own adapter can't have, and why.
const MAY_BE_SKIPPED: &[(&str, &str)] = &[
    ("dpop-proof-nonce-invented-at-contact-token", "no nonce is demanded there: the tests of `dpop` have it"),
    ("dpop-proof-nonce-invented-at-jwt-bearer", "the same"),
];

/// What is read of the report.
#[derive(Deserialize)]
struct Report {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    verdict: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    sent: String,
    #[serde(default)]
    came: String,
}

/// Builds the server, attacks it, and wants every case to hold. The report is in `target/adversary.xml`.
pub(crate) fn check(workspace: &Workspace) -> Verdict {
    let server = workspace.server(Profile::Dev)?;
    let target = workspace.root().join("target");
    let (xml, json, log) =
        (target.join("adversary.xml"), target.join("adversary.json"), target.join("adversary.log"));
    let file = |path| File::create(path).map_err(|error| Failure::wrong(format!("no report: {error}")));
    let mut command = Tied::command(&server);
    command.args(["adversary", "--json", "--junit"]).arg(&xml);
    command.stdout(Stdio::from(file(&json)?)).stderr(Stdio::from(file(&log)?));
    let ended = Tied::spawn("procura adversary", &mut command)?.finish(LIMIT);
    let text = fs::read_to_string(&json).unwrap_or_default();
    let Ok(report) = serde_json::from_str::<Report>(&text) else {
        ended?;
        return Err(Failure::wrong(format!("no report; it said:\n{}", process::tail(&log, 20))));
    };
    let verdict = judged(&report);
    if verdict.is_ok() {
        ended?;
    }
    verdict
}

/// Attacks another server, which its adapter installs and starts, and shows the report.
pub(crate) fn against(workspace: &Workspace, name: &str) -> Verdict {
    let adapters = workspace.root().join("crates/adversary/adapters");
    let adapter = adapters.join(name).join("adapter.toml");
    if !adapter.is_file() {
        return Err(Failure::wrong(format!("no adapter is called so: {} has them", adapters.display())));
    }
    let program = workspace.adversary(Profile::Dev)?;
    process::run(Command::new(program).arg("--adapter").arg(adapter))?;
    Ok(format!("every case that {name} can be asked holds"))
}

fn judged(report: &Report) -> Verdict {
    let wrong: Vec<&Case> = report.cases.iter().filter(|case| !is_right(case)).collect();
    for case in &wrong {
        println!("{}: {}", case.verdict, case.id);
        for (what, text) in [("reason", &case.reason), ("sent", &case.sent), ("came", &case.came)] {
            if !text.is_empty() {
                println!("    {what}: {text}");
            }
        }
    }
    match wrong.len() {
        0 => Ok(format!("{} cases", report.cases.len())),
        count => Err(Failure::wrong(format!("{count} of {} cases do not hold", report.cases.len()))),
    }
}

fn is_right(case: &Case) -> bool {
    let may_be_skipped = || MAY_BE_SKIPPED.iter().any(|(id, _)| *id == case.id);
    case.verdict == "pass" || case.verdict == "skip" && may_be_skipped()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdict: &str) -> Report {
        let case = serde_json::json!({"id": "a", "verdict": verdict, "reason": "no key"});
        serde_json::from_value(serde_json::json!({"cases": [case]})).unwrap()
    }

    #[test]
    fn only_a_pass_is_right_unless_a_skip_is_listed() {
        assert_eq!(judged(&report("pass")), Ok("1 cases".to_owned()));
        for verdict in ["fail", "skip", "departure"] {
            assert!(judged(&report(verdict)).is_err(), "{verdict}");
        }
    }
}
