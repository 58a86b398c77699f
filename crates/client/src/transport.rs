//! What carries a request to the server: one async function over `http` types.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

/// Carries one request and brings its answer. Bring your own, or take `ReqwestTransport` (feature
/// `reqwest`).
///
/// An implementation
/// * follows no redirect: the request carries the application's secret;
/// * reads at most [`ResponseLimit::of`] the request bytes of the answer's body;
/// * retries nothing: [`crate::Procura`] does, and counts;
/// * verifies the server's certificate.
///
/// How long one try may last is not its affair: the future is dropped when time is up.
pub trait Transport: Send + Sync + 'static {
    /// Sends the request and reads the whole answer.
    ///
    /// # Errors
    ///
    /// [`TransportError`] when no whole answer came. An answer with any status is not an error here.
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Bytes>, TransportError>> + Send;
}

impl<T: Transport> Transport for Arc<T> {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Bytes>, TransportError>> + Send {
        T::send(self, request)
    }
}

/// The most bytes that the answer to a request may have. Travels in the request's extensions, because a
/// token is small and a list of contacts is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseLimit(pub usize);

impl ResponseLimit {
    /// What holds for a request that says nothing.
    pub const DEFAULT: ResponseLimit = ResponseLimit(64 * 1024);

    /// The limit of this request.
    pub fn of<B>(request: &Request<B>) -> ResponseLimit {
        request.extensions().get().copied().unwrap_or(Self::DEFAULT)
    }
}

/// Why no whole answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection could be made, or it broke. Asking again may help.
    Connection,
    /// No answer in time. Asking again may help.
    Timeout,
    /// The answer is larger than [`ResponseLimit`].
    TooLarge,
    /// The transport could not be set up (for instance: no root certificates).
    Setup,
}

/// A transport's failure: its kind, and the cause in the words of whatever library met it.
#[derive(Clone)]
pub struct TransportError {
    kind: TransportErrorKind,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl TransportError {
    /// A failure without a further cause.
    pub fn new(kind: TransportErrorKind) -> TransportError {
        TransportError { kind, source: None }
    }

    /// A failure and what caused it. The cause must hold no header and no body of the request.
    pub fn because(
        kind: TransportErrorKind,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> TransportError {
        TransportError { kind, source: Some(Arc::from(source.into())) }
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TransportErrorKind::Connection => "the connection to the server failed",
            TransportErrorKind::Timeout => "the server did not answer in time",
            TransportErrorKind::TooLarge => "the server's answer is larger than this request allows",
            TransportErrorKind::Setup => "the transport could not be set up",
        })?;
        let mut cause = self.source.as_deref().map(|source| source as &dyn StdError);
        while let Some(reason) = cause {
            write!(f, ": {reason}")?;
            cause = reason.source();
        }
        Ok(())
    }
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransportError({self})")
    }
}

impl StdError for TransportError {}
