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

/// Who listens.
pub(crate) struct Places {
    taken: Arc<Mutex<HashMap<ResourceNo, usize>>>,
    turns: Arc<Semaphore>,
}

/// Held while a guard listens.
pub(super) struct Place {
    taken: Arc<Mutex<HashMap<ResourceNo, usize>>>,
    resource: ResourceNo,
}

/// Held until a guard has been told everything.
pub(super) type Turn = OwnedSemaphorePermit;

impl Default for Places {
    fn default() -> Places {
        Places { taken: Arc::default(), turns: Arc::new(Semaphore::new(TURNS)) }
    }
}

impl Places {
    /// A place for one more guard of that resource, if it does not have too many.
    pub(super) fn take(&self, resource: ResourceNo) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(resource).or_default();
        if *count >= MOST_OF_RESOURCE {
            return None;
        }
        *count += 1;
        Some(Place { taken: Arc::clone(&self.taken), resource })
    }

    /// Waits for a turn, at most so long.
    pub(super) async fn turn(&self, wait: Duration) -> Option<Turn> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        tokio::time::timeout(wait, turn).await.ok()?.ok()
    }

    /// How many listen.
    #[cfg(test)]
    fn listening(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.resource) {
            *count -= 1;
            if *count == 0 {
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
        let mut turns = Vec::new();
        for _ in 0..TURNS {
            turns.push(places.turn(Duration::from_secs(1)).await.unwrap());
        }
        assert!(places.turn(Duration::from_secs(1)).await.is_none());
        turns.pop();
        assert!(places.turn(Duration::from_secs(1)).await.is_some());
    }
}
