//! Which application asks, and what proves it (contract, chapter 6).
//!
//! One file for each kind of proof: [`secret`], [`assertion`], [`certificate`]. This one decides which of
//! them a request brings, asks for the second factor, and alone makes an [`AuthenticatedApplication`]. What its tokens are bound to comes after, in [`possession`].

pub mod assertion;
pub(crate) mod certificate;
pub mod possession;
pub(crate) mod secret;

use std::borrow::Cow;
use std::sync::Arc;

use procura_protocol::application_auth::{AuthMethod, SecondFactor};
use procura_protocol::secret::Secret;
use procura_protocol::time::UnixMillis;
use procura_store::records::Application;
use procura_store::{Directory, Journal, Store};

use crate::counts::FailedProof;
use crate::limits::{Address, LimitReached};
use crate::{Engine, Unavailable};

pub use certificate::judged::ProblemCount;

/// What a request brought to prove who it is.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// What stands in the request.
    pub presented: Presented<'a>,
    /// The certificates of the connection, each as DER, the caller's own first; empty without any. That the
    /// caller has the private key is proved; whether the certificate is right is not.
    pub certificates: &'a [Box<[u8]>],
    /// The path of the endpoint that is asked, as [`procura_protocol::paths`] has it.
    pub endpoint: &'static str,
    /// The path that was asked, as it was sent, for assertions that name it.
    pub path: &'a str,
    /// Whose requests it counts among; `None` when it came by no network.
    pub from: Option<Address>,
}

/// What stands in a request to prove who sends it.
#[derive(Debug)]
pub enum Presented<'a> {
    /// An id (of an application, or of a resource where those may ask) and a secret.
    Secret {
        /// The id as it was sent.
        id: Cow<'a, str>,
        /// The secret as it was sent.
        secret: Secret,
        /// How: by HTTP Basic, or in the form.
        method: AuthMethod,
    },
    /// A JWT that the application signed (RFC 7523 2.2).
    Assertion {
        /// `client_id`, if it stands beside it: then it must be the one in the assertion.
        id: Option<Cow<'a, str>>,
        /// The JWT as it was sent.
        assertion: Secret,
    },
    /// An id and nothing else: what proves it must be the certificate of the connection.
    IdAlone {
        /// The id as it was sent.
        id: Cow<'a, str>,
    },
    /// Nothing, or something that can't be read.
    Nothing,
}

/// Why nobody is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAuthenticated {
    /// No or wrong credentials, a method that is not registered, an unknown or a disabled application: all
    /// alike.
    Credentials,
    /// A certificate came, and it is not one that proves this application.
    CertificateInvalid,
    /// A certificate must come, and none did.
    CertificateMissing,
    /// From there too many proofs failed, and this one was not looked at; or it was right, and the
    /// application asks too often.
    LimitReached(LimitReached),
}

/// An application whose credentials were right at the version of the directory that it holds.
///
/// Only this file can make one, and every grant asks for one.
///
/// ```compile_fail
/// use procura_engine::application_auth::AuthenticatedApplication;
/// let forged = AuthenticatedApplication { application: todo!(), directory: todo!(), bound_to: None };
/// ```
#[derive(Clone)]
pub struct AuthenticatedApplication {
    application: Arc<Application>,
    directory: Arc<Directory>,
    bound_to: Option<[u8; 32]>,
}

impl AuthenticatedApplication {
    /// The application.
    pub fn application(&self) -> &Application {
        &self.application
    }

    /// The directory on which it was found, and on which everything about this request is decided.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// SHA-256 of the certificate that its tokens are to be bound to (RFC 8705 3.1), if they are.
    pub fn bound_to(&self) -> Option<[u8; 32]> {
        self.bound_to
    }
}

/// An application that one proof named, before it is asked whether it is active and what else it needs.
struct Proved {
    application: Arc<Application>,
    /// The directory that it was looked up in again, after a proof for which something was awaited.
    directory: Option<Arc<Directory>>,
    /// The certificate was the proof.
    by_certificate: Option<[u8; 32]>,
}

impl<S: Store, J: Journal> Engine<S, J> {
    /// Finds out which application asks.
    ///
    /// For a secret the work is the same whether the id exists or not and whichever of the secrets fits.
    pub async fn authenticate_application(
        &self,
        evidence: &Evidence<'_>,
    ) -> Result<Result<AuthenticatedApplication, NotAuthenticated>, Unavailable> {
        if let Err(reached) = self.may_be_looked_at(evidence) {
            return Ok(Err(reached));
        }
        let directory = self.store.directory()?;
        let now = self.now()?;
        match self.prove(&directory, evidence, now).await? {
            Ok(Proved { application, directory: renewed, by_certificate }) => {
                let directory = renewed.unwrap_or(directory);
                let certificate = match by_certificate {
                    Some(thumbprint) => Some(thumbprint),
                    None => match self.second_factor(&application, evidence, now) {
                        Ok(thumbprint) => thumbprint,
                        Err(reason) => return Ok(Err(self.proof_failed(evidence, now, (true, reason)))),
                    },
                };
                if let Err(reached) = self.limits.admit_application(application.no, self.monotonic()) {
                    return Ok(Err(NotAuthenticated::LimitReached(reached)));
                }
                let bound_to = certificate.filter(|_| application.registration.bound_tokens);
                Ok(Ok(AuthenticatedApplication { application, directory, bound_to }))
            }
            // What it brought was right.
            Err((_, reason @ NotAuthenticated::LimitReached(_))) => Ok(Err(reason)),
            Err(failed) => Ok(Err(self.proof_failed(evidence, now, failed))),
        }
    }

    /// The same application on the directory of now: what is decided later in a request must not be decided
    /// on what was true when it came. One that was removed or disabled since has proved nothing. A proof can't
    /// be asked for again, since an assertion is used once: where what it could prove itself with has changed
    /// meanwhile, it has to come again.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when the directory can't be confirmed, or for that reason.
    pub fn renew(
        &self,
        caller: &AuthenticatedApplication,
    ) -> Result<Result<AuthenticatedApplication, NotAuthenticated>, Unavailable> {
        let (directory, bound_to) = (self.store.directory()?, caller.bound_to);
        let found = directory.application_by_number(caller.application.no).filter(|found| found.active);
        let Some(application) = found.cloned() else { return Ok(Err(NotAuthenticated::Credentials)) };
        let proved = &caller.application;
        if application.secrets != proved.secrets || application.registration != proved.registration {
            return Err(Unavailable::ProofChanged);
        }
        Ok(Ok(AuthenticatedApplication { application, directory, bound_to }))
    }

    /// The active application that the request's proof is of; or whether the id that it named is known, and
    /// why not.
    async fn prove(
        &self,
        directory: &Arc<Directory>,
        evidence: &Evidence<'_>,
        now: UnixMillis,
    ) -> Result<Result<Proved, (bool, NotAuthenticated)>, Unavailable> {
        let proved = match &evidence.presented {
            Presented::Secret { id, secret, method } => {
                let found = directory.application(id);
                let fits = secret::fits(found, secret, *method, now.seconds());
                let application = found.filter(|found| fits && found.active).cloned();
                application
                    .map(|application| Proved { application, directory: None, by_certificate: None })
                    .ok_or((found.is_some(), NotAuthenticated::Credentials))
            }
            Presented::Assertion { id, assertion } => {
                self.prove_by_assertion(directory, (id.as_deref(), assertion), evidence.path).await?
            }
            Presented::IdAlone { id } => {
                let found = directory.application(id);
                match self.certificate_alone(found, evidence.certificates, now) {
                    Ok((application, thumbprint)) => {
                        Ok(Proved { application, directory: None, by_certificate: Some(thumbprint) })
                    }
                    Err(reason) => Err((found.is_some(), reason)),
                }
            }
            Presented::Nothing => Err((false, NotAuthenticated::Credentials)),
        };
        Ok(proved)
    }

    /// The certificate that must come beside a secret or an assertion; `None` where none is asked for.
    fn second_factor(
        &self,
        application: &Arc<Application>,
        evidence: &Evidence<'_>,
        now: UnixMillis,
    ) -> Result<Option<[u8; 32]>, NotAuthenticated> {
        match application.registration.second_factor {
            SecondFactor::Ignored => Ok(None),
            SecondFactor::Required => {
                self.certificate_beside(application, evidence.certificates, now).map(Some)
            }
        }
    }

    /// Before anything is spent on a proof: whether its address has not sent too many that were wrong.
    pub(crate) fn may_be_looked_at(&self, evidence: &Evidence<'_>) -> Result<(), NotAuthenticated> {
        let brings_a_proof = !matches!(evidence.presented, Presented::Nothing);
        let Some(address) = evidence.from.filter(|_| brings_a_proof) else { return Ok(()) };
        self.limits.admit_proof(address, self.monotonic()).map_err(NotAuthenticated::LimitReached)
    }

    /// Counts a proof that was none, against its address and never against whom it names: otherwise a
    /// stranger could lock an application out.
    pub(crate) fn proof_failed(
        &self,
        evidence: &Evidence<'_>,
        now: UnixMillis,
        (known, reason): (bool, NotAuthenticated),
    ) -> NotAuthenticated {
        self.failures.count(now, known);
        let kind = match (&evidence.presented, reason) {
            (Presented::Nothing, _) => FailedProof::Nothing,
            (_, NotAuthenticated::CertificateInvalid) => FailedProof::CertificateInvalid,
            // What came beside it was right, or nothing did.
            (_, NotAuthenticated::CertificateMissing) => FailedProof::CertificateMissing,
            (..) if known => FailedProof::Wrong,
            (..) => FailedProof::Unknown,
        };
        self.counts.fail_proof(kind);
        if let (Some(address), true) = (evidence.from, kind.is_an_attempt()) {
            self.limits.proof_failed(address, self.monotonic());
        }
        reason
    }
}
