//! A secret (RFC 6749 2.3.1).

use std::sync::Arc;

use procura_jose::digest::{constant_time_eq, sha256};
use procura_protocol::application_auth::AuthMethod;
use procura_protocol::secret::Secret;
use procura_protocol::time::UnixSeconds;
use procura_store::records::{Application, RegisteredSecret, SecretHash};

/// How many secrets are compared, always.
const LIVE_SECRETS: usize = 2;

/// Whether the secret is one of the application's, sent in a way that it is registered for.
pub(super) fn fits(
    found: Option<&Arc<Application>>,
    secret: &Secret,
    method: AuthMethod,
    now: UnixSeconds,
) -> bool {
    let live = found.map_or(&[][..], |found| &found.secrets);
    let fits = fitting(live, secret, now).is_some();
    fits && found.is_some_and(|found| found.registration.takes(method))
}

/// The one of the live secrets that was presented, if one was; always as many comparisons.
pub(crate) fn fitting(live: &[RegisteredSecret], presented: &Secret, now: UnixSeconds) -> Option<SecretHash> {
    let digest = sha256(presented.expose());
    let mut fits = None;
    for at in 0..live.len().max(LIVE_SECRETS) {
        // Nothing hashes to zeros, so an absent secret fits nothing.
        let absent = RegisteredSecret::from(SecretHash([0; 32]));
        let secret = live.get(at).copied().unwrap_or(absent);
        let equal = constant_time_eq(&secret.hash.0, &digest);
        if equal && secret.expires_at.is_none_or(|end| now < end) {
            fits = Some(secret.hash);
        }
    }
    fits
}
