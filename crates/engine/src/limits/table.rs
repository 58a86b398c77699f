//! A bucket for each address or application, in memory that is bounded whoever comes.
//!
//! A bucket that is full again says no more than one that is not there, so those are forgotten when room is
//! needed, and never another: whoever is over a limit stays over it. When a shard holds none that is full,
//! newcomers of that shard share one bucket until there is. At most [`SHARDS`] × [`ENTRIES`] are
//! remembered, about 2 MB a table.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher as _, Hash};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::bucket::{Bucket, Rate};

/// Each has a lock of its own, which is held for a look and a sum.
const SHARDS: usize = 64;
/// Remembered in one shard.
const ENTRIES: usize = 1024;

/// Buckets of one rate.
#[derive(Debug)]
pub(super) struct Table<K> {
    rate: Option<Rate>,
    shards: Box<[Mutex<Shard<K>>]>,
    /// Keyed at random, so that nobody can choose addresses that meet in one shard.
    spread: RandomState,
    crowded: AtomicU64,
}

#[derive(Debug)]
struct Shard<K> {
    buckets: HashMap<K, Bucket>,
    /// Of those for whom there is no room.
    shared: Bucket,
    /// Until then no bucket is full again, so that nobody makes us look in vain.
    none_before: Duration,
}

impl<K: Copy + Eq + Hash> Table<K> {
    /// Without a rate nothing is kept and everything allowed.
    pub(super) fn new(rate: Option<Rate>) -> Table<K> {
        let shard = || {
            Mutex::new(Shard {
                buckets: HashMap::new(),
                shared: Bucket::default(),
                none_before: Duration::ZERO,
            })
        };
        Table {
            rate,
            shards: std::iter::repeat_with(shard).take(SHARDS).collect(),
            spread: RandomState::new(),
            crowded: AtomicU64::new(0),
        }
    }

    /// Takes one, or says in how many seconds there is one again.
    pub(super) fn take(&self, key: K, now: Duration) -> Result<(), u64> {
        let Some(rate) = self.rate else { return Ok(()) };
        let mut shard = self.shard(key);
        let shard = &mut *shard;
        if let Some(bucket) = shard.buckets.get_mut(&key) {
            return bucket.take(rate, now);
        }
        if shard.has_room(now) {
            return match shard.buckets.entry(key) {
                Entry::Occupied(entry) => entry.into_mut().take(rate, now),
                Entry::Vacant(entry) => entry.insert(Bucket::default()).take(rate, now),
            };
        }
        self.crowded.fetch_add(1, Ordering::Relaxed);
        shard.shared.take(rate, now)
    }

    /// What [`Table::take`] would say. Nothing is remembered.
    pub(super) fn look(&self, key: K, now: Duration) -> Result<(), u64> {
        let Some(rate) = self.rate else { return Ok(()) };
        let mut shard = self.shard(key);
        if let Some(bucket) = shard.buckets.get(&key) {
            return bucket.look(rate, now);
        }
        if shard.has_room(now) { Ok(()) } else { shard.shared.look(rate, now) }
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).buckets.len()).sum()
    }

    /// How often there was no room.
    pub(super) fn crowded(&self) -> u64 {
        self.crowded.load(Ordering::Relaxed)
    }

    fn shard(&self, key: K) -> MutexGuard<'_, Shard<K>> {
        lock(&self.shards[self.spread.hash_one(key) as usize % SHARDS])
    }
}

impl<K: Copy + Eq + Hash> Shard<K> {
    /// Whether one more may be remembered, for which those that are full again are forgotten.
    fn has_room(&mut self, now: Duration) -> bool {
        if self.buckets.len() < ENTRIES {
            return true;
        }
        if now >= self.none_before {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            let first = self.buckets.values().map(Bucket::full_at).min();
            self.none_before = first.unwrap_or(now);
        }
        self.buckets.len() < ENTRIES
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: usize = SHARDS * ENTRIES;

    fn table(per_minute: u32) -> Table<u64> {
        Table::new(Rate::per_minute(per_minute))
    }

    /// A table in which every place is taken by somebody who is over the limit.
    fn crowded() -> Table<u64> {
        let table = table(1);
        let mut newcomers = 0..;
        while table.crowded() < 10_000 {
            let _ = table.take(newcomers.next().unwrap(), Duration::ZERO);
        }
        table
    }

    #[test]
    fn one_key_takes_nothing_from_another() {
        let table = table(2);
        for key in [1, 2] {
            assert_eq!(table.take(key, Duration::ZERO), Ok(()));
            assert_eq!(table.take(key, Duration::ZERO), Ok(()));
            assert_eq!(table.take(key, Duration::ZERO), Err(30));
            assert_eq!(table.look(key, Duration::ZERO), Err(30));
        }
        assert_eq!((table.look(3, Duration::ZERO), table.len()), (Ok(()), 2));
    }

    #[test]
    fn whoever_comes_no_more_is_remembered_than_there_is_room_for() {
        let table = crowded();
        assert!(table.len() <= ALL && table.len() > ALL / 2, "{}", table.len());
    }

    #[test]
    fn no_crowd_frees_whoever_is_over_the_limit() {
        let table = table(1);
        assert_eq!(table.take(u64::MAX, Duration::ZERO), Ok(()));
        for other in 0..2 * ALL as u64 {
            let _ = table.take(other, Duration::from_secs(1));
        }
        assert_eq!(table.take(u64::MAX, Duration::from_secs(2)), Err(58));
    }

    #[test]
    fn newcomers_share_a_bucket_while_there_is_no_room() {
        let table = crowded();
        let newcomers = u64::MAX - 10_000..u64::MAX;
        let refused = newcomers.filter(|key| table.take(*key, Duration::from_secs(1)).is_err()).count();
        assert!(refused > 9_000, "{refused}");
        // Their bucket fills like any other.
        assert_eq!(table.take(u64::MAX, Duration::from_secs(60)), Ok(()));
    }

    #[test]
    fn those_that_are_full_again_make_room() {
        let table = crowded();
        let later = Duration::from_secs(60);
        for key in u64::MAX - 1_000..u64::MAX {
            assert_eq!(table.take(key, later), Ok(()));
        }
        assert_eq!(table.take(u64::MAX - 1, later), Err(60), "they have buckets of their own");
    }
}
