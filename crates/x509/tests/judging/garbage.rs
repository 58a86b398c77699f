//! What is no certificate, or not one that is taken: never a panic, never a certificate.

use std::sync::LazyLock;

use procura_testkit::pki::{Authority, Issued, rcgen};
use procura_x509::{Authorities, Certificate, CertificateProblem, InvalidCertificate, own_certificate};
use proptest::prelude::*;

use crate::support::{NOW, judged, trusting};

/// A chain of two, and who trusts its root.
static CHAIN: LazyLock<(Issued, Issued, Authorities)> = LazyLock::new(|| {
    let root = Authority::new("Root");
    let middle = root.below("Middle", |_| {});
    (middle.issue(|_| {}), middle.own.clone(), trusting(&[&root]))
});

#[test]
fn what_is_no_certificate_is_malformed() {
    let good = &CHAIN.0.der;
    for bad in [&b""[..], b"junk", &good[..good.len() - 1], &[&good[..], b"\0"].concat(), &[0x30; 64]] {
        assert_eq!(Certificate::from_der(bad).map(drop), Err(InvalidCertificate::Malformed));
    }
}

#[test]
fn a_certificate_above_16_kib_is_not_read() {
    let large = Authority::new("Root").issue(|params| {
        let content = vec![0x04; 16 * 1024];
        params.custom_extensions =
            vec![rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 9], content)];
    });
    assert_eq!(Certificate::from_der(&large.der).map(drop), Err(InvalidCertificate::TooLarge));
    let sent = [large.der.clone()];
    assert_eq!(own_certificate(&sent).map(drop), Err(CertificateProblem::TooLarge));
    let sent = [CHAIN.0.der.clone(), large.der];
    assert_eq!(judged(&sent, &CHAIN.2), Err(CertificateProblem::TooLarge));
}

#[test]
fn junk_among_the_others_is_malformed() {
    let sent = [CHAIN.0.der.clone(), CHAIN.1.der.clone(), Box::from(&b"junk"[..])];
    assert_eq!(judged(&sent[..2], &CHAIN.2).map(drop), Ok(()));
    assert_eq!(judged(&sent, &CHAIN.2), Err(CertificateProblem::Malformed));
}

#[test]
fn every_problem_has_a_name_of_its_own() {
    let mut names: Vec<&str> = CertificateProblem::ALL.iter().map(|problem| problem.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CertificateProblem::ALL.len());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Certificate::from_der(&bytes).is_err());
        let _ = Certificate::from_pem(&bytes);
    }

    #[test]
    fn one_changed_byte_of_a_chain_never_holds_unless_nothing_needed_it(
        of_own in any::<bool>(), at in any::<prop::sample::Index>(), to in any::<u8>(),
    ) {
        let (own, between, authorities) = &*CHAIN;
        let mut chain = [own.der.clone(), between.der.clone()];
        let changed = &mut chain[usize::from(!of_own)];
        let at = at.index(changed.len());
        prop_assume!(changed[at] != to);
        changed[at] = to;
        prop_assert!(own_certificate(&chain).and_then(|own| authorities.judge(&own, &chain[1..], NOW)).is_err());
    }
}
