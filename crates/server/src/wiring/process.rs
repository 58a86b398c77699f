//! What belongs to the process: its clocks, its user, its memory, its signals.

use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime};

use procura_protocol::time::UnixMillis;
use procura_store::Clock;
use procura_store::change::Actor;
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Failure;

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Counts [`Clock::monotonic`] from here.
    #[expect(clippy::disallowed_methods, reason = "the one place of the server that reads the clocks")]
    pub(crate) fn new() -> SystemClock {
        SystemClock { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place of the server that reads the clocks")]
    fn now(&self) -> UnixMillis {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        UnixMillis(since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Whoever runs this process.
pub(crate) fn operator() -> Actor {
    Actor::Operator { uid: rustix::process::geteuid().as_raw() }
}

/// Keeps keys out of core dumps, and other processes of the user out of this one's memory. Best effort:
/// a system that refuses is told of in the log, and goes on.
pub(crate) fn keep_memory_private() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let limited = rustix::process::setrlimit(Resource::Core, none);
    let undumpable = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if let Err(error) = limited.and(undumpable) {
        tracing::warn!(%error, "core dumps can't be switched off: one would hold private keys");
    }
}

/// Files that stay ours whatever callers open: the store, the journal and its next segment, with room.
const OWN_FILES: u64 = 64;

/// How many connections may be open at once: as many as wanted, if the system has a file for each and
/// [`OWN_FILES`] besides. Idle connections of strangers must never keep the journal from its next segment.
pub(crate) fn connections(wanted: usize) -> usize {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let needed = (wanted as u64).saturating_add(OWN_FILES);
    let raised = Some(limit.maximum.map_or(needed, |maximum| needed.min(maximum)));
    let is_low = limit.current.is_some_and(|files| files < needed);
    let files = match is_low
        && rustix::process::setrlimit(Resource::Nofile, Rlimit { current: raised, ..limit }).is_ok()
    {
        true => raised,
        false => limit.current,
    };
    let fitting = fitting(wanted, files);
    if fitting < wanted {
        tracing::warn!(
            wanted,
            fitting,
            "the limit of open files (ulimit -n) allows fewer connections than limits.connections"
        );
    }
    fitting
}

fn fitting(wanted: usize, files: Option<u64>) -> usize {
    let left = files.map_or(u64::MAX, |files| files.saturating_sub(OWN_FILES).max(1));
    usize::try_from(left).unwrap_or(usize::MAX).min(wanted)
}

/// Resolves when the server has been told to stop.
pub(crate) type Stop = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// Resolves at the first SIGTERM or SIGINT; both are heard from now on, and end nothing by themselves.
pub(crate) fn stop_signal() -> Result<Stop, Failure> {
    let listen = |kind| {
        signal(kind).map_err(|error| Failure::unavailable(format_args!("signals can't be heard: {error}")))
    };
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    // A file size limit is a full disk to us: heard once, the signal ends nothing and the write says so.
    drop(listen(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?);
    Ok(Box::pin(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!("{name}: finishing what was accepted");
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_the_server_its_own_files() {
        assert_eq!(fitting(10_000, None), 10_000);
        assert_eq!(fitting(10_000, Some(10_064)), 10_000);
        assert_eq!(fitting(10_000, Some(1_024)), 960);
        assert_eq!(fitting(10_000, Some(10)), 1);
    }
}
