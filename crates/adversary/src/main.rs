//! `procura-adversary`: the suite against any server that an adapter describes.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use procura_adversary::cli::{self, AFTER_HELP, Arguments};

/// Attack a token server in some 2,600 named cases
#[derive(Debug, Parser)]
#[command(name = "procura-adversary", version, after_long_help = AFTER_HELP)]
struct Program {
    #[command(flatten)]
    arguments: Arguments,
}

fn main() -> ExitCode {
    match cli::main(&Program::parse().arguments, None) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            // Nobody may be listening; there is no one else to tell.
            let _ = writeln!(std::io::stderr(), "procura-adversary: {failure}");
            ExitCode::from(failure.code())
        }
    }
}
