//! Revocation by applications (RFC 7009): an application ends a token of its own.
//!
//! What is answered is in force here and durable; guards are told within moments. How many tokens an
//! application may end in a minute is bounded, since each is a change of the directory, and how many
//! marks on tokens it may have is too: beyond it all of its tokens of before die, and never fewer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use procura_store::administration::{ChangeContext, Revocation, Revoke, TokenToRevoke};
use procura_store::change::Actor;
use procura_store::records::ApplicationNo;
use procura_store::{Changes as _, Journal, Store};
use thiserror::Error;

use crate::application_auth::AuthenticatedApplication;
use crate::introspection::LEEWAY;
use crate::presented_token::NotAnAccessToken;
use crate::{Engine, Unavailable};

/// Why a token is not revoked. A token that is unknown or over is no reason: there is nothing to end.
#[derive(Debug, Error)]
pub enum RevokeError {
    /// Theirs: an ID token proves something to the application itself; nobody is asked about it again.
    #[error("an ID token can't be revoked")]
    IdToken,
    /// Theirs: the token was issued to another application.
    #[error("the token was issued to another application")]
    NotTheirs,
    /// Theirs: too many in too short a time.
    #[error("the application's budget of revocations is used up")]
    Budget {
        /// Seconds until there is room again.
        retry_after: u64,
    },
    /// Ours: not now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl<S: Store, J: Journal> Engine<S, J> {
    /// Ends a token of the application, if it is one and still lives.
    pub async fn revoke(&self, caller: &AuthenticatedApplication, text: &str) -> Result<(), RevokeError> {
        let now = self.now().map_err(Unavailable::from)?;
        let token = match self.presented_token(text) {
            Ok(token) => token,
            Err(NotAnAccessToken::IdToken) => return Err(RevokeError::IdToken),
            Err(NotAnAccessToken::NotOurs) => return Ok(()),
        };
        let application = caller.application();
        if token.claims.application != application.id {
            return Err(RevokeError::NotTheirs);
        }
        // Guards take a token for some seconds beyond its end.
        if token.claims.expires_at.plus(LEEWAY) <= now.seconds() || self.is_marked(&token) {
            return Ok(());
        }
        self.revocation_budget
            .take(application.no, self.settings.revocations_per_minute, self.clock.monotonic())
            .map_err(|retry_after| RevokeError::Budget { retry_after })?;
        let context = ChangeContext {
            actor: Actor::Application { application: application.no },
            at: now,
            reason: None,
            token_lifetime_max: self.settings.longest_lifetime,
        };
        let revocation = Revocation::Token(TokenToRevoke {
            ids: vec![token.claims.id.clone()],
            application: Some(application.id.clone()),
            expires_at: Some(token.claims.expires_at),
            most_of_application: self.settings.token_marks_per_application,
        });
        let revoked = self.store.changes().revoke(context, revocation).await;
        match revoked.map_err(|error| Unavailable::not_changed(&error))? {
            Revoke::MarkedApplication(_) => {
                tracing::warn!(
                    application = %application.id,
                    "an application has as many marks as it may: all of its tokens of before are dead"
                );
                Ok(())
            }
            Revoke::Marked(_) | Revoke::NothingToMark => Ok(()),
            // Removed since it was authenticated: its tokens died with it.
            Revoke::NotFound => Ok(()),
        }
    }

    fn is_marked(&self, token: &crate::presented_token::PresentedToken) -> bool {
        self.store.revocations().hits(&token.subjects, token.claims.version)
    }
}

/// How many revocations each application has left: a bucket that fills evenly.
#[derive(Debug, Default)]
pub(crate) struct RevocationBudget(Mutex<HashMap<ApplicationNo, Bucket>>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Thousandths of a revocation.
    left: u64,
    at: Duration,
}

/// Full buckets are forgotten when more than this many are remembered.
const REMEMBERED: usize = 10_000;
const ONE: u64 = 1_000;

impl RevocationBudget {
    /// Takes one, or says in how many seconds there is one again.
    fn take(&self, application: ApplicationNo, per_minute: u32, now: Duration) -> Result<(), u64> {
        let full = u64::from(per_minute.max(1)) * ONE;
        let filled = |bucket: &Bucket| {
            let passed = now.saturating_sub(bucket.at).as_millis().min(60_000) as u64;
            (bucket.left + passed * full / 60_000).min(full)
        };
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() > REMEMBERED {
            buckets.retain(|_, bucket| filled(bucket) < full);
        }
        let bucket = buckets.entry(application).or_insert(Bucket { left: full, at: now });
        let left = filled(bucket);
        match left.checked_sub(ONE) {
            Some(left) => {
                *bucket = Bucket { left, at: now };
                Ok(())
            }
            None => Err(((ONE - left) * 60).div_ceil(full).max(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_for_one_application_and_fills_evenly() {
        let budget = RevocationBudget::default();
        let (one, other) = (ApplicationNo(1), ApplicationNo(2));
        let at = |seconds: u64| Duration::from_secs(100 + seconds);
        for _ in 0..6 {
            assert_eq!(budget.take(one, 6, at(0)), Ok(()));
        }
        assert_eq!(budget.take(one, 6, at(0)), Err(10));
        assert_eq!(budget.take(one, 6, at(7)), Err(3));
        assert_eq!(budget.take(other, 6, at(7)), Ok(()));
        assert_eq!(budget.take(one, 6, at(10)), Ok(()));
        assert_eq!(budget.take(one, 6, at(10)), Err(10));
        for _ in 0..6 {
            assert_eq!(budget.take(one, 6, at(10_000)), Ok(()));
        }
        assert_eq!(budget.take(one, 6, at(10_000)), Err(10));
    }

    #[test]
    fn applications_whose_budget_is_full_again_are_forgotten() {
        let budget = RevocationBudget::default();
        for no in 0..REMEMBERED as u32 + 1 {
            assert_eq!(budget.take(ApplicationNo(no), 60, Duration::ZERO), Ok(()));
        }
        assert_eq!(budget.take(ApplicationNo(0), 60, Duration::from_secs(61)), Ok(()));
        assert_eq!(budget.0.lock().unwrap().len(), 1);
    }
}
