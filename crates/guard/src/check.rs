//! The check itself: a token goes in, and what it allows comes out. No network, no framework.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response};
use procura_dpop::{DpopFault, DpopJudge, Owner};
use procura_jose::marks::token_subjects;
use procura_jose::{Expect, Jwks, JwtError, MAX_TOKEN_BYTES, Random, TokenDigest, VerifiedCache, verify_jwt};
use procura_protocol::access_token::{AccessToken, Holder};
use procura_protocol::claims::ACCESS_TOKEN_TYPE;
use procura_protocol::confirmation::{Confirmation, KeyThumbprint};
use procura_protocol::mark::MarkSubject;
use procura_protocol::time::UnixSeconds;

use crate::authority::{CheckedToken, Facts};
use crate::authorization::{self, Scheme};
use crate::base_url::BaseUrl;
use crate::certificate::PeerCertificate;
use crate::challenge::Challenger;
use crate::clock::Clock;
use crate::connect::Connection;
use crate::incoming::Incoming;
use crate::layer::Passed;
use crate::proofs::{Proofs, Proved};
use crate::refusal::{Refusal, TokenFault, Unavailable};
use crate::settings::{LEEWAY, Settings};
use crate::sources::{KeySource, MarkSource};

/// Checks access tokens. A clone is the same guard.
#[derive(Clone)]
pub struct Guard {
    inner: Arc<Inner>,
    /// Where the requests of this handle come in.
    reached_at: Arc<[BaseUrl]>,
}

struct Inner {
    settings: Settings,
    keys: Arc<dyn KeySource>,
    marks: Arc<dyn MarkSource>,
    clock: Arc<dyn Clock>,
    verified: VerifiedCache<Arc<Verified>>,
    proofs: Proofs,
    /// What runs in the background; it ends when the last clone goes.
    connection: Option<Connection>,
}

/// A token whose signature held under `keys`.
struct Verified {
    keys: Arc<Jwks>,
    issuer: Box<str>,
    audience: Box<str>,
    issued_at: UnixSeconds,
    not_before: Option<UnixSeconds>,
    confirmation: Option<Confirmation>,
    /// Whom it was issued to, as proofs are counted.
    application: Owner,
    version: u64,
    subjects: Box<[MarkSubject]>,
    /// Generation of the marks that it was last found clear of.
    clear_of: AtomicU64,
    expires_at: UnixSeconds,
    /// Of an application alone there is nothing more to say.
    facts: Option<Arc<Facts>>,
}

/// A generation that no source gives out.
const NEVER: u64 = u64::MAX;

/// What a guard stands on.
pub(crate) struct Sources {
    pub(crate) keys: Arc<dyn KeySource>,
    pub(crate) marks: Arc<dyn MarkSource>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Guard {
    /// A guard with sources of its own, for instance in the process of the server itself. For a resource
    /// on the network, [`Guard::connect`]. `random` makes the key of its nonces, now.
    pub fn new(
        settings: Settings,
        keys: Arc<dyn KeySource>,
        marks: Arc<dyn MarkSource>,
        clock: Arc<dyn Clock>,
        random: &dyn Random,
    ) -> Guard {
        Guard::with_connection(settings, Sources { keys, marks, clock }, random, None)
    }

    pub(crate) fn with_connection(
        settings: Settings,
        sources: Sources,
        random: &dyn Random,
        connection: Option<Connection>,
    ) -> Guard {
        let Sources { keys, marks, clock } = sources;
        let verified = VerifiedCache::new(settings.cache_bytes);
        let (demanded, most) = (settings.demands_proof_nonces, settings.proof_capacity);
        let proofs = Proofs::new(DpopJudge::new(demanded, most, clock.now(), random));
        let reached_at = settings.reached_at.clone().into();
        let inner = Inner { settings, keys, marks, clock, verified, proofs, connection };
        Guard { inner: Arc::new(inner), reached_at }
    }

    /// The same guard, with all that it keeps, for requests that come by these URLs instead of those in its
    /// settings.
    #[must_use]
    pub fn at(&self, reached_at: impl IntoIterator<Item = BaseUrl>) -> Guard {
        Guard { inner: Arc::clone(&self.inner), reached_at: reached_at.into_iter().collect() }
    }

    /// What it demands.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The answer to a refused call, with this resource's realm. `headers` are those of the request: a challenge
    /// speaks of the scheme that the token came by.
    pub fn answer(&self, refusal: &Refusal, headers: &HeaderMap) -> Response<Bytes> {
        self.answer_as(refusal, Scheme::of(headers))
    }

    pub(crate) fn answer_as(&self, refusal: &Refusal, came_as: Scheme) -> Response<Bytes> {
        let asked_for = matches!(refusal, Refusal::Proof(DpopFault::Nonce));
        let nonce = (asked_for || came_as == Scheme::Dpop).then(|| self.proof_nonce(asked_for)).flatten();
        let takes_proofs = !self.reached_at.is_empty();
        refusal.answer(&Challenger { realm: self.realm(), came_as, takes_proofs, nonce })
    }

    /// The nonce for the next proof of possession: where every proof must have one, or one was asked for now.
    fn proof_nonce(&self, asked_for: bool) -> Option<HeaderValue> {
        let nonce = self.inner.proofs.nonce(asked_for, self.inner.clock.now())?;
        HeaderValue::try_from(nonce).ok()
    }

    /// The nonce that goes with an answer to this request (RFC 9449 8.2), in `DPoP-Nonce`: where every proof must
    /// have one, and a proof came. [`crate::GuardLayer`] adds it by itself.
    pub fn next_nonce(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if Scheme::of(headers) == Scheme::Dpop { self.proof_nonce(false) } else { None }
    }

    /// Says that no process before this one can have been shown a proof for this resource: then none needs a nonce
    /// for it. Otherwise those of the ten seconds after the start, and of before, are taken with a nonce only, since
    /// nobody remembers whether they were used.
    pub fn nothing_was_used_before(&self) {
        self.inner.proofs.nothing_was_used_before();
    }

    /// How many used proofs of possession are remembered.
    pub fn remembered_proofs(&self) -> usize {
        self.inner.proofs.remembered()
    }

    /// How many proofs of possession were refused, by why.
    pub fn refused_proofs(&self) -> impl Iterator<Item = (DpopFault, u64)> {
        self.inner.proofs.faults()
    }

    /// Checks the token of a request, the proof that it comes with if it is bound, and `X-Contact-ID` if there is
    /// one. Waits only if the token names an unknown key, and then for at most a few seconds.
    ///
    /// A proof of possession is used up by it: ask once for each request, and [`Guard::still_passes`] later.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; [`Guard::answer`] makes the response.
    pub async fn check_token(&self, request: &Incoming<'_>) -> Result<CheckedToken, Refusal> {
        match self.check_now(request) {
            Err(refusal) if refusal.is_unknown_key() => {
                self.learn_keys().await;
                self.check_now(request)
            }
            checked => checked,
        }
    }

    /// The same without waiting: a token with an unknown key is refused.
    pub(crate) fn check_now(&self, request: &Incoming<'_>) -> Result<CheckedToken, Refusal> {
        let (scheme, token) = authorization::token(request.headers, request.uri)?;
        let (digest, verified) = self.check_in_force(token, scheme, request.certificate)?;
        // Last, because it is used up by that: nobody loses a proof to a token that is refused anyway.
        if let Some(key) = verified.key() {
            let (application, reached_at) = (verified.application, &self.reached_at);
            let proved = Proved { request, token: &digest, key, application, reached_at };
            self.inner.proofs.judge(&proved, self.inner.clock.now())?;
        }
        let facts = verified.facts.clone().ok_or(Refusal::NoContact)?;
        authorization::check_contact(request.headers, &facts.contact)?;
        Ok(CheckedToken(facts))
    }

    /// Whether the token of a request that passed this guard's layer is still in force, for a call that takes long.
    /// The proof that it came with is not asked for again: it was used up when it passed.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; [`Refusal::NoLayer`] for a request that has passed no layer.
    pub async fn still_passes(&self, head: &Parts) -> Result<(), Refusal> {
        let passed = head.extensions.get::<Passed>().ok_or(Refusal::NoLayer)?;
        let check = || {
            let (scheme, token) = authorization::token(&head.headers, &head.uri)?;
            let (_, verified) = self.check_in_force(token, scheme, passed.certificate)?;
            // Another token than the one that passed has proved nothing.
            let is_the_same = verified.facts.as_ref().is_some_and(|facts| *facts == passed.token.0);
            if is_the_same { Ok(()) } else { Err(Refusal::NoLayer) }
        };
        match check() {
            Err(refusal) if refusal.is_unknown_key() => {
                self.learn_keys().await;
                check()
            }
            checked => checked,
        }
    }

    /// Has the keys fetched again, if that was not just done.
    pub(crate) async fn learn_keys(&self) {
        if let Some(known) = self.inner.keys.current() {
            self.inner.keys.refetch(&known).await;
        }
    }

    pub(crate) fn connection(&self) -> Option<&Connection> {
        self.inner.connection.as_ref()
    }

    fn realm(&self) -> &str {
        self.inner.settings.audience.as_str()
    }

    /// All of the token that no proof of possession is needed for.
    fn check_in_force(
        &self,
        token: &str,
        scheme: Scheme,
        certificate: Option<PeerCertificate>,
    ) -> Result<(TokenDigest, Arc<Verified>), Refusal> {
        let keys = self.inner.keys.current().ok_or(Unavailable::Keys)?;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(JwtError::TooLong.into());
        }
        let digest = TokenDigest::of(token);
        let cached = self.inner.verified.get(&digest).filter(|found| Arc::ptr_eq(&found.keys, &keys));
        let verified = match cached {
            Some(found) => found,
            None => self.verify(token, digest, keys)?,
        };
        let generation = self.inner.marks.generation().ok_or(Unavailable::Marks)?;
        self.check_claims(&verified)?;
        self.check_binding(verified.confirmation, scheme, certificate)?;
        if verified.clear_of.load(Ordering::Relaxed) != generation {
            if self.inner.marks.hits(&verified.subjects, verified.version) {
                return Err(TokenFault::Revoked.into());
            }
            verified.clear_of.store(generation, Ordering::Relaxed);
        }
        Ok((digest, verified))
    }

    /// Kept as soon as the signature holds and it is one of ours, so that a token that is expired or
    /// revoked costs a look-up too, however often it is shown.
    fn verify(&self, token: &str, digest: TokenDigest, keys: Arc<Jwks>) -> Result<Arc<Verified>, Refusal> {
        let settings = &self.inner.settings;
        let expect = Expect { typ: ACCESS_TOKEN_TYPE, algorithms: &settings.algorithms };
        let jwt = verify_jwt::<AccessToken>(token, &keys, &expect)?;
        let kid = jwt.kid().clone();
        let verified = Arc::new(Verified::new(jwt.into_claims(), kid.as_str(), keys));
        if *verified.issuer == *settings.issuer && *verified.audience == *self.realm() {
            self.inner.verified.insert(digest, Arc::clone(&verified), verified.bytes());
        }
        Ok(verified)
    }

    fn check_claims(&self, token: &Verified) -> Result<(), TokenFault> {
        let now = self.inner.clock.now();
        let ahead = now.plus(LEEWAY);
        if *token.issuer != *self.inner.settings.issuer {
            Err(TokenFault::Issuer)
        } else if *token.audience != *self.realm() {
            Err(TokenFault::Audience)
        } else if token.expires_at.plus(LEEWAY) <= now {
            Err(TokenFault::Expired)
        } else if token.issued_at > ahead || token.not_before.is_some_and(|from| from > ahead) {
            Err(TokenFault::NotYetValid)
        } else {
            Ok(())
        }
    }

    /// Of each request, and never kept: the same token may come by another connection the next time. Whether the
    /// proof of a key holds is asked last of all.
    fn check_binding(
        &self,
        confirmation: Option<Confirmation>,
        scheme: Scheme,
        certificate: Option<PeerCertificate>,
    ) -> Result<(), TokenFault> {
        let binding = match confirmation {
            None if scheme == Scheme::Dpop => return Err(TokenFault::KeyUnbound),
            None => return Ok(()),
            Some(Confirmation::Unknown) => return Err(TokenFault::Bound),
            Some(Confirmation::Bound(binding)) => binding,
        };
        match (binding.key(), scheme) {
            (None, Scheme::Dpop) => return Err(TokenFault::KeyUnbound),
            (Some(_), _) if self.reached_at.is_empty() => {
                self.inner.proofs.tell_that_none_are_taken(&self.inner.settings.audience);
                return Err(TokenFault::ProofsNotTaken);
            }
            (Some(_), Scheme::Bearer) => return Err(TokenFault::KeyBound),
            (None, Scheme::Bearer) | (Some(_), Scheme::Dpop) => {}
        }
        match (binding.certificate(), certificate) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(TokenFault::CertificateMissing),
            (Some(named), Some(shown)) if named == shown.thumbprint() => Ok(()),
            (Some(_), Some(_)) => Err(TokenFault::CertificateOther),
        }
    }
}

impl Verified {
    fn new(token: AccessToken, kid: &str, keys: Arc<Jwks>) -> Verified {
        let subjects = token_subjects(&token, kid);
        let application = Owner::of(token.application.as_str());
        let facts = match token.holder {
            Holder::Contact { contact, presence, mandates } => Some(Arc::new(Facts {
                contact,
                application: token.application,
                presence,
                mandates,
                token_id: token.id,
                expires_at: token.expires_at,
            })),
            Holder::Application => None,
        };
        Verified {
            keys,
            issuer: token.issuer,
            audience: token.audience,
            issued_at: token.issued_at,
            not_before: token.not_before,
            confirmation: token.confirmation,
            application,
            version: token.version,
            subjects,
            clear_of: AtomicU64::new(NEVER),
            expires_at: token.expires_at,
            facts,
        }
    }

    /// The key of which a proof must come with it.
    fn key(&self) -> Option<KeyThumbprint> {
        match self.confirmation {
            Some(Confirmation::Bound(binding)) => binding.key(),
            Some(Confirmation::Unknown) | None => None,
        }
    }

    /// What it takes, about.
    fn bytes(&self) -> usize {
        let facts = self.facts.as_ref().map_or(0, |facts| facts.bytes());
        // An allocation costs some bytes of its own.
        let text = self.issuer.len() + self.audience.len() + 32;
        size_of::<Verified>() + text + size_of_val(&*self.subjects) + facts
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}
