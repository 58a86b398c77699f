//! Opening what the configuration names, and putting the crates together.

mod desk;
mod failure;
mod folder;
mod installation;
mod journal;
mod process;
mod server;
mod upkeep;

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

use crate::config::Config;
use crate::exit::{Failure, Outcome};

pub(crate) use desk::Desk;
pub(crate) use failure::{journal_failed, key_failed, store_failed};
pub(crate) use folder::check_folder;
pub(crate) use installation::{Installation, Made, Purpose};
pub(crate) use server::Bound;

/// The longest that the configuration lets a token live, in seconds. Marks and retired keys are kept for
/// as long, because a command does not know with which lifetime a server runs.
pub(crate) const LONGEST_LIFETIME: i64 = crate::config::reference::LONGEST_LIFETIME as i64;

/// Without an issuer the bound address becomes one, and that makes sense on loopback only.
pub(crate) fn check_issuer(config: &Config) -> Outcome {
    if config.issuer.is_none() && !config.listen.ip().is_loopback() {
        return Err(Failure::usage(format_args!(
            "an issuer must be configured to listen on {}, which is not loopback: set `issuer` to the https URL \
             under which callers reach this server",
            config.listen
        )));
    }
    Ok(())
}

/// What a thread of the runtime does before it goes to sleep: the journal may write at once then, because
/// nothing more comes until somebody was answered. One server a process, so one journal.
static ON_IDLE: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

/// Threads for a server.
pub(crate) fn runtime(config: &Config) -> Result<Runtime, Failure> {
    let mut builder = Builder::new_multi_thread();
    if let Some(threads) = config.threads {
        builder.worker_threads(threads);
    }
    let runtime = builder
        .thread_name("procura")
        .on_thread_park(|| {
            if let Some(nudge) = ON_IDLE.get() {
                nudge();
            }
        })
        .enable_all()
        .build();
    runtime.map_err(|error| Failure::unavailable(format_args!("threads can't be started: {error}")))
}
