//! The guard that resources use, in front of the server's own API: its keys and marks are at hand.

use std::sync::Arc;
use std::time::Duration;

use procura_engine::Engine;
use procura_guard::{
    BaseUrl, Clock, Guard, InvalidId, Jwks, KeySource, MarkSource, MarkSubject, Refetch, ResourceId,
    Settings, UnixSeconds,
};
use procura_protocol::time::UnixMillis;
use procura_store::{Journal, Store};

/// What is kept of verified tokens for each resource: a server sees those of all partners.
const CACHE_BYTES: usize = 16 << 20;

/// Used proofs of possession that are remembered for each resource, likewise.
const PROOFS: usize = 1_000_000;

/// What stands behind the issuer in the id of the server's own API.
const API: &str = "/api";

/// The guard of the server's own API, `{issuer}/api`. It is reached at the issuer, and where certificates are asked
/// for.
///
/// # Errors
///
/// When the issuer is no URI.
pub(crate) fn own_guard<S: Store, J: Journal>(
    engine: &Arc<Engine<S, J>>,
    mutual_tls: Option<&str>,
) -> Result<Guard, InvalidId> {
    let issuer = &engine.settings().issuer;
    let audience = ResourceId::parse(&format!("{issuer}{API}"))?;
    let bases = std::iter::once(&**issuer).chain(mutual_tls);
    Ok(guard_for(engine, audience).at(bases.filter_map(|base| BaseUrl::parse(base).ok())))
}

/// A guard for tokens of this server that are for that resource.
pub(crate) fn guard_for<S: Store, J: Journal>(engine: &Arc<Engine<S, J>>, audience: ResourceId) -> Guard {
    let here = Arc::new(Here(Arc::clone(engine)));
    let mut settings = Settings::new(&engine.settings().issuer, audience);
    settings.cache_bytes = CACHE_BYTES;
    settings.proof_capacity = PROOFS;
    settings.demands_proof_nonces = engine.demands_proof_nonces();
    let (keys, marks) = (Arc::clone(&here) as _, Arc::clone(&here) as _);
    let guard = Guard::new(settings, keys, marks, here, engine.random());
    if engine.is_first_to_answer() {
        guard.nothing_was_used_before();
    }
    guard
}

/// Keys, marks and time of this process.
struct Here<S, J>(Arc<Engine<S, J>>);

impl<S: Store, J: Journal> KeySource for Here<S, J> {
    fn current(&self) -> Option<Arc<Jwks>> {
        Some(Arc::clone(self.0.keys().current().published()))
    }

    /// There are no other keys to be learnt: those that are published here are all.
    fn refetch<'a>(&'a self, _: &'a Arc<Jwks>) -> Refetch<'a> {
        Box::pin(std::future::ready(()))
    }
}

impl<S: Store, J: Journal> MarkSource for Here<S, J> {
    /// The marks of a version are there before it is confirmed, so a directory that is fresh says that
    /// none is missing. Nothing is certain either while the clock can't be believed.
    fn generation(&self) -> Option<u64> {
        self.0.ready().ok().map(|()| self.0.revocations().number())
    }

    fn hits(&self, subjects: &[MarkSubject], dv: u64) -> bool {
        self.0.revocations().hits(subjects, dv)
    }
}

impl<S: Store, J: Journal> Clock for Here<S, J> {
    /// While the wall clock can't be believed, every token is over.
    fn now(&self) -> UnixSeconds {
        self.0.now().map_or(UnixSeconds(i64::MAX), UnixMillis::seconds)
    }

    fn elapsed(&self) -> Duration {
        self.0.monotonic()
    }
}
