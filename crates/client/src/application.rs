//! The requests of an application, built without sending them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use procura_protocol::ids::{ApplicationId, ClientId, ContactId, ResourceId};
use procura_protocol::paths;
use procura_protocol::permission::Permissions;
use procura_protocol::scope::OPENID;
use procura_protocol::secret::Secret;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::issuer::Issuer;
use crate::metadata::ServerMetadata;
use crate::transport::ResponseLimit;

/// Most bytes of an answer that holds a token: two JWTs, the access token of at most 7,000 bytes.
const TOKEN_LIMIT: ResponseLimit = ResponseLimit(64 * 1024);
/// Most bytes of a list of contacts: about a million ids of the longest kind.
const CONTACTS_LIMIT: ResponseLimit = ResponseLimit(72 * 1024 * 1024);
/// Most bytes of one page of contacts: a thousand ids.
const PAGE_LIMIT: ResponseLimit = ResponseLimit(128 * 1024);
/// Most bytes of metadata or of a key set.
const DOCUMENT_LIMIT: ResponseLimit = ResponseLimit(256 * 1024);

/// A partner's application, as it introduces itself to one server: issuer, id and secret.
///
/// Builds requests and does nothing else. Send them with whatever you have, with the server's certificate
/// verified and without following redirects, and give the answers to [`crate::parse_token_response`]
/// and its like. [`crate::Procura`] does all that.
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
    issuer: Issuer,
    id: ApplicationId,
    /// Marked sensitive, so its `Debug` is `Sensitive`.
    authorization: HeaderValue,
}

/// What a request for a contact token may narrow. The default narrows nothing.
///
/// An empty list is not "nothing" on the wire but an error, so it can't be made here either.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenOptions {
    permissions: Option<Permissions>,
    clients: Vec<ClientId>,
    resource: Option<ResourceId>,
}

/// A narrowing to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("name at least one; to narrow nothing, leave the option out")]
pub struct NarrowedToNothing;

impl TokenOptions {
    /// `scope`: each client of the token keeps only these permissions.
    ///
    /// # Errors
    ///
    /// [`NarrowedToNothing`] for the empty set.
    pub fn only_permissions(mut self, permissions: Permissions) -> Result<TokenOptions, NarrowedToNothing> {
        if permissions.is_empty() {
            return Err(NarrowedToNothing);
        }
        self.permissions = Some(permissions);
        Ok(self)
    }

    /// `clients`: the token is for these clients only. The server refuses if the contact may not act for
    /// one of them.
    ///
    /// # Errors
    ///
    /// [`NarrowedToNothing`] for an empty list.
    pub fn only_clients(
        mut self,
        clients: impl IntoIterator<Item = ClientId>,
    ) -> Result<TokenOptions, NarrowedToNothing> {
        self.clients = clients.into_iter().collect();
        self.clients.sort();
        self.clients.dedup();
        if self.clients.is_empty() { Err(NarrowedToNothing) } else { Ok(self) }
    }

    /// `resource` (RFC 8707): the API that the access token is for; without it, the application's default.
    #[must_use]
    pub fn for_resource(mut self, resource: ResourceId) -> TokenOptions {
        self.resource = Some(resource);
        self
    }

    fn to_form(&self) -> String {
        let mut form = String::new();
        if let Some(permissions) = self.permissions {
            push_pair(&mut form, "scope", &format!("{OPENID} {permissions}"));
        }
        if !self.clients.is_empty() {
            let names: Vec<&str> = self.clients.iter().map(ClientId::as_str).collect();
            push_pair(&mut form, "clients", &names.join(" "));
        }
        if let Some(resource) = &self.resource {
            push_pair(&mut form, "resource", resource.as_str());
        }
        form
    }
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
        Application { issuer, id: id.clone(), authorization: basic(id, secret) }
    }

    /// The server's issuer.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The application's id.
    pub fn id(&self) -> &ApplicationId {
        &self.id
    }

    /// `POST /token/{contact_id}` (contract, chapter 1). Read the answer with
    /// [`crate::parse_token_response`].
    pub fn token_request(&self, contact: &ContactId, options: &TokenOptions) -> Request<Bytes> {
        let segment = path_segment(contact.as_str());
        let url = self.issuer.endpoint(&format!("{}{segment}", paths::TOKEN_FOR_CONTACT_PREFIX));
        let form = options.to_form();
        let mut request = self.authenticated(Method::POST, url, TOKEN_LIMIT);
        let headers = request.headers_mut();
        // RFC 9110 8.6: a POST says so when it has no content; some proxies insist.
        headers.insert(CONTENT_LENGTH, HeaderValue::from(form.len()));
        if !form.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            *request.body_mut() = Bytes::from(form);
        }
        request
    }

    /// `GET /info/available-contacts` (contract, chapter 2), all in one answer. Read it with
    /// [`crate::parse_contacts_response`].
    pub fn available_contacts_request(&self) -> Request<Bytes> {
        let url = self.issuer.endpoint(paths::AVAILABLE_CONTACTS);
        self.authenticated(Method::GET, url, CONTACTS_LIMIT)
    }

    /// The same, one page of it. Read it with [`crate::parse_contacts_page_response`].
    pub fn available_contacts_page_request(&self, page: Page) -> Request<Bytes> {
        let path = format!("{}?page={}&page_size={}", paths::AVAILABLE_CONTACTS, page.number, page.size);
        self.authenticated(Method::GET, self.issuer.endpoint(&path), PAGE_LIMIT)
    }

    /// `GET /.well-known/oauth-authorization-server` (RFC 8414 3). Carries no credentials. Read the answer
    /// with [`crate::parse_metadata_response`].
    pub fn metadata_request(&self) -> Request<Bytes> {
        let url = self.issuer.metadata_url(paths::METADATA);
        request(Method::GET, url, DOCUMENT_LIMIT)
    }

    /// The server's key set, from where its metadata say. Carries no credentials. Read the answer with
    /// [`crate::parse_jwks_response`].
    pub fn jwks_request(&self, metadata: &ServerMetadata) -> Request<Bytes> {
        request(Method::GET, metadata.jwks_uri().clone(), DOCUMENT_LIMIT)
    }

    fn authenticated(&self, method: Method, url: Uri, limit: ResponseLimit) -> Request<Bytes> {
        let mut request = request(method, url, limit);
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        request
    }
}

fn request(method: Method, url: Uri, limit: ResponseLimit) -> Request<Bytes> {
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = method;
    *request.uri_mut() = url;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    request
        .headers_mut()
        .insert(USER_AGENT, HeaderValue::from_static(concat!("procura-client/", env!("CARGO_PKG_VERSION"))));
    request.extensions_mut().insert(limit);
    request
}

/// RFC 6749 2.3.1: id and secret are form-encoded, then joined and base64-encoded (RFC 7617).
fn basic(id: &ApplicationId, secret: &Secret) -> HeaderValue {
    let mut pair = Zeroizing::new(Vec::with_capacity(id.as_str().len() + 1 + 3 * secret.expose().len()));
    push_form_encoded(&mut pair, id.as_str().as_bytes());
    pair.push(b':');
    push_form_encoded(&mut pair, secret.expose());
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_slice())));
    sensitive(&text)
}

#[expect(clippy::expect_used, reason = "base64 is visible ASCII")]
fn sensitive(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).expect("base64 can stand in a header");
    value.set_sensitive(true);
    value
}

/// What `application/x-www-form-urlencoded` leaves as it is (WHATWG URL, its percent-encode set).
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_').remove(b' ');
/// What a path segment leaves as it is: the unreserved characters (RFC 3986 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn push_form_encoded(out: &mut Vec<u8>, bytes: &[u8]) {
    for piece in percent_encode(bytes, FORM) {
        out.extend(piece.bytes().map(|byte| if byte == b' ' { b'+' } else { byte }));
    }
}

fn push_pair(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    form.push_str(name);
    form.push('=');
    for piece in percent_encode(value.as_bytes(), FORM) {
        form.extend(piece.chars().map(|char| if char == ' ' { '+' } else { char }));
    }
}

fn path_segment(text: &str) -> String {
    percent_encode(text.as_bytes(), SEGMENT).to_string()
}

#[cfg(test)]
mod tests {
    use procura_protocol::basic::{Authorization, read_authorization};
    use procura_protocol::contact_token::ContactTokenRequest;
    use procura_protocol::permission::Permission;

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
    fn nothing_can_be_narrowed_to_nothing() {
        assert_eq!(TokenOptions::default().only_clients([]), Err(NarrowedToNothing));
        assert_eq!(TokenOptions::default().only_permissions(Permissions::NONE), Err(NarrowedToNothing));
    }

    #[test]
    fn id_and_secret_are_form_encoded_before_base64() {
        let header =
            basic(&ApplicationId::parse("app_1").unwrap(), &Secret::from(String::from("a b:c%d+é*-._~")));
        let pair = STANDARD.decode(header.to_str().unwrap().strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(std::str::from_utf8(&pair).unwrap(), "app_1:a+b%3Ac%25d%2B%C3%A9*-._%7E");
    }

    #[test]
    fn the_server_reads_what_is_sent() {
        let secret = "pcs_a b:c%d+é";
        let request = application(secret).token_request(&contact(), &narrowed());
        let header = request.headers()[AUTHORIZATION].as_bytes();
        match read_authorization([header]) {
            Authorization::Basic(credentials) => {
                assert_eq!(credentials.id, "app_1");
                assert_eq!(credentials.secret.expose_str(), Some(secret));
            }
            _ => panic!("the header was not read"),
        }
        let read = ContactTokenRequest::parse(request.body(), b"").unwrap();
        assert_eq!(read.clients.unwrap(), ["c1", "c2"].map(|id| ClientId::parse(id).unwrap()));
        assert_eq!(read.resource.unwrap().as_str(), "https://api.example/a?b=c&d");
        assert_eq!(
            read.scope.unwrap().permissions(),
            Some(Permissions::NONE.with(Permission::Trade).with(Permission::ManagePayments))
        );
    }

    #[test]
    fn a_path_segment_is_percent_encoded() {
        assert_eq!(path_segment("a/b ../é?#%"), "a%2Fb%20..%2F%C3%A9%3F%23%25");
        assert_eq!(path_segment("con.1-a_B~"), "con.1-a_B~");
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
        assert!(!metadata.headers().contains_key(AUTHORIZATION), "a public document needs no secret");
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
