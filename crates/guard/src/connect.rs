//! A guard of a resource on the network: two tasks keep the keys and follow the revocations.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use procura_jose::Random;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::check::{Guard, Sources};
use crate::clock::Clock;
use crate::events::{Answer, Broken, Follower};
use crate::keys::FetchedKeys;
use crate::marks::{FollowedMarks, MarksStatus};
use crate::pause::Pauses;
use crate::resource::Resource;
use crate::sources::{KeySource, MarkSource};
use crate::transport::{Chunks, Transport, TransportError};

/// How long the head of an answer may take: the server lets only a few have everything at once, and
/// the others wait for up to ten seconds.
const HEAD: Duration = Duration::from_secs(15);
/// How long the stream may be silent, where a heartbeat comes every second.
const SILENCE: Duration = Duration::from_secs(5);
/// How long a stream may be open and too old; then perhaps a new connection has no backlog.
const TOO_OLD: Duration = Duration::from_secs(10);
/// How often marks that are over are forgotten.
const SWEEP: Duration = Duration::from_secs(60);

const PAUSES: Pauses = Pauses { first: Duration::from_millis(100), longest: Duration::from_secs(5) };
/// After a refusal: what must change is on one of the two sides, and takes people.
const REFUSED: Pauses = Pauses { first: Duration::from_secs(1), longest: Duration::from_secs(30) };

impl Guard {
    /// A guard with a transport, a clock and randomness of its own; `random` spreads retries and makes the key of
    /// nonces, so nobody may be able to guess it. Its tasks run on tokio, and end with the last clone of the guard.
    ///
    /// Until keys and marks have come it answers 503; [`Guard::ready`] waits for them.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn connect_with<T: Transport>(
        resource: Resource,
        transport: T,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Guard {
        let complete = Arc::new(Notify::new());
        let keys = Arc::new(FetchedKeys::new(Arc::clone(&clock), Arc::clone(&complete)));
        let (capacity, max_stale) = (resource.mark_capacity, resource.max_stale);
        let marks =
            Arc::new(FollowedMarks::new(capacity, max_stale, Arc::clone(&clock), Arc::clone(&complete)));
        let settings = resource.settings.clone();
        let transport = Arc::new(transport);
        let keeper =
            Arc::clone(&keys).keep(Arc::clone(&transport), resource.jwks_request(), Arc::clone(&random));
        let randomness = Arc::clone(&random);
        let link = Link { resource, transport, marks: Arc::clone(&marks), clock: Arc::clone(&clock), random };
        let tasks = [tokio::spawn(keeper).abort_handle(), tokio::spawn(link.follow()).abort_handle()];
        let connection = Connection { keys: Arc::clone(&keys), marks: Arc::clone(&marks), complete, tasks };
        let sources = Sources { keys, marks, clock };
        Guard::with_connection(settings, sources, &*randomness, Some(connection))
    }

    /// Returns as soon as keys and marks are there, once. A guard with sources of its own is always ready.
    pub async fn ready(&self) {
        let Some(connection) = self.connection() else { return };
        loop {
            let mut told = pin!(connection.complete.notified());
            told.as_mut().enable();
            if connection.is_complete() {
                return;
            }
            told.await;
        }
    }

    /// What it knows, for metrics and health checks; `None` for a guard with sources of its own.
    pub fn status(&self) -> Option<Status> {
        let refused_proofs = self.refused_proofs().map(|(_, count)| count).sum();
        self.connection().map(|connection| Status { refused_proofs, ..connection.status() })
    }
}

#[cfg(feature = "reqwest")]
impl Guard {
    /// A guard of a resource on the network: the ready transport, the machine's clocks and randomness.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn connect(resource: Resource) -> Guard {
        Guard::connect_with(
            resource,
            crate::ReqwestTransport::new(),
            Arc::new(crate::SystemClock::new()),
            Arc::new(procura_jose::SystemRandom),
        )
    }
}

/// What a guard on the network knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Of revocations.
    pub marks: MarksStatus,
    /// How many keys it verifies with.
    pub keys: usize,
    /// How long ago they were fetched.
    pub keys_age: Option<Duration>,
    /// How many proofs of possession were refused; [`Guard::refused_proofs`] says why.
    pub refused_proofs: u64,
}

/// What runs for a guard, until it is dropped.
pub(crate) struct Connection {
    keys: Arc<FetchedKeys>,
    marks: Arc<FollowedMarks>,
    complete: Arc<Notify>,
    tasks: [AbortHandle; 2],
}

impl Connection {
    fn is_complete(&self) -> bool {
        self.keys.current().is_some() && self.marks.generation().is_some()
    }

    fn status(&self) -> Status {
        let (keys, keys_age) = self.keys.status();
        Status { marks: self.marks.status(), keys, keys_age, refused_proofs: 0 }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status().fmt(f)
    }
}

/// Follows the stream.
struct Link<T> {
    resource: Resource,
    transport: Arc<T>,
    marks: Arc<FollowedMarks>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// Why an answer ended.
#[derive(Debug, Error)]
enum Ended {
    #[error("the stream ended")]
    Whole,
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("nothing came in time")]
    Silence,
    #[error("it tells what was long ago")]
    Old,
    #[error("this is no stream of revocations: the status is {0}")]
    Refused(StatusCode),
    #[error("it is not believed any further: {0}")]
    Broken(#[from] Broken),
}

impl<T: Transport> Link<T> {
    async fn follow(self) {
        let mut follower = Follower::default();
        let mut failures = 0;
        loop {
            let mut heard = false;
            let ended = self.one_answer(&mut follower, &mut heard).await;
            self.marks.set_connected(false);
            if matches!(ended, Ended::Broken(_)) {
                follower.forget(&self.marks);
            }
            tracing::warn!("the stream of revocations is cut off: {ended}");
            failures = if heard { 0 } else { failures + 1 };
            let pauses = match ended {
                Ended::Refused(status) if status.is_client_error() => REFUSED,
                _ => PAUSES,
            };
            sleep(pauses.after(failures, &*self.random)).await;
        }
    }

    /// Follows one answer to its end. `heard`: whether a heartbeat came.
    async fn one_answer(&self, follower: &mut Follower, heard: &mut bool) -> Ended {
        follower.begin();
        let asked_at = self.clock.elapsed();
        let request = self.resource.events_request(follower.position());
        let answer = match timeout(HEAD, self.transport.send(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return error.into(),
            Err(_) => return Ended::Silence,
        };
        let kind = answer.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        if answer.status() != StatusCode::OK || !kind.is_some_and(is_event_stream) {
            return Ended::Refused(answer.status());
        }
        self.marks.set_connected(true);
        let mut body = answer.into_body();
        let mut answer = Answer::new(asked_at);
        let mut swept_at = asked_at;
        loop {
            let piece = match timeout(SILENCE, body.chunk()).await {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None)) => return Ended::Whole,
                Ok(Err(error)) => return error.into(),
                Err(_) => return Ended::Silence,
            };
            match follower.read(&mut answer, &piece, &self.marks) {
                Ok(told) => *heard |= told,
                Err(broken) => return broken.into(),
            }
            let now = self.clock.elapsed();
            let too_old = self.marks.generation().is_none() && *heard;
            if too_old && now.saturating_sub(asked_at) > self.resource.max_stale + TOO_OLD {
                return Ended::Old;
            }
            if now.saturating_sub(swept_at) >= SWEEP {
                self.marks.sweep();
                swept_at = now;
            }
        }
    }
}

fn is_event_stream(kind: &[u8]) -> bool {
    let end = kind.iter().position(|byte| *byte == b';').unwrap_or(kind.len());
    kind[..end].trim_ascii().eq_ignore_ascii_case(b"text/event-stream")
}
