//! A certificate (RFC 8705 2), as the only proof or as a second factor.
//!
//! That the caller has its private key was proved when the connection was made. Whether it is right is decided
//! here with every request, so that a certificate that expires, is revoked or is taken out of a registration
//! ends nothing but its own requests, and at once. What does not depend on the application (the chain) is
//! judged by [`judged`], which may remember it for a minute; what does is compared every time.

pub(crate) mod judged;

use std::sync::{Arc, LazyLock};

use procura_protocol::application_auth::{AuthMethod, AuthMethods};
use procura_protocol::time::{UnixMillis, UnixSeconds};
use procura_store::records::{Application, Registration};
use procura_store::{Journal, Store};
use procura_x509::{Authorities, Certificate, CertificateProblem, CertificateSubject, judge_registered};

use super::NotAuthenticated;
use crate::Engine;
use judged::{Chain, ProblemCount};

/// The registration that an unknown application's certificate is held against, so that it costs what a known
/// one's costs. Nothing fits it.
static NOBODY: LazyLock<Registration> = LazyLock::new(|| Registration {
    methods: AuthMethods::parse("tls_client_auth self_signed_tls_client_auth").unwrap_or(AuthMethods::SECRET),
    subject: Some(CertificateSubject::Dn("CN=nobody.invalid,O=Nobody,C=XX".into())),
    ..Registration::default()
});

impl<S: Store, J: Journal> Engine<S, J> {
    /// The authorities whose certificates are taken for `tls_client_auth` from now on; `None` takes none.
    pub fn set_client_authorities(&self, authorities: Option<Authorities>) {
        self.certificates.set_authorities(authorities);
    }

    /// How often certificates proved nothing, by reason: of applications that must have one.
    pub fn certificate_problems(&self) -> &ProblemCount {
        &self.certificates.problems
    }

    /// The application that named itself by its id alone, if the certificate of the connection is its own.
    /// Without a certificate, or with a wrong one, the answer is the same whether or not there is such an
    /// application and whatever it is registered for (contract, chapter 6), and so is the work.
    pub(super) fn certificate_alone(
        &self,
        found: Option<&Arc<Application>>,
        certificates: &[Box<[u8]>],
        now: UnixMillis,
    ) -> Result<(Arc<Application>, [u8; 32]), NotAuthenticated> {
        if certificates.is_empty() {
            return Err(NotAuthenticated::CertificateMissing);
        }
        let found = found.filter(|found| found.active && proves_by_certificate(&found.registration));
        let registration = found.map_or(&*NOBODY, |found| &*found.registration);
        let judged = self.certificates.judge(certificates, now.seconds(), self.clock.monotonic());
        let outcome = alone(&judged.chain, registration, now.seconds());
        match (found, outcome) {
            (Some(application), Ok(thumbprint)) => {
                self.certificates.remember(judged, true);
                Ok((Arc::clone(application), thumbprint))
            }
            (found, outcome) => {
                self.certificates.remember(judged, false);
                if let (Some(application), Err(problem)) = (found, outcome) {
                    self.certificates.problems.count(problem);
                    // Anybody can cause this line.
                    tracing::debug!(
                        application = %application.id,
                        problem = problem.name(),
                        "a certificate does not prove the application that it came for"
                    );
                }
                Err(NotAuthenticated::CertificateInvalid)
            }
        }
    }

    /// Whether the certificate is the second factor of an application whose secret or assertion was right; its
    /// SHA-256.
    pub(super) fn certificate_beside(
        &self,
        application: &Application,
        certificates: &[Box<[u8]>],
        now: UnixMillis,
    ) -> Result<[u8; 32], NotAuthenticated> {
        if certificates.is_empty() {
            return Err(NotAuthenticated::CertificateMissing);
        }
        let judged = self.certificates.judge(certificates, now.seconds(), self.clock.monotonic());
        let outcome = beside(&judged.chain, &application.registration, now.seconds());
        self.certificates.remember(judged, outcome.is_ok());
        outcome.map_err(|problem| {
            self.certificates.problems.count(problem);
            tracing::info!(
                application = %application.id,
                problem = problem.name(),
                "an application's first proof was right, and its certificate is not"
            );
            NotAuthenticated::CertificateInvalid
        })
    }
}

fn proves_by_certificate(registration: &Registration) -> bool {
    registration.methods.contains(AuthMethod::TlsClientAuth)
        || registration.methods.contains(AuthMethod::SelfSignedTlsClientAuth)
}

/// By either of the methods that the application is registered for.
fn alone(
    chain: &Chain,
    registration: &Registration,
    now: UnixSeconds,
) -> Result<[u8; 32], CertificateProblem> {
    let own = chain.own.as_ref().map_err(|problem| *problem)?;
    let methods = registration.methods;
    let by_subject =
        methods.contains(AuthMethod::TlsClientAuth).then(|| by_subject(chain, own, registration));
    let by_registered =
        methods.contains(AuthMethod::SelfSignedTlsClientAuth).then(|| by_registered(own, registration, now));
    match (by_subject, by_registered) {
        (Some(Ok(())), _) | (_, Some(Ok(()))) => Ok(own.thumbprint()),
        // Whoever is registered for both and sends no registered one meant to be known by the subject.
        (Some(Err(problem)), None | Some(Err(CertificateProblem::NotRegistered))) => Err(problem),
        (_, Some(Err(problem))) => Err(problem),
        (None, None) => Err(CertificateProblem::NotRegistered),
    }
}

/// By the subject, if the registration names one; else by the registered certificates.
fn beside(
    chain: &Chain,
    registration: &Registration,
    now: UnixSeconds,
) -> Result<[u8; 32], CertificateProblem> {
    let own = chain.own.as_ref().map_err(|problem| *problem)?;
    match registration.subject {
        Some(_) => by_subject(chain, own, registration)?,
        None => by_registered(own, registration, now)?,
    }
    Ok(own.thumbprint())
}

/// `tls_client_auth` (RFC 8705 2.1).
fn by_subject(
    chain: &Chain,
    own: &Certificate,
    registration: &Registration,
) -> Result<(), CertificateProblem> {
    let matches = registration.subject.as_ref().is_some_and(|subject| own.matches(subject));
    chain.path?;
    if matches { Ok(()) } else { Err(CertificateProblem::OtherSubject) }
}

/// `self_signed_tls_client_auth` (RFC 8705 2.2).
fn by_registered(
    own: &Certificate,
    registration: &Registration,
    now: UnixSeconds,
) -> Result<(), CertificateProblem> {
    let registered = registration.certificates.iter();
    judge_registered(own, registered.map(|certificate| (certificate.thumbprint, certificate.expires_at)), now)
}
