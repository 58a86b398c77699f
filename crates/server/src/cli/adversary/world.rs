//! The world that the adapter of this program describes: one of each who may, and one of each who may not.
//!
//! It is filled as an operator would fill it, by this program's own commands, and the suite changes it by the same
//! commands while it is served.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use procura_store::Clock as _;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::certificates::Files;
use crate::config::Flags;
use crate::exit::{Failure, Outcome};
use crate::output;
use crate::telemetry;
use crate::wiring::{self, Door, Installation, Purpose};

/// Before anybody runs this, and after.
const LONG_AGO: &str = "2021-07-01T00:00:00Z";
const FAR_OFF: &str = "2099-01-01T00:00:00Z";

/// Somebody who may be acted for, but for a few minutes.
const ENDING: &str = "CON-Ending1";
const MINUTES: i64 = 8;

const SECOND: &str = "https://second.example";
const UNREGISTERED: &str = "https://unregistered.example";

/// Fields of a record, by name.
type Fields = &'static [(&'static str, &'static str)];

/// Applications that may act for the partner's contacts, and what is special about each.
const PARTNERS: &[(&str, Fields)] = &[
    ("main", &[]),
    ("signing", &[("auth_methods", "private_key_jwt")]),
    (
        "certificate",
        &[("auth_methods", "tls_client_auth"), ("certificate_subject_dn", "CN=adversary-gateway")],
    ),
    ("selfsigned", &[("auth_methods", "self_signed_tls_client_auth")]),
    ("twofactors", &[("certificate", "required"), ("certificate_subject_dn", "CN=adversary-second")]),
    ("dpop", &[("dpop_bound_access_tokens", "true")]),
    (
        "fapi2",
        &[("auth_methods", "private_key_jwt"), ("profile", "fapi2"), ("dpop_bound_access_tokens", "true")],
    ),
];

/// Applications that may not.
const OTHERS: &[(&str, Fields)] =
    &[("other", &[]), ("disabled", &[("status", "disabled")]), ("untrusted", &[("trusted", "false")])];

/// Those that have a secret.
const WITH_SECRET: &[&str] = &["main", "twofactors", "dpop", "other", "disabled", "untrusted"];

/// Contact, client, and what differs from an active mandate with two permissions.
const MANDATES: &[(&str, &str, Fields)] = &[
    ("CON-Allowed1", "CLI-a1", &[]),
    ("CON-Allowed1", "CLI-a2", &[]),
    ("CON-Allowed1", "CLI-untrusting", &[]),
    ("CON-Second1", "CLI-b1", &[]),
    ("CON-Other1", "CLI-o1", &[]),
    ("CON-NoTrust1", "CLI-untrusting", &[]),
    ("CON-Disabled1", "CLI-b1", &[]),
    ("CON-Suspended1", "CLI-b1", &[("status", "suspended")]),
    ("CON-Ended1", "CLI-b1", &[("until", LONG_AGO)]),
    ("CON-NotBegun1", "CLI-b1", &[("from", FAR_OFF)]),
    ("CON-Withdrawn1", "CLI-withdrawn", &[]),
    ("CON-EndedTrust1", "CLI-ended", &[]),
    ("CON-Inactive1", "CLI-closed", &[]),
    ("CON-NotCovered1", "CLI-covering", &[]),
    (
        "CON-Ceiling1",
        "CLI-ceiling",
        &[("permissions", "can_trade can_manage_payments can_authorise_payments")],
    ),
];

/// Clients that trust the partner, and how.
const TRUSTS: &[(&str, Fields)] = &[
    ("CLI-a1", &[]),
    ("CLI-a2", &[]),
    ("CLI-b1", &[]),
    ("CLI-withdrawn", &[("status", "withdrawn")]),
    ("CLI-ended", &[("until", LONG_AGO)]),
    ("CLI-closed", &[]),
    ("CLI-covering", &[("contacts", "CON-Second1")]),
    ("CLI-ceiling", &[("ceiling", "can_trade")]),
];

const CLIENTS: [&str; 10] = [
    "CLI-a1",
    "CLI-a2",
    "CLI-b1",
    "CLI-o1",
    "CLI-untrusting",
    "CLI-withdrawn",
    "CLI-ended",
    "CLI-closed",
    "CLI-covering",
    "CLI-ceiling",
];

/// Serves it until standard input ends.
pub(super) fn serve(program: &Path) -> Outcome {
    let folder = tempfile::Builder::new()
        .prefix("procura-adversary-")
        .tempdir()
        .map_err(|error| Failure::unavailable(format_args!("no throw-away folder can be made: {error}")))?;
    let world = World { program: program.to_owned(), folder: folder.path().to_owned() };
    let told = world.fill()?;
    let flags = Flags { config: Some(world.config()), data: None, listen: None };
    let config =
        crate::config::read(&flags, []).and_then(|values| values.config()).map_err(Failure::usage)?;
    telemetry::begin(&config.log)?;
    let outcome = wiring::runtime(&config)?.block_on(async {
        let installation = Installation::open(config, world.data(), Purpose::Serve).await?;
        let end = installation.clock().now().seconds().plus(MINUTES * 60);
        let server = installation.bind().await?.start().await?;
        let listeners: Vec<Value> = server.doors().iter().map(Door::json).collect();
        let issuer = server.issuer().to_owned();
        let told = world.tell(told, &issuer, &listeners);
        // The server's own API is known from here on.
        let api = server.resource_id();
        let last = tokio::task::spawn_blocking(move || {
            world.call(&["mandate", "add", ENDING, "CLI-b1", "--until", &end.to_string()])?;
            world.secret("resource", &api)
        });
        let secret = last.await.map_err(Failure::unavailable)??;
        output::json_line(&told.with("resource_secret", &secret))?;
        tokio::select! {
            outcome = server.until_stopped() => outcome,
            () = end_of_input() => Ok(()),
        }
    });
    drop(folder);
    outcome
}

async fn end_of_input() {
    let (ended, end) = oneshot::channel::<()>();
    thread::spawn(move || {
        let _ = io::stdin().lock().read_to_end(&mut Vec::new());
        drop(ended);
    });
    let _ = end.await;
}

/// What is told to the suite.
struct Told(Map<String, Value>);

impl Told {
    fn with(mut self, name: &str, value: &str) -> Value {
        self.0.insert(name.to_owned(), value.into());
        Value::Object(self.0)
    }
}

struct World {
    program: PathBuf,
    folder: PathBuf,
}

impl World {
    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn config(&self) -> PathBuf {
        self.folder.join("procura.toml")
    }

    /// Makes the data folder with everything in it.
    fn fill(&self) -> Result<Told, Failure> {
        let all: Vec<&str> = PARTNERS.iter().chain(OTHERS).map(|(name, _)| *name).collect();
        let files = Files::make(&self.folder, &all)?;
        let shown = |name: &str| files.path(name).display().to_string();
        let config = format!(
            "data = \"data\"\n[server]\nlisten = \"none\"\n\
             [tls]\nlisten = \"127.0.0.1:0\"\ncertificate_file = \"{server}\"\nkey_file = \"{key}\"\n\
             [mutual_tls]\nlisten = \"127.0.0.1:0\"\nclient_ca_file = \"{ca}\"\nclient_crl_file = \"{crl}\"\n\
             [log]\nlevel = \"error\"\n\
             [limits]\nrequests_per_address_per_minute = 0\nfailed_proofs_per_address_per_minute = 0\n\
             requests_per_application_per_minute = 0\ncontacts_per_application_per_hour = 0\n",
            server = shown("server.pem"),
            key = shown("server.key"),
            ca = shown("ca.pem"),
            crl = shown("revoked.crl"),
        );
        self.write("procura.toml", &config)?;
        self.call(&["init"])?;
        for (noun, rows) in directory() {
            self.import(noun, noun, &rows)?;
        }
        let mut told = Map::new();
        let mut tell = |name: String, value: String| told.insert(name, value.into());
        for name in WITH_SECRET {
            tell(format!("{name}_secret"), self.secret("application", &id(name))?);
        }
        for name in &all {
            let file = shown(&format!("{name}.signing.pem"));
            let line = self.call(&["application", "key", "add", &id(name), &file, "--json"])?;
            let value: Value = serde_json::from_str(&line).map_err(Failure::unavailable)?;
            tell(format!("{name}_key"), value["key_id"].as_str().unwrap_or_default().to_owned());
        }
        self.call(&["application", "certificate", "add", &id("selfsigned"), &shown("own.pem")])?;
        tell("second_secret".to_owned(), self.secret("resource", SECOND)?);
        for (name, rows) in changes() {
            self.write(&format!("{name}.jsonl"), &lines(&rows))?;
        }
        Ok(Told(told))
    }

    fn tell(&self, told: Told, issuer: &str, listeners: &[Value]) -> Told {
        let mut told = told.0;
        let at = |table: &str| {
            let listener = listeners.iter().find(|listener| listener["table"] == table);
            listener.map_or(Value::Null, |listener| listener["at"].clone())
        };
        told.insert("issuer".to_owned(), issuer.into());
        told.insert("mutual_tls".to_owned(), at("mutual_tls"));
        told.insert("folder".to_owned(), self.folder.display().to_string().into());
        told.insert("config".to_owned(), self.config().display().to_string().into());
        Told(told)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        std::fs::write(self.folder.join(name), text)
            .map_err(|error| Failure::unavailable(format_args!("{name} can't be written: {error}")))
    }

    fn import(&self, noun: &str, name: &str, rows: &[Value]) -> Result<(), Failure> {
        let file = format!("{name}.jsonl");
        self.write(&file, &lines(rows))?;
        self.call(&[noun, "import", &self.folder.join(file).to_string_lossy()]).map(|_| ())
    }

    fn secret(&self, noun: &str, owner: &str) -> Result<String, Failure> {
        let line = self.call(&[noun, "secret", "add", owner, "--json"])?;
        let value: Value = serde_json::from_str(&line).map_err(Failure::unavailable)?;
        Ok(value["secret"].as_str().unwrap_or_default().to_owned())
    }

    /// One of this program's own commands, apart from what the environment configures.
    fn call(&self, arguments: &[&str]) -> Result<String, Failure> {
        let mut command = Command::new(&self.program);
        let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PROCURA_"));
        for (name, _) in ours {
            command.env_remove(name);
        }
        let output = command
            .args(arguments)
            .arg("--config")
            .arg(self.config())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Failure::unavailable(format_args!("this program does not start: {error}")))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Failure::unavailable(format_args!("{}: {}", arguments.join(" "), said.trim())))
    }
}

fn id(name: &str) -> String {
    format!("app_{name}")
}

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

fn row(more: &[(&str, &str)], own: &[(&str, &str)]) -> Value {
    let pairs = own.iter().chain(more).map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
    Value::Object(pairs.collect())
}

/// Every record, in an order in which each names only what stands before it.
fn directory() -> Vec<(&'static str, Vec<Value>)> {
    let resources = [SECOND, UNREGISTERED].map(|uri| json!({"resource_id": uri, "name": "An API"}));
    let applications = PARTNERS.iter().chain(OTHERS).map(|(name, more)| {
        let id = id(name);
        let own =
            [("application_id", id.as_str()), ("name", *name), ("trusted", "true"), ("resources", SECOND)];
        row(more, &own)
    });
    let clients = CLIENTS.map(|client| {
        let status = if client == "CLI-closed" { "Closed" } else { "Active" };
        json!({"client_id": client, "client_name": client, "status": status})
    });
    let mut contacts: Vec<&str> = MANDATES.iter().map(|(contact, _, _)| *contact).collect();
    contacts.extend(["CON-NoMandate1", ENDING]);
    contacts.dedup();
    let contacts = contacts.into_iter().map(|contact| {
        let status = if contact == "CON-Disabled1" { "disabled" } else { "active" };
        json!({"contact_id": contact, "name": contact, "status": status})
    });
    let trusts =
        PARTNERS.iter().flat_map(|(name, _)| TRUSTS.iter().map(|(client, more)| trust(client, name, more)));
    let trusts = trusts.chain([
        trust("CLI-o1", "other", &[]),
        trust("CLI-a1", "disabled", &[]),
        trust("CLI-a1", "untrusted", &[]),
    ]);
    vec![
        ("resource", resources.to_vec()),
        ("client", clients.to_vec()),
        ("contact", contacts.collect()),
        ("mandate", MANDATES.iter().map(|(contact, client, more)| mandate(contact, client, more)).collect()),
        ("application", applications.collect()),
        ("trust", trusts.collect()),
    ]
}

fn mandate(contact: &str, client: &str, more: &[(&str, &str)]) -> Value {
    let own = [
        ("contact_id", contact),
        ("client_id", client),
        ("permissions", "can_manage_payments can_trade"),
        ("status", "active"),
        ("until", ""),
    ];
    row(more, &own)
}

fn trust(client: &str, application: &str, more: &[(&str, &str)]) -> Value {
    let application = id(application);
    let own = [
        ("client_id", client),
        ("application_id", application.as_str()),
        ("contacts", "*"),
        ("ceiling", "all"),
        ("status", "active"),
        ("reason", "made up for the adversarial suite"),
    ];
    row(more, &own)
}

/// Files that the suite imports while the server runs: a name, and rows.
fn changes() -> Vec<(&'static str, Vec<Value>)> {
    let clients = |status: &str| {
        let of = |client: &&str| json!({"client_id": client, "client_name": client, "status": status});
        ["CLI-a1", "CLI-a2"].iter().map(of).collect::<Vec<_>>()
    };
    let mandates = |more: &[(&str, &str)]| {
        ["CLI-a1", "CLI-a2"].iter().map(|client| mandate("CON-Allowed1", client, more)).collect::<Vec<_>>()
    };
    let trusts = |more: &[(&str, &str)]| {
        ["CLI-a1", "CLI-a2"].iter().map(|client| trust(client, "main", more)).collect::<Vec<_>>()
    };
    vec![
        ("clients-off", clients("Inactive")),
        ("clients-on", clients("Active")),
        ("mandates-suspended", mandates(&[("status", "suspended")])),
        ("mandates-narrowed", mandates(&[("permissions", "")])),
        ("mandates-ended", mandates(&[("until", LONG_AGO)])),
        ("mandates-back", mandates(&[])),
        ("trusts-withdrawn", trusts(&[("status", "withdrawn")])),
        ("trusts-narrowed", trusts(&[("ceiling", "")])),
        ("trusts-back", trusts(&[])),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::certificates::{PARTNERS as CERTIFICATES, subject};
    use super::*;

    #[test]
    fn certificates_bear_the_names_that_are_registered() {
        for (_, more) in PARTNERS {
            for (name, value) in *more {
                if *name == "certificate_subject_dn" {
                    let known = CERTIFICATES.map(|(partner, _)| format!("CN={}", subject(partner)));
                    assert!(known.contains(&(*value).to_owned()), "{value}");
                }
            }
        }
    }

    #[test]
    fn every_client_of_a_mandate_and_of_a_trust_exists() {
        let named =
            MANDATES.iter().map(|(_, client, _)| client).chain(TRUSTS.iter().map(|(client, _)| client));
        for client in named {
            assert!(CLIENTS.contains(client), "{client}");
        }
    }
}
