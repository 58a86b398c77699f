//! Opening what the configuration names, and putting the crates together.

mod certificate_files;
mod desk;
mod failure;
mod folder;
mod installation;
mod journal;
mod listeners;
mod process;
mod server;
mod unix_socket;
mod upkeep;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Runtime};

use crate::config::Config;
use crate::exit::{Failure, Outcome};

pub(crate) use desk::Desk;
pub(crate) use failure::{journal_failed, key_failed, store_failed};
pub(crate) use folder::check_folder;
pub(crate) use installation::{Installation, Made, Purpose};
pub(crate) use listeners::Door;
pub(crate) use server::{Bound, Running, ThisEngine};

/// The longest that the configuration lets a token live, in seconds. Marks and retired keys are kept for
/// as long, because a command does not know with which lifetime a server runs.
pub(crate) const LONGEST_LIFETIME: i64 = crate::config::reference::LONGEST_LIFETIME as i64;

/// Without an issuer the bound address becomes one, and that makes sense on loopback only.
pub(crate) fn check_issuer(config: &Config) -> Outcome {
    if config.issuer.is_some() {
        return Ok(());
    }
    let listeners = &config.listeners;
    if let Some((_, address)) = listeners.addresses().find(|(_, address)| !address.ip().is_loopback()) {
        return Err(Failure::usage(format_args!(
            "an issuer must be configured to listen on {address}, which is not loopback: set `issuer` to the \
             https URL under which callers reach this server"
        )));
    }
    if listeners.plain.is_none() && listeners.tls.is_none() && listeners.mutual_tls.is_none() {
        return Err(Failure::usage(
            "an issuer must be configured where only a proxy is listened to: set `issuer` to the https URL under \
             which callers reach the proxy",
        ));
    }
    Ok(())
}

/// What is done when every thread of the runtime goes to sleep: the journal may write at once then,
/// because nothing more comes until somebody was answered. One server a process, so one journal.
static ON_IDLE: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

/// Threads for a server.
pub(crate) fn runtime(config: &Config) -> Result<Runtime, Failure> {
    let threads = config.threads.unwrap_or_else(|| available_parallelism().map_or(1, NonZeroUsize::get));
    let asleep = Arc::new(AtomicUsize::new(0));
    let awake = Arc::clone(&asleep);
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("procura")
        .on_thread_park(move || {
            // While another thread works, its requests may still join the batch.
            if asleep.fetch_add(1, Ordering::Relaxed) + 1 >= threads
                && let Some(nudge) = ON_IDLE.get()
            {
                nudge();
            }
        })
        .on_thread_unpark(move || {
            awake.fetch_sub(1, Ordering::Relaxed);
        })
        .enable_all()
        .build();
    runtime.map_err(|error| Failure::unavailable(format_args!("threads can't be started: {error}")))
}
