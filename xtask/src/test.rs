//! `cargo xtask test`: every check there is, in order.

use std::process::ExitCode;

use crate::process::{run, run_and_keep};
use crate::steps::{Failure, Steps, Verdict};
use crate::workspace::{Profile, Workspace};
use crate::{
    adversary, contract, crash, deny, foreign, forward_auth, layers, paste, rotation, story, timing, tools,
};

/// How much of it to run.
pub(crate) struct Options {
    /// Install first what is missing.
    pub(crate) install: bool,
    /// Leave out what needs a running server or PostgreSQL.
    pub(crate) quick: bool,
}

/// Servers killed under load in one run of the tests; more by `cargo xtask crash --runs`.
const KILLS: u32 = 100;

/// Runs them all, whatever fails on the way, and ends with the table and the counts.
pub(crate) fn run_all(workspace: &Workspace, options: &Options) -> ExitCode {
    let mut steps = Steps::default();
    if options.install {
        steps.run("install", || tools::install(workspace));
    }
    steps.run("format", || format(workspace));
    steps.run("layers", || layers::check(workspace));
    steps.run("clippy", || clippy(workspace));
    steps.run("deny", || deny::check(workspace));
    steps.run("tests", || tests(workspace));
    steps.run("statements on PostgreSQL", || unless_quick(options, || postgres(workspace)));
    let built = options.quick || steps.run("build the server", || build(workspace));
    let mut with_server = |name, step: &dyn Fn() -> Verdict| {
        steps.run(name, || unless_quick(options, || if built { step() } else { Err(not_built()) }));
    };
    with_server("kill under load", &|| crash::run(workspace, KILLS));
    with_server("timing of refusals", &|| timing::run(workspace, true));
    with_server("the adversarial suite", &|| adversary::check(workspace));
    with_server("the README's story", &|| story::check(workspace));
    with_server("the demo's commands, pasted", &|| paste::check(workspace));
    with_server("rotation, as its page does it", &|| rotation::check(workspace));
    with_server("verify in Python", &|| foreign::python(workspace));
    with_server("verify in Node.js", &|| foreign::node(workspace));
    with_server("protect an API in Python", &|| foreign::protect_python(workspace));
    with_server("protect an API in Node.js", &|| foreign::protect_node(workspace));
    with_server("protect an API in Go", &|| foreign::protect_go(workspace));
    with_server("protect an API in Java", &|| foreign::protect_java(workspace));
    with_server("a partner in Python", &|| foreign::partner_python(workspace));
    with_server("a partner in Node.js", &|| foreign::partner_node(workspace));
    with_server("a partner in Go", &|| foreign::partner_go(workspace));
    with_server("stock client: Authlib in Python", &|| foreign::stock_python(workspace));
    with_server("stock client: openid-client in Node.js", &|| foreign::stock_node(workspace));
    with_server("stock client: x/oauth2 in Go", &|| foreign::stock_go(workspace));
    with_server("stock client: Nimbus in Java", &|| foreign::stock_java(workspace));
    with_server("forward auth behind nginx", &|| forward_auth::nginx(workspace));
    with_server("forward auth behind Caddy", &|| forward_auth::caddy(workspace));
    with_server("fuzz the contract", &|| contract::check(workspace));
    steps.finish()
}

fn unless_quick(options: &Options, step: impl FnOnce() -> Verdict) -> Verdict {
    if options.quick { Err(Failure::LeftOut("left out by --quick".to_owned())) } else { step() }
}

fn not_built() -> Failure {
    Failure::LeftOut("the server was not built".to_owned())
}

fn format(workspace: &Workspace) -> Verdict {
    tools::component(workspace, "fmt", "rustfmt")?;
    run(workspace.cargo().args(["fmt", "--all", "--check"]))?;
    Ok(String::new())
}

fn clippy(workspace: &Workspace) -> Verdict {
    tools::component(workspace, "clippy", "clippy")?;
    run(workspace.cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))?;
    Ok(String::new())
}

fn tests(workspace: &Workspace) -> Verdict {
    let mut cargo = workspace.cargo();
    // PostgreSQL has a step of its own, so that the table tells whether it ran.
    cargo.env_remove(tools::POSTGRES_BIN);
    let said = run_and_keep(cargo.args(["test", "--workspace", "--locked", "--no-fail-fast"]))?;
    Ok(format!("{} tests", passed_in(&said)))
}

fn postgres(workspace: &Workspace) -> Verdict {
    let folder = tools::postgres()?;
    let mut cargo = workspace.cargo();
    cargo.env(tools::POSTGRES_BIN, &folder);
    // All of the workspace, so that nothing is built a second time with fewer features.
    let said = run_and_keep(cargo.args(["test", "--workspace", "--locked", "--test", "postgres"]))?;
    match passed_in(&said) {
        0 => Err(Failure::wrong("no test ran")),
        passed => Ok(format!("{passed} tests with {}", folder.display())),
    }
}

fn build(workspace: &Workspace) -> Verdict {
    workspace.server(Profile::Dev).map(|program| program.display().to_string())
}

/// Adds up what cargo's test runners say at their ends.
fn passed_in(said: &str) -> u32 {
    said.lines()
        .filter_map(|line| line.strip_prefix("test result: ok. "))
        .filter_map(|rest| rest.split_once(" passed").and_then(|(number, _)| number.parse::<u32>().ok()))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::passed_in;

    #[test]
    fn the_passed_tests_of_all_runners_are_added_up() {
        let said = "running 2 tests\ntest result: ok. 2 passed; 0 failed; 1 ignored\n\n\
                    test result: ok. 40 passed; 0 failed; 0 ignored\n";
        assert_eq!(passed_in(said), 42);
        assert_eq!(passed_in("test result: FAILED. 1 passed; 1 failed"), 0);
    }
}
