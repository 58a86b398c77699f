//! A document of the server's, fetched once for all who need it at the same time.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::clock::{Clock, Moment};
use crate::error::Error;

/// How long a document is believed: the server's own max-age (contract, chapter 5), so that a withdrawn
/// key is not believed for longer.
const MAX_AGE: Duration = Duration::from_secs(300);

/// What was fetched last, and how.
pub(crate) struct Kept<V> {
    /// Held while the document is fetched, so that many who need it fetch once.
    state: Mutex<State<V>>,
}

struct State<V> {
    held: Option<(Arc<V>, Moment)>,
    failed: Option<(Error, Moment)>,
}

impl<V> Kept<V> {
    pub(crate) fn new() -> Kept<V> {
        Kept { state: Mutex::new(State { held: None, failed: None }) }
    }

    /// The document, and whether this call fetched it: the one at hand unless too old, or the very one
    /// that was not enough.
    pub(crate) async fn get(
        &self,
        clock: &dyn Clock,
        not_enough: Option<&Arc<V>>,
        fetch: impl Future<Output = Result<V, Error>>,
    ) -> Result<(Arc<V>, bool), Error> {
        let asked_at = Moment::read(clock);
        let mut state = self.state.lock().await;
        let now = Moment::read(clock);
        if let Some((held, at)) = &state.held {
            let enough = not_enough.is_none_or(|other| !Arc::ptr_eq(other, held));
            if enough && at.age(now) < MAX_AGE {
                return Ok((Arc::clone(held), false));
            }
        }
        // Who waited for a fetch that failed has waited enough: else a queue would fail one by one.
        if let Some((error, at)) = &state.failed
            && asked_at.is_before(*at)
        {
            return Err(error.clone());
        }
        match fetch.await {
            Ok(fetched) => {
                let fetched = Arc::new(fetched);
                *state = State { held: Some((Arc::clone(&fetched), now)), failed: None };
                Ok((fetched, true))
            }
            Err(error) => {
                state.failed = Some((error.clone(), Moment::read(clock)));
                Err(error)
            }
        }
    }
}
