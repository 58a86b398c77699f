//! `procura status`.

use clap::{ArgMatches, Args, Command};
use procura_store::administration::{Administration as _, Fact};
use procura_store::credential::WARNED_AHEAD;
use serde_json::{Map, json};

use super::{Json, Place, arguments};
use crate::exit::Outcome;
use crate::output::{self, Form};
use crate::wiring::Desk;

#[derive(Debug, Args)]
struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    json: Json,
}

pub(super) fn command() -> Command {
    Arguments::augment_args(Command::new("status")).about("Say what a data folder holds")
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let Arguments { place, json } = arguments(matches)?;
    let desk = Desk::open(&place)?;
    let status = desk.wait(desk.store().status())?;
    let issuer = desk.wait(desk.store().fact(Fact::Issuer))?;
    let demo = desk.wait(desk.store().fact(Fact::Demo))?.is_some();
    let soon = desk.context(None).at.seconds().plus(WARNED_AHEAD + 1);
    let ending = desk.wait(desk.store().count_expiring(soon))?;
    let served = desk.is_served()?;
    let counts: Map<_, _> =
        status.counts.iter().map(|(entity, count)| (entity.to_string(), json!(count))).collect();
    let by_kind: Map<_, _> =
        status.marks_by_kind.iter().map(|(kind, count)| (kind.to_string(), json!(count))).collect();
    match json.form() {
        Form::Json => output::json_line(&json!({
            "data_dir": desk.data(),
            "served": served,
            "issuer": issuer,
            "demo": demo,
            "version": status.version.0,
            "schema": status.schema,
            "counts": counts,
            "marks": status.marks,
            "marks_by_kind": by_kind,
            "credentials_ending": ending,
            "changes": status.changes,
            "last_change": status.last_change.0,
        })),
        Form::Text => {
            let mut members: Vec<(String, String)> = vec![
                ("data folder".to_owned(), desk.data().display().to_string()),
                ("served now".to_owned(), if served { "yes" } else { "no" }.to_owned()),
                ("issuer".to_owned(), issuer.unwrap_or_else(|| "never served".to_owned())),
                ("made by".to_owned(), if demo { "the demo" } else { "init" }.to_owned()),
                ("version".to_owned(), status.version.0.to_string()),
                ("schema".to_owned(), status.schema.clone()),
            ];
            let counts =
                status.counts.iter().map(|(entity, count)| (format!("{entity}s"), count.to_string()));
            members.extend(counts);
            let kinds: Vec<String> =
                status.marks_by_kind.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            let marks = match kinds.is_empty() {
                true => status.marks.to_string(),
                false => format!("{} ({})", status.marks, kinds.join(", ")),
            };
            members.push(("revocation marks".to_owned(), marks));
            members.push(("end within 30 days".to_owned(), format!("{ending} credentials")));
            let members: Vec<(&str, Option<&str>)> =
                members.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))).collect();
            output::line(&output::pairs(members.into_iter()))
        }
    }
}
