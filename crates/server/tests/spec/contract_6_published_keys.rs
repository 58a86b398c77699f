//! Contract, chapter 6: the keys that an application publishes at its `jwks_uri`.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use procura_engine::application_auth::assertion::{FetchFault, FetchKeys, FetchedKeys, Fetching};
use procura_jose::{Algorithm, Jwks};
use procura_testkit::assertion::{AssertionKey, claims, form};
use procura_testkit::world::UNTRUSTED;
use procura_testkit::{Answer, TestApp, World};
use serde_json::json;
use tokio::sync::Notify;

use crate::support::{asking_as_nobody, assert_refused, with_form};

const URI: &str = "https://partner.example/keys";

/// What a partner's host says, and how often it was asked.
#[derive(Default)]
struct Host {
    says: Mutex<Option<FetchedKeys>>,
    asked: Mutex<Vec<String>>,
    /// When it is there, an answer waits for it.
    holds: Mutex<Option<Arc<Notify>>>,
}

impl Host {
    fn publishes(&self, keys: &[&AssertionKey]) {
        self.publishes_for(keys, None);
    }

    fn publishes_for(&self, keys: &[&AssertionKey], max_age: Option<u64>) {
        let keys = Jwks::new(keys.iter().map(|key| key.jwk()));
        *self.says.lock().unwrap() = Some(FetchedKeys { keys, max_age: max_age.map(Duration::from_secs) });
    }

    fn breaks(&self) {
        *self.says.lock().unwrap() = None;
    }

    /// Holds answers back until they are let through.
    fn hold(&self) -> Arc<Notify> {
        let held = Arc::new(Notify::new());
        *self.holds.lock().unwrap() = Some(Arc::clone(&held));
        held
    }

    /// Waits until it was asked so often, and checks that it was not oftener.
    async fn is_asked(&self, times: usize) {
        for _ in 0..1_000 {
            if self.asked() >= times {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(self.asked(), times);
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl FetchKeys for Host {
    fn fetch(&self, uri: Box<str>) -> Fetching {
        self.asked.lock().unwrap().push(uri.into());
        let (said, held) = (self.says.lock().unwrap().clone(), self.holds.lock().unwrap().clone());
        Box::pin(async move {
            if let Some(held) = held {
                held.notified().await;
            }
            said.ok_or(FetchFault::Connection)
        })
    }
}

/// A server whose trusted application publishes one key.
struct Publishing {
    key: AssertionKey,
    host: Arc<Host>,
    app: Arc<TestApp>,
}

impl Publishing {
    fn new() -> Publishing {
        Publishing::with(|world| world)
    }

    fn with(change: impl FnOnce(World) -> World) -> Publishing {
        let (key, host) = (AssertionKey::new(Algorithm::Es256), Arc::new(Host::default()));
        host.publishes(&[&key]);
        let world = World::default()
            .signing(&[])
            .registration(|registration| registration.jwks_uri = Some(URI.into()));
        let fetcher: Arc<dyn FetchKeys> = Arc::<Host>::clone(&host);
        let app = Arc::new(TestApp::fetching(&change(world), fetcher));
        Publishing { key, host, app }
    }

    /// The answer to an assertion of that name, made now and signed with that key.
    async fn send(&self, key: &AssertionKey, id: &str) -> Answer {
        send(&self.app, &self.assertion(key, id)).await
    }

    /// The same, where the clock of waiting stands still and nothing may wait.
    async fn send_at_once(&self, key: &AssertionKey, id: &str) -> Answer {
        tokio::time::timeout(Duration::from_secs(1), self.send(key, id)).await.unwrap()
    }

    fn assertion(&self, key: &AssertionKey, id: &str) -> String {
        let now = self.app.engine.now().unwrap().seconds();
        let mut claims = claims(id);
        (claims["iat"], claims["nbf"], claims["exp"]) = (json!(now), json!(now), json!(now.plus(60)));
        key.sign(&key.header(), &claims)
    }

    fn wait(&self, seconds: u64) {
        self.app.clock.advance(Duration::from_secs(seconds));
    }
}

async fn send(app: &TestApp, assertion: &str) -> Answer {
    app.send(with_form(asking_as_nobody(), form(assertion))).await
}

#[tokio::test]
async fn a_published_key_proves_its_application_and_is_fetched_once() {
    let publishing = Publishing::new();
    for id in ["first", "second", "third"] {
        assert_eq!(publishing.send(&publishing.key, id).await.status, 200, "{id}");
    }
    assert_eq!(*publishing.host.asked.lock().unwrap(), [URI]);
}

#[tokio::test]
async fn keys_are_fetched_again_when_they_are_no_longer_fresh() {
    for (max_age, fresh) in [(None, 600), (Some(120), 120), (Some(0), 60), (Some(1_000_000), 3_600)] {
        let publishing = Publishing::new();
        publishing.host.publishes_for(&[&publishing.key], max_age);
        assert_eq!(publishing.send(&publishing.key, "first").await.status, 200);
        publishing.wait(fresh - 1);
        assert_eq!(publishing.send(&publishing.key, "second").await.status, 200);
        assert_eq!(publishing.host.asked(), 1, "{max_age:?}");
        publishing.wait(1);
        assert_eq!(publishing.send(&publishing.key, "third").await.status, 200);
        publishing.host.is_asked(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_who_names_a_known_key_waits_while_the_set_is_fetched_again() {
    let publishing = Publishing::new();
    let next = AssertionKey::new(Algorithm::Es256);
    assert_eq!(publishing.send(&publishing.key, "first").await.status, 200);
    publishing.wait(600);
    let held = publishing.host.hold();
    publishing.host.publishes(&[&publishing.key, &next]);
    // The one that begins the fetch, and one while it is under way.
    for id in ["second", "third"] {
        assert_eq!(publishing.send_at_once(&publishing.key, id).await.status, 200, "{id}");
    }
    publishing.host.is_asked(2).await;
    let unknown = publishing.assertion(&next, "fourth");
    let app = Arc::clone(&publishing.app);
    let unknown = tokio::spawn(async move { send(&app, &unknown).await.status });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!unknown.is_finished(), "one that is not known is waited for");
    held.notify_one();
    assert_eq!(unknown.await.unwrap(), 200);
    assert_eq!(publishing.host.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn while_the_host_fails_nobody_who_names_a_known_key_waits_for_it() {
    let publishing = Publishing::new();
    assert_eq!(publishing.send(&publishing.key, "first").await.status, 200);
    publishing.host.breaks();
    publishing.wait(1_000);
    assert_eq!(publishing.send(&publishing.key, "second").await.status, 200);
    publishing.host.hold();
    publishing.wait(60);
    for id in ["third", "fourth"] {
        assert_eq!(publishing.send_at_once(&publishing.key, id).await.status, 200, "{id}");
    }
    publishing.host.is_asked(3).await;
}

#[tokio::test]
async fn a_key_that_was_taken_out_proves_nothing_once_the_set_is_fetched_again() {
    let publishing = Publishing::new();
    let next = AssertionKey::new(Algorithm::Es256);
    assert_eq!(publishing.send(&publishing.key, "first").await.status, 200);
    publishing.host.publishes(&[&next]);
    publishing.wait(720);
    assert_refused(&publishing.send(&publishing.key, "second").await, 401, "invalid_client");
    assert_eq!(publishing.send(&next, "third").await.status, 200);
}

#[tokio::test]
async fn a_kid_that_is_not_known_is_looked_for_once_a_minute() {
    let publishing = Publishing::new();
    let next = AssertionKey::new(Algorithm::Es256);
    assert_eq!(publishing.send(&publishing.key, "first").await.status, 200);
    publishing.wait(60);
    publishing.host.publishes(&[&publishing.key, &next]);
    assert_eq!(publishing.send(&next, "second").await.status, 200);
    assert_eq!(publishing.host.asked(), 2);
    let stranger = AssertionKey::new(Algorithm::Es256);
    for at in 0..3 {
        assert_refused(&publishing.send(&stranger, &format!("at once {at}")).await, 401, "invalid_client");
    }
    assert_eq!(publishing.host.asked(), 2);
    publishing.wait(60);
    for at in 0..3 {
        assert_refused(&publishing.send(&stranger, &format!("later {at}")).await, 401, "invalid_client");
    }
    assert_eq!(publishing.host.asked(), 3);
    assert_eq!(publishing.send(&publishing.key, "last").await.status, 200);
}

#[tokio::test]
async fn keys_of_before_go_on_for_an_hour_when_the_host_is_gone_and_no_longer() {
    let publishing = Publishing::new();
    assert_eq!(publishing.send(&publishing.key, "first").await.status, 200);
    publishing.host.breaks();
    publishing.wait(3_599);
    assert_eq!(publishing.send(&publishing.key, "second").await.status, 200);
    publishing.wait(1);
    assert_refused(&publishing.send(&publishing.key, "third").await, 401, "invalid_client");
    publishing.host.publishes(&[&publishing.key]);
    publishing.wait(60);
    assert_eq!(publishing.send(&publishing.key, "fourth").await.status, 200);
}

#[tokio::test]
async fn a_host_that_failed_is_asked_once_a_minute() {
    let publishing = Publishing::new();
    publishing.host.breaks();
    for at in 0..5 {
        assert_refused(&publishing.send(&publishing.key, &format!("{at}")).await, 401, "invalid_client");
    }
    assert_eq!(publishing.host.asked(), 1);
    publishing.host.publishes(&[&publishing.key]);
    publishing.wait(60);
    assert_eq!(publishing.send(&publishing.key, "later").await.status, 200);
}

#[tokio::test]
async fn whoever_needs_keys_while_they_are_fetched_waits_for_that_fetch() {
    let publishing = Publishing::new();
    let held = Arc::new(Notify::new());
    *publishing.host.holds.lock().unwrap() = Some(Arc::clone(&held));
    let sent: Vec<_> = (0..8)
        .map(|at| {
            let assertion = publishing.assertion(&publishing.key, &format!("{at}"));
            let app = Arc::clone(&publishing.app);
            tokio::spawn(async move { send(&app, &assertion).await.status.as_u16() })
        })
        .collect();
    while publishing.host.asked() == 0 {
        tokio::task::yield_now().await;
    }
    held.notify_one();
    for answer in sent {
        assert_eq!(answer.await.unwrap(), 200);
    }
    assert_eq!(publishing.host.asked(), 1);
}

#[tokio::test]
async fn a_fetch_goes_on_when_whoever_began_it_hangs_up() {
    let publishing = Publishing::new();
    let held = Arc::new(Notify::new());
    *publishing.host.holds.lock().unwrap() = Some(Arc::clone(&held));
    let stranger = publishing.assertion(&AssertionKey::new(Algorithm::Es256), "stranger");
    let app = Arc::clone(&publishing.app);
    let sent = tokio::spawn(async move { send(&app, &stranger).await });
    while publishing.host.asked() == 0 {
        tokio::task::yield_now().await;
    }
    sent.abort();
    assert!(sent.await.unwrap_err().is_cancelled());
    held.notify_one();
    assert_eq!(publishing.send(&publishing.key, "ours").await.status, 200);
    assert_eq!(publishing.host.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_hangs_keeps_nobody_for_longer_than_ten_seconds() {
    let publishing = Publishing::new();
    *publishing.host.holds.lock().unwrap() = Some(Arc::default());
    let answer = tokio::time::timeout(Duration::from_secs(11), publishing.send(&publishing.key, "first"));
    assert_refused(&answer.await.unwrap(), 401, "invalid_client");
}

#[tokio::test]
async fn an_application_that_was_disabled_while_its_keys_were_fetched_has_proved_nothing() {
    let publishing = Publishing::new();
    let held = Arc::new(Notify::new());
    *publishing.host.holds.lock().unwrap() = Some(Arc::clone(&held));
    let (app, assertion) = (Arc::clone(&publishing.app), publishing.assertion(&publishing.key, "first"));
    let sent = tokio::spawn(async move { send(&app, &assertion).await });
    while publishing.host.asked() == 0 {
        tokio::task::yield_now().await;
    }
    let world = World::default()
        .signing(&[])
        .registration(|registration| registration.jwks_uri = Some(URI.into()))
        .application(|application| application.active = false);
    publishing.app.store.set(world.publish());
    held.notify_one();
    assert_refused(&sent.await.unwrap(), 401, "invalid_client");
}

#[tokio::test]
async fn nothing_is_fetched_for_who_is_unknown_disabled_or_not_registered() {
    let by_secret = |world: World| world.by("client_secret_basic");
    let disabled = |world: World| world.application(|application| application.active = false);
    for publishing in [Publishing::with(by_secret), Publishing::with(disabled)] {
        assert_refused(&publishing.send(&publishing.key, "first").await, 401, "invalid_client");
        assert_eq!(publishing.host.asked(), 0);
    }
    let publishing = Publishing::new();
    for id in ["app_nobody", UNTRUSTED] {
        let mut claims = claims(id);
        (claims["iss"], claims["sub"]) = (json!(id), json!(id));
        let assertion = publishing.key.sign(&publishing.key.header(), &claims);
        assert_refused(&send(&publishing.app, &assertion).await, 401, "invalid_client");
    }
    for broken in ["garbage", "a.b.c"] {
        assert_refused(&send(&publishing.app, broken).await, 401, "invalid_client");
    }
    assert_eq!(publishing.host.asked(), 0);
}

#[tokio::test]
async fn registered_keys_need_no_fetch_beside_published_ones() {
    let registered = AssertionKey::new(Algorithm::EdDsa);
    let key = registered.registered();
    let publishing = Publishing::with(|world| world.registration(|r| r.keys = [key].into()));
    assert_eq!(publishing.send(&registered, "registered").await.status, 200);
    assert_eq!(publishing.host.asked(), 0);
    assert_eq!(publishing.send(&publishing.key, "published").await.status, 200);
    assert_eq!(publishing.host.asked(), 1);
}

#[tokio::test]
async fn another_url_is_asked_as_soon_as_it_is_registered() {
    let publishing = Publishing::new();
    assert_eq!(publishing.send(&publishing.key, "first").await.status, 200);
    let next = AssertionKey::new(Algorithm::Es256);
    publishing.host.publishes(&[&next]);
    let elsewhere = "https://elsewhere.example/keys";
    let world = World::default()
        .signing(&[])
        .registration(|registration| registration.jwks_uri = Some(elsewhere.into()));
    publishing.app.store.set(world.publish());
    assert_refused(&publishing.send(&publishing.key, "second").await, 401, "invalid_client");
    assert_eq!(publishing.send(&next, "third").await.status, 200);
    assert_eq!(*publishing.host.asked.lock().unwrap(), [URI, elsewhere]);
}

#[tokio::test]
async fn without_what_fetches_keys_none_are_known() {
    let key = AssertionKey::new(Algorithm::Es256);
    let world =
        World::default().signing(&[]).registration(|registration| registration.jwks_uri = Some(URI.into()));
    let app = TestApp::new(&world);
    assert_refused(&send(&app, &key.assertion("first")).await, 401, "invalid_client");
}
