//! Proofs of possession (RFC 9449 7) at the guards of this server: its own API, and what forward auth stands in
//! front of. Those at the token endpoint are the engine's to count.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use procura_dpop::DpopFault;
use procura_guard::{Guard, Refusal, TokenFault};

/// Whose guard judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The server's own API, and policies of forward auth for its built-in resource: they share its guard.
    Api,
    /// Policies of forward auth for all other resources, each with a guard of its own.
    ForwardAuth,
}

impl Place {
    /// Both.
    pub const ALL: [Place; 2] = [Place::Api, Place::ForwardAuth];

    /// As labels name it.
    pub fn name(self) -> &'static str {
        match self {
            Place::Api => "api",
            Place::ForwardAuth => "forward_auth",
        }
    }

    fn index(self) -> usize {
        match self {
            Place::Api => 0,
            Place::ForwardAuth => 1,
        }
    }
}

/// What the guards of one router count about proofs of possession. A clone is the same watch.
///
/// Made empty, handed over in [`Offer::proofs`](crate::Offer), and filled by the router.
#[derive(Debug, Clone, Default)]
pub struct ProofWatch(Arc<[Watched; Place::ALL.len()]>);

#[derive(Debug, Default)]
struct Watched {
    guards: OnceLock<Vec<Guard>>,
    unproved: [AtomicU64; Unproved::ALL.len()],
}

impl ProofWatch {
    /// How many proofs were refused there, by why; with them tokens that came by the wrong scheme, so that no proof
    /// was looked at.
    pub fn refused(&self, place: Place) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let proofs = DpopFault::ALL.iter().map(move |fault| {
            let counts = self.guards(place).iter().flat_map(Guard::refused_proofs);
            (fault.name(), counts.filter(|(counted, _)| counted == fault).map(|(_, count)| count).sum())
        });
        let unproved = Unproved::ALL.iter().zip(&self.0[place.index()].unproved);
        proofs.chain(unproved.map(|(unproved, count)| (unproved.name(), count.load(Ordering::Relaxed))))
    }

    /// How many used proofs are remembered there; of several guards, all together.
    pub fn remembered(&self, place: Place) -> usize {
        self.guards(place).iter().map(Guard::remembered_proofs).sum()
    }

    /// Watches these, each guard given once. Of two routers with one watch the first is watched.
    pub(crate) fn fill(&self, place: Place, guards: Vec<Guard>) {
        let _ = self.0[place.index()].guards.set(guards);
    }

    /// Counts what the guards do not count by themselves.
    pub(crate) fn refused_at(&self, place: Place, refusal: &Refusal) {
        let Some(unproved) = Unproved::of(refusal) else { return };
        let counts = Unproved::ALL.iter().zip(&self.0[place.index()].unproved);
        for (_, count) in counts.filter(|(counted, _)| **counted == unproved) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn guards(&self, place: Place) -> &[Guard] {
        self.0[place.index()].guards.get().map_or(&[], Vec::as_slice)
    }
}

/// Why a token was refused before any proof was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unproved {
    /// It is bound to a key and came as if it were not, as one does that was stolen.
    Bearer,
    /// It is bound to no key and came as if it were.
    NotBound,
    /// It is bound to a key, and the policy does not say where callers find the resource.
    NotTaken,
}

impl Unproved {
    const ALL: [Unproved; 3] = [Unproved::Bearer, Unproved::NotBound, Unproved::NotTaken];

    fn of(refusal: &Refusal) -> Option<Unproved> {
        match refusal {
            Refusal::Token(TokenFault::KeyBound) => Some(Unproved::Bearer),
            Refusal::Token(TokenFault::KeyUnbound) => Some(Unproved::NotBound),
            Refusal::Token(TokenFault::ProofsNotTaken) => Some(Unproved::NotTaken),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Unproved::Bearer => "bearer",
            Unproved::NotBound => "not_bound",
            Unproved::NotTaken => "not_taken",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn count(watch: &ProofWatch, place: Place, fault: &str) -> u64 {
        watch.refused(place).find(|(name, _)| *name == fault).unwrap().1
    }

    #[test]
    fn a_token_without_its_proof_is_counted_where_it_came() {
        let watch = ProofWatch::default();
        watch.refused_at(Place::Api, &TokenFault::KeyBound.into());
        watch.refused_at(Place::Api, &TokenFault::KeyBound.into());
        watch.refused_at(Place::ForwardAuth, &TokenFault::ProofsNotTaken.into());
        watch.refused_at(Place::Api, &TokenFault::Expired.into());
        assert_eq!(count(&watch, Place::Api, "bearer"), 2);
        assert_eq!(count(&watch, Place::ForwardAuth, "not_taken"), 1);
        let all = Place::ALL.into_iter().flat_map(|place| watch.refused(place));
        assert_eq!(all.map(|(_, count)| count).sum::<u64>(), 3);
    }

    #[test]
    fn no_two_faults_of_a_place_have_one_name() {
        let watch = ProofWatch::default();
        let names: BTreeSet<_> = watch.refused(Place::Api).map(|(name, _)| name).collect();
        assert_eq!(names.len(), watch.refused(Place::Api).count());
    }
}
