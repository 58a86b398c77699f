//! `procura config check` and `procura config reference`.

use clap::{ArgMatches, Args, Command};
use serde_json::json;

use super::{Json, Place, arguments};
use crate::config::reference::SETTINGS;
use crate::config::reference_text::reference;
use crate::exit::{Failure, Outcome};
use crate::output::{self, Form, List};

#[derive(Debug, Args)]
struct Check {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    json: Json,
}

pub(super) fn command() -> Command {
    let check = Check::augment_args(Command::new("check"))
        .about("Read the configuration and say what is in effect, and where each value comes from")
        .after_long_help(
            "A file, the environment (PROCURA_SERVER__LISTEN for `listen` of [server]) and flags are read as \
             by `procura serve`, later ones above earlier ones. What can't be used is told with its line; \
             then the exit code is 2.\n\n\
             Examples:\n  \
             procura config check --config /etc/procura.toml\n  \
             PROCURA_TOKENS__LIFETIME=600 procura config check --data /var/lib/procura --json",
        );
    let reference = Command::new("reference").about("Print a procura.toml with every setting, explained");
    Command::new("config")
        .about("Check the configuration, or print all there is to configure")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([check, reference])
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    match matches.subcommand() {
        Some(("check", matches)) => check(&arguments(matches)?),
        _ => output::line(reference().trim_end()),
    }
}

fn check(Check { place, json }: &Check) -> Outcome {
    let values = crate::config::read(&place.flags(), std::env::vars_os()).map_err(Failure::usage)?;
    let config = values.config().map_err(Failure::usage)?;
    crate::wiring::check_issuer(&config)?;
    let mut rows = Vec::new();
    for setting in SETTINGS {
        let found = values.iter().find(|(path, ..)| *path == setting.path);
        let (value, origin) = match found {
            Some((_, value, origin)) => (value.to_owned(), origin.to_string()),
            None => ("(not set)".to_owned(), "default".to_owned()),
        };
        rows.push(json!({ "setting": setting.path, "value": value, "from": origin }));
    }
    let policies =
        values.forward_auth.iter().map(|told| (told.path(), told.summary(), told.origin.to_string()));
    let policies: Vec<_> = policies.collect();
    for (setting, value, origin) in &policies {
        rows.push(json!({ "setting": setting, "value": value, "from": origin }));
    }
    match json.form() {
        Form::Json => {
            let all: serde_json::Map<_, _> =
                values
                    .iter()
                    .map(|(path, value, origin)| {
                        (path.to_owned(), json!({ "value": value, "from": origin.to_string() }))
                    })
                    .chain(policies.iter().map(|(path, value, origin)| {
                        (path.clone(), json!({ "value": value, "from": origin }))
                    }))
                    .collect();
            output::json_line(&all)
        }
        Form::Text => {
            let mut list = List::begin(Form::Text, &["setting", "value", "from"]);
            list.page(&rows)?;
            list.end()
        }
    }
}
