//! Why a certificate proves nothing.

use thiserror::Error;

/// Why a presented certificate does not prove who presents it. For logs, counters and tests: the caller is
/// told one sentence for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[error("{}", self.name())]
pub enum CertificateProblem {
    /// A certificate is larger than [`crate::MAX_CERTIFICATE_BYTES`].
    TooLarge,
    /// There are more certificates than [`crate::MAX_CHAIN`].
    TooMany,
    /// One of them is not a certificate, or says something that its encoding forbids.
    Malformed,
    /// It has a critical extension that is not known here.
    UnsupportedExtension,
    /// A certificate of the path has expired.
    Expired,
    /// A certificate of the path is not valid yet.
    NotYetValid,
    /// No path leads to a configured authority.
    UnknownIssuer,
    /// A signature of the path does not verify.
    BadSignature,
    /// A signature of the path is made with an algorithm that is not taken, SHA-1 for instance.
    UnsupportedAlgorithm,
    /// A key is too short, or of a kind that is not taken.
    WeakKey,
    /// It is not for TLS clients: extended key usage without `clientAuth` or no such extension, a key usage
    /// without `digitalSignature`, or an authority's own certificate.
    WrongUsage,
    /// A certificate of the path that is no authority's issued another.
    IssuerIsNoAuthority,
    /// The path has more authorities than one of them allows.
    PathLength,
    /// A name is outside of what an authority may name, or of a kind whose constraint can't be judged here.
    NameConstraints,
    /// A certificate of the path was revoked.
    Revoked,
    /// Revocation lists are configured, and none of them answers for a certificate of the path.
    RevocationUnknown,
    /// The revocation list that answers is past its `nextUpdate`.
    StaleCrl,
    /// The revocation list that answers is not signed by the authority that it is of.
    BadCrl,
    /// Finding a path takes more work than is spent on it.
    TooComplex,
    /// No authority is configured.
    NoAuthorities,
    /// The names in it are not what the registration asks for: somebody else's certificate.
    OtherSubject,
    /// It is not among the registered certificates.
    NotRegistered,
    /// It is registered, and the registration has ended.
    RegistrationExpired,
}

impl CertificateProblem {
    /// Every problem.
    pub const ALL: [CertificateProblem; 23] = [
        CertificateProblem::TooLarge,
        CertificateProblem::TooMany,
        CertificateProblem::Malformed,
        CertificateProblem::UnsupportedExtension,
        CertificateProblem::Expired,
        CertificateProblem::NotYetValid,
        CertificateProblem::UnknownIssuer,
        CertificateProblem::BadSignature,
        CertificateProblem::UnsupportedAlgorithm,
        CertificateProblem::WeakKey,
        CertificateProblem::WrongUsage,
        CertificateProblem::IssuerIsNoAuthority,
        CertificateProblem::PathLength,
        CertificateProblem::NameConstraints,
        CertificateProblem::Revoked,
        CertificateProblem::RevocationUnknown,
        CertificateProblem::StaleCrl,
        CertificateProblem::BadCrl,
        CertificateProblem::TooComplex,
        CertificateProblem::NoAuthorities,
        CertificateProblem::OtherSubject,
        CertificateProblem::NotRegistered,
        CertificateProblem::RegistrationExpired,
    ];

    /// A word for logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            CertificateProblem::TooLarge => "too_large",
            CertificateProblem::TooMany => "too_many",
            CertificateProblem::Malformed => "malformed",
            CertificateProblem::UnsupportedExtension => "unsupported_extension",
            CertificateProblem::Expired => "expired",
            CertificateProblem::NotYetValid => "not_yet_valid",
            CertificateProblem::UnknownIssuer => "unknown_issuer",
            CertificateProblem::BadSignature => "bad_signature",
            CertificateProblem::UnsupportedAlgorithm => "unsupported_algorithm",
            CertificateProblem::WeakKey => "weak_key",
            CertificateProblem::WrongUsage => "wrong_usage",
            CertificateProblem::IssuerIsNoAuthority => "issuer_is_no_authority",
            CertificateProblem::PathLength => "path_length",
            CertificateProblem::NameConstraints => "name_constraints",
            CertificateProblem::Revoked => "revoked",
            CertificateProblem::RevocationUnknown => "revocation_unknown",
            CertificateProblem::StaleCrl => "stale_crl",
            CertificateProblem::BadCrl => "bad_crl",
            CertificateProblem::TooComplex => "too_complex",
            CertificateProblem::NoAuthorities => "no_authorities",
            CertificateProblem::OtherSubject => "other_subject",
            CertificateProblem::NotRegistered => "not_registered",
            CertificateProblem::RegistrationExpired => "registration_expired",
        }
    }
}

/// Bytes that are not a certificate that can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidCertificate {
    /// Larger than [`crate::MAX_CERTIFICATE_BYTES`].
    #[error("a certificate is larger than 16 KiB")]
    TooLarge,
    /// Not one X.509 v3 certificate in DER (RFC 5280 4.1), with nothing after it.
    #[error("this is not one X.509 version 3 certificate")]
    Malformed,
    /// It has a critical extension that is not known here, so what it means is not known either.
    #[error("the certificate has a critical extension that is not known here")]
    CriticalExtension,
    /// The text holds no certificate, or more than one.
    #[error("the text must hold exactly one certificate in PEM (BEGIN CERTIFICATE)")]
    NotOne,
}

impl From<InvalidCertificate> for CertificateProblem {
    fn from(invalid: InvalidCertificate) -> CertificateProblem {
        match invalid {
            InvalidCertificate::TooLarge => CertificateProblem::TooLarge,
            InvalidCertificate::CriticalExtension => CertificateProblem::UnsupportedExtension,
            InvalidCertificate::Malformed | InvalidCertificate::NotOne => CertificateProblem::Malformed,
        }
    }
}

/// A file of authorities or revocation lists that can't be used. `no` counts from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidBundle {
    /// Larger than [`crate::MAX_BUNDLE_BYTES`].
    #[error("the file is larger than 16 MiB")]
    TooLarge,
    /// Not PEM, or a section of it is broken.
    #[error("the file is not PEM")]
    NotPem,
    /// Nothing of the kind is in it.
    #[error("the file holds none of what it is for")]
    Empty,
    /// A certificate that can't be read.
    #[error("certificate {no} of the file: {problem}")]
    Certificate {
        /// Which one.
        no: usize,
        /// Why.
        problem: InvalidCertificate,
    },
    /// A certificate that is not an authority's (RFC 5280 4.2.1.9), or must not sign certificates.
    #[error("certificate {no} of the file is not an authority's")]
    NoAuthority {
        /// Which one.
        no: usize,
    },
    /// An authority whose key is too short or of a kind that is not taken.
    #[error("the key of certificate {no} of the file is too weak, or of a kind that is not taken")]
    WeakKey {
        /// Which one.
        no: usize,
    },
    /// A revocation list that can't be read, or is of a kind that is not judged here (delta, indirect).
    #[error(
        "revocation list {no} of the file can't be read, is not of version 2 with a number (crlNumber), or is a delta or an indirect list"
    )]
    Crl {
        /// Which one.
        no: usize,
    },
}
