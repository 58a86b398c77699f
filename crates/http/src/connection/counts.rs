//! How many connections there are and were, and how they and their handshakes ended.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::Phase;

/// How TLS handshakes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    /// Well, from the beginning.
    Full,
    /// Well, as the continuation of an earlier session.
    Resumed,
    /// It was plain HTTP.
    PlainHttp,
    /// No version, cipher suite or certificate that both sides take.
    Refused,
    /// The caller left, or sent what is no handshake.
    Broken,
    /// It took too long.
    TooSlow,
}

impl Handshake {
    /// All of them.
    pub const ALL: [Handshake; 6] = [
        Handshake::Full,
        Handshake::Resumed,
        Handshake::PlainHttp,
        Handshake::Refused,
        Handshake::Broken,
        Handshake::TooSlow,
    ];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Handshake::Full => "full",
            Handshake::Resumed => "resumed",
            Handshake::PlainHttp => "plain_http",
            Handshake::Refused => "refused",
            Handshake::Broken => "broken",
            Handshake::TooSlow => "too_slow",
        }
    }
}

/// What became of connections, of all listeners that share a [`Drain`](super::Drain).
#[derive(Debug, Default)]
pub struct ConnectionCounts {
    open: AtomicUsize,
    accepted: AtomicU64,
    cut: [AtomicU64; PHASES.len()],
    handshakes: [AtomicU64; Handshake::ALL.len()],
}

/// The phases in which connections are cut, with their names in metrics.
const PHASES: [(Phase, &str); 6] = [
    (Phase::Idle, "idle"),
    (Phase::Head, "head"),
    (Phase::Body, "body"),
    (Phase::Working, "working"),
    (Phase::Writing, "writing"),
    (Phase::Lingering, "lingering"),
];

impl ConnectionCounts {
    /// One more, until what this gives back is dropped, however that comes about.
    pub(super) fn open_one(&self) -> OpenOne<'_> {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.accepted.fetch_add(1, Ordering::Relaxed);
        OpenOne(self)
    }

    pub(super) fn cut_one(&self, phase: Phase) {
        self.cut[phase as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A handshake ended.
    pub fn shook_hands(&self, how: Handshake) {
        self.handshakes[how as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many ended so.
    pub fn handshakes(&self, how: Handshake) -> u64 {
        self.handshakes[how as usize].load(Ordering::Relaxed)
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// How many there were.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many were cut because the time of a phase was over, by the name of the phase.
    pub fn cut(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        PHASES.iter().map(|(phase, name)| (*name, self.cut[*phase as usize].load(Ordering::Relaxed)))
    }
}

/// A connection that is open.
pub(super) struct OpenOne<'a>(&'a ConnectionCounts);

impl Drop for OpenOne<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_has_its_own_name() {
        for (at, (phase, _)) in PHASES.iter().enumerate() {
            assert_eq!(*phase as usize, at);
        }
        let counts = ConnectionCounts::default();
        let one = counts.open_one();
        let another = counts.open_one();
        counts.cut_one(Phase::Writing);
        drop(one);
        assert_eq!((counts.open(), counts.accepted()), (1, 2));
        drop(another);
        assert_eq!((counts.open(), counts.accepted()), (0, 2));
        let cut: Vec<_> = counts.cut().filter(|(_, count)| *count > 0).collect();
        assert_eq!(cut, [("writing", 1)]);
    }

    #[test]
    fn handshakes_are_counted_by_how_they_ended() {
        let counts = ConnectionCounts::default();
        for (times, how) in Handshake::ALL.into_iter().enumerate() {
            (0..times).for_each(|_| counts.shook_hands(how));
        }
        assert_eq!(Handshake::ALL.map(|how| counts.handshakes(how)), [0, 1, 2, 3, 4, 5]);
    }
}
