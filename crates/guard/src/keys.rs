//! The server's keys over HTTP: fetched, kept, fetched again ahead of time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, Request, StatusCode};
use procura_jose::{Jwks, Random};
use thiserror::Error;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use crate::clock::Clock;
use crate::pause::{Pauses, jittered};
use crate::sources::{KeySource, Refetch};
use crate::transport::{Chunks, Transport, TransportError};

/// How long a set is kept before it is fetched again, if the answer says nothing (`Cache-Control`).
const USUAL_MAX_AGE: Duration = Duration::from_secs(300);
/// An answer may say less or more, within these.
const SHORTEST_MAX_AGE: Duration = Duration::from_secs(60);
const LONGEST_MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// While the server is away, the last set is used for so long. New keys are announced a day before they
/// sign, and a key that was withdrawn early is told by a mark.
const LONGEST_USE: Duration = Duration::from_secs(24 * 60 * 60);
/// The least time between the beginnings of two fetches, whatever tokens name.
const LEAST_GAP: Duration = Duration::from_secs(5);
/// How long one fetch may take.
const ONE_FETCH: Duration = Duration::from_secs(5);
/// Largest document.
const MOST_BYTES: usize = 256 * 1024;

const PAUSES: Pauses = Pauses { first: Duration::from_secs(1), longest: Duration::from_secs(60) };

/// The keys of a server on the network.
pub(crate) struct FetchedKeys {
    held: ArcSwapOption<Held>,
    clock: Arc<dyn Clock>,
    /// Whether a fetch is under way, and nanoseconds of the clock, plus one, at which the last began.
    fetching: AtomicBool,
    began_at: AtomicU64,
    wanted: Notify,
    /// How many fetches ended, whatever came of them.
    ended: watch::Sender<u64>,
    /// Told when there are keys.
    complete: Arc<Notify>,
}

struct Held {
    keys: Arc<Jwks>,
    fetched_at: Duration,
}

/// Why no keys came.
#[derive(Debug, Error)]
enum NoKeys {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("no whole answer came within {} seconds", ONE_FETCH.as_secs())]
    Time,
    #[error("the status is {0}")]
    Status(StatusCode),
    #[error("the document is larger than {MOST_BYTES} bytes")]
    Large,
    #[error("the document is no key set with keys that can be used")]
    NotKeys,
}

impl FetchedKeys {
    pub(crate) fn new(clock: Arc<dyn Clock>, complete: Arc<Notify>) -> FetchedKeys {
        FetchedKeys {
            held: ArcSwapOption::empty(),
            clock,
            fetching: AtomicBool::new(false),
            began_at: AtomicU64::new(0),
            wanted: Notify::new(),
            ended: watch::Sender::new(0),
            complete,
        }
    }

    /// How many keys there are, and how long ago they were fetched.
    pub(crate) fn status(&self) -> (usize, Option<Duration>) {
        self.held.load().as_ref().map_or((0, None), |held| {
            (held.keys.keys().len(), Some(self.clock.elapsed().saturating_sub(held.fetched_at)))
        })
    }

    /// Fetches, waits and fetches again, for ever. The only one who fetches, so nobody who is gone can
    /// take a fetch with him.
    pub(crate) async fn keep<T: Transport>(
        self: Arc<Self>,
        transport: Arc<T>,
        request: Request<()>,
        random: Arc<dyn Random>,
    ) {
        let mut failures = 0;
        loop {
            self.fetching.store(true, Ordering::SeqCst);
            self.began_at.store(nanos(self.clock.elapsed()).saturating_add(1), Ordering::SeqCst);
            let fetched = timeout(ONE_FETCH, self.fetch(&*transport, request.clone())).await;
            let wait = match fetched.unwrap_or(Err(NoKeys::Time)) {
                Ok(max_age) => {
                    failures = 0;
                    // Ahead of time, and not all guards at once.
                    jittered(max_age * 4 / 5, &*random)
                }
                Err(why) => {
                    tracing::warn!("the server's keys were not fetched: {why}");
                    failures += 1;
                    PAUSES.after(failures, &*random)
                }
            };
            self.fetching.store(false, Ordering::SeqCst);
            self.ended.send_modify(|ended| *ended += 1);
            tokio::select! {
                () = sleep(wait) => {}
                () = self.wanted_and_due() => {}
            }
        }
    }

    async fn wanted_and_due(&self) {
        loop {
            self.wanted.notified().await;
            if self.is_due() {
                return;
            }
        }
    }

    fn is_due(&self) -> bool {
        let began_at = self.began_at.load(Ordering::SeqCst);
        nanos(self.clock.elapsed()).saturating_sub(began_at.saturating_sub(1)) >= nanos(LEAST_GAP)
    }

    async fn fetch<T: Transport>(&self, transport: &T, request: Request<()>) -> Result<Duration, NoKeys> {
        let asked_at = self.clock.elapsed();
        let answer = transport.send(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(NoKeys::Status(answer.status()));
        }
        let max_age = max_age(answer.headers());
        let mut body = answer.into_body();
        let mut document = Vec::new();
        while let Some(piece) = body.chunk().await? {
            if document.len() + piece.len() > MOST_BYTES {
                return Err(NoKeys::Large);
            }
            document.extend_from_slice(&piece);
        }
        let keys: Jwks = serde_json::from_slice(&document).map_err(|_| NoKeys::NotKeys)?;
        if keys.keys().is_empty() {
            return Err(NoKeys::NotKeys);
        }
        self.hold(keys, asked_at);
        Ok(max_age)
    }

    /// The same set stays the same `Arc`, so that nothing that was verified is verified again.
    fn hold(&self, keys: Jwks, fetched_at: Duration) {
        let held = self.held.load_full();
        let keys = match &held {
            Some(held) if *held.keys == keys => Arc::clone(&held.keys),
            _ => Arc::new(keys),
        };
        self.held.store(Some(Arc::new(Held { keys, fetched_at })));
        self.complete.notify_waiters();
    }
}

impl KeySource for FetchedKeys {
    fn current(&self) -> Option<Arc<Jwks>> {
        let held = self.held.load();
        let held = held.as_ref()?;
        let age = self.clock.elapsed().saturating_sub(held.fetched_at);
        (age <= LONGEST_USE).then(|| Arc::clone(&held.keys))
    }

    fn refetch<'a>(&'a self, known: &'a Arc<Jwks>) -> Refetch<'a> {
        Box::pin(async move {
            let mut ended = self.ended.subscribe();
            ended.mark_unchanged();
            let learned = |held: Option<Arc<Jwks>>| held.is_some_and(|keys| !Arc::ptr_eq(&keys, known));
            let under_way = self.fetching.load(Ordering::SeqCst);
            if learned(self.current()) || !under_way && !self.is_due() {
                return;
            }
            self.wanted.notify_one();
            // Whatever comes of it, the token is then judged by what is there.
            let _ = timeout(ONE_FETCH + Duration::from_secs(1), ended.changed()).await;
        })
    }
}

fn max_age(headers: &HeaderMap) -> Duration {
    let directives = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let seconds = directives
        .flat_map(|value| value.split(','))
        .find_map(|directive| directive.trim().strip_prefix("max-age=")?.parse().ok());
    seconds.map_or(USUAL_MAX_AGE, Duration::from_secs).clamp(SHORTEST_MAX_AGE, LONGEST_MAX_AGE)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_that_an_answer_asks_for_is_bounded() {
        for (told, seconds) in [
            ("max-age=600", 600),
            ("public, max-age=600, must-revalidate", 600),
            ("max-age=0", 60),
            ("max-age=999999999", 86_400),
            ("no-store", 300),
            ("max-age=abc", 300),
            ("max-age=-1", 300),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, told.parse().unwrap());
            assert_eq!(max_age(&headers), Duration::from_secs(seconds), "{told}");
        }
        assert_eq!(max_age(&HeaderMap::new()), Duration::from_secs(300));
    }
}
