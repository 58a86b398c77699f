//! Whether a certificate holds now.

use std::time::Duration;

use procura_jose::digest::constant_time_eq;
use procura_protocol::time::UnixSeconds;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{
    EndEntityCert, Error, ExpirationPolicy, KeyUsage, RevocationCheckDepth, RevocationOptions,
    RevocationOptionsBuilder, UnknownStatusPolicy, VerifiedPath, aws_lc_rs,
};

use crate::bundle::{Crls, TrustAnchors};
use crate::certificate::Certificate;
use crate::problem::CertificateProblem;
use crate::{MAX_CERTIFICATE_BYTES, MAX_CHAIN};

/// The algorithms that may have signed a certificate or a revocation list. No SHA-1, and no RSA below 2048
/// bits.
static ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    aws_lc_rs::ECDSA_P256_SHA256,
    aws_lc_rs::ECDSA_P256_SHA384,
    aws_lc_rs::ECDSA_P256_SHA512,
    aws_lc_rs::ECDSA_P384_SHA256,
    aws_lc_rs::ECDSA_P384_SHA384,
    aws_lc_rs::ECDSA_P384_SHA512,
    aws_lc_rs::ECDSA_P521_SHA256,
    aws_lc_rs::ECDSA_P521_SHA384,
    aws_lc_rs::ECDSA_P521_SHA512,
    aws_lc_rs::ED25519,
    aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
    aws_lc_rs::RSA_PKCS1_2048_8192_SHA384,
    aws_lc_rs::RSA_PKCS1_2048_8192_SHA512,
    aws_lc_rs::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    aws_lc_rs::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    aws_lc_rs::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// A judgement in somebody's favour.
#[derive(Debug, Clone)]
pub struct Holds {
    /// The caller's own certificate.
    pub certificate: Certificate,
    /// The first second in which the judgement must be made again: something that it rests on ends.
    pub until: UnixSeconds,
}

/// Whether a chain, the caller's own certificate first, leads to one of the authorities at `now`, and is for
/// TLS clients (RFC 5280 6, RFC 8705 2.1). Whose it is, is another question:
/// [`Certificate::matches`].
///
/// Certificates beside the path are allowed, bad ones are not. Every certificate of the path and the
/// authority's own must be valid now. With `crls`, every certificate of the path needs an answer from one that
/// is not stale.
pub fn judge(
    chain: &[Box<[u8]>],
    anchors: &TrustAnchors,
    crls: Option<&Crls>,
    now: UnixSeconds,
) -> Result<Holds, CertificateProblem> {
    let (leaf, others) = read_chain(chain)?;
    if !leaf.has_strong_key() || others.iter().any(|other| !other.has_strong_key()) {
        return Err(CertificateProblem::WeakKey);
    }
    if !leaf.is_for_clients() {
        return Err(CertificateProblem::WrongUsage);
    }
    let mut until = verify(&leaf, &others, (anchors, crls), now)?;
    if let Some(next) = crls.and_then(|crls| crls.next_update_after(now)) {
        until = until.min(next);
    }
    Ok(Holds { certificate: leaf, until })
}

/// Whether the caller's own certificate is one of those that were registered, each given as its SHA-256 and
/// the first second after its registration (RFC 8705 2.2), and is valid at `now`. The rest of the chain does
/// not matter.
///
/// All of them are compared, whichever fits.
pub fn judge_registered(
    chain: &[Box<[u8]>],
    registered: impl IntoIterator<Item = ([u8; 32], Option<UnixSeconds>)>,
    now: UnixSeconds,
) -> Result<Holds, CertificateProblem> {
    check_bounds(chain)?;
    let own = chain.first().ok_or(CertificateProblem::Malformed)?;
    let certificate = Certificate::from_der(own)?;
    let thumbprint = certificate.thumbprint();
    let mut found: Option<Option<UnixSeconds>> = None;
    for (registered, expires_at) in registered {
        if constant_time_eq(&registered, &thumbprint) {
            found = Some(expires_at);
        }
    }
    let expires_at = found.ok_or(CertificateProblem::NotRegistered)?;
    if expires_at.is_some_and(|end| end <= now) {
        return Err(CertificateProblem::RegistrationExpired);
    }
    if !certificate.has_strong_key() {
        return Err(CertificateProblem::WeakKey);
    }
    if now < certificate.not_before() {
        return Err(CertificateProblem::NotYetValid);
    }
    if certificate.not_after() < now {
        return Err(CertificateProblem::Expired);
    }
    let end = certificate.not_after().plus(1);
    Ok(Holds { certificate, until: expires_at.map_or(end, |registered| registered.min(end)) })
}

fn check_bounds(chain: &[Box<[u8]>]) -> Result<(), CertificateProblem> {
    if chain.len() > MAX_CHAIN {
        return Err(CertificateProblem::TooMany);
    }
    if chain.iter().any(|der| der.len() > MAX_CERTIFICATE_BYTES) {
        return Err(CertificateProblem::TooLarge);
    }
    Ok(())
}

/// The caller's own certificate, and those that came with it.
fn read_chain(chain: &[Box<[u8]>]) -> Result<(Certificate, Vec<Certificate>), CertificateProblem> {
    check_bounds(chain)?;
    let mut read = chain.iter().map(|der| Certificate::from_der(der));
    let leaf = read.next().ok_or(CertificateProblem::Malformed)??;
    Ok((leaf, read.collect::<Result<_, _>>()?))
}

/// Finds a path; the first second in which some certificate of it is over.
fn verify(
    leaf: &Certificate,
    others: &[Certificate],
    (anchors, crls): (&TrustAnchors, Option<&Crls>),
    now: UnixSeconds,
) -> Result<UnixSeconds, CertificateProblem> {
    let der = leaf.certificate_der();
    let end_entity = EndEntityCert::try_from(&der).map_err(|error| problem(&error))?;
    let intermediates: Vec<CertificateDer<'_>> = others.iter().map(Certificate::certificate_der).collect();
    let time = u64::try_from(now.0).map_err(|_| CertificateProblem::NotYetValid)?;
    let lists: Vec<_> = crls.map(|crls| crls.as_slice().iter().collect()).unwrap_or_default();
    let may_issue = |path: &VerifiedPath<'_>| {
        let allowed = within(path, others).all(|issuer| issuer.is_some_and(Certificate::is_authority));
        if allowed { Ok(()) } else { Err(Error::EndEntityUsedAsCa) }
    };
    let path = end_entity
        .verify_for_usage(
            ALGORITHMS,
            anchors.as_slice(),
            &intermediates,
            UnixTime::since_unix_epoch(Duration::from_secs(time)),
            KeyUsage::client_auth(),
            revocation(&lists),
            Some(&may_issue),
        )
        .map_err(|error| problem(&error))?;
    let anchor_ends = anchors.end_of(path.anchor(), now)?;
    let ends = within(&path, others).flatten().map(Certificate::not_after);
    let last = ends.fold(leaf.not_after().min(anchor_ends), UnixSeconds::min);
    Ok(last.plus(1))
}

/// The certificates between the caller's own and the authority, as they were read.
fn within<'a>(
    path: &'a VerifiedPath<'_>,
    others: &'a [Certificate],
) -> impl Iterator<Item = Option<&'a Certificate>> {
    path.intermediate_certificates()
        .map(|between| others.iter().find(|other| other.der() == between.der().as_ref()))
}

fn revocation<'a>(lists: &'a [&'a webpki::CertRevocationList<'a>]) -> Option<RevocationOptions<'a>> {
    let options = RevocationOptionsBuilder::new(lists).ok()?;
    Some(
        options
            .with_depth(RevocationCheckDepth::Chain)
            .with_status_policy(UnknownStatusPolicy::Deny)
            .with_expiration_policy(ExpirationPolicy::Enforce)
            .build(),
    )
}

fn problem(error: &Error) -> CertificateProblem {
    match error {
        Error::CertExpired { .. } | Error::InvalidCertValidity => CertificateProblem::Expired,
        Error::CertNotValidYet { .. } => CertificateProblem::NotYetValid,
        Error::UnknownIssuer => CertificateProblem::UnknownIssuer,
        Error::InvalidSignatureForPublicKey | Error::SignatureAlgorithmMismatch => {
            CertificateProblem::BadSignature
        }
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            CertificateProblem::UnsupportedAlgorithm
        }
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension | Error::CaUsedAsEndEntity => {
            CertificateProblem::WrongUsage
        }
        Error::EndEntityUsedAsCa => CertificateProblem::IssuerIsNoAuthority,
        Error::PathLenConstraintViolated | Error::MaximumPathDepthExceeded => CertificateProblem::PathLength,
        Error::NameConstraintViolation
        | Error::MalformedNameConstraint
        | Error::InvalidNetworkMaskConstraint => CertificateProblem::NameConstraints,
        Error::CertRevoked => CertificateProblem::Revoked,
        Error::UnknownRevocationStatus => CertificateProblem::RevocationUnknown,
        Error::CrlExpired { .. } => CertificateProblem::StaleCrl,
        Error::InvalidCrlSignatureForPublicKey
        | Error::IssuerNotCrlSigner
        | Error::UnsupportedCrlSignatureAlgorithmContext(_)
        | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => CertificateProblem::BadCrl,
        Error::UnsupportedCriticalExtension => CertificateProblem::UnsupportedExtension,
        Error::MaximumNameConstraintComparisonsExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumSignatureChecksExceeded => CertificateProblem::TooComplex,
        // Everything else is about the encoding.
        _ => CertificateProblem::Malformed,
    }
}
