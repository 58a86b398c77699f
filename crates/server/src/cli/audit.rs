//! `procura audit`: the journal for people and for programs.
//!
//! Records hold numbers; what they stand for is asked of the directory, a batch at a time. Nothing here
//! takes a lock or writes, so all of it works beside a running server.

mod entry;
mod verify;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Args, Command};
use procura_engine::explain;
use procura_storage::journal::{Entry, JournalError, Reader, RealDisk, codec};
use procura_store::journal::Record;
use procura_store::records::RandomId;
use serde_json::json;

use super::{Json, Place, arguments};
use crate::exit::{Failure, Outcome};
use crate::output::{self, Form};
use crate::wiring::{self, Desk};
use entry::Told;

/// Records whose names are asked for together.
const BATCH: usize = 500;

/// How often a followed journal is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
struct Tail {
    /// How many of the last records
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    lines: usize,
    /// Go on with what is recorded from now on, until interrupted
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Args)]
struct Explain {
    /// The value of the answer's Procura-Reference header
    #[arg(value_parser = reference, allow_hyphen_values = true)]
    reference: RandomId,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Args)]
struct Export {
    /// The first record to export
    #[arg(long, value_name = "SEQ", default_value_t = 1)]
    from: u64,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Args)]
struct Verify {
    /// A head that was kept elsewhere, as `audit head` printed it
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Args)]
struct Head {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    json: Json,
}

const EXPORT_HELP: &str = "\
One object a line, always with the same members: seq, at, kind, reference, application_id, contact_id, \
clients, id_token_jti, access_token_jti, expires_at, kid, door, cause, actor, hash. Times are RFC 3339 in UTC, \
hashes hexadecimal; what a record does not have, or what was erased, is null. `cause` begins with a code; \
of a refusal by the rule the parts that clients missed follow, and of one for an assertion or a proof what is \
wrong with it; of a change the code is record and action, \
and a resource's id follows, or of a revoked token what guards are told of it, or `all`. `actor` is uid:USER at \
the command line, server, application:ID, or contact:ID through application:ID. `door` is \
what a token was asked for by: contact_token, jwt_bearer, token_exchange, or client_credentials for an \
application's own, which has no contact, no clients and no ID token. `kid` holds two when the tokens were signed by different keys, the ID token's \
first.";

const VERIFY_HELP: &str = "\
Reads every byte: finds any record that was edited, removed or moved, and an end that was cut off before a \
signed head. Against whoever owns the host and the journal's key, only a head that was kept elsewhere \
proves anything: keep what `audit head` prints on another machine and give it with --head.";

pub(super) fn command() -> Command {
    Command::new("audit")
        .about("Read and verify the journal of every issue, refusal and change")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            Tail::augment_args(Command::new("tail")).about("Show the last records"),
            Verify::augment_args(Command::new("verify"))
                .about("Check that nothing was edited, removed, moved or cut")
                .after_long_help(VERIFY_HELP),
            Explain::augment_args(Command::new("explain"))
                .about("Say why a request was refused, or what was issued")
                .after_long_help(
                    "A caller is never told which part of the rule a request missed, only a reference. \
                     Example:\n  procura audit explain 3q2-7wAAAAAAAAAAAAAAAA --data DIR",
                ),
            Export::augment_args(Command::new("export"))
                .about("Print all records as JSON lines")
                .after_long_help(EXPORT_HELP),
            Head::augment_args(Command::new("head"))
                .about("Print the last signed head, to be kept elsewhere")
                .after_long_help(
                    "Example:\n  procura audit head --data DIR > head.json   # and keep it on another host\n  \
                     procura audit verify --data DIR --head head.json",
                ),
        ])
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    match matches.subcommand() {
        Some(("tail", matches)) => tail(&arguments(matches)?),
        Some(("verify", matches)) => {
            let Verify { head, place, json } = arguments(matches)?;
            verify::run(&reader(&place)?, head.as_deref(), json.form())
        }
        Some(("explain", matches)) => explain(&arguments(matches)?),
        Some(("export", matches)) => export(&arguments(matches)?),
        Some(("head", matches)) => head(&arguments(matches)?),
        _ => Ok(()),
    }
}

fn tail(Tail { lines, follow, place, json }: &Tail) -> Outcome {
    let (desk, reader) = (Desk::open(place)?, reader(place)?);
    let mut last = Vec::new();
    for entry in reader.entries_back().map_err(failed)?.take(*lines) {
        last.push(entry.map_err(failed)?);
    }
    last.reverse();
    let next = last.last().map_or(1, |entry| entry.seq + 1);
    let show = |entries: &[Entry]| -> Outcome {
        for told in told(&desk, entries)? {
            match json.form() {
                Form::Json => output::json_line(&told)?,
                Form::Text => output::line(&told.line())?,
            }
        }
        Ok(())
    };
    last.chunks(BATCH).try_for_each(show)?;
    if !follow {
        return Ok(());
    }
    let mut entries = reader.entries(next).map_err(failed)?;
    loop {
        let new: Result<Vec<Entry>, _> = entries.by_ref().take(BATCH).collect();
        let new = new.map_err(failed)?;
        if new.is_empty() {
            std::thread::sleep(LOOK_AGAIN);
        }
        show(&new)?;
    }
}

fn explain(Explain { reference, place, json }: &Explain) -> Outcome {
    let desk = Desk::open(place)?;
    let (entry, record) = find(place, *reference)?;
    let sentences = sentences(&record);
    let told = told(&desk, &[entry])?.pop().ok_or_else(|| Failure::unavailable("no record came back"))?;
    match json.form() {
        Form::Json => output::json_line(&json!({ "record": told, "explanation": sentences })),
        Form::Text => output::line(&format!("{}\n\n{}", told.lines(), sentences.join("\n"))),
    }
}

/// The record of the answer that had that reference.
pub(super) fn find(place: &Place, reference: RandomId) -> Result<(Entry, Record), Failure> {
    for entry in reader(place)?.entries_back().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let record = decode(&entry)?;
        let found = match &record {
            Record::Issued(issued) => issued.reference == reference,
            Record::OwnIssued(issued) => issued.reference == reference,
            Record::Refused(refused) => refused.reference == reference,
            _ => false,
        };
        if found {
            return Ok((entry, record));
        }
    }
    Err(Failure::refused(format_args!(
        "no record has the reference {reference}: is it of this server, and copied whole?"
    )))
}

fn sentences(record: &Record) -> Vec<String> {
    match record {
        Record::Refused(refused) => explain::sentences(refused),
        Record::OwnIssued(_) => {
            vec!["The application's own token was issued: it acts for nobody.".to_owned()]
        }
        _ => vec!["A contact token was issued.".to_owned()],
    }
}

fn export(Export { from, place, json: _ }: &Export) -> Outcome {
    let (desk, reader) = (Desk::open(place)?, reader(place)?);
    let mut entries = reader.entries(*from).map_err(failed)?;
    let mut lines = output::Lines::begin();
    loop {
        let batch: Result<Vec<Entry>, _> = entries.by_ref().take(BATCH).collect();
        let batch = batch.map_err(failed)?;
        if batch.is_empty() {
            return lines.end();
        }
        for told in told(&desk, &batch)? {
            lines.push(&told)?;
        }
    }
}

fn head(Head { place, json: _ }: &Head) -> Outcome {
    match reader(place)?.last_head().map_err(failed)? {
        Some(head) => output::line(head.line().trim_end()),
        None => Err(Failure::refused("the journal has no signed head yet; the server signs one every 10 s")),
    }
}

/// Entries with the names of what their numbers stand for.
fn told(desk: &Desk, entries: &[Entry]) -> Result<Vec<Told>, Failure> {
    let records: Result<Vec<Record>, Failure> = entries.iter().map(decode).collect();
    entry::tell(desk, entries, &records?)
}

fn decode(entry: &Entry) -> Result<Record, Failure> {
    codec::decode(&entry.payload)
        .map_err(|error| Failure::integrity(format_args!("record {}: {error}", entry.seq)))
}

fn reader(place: &Place) -> Result<Reader<RealDisk>, Failure> {
    let (_, data) = place.read()?;
    wiring::check_folder(&data)?;
    let folder = data.join("journal");
    if !folder.is_dir() {
        return Err(Failure::integrity(format_args!(
            "{} is missing: restore it from a backup, or let `procura init` finish if it was interrupted",
            folder.display()
        )));
    }
    Ok(Reader::new(std::sync::Arc::new(RealDisk::new(&data))))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: JournalError) -> Failure {
    wiring::journal_failed(&error)
}

pub(super) fn reference(text: &str) -> Result<RandomId, String> {
    RandomId::parse(text).map_err(|error| error.to_string())
}
