//! Chains, and the judgement of them at the clock of every test.

use procura_protocol::time::UnixSeconds;
use procura_testkit::clock::BEGINNING;
use procura_testkit::pki::{Authority, Issued};
use procura_x509::{Authorities, CertificateProblem, Crls, TrustAnchors, own_certificate};

/// When judgements are made.
pub(crate) const NOW: UnixSeconds = BEGINNING;

/// Unix time, as certificates are made with it.
pub(crate) fn now() -> u64 {
    u64::try_from(NOW.0).unwrap()
}

/// A chain as a caller presents it.
pub(crate) fn chain(certificates: &[&Issued]) -> Vec<Box<[u8]>> {
    certificates.iter().map(|issued| issued.der.clone()).collect()
}

/// Those who trust these roots, without revocation lists.
pub(crate) fn trusting(roots: &[&Authority]) -> Authorities {
    let pem: String = roots.iter().map(|root| root.own.pem.as_str()).collect();
    Authorities { anchors: TrustAnchors::from_pem(pem.as_bytes()).unwrap(), crls: None }
}

/// The same, with these lists.
pub(crate) fn with_lists(authorities: Authorities, lists: &[String]) -> Authorities {
    let pem = lists.concat();
    Authorities { crls: Some(Crls::from_pem(pem.as_bytes()).unwrap()), ..authorities }
}

/// The judgement of a chain now.
pub(crate) fn judged(
    chain: &[Box<[u8]>],
    authorities: &Authorities,
) -> Result<UnixSeconds, CertificateProblem> {
    let own = own_certificate(chain)?;
    authorities.judge(&own, &chain[1..], NOW)
}

/// The judgement of a certificate alone that this root issued.
pub(crate) fn judged_alone(root: &Authority, issued: &Issued) -> Result<UnixSeconds, CertificateProblem> {
    judged(&chain(&[issued]), &trusting(&[root]))
}
