//! The API that the token opens (contract, chapter 4): whose clients, and who acts for them.

mod answers;
pub(crate) mod challenge;
mod records;
mod requests;
mod update;

pub use answers::{
    ApiRefusal, parse_clients_response, parse_contact_response, parse_contact_update_response,
    parse_contacts_of_client_response,
};
pub use records::{Client, ClientStatus, Contact, ETag, InvalidETag};
pub use requests::ApiRequests;
pub use update::ContactUpdate;

use std::fmt;

use bytes::Bytes;
use http::{Request, Response};
use procura_protocol::ids::{ClientId, ContactId};

use crate::api::answers::{changed, read};
use crate::error::{Error, ProtocolError};
use crate::retry::{Judge, Patience};
use crate::token_source::{SharedToken, TokenSource};
use crate::transport::Transport;

/// The API of the server, called on the authority of one contact.
///
/// Takes its tokens from a [`TokenSource`]. When the API says that a token is not in force any more, the
/// token is forgotten, a new one asked for and the call made once more: so a revoked token costs one more
/// request, and withdrawn trust shows as the server's own refusal ([`Error::Refused`]). Other failures are
/// tried again as by [`crate::Procura`], but a change is never sent twice when it may have arrived.
///
/// The tokens must be for the server itself: where that is not the application's default resource, the
/// source needs [`crate::TokenOptions::for_resource`].
pub struct Api<T> {
    tokens: TokenSource<T>,
    contact: ContactId,
}

impl<T: Transport> Api<T> {
    /// The API as this contact meets it. A clone of a source is the same source.
    pub fn new(tokens: TokenSource<T>, contact: ContactId) -> Api<T> {
        Api { tokens, contact }
    }

    /// On whose authority the calls are made.
    pub fn acting_for(&self) -> &ContactId {
        &self.contact
    }

    /// The clients that the contact may act for.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] when there is no token, [`Error::Api`] when the API does not take it.
    pub async fn clients(&self) -> Result<Vec<Client>, Error> {
        parse_clients_response(self.call(Patience::SHORT, read, ApiRequests::clients_request).await?)
    }

    /// The contacts of a client; without `can_manage_contacts` for it only oneself.
    ///
    /// # Errors
    ///
    /// As [`Api::clients`]; `client_not_allowed` for a client that the token is not for.
    pub async fn contacts(&self, client: &ClientId) -> Result<Vec<Contact>, Error> {
        let build = |requests: &ApiRequests| requests.contacts_request(client);
        parse_contacts_of_client_response(self.call(Patience::LONG, read, build).await?)
    }

    /// One contact of a client, and the tag of what was read.
    ///
    /// # Errors
    ///
    /// As [`Api::contacts`]; status 404 for a contact that is none of this client's.
    pub async fn contact(&self, client: &ClientId, contact: &ContactId) -> Result<(Contact, ETag), Error> {
        let build = |requests: &ApiRequests| requests.contact_request(client, contact);
        parse_contact_response(self.call(Patience::SHORT, read, build).await?, contact)
    }

    /// Changes a contact of a client. With the tag of what was read, only if nobody has changed it since.
    /// Gives the tag of what the contact is now, if the server tells it.
    ///
    /// # Errors
    ///
    /// As [`Api::contact`]; [`Error::Conflict`] for a tag that is not the latest; [`ApiRefusal::fields`] says
    /// what is wrong with which member. After [`Error::Transport`] the change may or may not have been
    /// made.
    pub async fn update_contact(
        &self,
        client: &ClientId,
        contact: &ContactId,
        update: &ContactUpdate,
        if_match: Option<&ETag>,
    ) -> Result<Option<ETag>, Error> {
        let build =
            |requests: &ApiRequests| requests.contact_update_request(client, contact, update, if_match);
        parse_contact_update_response(self.call(Patience::CHANGE, changed, build).await?)
    }

    async fn call(
        &self,
        patience: Patience,
        judge: Judge,
        build: impl Fn(&ApiRequests) -> Request<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        let token = self.tokens.token_for_contact(&self.contact).await?;
        let request = build(&self.requests(&token)?);
        match self.send(&token, patience, request, judge).await {
            Err(error) if error.is_about_the_token() => {
                let token = self.tokens.token_for_contact(&self.contact).await?;
                let request = build(&self.requests(&token)?);
                self.send(&token, patience, request, judge).await
            }
            outcome => outcome,
        }
    }

    fn requests(&self, token: &SharedToken) -> Result<ApiRequests, Error> {
        let application = self.tokens.procura().application();
        let issuer = application.named().unwrap_or_else(|| application.issuer());
        let unusable = ProtocolError::Value { name: "access_token", why: "can't stand in a header" };
        ApiRequests::new(issuer.clone(), self.contact.clone(), token).ok_or_else(|| unusable.into())
    }

    /// Sends one request, and forgets the token if the API does not take it.
    async fn send(
        &self,
        token: &SharedToken,
        patience: Patience,
        request: Request<Bytes>,
        judge: Judge,
    ) -> Result<Response<Bytes>, Error> {
        let outcome = self.tokens.procura().call(patience, request, judge).await;
        if outcome.as_ref().is_err_and(Error::is_about_the_token) {
            self.tokens.forget_token(&self.contact, token);
        }
        outcome
    }
}

impl<T> Clone for Api<T> {
    fn clone(&self) -> Self {
        Api { tokens: self.tokens.clone(), contact: self.contact.clone() }
    }
}

impl<T> fmt::Debug for Api<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("contact", &self.contact).field("tokens", &self.tokens).finish()
    }
}
