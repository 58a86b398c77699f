//! The keys that applications publish at their `jwks_uri`: fetched when they are needed, kept for a while,
//! and never fetched more often than once a minute for one application, whoever asks.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use procura_jose::Jwks;
use procura_store::Clock;
use procura_store::records::{Application, ApplicationNo};
use thiserror::Error;
use tokio::sync::{Semaphore, watch};

/// Keys are fresh for so long, when whoever publishes them says nothing.
const FRESH: Duration = Duration::from_secs(600);
/// And within these bounds when they do.
const FRESH_LEAST: Duration = Duration::from_secs(60);
const FRESH_MOST: Duration = Duration::from_secs(3_600);
/// Keys that can't be fetched again prove nothing once they are so old: a partner may have taken one out
/// because it was stolen.
const STALE: Duration = Duration::from_secs(3_600);
/// Between two fetches for one application, whatever came of the first.
const PAUSE: Duration = Duration::from_secs(60);
/// Whoever names a known key is not kept waiting for so long after keys stopped being fresh, or could not be
/// fetched. Not for as long as they are usable: one that was taken out must not prove anything an hour later
/// only because nobody asked meanwhile.
const GRACE: Duration = Duration::from_secs(120);
/// How many are under way at once, for all applications together.
const AT_ONCE: usize = 8;
/// How long a request waits for keys before it is decided on those that are known.
const PATIENCE: Duration = Duration::from_secs(10);
/// Beyond so many applications those that were not fetched lately are forgotten.
const REMEMBERED: usize = 10_000;

/// Fetches key sets. What it may connect to, and how long and how large everything may be, is its business.
pub trait FetchKeys: Send + Sync + 'static {
    /// The key set at that URL.
    fn fetch(&self, uri: Box<str>) -> Fetching;
}

/// A fetch under way.
pub type Fetching = Pin<Box<dyn Future<Output = Result<FetchedKeys, FetchFault>> + Send>>;

/// A key set as it was published.
#[derive(Debug, Clone)]
pub struct FetchedKeys {
    /// The keys.
    pub keys: Jwks,
    /// For how long it says to be fresh.
    pub max_age: Option<Duration>,
}

/// Why a key set can't be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FetchFault {
    /// The URL is not one that is fetched from.
    #[error("the URL is not an https URL of a host, without a password")]
    Url,
    /// Its host has no address that may be connected to.
    #[error("the host has no public address")]
    Address,
    /// It can't be connected to, or broke off.
    #[error("the host can't be connected to, or the connection broke off")]
    Connection,
    /// It took too long.
    #[error("the host took too long")]
    Time,
    /// Not 200.
    #[error("the host answered with status {0}")]
    Status(u16),
    /// Longer than a key set may be.
    #[error("the answer is too long")]
    TooLong,
    /// Not a key set.
    #[error("the answer is not a key set")]
    NotKeys,
    /// More keys than a set may have.
    #[error("the key set has too many keys")]
    TooMany,
}

/// See the module.
pub(crate) struct PublishedKeys {
    fetcher: Option<Arc<dyn FetchKeys>>,
    clock: Arc<dyn Clock>,
    places: Mutex<HashMap<ApplicationNo, Arc<Place>>>,
    turns: Arc<Semaphore>,
}

/// What is known of the keys of one application.
struct Place {
    uri: Box<str>,
    known: Mutex<Known>,
    landed: watch::Sender<()>,
}

#[derive(Default)]
struct Known {
    keys: Option<Arc<Jwks>>,
    fetched_at: Duration,
    fresh_until: Duration,
    /// Until then a key that is named is used while the set is fetched again.
    used_meanwhile_until: Duration,
    asked_at: Option<Duration>,
    under_way: bool,
}

/// What to do for somebody who needs keys.
enum Next {
    Use(Option<Arc<Jwks>>),
    Wait,
    Fetch,
    /// Nobody has to wait for that fetch.
    UseAndFetch(Arc<Jwks>),
}

impl PublishedKeys {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> PublishedKeys {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        PublishedKeys { fetcher: None, clock, places: Mutex::default(), turns }
    }

    pub(crate) fn set_fetcher(&mut self, fetcher: Arc<dyn FetchKeys>) {
        self.fetcher = Some(fetcher);
    }

    /// The keys that the application publishes, if they are known or can be had; when `kid` names none of
    /// those that are known, they are fetched again. When it names one, nobody waits for a host that is slow.
    pub(super) async fn of(
        &self,
        application: &Application,
        uri: &str,
        kid: Option<&str>,
    ) -> Option<Arc<Jwks>> {
        let fetcher = self.fetcher.as_ref()?;
        let now = self.clock.monotonic();
        let place = self.place(application.no, uri, now);
        // Before looking: what lands in between is seen.
        let mut landed = place.landed.subscribe();
        match place.next(now, kid) {
            Next::Use(keys) => return keys,
            Next::Wait => {}
            Next::Fetch => self.begin(Arc::clone(fetcher), &place, application),
            Next::UseAndFetch(keys) => {
                self.begin(Arc::clone(fetcher), &place, application);
                return Some(keys);
            }
        }
        let _ = tokio::time::timeout(PATIENCE, landed.changed()).await;
        place.usable(self.clock.monotonic())
    }

    fn place(&self, no: ApplicationNo, uri: &str, now: Duration) -> Arc<Place> {
        let mut places = lock(&self.places);
        if let Some(place) = places.get(&no).filter(|place| *place.uri == *uri) {
            return Arc::clone(place);
        }
        if places.len() >= REMEMBERED {
            places.retain(|_, place| place.is_kept(now));
        }
        let place =
            Arc::new(Place { uri: uri.into(), known: Mutex::default(), landed: watch::Sender::new(()) });
        places.insert(no, Arc::clone(&place));
        place
    }

    /// Begins a fetch that goes on whatever becomes of the request that began it: a stranger who hangs up
    /// must not be able to keep a partner's keys from being known.
    fn begin(&self, fetcher: Arc<dyn FetchKeys>, place: &Arc<Place>, application: &Application) {
        let (turns, clock) = (Arc::clone(&self.turns), Arc::clone(&self.clock));
        let landing = Landing { place: Arc::clone(place), clock, landed: false };
        let id = application.id.clone();
        tokio::spawn(async move {
            let turn = turns.acquire().await;
            let fetched = fetcher.fetch(landing.place.uri.clone()).await;
            drop(turn);
            if let Err(error) = &fetched {
                tracing::warn!(application = %id, %error, "the keys of an application can't be fetched");
            }
            landing.land(fetched);
        });
    }
}

impl Place {
    fn next(&self, now: Duration, kid: Option<&str>) -> Next {
        let mut known = lock(&self.known);
        let usable = known.usable(now);
        let names = |keys: &Arc<Jwks>| kid.is_none_or(|kid| keys.find(kid).is_some());
        if now < known.fresh_until && usable.as_ref().is_some_and(names) {
            return Next::Use(usable);
        }
        let meanwhile = usable.clone().filter(|keys| {
            now < known.used_meanwhile_until && kid.is_some_and(|kid| keys.find(kid).is_some())
        });
        if known.under_way {
            return meanwhile.map_or(Next::Wait, |keys| Next::Use(Some(keys)));
        }
        if known.asked_at.is_some_and(|at| now < at + PAUSE) {
            return Next::Use(usable);
        }
        (known.under_way, known.asked_at) = (true, Some(now));
        meanwhile.map_or(Next::Fetch, Next::UseAndFetch)
    }

    fn usable(&self, now: Duration) -> Option<Arc<Jwks>> {
        lock(&self.known).usable(now)
    }

    fn is_kept(&self, now: Duration) -> bool {
        let known = lock(&self.known);
        known.under_way || known.asked_at.is_some_and(|at| now < at + STALE)
    }
}

impl Known {
    fn usable(&self, now: Duration) -> Option<Arc<Jwks>> {
        self.keys.clone().filter(|_| now < self.fetched_at + STALE)
    }
}

/// Ends a fetch, whatever comes of it.
struct Landing {
    place: Arc<Place>,
    clock: Arc<dyn Clock>,
    landed: bool,
}

impl Landing {
    fn land(mut self, fetched: Result<FetchedKeys, FetchFault>) {
        let now = self.clock.monotonic();
        let mut known = lock(&self.place.known);
        if let Ok(FetchedKeys { keys, max_age }) = fetched {
            known.keys = Some(Arc::new(keys));
            known.fetched_at = now;
            known.fresh_until = now + max_age.unwrap_or(FRESH).clamp(FRESH_LEAST, FRESH_MOST);
            known.used_meanwhile_until = known.fresh_until + GRACE;
        } else {
            known.used_meanwhile_until = now + GRACE;
        }
        known.under_way = false;
        drop(known);
        self.landed = true;
        self.place.landed.send_replace(());
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if !self.landed {
            lock(&self.place.known).under_way = false;
            self.place.landed.send_replace(());
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use procura_testkit::clock::FixedClock;
    use procura_testkit::world::application;

    use super::*;

    /// Hosts that answer when they are let, and how many were asked at once.
    struct Hosts {
        gate: Arc<Semaphore>,
        under_way: Arc<AtomicUsize>,
        most: Arc<AtomicUsize>,
    }

    impl FetchKeys for Hosts {
        fn fetch(&self, _: Box<str>) -> Fetching {
            let (gate, under_way) = (Arc::clone(&self.gate), Arc::clone(&self.under_way));
            self.most.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            Box::pin(async move {
                gate.acquire().await.unwrap().forget();
                under_way.fetch_sub(1, Ordering::SeqCst);
                Ok(FetchedKeys { keys: Jwks::default(), max_age: None })
            })
        }
    }

    #[tokio::test]
    async fn eight_hosts_are_asked_at_once_and_the_others_in_turn() {
        let (gate, under_way, most) = (Arc::new(Semaphore::new(0)), Arc::default(), Arc::default());
        let mut published = PublishedKeys::new(Arc::new(FixedClock::default()));
        let hosts = Hosts { gate: Arc::clone(&gate), under_way: Arc::clone(&under_way), most };
        let most = Arc::clone(&hosts.most);
        published.set_fetcher(Arc::new(hosts));
        let published = Arc::new(published);
        let asked: Vec<_> = (1..=20)
            .map(|no| {
                let published = Arc::clone(&published);
                let application = application(no, &format!("app_{no}"), "", true);
                tokio::spawn(async move { published.of(&application, "https://x.example", None).await })
            })
            .collect();
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(under_way.load(Ordering::SeqCst), AT_ONCE);
        gate.add_permits(20);
        for keys in asked {
            assert!(keys.await.unwrap().is_some());
        }
        assert_eq!((most.load(Ordering::SeqCst), under_way.load(Ordering::SeqCst)), (AT_ONCE, 0));
    }
}
