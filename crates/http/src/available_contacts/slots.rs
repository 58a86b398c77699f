//! One list at a time for an application: lists are the only answers that cost more than a token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use procura_store::records::ApplicationNo;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Forgotten applications are looked for when more than this many are remembered.
const REMEMBERED: usize = 1_000;

/// Handles of one application's turn: the memory's own, that of the list being sent, and one for each
/// request that waits. A request that waits takes memory.
const MOST_HELD: usize = 2 + 16;

/// Who is being answered.
#[derive(Default)]
pub(crate) struct Slots(Mutex<HashMap<ApplicationNo, Arc<AsyncMutex<()>>>>);

/// Held until the list has been sent.
pub(crate) type Slot = OwnedMutexGuard<()>;

impl Slots {
    /// Waits for the application's turn, at most so long.
    pub(crate) async fn take(&self, application: ApplicationNo, wait: Duration) -> Option<Slot> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if turns.len() > REMEMBERED {
                turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            }
            Arc::clone(turns.entry(application).or_default())
        };
        if Arc::strong_count(&turn) > MOST_HELD {
            return None;
        }
        tokio::time::timeout(wait, turn.lock_owned()).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_list_waits_for_the_first_and_another_application_does_not() {
        let slots = Slots::default();
        let wait = Duration::from_secs(10);
        let first = slots.take(ApplicationNo(1), wait).await;
        assert!(first.is_some());
        assert!(slots.take(ApplicationNo(2), wait).await.is_some());
        assert!(slots.take(ApplicationNo(1), wait).await.is_none());
        drop(first);
        assert!(slots.take(ApplicationNo(1), wait).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn sixteen_wait_for_a_turn_and_no_more() {
        let slots = Arc::new(Slots::default());
        let first = slots.take(ApplicationNo(1), Duration::ZERO).await.unwrap();
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let slots = Arc::clone(&slots);
            waiting
                .spawn(async move { slots.take(ApplicationNo(1), Duration::from_secs(10)).await.is_some() });
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(slots.take(ApplicationNo(2), Duration::ZERO).await.is_some());
        drop(first);
        let had = waiting.join_all().await.into_iter().filter(|had| *had).count();
        assert_eq!(had, 16);
        assert!(slots.take(ApplicationNo(1), Duration::ZERO).await.is_some());
    }

    #[tokio::test]
    async fn applications_that_are_done_are_forgotten() {
        let slots = Slots::default();
        for no in 0..5_000 {
            slots.take(ApplicationNo(no), Duration::ZERO).await;
        }
        assert!(slots.0.lock().unwrap().len() <= REMEMBERED + 1);
    }
}
