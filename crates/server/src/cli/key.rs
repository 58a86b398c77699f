//! `procura key`.

use clap::{ArgMatches, Args, Command};
use procura_protocol::algorithm::Algorithm;
use procura_storage::keys::keeper::{Revoke, Rotate};
use procura_store::administration::{Administration as _, KeyRecord};
use serde_json::{Value, json};

use super::{Json, Place, arguments};
use crate::exit::{Failure, Outcome};
use crate::output::List;
use crate::wiring::{Desk, key_failed};

#[derive(Debug, Args)]
struct Plain {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Args)]
struct Turn {
    /// Of which algorithm: ES256, RS256, PS256 or EdDSA
    #[arg(long, value_name = "ALGORITHM", default_value = "ES256", value_parser = algorithm)]
    algorithm: Algorithm,
    #[command(flatten)]
    plain: Plain,
}

#[derive(Debug, Args)]
struct TakeOut {
    /// The key, as `key list` shows it
    #[arg(allow_hyphen_values = true)]
    kid: String,
    /// Somebody else has it: every token that it signed dies
    #[arg(long)]
    compromised: bool,
    #[command(flatten)]
    plain: Plain,
}

pub(super) fn command() -> Command {
    Command::new("key")
        .about("Signing keys: list, rotate, revoke, seal anew")
        .after_long_help(
            "Keys look after themselves: a successor is announced in the JWKS as soon as a key begins to sign, \
             and takes over after [keys] rotation_days. A key is announced for a day before it signs, so that \
             every verifier has had time to fetch it.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            Plain::augment_args(Command::new("list")).about("List keys and where they are in their life"),
            Turn::augment_args(Command::new("rotate"))
                .about("Let the announced key sign before it is due; refused before its time"),
            TakeOut::augment_args(Command::new("revoke"))
                .about("Take a compromised key out at once, with every token that it signed"),
            Plain::augment_args(Command::new("rewrap"))
                .about("Seal private keys under a new key-encryption key")
                .after_long_help(
                    "Makes a new key-encryption key, seals everything under it, and puts it in the place of the \
                     old one in its file. A key from the environment can't be replaced from here.",
                ),
        ])
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    match matches.subcommand() {
        Some(("list", matches)) => list(&arguments(matches)?),
        Some(("rotate", matches)) => rotate(&arguments(matches)?),
        Some(("revoke", matches)) => revoke(&arguments(matches)?),
        Some(("rewrap", matches)) => rewrap(&arguments(matches)?),
        _ => Ok(()),
    }
}

fn list(Plain { place, json }: &Plain) -> Outcome {
    let desk = Desk::open(place)?;
    let keys = desk.wait(desk.store().keys())?;
    let rows: Vec<Value> = keys.iter().map(row).collect();
    let mut list =
        List::begin(json.form(), &["kid", "algorithm", "purpose", "state", "announced_at", "signing_from"]);
    list.page(&rows)?;
    list.end()
}

fn row(key: &KeyRecord) -> Value {
    let time = |at: Option<procura_protocol::time::UnixSeconds>| at.map(|at| at.to_string());
    json!({
        "kid": key.kid,
        "algorithm": key.algorithm.to_string(),
        "purpose": key.purpose.name(),
        "state": key.state.name(),
        "announced_at": key.announced_at.to_string(),
        "signing_from": time(key.signing_from),
        "retired_at": time(key.retired_at),
        "gone_at": time(key.gone_at),
    })
}

fn rotate(Turn { algorithm, plain }: &Turn) -> Outcome {
    let desk = Desk::open(&plain.place)?;
    let encryption = desk.encryption()?;
    let rotated = desk.block_on(desk.keeper(&encryption).rotate(&desk.context(None), *algorithm));
    match rotated.map_err(|error| key_failed(&error))? {
        Rotate::Rotated => {
            desk.record_changes();
            let value = json!({ "algorithm": algorithm.to_string(), "result": "rotated" });
            plain.json.form().print(&format!("{algorithm}: the announced key signs from now on"), &value)
        }
        Rotate::TooEarly(too_early) => Err(Failure::refused(too_early)),
        Rotate::NoKey => Err(Failure::refused(format_args!("no key signs with {algorithm}"))),
    }
}

fn revoke(TakeOut { kid, compromised, plain }: &TakeOut) -> Outcome {
    if !compromised {
        return Err(Failure::usage(
            "a key is revoked only when somebody else may have it, because every token that it signed dies: say \
             so with --compromised; to change keys without that, `procura key rotate`",
        ));
    }
    take_out(&plain.place, plain.json, kid, None)
}

/// Takes a compromised key out, with every token that it signed.
pub(super) fn take_out(place: &Place, json: Json, kid: &str, reason: Option<String>) -> Outcome {
    let desk = Desk::open(place)?;
    let encryption = desk.encryption()?;
    let revoked = desk.block_on(desk.keeper(&encryption).revoke(&desk.context(reason), kid));
    match revoked.map_err(|error| key_failed(&error))? {
        Revoke::Revoked => {
            desk.record_changes();
            let value = serde_json::json!({ "kid": kid, "result": "revoked" });
            json.form().print(&format!("{kid}: revoked; the tokens that it signed are dead"), &value)
        }
        Revoke::AlreadyGone => Err(Failure::refused(format_args!("{kid} is out already"))),
        Revoke::JournalKey => {
            Err(Failure::refused(format_args!("{kid} signs the journal's heads, no tokens")))
        }
        Revoke::NotFound => {
            Err(Failure::refused(format_args!("there is no key {kid}; `procura key list` shows them")))
        }
    }
}

fn rewrap(Plain { place, json }: &Plain) -> Outcome {
    let desk = Desk::open(place)?;
    let encryption = desk.encryption()?;
    let sealed = desk.block_on(desk.keeper(&encryption).rewrap(&desk.context(None)));
    let sealed = sealed.map_err(|error| key_failed(&error))?;
    desk.record_changes();
    let value = json!({ "keys": sealed, "result": "rewrapped" });
    json.form().print(&format!("{sealed} keys are sealed under a new key-encryption key"), &value)
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    text.parse().map_err(|_| "must be ES256, RS256, PS256 or EdDSA".to_owned())
}
