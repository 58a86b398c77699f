//! `procura revoke`: kills tokens that are out, and changes no record.

mod token;

use std::io::{self, BufRead as _, IsTerminal as _};

use clap::{ArgMatches, Args, Command};
use procura_protocol::ids::{ApplicationId, ClientId, ContactId};
use procura_store::administration::{Administration as _, Revocation, Revoke};
use serde_json::{Map, Value, json};

use super::{Json, Place, arguments, key};
use crate::exit::{Failure, Outcome};
use crate::output;
use crate::wiring::Desk;

// As `Place`.
#[derive(Debug, Clone, Args)]
struct Shared {
    /// Why. It stays a day with the change and never goes to the journal
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Args)]
struct OfContact {
    /// The contact
    contact: ContactId,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Debug, Args)]
struct OfClient {
    /// The client
    client: ClientId,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Debug, Args)]
struct OfApplication {
    /// The application
    application: ApplicationId,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Debug, Args)]
struct OfTrust {
    /// The client
    client: ClientId,
    /// The application
    application: ApplicationId,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Debug, Args)]
struct OfMandate {
    /// The contact
    contact: ContactId,
    /// The client
    client: ClientId,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Debug, Args)]
struct OfKey {
    /// The key, as `key list` shows it
    #[arg(allow_hyphen_values = true)]
    kid: String,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Debug, Args)]
struct Everything {
    /// Do it: every token that is out dies
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    shared: Shared,
}

const ABOUT: &str = "\
Kills tokens that are out, and changes no record: who may have a token gets the next one as before. To keep \
somebody out, use `disable` of the contact, client, application, trust or mandate, which kills what is out \
too.

A running server refuses those tokens at introspection within 250 ms; guards that follow its stream refuse \
them within 5 s, or answer 503 when they are cut off. Verifiers that only look at the signature never hear of \
it.";

const EXAMPLES: &str = "\
Examples:
  procura revoke token --reference 3q2-7wAAAAAAAAAAAAAAAA --data DIR --reason 'in a log file'
  procura revoke token - --data DIR < token.txt
  procura revoke trust CLI100 app_klapp --data DIR --reason 'breach at Klapp'
  procura revoke application app_klapp --data DIR
  procura revoke all --data DIR --yes";

pub(super) fn command() -> Command {
    Command::new("revoke")
        .about("Kill tokens that are out, without changing who may get the next")
        .long_about(ABOUT)
        .after_long_help(EXAMPLES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            token::command(),
            OfContact::augment_args(Command::new("contact")).about("Every token for a contact"),
            OfClient::augment_args(Command::new("client")).about("Every token that lists a client"),
            OfApplication::augment_args(Command::new("application")).about("Every token of an application"),
            OfTrust::augment_args(Command::new("trust"))
                .about("Every token of an application that lists a client"),
            OfMandate::augment_args(Command::new("mandate"))
                .about("Every token for a contact that lists a client"),
            OfKey::augment_args(Command::new("key"))
                .about("Every token that a compromised key signed, and the key itself")
                .after_long_help("The same as `procura key revoke KID --compromised`."),
            Everything::augment_args(Command::new("all")).about("Every token").after_long_help(
                "Asks for a word when a terminal is there, and for --yes when none is. Every partner then asks \
                 for all of its tokens again, at once.",
            ),
        ])
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    match matches.subcommand() {
        Some(("token", matches)) => token::run(matches),
        Some(("contact", matches)) => {
            let OfContact { contact, shared } = arguments(matches)?;
            let named = [("contact_id", contact.to_string())];
            revoke(&shared, "contact", &named, Revocation::Contact(contact))
        }
        Some(("client", matches)) => {
            let OfClient { client, shared } = arguments(matches)?;
            let named = [("client_id", client.to_string())];
            revoke(&shared, "client", &named, Revocation::Client(client))
        }
        Some(("application", matches)) => {
            let OfApplication { application, shared } = arguments(matches)?;
            let named = [("application_id", application.to_string())];
            revoke(&shared, "application", &named, Revocation::Application(application))
        }
        Some(("trust", matches)) => {
            let OfTrust { client, application, shared } = arguments(matches)?;
            let named = [("client_id", client.to_string()), ("application_id", application.to_string())];
            revoke(&shared, "trust", &named, Revocation::Trust { client, application })
        }
        Some(("mandate", matches)) => {
            let OfMandate { contact, client, shared } = arguments(matches)?;
            let named = [("contact_id", contact.to_string()), ("client_id", client.to_string())];
            revoke(&shared, "mandate", &named, Revocation::Mandate { contact, client })
        }
        Some(("key", matches)) => {
            let OfKey { kid, shared: Shared { reason, place, json } } = arguments(matches)?;
            key::take_out(&place, json, &kid, reason)
        }
        Some(("all", matches)) => {
            let Everything { yes, shared } = arguments(matches)?;
            if !yes {
                confirm()?;
            }
            revoke(&shared, "all", &[], Revocation::All)
        }
        _ => Ok(()),
    }
}

/// Marks what a record names.
fn revoke(shared: &Shared, kind: &str, named: &[(&str, String)], revocation: Revocation) -> Outcome {
    let desk = Desk::open(&shared.place)?;
    let ids: Vec<&str> = named.iter().map(|(_, id)| id.as_str()).collect();
    let ids = ids.join(" ");
    match desk.wait(desk.store().revoke(desk.context(shared.reason.clone()), revocation))? {
        Revoke::Marked(version) | Revoke::MarkedApplication(version) => {
            desk.record_changes();
            let hit = hit(kind);
            let lasting = match kind {
                "all" => "a key that leaked must go by itself: `procura revoke key KID`".to_owned(),
                _ => format!("to keep them from being issued: `procura {kind} disable {ids}`"),
            };
            let what = if ids.is_empty() { "all".to_owned() } else { format!("{kind} {ids}") };
            let text =
                format!("{what}: revoked; {hit} issued before is dead, new ones can be asked for\n{lasting}");
            let mut value: Map<String, Value> =
                named.iter().map(|(name, id)| ((*name).to_owned(), json!(id))).collect();
            value.insert("kind".to_owned(), json!(kind));
            value.insert("version".to_owned(), json!(version.0));
            value.insert("result".to_owned(), json!("revoked"));
            shared.json.form().print(&text, &value)
        }
        // A record is never marked already: the next version's mark hits more.
        Revoke::NothingToMark | Revoke::NotFound => {
            Err(Failure::refused(format_args!("there is no {kind} {ids}")))
        }
    }
}

fn hit(kind: &str) -> &'static str {
    match kind {
        "contact" => "every token for it that was",
        "client" => "every token that lists it and was",
        "application" => "every token of it that was",
        "trust" => "every token of the application that lists the client and was",
        "mandate" => "every token for the contact that lists the client and was",
        _ => "every token that was",
    }
}

/// Asks whoever sits at the terminal.
fn confirm() -> Outcome {
    const NOTHING: &str =
        "nothing was revoked: every token that is out would die; to do it, say the same with --yes";
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::usage(NOTHING));
    }
    output::note("Every token that is out dies, of every partner. Type `all` to do it:");
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    read.map_err(|error| Failure::unavailable(format_args!("the terminal can't be read: {error}")))?;
    if answer.trim() == "all" { Ok(()) } else { Err(Failure::refused("nothing was revoked")) }
}
