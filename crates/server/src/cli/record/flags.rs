//! From the list of fields to flags, and from flags back to a row.

use clap::builder::{PossibleValuesParser, StyledStr};
use clap::{Arg, ArgAction, ArgMatches, Args as _, Command};
use procura_store::change::Entity;
use procura_store::fields::{self, Field, Key, Kind, Row, status_off};

use super::super::{Json, Place};
use super::Noun;
use crate::exit::Failure;

pub(super) fn add(noun: &Noun) -> Command {
    let command = Command::new("add").about(format!("Add {}", one(noun.entity)));
    let command = with_shared(with_values(with_key(command, noun, noun.makes_ids), noun));
    if noun.makes_ids { command.after_help("Without an id one is made.") } else { command }
}

pub(super) fn update(noun: &Noun) -> Command {
    let about = format!("Change what the flags say of {}", one(noun.entity));
    let command = Command::new("update").about(about);
    with_shared(with_values(with_key(command, noun, false), noun))
        .after_help("What no flag names stays as it is; an empty value clears.")
}

pub(super) fn list(noun: &Noun) -> Command {
    let mut command = Command::new("list").about(format!("List {}", plural(noun.entity)));
    for field in fields::of(noun.entity) {
        if field.is_key() && has_pair(noun.entity) || field.name == "status" {
            command = command.arg(value(field).help(format!("Only those with this {}", words(field.name))));
        }
    }
    Json::augment_args(Place::augment_args(command))
}

pub(super) fn show(noun: &Noun) -> Command {
    let command = Command::new("show").about(format!("Show all of {}", one(noun.entity)));
    Json::augment_args(Place::augment_args(with_key(command, noun, false)))
}

pub(super) fn disable(noun: &Noun) -> Command {
    let off = status_off(noun.entity).unwrap_or("off");
    let about = format!("Set {} to {off}: no token from then on", one(noun.entity));
    with_reason(with_shared(with_key(Command::new("disable").about(about), noun, false)))
}

pub(super) fn remove(noun: &Noun) -> Command {
    let hanging = match noun.entity {
        Entity::Application => ", with its trusts and credentials",
        Entity::Client => ", with its mandates and trusts",
        Entity::Contact => ", with its mandates",
        Entity::Resource => ", with its secrets",
        _ => "",
    };
    let about = format!("Remove {}{hanging}", one(noun.entity));
    with_reason(with_shared(with_key(Command::new("remove").about(about), noun, false)))
}

pub(super) fn erase(noun: &Noun) -> Command {
    let yes = Arg::new("yes")
        .long("yes")
        .action(ArgAction::SetTrue)
        .help("Do it: what is erased can't be brought back");
    let command = Command::new("erase").about("Remove a contact and forget who it was").after_long_help(
        "The journal holds numbers and no names. Erasing a contact removes the mapping from its number \
             to the person: the journal still verifies, and nobody can tell any more whom its records are \
             about. Backups made before still can.",
    );
    with_reason(with_shared(with_key(command, noun, false).arg(yes)))
}

/// The row that `add` and `update` were told, with this key.
pub(super) fn row(noun: &Noun, matches: &ArgMatches, key: &[String]) -> Result<Row, Failure> {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    let mut keys = key.iter();
    for field in fields::of(noun.entity) {
        if field.is_key() {
            pairs.extend(keys.next().map(|part| (field.name, part.clone())));
        } else if let Some(values) = matches.get_many::<String>(field.name) {
            pairs.push((field.name, values.map(String::as_str).collect::<Vec<_>>().join(" ")));
        }
    }
    Row::read(noun.entity, pairs.iter().map(|(name, value)| (*name, value.as_str()))).map_err(Failure::usage)
}

/// The parts of the key, as many as were given.
pub(super) fn key_parts(noun: &Noun, matches: &ArgMatches) -> Vec<String> {
    let keys = fields::of(noun.entity).iter().filter(|field| field.is_key());
    keys.filter_map(|field| matches.get_one::<String>(field.name).cloned()).collect()
}

/// The record that was named.
pub(super) fn key(noun: &Noun, matches: &ArgMatches) -> Result<Key, Failure> {
    let parts = key_parts(noun, matches);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    Key::read(noun.entity, &parts).map_err(Failure::usage)
}

/// What `list` is narrowed by.
pub(super) fn filters(noun: &Noun, matches: &ArgMatches) -> Vec<(&'static str, String)> {
    fields::of(noun.entity)
        .iter()
        .filter_map(|field| {
            let value = matches.try_get_one::<String>(field.name).ok().flatten()?;
            Some((field.name, value.clone()))
        })
        .collect()
}

/// Positional arguments for the key: an id, or the two ids of a pair.
pub(in crate::cli) fn with_key(mut command: Command, noun: &Noun, optional: bool) -> Command {
    for field in fields::of(noun.entity).iter().filter(|field| field.is_key()) {
        let value_name = match has_pair(noun.entity) {
            true => field.name.trim_end_matches("_id").to_uppercase(),
            false => "ID".to_owned(),
        };
        let help = format!("{}: {}", capital(&words(field.name)), decapital(field.help));
        command = command.arg(Arg::new(field.name).value_name(value_name).help(help).required(!optional));
    }
    command
}

fn with_values(mut command: Command, noun: &Noun) -> Command {
    let fields = fields::of(noun.entity);
    for field in fields.iter().filter(|field| !field.is_key()) {
        command = command.arg(value(field).help(StyledStr::from(field.help)));
    }
    if fields.iter().any(|field| field.name == "reason") { command } else { with_reason(command) }
}

/// The flag of a field.
fn value(field: &'static Field) -> Arg {
    let argument = Arg::new(field.name).long(field.name.replace('_', "-")).value_name(value_name(field));
    match field.kind {
        Kind::Choice(words) => argument.value_parser(PossibleValuesParser::new(words)),
        Kind::Boolean => argument
            .value_parser(PossibleValuesParser::new(["true", "false"]))
            .num_args(0..=1)
            .default_missing_value("true"),
        Kind::Resources => argument.action(ArgAction::Append).visible_alias("resource"),
        Kind::Permissions | Kind::Ceiling | Kind::Contacts | Kind::AuthMethods => {
            argument.action(ArgAction::Append)
        }
        _ => argument,
    }
}

fn value_name(field: &Field) -> &'static str {
    match field.kind {
        Kind::ApplicationId | Kind::ContactId | Kind::ClientId => "ID",
        Kind::ResourceId => "URI",
        Kind::Resources => "URIS",
        Kind::Text { .. } => "TEXT",
        Kind::Email => "ADDRESS",
        Kind::UpperCode | Kind::LowerCode => "CODE",
        Kind::TimeZone => "ZONE",
        Kind::Boolean => "BOOLEAN",
        Kind::Choice(_) if field.name == "status" => "STATUS",
        Kind::Choice(_) => "WORD",
        Kind::Permissions | Kind::Ceiling => "NAMES",
        Kind::AuthMethods => "METHODS",
        Kind::DistinguishedName => "DN",
        Kind::HostName => "HOST",
        Kind::Uri | Kind::JwksUri => "URI",
        Kind::Address => "IP",
        Kind::Contacts => "IDS",
        Kind::Time => "TIME",
        Kind::Algorithm => "ALGORITHM",
    }
}

fn with_reason(command: Command) -> Command {
    command.arg(Arg::new("reason").long("reason").value_name("TEXT").help(
        "Why. A trust keeps it; otherwise it stays a day with the change and never goes to the journal",
    ))
}

fn with_shared(command: Command) -> Command {
    Json::augment_args(Place::augment_args(command))
}

/// Whether records are named by two ids.
pub(super) fn has_pair(entity: Entity) -> bool {
    fields::of(entity).iter().filter(|field| field.is_key()).count() == 2
}

/// Several of them, in words.
/// With its article.
pub(in crate::cli) fn one(entity: Entity) -> String {
    let article = if entity == Entity::Application { "an" } else { "a" };
    format!("{article} {entity}")
}

pub(super) fn plural(entity: Entity) -> String {
    format!("{entity}s")
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn decapital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
