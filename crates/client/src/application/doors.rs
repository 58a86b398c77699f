//! The standard grants, and tokens that are bound to a key (contract, chapter 5).

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Uri};
use procura_jose::Random;
use procura_protocol::ids::{ContactId, ResourceId};
use procura_protocol::paths;
use procura_protocol::time::UnixSeconds;
use procura_protocol::token::{GrantType, TOKEN_TYPE_JWT};
use zeroize::Zeroizing;

use super::{Application, TOKEN_LIMIT};
use crate::answer::{parse_exchange_response, parse_token_response};
use crate::assertion::{Signer, SigningError};
use crate::door::{Door, Grant, NothingToSignWith};
use crate::dpop::{self, DpopKey, Giver, Unproved};
use crate::error::{Error, ProtocolError};
use crate::metadata::ServerMetadata;
use crate::request::{push_pair, put_form};
use crate::response::PostTokenForContactResponse;
use crate::token_options::TokenOptions;

/// In a request that lacks its grant: by which, and for whom.
#[derive(Clone)]
struct Ungranted(Grant, ContactId);

impl Application {
    /// The same with grants signed by this key, which the server must know as one of the application's. Without it
    /// they are signed by the key of [`Application::by_assertion`]; an application with a secret or a certificate
    /// needs one to ask [through](Application::through) a door that is signed for.
    #[must_use]
    pub fn signing_grants_with(self, signer: Arc<dyn Signer>) -> Application {
        Application { doors: self.doors.signed_by(signer), ..self }
    }

    /// The same asking for the tokens of contacts through this door.
    ///
    /// ```
    /// # use procura_client::{Algorithm, Application, ApplicationId, AssertionKey, Door, Issuer, Secret};
    /// # let application = Application::new(
    /// #     Issuer::parse("https://token.example")?,
    /// #     &ApplicationId::parse("app_partner")?,
    /// #     &Secret::from(String::from("pcs_secret")),
    /// # );
    /// let (key, _) = AssertionKey::generate(Algorithm::Es256)?;
    /// let application = application.signing_grants_with(std::sync::Arc::new(key)).through(Door::JwtBearer)?;
    /// assert_eq!(application.door(), Door::JwtBearer);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NothingToSignWith`] when the door is signed for and there is no key.
    pub fn through(self, door: Door) -> Result<Application, NothingToSignWith> {
        Ok(Application { doors: self.doors.through(door)?, ..self })
    }

    /// The door by which it asks for the tokens of contacts.
    pub fn door(&self) -> Door {
        self.doors.door()
    }

    /// The same with its tokens bound to this key (RFC 9449). The application must be registered so
    /// (`dpop_bound_access_tokens`); the key is not registered anywhere.
    #[must_use]
    pub fn with_proof_key(self, key: DpopKey) -> Application {
        Application { proof_key: Some(key), ..self }
    }

    /// The key that its tokens are bound to.
    pub fn proof_key(&self) -> Option<&DpopKey> {
        self.proof_key.as_ref()
    }

    /// The request for a contact token through this application's [door](Application::door), to where the metadata
    /// say. Must go through [`Application::prove`]. Read the answer with [`Application::read_token_response`].
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] when the metadata name no `token_endpoint` that a secret may be sent to; of
    /// [`Door::ContactToken`] as [`Application::route`].
    pub fn contact_token_request(
        &self,
        metadata: &ServerMetadata,
        contact: &ContactId,
        options: &TokenOptions,
    ) -> Result<Request<Bytes>, ProtocolError> {
        let Some(grant) = self.doors.grant() else {
            return self.route(self.token_request(contact, options), metadata);
        };
        let mut form = String::new();
        push_pair(&mut form, "grant_type", grant.grant_type().as_str());
        if grant == Grant::TokenExchange {
            push_pair(&mut form, "subject_token_type", TOKEN_TYPE_JWT);
        }
        // By exchange an ID token comes to those alone who ask for it.
        options.push_to(&mut form, grant == Grant::TokenExchange);
        let mut request = self.to_token_endpoint(metadata, form)?;
        request.extensions_mut().insert(Ungranted(grant, contact.clone()));
        Ok(request)
    }

    /// The request for the application's own token (RFC 6749 4.4), with which it acts for nobody but itself; without a
    /// resource for its default one. Must go through [`Application::prove`]. Read the answer with
    /// [`Application::read_token_response`].
    ///
    /// # Errors
    ///
    /// As [`Application::contact_token_request`].
    pub fn own_token_request(
        &self,
        metadata: &ServerMetadata,
        resource: Option<&ResourceId>,
    ) -> Result<Request<Bytes>, ProtocolError> {
        let mut form = String::new();
        push_pair(&mut form, "grant_type", GrantType::ClientCredentials.as_str());
        if let Some(resource) = resource {
            push_pair(&mut form, "resource", resource.as_str());
        }
        self.to_token_endpoint(metadata, form)
    }

    /// Reads the answer to a token request of this application, and refuses a token that is not bound as it must be:
    /// with a [proof key](Application::with_proof_key) it must be [`crate::TokenType::DPoP`], without one `Bearer`.
    ///
    /// # Errors
    ///
    /// As [`parse_token_response`]; [`Error::Protocol`] also for the wrong type.
    pub fn read_token_response(
        &self,
        response: Response<Bytes>,
    ) -> Result<PostTokenForContactResponse, Error> {
        self.bound(parse_token_response(response)?)
    }

    /// The same of a contact token through this application's door: an exchange says what it gave.
    pub(crate) fn read_contact_token(
        &self,
        response: Response<Bytes>,
    ) -> Result<PostTokenForContactResponse, Error> {
        self.bound(match self.doors.grant() {
            Some(Grant::TokenExchange) => parse_exchange_response(response)?,
            Some(Grant::JwtBearer) | None => parse_token_response(response)?,
        })
    }

    fn bound(&self, response: PostTokenForContactResponse) -> Result<PostTokenForContactResponse, Error> {
        dpop::check_type(self.proof_key.as_ref(), &response)?;
        Ok(response)
    }

    /// Puts a token into a request of yours to the API that takes it, with a proof of the key if the token is bound to
    /// one. Needed anew for each request, and for each time that it is sent.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] for a token that can't stand in a header; [`Error::Signing`] when the proof can't be made:
    /// the URL must be absolute, and the token bound to this application's key.
    pub async fn prove_for_resource<B>(
        &self,
        mut request: Request<B>,
        token: &PostTokenForContactResponse,
        now: UnixSeconds,
        random: &dyn Random,
    ) -> Result<Request<B>, Error> {
        dpop::call_with(&mut request, token)?;
        Ok(dpop::prove(self.proof_key.as_ref(), request, now, random).await?)
    }

    /// Remembers the nonce that an answer to a token request or to one of [`crate::ApiRequests`] brings, for the next
    /// proof; and says whether this request is to be proved and sent once more because of it (RFC 9449 8). `asked` is
    /// the request as it was before it was proved. Without a proof key there is nothing to do.
    pub fn take_nonce(&self, asked: &Request<Bytes>, response: &Response<Bytes>) -> bool {
        dpop::heed_answer(self.proof_key.as_ref(), asked, response)
    }

    /// The same of an answer to a request that [`Application::prove_for_resource`] proved, from this URL (RFC 9449 9).
    pub fn take_nonce_of_resource<B>(&self, url: &Uri, response: &Response<B>) -> bool {
        self.proof_key.as_ref().is_some_and(|key| dpop::heed(key, Giver::Resource, url, (response, b"")))
    }

    /// Whether it signs anything, and so needs a clock that agrees with the server's.
    pub(crate) fn signs(&self) -> bool {
        self.proof_key.is_some() || self.doors.can_sign()
    }

    fn to_token_endpoint(
        &self,
        metadata: &ServerMetadata,
        form: String,
    ) -> Result<Request<Bytes>, ProtocolError> {
        let endpoint = metadata.token_endpoint()?;
        let url = self.place(paths::TOKEN, endpoint, metadata.token_alias())?;
        let mut request = self.credentials.post_to((&url, endpoint), form, TOKEN_LIMIT);
        self.mark(&mut request);
        Ok(request)
    }

    /// Says that a proof must follow.
    pub(super) fn mark(&self, request: &mut Request<Bytes>) {
        if self.proof_key.is_some() {
            request.extensions_mut().insert(Unproved::TokenEndpoint);
        }
    }

    /// Adds the grant that a request lacks, if it lacks one.
    pub(super) async fn grant(
        &self,
        mut request: Request<Bytes>,
        now: UnixSeconds,
        random: &dyn Random,
    ) -> Result<Request<Bytes>, SigningError> {
        let (Some(Ungranted(grant, contact)), Some(granting)) =
            (request.extensions_mut().remove(), self.doors.granting())
        else {
            return Ok(request);
        };
        let signed = granting.sign((&self.id, self.issuer().as_str()), &contact, now, random).await?;
        let mut form = Zeroizing::new(Vec::with_capacity(request.body().len() + signed.len() + 16));
        form.extend_from_slice(request.body());
        // There is a `grant_type` before it, always. The text of a JWT needs no escapes.
        form.push(b'&');
        form.extend_from_slice(grant.parameter().as_bytes());
        form.push(b'=');
        form.extend_from_slice(signed.as_bytes());
        put_form(&mut request, Bytes::from_owner(form));
        Ok(request)
    }
}
