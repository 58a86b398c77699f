//! The requests of an application, built without sending them.

mod doors;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Uri};
use procura_jose::Random;
use procura_protocol::application_auth::AssertionAudience;
use procura_protocol::ids::{ApplicationId, ContactId};
use procura_protocol::paths;
use procura_protocol::secret::Secret;
use procura_protocol::time::UnixSeconds;

use crate::assertion::{Asserting, Signer, SigningError};
use crate::credentials::Credentials;
use crate::door::Doors;
use crate::dpop::{self, DpopKey};
use crate::error::ProtocolError;
use crate::issuer::Issuer;
use crate::metadata::ServerMetadata;
use crate::request::{DOCUMENT_LIMIT, push_segment, request};
use crate::response::Token;
use crate::token_options::TokenOptions;
use crate::transport::ResponseLimit;

/// Most bytes of an answer that holds a token: two JWTs, the access token of at most 7,000 bytes.
const TOKEN_LIMIT: ResponseLimit = ResponseLimit(64 * 1024);
/// Most bytes of a list of contacts: about a million ids of the longest kind.
const CONTACTS_LIMIT: ResponseLimit = ResponseLimit(72 * 1024 * 1024);
/// Most bytes of one page of contacts: a thousand ids.
const PAGE_LIMIT: ResponseLimit = ResponseLimit(128 * 1024);

/// A partner's application, as it introduces itself to one server: issuer, id, and what proves it (contract,
/// chapter 6).
///
/// | proof | made by | |
/// |---|---|---|
/// | a secret | [`Application::new`] | travels as Basic |
/// | a certificate | [`Application::by_certificate`] | shown by the transport: mutual TLS |
/// | a private key | [`Application::by_assertion`] | signs a JWT for each request, which [`Application::prove`] adds |
/// | and a certificate beside it | [`Application::with_certificate`] | where the server asks for two factors |
///
/// By which request it asks for the tokens of contacts says [`Application::through`]; to what they are bound, beside a
/// certificate, [`Application::with_proof_key`].
///
/// Builds requests and does nothing else. Send them with whatever you have, with the server's certificate
/// verified and without following redirects, and give the answers to [`Application::read_token_response`]
/// or [`crate::parse_contacts_response`] and its like. [`crate::Procura`] does all that.
///
/// ```
/// use procura_client::{Application, ApplicationId, ContactId, Issuer, Secret, TokenOptions};
///
/// let application = Application::new(
///     Issuer::parse("https://token.example")?,
///     &ApplicationId::parse("app_partner")?,
///     &Secret::from(String::from("pcs_secret")),
/// );
/// let request = application.token_request(&ContactId::parse("con.1")?, &TokenOptions::default());
/// assert_eq!(request.method(), "POST");
/// assert_eq!(request.uri(), "https://token.example/token/con.1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Application {
    id: ApplicationId,
    credentials: Credentials,
    doors: Doors,
    proof_key: Option<DpopKey>,
}

/// One page of a list, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Which page, from 1.
    pub number: std::num::NonZeroU32,
    /// Contacts on a page, 1 to 1,000; the server refuses others.
    pub size: u16,
}

impl Application {
    /// An application with its secret. The secret is turned into the `Authorization` header here and
    /// not kept in any other form.
    pub fn new(issuer: Issuer, id: &ApplicationId, secret: &Secret) -> Application {
        Application::of(id, Credentials::by_secret(issuer, id.as_str(), secret))
    }

    /// An application that proves itself by its certificate alone (RFC 8705 2): its requests name it, and the
    /// transport must show the certificate.
    ///
    /// Requests go to where the server's metadata say that certificates are asked for; see
    /// [`Application::route`] and [`Application::mutual_tls_at`].
    pub fn by_certificate(issuer: Issuer, id: &ApplicationId) -> Application {
        Application::of(id, Credentials::by_certificate(issuer, id.clone()))
    }

    /// An application that proves itself by signing (RFC 7523 2.2, `private_key_jwt`). Its requests must go
    /// through [`Application::prove`] before they are sent.
    pub fn by_assertion(issuer: Issuer, id: &ApplicationId, signer: Arc<dyn Signer>) -> Application {
        let asserting = Asserting::new(Arc::clone(&signer));
        Application::of(id, Credentials::by_assertion(issuer, id.clone(), asserting))
            .signing_grants_with(signer)
    }

    fn of(id: &ApplicationId, credentials: Credentials) -> Application {
        Application { id: id.clone(), credentials, doors: Doors::default(), proof_key: None }
    }

    /// The same with a certificate beside the secret or the key, which the transport must show.
    #[must_use]
    pub fn with_certificate(self) -> Application {
        Application { credentials: self.credentials.with_certificate(), ..self }
    }

    /// The same with requests sent to this address, whatever the metadata say: for a server whose address for
    /// certificates has another host than its issuer, which only you can know to be the same server's.
    #[must_use]
    pub fn mutual_tls_at(self, base: Issuer) -> Application {
        Application { credentials: self.credentials.at(base), ..self }
    }

    /// The same with assertions that name the server as it is registered for this application: by its issuer,
    /// which is usual, or by the URL of the endpoint. Of an application without assertions nothing changes.
    #[must_use]
    pub fn naming(self, audience: AssertionAudience) -> Application {
        Application { credentials: self.credentials.naming(audience), ..self }
    }

    /// Adds to a request what must be new in each: the assertion of an application that proves itself by
    /// signing, the grant of a door that is signed for, and the proof of the key that tokens are bound to. A retry
    /// needs others, so prove a copy of the request before each try. The same goes for [`crate::ApiRequests`] with a token
    /// that is bound to a key. Other requests come back as they are.
    ///
    /// A request that was proved must not be printed: assertions are in its form, or of a `GET` in its URL.
    ///
    /// # Errors
    ///
    /// [`SigningError`] when something can't be signed.
    pub async fn prove(
        &self,
        request: Request<Bytes>,
        now: UnixSeconds,
        random: &dyn Random,
    ) -> Result<Request<Bytes>, SigningError> {
        let request = self.credentials.prove(request, now, random).await?;
        let request = self.grant(request, now, random).await?;
        dpop::prove(self.proof_key.as_ref(), request, now, random).await
    }

    /// The address that [`Application::mutual_tls_at`] was told.
    pub(crate) fn named(&self) -> Option<&Issuer> {
        self.credentials.named()
    }

    /// Whether requests must be sent where the metadata say that certificates are asked for: through
    /// [`Application::route`].
    pub fn follows_metadata(&self) -> bool {
        self.credentials.follows_aliases()
    }

    /// Sends a request to where this server asks for certificates (`mtls_endpoint_aliases`, RFC 8705 5), if
    /// this application has one; other requests come back as they are.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] when the metadata name another host than the issuer's: a secret could go there.
    /// [`Application::mutual_tls_at`] is for such a server.
    pub fn route(
        &self,
        mut request: Request<Bytes>,
        metadata: &ServerMetadata,
    ) -> Result<Request<Bytes>, ProtocolError> {
        if self.credentials.follows_aliases()
            && let Some(base) = metadata.mutual_tls_base()?
            && let Some(url) = self.issuer().moved_to(base, request.uri())
        {
            *request.uri_mut() = url;
        }
        Ok(request)
    }

    /// The server's issuer.
    pub fn issuer(&self) -> &Issuer {
        self.credentials.issuer()
    }

    /// The application's id.
    pub fn id(&self) -> &ApplicationId {
        &self.id
    }

    /// `POST /token/{contact_id}` (contract, chapter 1), whatever the [door](Application::door). With a
    /// proof key it must go through [`Application::prove`]. Read the answer with [`Application::read_token_response`].
    pub fn token_request(&self, contact: &ContactId, options: &TokenOptions) -> Request<Bytes> {
        let mut path = String::from(paths::TOKEN_FOR_CONTACT_PREFIX);
        push_segment(&mut path, contact.as_str());
        let mut form = String::new();
        options.push_to(&mut form, false);
        let mut request = self.credentials.post(&path, form, TOKEN_LIMIT);
        self.mark(&mut request);
        request
    }

    /// `GET /info/available-contacts` (contract, chapter 2), all in one answer. Read it with
    /// [`crate::parse_contacts_response`].
    pub fn available_contacts_request(&self) -> Request<Bytes> {
        self.credentials.get(paths::AVAILABLE_CONTACTS.to_owned(), CONTACTS_LIMIT)
    }

    /// The same, one page of it. Read it with [`crate::parse_contacts_page_response`].
    pub fn available_contacts_page_request(&self, page: Page) -> Request<Bytes> {
        let path = format!("{}?page={}&page_size={}", paths::AVAILABLE_CONTACTS, page.number, page.size);
        self.credentials.get(path, PAGE_LIMIT)
    }

    /// `GET /.well-known/oauth-authorization-server` (RFC 8414 3). Carries no credentials. Read the answer
    /// with [`crate::parse_metadata_response`].
    pub fn metadata_request(&self) -> Request<Bytes> {
        self.credentials.metadata_request()
    }

    /// The server's key set, from where its metadata say. Carries no credentials. Read the answer with
    /// [`crate::parse_jwks_response`].
    pub fn jwks_request(&self, metadata: &ServerMetadata) -> Request<Bytes> {
        request(Method::GET, metadata.jwks_uri().clone(), DOCUMENT_LIMIT)
    }

    /// `POST /revoke` (RFC 7009): ends an access token that was issued to this application, at once and for
    /// every resource. Read the answer with [`crate::parse_revocation_response`].
    ///
    /// The body holds the token: a request of this kind must not be printed.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] when the metadata name no `revocation_endpoint` that a secret may be sent to.
    pub fn revocation_request(
        &self,
        metadata: &ServerMetadata,
        token: &Token,
    ) -> Result<Request<Bytes>, ProtocolError> {
        let endpoint = metadata.revocation_endpoint()?;
        let url = self.place(paths::REVOKE, endpoint, metadata.revocation_alias())?;
        Ok(self.credentials.about_token((&url, endpoint), token))
    }

    /// `POST /introspect` (RFC 7662): whether an access token that was issued to this application is in
    /// force, and what it says. Read the answer with [`crate::parse_introspection_response`].
    ///
    /// The body holds the token: a request of this kind must not be printed.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] when the metadata name no `introspection_endpoint` that a secret may be sent to.
    pub fn introspection_request(
        &self,
        metadata: &ServerMetadata,
        token: &Token,
    ) -> Result<Request<Bytes>, ProtocolError> {
        let endpoint = metadata.introspection_endpoint()?;
        let url = self.place(paths::INTROSPECT, endpoint, metadata.introspection_alias())?;
        Ok(self.credentials.about_token((&url, endpoint), token))
    }

    /// Where an endpoint of the metadata is for this application. An alias that can't be trusted matters to
    /// those alone who would follow it.
    fn place(
        &self,
        path: &str,
        endpoint: &Uri,
        alias: Result<Option<&Uri>, ProtocolError>,
    ) -> Result<Uri, ProtocolError> {
        match self.credentials.named() {
            Some(base) => Ok(base.endpoint(path)),
            None if self.credentials.follows_aliases() => Ok(alias?.unwrap_or(endpoint).clone()),
            None => Ok(endpoint.clone()),
        }
    }

    /// `GET /ping` (contract, chapter 4). Carries no credentials. Read the answer with
    /// [`crate::parse_ping_response`].
    pub fn ping_request(&self) -> Request<Bytes> {
        request(Method::GET, self.issuer().endpoint(paths::PING), DOCUMENT_LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
    use procura_protocol::contact_token::ContactTokenRequest;
    use procura_protocol::ids::{ClientId, ResourceId};
    use procura_protocol::permission::{Permission, Permissions};

    use super::*;

    fn application(secret: &str) -> Application {
        Application::new(
            Issuer::parse("https://token.example/bank").unwrap(),
            &ApplicationId::parse("app_1").unwrap(),
            &Secret::from(String::from(secret)),
        )
    }

    fn contact() -> ContactId {
        ContactId::parse("con.1-a_B").unwrap()
    }

    fn narrowed() -> TokenOptions {
        TokenOptions::default()
            .only_permissions(Permissions::NONE.with(Permission::Trade).with(Permission::ManagePayments))
            .unwrap()
            .only_clients(["c2", "c1", "c2"].map(|id| ClientId::parse(id).unwrap()))
            .unwrap()
            .for_resource(ResourceId::parse("https://api.example/a?b=c&d").unwrap())
    }

    #[test]
    fn a_token_request_without_options_is_a_post_without_body_or_type() {
        let request = application("s").token_request(&contact(), &TokenOptions::default());
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri(), "https://token.example/bank/token/con.1-a_B");
        assert!(request.body().is_empty());
        assert!(!request.headers().contains_key(CONTENT_TYPE));
        assert_eq!(request.headers()[CONTENT_LENGTH], "0");
        assert_eq!(request.headers()[ACCEPT], "application/json");
        assert_eq!(request.headers()[AUTHORIZATION], "Basic YXBwXzE6cw==");
        assert_eq!(ResponseLimit::of(&request), TOKEN_LIMIT);
    }

    #[test]
    fn options_become_a_form() {
        let request = application("s").token_request(&contact(), &narrowed());
        assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
        assert_eq!(
            std::str::from_utf8(request.body()).unwrap(),
            "scope=openid+can_manage_payments+can_trade&clients=c1+c2\
             &resource=https%3A%2F%2Fapi.example%2Fa%3Fb%3Dc%26d"
        );
    }

    #[test]
    fn the_server_reads_what_is_sent() {
        let request = application("s").token_request(&contact(), &narrowed());
        let read = ContactTokenRequest::parse(request.body(), b"").unwrap();
        assert_eq!(read.clients.unwrap(), ["c1", "c2"].map(|id| ClientId::parse(id).unwrap()));
        assert_eq!(read.resource.unwrap().as_str(), "https://api.example/a?b=c&d");
        assert_eq!(
            read.scope.unwrap().permissions(),
            Some(Permissions::NONE.with(Permission::Trade).with(Permission::ManagePayments))
        );
    }

    #[test]
    fn lists_and_documents_have_their_urls() {
        let application = application("s");
        let all = application.available_contacts_request();
        assert_eq!(all.uri(), "https://token.example/bank/info/available-contacts");
        assert!(all.headers().contains_key(AUTHORIZATION));
        let page = Page { number: 2.try_into().unwrap(), size: 50 };
        assert_eq!(
            application.available_contacts_page_request(page).uri(),
            "https://token.example/bank/info/available-contacts?page=2&page_size=50"
        );
        let metadata = application.metadata_request();
        assert_eq!(metadata.uri(), "https://token.example/.well-known/oauth-authorization-server/bank");
        let ping = application.ping_request();
        assert_eq!(ping.uri(), "https://token.example/bank/ping");
        for open in [metadata, ping] {
            assert!(!open.headers().contains_key(AUTHORIZATION), "what is public needs no secret");
        }
    }

    #[test]
    fn debug_output_of_application_and_request_holds_no_secret() {
        let application = application("hunter2");
        let request = application.token_request(&contact(), &TokenOptions::default());
        let printed = format!("{application:?} {request:?}");
        for form in ["hunter2", "aHVudGVyMg", &STANDARD.encode("app_1:hunter2")] {
            assert!(!printed.contains(form), "{printed}");
        }
    }
}
