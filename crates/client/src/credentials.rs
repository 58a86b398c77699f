//! Who asks, which server, and what proves it.

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Method, Request, Uri};
use procura_jose::Random;
use procura_protocol::application_auth::{AssertionAudience, CLIENT_ASSERTION_TYPE};
use procura_protocol::basic::write_authorization;
use procura_protocol::form::push_encoded;
use procura_protocol::ids::ApplicationId;
use procura_protocol::paths;
use procura_protocol::secret::Secret;
use procura_protocol::time::UnixSeconds;
use zeroize::Zeroizing;

use crate::assertion::{About, Asserting, SigningError};
use crate::issuer::Issuer;
use crate::request::{DOCUMENT_LIMIT, push_pair, put_form, request};
use crate::response::Token;
use crate::transport::ResponseLimit;

/// Most bytes of what is told about a token.
const ABOUT_TOKEN_LIMIT: ResponseLimit = ResponseLimit(64 * 1024);

/// Who asks, and which server.
#[derive(Debug)]
pub(crate) struct Credentials {
    issuer: Issuer,
    proof: Proof,
    way: Way,
}

/// What proves who asks, beside a certificate.
#[derive(Debug)]
enum Proof {
    /// Id and secret as the header that they make; marked sensitive, so its `Debug` is `Sensitive`.
    Secret(HeaderValue),
    /// Nothing: the certificate alone does, and the request names whose it should be.
    Certificate(ApplicationId),
    /// A JWT, made for each request.
    Assertion(ApplicationId, Asserting),
}

/// Where requests go that carry a proof, or a token that is bound to a certificate.
#[derive(Debug)]
enum Way {
    /// To the issuer.
    Issuer,
    /// To where the metadata say that certificates are asked for (RFC 8705 5); to the issuer, if nowhere.
    Aliases,
    /// To where the caller said.
    Named(Issuer),
}

/// In a request that lacks its assertion: the endpoint's URL, by which an assertion may name the server.
#[derive(Clone)]
struct Unproved(Uri);

impl Credentials {
    pub(crate) fn by_secret(issuer: Issuer, id: &str, secret: &Secret) -> Credentials {
        Credentials { issuer, proof: Proof::Secret(basic(id, secret)), way: Way::Issuer }
    }

    pub(crate) fn by_certificate(issuer: Issuer, id: ApplicationId) -> Credentials {
        Credentials { issuer, proof: Proof::Certificate(id), way: Way::Aliases }
    }

    pub(crate) fn by_assertion(issuer: Issuer, id: ApplicationId, asserting: Asserting) -> Credentials {
        Credentials { issuer, proof: Proof::Assertion(id, asserting), way: Way::Issuer }
    }

    pub(crate) fn with_certificate(self) -> Credentials {
        match self.way {
            Way::Issuer => Credentials { way: Way::Aliases, ..self },
            Way::Aliases | Way::Named(_) => self,
        }
    }

    pub(crate) fn at(self, base: Issuer) -> Credentials {
        Credentials { way: Way::Named(base), ..self }
    }

    pub(crate) fn naming(self, audience: AssertionAudience) -> Credentials {
        match self.proof {
            Proof::Assertion(id, asserting) => {
                Credentials { proof: Proof::Assertion(id, asserting.naming(audience)), ..self }
            }
            Proof::Secret(_) | Proof::Certificate(_) => self,
        }
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Whether the metadata say where requests go.
    pub(crate) fn follows_aliases(&self) -> bool {
        matches!(self.way, Way::Aliases)
    }

    /// The address under which the caller reaches the server, if it is not the issuer's.
    pub(crate) fn named(&self) -> Option<&Issuer> {
        match &self.way {
            Way::Named(base) => Some(base),
            Way::Issuer | Way::Aliases => None,
        }
    }

    /// A `GET` that carries the credentials; `path` may have a query.
    pub(crate) fn get(&self, mut path: String, limit: ResponseLimit) -> Request<Bytes> {
        let endpoint = path.split('?').next().unwrap_or_default().to_owned();
        if let Some(id) = self.id() {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str("client_id=");
            path.push_str(id);
        }
        let mut request = request(Method::GET, self.base().endpoint(&path), limit);
        self.introduce(&mut request, self.issuer.endpoint(&endpoint));
        request
    }

    /// A `POST` of a form, to a path of the server.
    pub(crate) fn post(&self, path: &str, form: String, limit: ResponseLimit) -> Request<Bytes> {
        self.post_to((&self.base().endpoint(path), &self.issuer.endpoint(path)), form, limit)
    }

    /// The same to that URL; `endpoint` is what the metadata call it.
    pub(crate) fn post_to(
        &self,
        (url, endpoint): (&Uri, &Uri),
        mut form: String,
        limit: ResponseLimit,
    ) -> Request<Bytes> {
        if let Some(id) = self.id() {
            push_pair(&mut form, "client_id", id);
        }
        let mut request = request(Method::POST, url.clone(), limit);
        put_form(&mut request, Bytes::from(form));
        self.introduce(&mut request, endpoint.clone());
        request
    }

    /// The metadata of the server (RFC 8414 3). Carries no credentials.
    pub(crate) fn metadata_request(&self) -> Request<Bytes> {
        request(Method::GET, self.issuer.metadata_url(paths::METADATA), DOCUMENT_LIMIT)
    }

    /// A question or an order about a token (RFC 7662 2.1, RFC 7009 2.1), to that URL; `endpoint` is what the
    /// metadata call it. The body holds the token, and is wiped when the last copy of the request is dropped.
    pub(crate) fn about_token(&self, (url, endpoint): (&Uri, &Uri), token: &Token) -> Request<Bytes> {
        let mut form = Zeroizing::new(Vec::with_capacity(3 * token.expose().len() + 128));
        if let Some(id) = self.id() {
            // Before the token: what follows that is the token's.
            form.extend_from_slice(b"client_id=");
            push_encoded(&mut form, id.as_bytes());
            form.push(b'&');
        }
        form.extend_from_slice(b"token_type_hint=access_token&token=");
        push_encoded(&mut form, token.expose().as_bytes());
        let mut request = request(Method::POST, url.clone(), ABOUT_TOKEN_LIMIT);
        put_form(&mut request, Bytes::from_owner(form));
        self.introduce(&mut request, endpoint.clone());
        request
    }

    /// Adds what must be new in every request: an assertion, if the application proves itself by one.
    ///
    /// # Errors
    ///
    /// [`SigningError`] when it can't be signed.
    pub(crate) async fn prove(
        &self,
        mut request: Request<Bytes>,
        now: UnixSeconds,
        random: &dyn Random,
    ) -> Result<Request<Bytes>, SigningError> {
        let Proof::Assertion(application, asserting) = &self.proof else { return Ok(request) };
        let Some(Unproved(endpoint)) = request.extensions_mut().remove() else { return Ok(request) };
        let about = About { application, issuer: self.issuer.as_str(), endpoint: &endpoint.to_string(), now };
        let assertion = asserting.sign(about, random).await?;
        if request.method() == Method::POST {
            let mut form = Zeroizing::new(Vec::with_capacity(request.body().len() + assertion.len() + 160));
            form.extend_from_slice(request.body());
            push_assertion(&mut form, &assertion);
            put_form(&mut request, Bytes::from_owner(form));
        } else {
            let mut url = request.uri().to_string().into_bytes();
            push_assertion(&mut url, &assertion);
            *request.uri_mut() =
                Uri::try_from(url).map_err(|_| SigningError::new("the assertion does not fit into a URL"))?;
        }
        Ok(request)
    }

    /// What names the application in a form or a query, unless the header does.
    fn id(&self) -> Option<&str> {
        match &self.proof {
            Proof::Secret(_) => None,
            Proof::Certificate(id) | Proof::Assertion(id, _) => Some(id.as_str()),
        }
    }

    fn base(&self) -> &Issuer {
        self.named().unwrap_or(&self.issuer)
    }

    fn introduce(&self, request: &mut Request<Bytes>, endpoint: Uri) {
        match &self.proof {
            Proof::Secret(authorization) => {
                request.headers_mut().insert(AUTHORIZATION, authorization.clone());
            }
            Proof::Assertion(..) => {
                request.extensions_mut().insert(Unproved(endpoint));
            }
            Proof::Certificate(_) => {}
        }
    }
}

/// There is a `client_id` before it, always. The text of a JWT needs no escapes.
fn push_assertion(out: &mut Vec<u8>, assertion: &str) {
    out.extend_from_slice(b"&client_assertion_type=");
    push_encoded(out, CLIENT_ASSERTION_TYPE.as_bytes());
    out.extend_from_slice(b"&client_assertion=");
    out.extend_from_slice(assertion.as_bytes());
}

fn basic(id: &str, secret: &Secret) -> HeaderValue {
    sensitive(&write_authorization(id, secret))
}

#[expect(clippy::expect_used, reason = "base64 is visible ASCII")]
fn sensitive(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).expect("base64 can stand in a header");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use procura_protocol::about_token::AboutToken;
    use procura_protocol::basic::{Authorization, read_authorization};

    use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

    use super::*;

    fn credentials(id: &str, secret: &str) -> Credentials {
        let issuer = Issuer::parse("https://token.example").unwrap();
        Credentials::by_secret(issuer, id, &Secret::from(String::from(secret)))
    }

    fn header(id: &str, secret: &str) -> HeaderValue {
        basic(id, &Secret::from(String::from(secret)))
    }

    #[test]
    fn id_and_secret_are_form_encoded_before_base64() {
        for (id, encoded) in [
            ("app_1", "app_1:a+b%3Ac%25d%2B%C3%A9*-._%7E"),
            ("https://bank.example/a?b", "https%3A%2F%2Fbank.example%2Fa%3Fb:a+b%3Ac%25d%2B%C3%A9*-._%7E"),
        ] {
            let header = header(id, "a b:c%d+é*-._~");
            let pair = STANDARD.decode(header.to_str().unwrap().strip_prefix("Basic ").unwrap()).unwrap();
            assert_eq!(std::str::from_utf8(&pair).unwrap(), encoded);
        }
    }

    #[test]
    fn the_server_reads_the_credentials_that_are_sent() {
        let secret = "prs_a b:c%d+é";
        for id in ["app_1", "urn:procura:api", "https://bank.example:8443/api?x=1"] {
            match read_authorization([header(id, secret).as_bytes()]) {
                Authorization::Basic(read) => {
                    assert_eq!((read.id.as_str(), read.secret.expose_str()), (id, Some(secret)));
                }
                _ => panic!("the header was not read"),
            }
        }
    }

    #[test]
    fn the_server_reads_the_token_that_is_asked_about() {
        let endpoint = Uri::from_static("https://token.example/introspect");
        for text in ["a.b-c_d", "a+b &token=c%41é"] {
            let request = credentials("app_1", "s")
                .about_token((&endpoint, &endpoint), &Token::from(String::from(text)));
            assert_eq!((request.method(), request.uri()), (&Method::POST, &endpoint));
            assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
            assert_eq!(request.headers()[CONTENT_LENGTH], request.body().len().to_string());
            assert_eq!(request.headers()[AUTHORIZATION], "Basic YXBwXzE6cw==");
            assert_eq!(AboutToken::parse(request.body(), b"").unwrap().token, text);
        }
    }

    #[test]
    fn debug_output_of_credentials_and_their_requests_holds_no_secret() {
        let credentials = credentials("app_1", "hunter2");
        let request = credentials.get("/x".to_owned(), DOCUMENT_LIMIT);
        let printed = format!("{credentials:?} {request:?}");
        for form in ["hunter2", "aHVudGVyMg", &STANDARD.encode("app_1:hunter2")] {
            assert!(!printed.contains(form), "{printed}");
        }
    }
}
