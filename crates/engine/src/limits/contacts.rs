//! How many distinct contacts an application asks for in an hour.
//!
//! A stolen proof is worth most to whoever walks through all contacts, and that walk is what an honest partner
//! does not do. The hour is each application's own, from its first request on. Contacts of this hour may be
//! asked for again and again; once there are as many as there may be, others have to wait for the next.
//!
//! Unknown contacts count like known ones, by a keyed hash of what was asked for, so that neither the answer
//! nor the work tells them apart. An application takes at most about twenty bytes for each contact of its
//! ceiling, until its hour is over.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use procura_store::records::ApplicationNo;

const HOUR: Duration = Duration::from_secs(3600);
const SHARDS: usize = 16;

/// Of all applications.
#[derive(Debug)]
pub(super) struct ContactCeiling {
    /// 0 is none.
    most: usize,
    shards: [Mutex<HashMap<ApplicationNo, Hour>>; SHARDS],
    tripped: AtomicU64,
}

/// What one application did in its hour.
#[derive(Debug)]
struct Hour {
    began: Duration,
    seen: HashSet<u64>,
    tripped: bool,
}

impl ContactCeiling {
    pub(super) fn new(most: u32) -> ContactCeiling {
        ContactCeiling { most: most as usize, shards: Default::default(), tripped: AtomicU64::new(0) }
    }

    /// Counts a contact, or says in how many seconds another will be allowed, and whether this is the first
    /// refusal of the hour.
    pub(super) fn admit(&self, no: ApplicationNo, contact: u64, now: Duration) -> Result<(), (u64, bool)> {
        if self.most == 0 {
            return Ok(());
        }
        let mut hours = lock(&self.shards[no.0 as usize % SHARDS]);
        let is_over = |hour: &Hour| now.saturating_sub(hour.began) >= HOUR;
        if hours.get(&no).is_none_or(is_over) {
            // Whoever is not here any more takes no memory.
            hours.retain(|_, hour| !is_over(hour));
            hours.insert(no, Hour { began: now, seen: HashSet::new(), tripped: false });
        }
        let Some(hour) = hours.get_mut(&no) else { return Ok(()) };
        if hour.seen.len() < self.most {
            hour.seen.insert(contact);
            return Ok(());
        }
        if hour.seen.contains(&contact) {
            return Ok(());
        }
        let is_first = !std::mem::replace(&mut hour.tripped, true);
        if is_first {
            self.tripped.fetch_add(1, Ordering::Relaxed);
        }
        let left = HOUR.saturating_sub(now.saturating_sub(hour.began));
        Err(((left.as_millis() as u64).div_ceil(1000).max(1), is_first))
    }

    /// How many applications reached it, each once an hour.
    pub(super) fn tripped(&self) -> u64 {
        self.tripped.load(Ordering::Relaxed)
    }

    /// How many applications are remembered.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ApplicationNo = ApplicationNo(1);
    const OTHER: ApplicationNo = ApplicationNo(1 + SHARDS as u32);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(1_000 + seconds)
    }

    #[test]
    fn contacts_of_this_hour_may_be_asked_for_again_when_no_other_may() {
        let ceiling = ContactCeiling::new(3);
        for contact in [1, 2, 1, 3, 2] {
            assert_eq!(ceiling.admit(ONE, contact, at(0)), Ok(()));
        }
        assert_eq!(ceiling.admit(ONE, 4, at(600)), Err((3_000, true)));
        assert_eq!(ceiling.admit(ONE, 5, at(601)), Err((2_999, false)), "the operator is told once");
        assert_eq!(ceiling.admit(ONE, 3, at(602)), Ok(()));
        assert_eq!(ceiling.tripped(), 1);
    }

    #[test]
    fn the_next_hour_begins_anew() {
        let ceiling = ContactCeiling::new(1);
        assert_eq!(ceiling.admit(ONE, 1, at(0)), Ok(()));
        assert_eq!(ceiling.admit(ONE, 2, at(3_599)), Err((1, true)));
        assert_eq!(ceiling.admit(ONE, 2, at(3_600)), Ok(()));
        assert_eq!(ceiling.admit(ONE, 1, at(3_600)), Err((3_600, true)));
        assert_eq!(ceiling.tripped(), 2);
    }

    #[test]
    fn one_application_takes_nothing_from_another_and_is_forgotten_after_its_hour() {
        let ceiling = ContactCeiling::new(1);
        assert_eq!(ceiling.admit(ONE, 1, at(0)), Ok(()));
        assert_eq!(ceiling.admit(OTHER, 2, at(1)), Ok(()));
        assert_eq!(ceiling.len(), 2);
        assert_eq!(ceiling.admit(OTHER, 2, at(3_602)), Ok(()));
        assert_eq!(ceiling.len(), 1);
    }
}
