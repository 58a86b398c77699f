//! `procura adversary`: named attacks on this server, or on any other that an adapter file describes.

mod certificates;
mod world;

use clap::{ArgMatches, Args, Command};
use procura_adversary::adapter::Values;
use procura_adversary::cli::{self, AFTER_HELP, Own};

use super::arguments;
use crate::exit::{Failure, Outcome};

/// Describes the world that `--world` makes.
const ADAPTER: &str = include_str!("../../../adversary/adapters/procura.toml");

#[derive(Debug, Args)]
struct Adversary {
    #[command(flatten)]
    suite: cli::Arguments,
    /// Serve the world that the adapter of this program describes, until standard input ends
    #[arg(long, hide = true, exclusive = true)]
    world: bool,
}

pub(super) fn command() -> Command {
    Adversary::augment_args(Command::new("adversary"))
        .about("Attack a token server in some 2,600 named cases: this one, or another")
        .after_long_help(format!(
            "Without --adapter it attacks a Procura of its own, in a throw-away folder, with made-up companies.\n\n\
             {AFTER_HELP}\n\n\
             Examples:\n  \
             procura adversary\n  \
             procura adversary --only replayed --door jwt_bearer\n  \
             procura adversary --adapter other.toml --junit report.xml"
        ))
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let Adversary { suite, world } = arguments(matches)?;
    let program = std::env::current_exe()
        .map_err(|error| Failure::unavailable(format_args!("this program can't be found: {error}")))?;
    if world {
        return world::serve(&program);
    }
    let mut values = Values::default();
    values.set("procura", &program.to_string_lossy());
    match cli::main(&suite, Some(Own { adapter: ADAPTER, values })) {
        Ok(0) => Ok(()),
        Ok(_) => Err(Failure::refused("not every case holds: the report says which")),
        Err(failure @ cli::Failure::Usage(_)) => Err(Failure::usage(failure)),
        // The suite's own code for a setup that failed, which is 3 everywhere.
        Err(failure @ cli::Failure::Setup(_)) => Err(Failure::integrity(failure)),
    }
}
