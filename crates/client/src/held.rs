//! The cache of a token source: what is held, how long, and for how many.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use procura_protocol::ids::ContactId;

use crate::clock::Moment;
use crate::token_source::SharedToken;

/// How long a failed renewal is not tried again while the old token lives.
const PUT_OFF: Duration = Duration::from_secs(10);

/// A token and its times, all as ages.
pub(crate) struct Held {
    token: SharedToken,
    asked_at: Moment,
    due: Duration,
    life: Duration,
}

impl Held {
    /// `None` for a token that does not say how long it lives.
    pub(crate) fn new(token: SharedToken, asked_at: Moment) -> Option<Held> {
        let life = token.expires_in?;
        Some(Held { token, asked_at, due: life * 4 / 5, life })
    }

    pub(crate) fn token(&self) -> SharedToken {
        Arc::clone(&self.token)
    }

    /// Whether it is time for a new one.
    pub(crate) fn is_due(&self, now: Moment) -> bool {
        self.asked_at.age(now) >= self.due
    }

    /// Whether the API would still take it.
    pub(crate) fn is_alive(&self, now: Moment) -> bool {
        self.asked_at.age(now) < self.life
    }

    /// Renewing failed: not again for a while, but never beyond the token's life.
    pub(crate) fn put_off(&mut self, now: Moment) {
        self.due = (self.asked_at.age(now) + PUT_OFF).min(self.life);
    }
}

/// Tokens by contact; of too many, the one not looked at longest goes.
pub(crate) struct Cache {
    capacity: NonZeroUsize,
    entries: HashMap<ContactId, Entry>,
    /// Contacts in the order in which they were last looked at.
    order: BTreeMap<u64, ContactId>,
    looks: u64,
}

struct Entry {
    held: Held,
    look: u64,
}

impl Cache {
    pub(crate) fn new(capacity: NonZeroUsize) -> Cache {
        Cache { capacity, entries: HashMap::new(), order: BTreeMap::new(), looks: 0 }
    }

    /// What is held for a contact, which thereby becomes the last to go.
    pub(crate) fn get(&mut self, contact: &ContactId) -> Option<&mut Held> {
        let entry = self.entries.get_mut(contact)?;
        self.looks += 1;
        let name = self.order.remove(&entry.look)?;
        self.order.insert(self.looks, name);
        entry.look = self.looks;
        Some(&mut entry.held)
    }

    pub(crate) fn insert(&mut self, contact: ContactId, held: Held) {
        self.remove(&contact);
        while self.entries.len() >= self.capacity.get() {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.entries.remove(&oldest);
        }
        self.looks += 1;
        self.order.insert(self.looks, contact.clone());
        self.entries.insert(contact, Entry { held, look: self.looks });
    }

    pub(crate) fn remove(&mut self, contact: &ContactId) {
        if let Some(entry) = self.entries.remove(contact) {
            self.order.remove(&entry.look);
        }
    }
}

#[cfg(test)]
mod tests {
    use procura_protocol::time::UnixSeconds;

    use super::*;
    use crate::clock::Clock;
    use crate::response::PostTokenForContactResponse;

    struct At(u64);

    impl Clock for At {
        fn now(&self) -> UnixSeconds {
            UnixSeconds(0)
        }

        fn elapsed(&self) -> Duration {
            Duration::from_secs(self.0)
        }
    }

    fn at(seconds: u64) -> Moment {
        Moment::read(&At(seconds))
    }

    fn held(life: Option<u64>) -> Option<Held> {
        let expires_in = life.map(Duration::from_secs);
        Held::new(Arc::new(PostTokenForContactResponse { expires_in, ..Default::default() }), at(100))
    }

    fn contact(id: &str) -> ContactId {
        ContactId::parse(id).unwrap()
    }

    #[test]
    fn a_token_is_due_at_80_percent_and_dead_at_the_end() {
        let held = held(Some(3_600)).unwrap();
        assert!(!held.is_due(at(100 + 2_879)));
        assert!(held.is_due(at(100 + 2_880)));
        assert!(held.is_alive(at(100 + 3_599)));
        assert!(!held.is_alive(at(100 + 3_600)));
    }

    #[test]
    fn a_renewal_is_put_off_by_ten_seconds_but_never_beyond_the_end() {
        let mut token = held(Some(3_600)).unwrap();
        token.put_off(at(100 + 3_000));
        assert!(!token.is_due(at(100 + 3_009)));
        assert!(token.is_due(at(100 + 3_010)));
        token.put_off(at(100 + 3_595));
        assert!(token.is_due(at(100 + 3_600)));
    }

    #[test]
    fn a_token_without_a_life_is_not_held() {
        assert!(held(None).is_none());
        assert!(held(Some(0)).unwrap().is_due(at(100)));
    }

    #[test]
    fn of_too_many_the_one_not_looked_at_longest_goes() {
        let mut cache = Cache::new(NonZeroUsize::new(2).unwrap());
        for id in ["a", "b"] {
            cache.insert(contact(id), held(Some(60)).unwrap());
        }
        assert!(cache.get(&contact("a")).is_some());
        cache.insert(contact("c"), held(Some(60)).unwrap());
        assert!(cache.get(&contact("b")).is_none());
        assert!(cache.get(&contact("a")).is_some());
        assert!(cache.get(&contact("c")).is_some());
    }

    #[test]
    fn order_and_entries_stay_of_one_size() {
        let mut cache = Cache::new(NonZeroUsize::new(3).unwrap());
        for round in 0..100u32 {
            let id = contact(&format!("c{}", round % 7));
            match round % 3 {
                0 => cache.remove(&id),
                1 => drop(cache.get(&id).is_some()),
                _ => cache.insert(id, held(Some(60)).unwrap()),
            }
            assert_eq!(cache.entries.len(), cache.order.len());
            assert!(cache.entries.len() <= 3);
        }
    }
}
