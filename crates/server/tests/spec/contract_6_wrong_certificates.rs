//! Contract, chapter 6: the ways in which a certificate is wrong. The caller can't tell one from another; what
//! was counted can.

use procura_testkit::Answer;
use procura_testkit::pki::rcgen::{BasicConstraints, CertificateParams, IsCa};
use procura_testkit::pki::{Authority, BEGINS, ENDS, self_signed, set_window};
use procura_x509::CertificateProblem;

use crate::certificates::{Asked, assert_wrong, by_subject, counted, nothing, now, registered, serving};

/// The answer to a certificate of a root that is trusted, or what else this makes; and what was counted.
async fn refused_for(make: impl FnOnce(&Authority) -> Vec<Box<[u8]>>) -> (Answer, CertificateProblem) {
    let root = Authority::new("Root");
    let app = serving(&registered(by_subject), &[&root]);
    let answer = Asked { chain: make(&root), ..Asked::alone() }.of(&app).await;
    assert_wrong(&answer);
    match *counted(&app) {
        [(problem, 1)] => (answer, problem),
        ref other => panic!("one problem: {other:?}"),
    }
}

/// The same, for a change to a certificate that works.
async fn refused_with(change: impl FnOnce(&mut CertificateParams)) -> CertificateProblem {
    refused_for(|root| vec![root.issue(change).der]).await.1
}

#[tokio::test]
async fn an_expired_certificate_is_a_wrong_one() {
    let problem = refused_with(|params| set_window(params, BEGINS, now() - 1)).await;
    assert_eq!(problem, CertificateProblem::Expired);
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_yet_is_a_wrong_one() {
    let problem = refused_with(|params| set_window(params, now() + 1, ENDS)).await;
    assert_eq!(problem, CertificateProblem::NotYetValid);
}

#[tokio::test]
async fn a_certificate_that_is_not_for_clients_is_a_wrong_one() {
    assert_eq!(
        refused_with(|params| params.extended_key_usages.clear()).await,
        CertificateProblem::WrongUsage
    );
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_a_wrong_one() {
    let (_, problem) = refused_for(|_| vec![Authority::new("Other").issue(nothing).der]).await;
    assert_eq!(problem, CertificateProblem::UnknownIssuer);
}

#[tokio::test]
async fn a_certificate_that_the_partner_signed_itself_is_a_wrong_one() {
    let (_, problem) = refused_for(|_| vec![self_signed(nothing).der]).await;
    assert_eq!(problem, CertificateProblem::UnknownIssuer);
}

#[tokio::test]
async fn the_certificate_of_another_application_is_a_wrong_one() {
    let problem = refused_with(|params| {
        params.distinguished_name = procura_testkit::pki::common_name("other.example");
    });
    assert_eq!(problem.await, CertificateProblem::OtherSubject);
}

#[tokio::test]
async fn a_certificate_that_can_t_be_read_is_a_wrong_one() {
    let (_, problem) = refused_for(|_| vec![Box::from(&b"junk"[..])]).await;
    assert_eq!(problem, CertificateProblem::Malformed);
}

#[tokio::test]
async fn an_authority_in_between_that_expired_makes_it_a_wrong_one() {
    let (_, problem) = refused_for(|root| {
        let middle = root.below("Middle", |params| set_window(params, BEGINS, now() - 1));
        vec![middle.issue(nothing).der, middle.own.der]
    })
    .await;
    assert_eq!(problem, CertificateProblem::Expired);
}

#[tokio::test]
async fn an_authority_below_one_that_may_have_none_makes_it_a_wrong_one() {
    let (_, problem) = refused_for(|root| {
        let middle = root.below("Middle", |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
        let low = middle.below("Low", nothing);
        vec![low.issue(nothing).der, low.own.der, middle.own.der]
    })
    .await;
    assert_eq!(problem, CertificateProblem::PathLength);
}

#[tokio::test]
async fn every_wrong_certificate_gets_the_same_answer_to_the_byte() {
    let expired =
        refused_for(|root| vec![root.issue(|params| set_window(params, BEGINS, now() - 1)).der]).await;
    let junk = refused_for(|_| vec![Box::from(&b"junk"[..])]).await;
    let foreign = refused_for(|_| vec![self_signed(nothing).der]).await;
    assert_eq!(expired.0, junk.0);
    assert_eq!(expired.0, foreign.0);
}
