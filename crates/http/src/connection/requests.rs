//! The service above hyper.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use http::header::{CONNECTION, HOST};
use http::{HeaderValue, Request, Response, Version};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower::util::Oneshot;
use tower::{Service, ServiceExt};

use super::activity::{Activity, InFlight};
use super::body::{RequestBody, ResponseBody};
use super::clock::now;
use super::drain::Drain;
use super::origin::Origin;
use super::refusal::Refusal;
use crate::limits::Limits;

/// The service of one connection: refuses heads that are too large, and lets the rest through to the
/// routes, noting when each request begins and ends.
pub(super) struct Requests<S> {
    service: S,
    origin: Origin,
    activity: Arc<Activity>,
    limits: Limits,
    drain: Drain,
}

impl<S> Requests<S> {
    pub(super) fn new(
        (service, origin): (S, Origin),
        activity: Arc<Activity>,
        limits: Limits,
        drain: Drain,
    ) -> Self {
        Self { service, origin, activity, limits, drain }
    }

    fn body(&self, incoming: Incoming) -> Body {
        if incoming.is_end_stream() {
            return Body::empty();
        }
        Body::new(if self.activity.is_http2() {
            RequestBody::of_stream(incoming, now() + self.limits.body_time)
        } else {
            RequestBody::of_connection(incoming, Arc::clone(&self.activity))
        })
    }
}

impl<S> hyper::service::Service<Request<Incoming>> for Requests<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Answer<S>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let head_bytes = head_bytes(&request);
        let in_flight = InFlight::begin(&self.activity, head_bytes);
        let refusal = refusal(&request, &self.limits, (head_bytes, self.activity.head_bytes()))
            .or_else(|| (!self.origin.is_meant(&request)).then_some(Refusal::Misdirected));
        let source = match refusal {
            None => {
                let mut request = request.map(|incoming| self.body(incoming));
                self.origin.mark(&mut request);
                Source::Service { future: self.service.clone().oneshot(request) }
            }
            Some(refusal) => Source::Refused { response: Some(refusal.to_response(&self.limits)) },
        };
        Answer { source, in_flight: Some(in_flight), drain: self.drain.clone() }
    }
}

/// Heads of the largest size that one connection may have in flight; of HTTP/2's usual ones there is room
/// for all streams. Each takes twice its size in memory, and a caller can make them all wait for bodies.
const LARGEST_HEADS: usize = 8;

/// Why the head is refused, if it is. hyper's parser holds the limits for HTTP/1.1, but by whole reads of
/// its buffer; this is exact, and alike for HTTP/2. `bytes` are those of this head, and of all heads that
/// are in flight on the connection.
fn refusal<B>(request: &Request<B>, limits: &Limits, bytes: (usize, usize)) -> Option<Refusal> {
    let (this, all) = bytes;
    let fits = request.headers().len() <= limits.header_count
        && this <= limits.header_bytes
        && all <= LARGEST_HEADS * limits.header_bytes;
    if !fits {
        Some(Refusal::HeadersTooLarge)
    } else if !names_one_host(request) {
        Some(Refusal::Malformed)
    } else {
        None
    }
}

/// RFC 9112 section 3.2. Nothing here depends on the host, but a proxy in front may: who can't agree on it
/// may not agree on more.
fn names_one_host<B>(request: &Request<B>) -> bool {
    request.version() != Version::HTTP_11 || request.headers().get_all(HOST).iter().count() == 1
}

/// Bytes of target and fields together.
fn head_bytes<B>(request: &Request<B>) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let fields = request.headers().iter();
    target + fields.map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>()
}

pin_project! {
    /// The response to come.
    pub(super) struct Answer<S>
    where
        S: Service<Request<Body>>,
    {
        #[pin]
        source: Source<S>,
        in_flight: Option<InFlight>,
        drain: Drain,
    }
}

pin_project! {
    #[project = SourceProjection]
    enum Source<S>
    where
        S: Service<Request<Body>>,
    {
        Service { #[pin] future: Oneshot<S, Request<Body>> },
        Refused { response: Option<Response<Body>> },
    }
}

impl<S> Future for Answer<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.in_flight.is_none() {
            return Poll::Pending;
        }
        let response = match this.source.project() {
            SourceProjection::Service { future } => match ready!(future.poll(cx)) {
                Ok(response) => Some(response),
                Err(never) => match never {},
            },
            SourceProjection::Refused { response } => response.take(),
        };
        let (Some(mut response), Some(in_flight)) = (response, this.in_flight.take()) else {
            return Poll::Pending;
        };
        let activity = in_flight.activity();
        // HTTP/2 says this by a frame of its own.
        if !activity.is_http2() && (activity.body_was_abandoned() || this.drain.has_begun()) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(response.map(|body| ResponseBody::new(body, in_flight))))
    }
}
