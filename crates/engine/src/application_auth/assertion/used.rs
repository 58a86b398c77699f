//! Which assertions were used already (RFC 7523 3, the seventh rule).
//!
//! In memory, and exact for as long as an assertion could prove anything. The journal has the same facts, so
//! that a restart forgets nothing; see [`crate::Engine::remember_used_assertion`]. Several nodes that share
//! a directory would ask a table here instead: [`UsedAssertions::claim`] is the one place to change.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use procura_protocol::time::UnixSeconds;
use procura_store::journal::AssertionUsed;
use procura_store::records::ApplicationNo;

/// How many are remembered, of all applications together.
const MOST: usize = 2_000_000;
/// Of these, how many of one application: a quarter, so that nobody can take the room of others.
const MOST_OF_ONE: usize = MOST / 4;
/// Seconds that one is remembered beyond its end, should the wall clock be put back.
pub(crate) const BEYOND: i64 = 60;

const SHARDS: usize = 64;
/// A shard throws away what is over at most this often, in seconds.
const SWEEP_EVERY: i64 = 30;

type Name = (ApplicationNo, [u8; 16]);

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Nobody used it before, and nobody will after.
    First,
    /// It was used.
    Again,
    /// There is no room to remember it, and none is made by forgetting others.
    Full,
}

/// See the module.
pub(crate) struct UsedAssertions {
    shards: Box<[Mutex<Shard>]>,
    counts: Mutex<Counts>,
    most: usize,
    most_of_one: usize,
    told_at: AtomicI64,
}

#[derive(Default)]
struct Shard {
    /// Until when each is remembered.
    names: HashMap<Name, UnixSeconds>,
    swept_at: UnixSeconds,
}

#[derive(Default)]
struct Counts {
    all: usize,
    of: HashMap<ApplicationNo, usize>,
}

impl Default for UsedAssertions {
    fn default() -> Self {
        UsedAssertions::bounded(MOST, MOST_OF_ONE)
    }
}

impl UsedAssertions {
    fn bounded(most: usize, most_of_one: usize) -> UsedAssertions {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        let told_at = AtomicI64::new(i64::MIN);
        UsedAssertions { shards, counts: Mutex::default(), most, most_of_one, told_at }
    }

    /// Uses it up, for exactly one of those who ask at once.
    pub(crate) fn claim(&self, used: &AssertionUsed, now: UnixSeconds) -> Claim {
        let name = (used.application, used.digest);
        let mut shard = self.shard(&name);
        if now >= shard.swept_at.plus(SWEEP_EVERY) {
            self.sweep(&mut shard, now);
        }
        match shard.names.get(&name) {
            Some(until) if now < *until => return Claim::Again,
            Some(_) => {}
            None if !self.take_room(used.application) => return Claim::Full,
            None => {}
        }
        shard.names.insert(name, used.expires_at.plus(BEYOND));
        Claim::First
    }

    /// Takes in what the journal says was used. Bounds make no difference: nothing may be left out.
    pub(crate) fn remember(&self, used: &AssertionUsed, now: UnixSeconds) {
        let (name, until) = ((used.application, used.digest), used.expires_at.plus(BEYOND));
        if now < until && self.shard(&name).names.insert(name, until).is_none() {
            let mut counts = lock(&self.counts);
            counts.all += 1;
            *counts.of.entry(used.application).or_default() += 1;
        }
    }

    /// How many are remembered.
    pub(crate) fn len(&self) -> usize {
        lock(&self.counts).all
    }

    /// Whether it should be told that there is no room: once a minute.
    pub(crate) fn may_tell(&self, now: UnixSeconds) -> bool {
        let told_at = self.told_at.load(Ordering::Relaxed);
        let due = told_at.saturating_add(60) <= now.0;
        due && self.told_at.compare_exchange(told_at, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn take_room(&self, application: ApplicationNo) -> bool {
        let mut counts = lock(&self.counts);
        let of_one = counts.of.get(&application).copied().unwrap_or_default();
        if counts.all >= self.most || of_one >= self.most_of_one {
            return false;
        }
        counts.all += 1;
        counts.of.insert(application, of_one + 1);
        true
    }

    /// Forgets what is over.
    fn sweep(&self, shard: &mut Shard, now: UnixSeconds) {
        shard.swept_at = now;
        let mut counts = lock(&self.counts);
        for ((application, _), _) in shard.names.extract_if(|_, until| *until <= now) {
            counts.all = counts.all.saturating_sub(1);
            if let Some(of_one) = counts.of.get_mut(&application) {
                *of_one = of_one.saturating_sub(1);
                if *of_one == 0 {
                    counts.of.remove(&application);
                }
            }
        }
    }

    fn shard(&self, name: &Name) -> MutexGuard<'_, Shard> {
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

    fn used(application: u32, name: u8) -> AssertionUsed {
        AssertionUsed {
            application: ApplicationNo(application),
            digest: [name; 16],
            expires_at: NOW.plus(100),
        }
    }

    #[test]
    fn one_of_sixteen_at_once_is_the_first() {
        let all = UsedAssertions::default();
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
        let all = UsedAssertions::default();
        assert_eq!(all.claim(&used(1, 7), NOW), Claim::First);
        assert_eq!(all.claim(&used(2, 7), NOW), Claim::First);
        for later in [0, 99, 100, 100 + BEYOND - 1] {
            assert_eq!(all.claim(&used(1, 7), NOW.plus(later)), Claim::Again, "{later}");
        }
        let mut next = used(1, 7);
        next.expires_at = NOW.plus(1_000);
        assert_eq!(all.claim(&next, NOW.plus(100 + BEYOND)), Claim::First);
        assert_eq!(all.claim(&next, NOW.plus(100 + BEYOND)), Claim::Again);
    }

    #[test]
    fn without_room_nothing_is_forgotten_and_nothing_taken() {
        let all = UsedAssertions::bounded(3, 2);
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
        let all = UsedAssertions::bounded(100, 2);
        for name in [0, 64] {
            // In one shard.
            assert_eq!(all.claim(&used(1, name), NOW), Claim::First);
        }
        assert_eq!(all.claim(&used(1, 128), NOW), Claim::Full);
        let over = NOW.plus(100 + BEYOND);
        let next = AssertionUsed { expires_at: over.plus(50), ..used(1, 128) };
        assert_eq!(all.claim(&next, over), Claim::First);
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn what_the_journal_says_is_remembered_whatever_the_bounds() {
        let all = UsedAssertions::bounded(1, 1);
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
        let all = UsedAssertions::default();
        let told: Vec<bool> = [0, 1, 59, 60, 61].map(|later| all.may_tell(NOW.plus(later))).to_vec();
        assert_eq!(told, [true, false, false, true, false]);
    }
}
