//! Which application asks, and what proves it (contract, chapter 6).

use std::borrow::Cow;
use std::sync::Arc;

use procura_jose::digest::{constant_time_eq, sha256};
use procura_protocol::secret::Secret;
use procura_store::records::{Application, SecretHash};
use procura_store::{Directory, Journal, Store};

use crate::{Engine, Unavailable};

/// What a request brought to prove who it is.
#[derive(Debug)]
pub enum Presented<'a> {
    /// An id (of an application, or of a resource where those may ask) and a secret, by Basic or by form.
    Secret {
        /// The id as it was sent.
        id: Cow<'a, str>,
        /// The secret as it was sent.
        secret: Secret,
    },
    /// Nothing, or something that can't be read.
    Nothing,
}

/// No or wrong credentials, an unknown or a disabled application: all alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAuthenticated;

/// An application whose credentials were right at the version of the directory that it holds.
///
/// Only this file can make one, and every grant asks for one.
///
/// ```compile_fail
/// use procura_engine::application_auth::AuthenticatedApplication;
/// let forged = AuthenticatedApplication { application: todo!(), directory: todo!() };
/// ```
#[derive(Clone)]
pub struct AuthenticatedApplication {
    application: Arc<Application>,
    directory: Arc<Directory>,
}

impl AuthenticatedApplication {
    /// The application.
    pub fn application(&self) -> &Application {
        &self.application
    }

    /// The directory on which it was found, and on which everything about this request is decided.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }
}

impl<S: Store, J: Journal> Engine<S, J> {
    /// Finds out which application asks.
    ///
    /// The work is the same whether the id exists or not and whichever of the secrets fits: one digest,
    /// two comparisons.
    pub fn authenticate_application(
        &self,
        presented: &Presented<'_>,
    ) -> Result<Result<AuthenticatedApplication, NotAuthenticated>, Unavailable> {
        let directory = self.store.directory()?;
        let now = self.now()?;
        let found = match presented {
            Presented::Secret { id, secret } => {
                let application = directory.application(id);
                let fits = fitting(application.map_or(&[][..], |found| &found.secrets), secret).is_some();
                (application.cloned(), fits)
            }
            Presented::Nothing => (None, false),
        };
        match found {
            (Some(application), true) if application.active => {
                Ok(Ok(AuthenticatedApplication { application, directory }))
            }
            (application, _) => {
                self.failures.count(now, application.is_some());
                Ok(Err(NotAuthenticated))
            }
        }
    }
}

/// How many secrets are compared, always.
const LIVE_SECRETS: usize = 2;

/// The one of the live secrets that was presented, if one was; always as many comparisons.
pub(crate) fn fitting(live: &[SecretHash], presented: &Secret) -> Option<SecretHash> {
    let digest = sha256(presented.expose());
    let mut fits = None;
    for at in 0..live.len().max(LIVE_SECRETS) {
        // Nothing hashes to zeros, so an absent secret fits nothing.
        let hash = live.get(at).copied().unwrap_or(SecretHash([0; 32]));
        if constant_time_eq(&hash.0, &digest) {
            fits = Some(hash);
        }
    }
    fits
}
