//! `procura serve`.

use std::net::SocketAddr;

use clap::{ArgMatches, Args, Command};
use serde_json::json;

use super::{Place, arguments, configured};
use crate::config::Flags;
use crate::exit::Outcome;
use crate::output::Form;
use crate::wiring::{self, Door, Installation, Purpose, Running};
use crate::{output, telemetry};

#[derive(Debug, Args)]
struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Address and port; stands above the configuration. Port 0 picks a free one
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Print one line of JSON with base_url, issuer and listeners once it is ready
    #[arg(long)]
    json: bool,
}

pub(super) fn command() -> Command {
    Arguments::augment_args(Command::new("serve"))
        .about("Serve contact tokens from a data folder")
        .after_long_help(
            "Serves until SIGTERM or SIGINT, then finishes what it accepted. Logs go to standard error. One \
             server works on a data folder; commands may change it meanwhile, and what they change is in \
             force within a moment.\n\n\
             Examples:\n  \
             procura serve --config /etc/procura.toml\n  \
             procura serve --data /var/lib/procura --listen 127.0.0.1:9000",
        )
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let Arguments { place, listen, json } = arguments(matches)?;
    let flags = Flags { listen, ..place.flags() };
    let (config, data) = configured(&flags)?;
    wiring::check_issuer(&config)?;
    telemetry::begin(&config.log)?;
    wiring::runtime(&config)?.block_on(async {
        let installation = Installation::open(config, data, Purpose::Serve).await?;
        let server = installation.bind().await?.start().await?;
        let (base_url, issuer) = (server.base_url(), server.issuer());
        match Form::json_if(json) {
            Form::Json => {
                let listeners: Vec<_> = server.doors().iter().map(Door::json).collect();
                let mut ready = json!({ "base_url": base_url, "issuer": issuer, "listeners": listeners });
                if let Some(url) = server.metrics_url() {
                    ready["metrics_url"] = url.into();
                }
                output::json_line(&ready)?;
            }
            Form::Text => output::line(&told(&server))?,
        }
        server.until_stopped().await
    })
}

/// Where it listens; one listener is one line.
fn told(server: &Running) -> String {
    let mut text = format!("serving at {} as {}", server.base_url(), server.issuer());
    if let [_, _, ..] = server.doors() {
        for door in server.doors() {
            text.push_str(&format!("\n  [{}] {door}", door.table()));
        }
    }
    text
}
