//! The marks that somebody knows, ready to be asked, in bounded memory.
//!
//! # Overflow
//!
//! Applications can have their own tokens marked, so what they make is bounded. Beyond the capacity, the
//! application with the most marks has all of them replaced by one mark on that application, at the
//! highest version among them: more of its tokens are refused, never fewer, and none of another's. When
//! no application has two marks left, the marks of operators (on contacts, clients and mandates) become
//! one on all tokens. Marks on keys, and on tokens of nobody known, always stay as they are: they hit
//! whatever the version, which nothing wider does.

use std::collections::HashMap;

use crate::events::ToldMark;
use crate::mark::MarkSubject;
use crate::time::UnixSeconds;

/// Marks by what they hit.
#[derive(Debug, Clone)]
pub struct MarkView {
    capacity: usize,
    /// Subject of a mark on all tokens: what nothing narrower is left for.
    everything: MarkSubject,
    marks: HashMap<MarkSubject, Entry>,
    applications: Applications,
    collapsed: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    reach: Reach,
    keep_until: u32,
    /// Place in [`Applications`], of a mark that an overflow can collapse.
    application: u32,
}

/// Which versions a mark hits, in eight bytes: the highest bit says all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reach(u64);

impl Reach {
    const ANY: u64 = 1 << 63;

    /// A version that no directory comes to hits all: too many are refused before too few are.
    fn new(version: u64, any: bool) -> Reach {
        if version >= Reach::ANY {
            Reach(u64::MAX)
        } else {
            Reach(version | if any { Reach::ANY } else { 0 })
        }
    }

    fn version(self) -> u64 {
        self.0 & !Reach::ANY
    }

    fn is_any(self) -> bool {
        self.0 & Reach::ANY != 0
    }

    fn hits(self, dv: u64) -> bool {
        self.is_any() || dv < self.version()
    }
}

/// Whom marks belong to, each once, with how many marks collapse into one on it.
#[derive(Debug, Clone, Default)]
struct Applications {
    places: HashMap<MarkSubject, u32>,
    /// Subject of the mark on it, and how many marks it has that would collapse.
    counts: Vec<(MarkSubject, u32)>,
}

/// Belongs to no application, or must stay as it is.
const NOBODY: u32 = u32::MAX;

impl MarkView {
    /// How many marks a view holds when nobody says otherwise.
    pub const USUAL_CAPACITY: usize = 100_000;

    /// No marks yet. `everything` is the subject of a mark on all tokens.
    pub fn new(capacity: usize, everything: MarkSubject) -> MarkView {
        MarkView {
            capacity: capacity.max(2),
            everything,
            marks: HashMap::new(),
            applications: Applications::default(),
            collapsed: 0,
        }
    }

    /// Takes in a mark. Of two with one subject, what both hit is hit.
    pub fn add(&mut self, mark: &ToldMark) {
        let own = mark.application.is_some_and(|application| application == mark.subject);
        let application = match mark.application {
            Some(application) if !own => self.applications.place(application),
            _ => NOBODY,
        };
        let entry = Entry {
            reach: Reach::new(mark.version, mark.any_version),
            keep_until: seconds(mark.keep_until),
            application,
        };
        self.insert(mark.subject, entry);
        if self.marks.len() > self.capacity {
            self.collapse();
        }
    }

    /// Whether a token with these subjects, decided on version `dv`, is dead.
    pub fn hits<'a>(&self, subjects: impl IntoIterator<Item = &'a MarkSubject>, dv: u64) -> bool {
        if self.marks.is_empty() {
            return false;
        }
        subjects.into_iter().any(|subject| self.marks.get(subject).is_some_and(|mark| mark.reach.hits(dv)))
    }

    /// Forgets marks that can hit nothing any more.
    pub fn sweep(&mut self, now: UnixSeconds) {
        let (now, counts) = (seconds(now), &mut self.applications.counts);
        self.marks.retain(|_, mark| {
            let stays = mark.keep_until >= now;
            if !stays && let Some((_, count)) = counts.get_mut(mark.application as usize) {
                *count -= 1;
            }
            stays
        });
        if self.marks.capacity() > 4 * self.marks.len() + 64 {
            self.marks.shrink_to_fit();
        }
        self.applications.forget_idle(&mut self.marks);
    }

    /// All marks, in no order, as they may be told to somebody else.
    pub fn marks(&self) -> impl Iterator<Item = ToldMark> + '_ {
        self.marks.iter().map(|(subject, mark)| ToldMark {
            subject: *subject,
            version: mark.reach.version(),
            any_version: mark.reach.is_any(),
            keep_until: UnixSeconds(mark.keep_until.into()),
            application: self.applications.counts.get(mark.application as usize).map(|(subject, _)| *subject),
        })
    }

    /// How many marks there are.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// How often marks had to be collapsed, ever.
    pub fn collapsed(&self) -> u64 {
        self.collapsed
    }

    /// Bytes that the marks take, about: what the tables have allocated.
    pub fn memory(&self) -> usize {
        // A table keeps an eighth of its places free, and a byte of control for each.
        let table = |capacity: usize, entry: usize| capacity * 8 / 7 * (entry + 1);
        table(self.marks.capacity(), size_of::<(MarkSubject, Entry)>())
            + table(self.applications.places.capacity(), size_of::<(MarkSubject, u32)>())
            + self.applications.counts.capacity() * size_of::<(MarkSubject, u32)>()
    }

    fn insert(&mut self, subject: MarkSubject, entry: Entry) {
        let stood = self.marks.get(&subject).copied();
        let entry = match stood {
            None => entry,
            Some(stood) => Entry {
                reach: Reach::new(
                    entry.reach.version().max(stood.reach.version()),
                    entry.reach.is_any() || stood.reach.is_any(),
                ),
                keep_until: entry.keep_until.max(stood.keep_until),
                // Told twice, it belongs to whom it belonged to.
                application: if stood.application == NOBODY { entry.application } else { stood.application },
            },
        };
        let counted = stood.map_or(NOBODY, |stood| stood.application);
        if counted != entry.application
            && let Some((_, count)) = self.applications.counts.get_mut(entry.application as usize)
        {
            *count += 1;
        }
        self.marks.insert(subject, entry);
    }

    fn collapse(&mut self) {
        self.collapsed += 1;
        let counts = self.applications.counts.iter().enumerate();
        let most = counts.max_by_key(|(_, (_, count))| *count).filter(|(_, (_, count))| *count > 1);
        match most.map(|(place, (key, _))| (place as u32, *key)) {
            Some((place, application)) => {
                self.replace(application, |mark| mark.application == place);
                if let Some((_, count)) = self.applications.counts.get_mut(place as usize) {
                    *count = 0;
                }
            }
            None => {
                let everything = self.everything;
                // Marks on an application came from an operator, or from a collapse.
                self.replace(everything, |mark| mark.application == NOBODY && !mark.reach.is_any());
                if self.marks.len() > self.capacity {
                    // More applications than the capacity, with one mark each.
                    self.replace(everything, |mark| mark.application != NOBODY);
                    self.applications = Applications::default();
                }
            }
        }
    }

    /// Puts one mark in the place of several. Theirs hit whatever the version because a token's own
    /// version is always lower than its mark's; the wider one must spare tokens that came later.
    fn replace(&mut self, wider: MarkSubject, narrower: impl Fn(&Entry) -> bool) {
        let mut all = Entry { reach: Reach::new(0, false), keep_until: 0, application: NOBODY };
        let mut found = false;
        self.marks.retain(|_, mark| {
            let goes = narrower(mark);
            if goes {
                found = true;
                all.reach = Reach::new(all.reach.version().max(mark.reach.version()), false);
                all.keep_until = all.keep_until.max(mark.keep_until);
            }
            !goes
        });
        if found {
            self.insert(wider, all);
        }
    }
}

impl Applications {
    fn place(&mut self, application: MarkSubject) -> u32 {
        let next = self.counts.len() as u32;
        let place = *self.places.entry(application).or_insert(next);
        if place == next {
            self.counts.push((application, 0));
        }
        place
    }

    /// Gives up the places of applications without marks, once they are most of all.
    fn forget_idle(&mut self, marks: &mut HashMap<MarkSubject, Entry>) {
        let busy = self.counts.iter().filter(|(_, count)| *count > 0).count();
        if self.counts.len() < 64 || busy * 2 > self.counts.len() {
            return;
        }
        let former = std::mem::take(self);
        let moved: Vec<u32> = former
            .counts
            .into_iter()
            .map(|(key, count)| {
                if count == 0 {
                    return NOBODY;
                }
                let place = self.place(key);
                self.counts[place as usize].1 = count;
                place
            })
            .collect();
        for mark in marks.values_mut() {
            mark.application = moved.get(mark.application as usize).copied().unwrap_or(NOBODY);
        }
    }
}

/// Until 2106; later is then.
fn seconds(at: UnixSeconds) -> u32 {
    u32::try_from(at.0.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: MarkSubject = MarkSubject([0xff; 32]);

    fn subject(no: u8) -> MarkSubject {
        MarkSubject([no; 32])
    }

    fn token(no: u8, application: u8, version: u64) -> ToldMark {
        ToldMark {
            subject: subject(no),
            version,
            any_version: true,
            keep_until: UnixSeconds(100),
            application: Some(subject(200 + application)),
        }
    }

    fn on_contact(no: u8, version: u64) -> ToldMark {
        ToldMark { any_version: false, application: None, ..token(no, 0, version) }
    }

    #[test]
    fn a_mark_hits_lower_versions_and_one_on_a_token_any() {
        let mut view = MarkView::new(10, ALL);
        view.add(&on_contact(1, 5));
        view.add(&token(2, 0, 5));
        assert!(view.hits(&[subject(9), subject(1)], 4));
        assert!(!view.hits(&[subject(1)], 5));
        assert!(view.hits(&[subject(2)], 99));
        assert!(!view.hits(&[subject(3)], 0));
    }

    #[test]
    fn a_version_that_no_directory_comes_to_hits_whatever_the_token_s() {
        let mut view = MarkView::new(10, ALL);
        view.add(&on_contact(1, u64::MAX));
        view.add(&on_contact(2, Reach::ANY));
        view.add(&on_contact(3, Reach::ANY - 1));
        assert!(view.hits(&[subject(1)], u64::MAX) && view.hits(&[subject(2)], u64::MAX));
        assert!(view.hits(&[subject(3)], Reach::ANY - 2) && !view.hits(&[subject(3)], Reach::ANY - 1));
    }

    #[test]
    fn an_overflow_collapses_the_application_with_the_most_and_no_other() {
        let mut view = MarkView::new(4, ALL);
        for mark in [token(1, 0, 3), token(2, 0, 7), token(3, 0, 5), token(4, 1, 9), on_contact(5, 9)] {
            view.add(&mark);
        }
        assert_eq!((view.len(), view.collapsed()), (3, 1));
        let of_0 = subject(200);
        assert!(view.hits(&[subject(1), of_0], 2) && view.hits(&[subject(2), of_0], 6));
        assert!(view.hits(&[of_0], 6), "more of its own is refused");
        assert!(!view.hits(&[of_0], 7), "but not what came after");
        assert!(!view.hits(&[subject(6), subject(201)], 0), "and nothing of another");
        assert!(view.hits(&[subject(4), subject(201)], 0));
    }

    #[test]
    fn when_no_application_has_marks_to_collapse_those_of_operators_do() {
        let mut view = MarkView::new(3, ALL);
        view.add(&token(1, 0, 2));
        for no in 2..6 {
            view.add(&on_contact(no, no.into()));
        }
        assert!(view.hits(&[subject(5), ALL], 4) && view.hits(&[subject(77), ALL], 3));
        assert!(!view.hits(&[subject(77), ALL], 9));
        assert!(view.hits(&[subject(1)], 9));
    }

    #[test]
    fn what_is_over_is_swept_and_gives_its_memory_back() {
        let mut view = MarkView::new(100_000, ALL);
        for no in 0..20_000_u32 {
            let mut mark = token(0, 0, 1);
            mark.subject.0[..4].copy_from_slice(&no.to_be_bytes());
            mark.keep_until = UnixSeconds(i64::from(no));
            view.add(&mark);
        }
        let full = view.memory();
        view.sweep(UnixSeconds(19_990));
        assert_eq!(view.len(), 10);
        assert!(view.memory() < full / 50, "{} of {full}", view.memory());
        view.sweep(UnixSeconds(30_000));
        assert!(view.is_empty());
    }

    #[test]
    fn a_hundred_thousand_marks_take_less_than_ten_megabytes() {
        let mut view = MarkView::new(MarkView::USUAL_CAPACITY, ALL);
        for no in 0..150_000_u32 {
            let mut mark = token(0, (no % 40) as u8, 1);
            mark.subject.0[..4].copy_from_slice(&no.to_be_bytes());
            view.add(&mark);
        }
        assert!(view.len() <= MarkView::USUAL_CAPACITY);
        assert!(view.memory() < 10_000_000, "{}", view.memory());
    }

    #[test]
    fn what_is_told_to_somebody_else_makes_the_same_view() {
        let mut view = MarkView::new(10, ALL);
        for mark in [token(1, 0, 3), token(2, 1, 7), on_contact(5, 9)] {
            view.add(&mark);
        }
        let mut told: Vec<_> = view.marks().collect();
        told.sort_by_key(|mark| mark.subject);
        assert_eq!(told, [token(1, 0, 3), token(2, 1, 7), on_contact(5, 9)]);
    }

    proptest! {
        /// Against a list that forgets nothing: never less is refused, and of applications that had few
        /// marks nothing more.
        #[test]
        fn collapsing_never_refuses_less_and_spares_the_others(
            marks in prop::collection::vec((0u8..30, 0u8..3, 1u64..20, any::<bool>()), 0..60),
            capacity in 2usize..20,
        ) {
            let mut view = MarkView::new(capacity, ALL);
            let mut list = Vec::new();
            for (at, (no, application, version, of_operator)) in marks.into_iter().enumerate() {
                let mark = if of_operator {
                    on_contact(100 + no % 20, version)
                } else {
                    // A token is of one application.
                    token(no * 3 + application, application, version.max(at as u64))
                };
                view.add(&mark);
                list.push(mark);
                prop_assert!(view.len() <= capacity + 1);
            }
            for mark in &list {
                // A token that was issued before its mark was made.
                let mut subjects = vec![mark.subject, ALL];
                subjects.extend(mark.application);
                prop_assert!(view.hits(&subjects, mark.version - 1));
            }
            if view.collapsed() == 0 {
                for no in 0..140 {
                    let naive = |dv| list.iter().any(|mark| {
                        mark.subject == subject(no) && (mark.any_version || dv < mark.version)
                    });
                    for dv in 0..70 {
                        prop_assert_eq!(view.hits(&[subject(no)], dv), naive(dv));
                    }
                }
            }
        }
    }
}
