//! `procura demo`: everything at once, on made-up companies.

mod sample;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args, Command};
use procura_store::administration::{AddSecret, Administration as _, Import, Line};
use procura_store::change::Entity;
use procura_store::fields::{Key, Row};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{arguments, secret};
use crate::config::{Config, Flags};
use crate::exit::{Failure, Outcome};
use crate::output::{self, Form};
use crate::telemetry;
use crate::wiring::{self, Bound, Installation, Purpose};

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

#[derive(Debug, Args)]
struct Arguments {
    /// Address and port, loopback only. Port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value_t = LISTEN)]
    listen: SocketAddr,
    /// Keep everything in this folder; without it a throw-away one is used
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print one line of JSON once it is ready
    #[arg(long)]
    json: bool,
}

pub(super) fn command() -> Command {
    Arguments::augment_args(Command::new("demo"))
        .about("Try it: serve made-up companies and people from a throw-away folder")
        .after_long_help(
            "Makes keys, a directory with sample clients, contacts, mandates and trusts, one trusted \
             application, and a resource beside the built-in one; serves them on loopback, and prints \
             commands to paste. The folder is removed at the end, unless --data names one. Secrets are made \
             anew at each start, because only their hashes are kept.\n\n\
             Examples:\n  \
             procura demo\n  \
             procura demo --listen 127.0.0.1:0 --json",
        )
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let Arguments { listen, data, json } = arguments(matches)?;
    if !listen.ip().is_loopback() {
        return Err(Failure::usage(format_args!(
            "the demo listens on loopback only, and {listen} is not: its secrets are on your screen"
        )));
    }
    // Removed when it goes out of scope, however this ends.
    let throw_away = match data {
        Some(_) => None,
        None => Some(throw_away_folder()?),
    };
    let data =
        data.or_else(|| throw_away.as_ref().map(|folder| folder.path().to_owned())).unwrap_or_default();
    let config = config(listen, &data)?;
    telemetry::begin(&config.log)?;
    let outcome =
        wiring::runtime(&config)?.block_on(serve(config, &data, Form::json_if(json), throw_away.is_some()));
    match throw_away.map(tempfile::TempDir::close) {
        Some(Err(error)) => outcome
            .and(Err(Failure::unavailable(format_args!("the throw-away folder can't be removed: {error}")))),
        _ => outcome,
    }
}

fn throw_away_folder() -> Result<tempfile::TempDir, Failure> {
    tempfile::Builder::new()
        .prefix("procura-demo-")
        .tempdir()
        .map_err(|error| Failure::unavailable(format_args!("no throw-away folder can be made: {error}")))
}

/// The defaults: a demo does not depend on what the environment configures, and its logs are few.
fn config(listen: SocketAddr, data: &Path) -> Result<Config, Failure> {
    let flags = Flags { config: None, data: Some(data.to_owned()), listen: Some(listen) };
    let quiet = [("PROCURA_LOG__LEVEL".into(), "warn".into())];
    let values = crate::config::read(&flags, quiet).map_err(Failure::usage)?;
    values.config().map_err(Failure::usage)
}

async fn serve(config: Config, data: &Path, form: Form, thrown_away: bool) -> Outcome {
    let installation = Installation::open(config, data.to_owned(), Purpose::Demo).await?;
    let bound = installation.bind().await?;
    let secrets = fill(&bound).await?;
    let server = bound.start().await?;
    let told = Told {
        base_url: server.base_url().to_owned(),
        issuer: server.issuer().to_owned(),
        resource_id: server.resource_id(),
        secrets,
        data: std::path::absolute(data).unwrap_or_else(|_| data.to_owned()),
    };
    match form {
        Form::Json => output::json_line(&told.json())?,
        Form::Text => output::line(&told.text(thrown_away))?,
    }
    server.until_stopped().await
}

struct Secrets {
    application: Zeroizing<String>,
    /// Of the server's own API.
    resource: Zeroizing<String>,
    payments: Zeroizing<String>,
}

/// Puts the sample into the directory and replaces the secrets.
async fn fill(bound: &Bound) -> Result<Secrets, Failure> {
    let store = bound.store();
    let rows = sample::rows().map_err(Failure::unavailable)?;
    // One transaction for each kind: the disk is waited for six times, not once a row.
    for rows in rows.chunk_by(|one, next| one.entity() == next.entity()) {
        let Some(entity) = rows.first().map(Row::entity) else { continue };
        let lines: Vec<Line> =
            (1..).zip(rows).map(|(number, row)| Line { number, row: Ok(row.clone()) }).collect();
        let import = Import { entity, dry_run: false };
        let report = store.import(bound.context(), import, lines.into_iter(), |_| {}).await;
        if let Some(bad) = report.map_err(|error| wiring::store_failed(&error))?.bad.first() {
            return Err(Failure::refused(format_args!(
                "the sample does not fit what is in the folder: {entity}, {bad}; start the demo on another one"
            )));
        }
    }
    Ok(Secrets {
        application: replaced_secret(bound, Entity::Application, sample::APPLICATION).await?,
        resource: replaced_secret(bound, Entity::Resource, &bound.resource_id()).await?,
        payments: replaced_secret(bound, Entity::Resource, sample::PAYMENTS).await?,
    })
}

async fn replaced_secret(bound: &Bound, entity: Entity, id: &str) -> Result<Zeroizing<String>, Failure> {
    let owner = Key::read(entity, &[id]).map_err(Failure::unavailable)?;
    let (secret, hash) = secret::make(&procura_jose::SystemRandom);
    let replaced = bound.store().replace_secrets(bound.context(), owner.clone(), hash).await;
    match replaced.map_err(|error| wiring::store_failed(&error))? {
        AddSecret::Added { .. } => {
            Ok(Zeroizing::new(secret.expose_str().map(str::to_owned).unwrap_or_default()))
        }
        AddSecret::TooMany | AddSecret::NotFound => {
            Err(Failure::unavailable(format_args!("{owner} could not be given a secret")))
        }
    }
}

/// What the demo says once it is ready.
struct Told {
    base_url: String,
    issuer: String,
    resource_id: String,
    secrets: Secrets,
    data: PathBuf,
}

impl Told {
    fn json(&self) -> Value {
        let contacts: Vec<Value> = sample::ALLOWED
            .iter()
            .map(|allowed| json!({ "contact_id": allowed.contact, "clients": allowed.clients }))
            .collect();
        let refused: Vec<Value> = sample::REFUSED
            .iter()
            .map(|refused| json!({ "contact_id": refused.contact, "why": refused.why }))
            .collect();
        json!({
            "base_url": self.base_url,
            "issuer": self.issuer,
            "application_id": sample::APPLICATION,
            "application_secret": *self.secrets.application,
            "resource_id": self.resource_id,
            "resource_secret": *self.secrets.resource,
            "payments_resource_id": sample::PAYMENTS,
            "payments_resource_secret": *self.secrets.payments,
            "contacts": contacts,
            "refused_contacts": refused,
            "data_dir": self.data,
        })
    }

    fn text(&self, thrown_away: bool) -> String {
        // As it can be pasted, also when it is not on the PATH.
        let procura =
            std::env::current_exe().map_or_else(|_| "procura".into(), |path| path.display().to_string());
        let (base, application) = (&self.base_url, sample::APPLICATION);
        let first = sample::ALLOWED.first().map_or("", |allowed| allowed.contact);
        let mut text = format!(
            "Procura demo at {base}\n\n\
             A token for contact {first}, who may act for three companies:\n\n  \
             curl -sS -u {application}:{secret} -X POST {base}/token/{first}\n\n\
             The keys that verify it:\n\n  \
             curl -sS {base}/jwks\n\n\
             The same as a partner's program does it, through the SDK:\n\n  \
             PROCURA_SECRET={secret} {procura} token {first} --issuer {issuer} --application {application}\n\n\
             Whether a token is in force, asked by the application that it was issued to:\n\n  \
             curl -sS -u {application}:{secret} -d token=ACCESS_TOKEN {base}/introspect\n\n\
             The end of one token, at once:\n\n  \
             curl -sS -u {application}:{secret} -d token=ACCESS_TOKEN {base}/revoke\n\n\
             A token for an API of your own, {payments}; its guard proves itself with\n\
             {payments_secret}:\n\n  \
             curl -sS -u {application}:{secret} -d resource={payments} {base}/token/{first}\n\n\
             Contacts that get a token:\n\n",
            secret = *self.secrets.application,
            issuer = self.issuer,
            payments = sample::PAYMENTS,
            payments_secret = *self.secrets.payments,
        );
        for allowed in sample::ALLOWED {
            text.push_str(&format!("  {}  {}\n", allowed.contact, allowed.clients.join(" ")));
        }
        text.push_str("\nContacts that do not, all with the same answer:\n\n");
        for refused in sample::REFUSED {
            text.push_str(&format!("  {}  {}\n", refused.contact, refused.why));
        }
        text.push_str(&format!(
            "\nWhy one was refused, by the Procura-Reference of the answer:\n\n  \
             {procura} audit explain REFERENCE --data {data}\n\n\
             A company takes its trust back, and every token that lists it dies:\n\n  \
             {procura} trust disable {client} {application} --reason 'contract ended' --data {data}\n\n\
             {kept}. Ctrl-C ends it.",
            client = sample::ALLOWED.first().and_then(|allowed| allowed.clients.first()).unwrap_or(&""),
            data = self.data.display(),
            kept = if thrown_away { "All of it is thrown away at the end" } else { "The folder is kept" },
        ));
        text
    }
}
