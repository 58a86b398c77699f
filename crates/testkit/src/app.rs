//! The server in process: a request in, an answer out, no socket.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use procura_engine::application_auth::assertion::FetchKeys;
use procura_engine::limits::PerMinute;
use procura_engine::{Engine, Settings};
use procura_http::connection::Drain;
use procura_http::forward_auth::Policy;
use procura_http::front::Surroundings;
use procura_http::limits::Limits;
use procura_http::metrics::ProofWatch;
use procura_http::{Front, Offer};
use procura_jose::ring::Keys;
use procura_jose::{Algorithm, Expect, verify_jwt};
use procura_protocol::claims::{ACCESS_TOKEN_TYPE, ID_TOKEN_TYPE};
use procura_store::Store;
use serde_json::Value;
use tower::ServiceExt;
use zeroize::Zeroizing;

use crate::clock::FixedClock;
use crate::journal::MemoryJournal;
use crate::keys::TestKeys;
use crate::random::SeededRandom;
use crate::store::MemoryStore;
use crate::world::{APPLICATION, CONTACT, ISSUER, SECRET, World};

/// A server of its own for one test.
pub struct TestApp<S = MemoryStore> {
    /// Its clock.
    pub clock: Arc<FixedClock>,
    /// Its directory.
    pub store: S,
    /// Its journal.
    pub journal: MemoryJournal,
    /// Its keys.
    pub keys: TestKeys,
    /// What decides.
    pub engine: Arc<Engine<S, MemoryJournal>>,
    /// What its front is given.
    pub surroundings: Surroundings,
    /// The proofs of possession that its own API and forward auth saw.
    pub proofs: ProofWatch,
    router: Router,
}

impl TestApp {
    /// A server over that world, with an ES256 key.
    pub fn new(world: &World) -> TestApp {
        TestApp::with_algorithms(world, &[Algorithm::Es256])
    }

    /// A server over that world, with keys of these algorithms.
    pub fn with_algorithms(world: &World, algorithms: &[Algorithm]) -> TestApp {
        TestApp::with_settings(world, algorithms, |_| {})
    }

    /// A server over that world, with keys of these algorithms, and other settings than the usual ones.
    pub fn with_settings(
        world: &World,
        algorithms: &[Algorithm],
        change: impl FnOnce(&mut Settings),
    ) -> TestApp {
        TestApp::with_policies(world, algorithms, change, Vec::new())
    }

    /// The same, with policies of forward auth.
    pub fn with_policies(
        world: &World,
        algorithms: &[Algorithm],
        change: impl FnOnce(&mut Settings),
        policies: Vec<Policy>,
    ) -> TestApp {
        let store = MemoryStore::default();
        store.set(world.publish());
        let mut settings = settings();
        change(&mut settings);
        let beside = Beside { policies, ..Beside::default() };
        TestApp::over((store, Arc::default()), TestKeys::new(algorithms), settings, beside)
    }

    /// A server over that world which began anew, and does not know what the one before it was shown.
    pub fn after_another(world: &World, algorithms: &[Algorithm]) -> TestApp {
        let store = MemoryStore::default();
        store.set(world.publish());
        let beside = Beside { is_after_another: true, ..Beside::default() };
        TestApp::over((store, Arc::default()), TestKeys::new(algorithms), settings(), beside)
    }

    /// A server over that world, with an ES256 key, that fetches the keys of applications so.
    pub fn fetching(world: &World, fetcher: Arc<dyn FetchKeys>) -> TestApp {
        let store = MemoryStore::default();
        store.set(world.publish());
        let keys = TestKeys::new(&[Algorithm::Es256]);
        TestApp::over(
            (store, Arc::default()),
            keys,
            settings(),
            Beside { fetcher: Some(fetcher), ..Beside::default() },
        )
    }
}

/// What few tests want, beside settings.
#[derive(Default)]
struct Beside {
    policies: Vec<Policy>,
    fetcher: Option<Arc<dyn FetchKeys>>,
    is_after_another: bool,
}

/// What a test sets where it says nothing else.
fn settings() -> Settings {
    Settings {
        issuer: ISSUER.into(),
        lifetime: 3600,
        longest_lifetime: 3600,
        token_marks_per_application: 100,
        revocations_per_minute: 600,
        assertion_lifetime: 300,
        limits: PerMinute::default(),
        max_access_token_bytes: 7_000,
        asked_for_key: Zeroizing::new([9; 32]),
    }
}

impl<S: Store + Clone> TestApp<S> {
    /// A server over that store, with an ES256 key and that clock.
    pub fn on(store: S, clock: Arc<FixedClock>) -> TestApp<S> {
        TestApp::over((store, clock), TestKeys::new(&[Algorithm::Es256]), settings(), Beside::default())
    }

    #[expect(clippy::expect_used, reason = "a test without a server can only stop")]
    fn over(
        (store, clock): (S, Arc<FixedClock>),
        keys: TestKeys,
        settings: Settings,
        Beside { policies, fetcher, is_after_another }: Beside,
    ) -> TestApp<S> {
        let journal = MemoryJournal::default();
        let sources = (clock.clone() as _, Arc::new(SeededRandom::new(1)) as _);
        let engine = Engine::new(store.clone(), journal.clone(), Arc::new(keys.clone()), sources, settings);
        let engine = Arc::new(match fetcher {
            Some(fetcher) => engine.with_key_fetcher(fetcher),
            None => engine,
        });
        if !is_after_another {
            engine.nothing_was_used_before();
        }
        let proofs = ProofWatch::default();
        let offer = Offer { policies, proofs: proofs.clone(), ..Offer::default() };
        let router = procura_http::router(Arc::clone(&engine), Limits::default(), Drain::new(), offer)
            .expect("an issuer that is a URI");
        TestApp { clock, store, journal, keys, engine, surroundings: Surroundings::default(), proofs, router }
    }

    /// Sends a request as it is.
    ///
    /// # Panics
    ///
    /// When the body breaks off.
    #[expect(clippy::expect_used, reason = "a test without an answer can only stop")]
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.begin(request).await.into_parts();
        let body = body.collect().await.expect("a body in memory").to_bytes().to_vec();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// Sends a request and leaves the body of the answer unread, as a slow caller does.
    pub async fn begin(&self, request: Request<Body>) -> Response<Body> {
        self.service().oneshot(request).await.unwrap_or_else(|never| match never {})
    }

    /// What a listener would serve.
    pub fn service(&self) -> Front<Router, S, MemoryJournal> {
        Front::new(self.router.clone(), Arc::clone(&self.engine), self.surroundings.clone())
    }

    /// Asks for a contact token as the trusted application, with that form.
    pub async fn token_for(&self, contact: &str, form: &str) -> Answer {
        self.send(token_request(contact, form)).await
    }

    /// Asks for a contact token that works.
    pub async fn token(&self) -> Answer {
        self.token_for(CONTACT, "").await
    }

    /// The claims of a token that this server signed.
    ///
    /// # Panics
    ///
    /// When it did not sign it as such a token.
    #[expect(clippy::expect_used, reason = "a token that does not verify ends the test")]
    pub fn verify(&self, token: &str, typ: &str) -> Value {
        let expect = Expect { typ, algorithms: &Algorithm::ALL };
        verify_jwt(token, self.keys.current().published(), &expect).expect("a token of ours").into_claims()
    }

    /// The claims of the ID token in an answer.
    pub fn id_token(&self, answer: &Answer) -> Value {
        self.verify(answer.text("id_token").as_str(), ID_TOKEN_TYPE)
    }

    /// The claims of the access token in an answer.
    pub fn access_token(&self, answer: &Answer) -> Value {
        self.verify(answer.text("access_token").as_str(), ACCESS_TOKEN_TYPE)
    }
}

/// A request of the trusted application for a contact, with that form.
///
/// # Panics
///
/// When the contact can't stand in a path.
#[expect(clippy::expect_used, reason = "a test writes its own paths")]
pub fn token_request(contact: &str, form: &str) -> Request<Body> {
    let request =
        Request::post(format!("/token/{contact}")).header(AUTHORIZATION, basic(APPLICATION, SECRET));
    let request = if form.is_empty() {
        request.body(Body::empty())
    } else {
        request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(Body::from(form.to_owned()))
    };
    request.expect("a request")
}

/// The value of an `Authorization` header with a resource's credentials, form-encoded as RFC 6749 2.3.1
/// asks for.
pub fn resource_basic(id: &str, secret: &str) -> String {
    basic(&id.replace(':', "%3A").replace('/', "%2F"), secret)
}

/// The value of an `Authorization` header.
pub fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is none.
    #[expect(clippy::expect_used, reason = "an answer in another shape ends the test")]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    /// A string member of the body; empty when it is not there or not a string.
    pub fn text(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_default().to_owned()
    }

    /// A header as text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
