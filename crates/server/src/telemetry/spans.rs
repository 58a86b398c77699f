//! A span for each answered request, sent to an OpenTelemetry collector.
//!
//! A span says route, method, status, how long it took, and which record of the journal goes with it. It holds
//! no secret, no token, and no id of an application, a contact or an address: whoever may know those looks the
//! reference up with `procura audit explain`.
//!
//! What a caller sends as `traceparent` becomes a link and nothing more: callers are strangers, so they
//! neither choose our trace ids nor decide what is sampled (`docs/decisions/0038-*`).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::{Request, Response, StatusCode};
use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{KeyValue, Value};
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider,
};
use procura_client::{ReqwestTransport, Transport as _};
use procura_http::front::{Answered, Observer};
use procura_store::Clock;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::config::Tracing;
use crate::exit::Failure;

/// How long a collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Spans that wait to be sent. What comes beyond them is lost, and nobody waits.
const QUEUE: usize = 8192;

/// Makes spans of answers.
pub(crate) struct Spans {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    clock: Arc<dyn Clock>,
    one_in: u64,
    seen: AtomicU64,
}

impl Spans {
    /// Begins to send to the collector of the configuration. Needs the runtime that will carry the requests.
    ///
    /// # Errors
    ///
    /// When the collector's URL can't be used. That it does not answer is no error: the log tells it.
    pub(crate) fn begin(tracing: &Tracing, clock: Arc<dyn Clock>) -> Result<Spans, Failure> {
        let client =
            Carrier { transport: ReqwestTransport::new(), runtime: Handle::current(), told: Arc::default() };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&tracing.otlp_endpoint)
            .with_timeout(PATIENCE)
            .build()
            .map_err(|error| Failure::usage(format_args!("tracing.otlp_endpoint can't be used: {error}")))?;
        let batches = BatchConfigBuilder::default().with_max_queue_size(QUEUE).build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
            // Which requests are traced was decided before; no environment and no caller changes it.
            .with_sampler(Sampler::AlwaysOn)
            .with_resource(
                Resource::builder_empty()
                    .with_attributes([
                        KeyValue::new("service.name", "procura"),
                        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                    ])
                    .build(),
            )
            .build();
        let tracer = provider.tracer("procura");
        Ok(Spans { provider, tracer, clock, one_in: tracing.one_in, seen: AtomicU64::new(0) })
    }

    /// Sends what waits. Blocks for as long as the collector takes, [`PATIENCE`] at most.
    pub(crate) fn stop(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(PATIENCE) {
            tracing::warn!(%error, "the last spans may not have reached the collector");
        }
    }
}

impl Observer for Spans {
    fn answered(&self, answered: &Answered<'_>) {
        if !self.seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(self.one_in) {
            return;
        }
        let now = u64::try_from(self.clock.now().0).unwrap_or(0);
        let end = SystemTime::UNIX_EPOCH + Duration::from_millis(now);
        let method: Value = known_method(answered.method.as_str()).into();
        let mut attributes = vec![
            KeyValue::new("http.request.method", method.clone()),
            KeyValue::new("http.route", answered.route.name()),
            KeyValue::new("http.response.status_code", i64::from(answered.status.as_u16())),
        ];
        if let Some(reference) = answered.reference.and_then(|reference| reference.to_str().ok()) {
            attributes.push(KeyValue::new("procura.reference", reference.to_owned()));
        }
        let parent = answered.traceparent.and_then(|value| value.to_str().ok()).and_then(traceparent);
        let mut span = self
            .tracer
            .span_builder(format!("{} {}", method.as_str(), answered.route.name()))
            .with_kind(SpanKind::Server)
            .with_start_time(end.checked_sub(answered.took).unwrap_or(end))
            .with_attributes(attributes)
            .with_links(parent.map(Link::with_context).into_iter().collect())
            .start_with_context(&self.tracer, &opentelemetry::Context::new());
        if answered.status.is_server_error() {
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(end);
    }
}

/// A method is a caller's word: only those that have a meaning here are written down.
fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("_OTHER")
}

/// Version 00 of `traceparent` (W3C Trace Context, section 3.2.2), and nothing else.
fn traceparent(text: &str) -> Option<SpanContext> {
    let (trace, rest) = text.strip_prefix("00-")?.split_at_checked(32)?;
    let (span, flags) = rest.strip_prefix('-')?.split_at_checked(16)?;
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let flags = flags.strip_prefix('-').filter(|flags| flags.len() == 2)?;
    if ![trace, span, flags].into_iter().all(is_hex) {
        return None;
    }
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, TraceFlags::NOT_SAMPLED, true, TraceState::NONE);
    context.is_valid().then_some(context)
}

/// Carries spans with the SDK's transport: TLS with the system's roots, plain HTTP to this machine only, no
/// redirects. The exporter waits on a thread of its own, so the requests are made on the runtime.
struct Carrier {
    transport: ReqwestTransport,
    runtime: Handle,
    /// Whether it was told that the collector does not take spans.
    told: Arc<AtomicBool>,
}

/// Says once that spans are lost, and again after they were not.
fn tell<E: fmt::Display>(told: &AtomicBool, sent: &Result<StatusCode, E>) {
    let lost = match sent {
        Ok(status) if status.is_success() => None,
        Ok(status) => Some(format!("it answers {status}")),
        Err(error) => Some(error.to_string()),
    };
    if let Some(why) = &lost
        && !told.load(Ordering::Relaxed)
    {
        tracing::warn!(why, "the collector takes no spans: they are lost until it does");
    }
    told.store(lost.is_some(), Ordering::Relaxed);
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Carrier")
    }
}

impl HttpClient for Carrier {
    fn send_bytes<'s, 'f>(
        &'s self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        let (transport, told) = (self.transport.clone(), Arc::clone(&self.told));
        let sent = self.runtime.spawn(async move {
            let sent: Result<_, HttpError> = match timeout(PATIENCE, transport.send(request)).await {
                Ok(sent) => sent.map_err(Into::into),
                Err(late) => Err(late.into()),
            };
            tell(&told, &sent.as_ref().map(Response::status));
            sent
        });
        Box::pin(async move { sent.await? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_context_is_read_strictly_and_never_sampled() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = traceparent(good).unwrap();
        assert_eq!(context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert!(context.is_remote() && !context.is_sampled());
        for bad in [
            "",
            "00",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333+-01",
            "00-0af7651916cd43dd8448eb211c80319\u{e9}-b7ad6b7169203331-01",
        ] {
            assert!(traceparent(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_method_that_a_caller_made_up_is_not_written_down() {
        assert_eq!((known_method("POST"), known_method("HUNTER2")), ("POST", "_OTHER"));
    }
}
