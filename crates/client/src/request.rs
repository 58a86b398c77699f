//! What all requests have in common: credentials, limits, forms and escapes.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use procura_protocol::paths;
use procura_protocol::secret::Secret;
use zeroize::Zeroizing;

use crate::issuer::Issuer;
use crate::response::Token;
use crate::transport::ResponseLimit;

/// Most bytes of metadata or of a key set.
pub(crate) const DOCUMENT_LIMIT: ResponseLimit = ResponseLimit(256 * 1024);
/// Most bytes of what is told about a token.
const ABOUT_TOKEN_LIMIT: ResponseLimit = ResponseLimit(64 * 1024);

/// Who asks, and which server: the issuer, and an id and a secret as the header that they make.
#[derive(Debug)]
pub(crate) struct Credentials {
    issuer: Issuer,
    /// Marked sensitive, so its `Debug` is `Sensitive`.
    authorization: HeaderValue,
}

impl Credentials {
    pub(crate) fn new(issuer: Issuer, id: &str, secret: &Secret) -> Credentials {
        Credentials { issuer, authorization: basic(id, secret) }
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// A request that carries the credentials.
    pub(crate) fn request(&self, method: Method, url: Uri, limit: ResponseLimit) -> Request<Bytes> {
        let mut request = request(method, url, limit);
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        request
    }

    /// The metadata of the server (RFC 8414 3). Carries no credentials.
    pub(crate) fn metadata_request(&self) -> Request<Bytes> {
        request(Method::GET, self.issuer.metadata_url(paths::METADATA), DOCUMENT_LIMIT)
    }

    /// A question or an order about a token (RFC 7662 2.1, RFC 7009 2.1). Its body holds the token, and is
    /// wiped when the last copy of the request is dropped.
    pub(crate) fn about_token(&self, endpoint: &Uri, token: &Token) -> Request<Bytes> {
        let mut form = Zeroizing::new(Vec::with_capacity(3 * token.expose().len() + 48));
        form.extend_from_slice(b"token_type_hint=access_token&token=");
        push_form_encoded(&mut form, token.expose().as_bytes());
        let mut request = self.request(Method::POST, endpoint.clone(), ABOUT_TOKEN_LIMIT);
        put_form(&mut request, Bytes::from_owner(form));
        request
    }
}

/// A request without credentials.
pub(crate) fn request(method: Method, url: Uri, limit: ResponseLimit) -> Request<Bytes> {
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

/// Makes a form the body of a request; of an empty one only its length is told.
pub(crate) fn put_form(request: &mut Request<Bytes>, form: Bytes) {
    let headers = request.headers_mut();
    // RFC 9110 8.6: a POST says so when it has no content; some proxies insist.
    headers.insert(CONTENT_LENGTH, HeaderValue::from(form.len()));
    if !form.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        *request.body_mut() = form;
    }
}

/// RFC 6749 2.3.1: id and secret are form-encoded, then joined and base64-encoded (RFC 7617). So the id
/// of a resource, which is a URI, can stand there although it has a colon.
fn basic(id: &str, secret: &Secret) -> HeaderValue {
    let mut pair = Zeroizing::new(Vec::with_capacity(3 * id.len() + 1 + 3 * secret.expose().len()));
    push_form_encoded(&mut pair, id.as_bytes());
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

/// Adds a parameter to a form.
pub(crate) fn push_pair(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    form.push_str(name);
    form.push('=');
    for piece in percent_encode(value.as_bytes(), FORM) {
        form.extend(piece.chars().map(|char| if char == ' ' { '+' } else { char }));
    }
}

/// Adds a segment to a path, or a value to a query.
pub(crate) fn push_segment(path: &mut String, text: &str) {
    // Writing to a `String` can't fail.
    let _ = write!(path, "{}", percent_encode(text.as_bytes(), SEGMENT));
}

#[cfg(test)]
mod tests {
    use procura_protocol::about_token::AboutToken;
    use procura_protocol::basic::{Authorization, read_authorization};

    use super::*;

    fn credentials(id: &str, secret: &str) -> Credentials {
        let issuer = Issuer::parse("https://token.example").unwrap();
        Credentials::new(issuer, id, &Secret::from(String::from(secret)))
    }

    fn header(id: &str, secret: &str) -> HeaderValue {
        credentials(id, secret).authorization
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
            let request = credentials("app_1", "s").about_token(&endpoint, &Token::from(String::from(text)));
            assert_eq!((request.method(), request.uri()), (&Method::POST, &endpoint));
            assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
            assert_eq!(request.headers()[CONTENT_LENGTH], request.body().len().to_string());
            assert_eq!(request.headers()[AUTHORIZATION], "Basic YXBwXzE6cw==");
            assert_eq!(AboutToken::parse(request.body(), b"").unwrap().token, text);
        }
    }

    #[test]
    fn a_path_segment_is_percent_encoded() {
        let mut path = String::from("/x/");
        push_segment(&mut path, "a/b ../é?#%");
        assert_eq!(path, "/x/a%2Fb%20..%2F%C3%A9%3F%23%25");
        let mut plain = String::new();
        push_segment(&mut plain, "con.1-a_B~");
        assert_eq!(plain, "con.1-a_B~");
    }

    #[test]
    fn debug_output_of_credentials_and_their_requests_holds_no_secret() {
        let credentials = credentials("app_1", "hunter2");
        let request = credentials.request(Method::GET, Uri::from_static("/x"), DOCUMENT_LIMIT);
        let printed = format!("{credentials:?} {request:?}");
        for form in ["hunter2", "aHVudGVyMg", &STANDARD.encode("app_1:hunter2")] {
            assert!(!printed.contains(form), "{printed}");
        }
    }
}
