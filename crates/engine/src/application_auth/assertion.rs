//! A signed assertion (RFC 7523 2.2 and 3).
//!
//! What it says is read once its signature was verified; before that only who it says to be from, to find
//! their keys. It is used up before anything is answered: in memory at once, so that of many who send it one
//! is let in, and in the journal, so that a restart remembers.
//!
//! An assertion that proves who asks is never a grant, and the other way round: `typ` tells them apart, and so
//! does whom they are about. Both are used up in one memory.

mod published;
mod registered;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use procura_jose::digest::sha256;
use procura_jose::replay::{BEYOND, Claim, Used, UsedNames};
use procura_jose::{Algorithm, JwtError, UnverifiedJwt};
use procura_protocol::application_auth::{AssertionAudience, AuthMethod};
use procura_protocol::client_assertion::{
    AHEAD, ASSERTION_TYPES, AssertionFault, ClientAssertion, GRANT_LIFETIME, LONGEST_ASSERTION_LIFETIME,
    MAX_ASSERTION_BYTES, Purpose, Terms,
};
use procura_protocol::ids;
use procura_protocol::secret::Secret;
use procura_protocol::time::UnixMillis;
use procura_protocol::token::GRANT_TYPE_HEADER;
use procura_store::journal::{AssertionUsed, Record};
use procura_store::records::{Application, ApplicationNo, Registration};
use procura_store::{Clock, Directory, Journal, Store};

use super::{AuthenticatedApplication, NotAuthenticated, Proved};
use crate::contact_token::ContactTokenError;
use crate::limits::LimitReached;
use crate::{Engine, Unavailable};
use published::PublishedKeys;
pub use published::{FetchFault, FetchKeys, FetchedKeys, Fetching};
use registered::{RegisteredKeys, live};

/// What is kept for assertions.
pub(crate) struct Assertions {
    registered: RegisteredKeys,
    published: PublishedKeys,
    used: UsedNames<ApplicationNo>,
    faults: Box<[AtomicU64]>,
}

impl Assertions {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Assertions {
        Assertions {
            registered: RegisteredKeys::default(),
            published: PublishedKeys::new(clock),
            used: UsedNames::default(),
            faults: AssertionFault::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(crate) fn set_fetcher(&mut self, fetcher: Arc<dyn FetchKeys>) {
        self.published.set_fetcher(fetcher);
    }

    fn count(&self, fault: AssertionFault) {
        let counts = AssertionFault::ALL.iter().zip(&self.faults);
        counts.filter(|(counted, _)| **counted == fault).for_each(|(_, count)| {
            count.fetch_add(1, Ordering::Relaxed);
        });
    }
}

/// `typ` of an assertion that is a grant; it must have it.
const GRANT_TYPES: &[&str] = &[GRANT_TYPE_HEADER];

/// Why an assertion is not taken.
enum Refused {
    /// It proves nothing; and whether the application that it names is known.
    Wrong(bool, AssertionFault),
    /// It is right, and the application asks too often.
    Limit(LimitReached),
}

impl<S: Store, J: Journal> Engine<S, J> {
    /// The application that signed the assertion; or whether the id that it names is known, and why not.
    /// `path` is that of the request.
    pub(super) async fn prove_by_assertion(
        &self,
        directory: &Directory,
        (id, assertion): (Option<&str>, &Secret),
        path: &str,
    ) -> Result<Result<Proved, (bool, NotAuthenticated)>, Unavailable> {
        match self.judge_assertion(directory, (id, assertion), path).await? {
            Ok(proved) => Ok(Ok(proved)),
            Err(Refused::Wrong(known, fault)) => {
                self.assertions.count(fault);
                tracing::debug!(cause = fault.name(), "an assertion was refused");
                Ok(Err((known, NotAuthenticated::Credentials)))
            }
            Err(Refused::Limit(reached)) => Ok(Err((true, NotAuthenticated::LimitReached(reached)))),
        }
    }

    async fn judge_assertion(
        &self,
        directory: &Directory,
        (id, assertion): (Option<&str>, &Secret),
        path: &str,
    ) -> Result<Result<Proved, Refused>, Unavailable> {
        let jwt = match read(assertion, ASSERTION_TYPES) {
            Ok(jwt) => jwt,
            Err(fault) => return Ok(Err(Refused::Wrong(false, fault))),
        };
        let found = directory.application(jwt.named_issuer());
        let application = match found.ok_or(AssertionFault::UnknownApplication) {
            Ok(found) => found,
            Err(fault) => return Ok(Err(Refused::Wrong(false, fault))),
        };
        if let Err(fault) = admit(application, &jwt, id) {
            return Ok(Err(Refused::Wrong(true, fault)));
        }
        let claims = match self.verify_assertion(application, &jwt).await? {
            Ok(claims) => claims,
            Err(fault) => return Ok(Err(Refused::Wrong(true, fault))),
        };
        // To verify may have taken seconds, when keys had to be fetched.
        let now = self.now()?;
        let terms = Terms {
            purpose: Purpose::Authentication,
            application: application.id.as_str(),
            audience: &self.audience(&application.registration, path),
            now: now.seconds(),
            lifetime: self.settings.assertion_lifetime,
        };
        if let Err(fault) = claims.check(&terms) {
            return Ok(Err(Refused::Wrong(true, fault)));
        }
        // What is over the limit is neither written nor lost. Only a look: whoever sends somebody's assertion
        // again must not take anything from them.
        if let Err(reached) = self.limits.may_admit_application(application.no, self.monotonic()) {
            return Ok(Err(Refused::Limit(reached)));
        }
        if !self.use_up(application, &claims, now).await? {
            return Ok(Err(Refused::Wrong(true, AssertionFault::Replayed)));
        }
        self.look_again(application).map(|proved| proved.map_err(|fault| Refused::Wrong(true, fault)))
    }

    /// Whom an assertion names that is a grant (RFC 7523 2.1), used up; or why it is none. It must be of the
    /// application that asks, whatever that proved itself with.
    pub(crate) async fn granted_subject(
        &self,
        caller: &AuthenticatedApplication,
        assertion: &Secret,
    ) -> Result<Result<Box<str>, AssertionFault>, ContactTokenError> {
        let granted = self.judge_grant(caller, assertion).await?;
        if let Err(fault) = granted {
            self.assertions.count(fault);
        }
        Ok(granted)
    }

    async fn judge_grant(
        &self,
        caller: &AuthenticatedApplication,
        assertion: &Secret,
    ) -> Result<Result<Box<str>, AssertionFault>, ContactTokenError> {
        let application = caller.application();
        let jwt = match read(assertion, GRANT_TYPES) {
            Ok(jwt) if jwt.has_type() => jwt,
            Ok(_) => return Ok(Err(AssertionFault::Type)),
            Err(fault) => return Ok(Err(fault)),
        };
        if *jwt.named_issuer() != *application.id.as_str() {
            return Ok(Err(AssertionFault::OtherApplication));
        }
        if !algorithm_fits(&application.registration, jwt.algorithm()) {
            return Ok(Err(AssertionFault::Algorithm));
        }
        let claims = match self.verify_assertion(application, &jwt).await? {
            Ok(claims) => claims,
            Err(fault) => return Ok(Err(fault)),
        };
        let now = self.now().map_err(Unavailable::from)?;
        let terms = Terms {
            purpose: Purpose::Grant,
            application: application.id.as_str(),
            audience: &self.settings.issuer,
            now: now.seconds(),
            lifetime: self.settings.assertion_lifetime.min(GRANT_LIFETIME),
        };
        if let Err(fault) = claims.check(&terms) {
            return Ok(Err(fault));
        }
        // What is over the ceiling is neither written nor lost. A contact that was admitted stays so for its hour.
        if ids::check_party(&claims.subject).is_ok() {
            self.admit_contact(caller, self.fingerprint(&claims.subject))?;
        }
        if !self.use_up(application, &claims, now).await? {
            return Ok(Err(AssertionFault::Replayed));
        }
        Ok(Ok(claims.subject))
    }

    /// The claims, if one of the application's keys signed them.
    async fn verify_assertion(
        &self,
        application: &Application,
        jwt: &UnverifiedJwt<'_>,
    ) -> Result<Result<ClientAssertion, AssertionFault>, Unavailable> {
        let now = self.now()?.seconds();
        let registered = self.assertions.registered.of(application);
        let by_registered = jwt.verify(live(&registered, now));
        let Some(uri) = application.registration.jwks_uri.as_deref().filter(|_| by_registered.is_err())
        else {
            return Ok(by_registered.map_err(fault_of));
        };
        let Some(keys) = self.assertions.published.of(application, uri, jwt.kid()).await else {
            return Ok(Err(AssertionFault::KeysNotFetched));
        };
        Ok(jwt.verify(keys.keys()).map_err(fault_of))
    }

    /// The one audience of this application's assertions.
    fn audience(&self, registration: &Registration, path: &str) -> Cow<'_, str> {
        match registration.audience() {
            AssertionAudience::Issuer => Cow::Borrowed(&self.settings.issuer),
            AssertionAudience::Endpoint => Cow::Owned(format!("{}{path}", self.settings.issuer)),
        }
    }

    /// Uses the assertion up: whether nobody did before. Durable when this returns.
    async fn use_up(
        &self,
        application: &Application,
        claims: &ClientAssertion,
        now: UnixMillis,
    ) -> Result<bool, Unavailable> {
        let whole = sha256(claims.id.as_bytes());
        let digest = std::array::from_fn(|at| whole[at]);
        let used = AssertionUsed { application: application.no, digest, expires_at: claims.expires_at };
        match self.assertions.used.claim(&name_of(&used), now.seconds()) {
            Claim::First => {}
            Claim::Again => return Ok(false),
            Claim::Full => {
                if self.assertions.used.may_tell(now.seconds()) {
                    tracing::error!(
                        application = %application.id,
                        remembered = self.assertions.used.len(),
                        "no more used assertions can be remembered; applications that sign are answered with 503"
                    );
                }
                return Err(Unavailable::AssertionsFull);
            }
        }
        self.journal.append(now, &Record::AssertionUsed(used))?.await?;
        Ok(true)
    }

    /// The application on the directory of now: one that was changed while something was awaited has not
    /// proved itself as it is now.
    fn look_again(&self, application: &Application) -> Result<Result<Proved, AssertionFault>, Unavailable> {
        let directory = self.store.directory()?;
        let Some(found) = directory.application_by_number(application.no).filter(|found| found.active) else {
            return Ok(Err(AssertionFault::DisabledApplication));
        };
        if found.registration != application.registration {
            return Ok(Err(AssertionFault::NotRegistered));
        }
        let application = Arc::clone(found);
        Ok(Ok(Proved { application, directory: Some(directory), by_certificate: None }))
    }

    /// How many assertions were refused, by why.
    pub fn refused_assertions(&self) -> impl Iterator<Item = (AssertionFault, u64)> {
        let counts = self.assertions.faults.iter().map(|count| count.load(Ordering::Relaxed));
        AssertionFault::ALL.iter().copied().zip(counts)
    }

    /// How many used assertions are remembered.
    pub fn used_assertions(&self) -> usize {
        self.assertions.used.len()
    }

    /// Takes in what the journal says was used. To be called with every record that is not older than
    /// [`REPLAY_WINDOW`] before anything is answered.
    pub fn remember_used_assertion(&self, used: &AssertionUsed, now: UnixMillis) {
        self.assertions.used.remember(&name_of(used), now.seconds());
    }
}

/// An assertion that was used longer ago than this many seconds proves nothing any more, whatever the
/// settings of then were.
pub const REPLAY_WINDOW: i64 = LONGEST_ASSERTION_LIFETIME + AHEAD + BEYOND;

fn name_of(used: &AssertionUsed) -> Used<ApplicationNo> {
    Used { owner: used.application, digest: used.digest, ends_at: used.expires_at }
}

fn read<'a>(assertion: &'a Secret, types: &[&str]) -> Result<UnverifiedJwt<'a>, AssertionFault> {
    let text = assertion.expose_str().ok_or(AssertionFault::Malformed)?;
    if text.len() > MAX_ASSERTION_BYTES {
        return Err(AssertionFault::TooLong);
    }
    UnverifiedJwt::read(text, types).map_err(fault_of)
}

/// What can be said before any key is looked for.
fn admit(application: &Application, jwt: &UnverifiedJwt<'_>, id: Option<&str>) -> Result<(), AssertionFault> {
    let registration = &application.registration;
    let allowed = algorithm_fits(registration, jwt.algorithm());
    let in_order = [
        (AssertionFault::OtherApplication, id.is_none_or(|id| id == application.id.as_str())),
        (AssertionFault::DisabledApplication, application.active),
        (AssertionFault::NotRegistered, registration.takes(AuthMethod::PrivateKeyJwt)),
        (AssertionFault::Algorithm, allowed),
    ];
    in_order.into_iter().find(|(_, holds)| !holds).map_or(Ok(()), |(fault, _)| Err(fault))
}

/// Whether an application may sign so: as it is registered, and RS256 only then.
fn algorithm_fits(registration: &Registration, algorithm: Algorithm) -> bool {
    let fits = match registration.assertion_algorithm {
        Some(only) => algorithm == only,
        None => algorithm != Algorithm::Rs256,
    };
    fits && registration.profile.takes_algorithm(algorithm)
}

fn fault_of(error: JwtError) -> AssertionFault {
    match error {
        JwtError::TooLong => AssertionFault::TooLong,
        JwtError::NotThreeParts
        | JwtError::Encoding(_)
        | JwtError::NotAnObject(_)
        | JwtError::RepeatedMember(_)
        | JwtError::HeaderShape => AssertionFault::Malformed,
        JwtError::Critical => AssertionFault::Critical,
        JwtError::AlgorithmUnknown | JwtError::AlgorithmNotAllowed(_) => AssertionFault::Algorithm,
        JwtError::AlgorithmNotTheKeys => AssertionFault::KeyAlgorithm,
        JwtError::Type => AssertionFault::Type,
        JwtError::KidMissing | JwtError::KidUnknown => AssertionFault::UnknownKey,
        JwtError::Signature => AssertionFault::Signature,
        JwtError::ClaimsShape => AssertionFault::Claims,
    }
}
