//! `procura init`.

use clap::{ArgMatches, Args, Command};
use serde_json::json;

use super::{Json, Place, arguments};
use crate::exit::{Failure, Outcome};
use crate::wiring::{self, Installation, Made};

#[derive(Debug, Args)]
struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    json: Json,
}

pub(super) fn command() -> Command {
    Arguments::augment_args(Command::new("init"))
        .about("Make a data folder: directory, journal and first keys")
        .after_long_help(
            "Private keys are sealed under a key-encryption key. Without [keys] key_encryption_key_file and \
             without PROCURA_KEY_ENCRYPTION_KEY one is made in the folder, for this user only. Whoever has \
             both that key and the folder can sign tokens: keep them apart in backups.\n\n\
             Examples:\n  \
             procura init --data /var/lib/procura\n  \
             procura init --config /etc/procura.toml",
        )
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let Arguments { place, json } = arguments(matches)?;
    let (config, data) = place.read()?;
    wiring::check_issuer(&config)?;
    let made = wiring::runtime(&config)?.block_on(Installation::make(&config, &data))?;
    let Made { kid, key_encryption_key } = match made {
        Some(made) => made,
        None => {
            return Err(Failure::refused(format_args!(
                "{} is a data folder already; nothing was changed",
                data.display()
            )));
        }
    };
    let mut text = format!("{} is ready; its first signing key is {kid}", data.display());
    if let Some(file) = &key_encryption_key {
        text.push_str(&format!(
            "\nprivate keys are sealed under {}: keep a copy of it apart from backups of the folder",
            file.display()
        ));
    }
    let value = json!({ "data": data, "kid": kid, "key_encryption_key_file": key_encryption_key });
    json.form().print(&text, &value)
}
