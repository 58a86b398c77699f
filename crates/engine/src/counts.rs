//! What was decided since the start, in numbers that an operator may see: no id of anybody, and a set of
//! kinds that is closed. A count costs one addition.

use std::sync::atomic::{AtomicU64, Ordering};

use procura_store::journal::{Door, RefusalCause};

/// Why a proof was none. The caller is told one thing for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedProof {
    /// Nothing was presented, or nothing that can be read.
    Nothing,
    /// Nobody has that id.
    Unknown,
    /// What was presented is not theirs, is over, or not registered; or its owner is disabled.
    Wrong,
    /// A certificate came and does not hold.
    CertificateInvalid,
    /// A certificate had to come and did not.
    CertificateMissing,
}

impl FailedProof {
    /// All of them.
    pub const ALL: [FailedProof; 5] = [
        FailedProof::Nothing,
        FailedProof::Unknown,
        FailedProof::Wrong,
        FailedProof::CertificateInvalid,
        FailedProof::CertificateMissing,
    ];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            FailedProof::Nothing => "nothing",
            FailedProof::Unknown => "unknown",
            FailedProof::Wrong => "wrong",
            FailedProof::CertificateInvalid => "certificate_invalid",
            FailedProof::CertificateMissing => "certificate_missing",
        }
    }

    /// Whether somebody tried something that was not right, and did not just forget it.
    pub(crate) fn is_an_attempt(self) -> bool {
        !matches!(self, FailedProof::Nothing | FailedProof::CertificateMissing)
    }
}

/// Refusals are counted by their code; no code is as high.
const CAUSES: usize = 64;

/// The counts.
#[derive(Debug)]
pub struct Counts {
    issued: [AtomicU64; Door::ALL.len()],
    own_issued: AtomicU64,
    refused: [AtomicU64; CAUSES],
    failed_proofs: [AtomicU64; FailedProof::ALL.len()],
}

impl Default for Counts {
    fn default() -> Counts {
        Counts {
            issued: Default::default(),
            own_issued: AtomicU64::new(0),
            refused: std::array::from_fn(|_| AtomicU64::new(0)),
            failed_proofs: Default::default(),
        }
    }
}

impl Counts {
    /// Contact tokens whose record is durable, by what they were asked for.
    pub fn issued(&self) -> impl Iterator<Item = (Door, u64)> {
        Door::ALL.iter().copied().zip(self.issued.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    /// Applications' own tokens whose record is durable.
    pub fn own_issued(&self) -> u64 {
        self.own_issued.load(Ordering::Relaxed)
    }

    /// Authenticated applications that were refused for that cause.
    pub fn refused(&self, cause: RefusalCause) -> u64 {
        self.refused[at(cause)].load(Ordering::Relaxed)
    }

    /// Proofs of applications and resources that were none.
    pub fn failed_proofs(&self, kind: FailedProof) -> u64 {
        self.failed_proofs[kind as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn issue(&self, door: Door) {
        for (_, count) in Door::ALL.iter().zip(&self.issued).filter(|(counted, _)| **counted == door) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn issue_own(&self) {
        self.own_issued.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refuse(&self, cause: RefusalCause) {
        self.refused[at(cause)].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn fail_proof(&self, kind: FailedProof) {
        self.failed_proofs[kind as usize].fetch_add(1, Ordering::Relaxed);
    }
}

fn at(cause: RefusalCause) -> usize {
    usize::from(cause.code()) % CAUSES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_a_count_of_its_own() {
        let counts = Counts::default();
        for (times, cause) in RefusalCause::ALL.iter().enumerate() {
            (0..times).for_each(|_| counts.refuse(*cause));
        }
        for (times, cause) in RefusalCause::ALL.iter().enumerate() {
            assert_eq!(counts.refused(*cause), times as u64, "{cause}");
        }
    }
}
