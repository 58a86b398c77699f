//! The contact token: what trusted authentication returns (contract, chapter 1).
//!
//! The order of the checks is part of the contract. What is wrong with the shape of a request has been
//! told before it comes here; then follow credentials (in [`crate::application_auth`]), the trusted
//! flag, the contact id, the resource, the rule, named clients, scope and size.
//!
//! The record is queued before the tokens are signed and awaited after, so that the disk works while
//! the core does; nothing leaves before the record is durable.

use std::sync::Arc;

use procura_jose::ring::{KeyRing, RingKey, TokenKind};
use procura_protocol::algorithm::Algorithm;
use procura_protocol::claims::{
    AccessTokenClaims, ClientClaim, IdTokenClaims, common_permissions, group_by_permissions,
};
use procura_protocol::confirmation::Binding;
use procura_protocol::contact_token::{ContactTokenRequest, MAX_CLIENTS};
use procura_protocol::ids::{self, ClientId};
use procura_protocol::permission::Permissions;
use procura_protocol::time::{UnixMillis, UnixSeconds};
use procura_store::journal::{AskedFor, Door, Issued, Record, RefusalCause, Refused};
use procura_store::records::{Application, Contact, ContactNo, KeyNo, RandomId, Resource};
use procura_store::{Journal, Store};
use thiserror::Error;

use crate::application_auth::AuthenticatedApplication;
use crate::application_auth::possession::TokenRequester;
use crate::limits::LimitReached;
use crate::rule::{self, AllowedClient};
use crate::token_id::access_token_jti;
use crate::{Engine, Fingerprint, Unavailable};

/// A contact token whose record is durable.
pub struct ContactToken {
    /// The signed access token.
    pub access_token: String,
    /// The signed ID token, if one was wanted.
    pub id_token: Option<String>,
    /// The permissions that every listed client has: the access token's scope.
    pub scope: Permissions,
    /// What the access token is bound to.
    pub binding: Option<Binding>,
    /// Seconds from now until both expire.
    pub expires_in: i64,
    /// The record, for `Procura-Reference`.
    pub reference: RandomId,
}

/// By which door a contact token is asked for, and what the answer must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// For the record.
    pub(crate) door: Door,
    /// Whether an ID token is to be signed.
    pub(crate) id_token: bool,
}

/// Why there is no contact token.
#[derive(Debug, Error)]
pub enum ContactTokenError {
    /// Theirs: refused, and the refusal is on record.
    #[error("refused: {refusal:?}")]
    Refused {
        /// What the caller may know.
        refusal: Refusal,
        /// The record, for `Procura-Reference`.
        reference: RandomId,
    },
    /// Theirs: the application asked for as many contacts as it may in this hour, and this is another.
    #[error("the ceiling of contacts is reached")]
    LimitReached(LimitReached),
    /// Ours: not now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What the caller may know of a refusal. The record knows more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The application is not flagged trusted.
    NotTrusted,
    /// The contact id can't be one.
    MalformedContact(ids::InvalidId),
    /// The resource is not one that this application is registered for.
    Target,
    /// The resource's tokens are signed with an algorithm that the application's profile does not have.
    ProfileAlgorithm,
    /// The rule leaves no client. One answer, whatever the cause.
    CannotActFor,
    /// A named client is not among those allowed, for whatever reason.
    ClientNotAllowed,
    /// None of the permissions asked for is held for any client.
    NothingInScope,
    /// There are more clients than a token may list.
    TooManyClients {
        /// How many there are.
        count: usize,
    },
    /// The access token would be longer than it may be.
    TooLong {
        /// How many clients there are.
        count: usize,
        /// How many bytes it would have.
        bytes: usize,
    },
}

/// What a token will say, decided and narrowed, before anything is recorded or signed.
struct Grant<'d> {
    clients: Vec<AllowedClient<'d>>,
    contact: (ContactNo, &'d Contact),
    resource: Arc<Resource>,
    issued_at: UnixSeconds,
    expires_at: UnixSeconds,
}

/// A refusal, as the caller and as the record see it.
struct Decline {
    refusal: Refusal,
    cause: RefusalCause,
    asked_for: AskedFor,
    missed: u16,
}

impl<S: Store, J: Journal> Engine<S, J> {
    /// Issues a contact token to an application, or says why not.
    ///
    /// `contact_id` is as it came, decoded once if it stood in a path. This is the one way to a contact token,
    /// whatever door was knocked at.
    pub async fn contact_token(
        &self,
        requester: &TokenRequester,
        contact_id: &str,
        request: &ContactTokenRequest<'_>,
        wanted: Wanted,
    ) -> Result<ContactToken, ContactTokenError> {
        let (now, application) = (self.now().map_err(Unavailable::from)?, requester.application());
        match self.decide(application, contact_id, request, now.seconds())? {
            Ok(grant) => self.grant(requester, grant, wanted, now).await,
            Err(decline) => Err(self.decline(application, decline, now).await),
        }
    }

    fn decide<'d>(
        &self,
        caller: &'d AuthenticatedApplication,
        contact_id: &str,
        request: &ContactTokenRequest<'_>,
        now: UnixSeconds,
    ) -> Result<Result<Grant<'d>, Decline>, ContactTokenError> {
        let (application, directory) = (caller.application(), caller.directory());
        let fingerprint = self.fingerprint(contact_id);
        let early =
            |refusal, cause| Decline { refusal, cause, asked_for: fingerprint.asked_for(None), missed: 0 };
        if !application.trusted {
            return Ok(Err(early(Refusal::NotTrusted, RefusalCause::NotTrusted)));
        }
        if let Err(error) = ids::check_party(contact_id) {
            return Ok(Err(early(Refusal::MalformedContact(error), RefusalCause::MalformedContact)));
        }
        let Some(resource) = target(caller, request) else {
            return Ok(Err(early(Refusal::Target, RefusalCause::Target)));
        };
        // An application can't be registered for an ID token that its profile forbids; a row that says so all the
        // same gets it none.
        let signed_by = [resource.access_token_algorithm, application.id_token_algorithm];
        if !signed_by.into_iter().all(|algorithm| self.profile_has(application, algorithm)) {
            return Ok(Err(early(Refusal::ProfileAlgorithm, RefusalCause::ProfileAlgorithm)));
        }
        self.admit_contact(caller, fingerprint)?;
        let contact = directory.contact(contact_id);
        let ruled = rule::allowed_clients(directory, application, contact, now);
        if ruled.is_ok() {
            self.none_is_being_loaded(caller, contact)?;
        }
        let asked_for = fingerprint.asked_for(contact.map(|(no, _)| no));
        let decline = |refusal, cause| Decline { refusal, cause, asked_for, missed: 0 };
        let (clients, contact) = match (ruled, contact) {
            (Ok(clients), Some(contact)) => (clients, contact),
            (Ok(_), None) => return Ok(Err(decline(Refusal::CannotActFor, RefusalCause::UnknownContact))),
            (Err(none), _) => {
                let declined = decline(Refusal::CannotActFor, none.cause);
                return Ok(Err(Decline { missed: none.missed, ..declined }));
            }
        };
        let clients = match narrow(clients, request) {
            Ok(clients) => clients,
            Err((refusal, cause)) => return Ok(Err(decline(refusal, cause))),
        };
        let ends = clients.iter().fold(None, |end, client| rule::earliest(end, client.until));
        let expires_at = now.plus(self.settings.lifetime);
        let expires_at = ends.map_or(expires_at, |end| end.min(expires_at));
        Ok(Ok(Grant { clients, contact, resource, issued_at: now, expires_at }))
    }

    /// Counts the contact that was asked for, whether or not there is one. Who walks through more of them in
    /// an hour than an honest partner does is told of in the log, once.
    pub(crate) fn admit_contact(
        &self,
        caller: &AuthenticatedApplication,
        contact: Fingerprint,
    ) -> Result<(), ContactTokenError> {
        let application = caller.application();
        let admitted = self.limits.admit_contact(application.no, contact.short(), self.monotonic());
        admitted.map_err(|(reached, is_first)| {
            if is_first {
                tracing::warn!(
                    application = %application.id,
                    seconds = reached.retry_after,
                    "an application asked for more contacts than it may in an hour: others are refused until it is over"
                );
            }
            ContactTokenError::LimitReached(reached)
        })
    }

    /// While an import is being loaded, what its marks hit can't be granted. What the rule refuses on the
    /// version before stays refused: any other answer would tell a contact that exists from one that does
    /// not.
    fn none_is_being_loaded(
        &self,
        caller: &AuthenticatedApplication,
        contact: Option<(ContactNo, &Contact)>,
    ) -> Result<(), Unavailable> {
        let Some((pending, (no, contact))) = caller.directory().pending().zip(contact) else { return Ok(()) };
        let clients: Vec<_> = contact.mandates.iter().map(|mandate| mandate.client).collect();
        if pending.hits(caller.application().no, no, &clients) {
            Err(Unavailable::BeingLoaded)
        } else {
            Ok(())
        }
    }

    async fn grant(
        &self,
        requester: &TokenRequester,
        grant: Grant<'_>,
        wanted: Wanted,
        now: UnixMillis,
    ) -> Result<ContactToken, ContactTokenError> {
        let (caller, binding) = (requester.application(), requester.binding());
        let ring = self.keys.current();
        let signers = Signers::choose(&ring, caller, &grant)?;
        let [reference, id_token_jti] = self.random_ids();
        let claims = Claims::write(&self.settings.issuer, requester, &grant, id_token_jti);
        let bytes = signers.access_token.token_len(TokenKind::AccessToken, claims.access_token.len());
        if bytes > self.settings.max_access_token_bytes {
            let refusal = Refusal::TooLong { count: grant.clients.len(), bytes };
            let asked_for = AskedFor::Known(grant.contact.0);
            let declined = Decline { refusal, cause: RefusalCause::TooLong, asked_for, missed: 0 };
            return Err(self.decline(caller, declined, now).await);
        }
        let record = Record::Issued(Issued {
            reference,
            id_token_jti,
            contact: grant.contact.0,
            application: caller.application().no,
            clients: grant.clients.iter().map(|client| client.no).collect(),
            resource: grant.resource.no,
            id_token_key: wanted.id_token.then(|| KeyNo(signers.id_token.number())),
            access_token_key: KeyNo(signers.access_token.number()),
            expires_at: grant.expires_at,
            version: caller.directory().version(),
            door: wanted.door,
            bound_to: binding,
        });
        let durable = self.journal.append(now, &record).map_err(Unavailable::from)?;
        let id_token = match wanted.id_token {
            true => signers.id_token.sign(TokenKind::IdToken, &claims.id_token).await.map(Some),
            false => Ok(None),
        };
        let access_token = signers.access_token.sign(TokenKind::AccessToken, &claims.access_token).await;
        durable.await.map_err(Unavailable::from)?;
        let signed = id_token.and_then(|id_token| Ok((id_token, access_token?)));
        let (id_token, access_token) = signed.map_err(|error| {
            tracing::error!(%error, %reference, "signing failed; the record stands without a token");
            Unavailable::Signing
        })?;
        self.counts.issue(wanted.door);
        let expires_in = grant.expires_at.0 - grant.issued_at.0;
        let scope = claims.scope;
        Ok(ContactToken { access_token, id_token, scope, binding, expires_in, reference })
    }

    async fn decline(
        &self,
        caller: &AuthenticatedApplication,
        decline: Decline,
        now: UnixMillis,
    ) -> ContactTokenError {
        match self.record_refusal(caller, (decline.cause, decline.missed), decline.asked_for, now).await {
            Ok(reference) => ContactTokenError::Refused { refusal: decline.refusal, reference },
            Err(unavailable) => unavailable.into(),
        }
    }

    /// Whether the application's profile takes tokens that are signed so.
    pub(crate) fn profile_has(&self, application: &Application, algorithm: Algorithm) -> bool {
        application.registration.profile.takes_algorithm(algorithm)
    }

    /// Records a refusal of an authenticated application; its reference once it is durable.
    pub(crate) async fn record_refusal(
        &self,
        caller: &AuthenticatedApplication,
        (cause, missed): (RefusalCause, u16),
        contact: AskedFor,
        now: UnixMillis,
    ) -> Result<RandomId, Unavailable> {
        let [reference, _] = self.random_ids();
        let record = Record::Refused(Refused {
            reference,
            application: caller.application().no,
            contact,
            cause,
            missed,
            version: caller.directory().version(),
        });
        self.journal.append(now, &record)?.await?;
        self.counts.refuse(cause);
        Ok(reference)
    }
}

/// The resource that was asked for, or the application's default.
pub(crate) fn target(
    caller: &AuthenticatedApplication,
    request: &ContactTokenRequest<'_>,
) -> Option<Arc<Resource>> {
    let registered = &caller.application().resources;
    let resource = match &request.resource {
        Some(id) => caller.directory().resource(id.as_str())?,
        None => caller.directory().resource_by_number(*registered.first()?)?,
    };
    (resource.active && registered.contains(&resource.no)).then(|| Arc::clone(resource))
}

/// Narrows to the named clients and to the scope, and holds the number of clients to its limit.
fn narrow<'d>(
    mut clients: Vec<AllowedClient<'d>>,
    request: &ContactTokenRequest<'_>,
) -> Result<Vec<AllowedClient<'d>>, (Refusal, RefusalCause)> {
    if let Some(named) = &request.clients {
        let is_named = |client: &AllowedClient<'_>, id: &ClientId| client.client.id == *id;
        if !named.iter().all(|id| clients.iter().any(|client| is_named(client, id))) {
            return Err((Refusal::ClientNotAllowed, RefusalCause::ClientNotAllowed));
        }
        clients.retain(|client| named.iter().any(|id| is_named(client, id)));
    }
    if let Some(wanted) = request.scope.as_ref().and_then(|scope| scope.permissions()) {
        let kept = |client: &AllowedClient<'_>| client.permissions & wanted;
        if clients.iter().all(|client| kept(client) == Permissions::NONE) {
            return Err((Refusal::NothingInScope, RefusalCause::NothingInScope));
        }
        for client in &mut clients {
            client.permissions = client.permissions & wanted;
        }
    }
    match clients.len() {
        0..=MAX_CLIENTS => Ok(clients),
        count => Err((Refusal::TooManyClients { count }, RefusalCause::TooManyClients)),
    }
}

/// The keys that sign this pair: the ID token's is the application's choice, the access token's the
/// resource's.
struct Signers<'r> {
    id_token: &'r RingKey,
    access_token: &'r RingKey,
}

impl<'r> Signers<'r> {
    fn choose(
        ring: &'r KeyRing,
        caller: &AuthenticatedApplication,
        grant: &Grant<'_>,
    ) -> Result<Signers<'r>, Unavailable> {
        let signing = |algorithm| ring.signing(algorithm).ok_or(Unavailable::NoKey);
        Ok(Signers {
            id_token: signing(caller.application().id_token_algorithm)?,
            access_token: signing(grant.resource.access_token_algorithm)?,
        })
    }
}

/// The payloads of the two tokens.
struct Claims {
    id_token: Vec<u8>,
    access_token: Vec<u8>,
    scope: Permissions,
}

impl Claims {
    fn write(issuer: &str, requester: &TokenRequester, grant: &Grant<'_>, jti: RandomId) -> Claims {
        let caller = requester.application();
        let (application_id, contact_id) = (caller.application().id.as_str(), grant.contact.1.id.as_str());
        let (id_token_jti, access_token_jti) = (jti.text(), access_token_jti(jti).text());
        let listed: Vec<_> = grant
            .clients
            .iter()
            .map(|allowed| ClientClaim {
                client_id: allowed.client.id.as_str(),
                client_name: &allowed.client.name,
            })
            .collect();
        let id_token = IdTokenClaims {
            issuer,
            contact_id,
            application_id,
            issued_at: grant.issued_at,
            expires_at: grant.expires_at,
            token_id: id_token_jti.as_str(),
            clients: &listed,
        };
        let permitted = grant.clients.iter().map(|allowed| (allowed.client.id.as_str(), allowed.permissions));
        let mandates = group_by_permissions(permitted);
        let access_token = AccessTokenClaims {
            issuer,
            contact_id,
            resource_id: grant.resource.id.as_str(),
            application_id,
            issued_at: grant.issued_at,
            expires_at: grant.expires_at,
            token_id: access_token_jti.as_str(),
            directory_version: caller.directory().version().0,
            mandates: &mandates,
            bound_to: requester.binding(),
        };
        let scope = common_permissions(&mandates);
        Claims { id_token: id_token.to_json(), access_token: access_token.to_json(), scope }
    }
}
