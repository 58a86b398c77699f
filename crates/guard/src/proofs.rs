//! Proofs of possession at a resource (RFC 9449 7).

use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderValue;
use procura_dpop::{DpopFault, DpopJudge, DpopRefusal, DpopTerms, Of, Owner, TargetUri};
use procura_jose::TokenDigest;
use procura_protocol::confirmation::KeyThumbprint;
use procura_protocol::dpop::DPOP_HEADER;
use procura_protocol::ids::ResourceId;
use procura_protocol::time::UnixSeconds;

use crate::base_url::BaseUrl;
use crate::incoming::Incoming;
use crate::refusal::{Refusal, Unavailable};

/// The judge of one guard, and what was told of it.
pub(crate) struct Proofs {
    judge: DpopJudge,
    told_that_none_are_taken: AtomicBool,
}

/// What a proof must be for.
pub(crate) struct Proved<'a> {
    /// The request that brings it.
    pub(crate) request: &'a Incoming<'a>,
    /// The token that it comes with.
    pub(crate) token: &'a TokenDigest,
    /// The key that the token is bound to.
    pub(crate) key: KeyThumbprint,
    /// Whom it was issued to.
    pub(crate) application: Owner,
    /// Where the resource is reached.
    pub(crate) reached_at: &'a [BaseUrl],
}

impl Proofs {
    pub(crate) fn new(judge: DpopJudge) -> Proofs {
        Proofs { judge, told_that_none_are_taken: AtomicBool::new(false) }
    }

    pub(crate) fn nothing_was_used_before(&self) {
        self.judge.nothing_was_used_before();
    }

    /// How many used proofs are remembered.
    pub(crate) fn remembered(&self) -> usize {
        self.judge.remembered()
    }

    /// Uses up the proof of a request.
    pub(crate) fn judge(&self, proved: &Proved<'_>, now: UnixSeconds) -> Result<(), Refusal> {
        let Proved { request, token, key, application, reached_at } = *proved;
        let path = request.uri.path();
        let targets: Vec<TargetUri> = reached_at.iter().filter_map(|base| base.target(path)).collect();
        let values = request.headers.get_all(DPOP_HEADER).iter().map(HeaderValue::as_bytes);
        let terms = DpopTerms { method: request.method, targets: &targets, now, token: Some(token.bytes()) };
        match self.judge.judge(
            procura_dpop::Proofs::of(values),
            &terms,
            Of { owner: application, key: Some(key) },
        ) {
            Ok(_) => Ok(()),
            Err(DpopRefusal::Fault(fault)) => Err(Refusal::Proof(fault)),
            Err(DpopRefusal::Full) => {
                if self.judge.may_tell(now) {
                    let remembered = self.judge.remembered();
                    tracing::error!(
                        remembered,
                        "no more used proofs of possession can be remembered, of an application or of all; calls are \
                         answered 503"
                    );
                }
                Err(Unavailable::Proofs.into())
            }
        }
    }

    /// A nonce, if every proof must have one or one is asked for now.
    pub(crate) fn nonce(&self, asked_for: bool, now: UnixSeconds) -> Option<String> {
        (asked_for || self.judge.demands_nonces()).then(|| self.judge.nonce(now))
    }

    pub(crate) fn faults(&self) -> impl Iterator<Item = (DpopFault, u64)> {
        self.judge.faults()
    }

    /// Once: it is the owner's to mend, and callers would repeat it.
    pub(crate) fn tell_that_none_are_taken(&self, resource: &ResourceId) {
        if !self.told_that_none_are_taken.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %resource,
                "a token came that is bound to a key, and such are refused here: say by which URLs this resource is \
                 reached (reached_at of a guard, url in every policy of forward auth)"
            );
        }
    }
}
