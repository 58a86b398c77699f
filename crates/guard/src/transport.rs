//! What carries requests to the server: one async function over `http` types.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

/// Carries a request and brings its answer, whose body may come for an hour. Bring your own, or take
/// `ReqwestTransport` (feature `reqwest`).
///
/// An implementation
/// * follows no redirect: a request may carry the resource's secret;
/// * gives every piece of a body on as soon as it is there;
/// * retries nothing and keeps no cache;
/// * verifies the server's certificate.
///
/// How long anything may last, and how large it may be, is not its affair: the guard counts, and drops
/// the future or the body when it has enough.
pub trait Transport: Send + Sync + 'static {
    /// The body of an answer.
    type Body: Chunks;

    /// Sends the request and reads the head of the answer.
    ///
    /// # Errors
    ///
    /// [`TransportError`] when no answer came. An answer with any status is not an error here.
    fn send(
        &self,
        request: Request<()>,
    ) -> impl Future<Output = Result<Response<Self::Body>, TransportError>> + Send;
}

/// A body that comes in pieces.
pub trait Chunks: Send + 'static {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`TransportError`] when it broke off.
    fn chunk(&mut self) -> impl Future<Output = Result<Option<Bytes>, TransportError>> + Send;
}

impl<T: Transport> Transport for Arc<T> {
    type Body = T::Body;

    fn send(
        &self,
        request: Request<()>,
    ) -> impl Future<Output = Result<Response<T::Body>, TransportError>> + Send {
        T::send(self, request)
    }
}

/// Why no answer came, or no whole one, in the words of whatever library met it.
#[derive(Clone)]
pub struct TransportError(Arc<dyn StdError + Send + Sync>);

impl TransportError {
    /// A failure and what caused it. The cause must hold no header of the request.
    pub fn because(source: impl Into<Box<dyn StdError + Send + Sync>>) -> TransportError {
        TransportError(Arc::from(source.into()))
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection to the server failed")?;
        let mut cause: Option<&dyn StdError> = Some(&*self.0);
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
