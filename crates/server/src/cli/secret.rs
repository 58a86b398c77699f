//! `procura application secret` and `procura resource secret`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Arg, ArgAction, ArgMatches, Args as _, Command};
use procura_jose::Random;
use procura_jose::digest::sha256;
use procura_protocol::secret::Secret;
use procura_store::administration::{AddSecret, Administration as _, RetireSecret, SecretNo};
use procura_store::change::Entity;
use procura_store::fields::{self, Key};
use procura_store::records::SecretHash;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::record::{Noun, flags, flags::with_key, verbs};
use super::{Json, Place, arguments};
use crate::exit::{Failure, Outcome};
use crate::output::{self, Form, List};
use crate::wiring::Desk;

/// What every secret begins with, so that scanners of leaked secrets can know one.
const PREFIX: &str = "pcs_";

/// Makes a secret and its hash: 32 random bytes in base64url behind the prefix (47 characters).
pub(super) fn make(random: &dyn Random) -> (Secret, SecretHash) {
    let mut bytes = Zeroizing::new([0; 32]);
    random.fill(&mut *bytes);
    let secret = Secret::from(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(*bytes)));
    let hash = SecretHash(sha256(secret.expose()));
    (secret, hash)
}

pub(super) fn command(noun: &Noun) -> Command {
    let owner = noun.entity;
    let number = Arg::new("secret")
        .value_name("SECRET_ID")
        .value_parser(clap::value_parser!(u32))
        .required(true)
        .help("Which one, as `secret list` shows it");
    let compromised = Arg::new("compromised")
        .long("compromised")
        .action(ArgAction::SetTrue)
        .help("Somebody else has it: tokens that it may have fetched die too");
    Command::new("secret")
        .about(format!("Give {} a secret, or end one", flags::one(owner)))
        .after_long_help(format!(
            "Two secrets live at once, so that one can be replaced without a pause: add the second, let the \
             {owner} use it, retire the first. A secret is shown once, when it is made; only its hash is kept.",
        ))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            shared(Command::new("add").about("Make a secret and show it, this once"), noun),
            shared(Command::new("list").about("List live secrets, without showing them"), noun),
            shared(Command::new("retire").about("End a secret at once"), noun).args([number, compromised]),
        ])
}

fn shared(command: Command, noun: &Noun) -> Command {
    Json::augment_args(Place::augment_args(with_key(command, noun, false)))
}

pub(super) fn run(entity: Entity, matches: &ArgMatches) -> Outcome {
    let Some((verb, matches)) = matches.subcommand() else { return Ok(()) };
    let name = fields::of(entity)[0].name;
    let id = matches.get_one::<String>(name).map(String::as_str).unwrap_or_default();
    let key = Key::read(entity, &[id]).map_err(Failure::usage)?;
    let desk = Desk::open(&arguments::<Place>(matches)?)?;
    let form = arguments::<Json>(matches)?.form();
    match verb {
        "add" => add(&desk, form, &key),
        "list" => list(&desk, form, &key),
        _ => retire(&desk, form, &key, matches),
    }
}

fn add(desk: &Desk, form: Form, key: &Key) -> Outcome {
    let (secret, hash) = make(&procura_jose::SystemRandom);
    match desk.wait(desk.store().add_secret(desk.context(None), key.clone(), hash))? {
        AddSecret::Added { no } => {
            desk.record_changes();
            show(form, key, no, &secret)
        }
        AddSecret::TooMany => Err(Failure::refused(format_args!(
            "{key} has two live secrets; retire one first: `procura {} secret list` shows them",
            key.entity()
        ))),
        AddSecret::NotFound => Err(verbs::not_found(key)),
    }
}

/// The one place that prints a secret. Wiped afterwards as far as it is ours.
fn show(form: Form, key: &Key, no: SecretNo, secret: &Secret) -> Outcome {
    let text = secret.expose_str().unwrap_or_default();
    match form {
        Form::Text => {
            output::note(&format!("secret {no} of {key}, shown this once:"));
            output::line(text)
        }
        Form::Json => {
            let mut value = verbs::named_key(key);
            value.insert("secret_id".to_owned(), json!(no.to_string()));
            value.insert("secret".to_owned(), json!(text));
            output::json_line(&value)
        }
    }
}

fn list(desk: &Desk, form: Form, key: &Key) -> Outcome {
    let secrets = desk.wait(desk.store().secrets(key.clone()))?.ok_or_else(|| verbs::not_found(key))?;
    let rows: Vec<Value> = secrets
        .iter()
        .map(|secret| {
            json!({
                "secret_id": secret.no.to_string(),
                "created_at": secret.created_at.to_string(),
                "expires_at": secret.expires_at.map(|at| at.to_string()),
            })
        })
        .collect();
    let mut list = List::begin(form, &["secret_id", "created_at", "expires_at"]);
    list.page(&rows)?;
    list.end()
}

fn retire(desk: &Desk, form: Form, key: &Key, matches: &ArgMatches) -> Outcome {
    let no = SecretNo(matches.get_one::<u32>("secret").copied().unwrap_or_default());
    let compromised = matches.get_flag("compromised");
    match desk.wait(desk.store().retire_secret(desk.context(None), key.clone(), no, compromised))? {
        RetireSecret::Retired => desk.told(form, key, "secret retired"),
        RetireSecret::NotFound => Err(Failure::refused(format_args!(
            "{key} has no live secret {no}; `secret list` shows those it has"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_256_random_bits_behind_a_prefix_that_scanners_know() {
        let (one, hash) = make(&procura_jose::SystemRandom);
        let (other, _) = make(&procura_jose::SystemRandom);
        let text = one.expose_str().unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX).unwrap()).unwrap().len(), 32);
        assert_eq!(hash, SecretHash(sha256(text.as_bytes())));
        assert_ne!(one.expose(), other.expose());
    }
}
