//! In front of the routes: whether that address may ask now, and what became of each request.
//!
//! What is refused here is refused before its body is read or its credentials are looked at. Health is never
//! refused, since whoever restarts servers asks for it, nor is forward auth, whose one caller asks for
//! everybody and is known by its own means. All other requests of an address are counted alike.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use pin_project_lite::pin_project;
use procura_engine::Engine;
use procura_engine::limits::{Address, LimitReached};
use procura_store::{Journal, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tower::Service;

use crate::answer::{self, REFERENCE};
use crate::callers::{Caller, TrustedProxies};
use crate::connection::{Peer, Security};
use crate::metrics::{Metrics, Route};

/// The context of a caller's own trace (W3C Trace Context).
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What an answered request was, for whoever traces.
#[derive(Debug)]
pub struct Answered<'a> {
    /// Where it went.
    pub route: Route,
    /// Its method.
    pub method: &'a Method,
    /// The status of the answer.
    pub status: StatusCode,
    /// The record of the answer, if it has one (`Procura-Reference`).
    pub reference: Option<&'a HeaderValue>,
    /// What the caller sent as `traceparent`; anything at all.
    pub traceparent: Option<&'a HeaderValue>,
    /// From the end of the request's head to the head of the answer.
    pub took: Duration,
}

/// Whoever wants to know of every answer.
pub trait Observer: Send + Sync + 'static {
    /// An answer leaves. On the way of every request: must not wait.
    fn answered(&self, answered: &Answered<'_>);
}

/// What the front is given from outside.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// Who is believed about callers.
    pub proxies: TrustedProxies,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
    /// Who is told of answers.
    pub observer: Option<Arc<dyn Observer>>,
    /// For how long an answer is held back from an address that is beyond a limit. Whoever tries on without a
    /// pause is slowed down by that, and takes nothing from others. Never from an application: nobody could be
    /// kept out by it.
    pub hold: Duration,
}

/// Answers that are held back at a time. Beyond it they leave at once and end their connection.
const HELD: usize = 1024;

/// Among the extensions of an answer: it is for an address that is beyond a limit.
#[derive(Clone, Copy)]
pub(crate) struct OfAddress;

/// A service behind the front.
pub struct Front<R, S, J> {
    routes: R,
    shared: Arc<Shared<S, J>>,
}

struct Shared<S, J> {
    engine: Arc<Engine<S, J>>,
    surroundings: Surroundings,
    places: Arc<Semaphore>,
}

impl<R, S: Store, J: Journal> Front<R, S, J> {
    /// Before those routes, with the limits of that engine.
    pub fn new(routes: R, engine: Arc<Engine<S, J>>, surroundings: Surroundings) -> Front<R, S, J> {
        let places = Arc::new(Semaphore::new(HELD));
        Front { routes, shared: Arc::new(Shared { engine, surroundings, places }) }
    }
}

impl<S: Store, J: Journal> Shared<S, J> {
    /// Finds out who calls, tells those behind, and takes one from what that address may ask.
    fn admit(&self, request: &mut Request<Body>, route: Route, now: Duration) -> Result<(), LimitReached> {
        let peer = request.extensions().get().map(|Peer(peer)| *peer);
        let is_proxy = request.extensions().get() == Some(&Security::Proxy);
        let caller = self.surroundings.proxies.caller((peer, is_proxy), request.headers());
        let Some(caller) = caller else { return Ok(()) };
        if Some(caller) != peer {
            request.extensions_mut().insert(Caller(caller));
        }
        if route.is_for_operators() {
            return Ok(());
        }
        self.engine.limits().admit_address(Address::from(caller), now)
    }

    fn answered(&self, asked: &Asked, response: &Response) {
        let took = self.engine.monotonic().saturating_sub(asked.at);
        self.surroundings.metrics.answered(asked.route, response.status(), took);
        if let (Some(observer), Some(traced)) = (&self.surroundings.observer, &asked.traced) {
            observer.answered(&Answered {
                route: asked.route,
                method: &traced.method,
                status: response.status(),
                reference: response.headers().get(REFERENCE),
                traceparent: traced.parent.as_ref(),
                took,
            });
        }
    }
}

/// What is remembered of a request.
struct Asked {
    route: Route,
    at: Duration,
    /// For an observer only.
    traced: Option<Traced>,
}

struct Traced {
    method: Method,
    parent: Option<HeaderValue>,
}

impl Traced {
    /// Two fields are no context (W3C Trace Context, section 3.2).
    fn new(method: &Method, headers: &HeaderMap) -> Traced {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let parent = parents.next().filter(|_| parents.next().is_none());
        Traced { method: method.clone(), parent: parent.cloned() }
    }
}

impl<R: Clone, S, J> Clone for Front<R, S, J> {
    fn clone(&self) -> Self {
        Front { routes: self.routes.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<R, S: Store, J: Journal> Service<Request<Body>> for Front<R, S, J>
where
    R: Service<Request<Body>, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering<R::Future, S, J>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.routes.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let at = self.shared.engine.monotonic();
        let route = Route::of(request.uri().path());
        let is_traced = self.shared.surroundings.observer.is_some();
        let traced = is_traced.then(|| Traced::new(request.method(), request.headers()));
        let answer = match self.shared.admit(&mut request, route, at) {
            Ok(()) => Answer::Routes { future: self.routes.call(request) },
            Err(reached) => Answer::Refused { reached },
        };
        Answering { answer, asked: Asked { route, at, traced }, shared: Arc::clone(&self.shared) }
    }
}

pin_project! {
    /// The answer to come.
    pub struct Answering<F, S, J> {
        #[pin]
        answer: Answer<F>,
        asked: Asked,
        shared: Arc<Shared<S, J>>,
    }
}

pin_project! {
    #[project = AnswerProjection]
    enum Answer<F> {
        Routes { #[pin] future: F },
        Refused { reached: LimitReached },
        Held { held: Box<Held> },
    }
}

/// An answer that leaves when its time has come.
struct Held {
    until: Pin<Box<Sleep>>,
    response: Option<Response>,
    _place: OwnedSemaphorePermit,
}

/// When an answer leaves.
enum Leaves {
    Now { response: Response },
    Later { held: Box<Held> },
}

impl<S, J> Shared<S, J> {
    /// Holds an answer back if that is to be.
    fn hold(&self, mut response: Response) -> Leaves {
        let hold = self.surroundings.hold;
        if response.extensions().get::<OfAddress>().is_none() || hold.is_zero() {
            return Leaves::Now { response };
        }
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => {
                let until = Box::pin(sleep(hold));
                Leaves::Later { held: Box::new(Held { until, response: Some(response), _place: place }) }
            }
            Err(_) => {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                Leaves::Now { response }
            }
        }
    }
}

impl<F, S: Store, J: Journal> Future for Answering<F, S, J>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.as_mut().project();
        let response = match this.answer.as_mut().project() {
            AnswerProjection::Routes { future } => match ready!(future.poll(cx)) {
                Ok(response) => response,
                Err(never) => match never {},
            },
            AnswerProjection::Refused { reached } => answer::too_many(*reached),
            AnswerProjection::Held { held } => {
                ready!(held.until.as_mut().poll(cx));
                return Poll::Ready(Ok(held.response.take().unwrap_or_default()));
            }
        };
        this.shared.answered(this.asked, &response);
        match this.shared.hold(response) {
            Leaves::Now { response } => Poll::Ready(Ok(response)),
            Leaves::Later { held } => {
                this.answer.set(Answer::Held { held });
                // The timer has to know who waits for it.
                self.poll(cx)
            }
        }
    }
}
