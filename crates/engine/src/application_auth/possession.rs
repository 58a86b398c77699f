//! What a token is bound to: the certificate that the application showed, the key of which it brings a proof
//! (RFC 9449 5), or both.
//!
//! Whoever asks for a token has first been authenticated, and then says here what the token may be bound to. Only
//! this file makes a [`TokenRequester`], and nothing is issued to anybody else: an application that is registered
//! for bound tokens can't be given another kind by leaving something out.

use std::sync::atomic::{AtomicBool, Ordering};

use procura_dpop::{DpopFault, DpopJudge, DpopRefusal, DpopTerms, Of, Owner, Proofs, TargetUri};
use procura_jose::Random;
use procura_protocol::application_auth::Profile;
use procura_protocol::confirmation::{Binding, CertificateThumbprint, KeyThumbprint};
use procura_protocol::time::UnixSeconds;
use procura_store::journal::{AskedFor, RefusalCause};
use procura_store::records::RandomId;
use procura_store::{Journal, Store};
use thiserror::Error;

use super::AuthenticatedApplication;
use crate::{Engine, Unavailable};

/// How many used proofs a server remembers: those of more than a minute at its highest rate.
const MOST_PROOFS: usize = 2_000_000;

/// An operator's choices about proofs of possession.
#[derive(Debug, Clone, Default)]
pub struct PossessionSettings {
    /// Whether every proof must have a nonce.
    pub demands_nonces: bool,
    /// URLs under which the server is reached beside the issuer's, without a slash at the end: that of the
    /// listener which asks for certificates.
    pub aliases: Vec<Box<str>>,
}

/// What is kept for proofs of possession.
pub(crate) struct Possession {
    judge: DpopJudge,
    aliases: Vec<Box<str>>,
    is_first: AtomicBool,
}

impl Possession {
    pub(crate) fn new(settings: PossessionSettings, now: UnixSeconds, random: &dyn Random) -> Possession {
        let PossessionSettings { demands_nonces, aliases } = settings;
        let judge = DpopJudge::new(demands_nonces, MOST_PROOFS, now, random);
        Possession { judge, aliases, is_first: AtomicBool::new(false) }
    }
}

/// The request of which a proof must be. By default one that brings none.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProvedRequest<'a> {
    /// Its `DPoP` headers.
    pub proofs: Proofs<'a>,
    /// Its method, by its name.
    pub method: &'a str,
    /// Its path, as it was sent.
    pub path: &'a str,
}

/// An application that proved all that a token for it needs: who it is, and what the token is to be bound to.
///
/// ```compile_fail
/// use procura_engine::application_auth::possession::TokenRequester;
/// let forged = TokenRequester { application: todo!(), binding: None };
/// ```
#[derive(Clone)]
pub struct TokenRequester {
    application: AuthenticatedApplication,
    binding: Option<Binding>,
}

impl TokenRequester {
    /// Who asks.
    pub fn application(&self) -> &AuthenticatedApplication {
        &self.application
    }

    /// What the token is to be bound to.
    pub fn binding(&self) -> Option<Binding> {
        self.binding
    }

    /// The same on a later directory, once the application was looked up again.
    pub(crate) fn renewed(&self, application: AuthenticatedApplication) -> TokenRequester {
        TokenRequester { application, ..self.clone() }
    }
}

/// Why a token can't be bound as it must.
#[derive(Debug, Error)]
pub enum PossessionError {
    /// Theirs: the proof proves nothing, and that is on record. For want of a nonce there is no record: it is no
    /// refusal but the beginning of an answer.
    #[error("the proof of possession proves nothing: {fault}")]
    Fault {
        /// What is wrong.
        fault: DpopFault,
        /// The record.
        reference: Option<RandomId>,
    },
    /// Theirs: a proof came, and the application is not registered for any. That is on record.
    #[error("a proof of possession came of an application that is registered for none")]
    NotRegistered {
        /// The record.
        reference: RandomId,
    },
    /// Theirs: the application's profile asks for bound tokens, and nothing is there that its token could be bound
    /// to.
    #[error("the application's tokens must be bound, and there is nothing to bind them to")]
    NothingToBindTo {
        /// The record.
        reference: RandomId,
    },
    /// Ours: not now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl<S: Store, J: Journal> Engine<S, J> {
    /// Finds out what a token for this application is to be bound to.
    ///
    /// # Errors
    ///
    /// [`PossessionError`].
    pub async fn require_possession(
        &self,
        application: AuthenticatedApplication,
        request: &ProvedRequest<'_>,
    ) -> Result<TokenRequester, PossessionError> {
        let registration = &application.application().registration;
        let certificate = application.bound_to().map(CertificateThumbprint);
        let key = match (registration.proof_of_key, request.proofs) {
            (false, Proofs::None) => None,
            (false, Proofs::One(_) | Proofs::Several) => {
                let refused = (RefusalCause::ProofNotRegistered, 0);
                let now = self.now().map_err(Unavailable::from)?;
                let reference = self.record_refusal(&application, refused, AskedFor::Nobody, now).await?;
                return Err(PossessionError::NotRegistered { reference });
            }
            (true, _) => Some(self.judge_proof(&application, request).await?),
        };
        let binding = Binding::of(certificate, key);
        if registration.profile == Profile::Fapi2 && binding.is_none() {
            let refused = (RefusalCause::NothingToBindTo, 0);
            let now = self.now().map_err(Unavailable::from)?;
            let reference = self.record_refusal(&application, refused, AskedFor::Nobody, now).await?;
            return Err(PossessionError::NothingToBindTo { reference });
        }
        Ok(TokenRequester { application, binding })
    }

    async fn judge_proof(
        &self,
        application: &AuthenticatedApplication,
        request: &ProvedRequest<'_>,
    ) -> Result<KeyThumbprint, PossessionError> {
        let now = self.now().map_err(Unavailable::from)?;
        let bases = std::iter::once(&self.settings.issuer).chain(&self.possession.aliases);
        let targets: Vec<TargetUri> = bases.filter_map(|base| TargetUri::under(base, request.path)).collect();
        let of = Of { owner: Owner::of(application.application().id.as_str()), key: None };
        let terms = DpopTerms { method: request.method, targets: &targets, now: now.seconds(), token: None };
        match self.possession.judge.judge(request.proofs, &terms, of) {
            Ok(key) => Ok(key),
            Err(DpopRefusal::Full) => {
                if self.possession.judge.may_tell(now.seconds()) {
                    tracing::error!(
                        remembered = self.possession.judge.remembered(),
                        "no more used proofs of possession can be remembered; applications that send them are answered with 503"
                    );
                }
                Err(Unavailable::ProofsFull.into())
            }
            Err(DpopRefusal::Fault(fault @ DpopFault::Nonce)) => {
                Err(PossessionError::Fault { fault, reference: None })
            }
            Err(DpopRefusal::Fault(fault)) => {
                let refused = (RefusalCause::Proof, fault.code().into());
                let reference = self.record_refusal(application, refused, AskedFor::Nobody, now).await?;
                Err(PossessionError::Fault { fault, reference: Some(reference) })
            }
        }
    }

    /// Says that nothing was answered on this data before this process: then no proof of possession needs a nonce
    /// because it may have been used then.
    pub fn nothing_was_used_before(&self) {
        self.possession.judge.nothing_was_used_before();
        self.possession.is_first.store(true, Ordering::Relaxed);
    }

    /// Whether [`Engine::nothing_was_used_before`] was said.
    pub fn is_first_to_answer(&self) -> bool {
        self.possession.is_first.load(Ordering::Relaxed)
    }

    /// The nonce to be sent with an answer: when proofs must have one, or when one is asked for now.
    pub fn proof_nonce(&self, asked_for: bool) -> Option<String> {
        let judge = &self.possession.judge;
        let now = self.now().ok()?.seconds();
        (asked_for || judge.demands_nonces()).then(|| judge.nonce(now))
    }

    /// Whether every proof of possession must have a nonce.
    pub fn demands_proof_nonces(&self) -> bool {
        self.possession.judge.demands_nonces()
    }

    /// How many proofs of possession were refused, by why.
    pub fn refused_proofs(&self) -> impl Iterator<Item = (DpopFault, u64)> {
        self.possession.judge.faults()
    }

    /// How many used proofs of possession are remembered.
    pub fn remembered_proofs(&self) -> usize {
        self.possession.judge.remembered()
    }
}
