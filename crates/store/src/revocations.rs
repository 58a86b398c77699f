//! The marks that are kept, in memory: what introspection asks, and what guards follow.
//!
//! Whoever publishes a version adds its marks first, so that nobody who knows the version can miss them.
//! Marks are numbered from 1 in the order in which they were added; the numbers mean something within
//! one epoch only, which is another one in each process. A few of the latest are kept in order, for
//! guards that were away; who was away for longer gets everything.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::task::{Context, Poll, Waker};

use procura_protocol::events::{Position, ToldMark};
use procura_protocol::mark::MarkSubject;
use procura_protocol::mark_view::MarkView;
use procura_protocol::time::UnixSeconds;

use crate::records::RandomId;

/// How many of the latest marks are kept in order.
pub const MOST_KEPT_IN_ORDER: usize = 20_000;

/// The marks of one process.
pub struct Revocations {
    epoch: Box<str>,
    /// Number of the last mark.
    number: AtomicU64,
    kept: RwLock<Kept>,
    /// Who waits for the next mark.
    waiting: Mutex<Vec<Waker>>,
}

struct Kept {
    view: MarkView,
    /// The latest, the last of which has the number of all.
    latest: VecDeque<ToldMark>,
}

/// What somebody who knows the marks up to a position does not know yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// These, in order; perhaps none. The first has the number `from`.
    Marks {
        /// Its number.
        from: u64,
        /// They themselves.
        marks: Vec<ToldMark>,
    },
    /// Too much, or it is not known what: here is everything.
    Snapshot {
        /// Up to which mark.
        position: Position,
        /// All that are kept, in no order.
        marks: Vec<ToldMark>,
    },
}

impl Revocations {
    /// No marks yet. `everything` is the subject of a mark on all tokens.
    pub fn new(epoch: RandomId, capacity: usize, everything: MarkSubject) -> Revocations {
        let kept = Kept { view: MarkView::new(capacity, everything), latest: VecDeque::new() };
        Revocations {
            epoch: epoch.to_string().into(),
            number: AtomicU64::new(0),
            kept: RwLock::new(kept),
            waiting: Mutex::default(),
        }
    }

    /// Takes in marks, in order, and wakes who waits for them.
    pub fn add(&self, marks: &[ToldMark]) {
        if marks.is_empty() {
            return;
        }
        {
            let mut kept = self.write();
            for mark in marks {
                kept.view.add(mark);
                if kept.latest.len() == MOST_KEPT_IN_ORDER {
                    kept.latest.pop_front();
                }
                kept.latest.push_back(*mark);
            }
            self.number.fetch_add(marks.len() as u64, Ordering::Release);
        }
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether a token with these subjects, decided on version `dv`, is dead.
    pub fn hits<'a>(&self, subjects: impl IntoIterator<Item = &'a MarkSubject>, dv: u64) -> bool {
        self.read().view.hits(subjects, dv)
    }

    /// Number of the last mark; while it stays, no answer of [`Revocations::hits`] becomes another.
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// What is new after `known`, or everything when that can't be told from here.
    pub fn since(&self, known: Option<&Position>) -> Since {
        let kept = self.read();
        let number = self.number();
        let missed = known
            .filter(|known| known.epoch == self.epoch)
            .and_then(|known| usize::try_from(number.checked_sub(known.number)?).ok())
            .filter(|missed| *missed <= kept.latest.len());
        match missed {
            Some(missed) => {
                let latest = kept.latest.range(kept.latest.len() - missed..);
                Since::Marks { from: number - missed as u64 + 1, marks: latest.copied().collect() }
            }
            None => {
                let position = Position { epoch: self.epoch.clone(), number };
                Since::Snapshot { position, marks: kept.view.marks().collect() }
            }
        }
    }

    /// The position of the last mark.
    pub fn position(&self) -> Position {
        Position { epoch: self.epoch.clone(), number: self.number() }
    }

    /// Ready as soon as there is a mark with a higher number.
    pub fn poll_beyond(&self, number: u64, cx: &mut Context<'_>) -> Poll<()> {
        if self.number() > number {
            return Poll::Ready(());
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        drop(waiting);
        // A mark may have come before we were on the list.
        if self.number() > number { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Forgets marks that can hit nothing any more.
    pub fn sweep(&self, now: UnixSeconds) {
        self.write().view.sweep(now);
    }

    /// How many marks there are, how many bytes they take about, and how often they had to be collapsed.
    pub fn sizes(&self) -> Sizes {
        let kept = self.read();
        let latest = kept.latest.capacity() * size_of::<ToldMark>();
        Sizes { marks: kept.view.len(), bytes: kept.view.memory() + latest, collapsed: kept.view.collapsed() }
    }

    fn read(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Kept> {
        self.kept.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations").field("position", &self.position()).finish_non_exhaustive()
    }
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Marks.
    pub marks: usize,
    /// Bytes, about.
    pub bytes: usize,
    /// Overflows so far.
    pub collapsed: u64,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    const ALL: MarkSubject = MarkSubject([0xff; 32]);

    fn mark(no: u32) -> ToldMark {
        let mut subject = [0; 32];
        subject[..4].copy_from_slice(&no.to_be_bytes());
        ToldMark {
            subject: MarkSubject(subject),
            version: 9,
            any_version: false,
            keep_until: UnixSeconds(100),
            application: None,
        }
    }

    fn revocations() -> Revocations {
        Revocations::new(RandomId([7; 16]), 1_000_000, ALL)
    }

    fn from(all: &Revocations, number: u64) -> Since {
        all.since(Some(&Position { number, ..all.position() }))
    }

    #[test]
    fn who_was_away_for_a_while_gets_what_is_new_and_in_order() {
        let all = revocations();
        all.add(&[mark(1), mark(2)]);
        all.add(&[mark(3)]);
        assert_eq!(from(&all, 1), Since::Marks { from: 2, marks: vec![mark(2), mark(3)] });
        assert_eq!(from(&all, 3), Since::Marks { from: 4, marks: vec![] });
        assert!(all.hits(&[mark(3).subject], 8) && !all.hits(&[mark(4).subject], 8));
    }

    #[test]
    fn who_knows_nothing_or_too_much_or_another_epoch_gets_everything() {
        let all = revocations();
        all.add(&[mark(1)]);
        let everything = Since::Snapshot { position: all.position(), marks: vec![mark(1)] };
        assert_eq!(all.since(None), everything);
        assert_eq!(from(&all, 2), everything);
        let other = Position { epoch: RandomId([8; 16]).to_string().into(), number: 1 };
        assert_eq!(all.since(Some(&other)), everything);
        for no in 0..MOST_KEPT_IN_ORDER as u32 {
            all.add(&[mark(no)]);
        }
        assert!(matches!(from(&all, 0), Since::Snapshot { .. }));
        assert!(matches!(from(&all, 1), Since::Marks { from: 2, .. }));
    }

    #[test]
    fn who_waits_is_woken_by_the_next_mark() {
        struct Count(AtomicU64);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (all, count) = (revocations(), Arc::new(Count(AtomicU64::new(0))));
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        assert!(all.poll_beyond(0, &mut cx).is_pending() && all.poll_beyond(0, &mut cx).is_pending());
        all.add(&[]);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        all.add(&[mark(1)]);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(all.poll_beyond(0, &mut cx).is_ready() && all.poll_beyond(1, &mut cx).is_pending());
    }
}
