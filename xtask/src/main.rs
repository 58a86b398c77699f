//! The project's own commands: `cargo xtask --help`.
//!
//! Whatever is more than one line of shell lives here, so that it runs the same on a laptop and in
//! CI. `cargo xtask test` is the one that matters: it runs every check there is, in order, and says
//! what it left out and why.
//!
//! This crate knows how to build, start and stop things. What a token is, what a journal holds and
//! which answer is right is said by the crates, by their tests and by the verifiers it starts.
//!
//! # How to add the next thing
//!
//! * A **check** that every change must pass: a function that returns a [`steps::Verdict`], and a line
//!   in [`test::run_all`].
//! * A **tool from outside**: a finder in [`tools`] that says which one command gets it, and an
//!   installer beside it. Nothing from outside runs but on loopback, in a throw-away folder, through
//!   [`process::Tied`], which kills it whatever happens.
//! * A **command**: a variant of [`Act`].

mod adversary;
mod bench;
mod contract;
mod crash;
mod demo;
mod deny;
mod example;
mod foreign;
mod forward_auth;
mod fuzz;
mod layers;
mod pages;
mod paste;
mod process;
mod procura;
mod rotation;
mod steps;
mod story;
mod test;
mod timing;
mod tools;
mod vectors;
mod wire;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use steps::{Failure, Verdict};
use workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands", disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Run every check, in order, and say what was skipped
    Test {
        /// First install what the checks need from outside
        #[arg(long)]
        install: bool,
        /// Leave out what needs a running server
        #[arg(long)]
        quick: bool,
    },
    /// Install what the checks need from outside, and nothing else
    Install,
    /// Start the demo and an API behind a guard, say what to try, and stop both at Ctrl-C
    Example {
        /// Build without optimisations, which is faster
        #[arg(long)]
        dev: bool,
        /// Port of the demo; the API has the next one
        #[arg(long, default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..65535))]
        port: u16,
        /// Instead run the README's commands on free ports, and compare every status with what it says
        #[arg(long, conflicts_with_all = ["dev", "port"])]
        check: bool,
    },
    /// Hold the drawing of the layers against the manifests
    Layers,
    /// Check bans, licences and sources of all dependencies
    Deny,
    /// Check dependencies against the advisory database; exit code 4 when it can't be reached
    Advisories,
    /// Attack the server with every case of the adversarial suite
    Adversary {
        /// Another server that an adapter is there for: a folder of `crates/adversary/adapters`. It is installed
        #[arg(long, value_name = "NAME")]
        against: Option<String>,
    },
    /// Kill servers under load and look for tokens that are missing from the journal
    Crash {
        /// How many servers to kill
        #[arg(long, default_value_t = 100)]
        runs: u32,
    },
    /// Forge whatever can be forged behind nginx and Caddy, as docs/forward-auth.md sets them up
    ForwardAuth,
    /// Ask for tokens by mutual TLS and by assertion as partners in other languages do
    Partners,
    /// Get tokens through every door, and use them, by OAuth libraries that others wrote
    Stock,
    /// Paste the commands that the demo prints for each door and each way to authenticate
    Paste,
    /// Replace every credential and key as docs/operations/rotation.md does
    Rotation,
    /// Compare the time that refusals take, statistically
    Timing {
        /// The engine alone, with few samples
        #[arg(long)]
        short: bool,
    },
    /// Measure the release server against the floor of its parts
    Bench {
        /// Measure the directory instead: loading, changes and imports at a million rows
        #[arg(long)]
        directory: bool,
        /// Measure what checking a token costs instead, in a guard and when the server is asked
        #[arg(long, conflicts_with_all = ["directory", "tokens"])]
        guard: bool,
        /// Measure TLS, client certificates, signed assertions and an attack instead
        #[arg(long, conflicts_with_all = ["directory", "guard", "tokens"])]
        tls: bool,
        /// Measure what a token costs at each door instead: the standard grants, and tokens bound to keys
        #[arg(long, conflicts_with_all = ["directory", "guard", "tokens", "tls"])]
        doors: bool,
        /// Print the figures as one JSON object
        #[arg(long)]
        json: bool,
        /// Fetch so many tokens and see what grew; 10000000 is the long form
        #[arg(long, conflicts_with = "directory")]
        tokens: Option<u64>,
        /// One short run of each: to see that it works, not for figures
        #[arg(long)]
        short: bool,
    },
    /// Fuzz one target, guided by coverage, until stopped
    Fuzz {
        /// One of the files in fuzz/fuzz_targets
        target: String,
        /// Stop after so many seconds
        #[arg(long)]
        seconds: Option<u64>,
    },
    /// Put the code that the tests run into the pages that show it
    Pages,
    /// Write the cases that every verifier must answer alike, tests/vectors/guard.json, anew
    ///
    /// Keys stay, and so do tokens whose recipe is as it was: ES256 and PS256 signatures are random, and
    /// a new run changes only what changed.
    Vectors {
        /// Write nothing; fail when the file is not what the recipes give
        #[arg(long)]
        check: bool,
    },
    /// Become a command that dies with the process that started it
    #[command(hide = true)]
    Tied {
        parent: u32,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    match act(Arguments::parse().act) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.exit_code()
        }
    }
}

fn act(act: Act) -> Result<ExitCode, Failure> {
    if let Act::Tied { parent, command } = act {
        return Err(process::become_tied(parent, &command));
    }
    let workspace = Workspace::open()?;
    match act {
        Act::Test { install, quick } => {
            return Ok(test::run_all(&workspace, &test::Options { install, quick }));
        }
        Act::Install => say(tools::install(&workspace))?,
        Act::Example { check: true, .. } => say(story::check(&workspace))?,
        Act::Example { dev, port, check: false } => {
            let profile = if dev { workspace::Profile::Dev } else { workspace::Profile::Release };
            example::run(&workspace, profile, port)?;
        }
        Act::Layers => say(layers::check(&workspace))?,
        Act::Deny => say(deny::check(&workspace))?,
        Act::Advisories => say(deny::advisories(&workspace))?,
        Act::Adversary { against: None } => say(adversary::check(&workspace))?,
        Act::Adversary { against: Some(name) } => say(adversary::against(&workspace, &name))?,
        Act::Crash { runs } => say(crash::run(&workspace, runs))?,
        Act::ForwardAuth => {
            say(forward_auth::nginx(&workspace))?;
            say(forward_auth::caddy(&workspace))?;
        }
        Act::Partners => {
            say(foreign::partner_python(&workspace))?;
            say(foreign::partner_node(&workspace))?;
            say(foreign::partner_go(&workspace))?;
        }
        Act::Stock => {
            say(foreign::stock_python(&workspace))?;
            say(foreign::stock_node(&workspace))?;
            say(foreign::stock_go(&workspace))?;
            say(foreign::stock_java(&workspace))?;
        }
        Act::Paste => say(paste::check(&workspace))?,
        Act::Rotation => say(rotation::check(&workspace))?,
        Act::Timing { short } => say(timing::run(&workspace, short))?,
        Act::Bench { directory, guard, tls, doors, json, tokens, short } => {
            bench::run(&workspace, &bench::Options { directory, guard, tls, doors, json, tokens, short })?;
        }
        Act::Fuzz { target, seconds } => say(fuzz::run(&workspace, &target, seconds))?,
        Act::Pages => say(pages::write(&workspace))?,
        Act::Vectors { check } => say(vectors::run(&workspace, check))?,
        Act::Tied { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn say(verdict: Verdict) -> Result<(), Failure> {
    println!("{}", verdict?);
    Ok(())
}
