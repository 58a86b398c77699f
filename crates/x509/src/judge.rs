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

/// What chains are held against: authorities, and perhaps what they revoked.
#[derive(Debug)]
pub struct Authorities {
    /// Who may have issued a certificate.
    pub anchors: TrustAnchors,
    /// With lists, every certificate of a path needs an answer from one that is not stale.
    pub crls: Option<Crls>,
}

impl Authorities {
    /// Whether a path leads from a caller's own certificate to one of the authorities at `now`, over
    /// certificates among `others`, and the certificate is for TLS clients (RFC 5280 6, RFC 8705 2.1). Gives
    /// back the first second in which this must be asked again, because something that it rests on ends then.
    /// Whose certificate it is, is another question: [`Certificate::matches`].
    ///
    /// `others` may hold what the path does not need, but nothing that can't be read or has a weak key. Every
    /// certificate of the path and the authority's own must be valid now.
    pub fn judge(
        &self,
        own: &Certificate,
        others: &[Box<[u8]>],
        now: UnixSeconds,
    ) -> Result<UnixSeconds, CertificateProblem> {
        check_bounds(others, MAX_CHAIN - 1)?;
        let others = others.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, _>>()?;
        if !own.has_strong_key() || others.iter().any(|other| !other.has_strong_key()) {
            return Err(CertificateProblem::WeakKey);
        }
        if !own.is_for_clients() {
            return Err(CertificateProblem::WrongUsage);
        }
        let until = self.verify(own, &others, now)?;
        let stale = self.crls.as_ref().and_then(|crls| crls.next_update_after(now));
        Ok(stale.map_or(until, |stale| stale.min(until)))
    }

    /// Finds a path; the first second in which some certificate of it is over.
    fn verify(
        &self,
        own: &Certificate,
        others: &[Certificate],
        now: UnixSeconds,
    ) -> Result<UnixSeconds, CertificateProblem> {
        let der = own.certificate_der();
        let end_entity = EndEntityCert::try_from(&der).map_err(|error| problem(&error))?;
        let between: Vec<CertificateDer<'_>> = others.iter().map(Certificate::certificate_der).collect();
        let time = u64::try_from(now.0).map_err(|_| CertificateProblem::NotYetValid)?;
        let lists: Vec<_> = self.crls.iter().flat_map(Crls::as_slice).collect();
        let may_issue = |path: &VerifiedPath<'_>| {
            let allowed = within(path, others).all(|issuer| issuer.is_some_and(Certificate::is_authority));
            if allowed { Ok(()) } else { Err(Error::EndEntityUsedAsCa) }
        };
        let path = end_entity
            .verify_for_usage(
                ALGORITHMS,
                self.anchors.as_slice(),
                &between,
                UnixTime::since_unix_epoch(Duration::from_secs(time)),
                KeyUsage::client_auth(),
                revocation(&lists),
                Some(&may_issue),
            )
            .map_err(|error| problem(&error))?;
        let anchor_ends = self.anchors.end_of(path.anchor(), now)?;
        let ends = within(&path, others).flatten().map(Certificate::not_after);
        Ok(ends.fold(own.not_after().min(anchor_ends), UnixSeconds::min).plus(1))
    }
}

/// Reads a caller's own certificate, the first of a chain that holds to the bounds. The others are not looked
/// at: a registered certificate needs none of them.
pub fn own_certificate(chain: &[Box<[u8]>]) -> Result<Certificate, CertificateProblem> {
    check_bounds(chain, MAX_CHAIN)?;
    let own = chain.first().ok_or(CertificateProblem::Malformed)?;
    Ok(Certificate::from_der(own)?)
}

/// Whether a caller's own certificate is one of those that were registered, each given as its SHA-256 and the
/// first second after its registration (RFC 8705 2.2), and is valid at `now`. Nothing is asked of its issuer
/// or its usage: whoever registered it has decided.
///
/// All of them are compared, whichever fits.
pub fn judge_registered(
    own: &Certificate,
    registered: impl IntoIterator<Item = ([u8; 32], Option<UnixSeconds>)>,
    now: UnixSeconds,
) -> Result<(), CertificateProblem> {
    let thumbprint = own.thumbprint();
    let mut found = None;
    for (registered, expires_at) in registered {
        if constant_time_eq(&registered, &thumbprint) {
            found = Some(expires_at);
        }
    }
    match found {
        None => Err(CertificateProblem::NotRegistered),
        Some(Some(end)) if end <= now => Err(CertificateProblem::RegistrationExpired),
        Some(_) if !own.has_strong_key() => Err(CertificateProblem::WeakKey),
        Some(_) if now < own.not_before() => Err(CertificateProblem::NotYetValid),
        Some(_) if own.not_after() < now => Err(CertificateProblem::Expired),
        Some(_) => Ok(()),
    }
}

fn check_bounds(chain: &[Box<[u8]>], most: usize) -> Result<(), CertificateProblem> {
    if chain.len() > most {
        return Err(CertificateProblem::TooMany);
    }
    if chain.iter().any(|der| der.len() > MAX_CERTIFICATE_BYTES) {
        return Err(CertificateProblem::TooLarge);
    }
    Ok(())
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
