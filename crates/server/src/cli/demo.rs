//! `procura demo`: everything at once, on made-up companies.

mod certificates;
mod commands;
mod proofs;
mod sample;
mod told;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args, Command};
use procura_store::Clock as _;
use procura_store::administration::{AddCredential, Administration as _, Import, Line};
use procura_store::change::Entity;
use procura_store::fields::{Key, Row};
use zeroize::Zeroizing;

use self::certificates::Files;
use self::told::Told;
use super::arguments;
use super::credential::secret;
use crate::config::{Config, Flags};
use crate::exit::{Failure, Outcome};
use crate::output::{self, Form};
use crate::telemetry;
use crate::wiring::{self, Bound, Installation, Purpose};

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
const LISTEN_TLS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8443);

#[derive(Debug, Args)]
struct Arguments {
    /// Address and port, loopback only; 127.0.0.1:8080, or 127.0.0.1:8443 with --tls. Port 0 picks a free one
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Serve with TLS, ask callers for certificates, and add applications for every door and every proof
    #[arg(long)]
    tls: bool,
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
             With --tls it also makes a small CA with certificates for the server and for a partner, and the \
             partner's keys, in the folder tls of the data folder.\n\n\
             Examples:\n  \
             procura demo\n  \
             procura demo --tls\n  \
             procura demo --listen 127.0.0.1:0 --json",
        )
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let Arguments { listen, tls, data, json } = arguments(matches)?;
    let listen = listen.unwrap_or(if tls { LISTEN_TLS } else { LISTEN });
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
    let files = tls.then(|| Files::of(&data));
    let config = config(listen, &data, files.as_ref())?;
    telemetry::begin(&config.log)?;
    let place = Place { data, files, thrown_away: throw_away.is_some() };
    let outcome = wiring::runtime(&config)?.block_on(serve(config, place, Form::json_if(json)));
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

/// The defaults: a demo does not depend on what the environment configures, and its logs are few. Whoever tries
/// it out does so from one address, with wrong secrets too, and as fast as they like.
fn config(listen: SocketAddr, data: &Path, files: Option<&Files>) -> Result<Config, Failure> {
    let plain = files.is_none().then_some(listen);
    let flags = Flags { config: None, data: Some(data.to_owned()), listen: plain };
    let quiet = [
        ("PROCURA_LOG__LEVEL", "warn"),
        ("PROCURA_LIMITS__REQUESTS_PER_ADDRESS_PER_MINUTE", "0"),
        ("PROCURA_LIMITS__FAILED_PROOFS_PER_ADDRESS_PER_MINUTE", "0"),
        ("PROCURA_LIMITS__REQUESTS_PER_APPLICATION_PER_MINUTE", "0"),
        ("PROCURA_LIMITS__CONTACTS_PER_APPLICATION_PER_HOUR", "0"),
    ];
    let quiet = quiet.into_iter().map(|(name, value)| (name.into(), value.into()));
    let mut settings: Vec<(OsString, OsString)> = quiet.collect();
    if let Some(files) = files {
        let server = files.server();
        settings.extend([
            ("PROCURA_SERVER__LISTEN".into(), "none".into()),
            ("PROCURA_MUTUAL_TLS__LISTEN".into(), listen.to_string().into()),
            ("PROCURA_MUTUAL_TLS__CERTIFICATE_FILE".into(), server.clone().into()),
            ("PROCURA_MUTUAL_TLS__KEY_FILE".into(), Files::key_of(&server).into()),
            ("PROCURA_MUTUAL_TLS__CLIENT_CA_FILE".into(), files.ca().into()),
        ]);
    }
    let values = crate::config::read(&flags, settings).map_err(Failure::usage)?;
    values.config().map_err(Failure::usage)
}

/// Where the demo keeps what it makes.
struct Place {
    data: PathBuf,
    /// Certificates, with TLS.
    files: Option<Files>,
    thrown_away: bool,
}

async fn serve(config: Config, place: Place, form: Form) -> Outcome {
    let Place { data, files, thrown_away } = place;
    let installation = Installation::open(config, data.clone(), Purpose::Demo).await?;
    if let Some(files) = &files {
        files.make(installation.clock().now().seconds())?;
    }
    let bound = installation.bind().await?;
    let secrets = fill(&bound, files.is_some()).await?;
    if let Some(files) = &files {
        proofs::fill(&bound, files).await?;
    }
    let server = bound.start().await?;
    let told = Told {
        base_url: server.base_url().to_owned(),
        issuer: server.issuer().to_owned(),
        resource_id: server.resource_id(),
        secrets,
        data: std::path::absolute(&data).unwrap_or(data),
        tls: files.is_some(),
        thrown_away,
    };
    match form {
        Form::Json => output::json_line(&told.json())?,
        Form::Text => output::line(&told.text())?,
    }
    server.until_stopped().await
}

struct Secrets {
    application: Zeroizing<String>,
    /// Of the server's own API.
    resource: Zeroizing<String>,
    payments: Zeroizing<String>,
    /// With TLS.
    beside: Option<Beside>,
}

/// Secrets that are not enough.
struct Beside {
    /// Of the application that needs a certificate too.
    certificate: Zeroizing<String>,
    /// Of the application that needs proofs of a key too.
    proof: Zeroizing<String>,
}

/// Puts the sample into the directory and replaces the secrets.
async fn fill(bound: &Bound, tls: bool) -> Result<Secrets, Failure> {
    let store = bound.store();
    let rows = sample::rows(tls).map_err(Failure::unavailable)?;
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
        beside: match tls {
            true => Some(Beside {
                certificate: replaced_secret(bound, Entity::Application, proofs::TWO_FACTORS).await?,
                proof: replaced_secret(bound, Entity::Application, proofs::WITH_PROOFS).await?,
            }),
            false => None,
        },
    })
}

async fn replaced_secret(bound: &Bound, entity: Entity, id: &str) -> Result<Zeroizing<String>, Failure> {
    let owner = Key::read(entity, &[id]).map_err(Failure::unavailable)?;
    let (secret, hash) = secret::make(&procura_jose::SystemRandom);
    let replaced = bound.store().replace_secrets(bound.context(), owner.clone(), hash).await;
    match replaced.map_err(|error| wiring::store_failed(&error))? {
        AddCredential::Added { .. } => {
            Ok(Zeroizing::new(secret.expose_str().map(str::to_owned).unwrap_or_default()))
        }
        _ => Err(Failure::unavailable(format_args!("{owner} could not be given a secret"))),
    }
}
