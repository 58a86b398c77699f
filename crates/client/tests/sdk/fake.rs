//! A transport with a script, a clock that follows tokio's, and randomness that is a constant.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use procura_client::{
    Application, ApplicationId, Clock, ContactId, Issuer, Procura, Random, Secret, Transport, TransportError,
    TransportErrorKind, UnixSeconds,
};
use tokio::time::Instant;

pub(crate) const ISSUER: &str = "https://token.example";
pub(crate) const APPLICATION: &str = "app_partner";
pub(crate) const SECRET: &str = "pcs_hunter2";
/// The wall's time when a test begins.
pub(crate) const START: UnixSeconds = UnixSeconds(1_900_000_000);

/// What the server does with the next request.
pub(crate) enum Act {
    Answer(Response<Bytes>),
    Fail(TransportErrorKind),
    Hang,
    Panic,
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<String>) -> Act {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    Act::Answer(builder.body(Bytes::from(body.into())).unwrap())
}

pub(crate) fn token(text: &str) -> Act {
    let body = format!(
        r#"{{"access_token":"{text}","expires_in":"3600","id_token":"i.i.i","token_type":"Bearer"}}"#
    );
    answer(200, &[], body)
}

pub(crate) fn refusal() -> Act {
    let body =
        r#"{"error":"invalid_grant","error_description":"this application can't act for this contact"}"#;
    answer(400, &[("Procura-Reference", "AAAAAAAAAAAAAAAAAAAAAA")], body)
}

/// The metadata that the server publishes.
pub(crate) fn metadata() -> Act {
    answer(200, &[], serde_json::to_string(&procura_protocol::metadata::Metadata::new(ISSUER)).unwrap())
}

/// A request that came, and when.
pub(crate) struct Seen {
    pub(crate) request: Request<Bytes>,
    pub(crate) at: Duration,
}

/// Plays its script, one act for each request; each takes `latency`.
pub(crate) struct Fake {
    started: Instant,
    latency: Duration,
    script: Mutex<VecDeque<Act>>,
    seen: Mutex<Vec<Seen>>,
}

impl Fake {
    pub(crate) fn new(script: impl IntoIterator<Item = Act>) -> Arc<Fake> {
        Fake::slow(Duration::ZERO, script)
    }

    pub(crate) fn slow(latency: Duration, script: impl IntoIterator<Item = Act>) -> Arc<Fake> {
        let script = Mutex::new(script.into_iter().collect());
        Arc::new(Fake { started: now(), latency, script, seen: Mutex::default() })
    }

    pub(crate) fn then(&self, act: Act) {
        self.script.lock().unwrap().push_back(act);
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|seen| seen.request.uri().path().to_owned()).collect()
    }

    /// The request of this number, from 0.
    pub(crate) fn request(&self, number: usize) -> Request<Bytes> {
        self.seen.lock().unwrap()[number].request.clone()
    }

    /// The token that a request asks about, in its form, or calls with, in its header.
    pub(crate) fn tokens(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let in_form = |request: &Request<Bytes>| {
            let body = String::from_utf8(request.body().to_vec()).unwrap();
            body.split_once("&token=").map(|(_, token)| token.to_owned())
        };
        let in_header = |request: &Request<Bytes>| {
            let header = request.headers().get("authorization")?.to_str().unwrap();
            header.strip_prefix("Bearer ").map(str::to_owned)
        };
        seen.iter().filter_map(|seen| in_form(&seen.request).or_else(|| in_header(&seen.request))).collect()
    }

    /// The times between one request and the next.
    pub(crate) fn gaps(&self) -> Vec<Duration> {
        let seen = self.seen.lock().unwrap();
        seen.windows(2).map(|pair| pair[1].at - pair[0].at).collect()
    }
}

impl Transport for Fake {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let at = now() - self.started;
        self.seen.lock().unwrap().push(Seen { request, at });
        let act = self.script.lock().unwrap().pop_front().expect("a request that the script does not know");
        tokio::time::sleep(self.latency).await;
        match act {
            Act::Answer(response) => Ok(response),
            Act::Fail(kind) => Err(TransportError::new(kind)),
            Act::Hang => std::future::pending().await,
            Act::Panic => panic!("a transport that panics"),
        }
    }
}

/// Both clocks follow tokio's, and the wall's can be set as well.
pub(crate) struct TestClock {
    started: Instant,
    set_by: Mutex<i64>,
}

impl TestClock {
    pub(crate) fn new() -> Arc<TestClock> {
        Arc::new(TestClock { started: now(), set_by: Mutex::default() })
    }

    pub(crate) fn set_wall_by(&self, seconds: i64) {
        *self.set_by.lock().unwrap() = seconds;
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixSeconds {
        START.plus(self.elapsed().as_secs() as i64 + *self.set_by.lock().unwrap())
    }

    fn elapsed(&self) -> Duration {
        now() - self.started
    }
}

pub(crate) struct Constant(pub(crate) u8);

impl Random for Constant {
    fn fill(&self, out: &mut [u8]) {
        out.fill(self.0);
    }
}

#[expect(clippy::disallowed_methods, reason = "tokio's clock is paused here, and the tests turn it")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn application() -> Application {
    Application::new(
        Issuer::parse(ISSUER).unwrap(),
        &ApplicationId::parse(APPLICATION).unwrap(),
        &Secret::from(String::from(SECRET)),
    )
}

pub(crate) fn procura(fake: &Arc<Fake>) -> Arc<Procura<Arc<Fake>>> {
    procura_at(fake, TestClock::new())
}

pub(crate) fn procura_at(fake: &Arc<Fake>, clock: Arc<TestClock>) -> Arc<Procura<Arc<Fake>>> {
    Arc::new(Procura::new(application(), Arc::clone(fake), clock, Arc::new(Constant(0))))
}

pub(crate) fn contact(id: &str) -> ContactId {
    ContactId::parse(id).unwrap()
}
