//! A signed assertion (RFC 7523 2.2).

use std::sync::Arc;

use procura_protocol::secret::Secret;
use procura_protocol::time::UnixMillis;
use procura_store::{Directory, Journal, Store};

use super::{NotAuthenticated, Proved};
use crate::{Engine, Unavailable};

impl<S: Store, J: Journal> Engine<S, J> {
    /// The application that signed the assertion; or whether the id that it names is known, and why not.
    pub(super) async fn prove_by_assertion(
        &self,
        directory: &Arc<Directory>,
        (id, _assertion): (Option<&str>, &Secret),
        _endpoint: &'static str,
        _now: UnixMillis,
    ) -> Result<Result<Proved, (bool, NotAuthenticated)>, Unavailable> {
        let known = id.is_some_and(|id| directory.application(id).is_some());
        Ok(Err((known, NotAuthenticated::Credentials)))
    }
}
