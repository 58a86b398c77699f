//! `procura completions SHELL`.

use clap::{ArgMatches, Args, Command, FromArgMatches as _};
use clap_complete::Shell;

use crate::exit::{Failure, Outcome};

#[derive(Debug, Args)]
struct Arguments {
    /// The shell to print it for
    shell: Shell,
}

pub(super) fn command() -> Command {
    Arguments::augment_args(Command::new("completions"))
        .about("Print what makes a shell complete this command line")
        .after_long_help(
            "Examples:\n  \
             procura completions bash > /etc/bash_completion.d/procura\n  \
             procura completions zsh > \"${fpath[1]}/_procura\"\n  \
             procura completions fish > ~/.config/fish/completions/procura.fish",
        )
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let Arguments { shell } = Arguments::from_arg_matches(matches).map_err(Failure::usage)?;
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::root(), "procura", &mut script);
    crate::output::line(String::from_utf8_lossy(&script).trim_end())
}
