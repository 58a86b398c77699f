//! Contract, chapter 6: an application proves itself by a certificate, alone or beside a secret (RFC 8705).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use procura_jose::digest::sha256;
use procura_protocol::application_auth::{AuthMethods, CertificateSubject, SecondFactor};
use procura_testkit::clock::BEGINNING;
use procura_testkit::pki::rcgen::SanType;
use procura_testkit::pki::{
    Authority, BEGINS, ENDS, Issued, PARTNER_DN, PARTNER_HOST, self_signed, set_window,
};
use procura_testkit::world::{APPLICATION, SECRET, UNTRUSTED};
use procura_testkit::{Answer, TestApp, World};
use procura_x509::CertificateProblem;
use serde_json::{Value, json};

use crate::certificates::{
    Asked, assert_missing, assert_wrong, by_certificates, by_subject, counted, entry, nothing, now,
    registered, serving, trusting, with_second_factor,
};
use crate::support::{assert_refused, listed};

#[tokio::test]
async fn a_certificate_of_a_configured_authority_with_the_registered_subject_gets_a_token() {
    let root = Authority::new("Root");
    let leaf = root.issue(|params| {
        params.subject_alt_names = vec![
            SanType::DnsName("second.example".try_into().unwrap()),
            SanType::DnsName(PARTNER_HOST.try_into().unwrap()),
            SanType::URI("urn:partner:1".try_into().unwrap()),
            SanType::IpAddress([192, 0, 2, 7].into()),
            SanType::Rfc822Name("ops@partner.example".try_into().unwrap()),
        ];
    });
    for subject in [
        CertificateSubject::Dn(PARTNER_DN.into()),
        CertificateSubject::Dns(PARTNER_HOST.into()),
        CertificateSubject::Uri("urn:partner:1".into()),
        CertificateSubject::Ip([192, 0, 2, 7].into()),
        CertificateSubject::Email("ops@partner.example".into()),
    ] {
        let world = registered(|registration| {
            by_subject(registration);
            registration.subject = Some(subject);
        });
        let app = serving(&world, &[&root]);
        let answer = Asked::alone().by(&[&leaf]).of(&app).await;
        assert_eq!(listed(&app, &answer).len(), 3);
    }
}

#[tokio::test]
async fn either_of_two_registered_certificates_gets_a_token() {
    let (old, new, other) = (self_signed(nothing), self_signed(nothing), self_signed(nothing));
    let app = TestApp::new(&registered(|registration| by_certificates(registration, &[&old, &new])));
    assert_eq!(Asked::alone().by(&[&old]).of(&app).await.status, 200);
    assert_eq!(Asked::alone().by(&[&new]).of(&app).await.status, 200);
    assert_wrong(&Asked::alone().by(&[&other]).of(&app).await);
    assert_eq!(counted(&app), [(CertificateProblem::NotRegistered, 1)]);
}

#[tokio::test]
async fn a_registered_certificate_has_an_end_that_the_registration_may_bring_forward() {
    let (short, long) = (self_signed(|params| set_window(params, BEGINS, now())), self_signed(nothing));
    let app = TestApp::new(&registered(|registration| {
        by_certificates(registration, &[&short]);
        registration.certificates = [entry(&short, None), entry(&long, Some(BEGINNING.plus(1)))].into();
    }));
    assert_eq!(Asked::alone().by(&[&short]).of(&app).await.status, 200);
    assert_eq!(Asked::alone().by(&[&long]).of(&app).await.status, 200);
    app.clock.advance(Duration::from_secs(1));
    assert_wrong(&Asked::alone().by(&[&short]).of(&app).await);
    assert_wrong(&Asked::alone().by(&[&long]).of(&app).await);
    assert_eq!(
        counted(&app),
        [(CertificateProblem::Expired, 1), (CertificateProblem::RegistrationExpired, 1)]
    );
}

#[tokio::test]
async fn a_bare_id_is_answered_alike_whether_or_not_the_application_exists_or_may_have_a_certificate() {
    let root = Authority::new("Root");
    let mut wrong = Vec::new();
    let mut missing = Vec::new();
    for (world, id) in [
        (registered(by_subject), APPLICATION),
        (registered(by_subject), "app_nobody"),
        (registered(by_subject), "no id at all"),
        (registered(by_subject), UNTRUSTED),
        (World::default(), APPLICATION),
        (registered(by_subject).application(|application| application.active = false), APPLICATION),
    ] {
        let app = serving(&world, &[&root]);
        let asked = || Asked::token(&format!("client_id={id}"));
        missing.push(asked().of(&app).await);
        let expired = root.issue(|params| set_window(params, BEGINS, now() - 1));
        wrong.push(asked().by(&[&expired]).of(&app).await);
    }
    missing.iter().for_each(assert_missing);
    wrong.iter().for_each(assert_wrong);
    assert!(missing.windows(2).all(|two| two[0] == two[1]), "{missing:?}");
    assert!(wrong.windows(2).all(|two| two[0] == two[1]), "{wrong:?}");
}

#[tokio::test]
async fn a_right_certificate_proves_no_application_that_is_not_registered_for_it() {
    let root = Authority::new("Root");
    let leaf = root.issue(nothing);
    let app = serving(
        &registered(|registration| {
            registration.subject = Some(CertificateSubject::Dn(PARTNER_DN.into()));
            registration.certificates = [entry(&leaf, None)].into();
        }),
        &[&root],
    );
    assert_wrong(&Asked::alone().by(&[&leaf]).of(&app).await);
    let disabled = registered(by_subject).application(|application| application.active = false);
    assert_wrong(&Asked::alone().by(&[&leaf]).of(&serving(&disabled, &[&root])).await);
}

#[tokio::test]
async fn each_method_takes_its_own_certificates_only() {
    let root = Authority::new("Root");
    let (leaf, own) = (root.issue(nothing), self_signed(nothing));
    let by_own = serving(
        &registered(|registration| {
            by_certificates(registration, &[&own]);
            registration.subject = Some(CertificateSubject::Dn(PARTNER_DN.into()));
        }),
        &[&root],
    );
    assert_wrong(&Asked::alone().by(&[&leaf]).of(&by_own).await);
    let by_name = serving(
        &registered(|registration| {
            by_subject(registration);
            registration.certificates = [entry(&own, None)].into();
        }),
        &[&root],
    );
    assert_wrong(&Asked::alone().by(&[&own]).of(&by_name).await);
    let by_both = serving(
        &registered(|registration| {
            by_subject(registration);
            registration.methods = AuthMethods::parse("tls_client_auth self_signed_tls_client_auth").unwrap();
            registration.certificates = [entry(&own, None)].into();
        }),
        &[&root],
    );
    assert_eq!(Asked::alone().by(&[&leaf]).of(&by_both).await.status, 200);
    assert_eq!(Asked::alone().by(&[&own]).of(&by_both).await.status, 200);
}

#[tokio::test]
async fn without_a_configured_authority_no_subject_is_believed() {
    let root = Authority::new("Root");
    let app = TestApp::new(&registered(by_subject));
    assert_wrong(&Asked::alone().by(&[&root.issue(nothing)]).of(&app).await);
    assert_eq!(counted(&app), [(CertificateProblem::NoAuthorities, 1)]);
}

#[tokio::test]
async fn a_second_factor_is_looked_at_after_the_secret_was_found_right() {
    let root = Authority::new("Root");
    let (right, wrong) = (root.issue(nothing), self_signed(nothing));
    let app = serving(&registered(with_second_factor), &[&root]);
    for chain in [&[][..], &[&wrong][..], &[&right][..]] {
        let answer = Asked::with_secret("pcs_wrong").by(chain).of(&app).await;
        assert_refused(&answer, 401, "invalid_client");
    }
    assert_eq!(counted(&app), []);
    assert_missing(&Asked::with_secret(SECRET).of(&app).await);
    assert_wrong(&Asked::with_secret(SECRET).by(&[&wrong]).of(&app).await);
    assert_eq!(Asked::with_secret(SECRET).by(&[&right]).of(&app).await.status, 200);
    let in_form = Asked::token(&format!("client_id={APPLICATION}&client_secret={SECRET}"));
    assert_eq!(in_form.by(&[&right]).of(&app).await.status, 200);
}

#[tokio::test]
async fn a_second_factor_alone_proves_nothing() {
    let root = Authority::new("Root");
    let app = serving(&registered(with_second_factor), &[&root]);
    assert_wrong(&Asked::alone().by(&[&root.issue(nothing)]).of(&app).await);
}

#[tokio::test]
async fn a_second_factor_is_by_subject_where_one_is_registered_and_else_a_registered_certificate() {
    let root = Authority::new("Root");
    let (leaf, own) = (root.issue(nothing), self_signed(nothing));
    let by_own = serving(
        &registered(|registration| {
            registration.second_factor = SecondFactor::Required;
            registration.certificates = [entry(&own, None)].into();
        }),
        &[&root],
    );
    assert_eq!(Asked::with_secret(SECRET).by(&[&own]).of(&by_own).await.status, 200);
    assert_wrong(&Asked::with_secret(SECRET).by(&[&leaf]).of(&by_own).await);
    let by_name = serving(
        &registered(|registration| {
            with_second_factor(registration);
            registration.certificates = [entry(&own, None)].into();
        }),
        &[&root],
    );
    assert_eq!(Asked::with_secret(SECRET).by(&[&leaf]).of(&by_name).await.status, 200);
    assert_wrong(&Asked::with_secret(SECRET).by(&[&own]).of(&by_name).await);
}

#[tokio::test]
async fn a_certificate_that_is_to_be_ignored_is_not_even_looked_at() {
    let app = TestApp::new(&World::default());
    let asked = Asked { chain: vec![Box::from(&b"junk"[..])], ..Asked::with_secret(SECRET) };
    assert_eq!(asked.of(&app).await.status, 200);
    assert_eq!(counted(&app), []);
}

#[tokio::test]
async fn a_certificate_makes_no_wrong_secret_right() {
    let root = Authority::new("Root");
    let leaf = root.issue(nothing);
    let both = registered(|registration| {
        by_subject(registration);
        registration.methods = AuthMethods::parse("client_secret_basic tls_client_auth").unwrap();
    });
    let app = serving(&both, &[&root]);
    assert_eq!(Asked::alone().by(&[&leaf]).of(&app).await.status, 200);
    assert_eq!(Asked::with_secret(SECRET).of(&app).await.status, 200);
    let wrong = Asked::with_secret("pcs_wrong").by(&[&leaf]).of(&app).await;
    assert_refused(&wrong, 401, "invalid_client");
    let only = serving(&registered(by_subject), &[&root]);
    let secret = Asked::with_secret(SECRET).by(&[&leaf]).of(&only).await;
    assert_refused(&secret, 401, "invalid_client");
}

#[tokio::test]
async fn two_methods_stay_an_invalid_request_beside_a_certificate() {
    let root = Authority::new("Root");
    let app = serving(&registered(with_second_factor), &[&root]);
    let leaf = root.issue(nothing);
    let two = format!("client_id={APPLICATION}&client_secret={SECRET}");
    let asked = Asked { form: two, ..Asked::with_secret(SECRET) };
    assert_refused(&asked.by(&[&leaf]).of(&app).await, 400, "invalid_request");
    let one = Asked { form: format!("client_id={APPLICATION}"), ..Asked::with_secret(SECRET) };
    assert_eq!(one.by(&[&leaf]).of(&app).await.status, 200);
}

#[tokio::test]
async fn without_an_id_a_certificate_names_nobody() {
    let root = Authority::new("Root");
    let app = serving(&registered(by_subject), &[&root]);
    let answer = Asked::token("").by(&[&root.issue(nothing)]).of(&app).await;
    assert_refused(&answer, 401, "invalid_client");
}

#[tokio::test]
async fn the_list_of_contacts_takes_a_certificate_and_an_id_in_the_query() {
    let root = Authority::new("Root");
    let app = serving(&registered(by_subject), &[&root]);
    let asked = || Asked {
        method: Method::GET,
        path: format!("/info/available-contacts?client_id={APPLICATION}"),
        ..Asked::token("")
    };
    assert_eq!(asked().by(&[&root.issue(nothing)]).of(&app).await.status, 200);
    assert_wrong(&asked().by(&[&self_signed(nothing)]).of(&app).await);
    assert_missing(&asked().of(&app).await);
}

#[tokio::test]
async fn standard_endpoints_say_invalid_client_whatever_is_wrong_with_the_certificate() {
    let root = Authority::new("Root");
    let (right, wrong) = (root.issue(nothing), self_signed(nothing));
    let alone = serving(&registered(by_subject), &[&root]);
    let beside = serving(&registered(with_second_factor), &[&root]);
    for path in ["/revoke", "/introspect"] {
        let asked = |form: &str| Asked { path: path.to_owned(), ..Asked::token(&format!("token=x{form}")) };
        for chain in [&[][..], &[&wrong][..]] {
            let bare = asked(&format!("&client_id={APPLICATION}")).by(chain).of(&alone).await;
            assert_refused(&bare, 401, "invalid_client");
            let second =
                Asked { basic: Some((APPLICATION, SECRET)), ..asked("") }.by(chain).of(&beside).await;
            assert_refused(&second, 401, "invalid_client");
        }
        let bare = asked(&format!("&client_id={APPLICATION}")).by(&[&right]).of(&alone).await;
        assert_eq!(bare.status, 200, "{path}");
        let second =
            Asked { basic: Some((APPLICATION, SECRET)), ..asked("") }.by(&[&right]).of(&beside).await;
        assert_eq!(second.status, 200, "{path}");
    }
}

#[tokio::test]
async fn what_is_taken_out_of_a_registration_proves_nothing_from_the_next_request_on() {
    let root = Authority::new("Root");
    let leaf = root.issue(nothing);
    let app = serving(&registered(by_subject), &[&root]);
    assert_eq!(Asked::alone().by(&[&leaf]).of(&app).await.status, 200);
    let other = registered(|registration| {
        by_subject(registration);
        registration.subject = Some(CertificateSubject::Dns("other.example".into()));
    });
    app.store.set(other.publish());
    assert_wrong(&Asked::alone().by(&[&leaf]).of(&app).await);
    let own = self_signed(nothing);
    app.store.set(registered(|registration| by_certificates(registration, &[&own])).publish());
    assert_eq!(Asked::alone().by(&[&own]).of(&app).await.status, 200);
    app.store.set(registered(|registration| by_certificates(registration, &[])).publish());
    assert_wrong(&Asked::alone().by(&[&own]).of(&app).await);
}

#[tokio::test]
async fn what_is_revoked_proves_nothing_from_the_moment_that_the_list_is_read() {
    let root = Authority::new("Root");
    let leaf = root.issue(nothing);
    let app = serving(&registered(by_subject), &[&root]);
    assert_eq!(Asked::alone().by(&[&leaf]).of(&app).await.status, 200);
    app.engine.set_client_authorities(Some(trusting(&[&root], &[root.crl(&[&leaf], ENDS)])));
    assert_wrong(&Asked::alone().by(&[&leaf]).of(&app).await);
    app.engine.set_client_authorities(Some(trusting(&[&root], &[root.crl(&[], ENDS)])));
    assert_eq!(Asked::alone().by(&[&leaf]).of(&app).await.status, 200);
    assert_eq!(counted(&app), [(CertificateProblem::Revoked, 1)]);
}

#[tokio::test]
async fn when_the_list_is_stale_nobody_is_proved_by_it() {
    let root = Authority::new("Root");
    let leaf = root.issue(nothing);
    let app = TestApp::new(&registered(by_subject));
    app.engine.set_client_authorities(Some(trusting(&[&root], &[root.crl(&[], now() + 5)])));
    assert_eq!(Asked::alone().by(&[&leaf]).of(&app).await.status, 200);
    app.clock.advance(Duration::from_secs(5));
    assert_wrong(&Asked::alone().by(&[&leaf]).of(&app).await);
    assert_eq!(counted(&app), [(CertificateProblem::StaleCrl, 1)]);
}

#[tokio::test]
async fn a_certificate_that_ends_between_two_requests_proves_only_the_first() {
    let root = Authority::new("Root");
    let leaf = root.issue(|params| set_window(params, BEGINS, now()));
    let app = serving(&registered(by_subject), &[&root]);
    assert_eq!(Asked::alone().by(&[&leaf]).of(&app).await.status, 200);
    app.clock.advance(Duration::from_secs(1));
    assert_wrong(&Asked::alone().by(&[&leaf]).of(&app).await);
}

#[tokio::test]
async fn a_wrong_certificate_is_a_failed_authentication_of_an_application_that_exists_or_not() {
    let app = TestApp::new(&registered(by_subject));
    for id in [APPLICATION, "app_nobody", "app_nobody"] {
        Asked::token(&format!("client_id={id}")).by(&[&self_signed(nothing)]).of(&app).await;
    }
    let failures = app.engine.authentication_failures().take().unwrap();
    assert_eq!((failures.known_application, failures.unknown_application), (1, 2));
    assert!(app.journal.records().is_empty());
}

/// `cnf` of the access token in an answer (RFC 8705 3.1).
fn binding(app: &TestApp, answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    app.access_token(answer)["cnf"].clone()
}

/// The binding to that certificate.
fn bound_to(issued: &Issued) -> Value {
    json!({ "x5t#S256": URL_SAFE_NO_PAD.encode(sha256(&issued.der)) })
}

#[tokio::test]
async fn tokens_are_bound_to_the_certificate_that_the_application_must_have() {
    let root = Authority::new("Root");
    let (leaf, own) = (root.issue(nothing), self_signed(nothing));
    let app = serving(&registered(by_subject), &[&root]);
    assert_eq!(binding(&app, &Asked::alone().by(&[&leaf, &root.own]).of(&app).await), bound_to(&leaf));
    let app = serving(&registered(|registration| by_certificates(registration, &[&own])), &[&root]);
    assert_eq!(binding(&app, &Asked::alone().by(&[&own]).of(&app).await), bound_to(&own));
    let app = serving(&registered(with_second_factor), &[&root]);
    assert_eq!(binding(&app, &Asked::with_secret(SECRET).by(&[&leaf]).of(&app).await), bound_to(&leaf));
}

#[tokio::test]
async fn tokens_are_not_bound_where_the_registration_says_so_or_nobody_asks_for_a_certificate() {
    let root = Authority::new("Root");
    let leaf = root.issue(nothing);
    let unbound = registered(|registration| {
        by_subject(registration);
        registration.bound_tokens = false;
    });
    let app = serving(&unbound, &[&root]);
    assert_eq!(binding(&app, &Asked::alone().by(&[&leaf]).of(&app).await), Value::Null);
    let app = serving(&World::default(), &[&root]);
    assert_eq!(binding(&app, &Asked::with_secret(SECRET).by(&[&leaf]).of(&app).await), Value::Null);
}
