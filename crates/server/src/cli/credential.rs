//! `procura application secret`, `certificate` and `key`, and `procura resource secret`: what is shared.
//!
//! A kind differs from the others by what `add` reads and by what can be shown of it; see the file of each.

mod certificate;
mod end;
mod key;
pub(super) mod public_key;
pub(super) mod secret;
pub(super) mod warnings;

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args as _, Command};
use procura_protocol::time::UnixSeconds;
use procura_store::administration::{
    AddCredential, Administration as _, CredentialRecord, CredentialToRetire, NewCredential, RetireCredential,
};
use procura_store::change::Entity;
use procura_store::credential::CredentialKind;
use procura_store::fields::{self, Key};
use procura_store::records::CredentialNo;
use serde_json::{Map, Value, json};

use super::record::{Noun, flags, flags::with_key, verbs};
use super::{Json, Place, arguments};
use crate::exit::{Failure, Outcome};
use crate::output::{Form, List};
use crate::wiring::Desk;

/// The commands of one kind.
pub(super) fn command(noun: &Noun, kind: CredentialKind) -> Command {
    let owner = flags::one(noun.entity);
    let (about, long) = match kind {
        CredentialKind::Secret => secret::about(noun.entity),
        CredentialKind::Certificate => certificate::about(),
        CredentialKind::Key => key::about(),
    };
    let number = Arg::new("number")
        .value_name(format!("{}_ID", kind.name().to_uppercase()))
        .value_parser(clap::value_parser!(u32))
        .required(true)
        .help(format!("Which one, as `{kind} list` shows it"));
    let compromised = Arg::new("compromised")
        .long("compromised")
        .action(ArgAction::SetTrue)
        .help("Somebody else has it: tokens that it may have fetched die too");
    let list = format!("List the {kind}s of {owner}, and when they end");
    let add = match kind {
        CredentialKind::Secret => Command::new("add").about("Make a secret and show it, this once"),
        CredentialKind::Certificate => Command::new("add").about("Register a certificate"),
        CredentialKind::Key => Command::new("add").about("Register a public key"),
    };
    let file = match kind {
        CredentialKind::Secret => None,
        CredentialKind::Certificate => Some(file(certificate::FILE)),
        CredentialKind::Key => Some(file(key::FILE)),
    };
    Command::new(kind.name())
        .about(about)
        .after_long_help(long)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            shared(add, noun).args(file).arg(end::argument(kind)),
            shared(Command::new("list").about(list), noun),
            shared(Command::new("retire").about(format!("End a {kind} at once")), noun)
                .args([number, compromised]),
        ])
}

fn file(help: &'static str) -> Arg {
    let file = Arg::new("file").value_name("FILE").value_parser(clap::value_parser!(PathBuf));
    file.required(true).help(help)
}

fn shared(command: Command, noun: &Noun) -> Command {
    Json::augment_args(Place::augment_args(with_key(command, noun, false)))
}

/// Runs the verb that was named.
pub(super) fn run(entity: Entity, kind: CredentialKind, matches: &ArgMatches) -> Outcome {
    let Some((verb, matches)) = matches.subcommand() else { return Ok(()) };
    let name = fields::of(entity)[0].name;
    let id = matches.get_one::<String>(name).map(String::as_str).unwrap_or_default();
    let key = Key::read(entity, &[id]).map_err(Failure::usage)?;
    let desk = Desk::open(&arguments::<Place>(matches)?)?;
    let form = arguments::<Json>(matches)?.form();
    match verb {
        "add" => add(&desk, form, (&key, kind), matches),
        "list" => list(&desk, form, &key, kind),
        _ => retire(&desk, form, (&key, kind), matches),
    }
}

fn add(desk: &Desk, form: Form, (owner, kind): (&Key, CredentialKind), matches: &ArgMatches) -> Outcome {
    let now = desk.context(None).at.seconds();
    let expires_at = end::read(matches, now)?;
    match kind {
        CredentialKind::Secret => secret::add(desk, form, owner, expires_at),
        CredentialKind::Certificate => certificate::add(desk, form, owner, (matches, expires_at)),
        CredentialKind::Key => key::add(desk, form, owner, (matches, expires_at)),
    }
}

/// Registers it; its number, once the journal has been told too.
fn registered(desk: &Desk, owner: &Key, new: NewCredential) -> Result<CredentialNo, Failure> {
    let kind = new.value.kind();
    let noun = owner.entity();
    match desk.wait(desk.store().add_credential(desk.context(None), owner.clone(), new))? {
        AddCredential::Added { no } => {
            desk.record_changes();
            Ok(no)
        }
        AddCredential::TooMany => Err(Failure::refused(format_args!(
            "{owner} has two live {kind}s; retire one first: `procura {noun} {kind} list` shows them"
        ))),
        AddCredential::Exists { no } => Err(Failure::refused(format_args!(
            "{owner} has this {kind} already, or one with the same name: it is {kind} {no}"
        ))),
        AddCredential::HasJwksUri => Err(Failure::refused(format_args!(
            "the keys of {owner} are published at its jwks_uri, and a key must have one source: clear it first, \
             with `procura application update {id} --jwks-uri ''`",
            id = owner.first()
        ))),
        AddCredential::ProfileForbids => Err(Failure::refused(format_args!(
            "the profile of {owner} is fapi2, which takes no secrets: register a key (`procura application key add`) \
             or a certificate (`procura application certificate add`)"
        ))),
        AddCredential::NotFound => Err(verbs::not_found(owner)),
    }
}

/// What every answer about a credential begins with.
fn named(owner: &Key, kind: CredentialKind, no: CredentialNo) -> Map<String, Value> {
    let mut value = verbs::named_key(owner);
    value.insert(format!("{kind}_id"), json!(no.to_string()));
    value
}

/// The largest file that is read for a certificate or a key, in bytes.
const LARGEST_FILE: u64 = 64 * 1024;

/// The file that was named, and what it holds.
fn read_file(matches: &ArgMatches) -> Result<(String, Vec<u8>), Failure> {
    let path = matches.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let shown = path.display().to_string();
    let unreadable = |error| Failure::usage(format_args!("{shown} can't be read: {error}"));
    let file = File::open(&path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(Failure::usage(format_args!("{shown} is larger than a certificate or a key can be")));
    }
    Ok((shown, bytes))
}

fn end_of(expires_at: Option<UnixSeconds>) -> Value {
    json!(expires_at.map(|at| at.to_string()))
}

fn list(desk: &Desk, form: Form, owner: &Key, kind: CredentialKind) -> Outcome {
    let all = desk.wait(desk.store().credentials(owner.clone()))?.ok_or_else(|| verbs::not_found(owner))?;
    let rows: Vec<Value> =
        all.iter().filter(|one| one.kind() == kind).map(|one| Value::Object(described(one))).collect();
    let columns: &[&str] = match kind {
        CredentialKind::Secret => &["secret_id", "created_at", "expires_at"],
        CredentialKind::Certificate => {
            &["certificate_id", "created_at", "expires_at", "subject", "thumbprint"]
        }
        CredentialKind::Key => &["key_id", "created_at", "expires_at", "alg", "kid"],
    };
    let mut list = List::begin(form, columns);
    list.page(&rows)?;
    list.end()
}

/// A credential as programs see it.
pub(super) fn described(credential: &CredentialRecord) -> Map<String, Value> {
    let mut value = Map::new();
    let kind = credential.kind();
    value.insert(format!("{kind}_id"), json!(credential.no.to_string()));
    value.insert("created_at".to_owned(), json!(credential.created_at.to_string()));
    value.insert("expires_at".to_owned(), end_of(credential.expires_at));
    match kind {
        CredentialKind::Secret => {}
        CredentialKind::Certificate => certificate::describe(credential, &mut value),
        CredentialKind::Key => key::describe(credential, &mut value),
    }
    value
}

fn retire(desk: &Desk, form: Form, (owner, kind): (&Key, CredentialKind), matches: &ArgMatches) -> Outcome {
    let no = CredentialNo(matches.get_one::<u32>("number").copied().unwrap_or_default());
    let which = CredentialToRetire { kind, no, compromised: matches.get_flag("compromised") };
    match desk.wait(desk.store().retire_credential(desk.context(None), owner.clone(), which))? {
        RetireCredential::Retired => desk.told(form, owner, &format!("{kind} retired")),
        RetireCredential::NotFound => Err(Failure::refused(format_args!(
            "{owner} has no {kind} {no}; `{kind} list` shows those it has"
        ))),
    }
}
