//! The check itself: a token goes in, and what it allows comes out. No network, no framework.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Response, Uri};
use procura_jose::marks::token_subjects;
use procura_jose::{
    Algorithm, Expect, Jwks, JwtError, MAX_TOKEN_BYTES, TokenDigest, VerifiedCache, verify_jwt,
};
use procura_protocol::access_token::{AccessToken, Holder};
use procura_protocol::claims::ACCESS_TOKEN_TYPE;
use procura_protocol::confirmation::Confirmation;
use procura_protocol::ids::ResourceId;
use procura_protocol::mark::MarkSubject;
use procura_protocol::time::UnixSeconds;

use crate::authority::{CheckedToken, Facts};
use crate::bearer;
use crate::certificate::PeerCertificate;
use crate::clock::Clock;
use crate::connect::Connection;
use crate::refusal::{Refusal, TokenFault, Unavailable};
use crate::sources::{KeySource, MarkSource};

/// How far the clocks of the server and of a resource may be apart, in seconds.
pub const LEEWAY: i64 = 5;

/// What a guard demands of every token.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// `iss`, compared exactly.
    pub issuer: Box<str>,
    /// `aud`: this resource's own id; also the realm of its challenges.
    pub audience: ResourceId,
    /// The algorithms that a token may be signed with. All that this server has, unless fewer are set.
    pub algorithms: Vec<Algorithm>,
    /// About how many bytes the cache of verified tokens may take.
    pub cache_bytes: usize,
}

impl Settings {
    /// How much is kept of verified tokens when nobody says otherwise: about 2,000 of a few clients each.
    pub const USUAL_CACHE_BYTES: usize = 2 * 1024 * 1024;

    /// Tokens of this issuer for this resource, signed with any algorithm of the server's.
    pub fn new(issuer: &str, audience: ResourceId) -> Settings {
        Settings {
            issuer: issuer.into(),
            audience,
            algorithms: Algorithm::ALL.to_vec(),
            cache_bytes: Settings::USUAL_CACHE_BYTES,
        }
    }
}

/// Checks access tokens. A clone is the same guard.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    settings: Settings,
    keys: Arc<dyn KeySource>,
    marks: Arc<dyn MarkSource>,
    clock: Arc<dyn Clock>,
    verified: VerifiedCache<Arc<Verified>>,
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

impl Guard {
    /// A guard with sources of its own, for instance in the process of the server itself. For a resource
    /// on the network, [`Guard::connect`].
    pub fn new(
        settings: Settings,
        keys: Arc<dyn KeySource>,
        marks: Arc<dyn MarkSource>,
        clock: Arc<dyn Clock>,
    ) -> Guard {
        Guard::with_connection(settings, keys, marks, clock, None)
    }

    pub(crate) fn with_connection(
        settings: Settings,
        keys: Arc<dyn KeySource>,
        marks: Arc<dyn MarkSource>,
        clock: Arc<dyn Clock>,
        connection: Option<Connection>,
    ) -> Guard {
        let verified = VerifiedCache::new(settings.cache_bytes);
        Guard(Arc::new(Inner { settings, keys, marks, clock, verified, connection }))
    }

    /// What it demands.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The answer to a refused call, with this resource's realm.
    pub fn answer(&self, refusal: &Refusal) -> Response<Bytes> {
        refusal.to_response(self.realm())
    }

    /// Checks the token of a request, and its `X-Contact-ID` if there is one. `certificate` is the one that
    /// the caller proved to hold on this connection, if any: without it a token that is bound to one is
    /// refused. Waits only if the token names an unknown key, and then for at most a few seconds.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; [`Guard::answer`] makes the response.
    pub async fn check_token(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        certificate: Option<PeerCertificate>,
    ) -> Result<CheckedToken, Refusal> {
        match self.check_now(headers, uri, certificate) {
            Err(refusal) if refusal.is_unknown_key() => {
                self.learn_keys().await;
                self.check_now(headers, uri, certificate)
            }
            checked => checked,
        }
    }

    /// The same without waiting: a token with an unknown key is refused.
    pub(crate) fn check_now(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        certificate: Option<PeerCertificate>,
    ) -> Result<CheckedToken, Refusal> {
        let token = bearer::token(headers, uri)?;
        let facts = self.check(token, certificate)?;
        bearer::check_contact(headers, &facts.contact)?;
        Ok(CheckedToken(facts))
    }

    /// Has the keys fetched again, if that was not just done.
    pub(crate) async fn learn_keys(&self) {
        if let Some(known) = self.0.keys.current() {
            self.0.keys.refetch(&known).await;
        }
    }

    pub(crate) fn connection(&self) -> Option<&Connection> {
        self.0.connection.as_ref()
    }

    fn realm(&self) -> &str {
        self.0.settings.audience.as_str()
    }

    fn check(&self, token: &str, certificate: Option<PeerCertificate>) -> Result<Arc<Facts>, Refusal> {
        let keys = self.0.keys.current().ok_or(Unavailable::Keys)?;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(JwtError::TooLong.into());
        }
        let digest = TokenDigest::of(token);
        let cached = self.0.verified.get(&digest).filter(|found| Arc::ptr_eq(&found.keys, &keys));
        let verified = match cached {
            Some(found) => found,
            None => self.verify(token, digest, keys)?,
        };
        let generation = self.0.marks.generation().ok_or(Unavailable::Marks)?;
        self.check_claims(&verified)?;
        check_binding(verified.confirmation, certificate)?;
        if verified.clear_of.load(Ordering::Relaxed) != generation {
            if self.0.marks.hits(&verified.subjects, verified.version) {
                return Err(TokenFault::Revoked.into());
            }
            verified.clear_of.store(generation, Ordering::Relaxed);
        }
        verified.facts.clone().ok_or(Refusal::NoContact)
    }

    /// Kept as soon as the signature holds and it is one of ours, so that a token that is expired or
    /// revoked costs a look-up too, however often it is shown.
    fn verify(&self, token: &str, digest: TokenDigest, keys: Arc<Jwks>) -> Result<Arc<Verified>, Refusal> {
        let settings = &self.0.settings;
        let expect = Expect { typ: ACCESS_TOKEN_TYPE, algorithms: &settings.algorithms };
        let jwt = verify_jwt::<AccessToken>(token, &keys, &expect)?;
        let kid = jwt.kid().clone();
        let verified = Arc::new(Verified::new(jwt.into_claims(), kid.as_str(), keys));
        if *verified.issuer == *settings.issuer && *verified.audience == *self.realm() {
            self.0.verified.insert(digest, Arc::clone(&verified), verified.bytes());
        }
        Ok(verified)
    }

    fn check_claims(&self, token: &Verified) -> Result<(), TokenFault> {
        let now = self.0.clock.now();
        let ahead = now.plus(LEEWAY);
        if *token.issuer != *self.0.settings.issuer {
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
}

/// Of each request, and never kept: the same token may come by another connection the next time.
fn check_binding(
    confirmation: Option<Confirmation>,
    certificate: Option<PeerCertificate>,
) -> Result<(), TokenFault> {
    let binding = match confirmation {
        None => return Ok(()),
        Some(Confirmation::Unknown) => return Err(TokenFault::Bound),
        Some(Confirmation::Bound(binding)) => binding,
    };
    if binding.key().is_some() {
        return Err(TokenFault::Bound);
    }
    match (binding.certificate(), certificate) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(TokenFault::CertificateMissing),
        (Some(named), Some(shown)) if named == shown.thumbprint() => Ok(()),
        (Some(_), Some(_)) => Err(TokenFault::CertificateOther),
    }
}

impl Verified {
    fn new(token: AccessToken, kid: &str, keys: Arc<Jwks>) -> Verified {
        let subjects = token_subjects(&token, kid);
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
            version: token.version,
            subjects,
            clear_of: AtomicU64::new(NEVER),
            expires_at: token.expires_at,
            facts,
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
        f.debug_struct("Guard").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}
