//! Revocation by applications (RFC 7009): an application ends a token of its own.
//!
//! What is answered is in force here and durable; guards are told within moments. How many tokens an
//! application may end in a minute is bounded, since each is a change of the directory, and how many
//! marks on tokens it may have is too: beyond it all of its tokens of before die, and never fewer.

use procura_store::administration::{ChangeContext, Revocation, Revoke, TokenToRevoke};
use procura_store::change::Actor;
use procura_store::{Changes as _, Journal, Store};
use thiserror::Error;

use crate::application_auth::AuthenticatedApplication;
use crate::introspection::LEEWAY;
use crate::limits::LimitReached;
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
    Budget(LimitReached),
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
        self.limits.admit_revocation(application.no, self.clock.monotonic()).map_err(RevokeError::Budget)?;
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
