//! Sources that a test sets, a server with a script, clocks that a test turns, and tokens.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use procura_guard::{
    Chunks, Clock, Guard, Jwks, KeySource, MarkSource, MarkSubject, Random, Refetch, Resource, ResourceId,
    Secret, Transport, TransportError, UnixSeconds,
};
use procura_jose::digest::sha256;
use procura_jose::marks::{everything, mark_subject};
use procura_jose::{Algorithm, CompactPrefix, PrivateKey, append_signature, base64url, compact_input};
use procura_protocol::claims::{ACCESS_TOKEN_TYPE, AccessTokenClaims, MandateGroup};
use procura_protocol::confirmation::{Binding, KeyThumbprint};
use procura_protocol::dpop::DPOP_TYPE;
use procura_protocol::events::{
    HEARTBEAT, Heartbeat, MARKS, Marks as MarksData, Position, SNAPSHOT, Snapshot, ToldMark, frame,
};
use procura_protocol::mark::MarkKind;
use procura_protocol::mark_view::MarkView;
use procura_protocol::permission::{Permission, Permissions};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};

pub(crate) const ISSUER: &str = "https://token.example";
pub(crate) const AUDIENCE: &str = "https://bank.example";
pub(crate) const START: i64 = 1_900_000_000;
pub(crate) const EPOCH: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// Keys as they were set last.
pub(crate) struct SetKeys {
    now: Mutex<Option<Arc<Jwks>>>,
    next: Mutex<Option<Arc<Jwks>>>,
    pub(crate) refetched: AtomicUsize,
}

impl SetKeys {
    pub(crate) fn new(keys: Option<Jwks>) -> SetKeys {
        SetKeys {
            now: Mutex::new(keys.map(Arc::new)),
            next: Mutex::default(),
            refetched: AtomicUsize::new(0),
        }
    }

    pub(crate) fn set(&self, keys: Option<Jwks>) {
        *self.now.lock().unwrap() = keys.map(Arc::new);
    }

    /// What the next fetch brings.
    pub(crate) fn set_next(&self, keys: Jwks) {
        *self.next.lock().unwrap() = Some(Arc::new(keys));
    }
}

impl KeySource for SetKeys {
    fn current(&self) -> Option<Arc<Jwks>> {
        self.now.lock().unwrap().clone()
    }

    fn refetch<'a>(&'a self, _: &'a Arc<Jwks>) -> Refetch<'a> {
        Box::pin(async {
            self.refetched.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            if let Some(next) = self.next.lock().unwrap().take() {
                *self.now.lock().unwrap() = Some(next);
            }
        })
    }
}

/// Marks as they were added.
pub(crate) struct Marks {
    view: RwLock<MarkView>,
    fresh: AtomicBool,
    generation: AtomicU64,
    pub(crate) asked: AtomicUsize,
}

impl Default for Marks {
    fn default() -> Self {
        Marks {
            view: RwLock::new(MarkView::new(1_000, everything())),
            fresh: AtomicBool::new(true),
            generation: AtomicU64::new(0),
            asked: AtomicUsize::new(0),
        }
    }
}

impl Marks {
    pub(crate) fn add(&self, mark: &ToldMark) {
        self.view.write().unwrap().add(mark);
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn set_fresh(&self, fresh: bool) {
        self.fresh.store(fresh, Ordering::SeqCst);
    }
}

impl MarkSource for Marks {
    fn generation(&self) -> Option<u64> {
        self.fresh.load(Ordering::SeqCst).then(|| self.generation.load(Ordering::SeqCst))
    }

    fn hits(&self, subjects: &[MarkSubject], dv: u64) -> bool {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.view.read().unwrap().hits(subjects, dv)
    }
}

pub(crate) fn mark(kind: MarkKind, ids: &[&str], version: u64) -> ToldMark {
    let application = match kind {
        MarkKind::Trust | MarkKind::Application => Some(mark_subject(MarkKind::Application, ids[0], None)),
        _ => None,
    };
    ToldMark {
        subject: mark_subject(kind, ids.first().unwrap_or(&""), ids.get(1).copied()),
        version,
        any_version: kind.hits_any_version(),
        keep_until: UnixSeconds(START + 100_000),
        application,
    }
}

/// Follows tokio's clock, which stands still or jumps in tests; the wall's can be set besides.
pub(crate) struct TestClock {
    started: Instant,
    wall: AtomicI64,
}

impl TestClock {
    pub(crate) fn at(wall: i64) -> TestClock {
        TestClock { started: now(), wall: AtomicI64::new(wall) }
    }

    pub(crate) fn set_wall_by(&self, seconds: i64) {
        self.wall.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixSeconds {
        UnixSeconds(self.wall.load(Ordering::SeqCst) + self.elapsed().as_secs() as i64)
    }

    fn elapsed(&self) -> Duration {
        now() - self.started
    }
}

#[expect(clippy::disallowed_methods, reason = "tokio's clock is paused here, and the tests turn it")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) struct Constant(pub(crate) u8);

impl Random for Constant {
    fn fill(&self, out: &mut [u8]) {
        out.fill(self.0);
    }
}

/// A key that signs tokens.
pub(crate) struct Signer(PrivateKey);

impl Signer {
    pub(crate) fn new() -> Signer {
        Signer(PrivateKey::generate(Algorithm::Es256).unwrap().0)
    }

    pub(crate) fn keys(&self) -> Jwks {
        Jwks::new([self.0.public_jwk()])
    }

    /// Of app_1 for CON1, on CLI1 (trade) and CLI2 (nothing), decided on version 7.
    pub(crate) fn token(&self) -> String {
        self.token_until(START + 3_600)
    }

    pub(crate) fn token_until(&self, expires_at: i64) -> String {
        self.token_of(expires_at, None)
    }

    /// The same, bound to this.
    pub(crate) fn bound(&self, binding: Binding) -> String {
        self.token_of(START + 3_600, Some(binding))
    }

    fn token_of(&self, expires_at: i64, bound_to: Option<Binding>) -> String {
        let trade = Permissions::NONE.with(Permission::Trade);
        let mandates = [
            MandateGroup { clients: vec!["CLI1"], permissions: trade },
            MandateGroup { clients: vec!["CLI2"], permissions: Permissions::NONE },
        ];
        let claims = AccessTokenClaims {
            issuer: ISSUER,
            contact_id: "CON1",
            resource_id: AUDIENCE,
            application_id: "app_1",
            issued_at: UnixSeconds(START),
            expires_at: UnixSeconds(expires_at),
            token_id: "AAAAAAAAAAAAAAAAAAAAAA",
            directory_version: 7,
            mandates: &mandates,
            bound_to,
        };
        self.sign(&claims.to_json())
    }

    pub(crate) fn sign(&self, claims: &[u8]) -> String {
        let prefix = CompactPrefix::new(Algorithm::Es256, self.0.kid(), ACCESS_TOKEN_TYPE);
        let message = compact_input(&prefix, claims);
        let signature = self.0.sign(&message).unwrap();
        String::from_utf8(append_signature(message, signature.as_ref())).unwrap()
    }
}

/// Whoever proves to hold a key.
pub(crate) struct Prover(PrivateKey);

impl Prover {
    pub(crate) fn new() -> Prover {
        Prover(PrivateKey::generate(Algorithm::Es256).unwrap().0)
    }

    pub(crate) fn thumbprint(&self) -> KeyThumbprint {
        KeyThumbprint::parse(self.0.public_jwk().thumbprint().as_str()).unwrap()
    }

    /// Claims of a proof for this token, of a GET of [`AUDIENCE`]`/trade` now.
    pub(crate) fn claims(token: &str, jti: &str) -> Value {
        let ath = base64url::encode(&sha256(token.as_bytes()));
        json!({ "jti": jti, "htm": "GET", "htu": format!("{AUDIENCE}/trade"), "iat": START, "ath": ath })
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let prefix = CompactPrefix::bringing_its_key(&self.0.public_jwk(), DPOP_TYPE);
        let message = compact_input(&prefix, claims.to_string().as_bytes());
        let signature = self.0.sign(&message).unwrap();
        String::from_utf8(append_signature(message, signature.as_ref())).unwrap()
    }

    pub(crate) fn proof(&self, token: &str, jti: &str) -> String {
        self.sign(&Prover::claims(token, jti))
    }
}

/// A server whose keys a test sets and whose streams it writes.
pub(crate) struct Server {
    keys: Mutex<VecDeque<(u16, String)>>,
    pub(crate) key_requests: Mutex<Vec<Instant>>,
    opened: UnboundedSender<Opened>,
    /// Everything that comes from it, as a slow way would bring it.
    delay: Mutex<Duration>,
    refuse: Mutex<Option<u16>>,
}

/// A stream that a guard has asked for.
pub(crate) struct Opened {
    pub(crate) last_event_id: Option<String>,
    pub(crate) at: Instant,
    out: UnboundedSender<(Instant, Bytes)>,
    number: u64,
}

pub(crate) struct Streams(UnboundedReceiver<Opened>);

impl Server {
    pub(crate) fn new(keys: &Jwks) -> (Arc<Server>, Streams) {
        let (opened, streams) = unbounded_channel();
        let server = Arc::new(Server {
            keys: Mutex::default(),
            key_requests: Mutex::default(),
            opened,
            delay: Mutex::default(),
            refuse: Mutex::default(),
        });
        server.serve_keys(200, &serde_json::to_string(keys).unwrap());
        (server, Streams(streams))
    }

    /// From now on (the last answer stays).
    pub(crate) fn serve_keys(&self, status: u16, body: &str) {
        *self.keys.lock().unwrap() = VecDeque::from([(status, body.to_owned())]);
    }

    pub(crate) fn delay(&self, delay: Duration) {
        *self.delay.lock().unwrap() = delay;
    }

    pub(crate) fn refuse(&self, status: Option<u16>) {
        *self.refuse.lock().unwrap() = status;
    }

    pub(crate) fn resource() -> Resource {
        let id = ResourceId::parse(AUDIENCE).unwrap();
        Resource::new(ISSUER, id, &Secret::from(String::from("pcs_hunter2"))).unwrap()
    }

    pub(crate) fn connect(server: &Arc<Server>) -> (Guard, Arc<TestClock>) {
        Server::connect_as(server, Server::resource())
    }

    pub(crate) fn connect_as(server: &Arc<Server>, resource: Resource) -> (Guard, Arc<TestClock>) {
        let clock = Arc::new(TestClock::at(START));
        let guard = Guard::connect_with(resource, Arc::clone(server), clock.clone(), Arc::new(Constant(255)));
        (guard, clock)
    }
}

impl Streams {
    pub(crate) async fn next(&mut self) -> Opened {
        tokio::time::timeout(Duration::from_secs(300), self.0.recv()).await.expect("no stream").unwrap()
    }

    pub(crate) fn none(&mut self) -> bool {
        self.0.try_recv().is_err()
    }
}

impl Opened {
    pub(crate) fn raw(&self, text: &str) {
        // A guard that hung up reads nothing any more.
        let _ = self.out.send((now(), Bytes::from(text.to_owned())));
    }

    pub(crate) fn position(&self) -> Position {
        Position { epoch: EPOCH.into(), number: self.number }
    }

    pub(crate) fn snapshot(&mut self, number: u64, marks: &[ToldMark]) {
        self.number = number;
        let data = Snapshot { position: self.position(), first: true, complete: true, marks: marks.to_vec() };
        self.raw(&frame(SNAPSHOT, Some(&self.position()), &serde_json::to_string(&data).unwrap()));
    }

    pub(crate) fn part(&mut self, number: u64, first: bool, complete: bool, marks: &[ToldMark]) {
        self.number = number;
        let data = Snapshot { position: self.position(), first, complete, marks: marks.to_vec() };
        let id = complete.then(|| self.position());
        self.raw(&frame(SNAPSHOT, id.as_ref(), &serde_json::to_string(&data).unwrap()));
    }

    pub(crate) fn goes_on_from(&mut self, number: u64) {
        self.number = number;
    }

    pub(crate) fn marks(&mut self, marks: &[ToldMark]) {
        let data = MarksData { from: self.number + 1, marks: marks.to_vec() };
        self.number += marks.len() as u64;
        self.raw(&frame(MARKS, Some(&self.position()), &serde_json::to_string(&data).unwrap()));
    }

    /// Everything up to now was told.
    pub(crate) fn heartbeat(&self) {
        self.heartbeat_of(self.number, now() - self.at);
    }

    pub(crate) fn heartbeat_of(&self, number: u64, age: Duration) {
        let age_ms = age.as_millis() as u64;
        let data = Heartbeat { number, version: 9, age_ms };
        self.raw(&frame(HEARTBEAT, None, &serde_json::to_string(&data).unwrap()));
    }
}

/// A body that is ready, or that a test writes.
pub(crate) enum Body {
    Whole(Option<Bytes>),
    Stream { pieces: UnboundedReceiver<(Instant, Bytes)>, delay: Duration },
}

impl Chunks for Body {
    async fn chunk(&mut self) -> Result<Option<Bytes>, TransportError> {
        match self {
            Body::Whole(bytes) => Ok(bytes.take()),
            Body::Stream { pieces, delay } => match pieces.recv().await {
                Some((sent_at, bytes)) => {
                    sleep_until(sent_at + *delay).await;
                    Ok(Some(bytes))
                }
                None => Ok(None),
            },
        }
    }
}

impl Transport for Server {
    type Body = Body;

    async fn send(&self, request: Request<()>) -> Result<Response<Body>, TransportError> {
        if request.uri().path() == "/jwks" {
            self.key_requests.lock().unwrap().push(now());
            tokio::time::sleep(Duration::from_millis(20)).await;
            let (status, body) = self.keys.lock().unwrap().front().cloned().unwrap();
            if status == 0 {
                return Err(TransportError::because("connection refused"));
            }
            let body = Body::Whole(Some(body.into()));
            return Ok(Response::builder().status(status).body(body).unwrap());
        }
        assert_eq!(request.uri().path(), "/events");
        assert!(request.headers()["authorization"].to_str().unwrap().starts_with("Basic "));
        let delay = *self.delay.lock().unwrap();
        let last_event_id = request.headers().get("last-event-id").map(|id| id.to_str().unwrap().to_owned());
        if let Some(status) = *self.refuse.lock().unwrap() {
            return Ok(Response::builder().status(status).body(Body::Whole(None)).unwrap());
        }
        let (out, pieces) = unbounded_channel();
        // The server begins its answer when the request has come.
        let opened = Opened { last_event_id, at: now(), out, number: 0 };
        let _ = self.opened.send(opened);
        tokio::time::sleep(delay).await;
        let answer = Response::builder().header("content-type", "text/event-stream");
        Ok(answer.body(Body::Stream { pieces, delay }).unwrap())
    }
}
