//! Quotes and payments behind a guard: an API to copy.
//!
//! Three lines make it safe. One connects the guard, one puts it in front of the routes, and one in each
//! handler says what the route needs. A handler is called only when the token is in force, is for this
//! API, lists the `client_id` of the call, and gives the permission; it gets who acts for whom.
//!
//! * this file: settings, the guard, the routes, a good end
//! * `ledger.rs`: records that can be reached only by who may act for their client
//! * `quotes.rs`, `payments.rs`: the handlers
//! * `answers.rs`: errors, and what is read from a call
//! * `tests.rs`: how an API behind a guard is tested, without a network
//!
//! What is made stays in memory and is gone at the end: a real API has a database here.

mod answers;
mod ledger;
mod payments;
mod quotes;
#[cfg(test)]
mod tests;

use std::env;
use std::error::Error;
use std::fs;
use std::process::ExitCode;
use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Json, Router};
use procura_guard::{Guard, Resource, ResourceId, Secret};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use ledger::Ledger;

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    // What the guard has to say, for instance that it lost touch with the server, goes through `tracing`.
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let Settings { issuer, resource_id, secret, listen } = Settings::from_environment()?;

    let listener = TcpListener::bind(&listen).await.map_err(|error| format!("{listen}: {error}"))?;
    let address = listener.local_addr()?;
    // A real API has a name here, for instance https://payments.example. No header of a call can be believed about
    // it, and proofs of possession (DPoP) name it.
    let base = format!("http://{address}");

    // [readme
    let guard = Guard::connect(Resource::new(&issuer, resource_id, &secret)?.reached_at(&base)?);
    // readme]

    // It listens at once. Until keys and revocations have come, every call is answered 503.
    let ready = guard.clone();
    tokio::spawn(async move {
        ready.ready().await;
        println!("quotes and payments at http://{address}");
    });
    axum::serve(listener, app(guard)).with_graceful_shutdown(asked_to_stop()?).await?;
    Ok(())
}

/// What the handlers share.
#[derive(Default)]
struct Books {
    quotes: Ledger<quotes::Quote>,
    payments: Ledger<payments::Payment>,
}

fn app(guard: Guard) -> Router {
    let routes = Router::new()
        .route("/quotes", post(quotes::ask))
        .route("/quotes/{quote_id}", get(quotes::one))
        .route("/payments", get(payments::list).post(payments::make))
        .route("/payments/{payment_id}/authorise", post(payments::authorise))
        .with_state(Arc::<Books>::default());
    // [readme
    let api = routes.layer(guard.layer());
    // readme]
    // Whatever comes after the layer is open to everybody: state is for whoever watches over this API, and
    // a real one would show it at another address.
    api.route("/status", get(move || status(guard.clone())))
}

/// What the guard knows, in numbers. There is nothing secret in it.
async fn status(guard: Guard) -> Json<Value> {
    // A guard without a connection, as in the tests, has nothing to tell.
    let Some(status) = guard.status() else { return Json(json!({})) };
    Json(json!({
        "connected": status.marks.connected,
        "stale_ms": status.marks.staleness.map(|age| age.as_millis()),
        "max_stale_ms": status.marks.max_stale.as_millis(),
        "marks": status.marks.marks,
        "mark_bytes": status.marks.bytes,
        "collapsed": status.marks.collapsed,
        "keys": status.keys,
    }))
}

/// From the environment: arguments are shown to every user of the machine.
struct Settings {
    issuer: String,
    resource_id: ResourceId,
    secret: Secret,
    listen: String,
}

impl Settings {
    fn from_environment() -> Result<Settings, Box<dyn Error>> {
        let needed = |name: &str| env::var(name).map_err(|error| format!("{name}: {error}"));
        // A file for service managers, the variable for trying out.
        let secret = match env::var("RESOURCE_SECRET_FILE") {
            Ok(file) => fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?,
            Err(_) => needed("RESOURCE_SECRET")?,
        };
        let resource_id = ResourceId::parse(&needed("RESOURCE_ID")?);
        Ok(Settings {
            issuer: needed("PROCURA_ISSUER")?,
            resource_id: resource_id.map_err(|error| format!("RESOURCE_ID {error}"))?,
            secret: Secret::from(secret.trim_end().to_owned()),
            listen: env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8081".to_owned()),
        })
    }
}

/// Ctrl-C, or a service manager. Requests that are being answered are answered.
fn asked_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
