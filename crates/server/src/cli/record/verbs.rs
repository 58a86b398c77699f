//! What the verbs do.

use clap::ArgMatches;
use procura_protocol::ids::{APPLICATION_PREFIX, ContactId};
use procura_store::administration::{
    Add, Administration as _, Disable, Erase, ListQuery, Refusal, Remove, Update,
};
use procura_store::fields::{self, Key, Row};
use serde_json::{Map, Value, json};

use super::super::{Json, Place, arguments};
use super::{Noun, flags, registration};
use crate::exit::{Failure, Outcome};
use crate::output::{self, Form, List, plain};
use crate::wiring::Desk;

/// Records that are read at a time.
const PAGE: u32 = 1_000;

/// Runs the verb that was named.
pub(super) fn run(noun: &Noun, matches: &ArgMatches) -> Outcome {
    let Some((verb, matches)) = matches.subcommand() else { return Ok(()) };
    match verb {
        "add" => add(noun, matches),
        "list" => list(noun, matches),
        "show" => show(noun, matches),
        "update" => update(noun, matches),
        "disable" => disable(noun, matches),
        "remove" => remove(noun, matches),
        "erase" => erase(noun, matches),
        "import" => super::super::import::run(noun.entity, matches),
        name => match noun.credentials.iter().find(|kind| kind.name() == name) {
            Some(kind) => super::super::credential::run(noun.entity, *kind, matches),
            None => Ok(()),
        },
    }
}

fn add(noun: &Noun, matches: &ArgMatches) -> Outcome {
    let mut parts = flags::key_parts(noun, matches);
    if parts.is_empty() {
        parts.push(made_id());
    }
    let row = flags::row(noun, matches, &parts)?;
    registration::check(&row).map_err(Failure::usage)?;
    let (key, desk) = (row.key(), desk(matches)?);
    match desk.wait(desk.store().add(desk.context(reason(matches)), row))? {
        Add::Added => told_with_warnings(noun, &desk, matches, (&key, "added")),
        Add::Exists => Err(Failure::refused(format_args!(
            "{key} is there already; `procura {} update` changes it",
            noun.entity
        ))),
        Add::Refused(refusal) => Err(refused(&refusal)),
    }
}

fn update(noun: &Noun, matches: &ArgMatches) -> Outcome {
    let row = flags::row(noun, matches, &flags::key_parts(noun, matches))?;
    if row.iter().all(|(field, _)| field.is_key()) {
        return Err(Failure::usage("say what to change; `--help` lists what can be"));
    }
    registration::check(&row).map_err(Failure::usage)?;
    let (key, desk) = (row.key(), desk(matches)?);
    match desk.wait(desk.store().update(desk.context(reason(matches)), row))? {
        Update::Updated => told_with_warnings(noun, &desk, matches, (&key, "updated")),
        Update::Unchanged => desk.told(form(matches)?, &key, "unchanged"),
        Update::NotFound => Err(not_found(&key)),
        Update::Refused(refusal) => Err(refused(&refusal)),
    }
}

fn disable(noun: &Noun, matches: &ArgMatches) -> Outcome {
    let (key, desk) = (flags::key(noun, matches)?, desk(matches)?);
    match desk.wait(desk.store().disable(desk.context(reason(matches)), key.clone()))? {
        Disable::Disabled => desk.told(form(matches)?, &key, "disabled"),
        Disable::AlreadyOff => desk.told(form(matches)?, &key, "unchanged"),
        Disable::NotFound => Err(not_found(&key)),
    }
}

fn remove(noun: &Noun, matches: &ArgMatches) -> Outcome {
    let (key, desk) = (flags::key(noun, matches)?, desk(matches)?);
    match desk.wait(desk.store().remove(desk.context(reason(matches)), key.clone()))? {
        Remove::Removed => desk.told(form(matches)?, &key, "removed"),
        Remove::NotFound => Err(not_found(&key)),
        Remove::Refused(refusal) => Err(refused(&refusal)),
    }
}

fn erase(noun: &Noun, matches: &ArgMatches) -> Outcome {
    let key = flags::key(noun, matches)?;
    if !matches.get_flag("yes") {
        return Err(Failure::usage(format_args!(
            "erasing {key} can't be undone; to do it, say the same with --yes"
        )));
    }
    let contact = ContactId::parse(key.first()).map_err(Failure::usage)?;
    let desk = desk(matches)?;
    match desk.wait(desk.store().erase_contact(desk.context(reason(matches)), contact))? {
        Erase::Erased => desk.told(form(matches)?, &key, "erased"),
        Erase::NotFound => Err(not_found(&key)),
    }
}

/// A secret that nobody has been given yet is no reason to warn; a certificate or a key that is missing is.
fn told_with_warnings(
    noun: &Noun,
    desk: &Desk,
    matches: &ArgMatches,
    (key, result): (&Key, &str),
) -> Outcome {
    if !noun.credentials.is_empty() {
        registration::note_warnings(desk, key)?;
    }
    desk.told(form(matches)?, key, result)
}

fn show(noun: &Noun, matches: &ArgMatches) -> Outcome {
    let (key, desk) = (flags::key(noun, matches)?, desk(matches)?);
    let row = desk.wait(desk.store().get(key.clone()))?.ok_or_else(|| not_found(&key))?;
    let credentials = match noun.credentials {
        [] => None,
        _ => Some(registration::credentials(&desk, &key)?),
    };
    match form(matches)? {
        Form::Json => {
            let mut value = members(&row);
            if let Some(credentials) = credentials {
                value.insert("credentials".to_owned(), registration::objects(&credentials));
            }
            output::json_line(&Value::Object(value))
        }
        Form::Text => {
            let lines: Vec<_> = credentials.iter().flatten().map(registration::line).collect();
            let members: Vec<(&str, Option<&str>)> = row
                .iter()
                .map(|(field, value)| (field.name, value))
                .chain(lines.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))))
                .collect();
            if credentials.is_some() {
                registration::note_warnings(&desk, &key)?;
            }
            output::line(&output::pairs(members.into_iter()))
        }
    }
}

fn list(noun: &Noun, matches: &ArgMatches) -> Outcome {
    let desk = desk(matches)?;
    let mut printed = List::begin(form(matches)?, noun.columns);
    let filters = flags::filters(noun, matches);
    let mut after = None;
    loop {
        let query = ListQuery { entity: noun.entity, filters: filters.clone(), after, limit: PAGE };
        let page = desk.wait(desk.store().list(query))?;
        let rows: Vec<Value> = page.rows.iter().map(object).collect();
        printed.page(&rows)?;
        match page.next {
            Some(next) if !rows.is_empty() => after = Some(next),
            _ => return printed.end(),
        }
    }
}

/// A record as its members are named everywhere, values as strings, as an import takes them.
fn object(row: &Row) -> Value {
    Value::Object(members(row))
}

fn members(row: &Row) -> Map<String, Value> {
    let member = |(field, value): (&fields::Field, Option<&str>)| (field.name.to_owned(), json!(value));
    row.iter().map(member).collect()
}

/// The parts of a key under their names.
pub(in crate::cli) fn named_key(key: &Key) -> Map<String, Value> {
    let names = fields::of(key.entity()).iter().filter(|field| field.is_key()).map(|field| field.name);
    let parts = std::iter::once(key.first()).chain(key.second());
    names.zip(parts).map(|(name, part)| (name.to_owned(), json!(part))).collect()
}

pub(in crate::cli) fn not_found(key: &Key) -> Failure {
    Failure::refused(format_args!("there is no {key}"))
}

fn refused(refusal: &Refusal) -> Failure {
    Failure::refused(plain(&refusal.to_string()))
}

impl Desk {
    /// Says what became of a record, once the journal has been told too.
    pub(in crate::cli) fn told(&self, form: Form, key: &Key, result: &str) -> Outcome {
        self.record_changes();
        let mut value = named_key(key);
        value.insert("result".to_owned(), json!(result));
        form.print(&format!("{key}: {result}"), &value)
    }
}

fn desk(matches: &ArgMatches) -> Result<Desk, Failure> {
    Desk::open(&arguments::<Place>(matches)?)
}

fn form(matches: &ArgMatches) -> Result<Form, Failure> {
    Ok(arguments::<Json>(matches)?.form())
}

fn reason(matches: &ArgMatches) -> Option<String> {
    matches.try_get_one::<String>("reason").ok().flatten().cloned()
}

/// `app_` and 26 letters and digits: lower-case base32 (RFC 4648 6) of 16 random bytes.
pub(in crate::cli) fn made_id() -> String {
    use procura_jose::Random as _;
    let bytes: [u8; 16] = procura_jose::SystemRandom.bytes();
    format!("{APPLICATION_PREFIX}{}", base32(&bytes))
}

fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let (mut text, mut bits, mut held) = (String::new(), 0_u32, 0_u32);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits) as usize & 31]));
        }
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(held << (5 - bits)) as usize & 31]));
    }
    text
}

#[cfg(test)]
mod tests {
    use procura_protocol::ids::ApplicationId;
    use procura_store::change::Entity;

    use super::*;

    #[test]
    fn base32_is_that_of_rfc_4648_in_small_letters() {
        for (bytes, text) in [("", ""), ("f", "my"), ("fo", "mzxq"), ("foobar", "mzxw6ytboi")] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_made_id_is_an_applications() {
        let (one, other) = (made_id(), made_id());
        assert_eq!(one.len(), 30);
        assert!(ApplicationId::parse(&one).is_ok());
        assert_ne!(one, other);
    }

    #[test]
    fn a_pair_is_named_by_both_ids() {
        let key = Key::read(Entity::Trust, &["CLI1", "app_1"]).unwrap();
        assert_eq!(Value::Object(named_key(&key)), json!({ "client_id": "CLI1", "application_id": "app_1" }));
    }
}
