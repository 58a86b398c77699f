//! The command line: one file a command, and what they share.
//!
//! Commands work on the data folder with the rights of its files and never talk to a running server,
//! which sees their changes within a moment. `token` and `dpop` are the exceptions: a partner's view.

mod adversary;
mod audit;
mod completions;
mod config;
mod credential;
mod demo;
mod dpop;
mod import;
mod init;
mod key;
mod record;
mod revoke;
mod serve;
mod status;
mod token;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command};

use crate::config::{Config, Flags};
use crate::exit::{Failure, Outcome};
use crate::output::Form;

/// A command: how it looks, and what it does.
struct Entry {
    name: &'static str,
    command: fn() -> Command,
    run: fn(&ArgMatches) -> Outcome,
}

const ENTRIES: &[Entry] = &[
    Entry { name: "demo", command: demo::command, run: demo::run },
    Entry { name: "init", command: init::command, run: init::run },
    Entry { name: "serve", command: serve::command, run: serve::run },
    Entry { name: "config", command: config::command, run: config::run },
    Entry { name: "status", command: status::command, run: status::run },
    Entry { name: "application", command: record::application, run: record::run_application },
    Entry { name: "client", command: record::client, run: record::run_client },
    Entry { name: "contact", command: record::contact, run: record::run_contact },
    Entry { name: "mandate", command: record::mandate, run: record::run_mandate },
    Entry { name: "trust", command: record::trust, run: record::run_trust },
    Entry { name: "resource", command: record::resource, run: record::run_resource },
    Entry { name: "key", command: key::command, run: key::run },
    Entry { name: "revoke", command: revoke::command, run: revoke::run },
    Entry { name: "audit", command: audit::command, run: audit::run },
    Entry { name: "token", command: token::command, run: token::run },
    Entry { name: "dpop", command: dpop::command, run: dpop::run },
    Entry { name: "adversary", command: adversary::command, run: adversary::run },
    Entry { name: "completions", command: completions::command, run: completions::run },
];

const AFTER_HELP: &str = "\
Begin with:
  procura demo                            try it, on made-up companies, in a throw-away folder
  procura init --data /var/lib/procura    make a data folder
  procura serve --data /var/lib/procura   serve it

Exit codes:
  0  done
  1  refused, or not found
  2  the command line or the configuration has to change
  3  something on disk is not what was written there
  4  not possible now: locked, full, unreachable";

/// Reads the arguments and runs what they ask for.
pub(crate) fn run(arguments: impl IntoIterator<Item = OsString>) -> Outcome {
    let matches = match root().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => return told_by_clap(&error),
    };
    let Some((name, matches)) = matches.subcommand() else { return Ok(()) };
    match ENTRIES.iter().find(|entry| entry.name == name) {
        Some(entry) => (entry.run)(matches),
        None => Ok(()),
    }
}

/// The whole tree.
fn root() -> Command {
    Command::new("procura")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A token server for trusted authentication")
        .long_about(
            "A token server for trusted authentication: a partner's application that clients trust asks, in \
             one request and with nobody at the keyboard, for a token that lets it act for one contact.",
        )
        .after_help(AFTER_HELP)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands(ENTRIES.iter().map(|entry| (entry.command)().name(entry.name)))
}

/// Help and version are results; everything else is a wrong command line.
fn told_by_clap(error: &clap::Error) -> Outcome {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            crate::output::line(error.render().to_string().trim_end())
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            crate::output::note(error.render().to_string().trim_end());
            Err(Failure::usage("say which command; `--help` tells them"))
        }
        _ => {
            let told = error.render().to_string();
            Err(Failure::usage(told.trim_start_matches("error: ").trim_end()))
        }
    }
}

// Where the store is. Every command that touches it takes one of these. (No doc comment: clap would
// take it for the description of the command.)
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// Configuration file; `procura config reference` prints one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data folder, as made by `procura init`; stands above the file's
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Place {
    fn flags(&self) -> Flags {
        Flags { config: self.config.clone(), data: self.data.clone(), listen: None }
    }

    /// The configuration, and the data folder that it must name.
    pub(crate) fn read(&self) -> Result<(Config, PathBuf), Failure> {
        configured(&self.flags())
    }
}

/// Reads file, environment and flags; a data folder must come out.
fn configured(flags: &Flags) -> Result<(Config, PathBuf), Failure> {
    let values = crate::config::read(flags, std::env::vars_os()).map_err(Failure::usage)?;
    let config = values.config().map_err(Failure::usage)?;
    let data = config.data.clone().ok_or_else(|| {
        Failure::usage("say where the data folder is: --data DIR, or --config FILE with `data` in it")
    })?;
    Ok((config, data))
}

// As `Place`.
#[derive(Debug, Clone, Copy, Args)]
struct Json {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Json {
    fn form(self) -> Form {
        Form::json_if(self.json)
    }
}

/// Arguments that were declared with `derive(Args)`, out of what clap has matched.
fn arguments<T: clap::FromArgMatches>(matches: &ArgMatches) -> Result<T, Failure> {
    T::from_arg_matches(matches).map_err(Failure::usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_sound() {
        root().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_is_for() {
        fn walk(command: &Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                let told = argument.get_help().is_some() || argument.is_hide_set();
                assert!(told, "{} of {}", argument.get_id(), command.get_name());
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&root());
    }
}
