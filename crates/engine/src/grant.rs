//! The standard grants (contract, chapter 5): a token that an assertion of the application asks for, and the
//! application's own.
//!
//! An assertion says for whom the application wants to act, and is used once. What it may do for them is decided
//! where it always is, by [`Engine::contact_token`]: an assertion can name a contact and widen nothing.

use procura_jose::ring::TokenKind;
use procura_protocol::claims::ApplicationTokenClaims;
use procura_protocol::client_assertion::AssertionFault;
use procura_protocol::contact_token::ContactTokenRequest;
use procura_protocol::scope::RequestedScope;
use procura_protocol::secret::Secret;
use procura_store::journal::{AskedFor, Door, OwnIssued, Record, RefusalCause};
use procura_store::records::{KeyNo, RandomId};
use procura_store::{Journal, Store};
use thiserror::Error;

use crate::application_auth::NotAuthenticated;
use crate::application_auth::possession::TokenRequester;
use crate::contact_token::{ContactToken, ContactTokenError, Refusal, Wanted, target};
use crate::token_id::access_token_jti;
use crate::{Engine, Unavailable};

/// An application's own token, whose record is durable.
pub struct OwnToken {
    /// The signed access token.
    pub access_token: String,
    /// Seconds from now until it expires.
    pub expires_in: i64,
    /// The record, for `Procura-Reference`.
    pub reference: RandomId,
}

/// Why an assertion is granted nothing.
#[derive(Debug, Error)]
pub enum GrantError {
    /// Theirs: the assertion does not hold, and that is on record.
    #[error("the assertion does not hold: {fault}")]
    Assertion {
        /// Why, for whoever looks after the server: callers see one answer for all.
        fault: AssertionFault,
        /// The record.
        reference: RandomId,
    },
    /// Theirs: the application was taken away while its request waited.
    #[error("the application proves nothing any more")]
    NotAuthenticated(NotAuthenticated),
    /// Whatever a contact token may be refused for.
    #[error(transparent)]
    ContactToken(#[from] ContactTokenError),
}

impl From<Unavailable> for GrantError {
    fn from(reason: Unavailable) -> GrantError {
        GrantError::ContactToken(reason.into())
    }
}

impl<S: Store, J: Journal> Engine<S, J> {
    /// Issues the contact token that an assertion asks for (RFC 7523 2.1), or says why not.
    ///
    /// # Errors
    ///
    /// [`GrantError`].
    pub async fn token_by_assertion(
        &self,
        requester: &TokenRequester,
        assertion: &Secret,
        request: &ContactTokenRequest<'_>,
        wanted: Wanted,
    ) -> Result<ContactToken, GrantError> {
        let caller = requester.application();
        if !caller.application().trusted {
            let now = self.now().map_err(Unavailable::from)?;
            let cause = (RefusalCause::NotTrusted, 0);
            let reference = self.record_refusal(caller, cause, AskedFor::Nobody, now).await?;
            return Err(ContactTokenError::Refused { refusal: Refusal::NotTrusted, reference }.into());
        }
        let contact_id = match self.granted_subject(caller, assertion).await? {
            Ok(contact_id) => contact_id,
            Err(fault) => {
                tracing::debug!(cause = fault.name(), "an assertion that is to be a grant was refused");
                let now = self.now().map_err(Unavailable::from)?;
                let cause = (RefusalCause::Assertion, fault.code().into());
                let reference = self.record_refusal(caller, cause, AskedFor::Nobody, now).await?;
                return Err(GrantError::Assertion { fault, reference });
            }
        };
        // Keys may have been fetched and the disk waited for: what is decided now must not be decided on what was
        // true then.
        let renewed = self.renew(caller)?.map_err(GrantError::NotAuthenticated)?;
        let requester = requester.renewed(renewed);
        Ok(self.contact_token(&requester, &contact_id, request, wanted).await?)
    }

    /// Issues an application's own token (RFC 6749 4.4). Nobody is acted for, so the application need not be
    /// trusted to.
    ///
    /// # Errors
    ///
    /// [`ContactTokenError`], of which the refusals are about the resource alone.
    pub async fn own_token(
        &self,
        requester: &TokenRequester,
        request: &ContactTokenRequest<'_>,
    ) -> Result<OwnToken, ContactTokenError> {
        let (caller, now) = (requester.application(), self.now().map_err(Unavailable::from)?);
        let application = caller.application();
        let refused = |cause| self.record_refusal(caller, (cause, 0), AskedFor::Nobody, now);
        let Some(resource) = target(caller, request) else {
            let reference = refused(RefusalCause::Target).await?;
            return Err(ContactTokenError::Refused { refusal: Refusal::Target, reference });
        };
        if !self.profile_has(application, resource.access_token_algorithm) {
            let reference = refused(RefusalCause::ProfileAlgorithm).await?;
            return Err(ContactTokenError::Refused { refusal: Refusal::ProfileAlgorithm, reference });
        }
        let ring = self.keys.current();
        let signer = ring.signing(resource.access_token_algorithm).ok_or(Unavailable::NoKey)?;
        let [reference, jti_seed] = self.random_ids();
        let (issued_at, token_id) = (now.seconds(), access_token_jti(jti_seed).text());
        let expires_at = issued_at.plus(self.settings.lifetime);
        let claims = ApplicationTokenClaims {
            issuer: &self.settings.issuer,
            resource_id: resource.id.as_str(),
            application_id: application.id.as_str(),
            issued_at,
            expires_at,
            token_id: token_id.as_str(),
            directory_version: caller.directory().version().0,
            bound_to: requester.binding(),
        };
        let claims = claims.to_json();
        let record = Record::OwnIssued(OwnIssued {
            reference,
            jti_seed,
            application: application.no,
            resource: resource.no,
            access_token_key: KeyNo(signer.number()),
            expires_at,
            version: caller.directory().version(),
            bound_to: requester.binding(),
        });
        let durable = self.journal.append(now, &record).map_err(Unavailable::from)?;
        let access_token = signer.sign(TokenKind::AccessToken, &claims).await;
        durable.await.map_err(Unavailable::from)?;
        let access_token = access_token.map_err(|error| {
            tracing::error!(%error, %reference, "signing failed; the record stands without a token");
            Unavailable::Signing
        })?;
        self.counts.issue_own();
        Ok(OwnToken { access_token, expires_in: expires_at.0 - issued_at.0, reference })
    }
}

impl Wanted {
    /// Everything, as at `/token/{contact_id}`.
    pub const CONTACT_TOKEN: Wanted = Wanted { door: Door::ContactToken, id_token: true };
    /// The same by an assertion.
    pub const BY_ASSERTION: Wanted = Wanted { door: Door::JwtBearer, id_token: true };

    /// An assertion exchanged; the ID token comes when `openid` asks for it.
    pub fn by_exchange(request: &ContactTokenRequest<'_>) -> Wanted {
        let id_token = request.scope.is_some_and(RequestedScope::openid);
        Wanted { door: Door::TokenExchange, id_token }
    }
}
