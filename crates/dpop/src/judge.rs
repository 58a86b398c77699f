//! The judge of one place where proofs come in.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use procura_jose::digest::{Sha256, sha256};
use procura_jose::replay::{Claim, Used, UsedNames};
use procura_jose::{Expect, JwtError, Random, SelfSignedError, SelfSignedJwt, verify_self_signed};
use procura_protocol::confirmation::KeyThumbprint;
use procura_protocol::dpop::{
    AHEAD, DPOP_ALGORITHMS, DPOP_TYPE, DpopClaims, DpopFault, DpopTerms, MAX_NONCE_BYTES, MAX_PROOF_BYTES,
};
use procura_protocol::time::UnixSeconds;

use crate::nonces::Nonces;

/// The `DPoP` headers of a request, as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Proofs<'a> {
    /// None.
    #[default]
    None,
    /// One.
    One(&'a [u8]),
    /// More than one, which can be read in more than one way.
    Several,
}

impl<'a> Proofs<'a> {
    /// What the values of all `DPoP` headers are together.
    pub fn of(values: impl IntoIterator<Item = &'a [u8]>) -> Proofs<'a> {
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (None, _) => Proofs::None,
            (Some(one), None) => Proofs::One(one),
            (Some(_), Some(_)) => Proofs::Several,
        }
    }
}

/// Why there is no proof of possession.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DpopRefusal {
    /// What came proves nothing. [`DpopFault::Nonce`] is answered with a nonce ([`DpopJudge::nonce`]).
    Fault(DpopFault),
    /// No more used proofs can be remembered, and none may be forgotten.
    Full,
}

/// Whose proofs are counted together, so that nobody can take the room of others: an application. Keys are free to
/// make, so a key is nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner([u8; 16]);

impl Owner {
    /// The owner of this name.
    pub fn of(name: &str) -> Owner {
        Owner(short(sha256(name.as_bytes())))
    }
}

/// What a request is held against beside its terms.
#[derive(Debug, Clone, Copy)]
pub struct Of {
    /// Who sends it.
    pub owner: Owner,
    /// The key that the proof must be of, if that is known.
    pub key: Option<KeyThumbprint>,
}

/// Judges the proofs that come to one server or one guard.
pub struct DpopJudge {
    nonces: Nonces,
    demands_nonces: bool,
    /// A proof of this second or before may have been used at a judge before this one.
    used_until: AtomicI64,
    used: UsedNames<Owner>,
    faults: Box<[AtomicU64]>,
}

impl DpopJudge {
    /// A judge that begins now and knows of no proof that was used. One that can have been used before now is taken
    /// with a nonce only: one that says to be made before now, or so little later that it was taken by a clock that is
    /// behind ([`AHEAD`]). `most` is how many used proofs are remembered.
    pub fn new(demands_nonces: bool, most: usize, now: UnixSeconds, random: &dyn Random) -> DpopJudge {
        let mut key = [0; 32];
        random.fill(&mut key);
        DpopJudge {
            nonces: Nonces::new(key),
            demands_nonces,
            used_until: AtomicI64::new(now.plus(AHEAD).0),
            used: UsedNames::bounded(most),
            faults: DpopFault::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Says that there was no judge before this one whom its proofs can have been shown to: then none of them needs a
    /// nonce for it.
    pub fn nothing_was_used_before(&self) {
        self.used_until.store(i64::MIN, Ordering::Relaxed);
    }

    /// Whether every proof must have a nonce.
    pub fn demands_nonces(&self) -> bool {
        self.demands_nonces
    }

    /// The nonce to be sent in `DPoP-Nonce` now.
    pub fn nonce(&self, now: UnixSeconds) -> String {
        self.nonces.now(now)
    }

    /// The key of which this request brings a proof, used up. A proof of another key than the one that it must be of
    /// is none.
    ///
    /// # Errors
    ///
    /// [`DpopRefusal`]. What is refused is not used up by that; [`DpopFault::Replayed`] says that it was before.
    pub fn judge(
        &self,
        proofs: Proofs<'_>,
        terms: &DpopTerms<'_>,
        of: Of,
    ) -> Result<KeyThumbprint, DpopRefusal> {
        let judged = self.decide(proofs, terms, of);
        if let Err(DpopRefusal::Fault(fault)) = judged {
            let counts = DpopFault::ALL.iter().zip(&self.faults);
            for (_, count) in counts.filter(|(counted, _)| **counted == fault) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        judged
    }

    /// How many proofs were refused, by why.
    pub fn faults(&self) -> impl Iterator<Item = (DpopFault, u64)> {
        let counts = self.faults.iter().map(|count| count.load(Ordering::Relaxed));
        DpopFault::ALL.iter().copied().zip(counts)
    }

    /// Whether it should be told that no more can be remembered: once a minute.
    pub fn may_tell(&self, now: UnixSeconds) -> bool {
        self.used.may_tell(now)
    }

    /// How many used proofs are remembered.
    pub fn remembered(&self) -> usize {
        self.used.len()
    }

    fn decide(
        &self,
        proofs: Proofs<'_>,
        terms: &DpopTerms<'_>,
        of: Of,
    ) -> Result<KeyThumbprint, DpopRefusal> {
        let proof = match proofs {
            Proofs::None => return Err(DpopRefusal::Fault(DpopFault::Missing)),
            Proofs::Several => return Err(DpopRefusal::Fault(DpopFault::Repeated)),
            Proofs::One(proof) => proof,
        };
        let proof = verify(proof).map_err(DpopRefusal::Fault)?;
        let (key, claims) = (proof.key(), proof.claims());
        claims.check(terms).map_err(DpopRefusal::Fault)?;
        if of.key.is_some_and(|expected| expected != key) {
            return Err(DpopRefusal::Fault(DpopFault::OtherKey));
        }
        if !self.nonce_holds(claims, terms.now) {
            return Err(DpopRefusal::Fault(DpopFault::Nonce));
        }
        let used = Used { owner: of.owner, digest: name_of(key, &claims.id), ends_at: claims.ends_at() };
        match self.used.claim(&used, terms.now) {
            Claim::First => Ok(key),
            Claim::Again => Err(DpopRefusal::Fault(DpopFault::Replayed)),
            Claim::Full => Err(DpopRefusal::Full),
        }
    }

    /// One of ours says that the proof was made since we began. Where none is demanded, one of somebody else's says
    /// nothing: several processes may be behind one address, and each gives out its own.
    fn nonce_holds(&self, claims: &DpopClaims, now: UnixSeconds) -> bool {
        let is_ours = |nonce: &str| nonce.len() <= MAX_NONCE_BYTES && self.nonces.are_ours(nonce, now);
        let used_until = self.used_until.load(Ordering::Relaxed);
        claims.nonce.as_deref().is_some_and(is_ours)
            || !self.demands_nonces && used_until < claims.issued_at.0
    }
}

/// A `jti` is a name among those of its key alone: others may give the same.
fn name_of(key: KeyThumbprint, id: &str) -> [u8; 16] {
    let mut digest = Sha256::new();
    digest.update(&key.0);
    digest.update(id.as_bytes());
    short(digest.finish())
}

fn short(whole: [u8; 32]) -> [u8; 16] {
    std::array::from_fn(|at| whole[at])
}

fn verify(proof: &[u8]) -> Result<SelfSignedJwt<DpopClaims>, DpopFault> {
    if proof.len() > MAX_PROOF_BYTES {
        return Err(DpopFault::TooLong);
    }
    let text = std::str::from_utf8(proof).map_err(|_| DpopFault::Malformed)?;
    let expect = Expect { typ: DPOP_TYPE, algorithms: &DPOP_ALGORITHMS };
    verify_self_signed(text, &expect).map_err(fault_of)
}

fn fault_of(error: SelfSignedError) -> DpopFault {
    match error {
        SelfSignedError::NoKey | SelfSignedError::Key(_) => DpopFault::Key,
        SelfSignedError::Jwt(error) => match error {
            JwtError::TooLong => DpopFault::TooLong,
            JwtError::NotThreeParts
            | JwtError::Encoding(_)
            | JwtError::NotAnObject(_)
            | JwtError::RepeatedMember(_)
            | JwtError::HeaderShape => DpopFault::Malformed,
            JwtError::Critical => DpopFault::Critical,
            JwtError::AlgorithmUnknown | JwtError::AlgorithmNotAllowed(_) => DpopFault::Algorithm,
            JwtError::AlgorithmNotTheKeys | JwtError::KidMissing | JwtError::KidUnknown => DpopFault::Key,
            JwtError::Type => DpopFault::Type,
            JwtError::Signature => DpopFault::Signature,
            JwtError::ClaimsShape => DpopFault::Claims,
        },
    }
}
