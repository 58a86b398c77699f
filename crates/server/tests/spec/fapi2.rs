//! What the modules on the profile `fapi2` share: an application of it, registered in each of the four ways that a
//! server without people has, and requests of it that are right.

use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Request};
use procura_http::connection::ClientCertificate;
use procura_jose::Algorithm;
use procura_protocol::application_auth::{AuthMethods, Profile, SecondFactor};
use procura_store::Clock as _;
use procura_store::records::Registration;
use procura_testkit::assertion::{AssertionKey, claims, form};
use procura_testkit::dpop::{Proof, ProofKey};
use procura_testkit::pki::{self, Issued};
use procura_testkit::world::{APPLICATION, CONTACT, ISSUER};
use procura_testkit::{Answer, TestApp, World};
use serde_json::{Value, json};

use crate::certificates::{by_certificates, registered};
use crate::granting;
use crate::support::{FORM, contact_path};

/// What something is proved with: who asks, or that a token is one's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum With {
    Key,
    Certificate,
}

/// How an application proves who it is, and what its tokens are bound to.
pub(crate) const WAYS: [(With, With); 4] = [
    (With::Key, With::Key),
    (With::Key, With::Certificate),
    (With::Certificate, With::Key),
    (With::Certificate, With::Certificate),
];

/// A server, and all that the application has.
pub(crate) struct Fapi {
    pub(crate) app: TestApp,
    pub(crate) way: (With, With),
    pub(crate) key: AssertionKey,
    pub(crate) proof_key: ProofKey,
    pub(crate) certificate: Issued,
    made: AtomicU32,
}

const ALGORITHMS: [Algorithm; 2] = [Algorithm::Es256, Algorithm::Rs256];

impl Fapi {
    pub(crate) fn new(way: (With, With)) -> Fapi {
        Fapi::with(way, |_| {}, |world| world)
    }

    /// At a server that does not know what the one before it was shown.
    pub(crate) fn after_another(way: (With, With)) -> Fapi {
        Fapi::on(way, |_| {}, |world| TestApp::after_another(&world, &ALGORITHMS))
    }

    /// With a registration and a world that were changed, as no operator can change them.
    pub(crate) fn with(
        way: (With, With),
        register: impl FnOnce(&mut Registration),
        change: impl FnOnce(World) -> World,
    ) -> Fapi {
        Fapi::on(way, register, |world| TestApp::with_algorithms(&change(world), &ALGORITHMS))
    }

    fn on(
        way: (With, With),
        register: impl FnOnce(&mut Registration),
        serve: impl FnOnce(World) -> TestApp,
    ) -> Fapi {
        let certificate = pki::self_signed(|_| {});
        let key = AssertionKey::new(Algorithm::Es256);
        let world = registered(|registration| {
            by_certificates(registration, &[&certificate]);
            if way.0 == With::Key {
                registration.methods = AuthMethods::parse("private_key_jwt").unwrap();
            }
            if way == (With::Key, With::Certificate) {
                registration.second_factor = SecondFactor::Required;
            }
            registration.keys = [key.registered()].into();
            registration.bound_tokens = way.1 == With::Certificate;
            registration.proof_of_key = way.1 == With::Key;
            registration.profile = Profile::Fapi2;
            register(registration);
        });
        let app = serve(world);
        let proof_key = ProofKey::new(Algorithm::Es256);
        Fapi { app, way, key, proof_key, certificate, made: AtomicU32::new(0) }
    }

    /// Whether a certificate comes with its requests.
    pub(crate) fn shows_a_certificate(&self) -> bool {
        self.way != (With::Key, With::Key)
    }

    /// A name that no assertion had before.
    pub(crate) fn id(&self) -> String {
        format!("assertion-{}", self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// The claims of an assertion of now that is right.
    pub(crate) fn claims(&self) -> Value {
        let now = self.app.clock.now().seconds().0;
        let mut claims = claims(&self.id());
        for (name, at) in [("iat", now), ("nbf", now), ("exp", now + 60)] {
            claims[name] = json!(at);
        }
        claims
    }

    /// A proof of now for that endpoint.
    pub(crate) fn proof(&self, path: &str) -> Proof<'_> {
        let proof = self.proof_key.for_request("POST", &format!("{ISSUER}{path}"));
        proof.claim("iat", self.app.clock.now().seconds().0)
    }

    /// A request that is right, with this form beside what proves who asks.
    pub(crate) fn request(&self, path: &str, asked: &str) -> Sent {
        let signed = self.key.sign(&self.key.header(), &self.claims());
        let who = match self.way.0 {
            With::Key => form(&signed),
            With::Certificate => format!("client_id={APPLICATION}"),
        };
        let mut sent = Sent { path: path.to_owned(), who, asked: asked.to_owned(), ..Sent::default() };
        if self.shows_a_certificate() {
            sent.chain = vec![self.certificate.der.clone()];
        }
        // Tokens alone are bound; other endpoints take no proof and look at none.
        if self.way.1 == With::Key && path.starts_with("/token") {
            sent.proofs = vec![self.proof(path).sign()];
        }
        sent
    }

    /// The path and the form of each way to ask for a token.
    pub(crate) fn doors(&self) -> [(String, String); 4] {
        let grant = || self.key.grant(CONTACT, &self.id());
        [
            (contact_path(), String::new()),
            ("/token".to_owned(), "grant_type=client_credentials".to_owned()),
            ("/token".to_owned(), granting::Door::JwtBearer.form(&grant())),
            ("/token".to_owned(), granting::Door::Exchange.form(&grant())),
        ]
    }
}

/// A request that can be changed before it is sent.
#[derive(Clone, Default)]
pub(crate) struct Sent {
    pub(crate) path: String,
    /// What proves who asks, in the form.
    pub(crate) who: String,
    /// The rest of the form.
    pub(crate) asked: String,
    pub(crate) basic: Option<String>,
    pub(crate) proofs: Vec<String>,
    pub(crate) chain: Vec<Box<[u8]>>,
    pub(crate) headers: HeaderMap,
}

impl Sent {
    pub(crate) fn by(self, chain: &[&Issued]) -> Sent {
        Sent { chain: chain.iter().map(|issued| issued.der.clone()).collect(), ..self }
    }

    pub(crate) fn proving(self, proofs: &[String]) -> Sent {
        Sent { proofs: proofs.to_vec(), ..self }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Sent {
        self.headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self
    }

    pub(crate) async fn to(self, app: &TestApp) -> Answer {
        let parts: Vec<String> = [self.who, self.asked].into_iter().filter(|part| !part.is_empty()).collect();
        let mut request = Request::post(self.path).header(CONTENT_TYPE, FORM);
        for proof in &self.proofs {
            request = request.header("dpop", proof);
        }
        if let Some(basic) = self.basic {
            request = request.header(AUTHORIZATION, basic);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut request = request.body(Body::from(parts.join("&"))).unwrap();
        if let Some(certificate) = ClientCertificate::new(self.chain) {
            request.extensions_mut().insert(certificate);
        }
        app.send(request).await
    }
}
