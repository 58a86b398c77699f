//! RFC 8705 2.2: certificates that stand in a registration.

use procura_protocol::time::UnixSeconds;
use procura_testkit::pki::rcgen::{CertificateParams, KeyPair};
use procura_testkit::pki::{Authority, BEGINS, ENDS, Issued, self_signed, set_window};
use procura_x509::{Certificate, CertificateProblem, InvalidCertificate, judge_registered, own_certificate};

use crate::support::{NOW, now};

fn nothing(_: &mut CertificateParams) {}

fn read(issued: &Issued) -> Certificate {
    Certificate::from_der(&issued.der).unwrap()
}

fn judged(own: &Issued, registered: &[(&Issued, Option<i64>)]) -> Result<(), CertificateProblem> {
    let registered = registered.iter().map(|(issued, ends)| {
        let ends = ends.map(|after| NOW.plus(after));
        (read(issued).thumbprint(), ends)
    });
    judge_registered(&read(own), registered, NOW)
}

#[test]
fn either_of_two_registered_certificates_holds() {
    let (old, new) = (self_signed(nothing), self_signed(nothing));
    let registered = [(&old, None), (&new, Some(1))];
    assert_eq!(judged(&old, &registered), Ok(()));
    assert_eq!(judged(&new, &registered), Ok(()));
}

#[test]
fn one_that_nobody_registered_does_not_even_for_the_same_key_and_name() {
    let registered = self_signed(nothing);
    let key = KeyPair::from_pem(&registered.key_pem).unwrap();
    let again = Authority::new("Another").issue_for(&key, nothing);
    assert_eq!(judged(&again, &[(&registered, None)]), Err(CertificateProblem::NotRegistered));
    assert_eq!(judged(&registered, &[]), Err(CertificateProblem::NotRegistered));
}

#[test]
fn its_own_window_and_that_of_the_registration_both_end_it() {
    let with = |first, last| self_signed(|params| set_window(params, first, last));
    let alone = |issued: &Issued| judged(issued, &[(issued, None)]);
    assert_eq!(alone(&with(BEGINS, now())), Ok(()));
    assert_eq!(alone(&with(BEGINS, now() - 1)), Err(CertificateProblem::Expired));
    assert_eq!(alone(&with(now() + 1, ENDS)), Err(CertificateProblem::NotYetValid));
    let good = self_signed(nothing);
    assert_eq!(judged(&good, &[(&good, Some(1))]), Ok(()));
    assert_eq!(judged(&good, &[(&good, Some(0))]), Err(CertificateProblem::RegistrationExpired));
}

#[test]
fn who_issued_it_and_for_what_does_not_matter() {
    let issued = Authority::new("Nobody Knows").issue(|params| params.extended_key_usages = vec![]);
    assert_eq!(judged(&issued, &[(&issued, None)]), Ok(()));
}

#[test]
fn what_comes_with_it_is_not_read_but_bounded() {
    let own = self_signed(nothing).der;
    let with = |others: Vec<Box<[u8]>>| {
        own_certificate(&[vec![own.clone()], others].concat()).map(|own| own.thumbprint())
    };
    assert!(with(vec![Box::from(&b"junk"[..])]).is_ok());
    assert_eq!(with(vec![Box::default(); 5]), Err(CertificateProblem::TooMany));
    assert_eq!(with(vec![vec![0; 16 * 1024 + 1].into()]), Err(CertificateProblem::TooLarge));
    assert_eq!(own_certificate(&[]).map(drop), Err(CertificateProblem::Malformed));
}

#[test]
fn a_registration_takes_one_certificate_in_pem_and_no_private_key() {
    let issued = self_signed(nothing);
    let read = |pem: &str| Certificate::from_pem(pem.as_bytes()).map(|read| read.thumbprint());
    assert_eq!(read(&format!("subject=CN = partner\n{}", issued.pem)), Ok(self::read(&issued).thumbprint()));
    for bad in [
        String::new(),
        format!("{}{}", issued.pem, issued.pem),
        format!("{}{}", issued.pem, issued.key_pem),
        issued.key_pem.clone(),
        issued.pem[..100].to_owned(),
    ] {
        assert_eq!(read(&bad), Err(InvalidCertificate::NotOne));
    }
}

#[test]
fn a_certificate_says_when_it_is_valid_and_whose_it_is() {
    let read = read(&self_signed(|params| set_window(params, BEGINS, now())));
    let begins = UnixSeconds(i64::try_from(BEGINS).unwrap());
    assert_eq!((read.not_before(), read.not_after()), (begins, NOW));
    assert_eq!(read.subject(), procura_testkit::pki::PARTNER_DN);
    let shown = format!("{read:?}");
    assert!(!shown.contains("partner"), "no names in logs: {shown}");
}
