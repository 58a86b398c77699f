//! Where keys and marks come from. Over the network by [`crate::Guard::connect`]; in process by whoever
//! has them at hand.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use procura_jose::Jwks;
use procura_protocol::mark::MarkSubject;

/// The public keys of the server.
pub trait KeySource: Send + Sync + 'static {
    /// The set as it is known now; `None` when none is, or what is known is too old to be believed.
    ///
    /// Cheap, and the same `Arc` as long as the set is the same: what was verified with another `Arc` is
    /// verified again.
    fn current(&self) -> Option<Arc<Jwks>>;

    /// A token names a key that is not in `known`: learns the set anew if that has not just been done,
    /// and returns within a few seconds, whatever comes of it. Called by many at once.
    fn refetch<'a>(&'a self, known: &'a Arc<Jwks>) -> Refetch<'a>;
}

/// What [`KeySource::refetch`] waits for.
pub type Refetch<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The marks that kill tokens.
pub trait MarkSource: Send + Sync + 'static {
    /// A number that becomes another one with every mark that is added; `None` when it is not certain
    /// that all marks are known that are older than the promised time. Then every call is answered 503.
    ///
    /// Cheap; asked at every call.
    fn generation(&self) -> Option<u64>;

    /// Whether a token with these subjects, decided on version `dv` of the directory, is dead. Knows at
    /// least the marks of every generation that was given out before.
    fn hits(&self, subjects: &[MarkSubject], dv: u64) -> bool;
}
