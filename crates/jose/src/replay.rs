//! Names that may be used once, and which were: `jti` of an assertion (RFC 7523 3, the seventh rule) or of a proof
//! of possession (RFC 9449 11.1).
//!
//! In memory, and exact for as long as what was named could prove anything. Who must not forget at a restart
//! writes them down besides. Several nodes that share them would ask a table here instead:
//! [`UsedNames::claim`] is the one place to change.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use procura_protocol::time::UnixSeconds;

/// How many are remembered, of all owners together.
const MOST: usize = 2_000_000;
/// Seconds that one is remembered beyond its end, should the wall clock be put back.
pub const BEYOND: i64 = 60;

const SHARDS: usize = 64;
/// A shard throws away what is over at most this often, in seconds.
const SWEEP_EVERY: i64 = 30;

/// What was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used<O> {
    /// Whose it is: the name means nothing without it.
    pub owner: O,
    /// The first 16 bytes of the SHA-256 of the name.
    pub digest: [u8; 16],
    /// The first second in which it proves nothing any more.
    pub ends_at: UnixSeconds,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nobody used it before, and nobody will after.
    First,
    /// It was used.
    Again,
    /// There is no room to remember it, and none is made by forgetting others.
    Full,
}

/// The names that were used, of owners `O`. See the module.
pub struct UsedNames<O> {
    shards: Box<[Mutex<Shard<O>>]>,
    counts: Mutex<Counts<O>>,
    most: usize,
    most_of_one: usize,
    told_at: AtomicI64,
}

struct Shard<O> {
    /// Until when each is remembered.
    names: HashMap<(O, [u8; 16]), UnixSeconds>,
    swept_at: UnixSeconds,
}

struct Counts<O> {
    all: usize,
    of: HashMap<O, usize>,
}

impl<O: Copy + Eq + Hash> Default for UsedNames<O> {
    /// Room for two million.
    fn default() -> Self {
        UsedNames::bounded(MOST)
    }
}

impl<O: Copy + Eq + Hash> UsedNames<O> {
    /// Room for `most`, and of one owner for a quarter of them, so that nobody can take the room of others.
    pub fn bounded(most: usize) -> UsedNames<O> {
        UsedNames::of_bounds(most, most / 4)
    }

    fn of_bounds(most: usize, most_of_one: usize) -> UsedNames<O> {
        let shard = || Shard { names: HashMap::new(), swept_at: UnixSeconds::default() };
        let shards = (0..SHARDS).map(|_| Mutex::new(shard())).collect();
        let counts = Mutex::new(Counts { all: 0, of: HashMap::new() });
        UsedNames { shards, counts, most, most_of_one, told_at: AtomicI64::new(i64::MIN) }
    }

    /// Uses it up, for exactly one of those who ask at once.
    pub fn claim(&self, used: &Used<O>, now: UnixSeconds) -> Claim {
        let name = (used.owner, used.digest);
        let mut shard = self.shard(&name);
        if now >= shard.swept_at.plus(SWEEP_EVERY) {
            self.sweep(&mut shard, now);
        }
        match shard.names.get(&name) {
            Some(until) if now < *until => return Claim::Again,
            Some(_) => {}
            None if !self.take_room(used.owner) => return Claim::Full,
            None => {}
        }
        shard.names.insert(name, used.ends_at.plus(BEYOND));
        Claim::First
    }

    /// Takes in what was used before. Bounds make no difference: nothing may be left out.
    pub fn remember(&self, used: &Used<O>, now: UnixSeconds) {
        let (name, until) = ((used.owner, used.digest), used.ends_at.plus(BEYOND));
        if now < until && self.shard(&name).names.insert(name, until).is_none() {
            let mut counts = lock(&self.counts);
            counts.all += 1;
            *counts.of.entry(used.owner).or_default() += 1;
        }
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        lock(&self.counts).all
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it should be told that there is no room: once a minute.
    pub fn may_tell(&self, now: UnixSeconds) -> bool {
        let told_at = self.told_at.load(Ordering::Relaxed);
        let due = told_at.saturating_add(60) <= now.0;
        due && self.told_at.compare_exchange(told_at, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn take_room(&self, owner: O) -> bool {
        let mut counts = lock(&self.counts);
        let of_one = counts.of.get(&owner).copied().unwrap_or_default();
        if counts.all >= self.most || of_one >= self.most_of_one {
            return false;
        }
        counts.all += 1;
        counts.of.insert(owner, of_one + 1);
        true
    }

    /// Forgets what is over.
    fn sweep(&self, shard: &mut Shard<O>, now: UnixSeconds) {
        shard.swept_at = now;
        let mut counts = lock(&self.counts);
        for ((owner, _), _) in shard.names.extract_if(|_, until| *until <= now) {
            counts.all = counts.all.saturating_sub(1);
            if let Some(of_one) = counts.of.get_mut(&owner) {
                *of_one = of_one.saturating_sub(1);
                if *of_one == 0 {
                    counts.of.remove(&owner);
                }
            }
        }
    }

    fn shard(&self, name: &(O, [u8; 16])) -> MutexGuard<'_, Shard<O>> {
        lock(&self.shards[usize::from(name.1[0]) % SHARDS])
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn used(owner: u32, name: u8) -> Used<u32> {
        Used { owner, digest: [name; 16], ends_at: NOW.plus(100) }
    }

    #[test]
    fn one_of_sixteen_at_once_is_the_first() {
        let all = UsedNames::<u32>::default();
        let barrier = Barrier::new(16);
        let first: usize = thread::scope(|scope| {
            let claims: Vec<_> = (0..16)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        usize::from(all.claim(&used(1, 7), NOW) == Claim::First)
                    })
                })
                .collect();
            claims.into_iter().map(|claim| claim.join().unwrap()).sum()
        });
        assert_eq!((first, all.len()), (1, 1));
    }

    #[test]
    fn it_is_remembered_until_it_proves_nothing_any_more_and_a_minute_longer() {
        let all = UsedNames::<u32>::default();
        assert_eq!(all.claim(&used(1, 7), NOW), Claim::First);
        assert_eq!(all.claim(&used(2, 7), NOW), Claim::First);
        for later in [0, 99, 100, 100 + BEYOND - 1] {
            assert_eq!(all.claim(&used(1, 7), NOW.plus(later)), Claim::Again, "{later}");
        }
        let mut next = used(1, 7);
        next.ends_at = NOW.plus(1_000);
        assert_eq!(all.claim(&next, NOW.plus(100 + BEYOND)), Claim::First);
        assert_eq!(all.claim(&next, NOW.plus(100 + BEYOND)), Claim::Again);
    }

    #[test]
    fn without_room_nothing_is_forgotten_and_nothing_taken() {
        let all = UsedNames::of_bounds(3, 2);
        assert_eq!(all.claim(&used(1, 1), NOW), Claim::First);
        assert_eq!(all.claim(&used(1, 2), NOW), Claim::First);
        assert_eq!(all.claim(&used(1, 3), NOW), Claim::Full);
        assert_eq!(all.claim(&used(2, 1), NOW), Claim::First);
        assert_eq!(all.claim(&used(3, 1), NOW), Claim::Full);
        assert_eq!(all.claim(&used(1, 1), NOW), Claim::Again);
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn what_is_over_makes_room() {
        let all = UsedNames::of_bounds(100, 2);
        for name in [0, 64] {
            // In one shard.
            assert_eq!(all.claim(&used(1, name), NOW), Claim::First);
        }
        assert_eq!(all.claim(&used(1, 128), NOW), Claim::Full);
        let over = NOW.plus(100 + BEYOND);
        let next = Used { ends_at: over.plus(50), ..used(1, 128) };
        assert_eq!(all.claim(&next, over), Claim::First);
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn what_the_journal_says_is_remembered_whatever_the_bounds() {
        let all = UsedNames::of_bounds(1, 1);
        for name in [1, 2, 2, 3] {
            all.remember(&used(1, name), NOW);
        }
        all.remember(&used(1, 9), NOW.plus(100 + BEYOND));
        assert_eq!(all.len(), 3);
        assert_eq!(all.claim(&used(1, 3), NOW), Claim::Again);
        assert_eq!(all.claim(&used(2, 9), NOW), Claim::Full);
    }

    #[test]
    fn that_there_is_no_room_is_told_once_a_minute() {
        let all = UsedNames::<u32>::default();
        let told: Vec<bool> = [0, 1, 59, 60, 61].map(|later| all.may_tell(NOW.plus(later))).to_vec();
        assert_eq!(told, [true, false, false, true, false]);
    }
}
