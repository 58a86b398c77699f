//! What belongs to the process: its clocks, its user, its memory, its signals.

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

/// Resolves at the first SIGTERM or SIGINT; listens from when it is called.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let listen = |kind| {
        signal(kind).map_err(|error| Failure::unavailable(format_args!("signals can't be heard: {error}")))
    };
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!("{name}: finishing what was accepted");
    })
}
