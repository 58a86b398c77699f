//! Requests that come by a connection with certificates, and applications that are registered for them.

use std::sync::Arc;

use axum::body::Body;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, Request};
use procura_http::connection::ClientCertificate;
use procura_jose::digest::sha256;
use procura_protocol::application_auth::{AuthMethods, CertificateSubject, SecondFactor};
use procura_protocol::time::UnixSeconds;
use procura_store::records::{CredentialNo, RegisteredCertificate, Registration};
use procura_testkit::app::basic;
use procura_testkit::clock::BEGINNING;
use procura_testkit::pki::rcgen::CertificateParams;
use procura_testkit::pki::{Authority, Issued, PARTNER_DN};
use procura_testkit::world::APPLICATION;
use procura_testkit::{Answer, TestApp, World};
use procura_x509::{Authorities, CertificateProblem, Crls, TrustAnchors};

use crate::support::{FORM, assert_refused, contact_path};

/// A request, and the chain of the connection that it comes by.
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) basic: Option<(&'static str, &'static str)>,
    pub(crate) form: String,
    pub(crate) chain: Vec<Box<[u8]>>,
}

impl Asked {
    /// For a contact token, with a form.
    pub(crate) fn token(form: &str) -> Asked {
        Asked {
            method: Method::POST,
            path: contact_path(),
            basic: None,
            form: form.to_owned(),
            chain: vec![],
        }
    }

    /// As the application whose certificate is all that proves it.
    pub(crate) fn alone() -> Asked {
        Asked::token(&format!("client_id={APPLICATION}"))
    }

    /// As an application that has a secret.
    pub(crate) fn with_secret(secret: &'static str) -> Asked {
        Asked { basic: Some((APPLICATION, secret)), ..Asked::token("") }
    }

    pub(crate) fn by(self, chain: &[&Issued]) -> Asked {
        Asked { chain: chain.iter().map(|issued| issued.der.clone()).collect(), ..self }
    }

    pub(crate) async fn of(self, app: &TestApp) -> Answer {
        let mut request = Request::builder().method(self.method).uri(self.path);
        if let Some((id, secret)) = self.basic {
            request = request.header(AUTHORIZATION, basic(id, secret));
        }
        if !self.form.is_empty() {
            request = request.header(CONTENT_TYPE, FORM);
        }
        let mut request = request.body(Body::from(self.form)).unwrap();
        if let Some(certificate) = ClientCertificate::new(self.chain) {
            request.extensions_mut().insert(certificate);
        }
        app.send(request).await
    }
}

/// A world whose trusted application is registered so.
pub(crate) fn registered(change: impl FnOnce(&mut Registration)) -> World {
    World::default().application(|application| {
        let mut registration = Registration::default();
        change(&mut registration);
        application.registration = Arc::new(registration);
    })
}

/// By the subject that partners' certificates have, and by nothing else.
pub(crate) fn by_subject(registration: &mut Registration) {
    registration.methods = AuthMethods::parse("tls_client_auth").unwrap();
    registration.subject = Some(CertificateSubject::Dn(PARTNER_DN.into()));
}

/// By these certificates, and by nothing else.
pub(crate) fn by_certificates(registration: &mut Registration, certificates: &[&Issued]) {
    registration.methods = AuthMethods::parse("self_signed_tls_client_auth").unwrap();
    registration.certificates = certificates.iter().map(|issued| entry(issued, None)).collect();
}

/// By a secret, and a certificate beside it.
pub(crate) fn with_second_factor(registration: &mut Registration) {
    registration.second_factor = SecondFactor::Required;
    registration.subject = Some(CertificateSubject::Dn(PARTNER_DN.into()));
}

pub(crate) fn entry(issued: &Issued, expires_at: Option<UnixSeconds>) -> RegisteredCertificate {
    RegisteredCertificate { no: CredentialNo(1), thumbprint: sha256(&issued.der), expires_at }
}

/// A server that trusts these roots.
pub(crate) fn serving(world: &World, roots: &[&Authority]) -> TestApp {
    let app = TestApp::new(world);
    app.engine.set_client_authorities(Some(trusting(roots, &[])));
    app
}

pub(crate) fn trusting(roots: &[&Authority], lists: &[String]) -> Authorities {
    let pem: String = roots.iter().map(|root| root.own.pem.as_str()).collect();
    Authorities {
        anchors: TrustAnchors::from_pem(pem.as_bytes()).unwrap(),
        crls: (!lists.is_empty()).then(|| Crls::from_pem(lists.concat().as_bytes()).unwrap()),
    }
}

pub(crate) fn nothing(_: &mut CertificateParams) {}

/// A certificate came and is not right: always the same answer.
#[track_caller]
pub(crate) fn assert_wrong(answer: &Answer) {
    let sentence = assert_refused(answer, 495, "invalid_client");
    for reason in ["expired on", "revoked", "issuer", "chain", "unknown"] {
        assert!(!sentence.contains(reason), "no reason is told: {sentence}");
    }
}

/// A certificate must come, and none did: an answer without a body.
#[track_caller]
pub(crate) fn assert_missing(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.body.len()), (496, 0), "{answer:?}");
    assert_eq!(answer.header(CONTENT_LENGTH.as_str()), "0");
    assert_eq!(answer.header(CACHE_CONTROL.as_str()), "no-store");
    assert!(!answer.headers.contains_key(CONTENT_TYPE));
}

/// The problems that were counted.
pub(crate) fn counted(app: &TestApp) -> Vec<(CertificateProblem, u64)> {
    app.engine.certificate_problems().counts().filter(|(_, times)| *times > 0).collect()
}

/// When tests begin, as certificates are made with it.
pub(crate) fn now() -> u64 {
    u64::try_from(BEGINNING.0).unwrap()
}
