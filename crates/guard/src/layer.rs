//! The layer: no request without a token that is in force goes further.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::authority::CheckedToken;
use crate::certificate::{CertificateHeader, PeerCertificate};
use crate::check::Guard;
use crate::client_place::ClientPlace;
use crate::incoming::Incoming;
use crate::refusal::{NONCE, Refusal};

/// Puts a guard in front of a service. Made by [`Guard::layer`].
///
/// A request whose token is not in force is answered here. Which client a call is about and what the route
/// needs is asked by the extractors ([`crate::ActingFor`], [`crate::OnBehalfOf`]); a route without one has
/// checked that the caller has a token, and nothing else.
///
/// An answer of the layer carries the [`Refusal`] in its extensions, for a layer around this one that counts or logs.
#[derive(Debug, Clone)]
pub struct GuardLayer {
    guard: Guard,
    place: Arc<ClientPlace>,
    /// Where the caller's certificate is, if not in the request's extensions.
    certificate: Option<Arc<CertificateHeader>>,
}

impl Guard {
    /// The layer of this guard, with `client_id` in the query and the caller's certificate, if there is one,
    /// in the request's extensions as a [`PeerCertificate`].
    pub fn layer(&self) -> GuardLayer {
        GuardLayer { guard: self.clone(), place: Arc::default(), certificate: None }
    }
}

impl GuardLayer {
    /// The same with the client id elsewhere.
    #[must_use]
    pub fn client_in(self, place: ClientPlace) -> GuardLayer {
        GuardLayer { place: Arc::new(place), ..self }
    }

    /// The same behind a proxy that ends the callers' TLS and passes their certificates in this header. Only
    /// for a service that nobody else can reach: whoever can send the header can use a stolen token. An
    /// extension is not looked at any more, since it would be the proxy's own certificate.
    #[must_use]
    pub fn certificate_in(self, header: CertificateHeader) -> GuardLayer {
        GuardLayer { certificate: Some(Arc::new(header)), ..self }
    }

    fn check<B>(&self, request: &Request<B>) -> Result<Passed, Refusal> {
        let mut incoming = Incoming::of(request);
        if let Some(header) = &self.certificate {
            incoming.certificate = header.read(request.headers());
        }
        let token = self.guard.check_now(&incoming)?;
        let (guard, place) = (self.guard.clone(), Arc::clone(&self.place));
        Ok(Passed { token, certificate: incoming.certificate, guard, place })
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> GuardService<S> {
        GuardService { layer: self.clone(), inner }
    }
}

/// What the layer leaves for the extractors. Nobody else can make or read it.
#[derive(Clone)]
pub(crate) struct Passed {
    pub(crate) token: CheckedToken,
    /// What the caller proved to hold beside it.
    pub(crate) certificate: Option<PeerCertificate>,
    pub(crate) guard: Guard,
    pub(crate) place: Arc<ClientPlace>,
}

/// A service behind a guard.
#[derive(Debug, Clone)]
pub struct GuardService<S> {
    layer: GuardLayer,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for GuardService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = GuardFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> GuardFuture<S, B> {
        match self.layer.check(&request) {
            Err(refusal) if refusal.is_unknown_key() => {
                let learner = self.layer.guard.clone();
                // The service that was ready is the one to be called; its clone is for the next request.
                let clone = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, clone);
                GuardFuture::Learning {
                    keys: Box::pin(async move { learner.learn_keys().await }),
                    waiting: Some((self.layer.clone(), inner, request)),
                }
            }
            checked => GuardFuture::after(checked, &self.layer, &mut self.inner, request),
        }
    }
}

pin_project! {
    /// The answer of a service behind a guard, or a refusal.
    #[project = Stage]
    pub enum GuardFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[doc(hidden)]
        Refused { answer: Option<Response<Bytes>> },
        #[doc(hidden)]
        Learning {
            keys: Pin<Box<dyn Future<Output = ()> + Send>>,
            waiting: Option<(GuardLayer, S, Request<B>)>,
        },
        #[doc(hidden)]
        Answering { #[pin] answer: S::Future, nonce: Option<HeaderValue> },
    }
}

impl<S, B> GuardFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn after(
        checked: Result<Passed, Refusal>,
        layer: &GuardLayer,
        inner: &mut S,
        mut request: Request<B>,
    ) -> GuardFuture<S, B> {
        match checked {
            Ok(passed) => {
                let nonce = layer.guard.next_nonce(request.headers());
                request.extensions_mut().insert(passed);
                GuardFuture::Answering { answer: inner.call(request), nonce }
            }
            Err(refusal) => {
                let mut answer = layer.guard.answer(&refusal, request.headers());
                answer.extensions_mut().insert(refusal);
                GuardFuture::Refused { answer: Some(answer) }
            }
        }
    }
}

impl<S, B, R> Future for GuardFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let next = match self.as_mut().project() {
                Stage::Answering { answer, nonce } => {
                    let mut answered = ready!(answer.poll(cx));
                    if let (Ok(response), Some(nonce)) = (&mut answered, nonce.take()) {
                        response.headers_mut().insert(NONCE, nonce);
                    }
                    return Poll::Ready(answered);
                }
                Stage::Refused { answer } => match answer.take() {
                    Some(answer) => return Poll::Ready(Ok(answer.map(R::from))),
                    // Polled after it was done.
                    None => return Poll::Pending,
                },
                Stage::Learning { keys, waiting } => {
                    ready!(keys.as_mut().poll(cx));
                    let Some((layer, mut inner, request)) = waiting.take() else {
                        return Poll::Pending;
                    };
                    let checked = layer.check(&request);
                    GuardFuture::after(checked, &layer, &mut inner, request)
                }
            };
            self.set(next);
        }
    }
}
