//! How many listen, and how many get everything at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use procura_store::records::ResourceNo;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Streams that one resource may have open: one for each of its processes, with room.
const MOST_OF_RESOURCE: usize = 256;
/// Guards that get everything at the same time.
const TURNS: usize = 4;
/// Of these, guards of one resource: a slow one holds up its own, not others.
const TURNS_OF_RESOURCE: usize = 2;

/// Who listens.
pub(crate) struct Places {
    taken: Arc<Mutex<HashMap<ResourceNo, Taken>>>,
    turns: Arc<Semaphore>,
}

/// What one resource has.
struct Taken {
    places: usize,
    turns: Arc<Semaphore>,
}

impl Default for Taken {
    fn default() -> Taken {
        Taken { places: 0, turns: Arc::new(Semaphore::new(TURNS_OF_RESOURCE)) }
    }
}

/// Held while a guard listens.
pub(super) struct Place {
    taken: Arc<Mutex<HashMap<ResourceNo, Taken>>>,
    resource: ResourceNo,
}

/// Held until a guard has been told everything.
pub(super) struct Turn {
    _of_resource: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Places {
        Places { taken: Arc::default(), turns: Arc::new(Semaphore::new(TURNS)) }
    }
}

impl Places {
    /// A place for one more guard of that resource, if it does not have too many.
    pub(super) fn take(&self, resource: ResourceNo) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.entry(resource).or_default();
        if own.places >= MOST_OF_RESOURCE {
            return None;
        }
        own.places += 1;
        Some(Place { taken: Arc::clone(&self.taken), resource })
    }

    /// Waits for a turn, at most so long. The resource must have a place.
    pub(super) async fn turn(&self, resource: ResourceNo, wait: Duration) -> Option<Turn> {
        let own = {
            let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(&taken.get(&resource)?.turns)
        };
        let turn = async {
            let of_resource = own.acquire_owned().await.ok()?;
            let of_all = Arc::clone(&self.turns).acquire_owned().await.ok()?;
            Some(Turn { _of_resource: of_resource, _of_all: of_all })
        };
        tokio::time::timeout(wait, turn).await.ok()?
    }

    /// How many listen.
    #[cfg(test)]
    fn listening(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).values().map(|own| own.places).sum()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.resource) {
            own.places -= 1;
            if own.places == 0 {
                taken.remove(&self.resource);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_has_so_many_places_and_gives_them_back() {
        let places = Places::default();
        let held: Vec<_> = (0..MOST_OF_RESOURCE).map(|_| places.take(ResourceNo(1)).unwrap()).collect();
        assert!(places.take(ResourceNo(1)).is_none());
        assert!(places.take(ResourceNo(2)).is_some());
        assert_eq!(places.listening(), MOST_OF_RESOURCE);
        drop(held);
        assert_eq!(places.listening(), 0);
        assert!(places.take(ResourceNo(1)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_get_everything_at_once() {
        let places = Places::default();
        let wait = Duration::from_secs(1);
        let _held: Vec<_> = (1..=3).map(|no| places.take(ResourceNo(no)).unwrap()).collect();
        let mut turns = Vec::new();
        for no in [1, 1, 2, 2] {
            turns.push(places.turn(ResourceNo(no), wait).await.unwrap());
        }
        assert!(places.turn(ResourceNo(3), wait).await.is_none());
        turns.pop();
        assert!(places.turn(ResourceNo(1), wait).await.is_none(), "it has as many as one may have");
        assert!(places.turn(ResourceNo(3), wait).await.is_some());
    }
}
