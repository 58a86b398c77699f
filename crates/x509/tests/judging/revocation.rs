//! RFC 5280 5 and 6.3: revocation lists.

use procura_protocol::time::UnixSeconds;
use procura_testkit::pki::{Authority, BEGINS, ENDS, rcgen};
use procura_x509::{CertificateProblem, Crls, InvalidBundle};

use crate::support::{chain, judged, now, trusting, with_lists};

fn nothing(_: &mut rcgen::CertificateParams) {}

#[test]
fn a_revoked_certificate_is_refused_and_its_neighbour_is_not() {
    let root = Authority::new("Root");
    let (revoked, good) = (root.issue(nothing), root.issue(nothing));
    let authorities = with_lists(trusting(&[&root]), &[root.crl(&[&revoked], ENDS)]);
    assert_eq!(judged(&chain(&[&revoked]), &authorities), Err(CertificateProblem::Revoked));
    assert!(judged(&chain(&[&good]), &authorities).is_ok());
}

#[test]
fn of_two_lists_of_one_authority_the_newer_one_decides_wherever_it_stands() {
    let root = Authority::new("Root");
    let (revoked, good) = (root.issue(nothing), root.issue(nothing));
    let older = root.crl_of(&[], BEGINS, ENDS);
    let newer = root.crl_of(&[&revoked], BEGINS + 1, now() + 9);
    let next = UnixSeconds(i64::try_from(now() + 9).unwrap());
    for lists in [[older.clone(), newer.clone()], [newer, older]] {
        let authorities = with_lists(trusting(&[&root]), &lists);
        assert_eq!(judged(&chain(&[&revoked]), &authorities), Err(CertificateProblem::Revoked));
        assert_eq!(judged(&chain(&[&good]), &authorities), Ok(next));
    }
}

#[test]
fn a_newer_list_that_is_stale_is_not_replaced_by_an_older_one_that_is_not() {
    let root = Authority::new("Root");
    let lists = [root.crl_of(&[], BEGINS, ENDS), root.crl_of(&[], BEGINS + 1, now())];
    let judged = judged(&chain(&[&root.issue(nothing)]), &with_lists(trusting(&[&root]), &lists));
    assert_eq!(judged, Err(CertificateProblem::StaleCrl));
}

#[test]
fn a_revoked_authority_ends_every_path_over_it() {
    let root = Authority::new("Root");
    let middle = root.below("Middle", nothing);
    let lists = [root.crl(&[&middle.own], ENDS), middle.crl(&[], ENDS)];
    let authorities = with_lists(trusting(&[&root]), &lists);
    let sent = chain(&[&middle.issue(nothing), &middle.own]);
    assert_eq!(judged(&sent, &authorities), Err(CertificateProblem::Revoked));
}

#[test]
fn a_stale_list_refuses_what_it_answers_for() {
    let root = Authority::new("Root");
    let leaf = root.issue(nothing);
    let judged = |next_update| {
        judged(&chain(&[&leaf]), &with_lists(trusting(&[&root]), &[root.crl(&[], next_update)]))
    };
    assert_eq!(judged(now()), Err(CertificateProblem::StaleCrl));
    let next = i64::try_from(now() + 1).unwrap();
    assert_eq!(judged(now() + 1), Ok(UnixSeconds(next)), "and must be asked again when it is stale");
}

#[test]
fn a_stale_list_of_another_authority_refuses_nothing() {
    let (root, other) = (Authority::new("Root"), Authority::new("Other"));
    let lists = [other.crl(&[], now() - 1), root.crl(&[], ENDS)];
    let authorities = with_lists(trusting(&[&root, &other]), &lists);
    assert!(judged(&chain(&[&root.issue(nothing)]), &authorities).is_ok());
    let theirs = judged(&chain(&[&other.issue(nothing)]), &authorities);
    assert_eq!(theirs, Err(CertificateProblem::StaleCrl));
}

#[test]
fn where_lists_are_configured_one_must_answer_for_every_certificate_of_the_path() {
    let root = Authority::new("Root");
    let middle = root.below("Middle", nothing);
    let sent = chain(&[&middle.issue(nothing), &middle.own]);
    let with = |lists: &[String]| judged(&sent, &with_lists(trusting(&[&root]), lists));
    assert!(with(&[root.crl(&[], ENDS), middle.crl(&[], ENDS)]).is_ok());
    for lists in [[root.crl(&[], ENDS)], [middle.crl(&[], ENDS)], [Authority::new("Other").crl(&[], ENDS)]] {
        assert_eq!(with(&lists), Err(CertificateProblem::RevocationUnknown));
    }
}

#[test]
fn a_list_that_another_authority_of_the_same_name_signed_is_bad() {
    let (root, namesake) = (Authority::new("Root"), Authority::new("Root"));
    let authorities = with_lists(trusting(&[&root]), &[namesake.crl(&[], ENDS)]);
    let judged = judged(&chain(&[&root.issue(nothing)]), &authorities);
    assert_eq!(judged, Err(CertificateProblem::BadCrl));
}

#[test]
fn a_file_of_lists_holds_nothing_else() {
    let root = Authority::new("Root");
    let read = |text: &str| Crls::from_pem(text.as_bytes()).map(|lists| (lists.len(), lists.next_update()));
    let (early, late) = (root.crl(&[], now() + 5), root.crl(&[], ENDS));
    let next = UnixSeconds(i64::try_from(now() + 5).unwrap());
    assert_eq!(read(&format!("{late}{early}")), Ok((2, next)));
    assert_eq!(read(""), Err(InvalidBundle::Empty));
    assert_eq!(read(&root.own.pem), Err(InvalidBundle::NotPem));
    let broken = late.replacen("\nMI", "\nMH", 1);
    assert_eq!(read(&broken), Err(InvalidBundle::Crl { no: 1 }));
}
