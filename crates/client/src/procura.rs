//! One server, asked by one application: requests, transport, retries and keys put together.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Uri};
use procura_jose::{Jwks, Random};
use procura_protocol::ids::{ContactId, ResourceId};

use crate::answer::{
    ContactsPage, check_status, parse_contacts_page_response, parse_contacts_response, parse_jwks_response,
};
use crate::application::{Application, Page};
use crate::asking::Asking;
use crate::clock::Clock;
use crate::door::Door;
use crate::error::Error;
use crate::id_token::{ExpectedIdToken, IdTokenError, VerifiedIdToken, verify_id_token};
use crate::introspection::{
    Asker, Introspection, parse_introspection_response, parse_ping_response, parse_revocation_response,
};
use crate::kept::Kept;
use crate::metadata::{ServerMetadata, parse_metadata_response};
use crate::response::{PostTokenForContactResponse, Token};
use crate::retry::{Judge, Patience};
use crate::token_options::TokenOptions;
use crate::transport::Transport;

/// A Procura server as one application sees it.
///
/// Every call asks the server, up to three times within ten seconds: a broken connection, a time-out,
/// 429 and 503 are tried again after a growing wait or the server's `Retry-After`; any other refusal is
/// returned at once. (A list of contacts may take two minutes.) To keep tokens for as long as they live,
/// put a [`crate::TokenSource`] in front.
pub struct Procura<T> {
    application: Application,
    asking: Asking<T>,
    keys: Kept<Jwks>,
}

impl<T: Transport> Procura<T> {
    /// Puts the parts together. `random` spreads retries in time, and names
    /// assertions: nobody else may be able to guess it.
    pub fn new(
        application: Application,
        transport: T,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Procura<T> {
        Procura { application, asking: Asking::new(transport, clock, random), keys: Kept::new() }
    }

    /// The application that asks.
    pub fn application(&self) -> &Application {
        &self.application
    }

    /// Asks for a token to act for this contact, for every client that the rule allows.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with `invalid_grant` when this application can't act for this contact, for
    /// whatever reason; the server tells its operator by the reference, nobody else.
    pub async fn token_for_contact(&self, contact: &ContactId) -> Result<PostTokenForContactResponse, Error> {
        self.token_for_contact_with(contact, &TokenOptions::default()).await
    }

    /// The same, narrowed.
    ///
    /// # Errors
    ///
    /// As [`Procura::token_for_contact`]; also `invalid_scope` and `invalid_target`.
    pub async fn token_for_contact_with(
        &self,
        contact: &ContactId,
        options: &TokenOptions,
    ) -> Result<PostTokenForContactResponse, Error> {
        let application = &self.application;
        let answer = match application.door() {
            Door::ContactToken => {
                self.send_as_application(Patience::SHORT, application.token_request(contact, options)).await?
            }
            Door::JwtBearer | Door::TokenExchange => {
                let metadata = self.metadata().await?;
                self.ask(application.contact_token_request(&metadata, contact, options)?).await?
            }
        };
        application.read_contact_token(answer)
    }

    /// Asks for the application's own token, with which it acts for nobody but itself: for this resource, or else for
    /// its default one. It has no ID token.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with `invalid_target` for a resource that is none of the application's.
    pub async fn own_token(
        &self,
        resource: Option<&ResourceId>,
    ) -> Result<PostTokenForContactResponse, Error> {
        let request = self.application.own_token_request(&*self.metadata().await?, resource)?;
        self.application.read_token_response(self.ask(request).await?)
    }

    /// Puts a token into a request of yours to the API that takes it, with a proof of the key if the token is bound to
    /// one (RFC 9449 7). A proof is good for one request: prove a new copy each time that it is sent.
    ///
    #[cfg_attr(feature = "reqwest", doc = "```no_run")]
    #[cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
    /// # use procura_client::{PostTokenForContactResponse, Procura, ReqwestTransport, Transport};
    /// # use bytes::Bytes;
    /// # async fn call(
    /// #     procura: Procura<ReqwestTransport>, token: PostTokenForContactResponse, http: ReqwestTransport,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let order = http::Request::post("https://bank.example/orders?client_id=CLI100").body(Bytes::from("{}"))?;
    /// let mut answer = http.send(procura.prove_for_resource(order.clone(), &token).await?).await?;
    /// if procura.take_nonce_of_resource(order.uri(), &answer) {
    ///     // The API wants its nonce in the proof, and has told it.
    ///     answer = http.send(procura.prove_for_resource(order, &token).await?).await?;
    /// }
    /// # drop(answer);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Application::prove_for_resource`].
    pub async fn prove_for_resource<B>(
        &self,
        request: Request<B>,
        token: &PostTokenForContactResponse,
    ) -> Result<Request<B>, Error> {
        let (now, random) = (self.clock().now(), self.asking.random());
        self.application.prove_for_resource(request, token, now, random).await
    }

    /// Remembers the nonce that an answer of an API brings, for the next proof; and says whether the request is to be
    /// proved and sent once more because of it.
    pub fn take_nonce_of_resource<B>(&self, url: &Uri, response: &Response<B>) -> bool {
        self.application.take_nonce_of_resource(url, response)
    }

    /// The contacts that this application may act for now, sorted, all at once. For many, ask for
    /// pages.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with `unauthorized_client` when the application is not a trusted one.
    pub async fn available_contacts(&self) -> Result<Vec<ContactId>, Error> {
        let request = self.application.available_contacts_request();
        parse_contacts_response(self.send_as_application(Patience::LONG, request).await?)
    }

    /// One page of them.
    ///
    /// # Errors
    ///
    /// As [`Procura::available_contacts`]; also `invalid_request` for a page size the server does not
    /// allow.
    pub async fn available_contacts_page(&self, page: Page) -> Result<ContactsPage, Error> {
        let request = self.application.available_contacts_page_request(page);
        parse_contacts_page_response(self.send_as_application(Patience::LONG, request).await?, page)
    }

    /// Ends an access token that this application was given, at once and for every resource. One that was
    /// not in force any more is a success too. A token that a [`crate::TokenSource`] keeps is better ended
    /// there, where it is forgotten too.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with `invalid_grant` when the token was issued to another application;
    /// [`Error::Unavailable`] with status 429 when this application has ended too many, with how long to
    /// wait. After any error the token may still be in force.
    pub async fn revoke(&self, token: &Token) -> Result<(), Error> {
        let request = self.application.revocation_request(&*self.metadata().await?, token)?;
        parse_revocation_response(self.ask(request).await?)
    }

    /// Whether an access token that this application was given is in force now, and what it says
    /// ([`Introspection::in_force`], whatever the token is bound to).
    ///
    /// # Errors
    ///
    /// As every call.
    pub async fn introspect(&self, token: &Token) -> Result<Introspection, Error> {
        let request = self.application.introspection_request(&*self.metadata().await?, token)?;
        let answer = self.ask(request).await?;
        let asker = Asker::Application(self.application.id());
        parse_introspection_response(answer, self.application.issuer(), asker)
    }

    /// Whether the server answers at all.
    ///
    /// # Errors
    ///
    /// As every call.
    pub async fn ping(&self) -> Result<(), Error> {
        parse_ping_response(self.send(Patience::SHORT, self.application.ping_request()).await?)
    }

    /// Verifies the ID token of a response to a request for `contact`, with the server's published keys.
    /// Those are fetched when first needed, kept for five minutes, and fetched once more when the token
    /// names a key that is not among those kept.
    ///
    /// # Errors
    ///
    /// [`Error::IdToken`] when the token must not be trusted; else what fetching the keys met.
    pub async fn verify_id_token(
        &self,
        response: &PostTokenForContactResponse,
        contact: &ContactId,
    ) -> Result<VerifiedIdToken, Error> {
        let token = response.id_token.as_ref().ok_or(IdTokenError::Missing)?.expose();
        let expected = ExpectedIdToken {
            issuer: self.application.issuer(),
            application: self.application.id(),
            contact,
            now: self.clock().now(),
        };
        let (known, is_fresh) = self.keys(None).await?;
        match verify_id_token(token, &known, &expected) {
            Err(error) if error.is_unknown_key() && !is_fresh => {
                let (newer, _) = self.keys(Some(&known)).await?;
                Ok(verify_id_token(token, &newer, &expected)?)
            }
            verdict => Ok(verdict?),
        }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.asking.clock()
    }

    /// Sends a request that carries a token and not the application's own credentials.
    pub(crate) async fn call(
        &self,
        patience: Patience,
        request: Request<Bytes>,
        judge: Judge,
    ) -> Result<Response<Bytes>, Error> {
        let request = self.routed(request).await?;
        self.asking.send_proved(patience, request, (&self.application, judge)).await
    }

    /// Sends a request that carries the application's credentials.
    async fn send_as_application(
        &self,
        patience: Patience,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        let request = self.routed(request).await?;
        self.asking.send_proved(patience, request, (&self.application, check_status)).await
    }

    /// The same with a request that knows where it goes.
    async fn ask(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        self.asking.send_proved(Patience::SHORT, request, (&self.application, check_status)).await
    }

    /// To where the server asks for certificates, if the application has one.
    async fn routed(&self, request: Request<Bytes>) -> Result<Request<Bytes>, Error> {
        if !self.application.follows_metadata() {
            return Ok(request);
        }
        Ok(self.application.route(request, &*self.metadata().await?)?)
    }

    async fn metadata(&self) -> Result<Arc<ServerMetadata>, Error> {
        self.asking.metadata(self.application.metadata_request(), self.application.issuer()).await
    }

    /// The server's keys, and whether this call fetched them.
    async fn keys(&self, not_enough: Option<&Arc<Jwks>>) -> Result<(Arc<Jwks>, bool), Error> {
        self.keys.get(self.clock(), not_enough, self.fetch_keys()).await
    }

    /// Asks the metadata too, so that keys that moved are found.
    async fn fetch_keys(&self) -> Result<Jwks, Error> {
        let answer = self.send(Patience::SHORT, self.application.metadata_request()).await?;
        let metadata = parse_metadata_response(answer, self.application.issuer())?;
        let answer = self.send(Patience::SHORT, self.application.jwks_request(&metadata)).await?;
        parse_jwks_response(answer)
    }

    async fn send(&self, patience: Patience, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        self.asking.send(patience, request).await
    }
}

#[cfg(feature = "reqwest")]
impl Procura<crate::ReqwestTransport> {
    /// A server on the network: the ready transport, the machine's clocks and randomness.
    pub fn connect(application: Application) -> Procura<crate::ReqwestTransport> {
        Procura::connect_by(application, crate::ReqwestTransport::new())
    }

    /// The same with a transport that was set up: with a certificate to show, or with roots of your own.
    pub fn connect_by(
        application: Application,
        transport: crate::ReqwestTransport,
    ) -> Procura<crate::ReqwestTransport> {
        Procura::new(
            application,
            transport,
            Arc::new(crate::SystemClock::new()),
            Arc::new(procura_jose::SystemRandom),
        )
    }
}

impl<T> fmt::Debug for Procura<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Procura").field("application", &self.application).finish_non_exhaustive()
    }
}
