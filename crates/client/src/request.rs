//! What all requests have in common: limits, forms and escapes.

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::transport::ResponseLimit;

/// Most bytes of metadata or of a key set.
pub(crate) const DOCUMENT_LIMIT: ResponseLimit = ResponseLimit(256 * 1024);

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

/// What `application/x-www-form-urlencoded` leaves as it is (WHATWG URL, its percent-encode set).
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_').remove(b' ');
/// What a path segment leaves as it is: the unreserved characters (RFC 3986 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

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
    use super::*;

    #[test]
    fn a_path_segment_is_percent_encoded() {
        let mut path = String::from("/x/");
        push_segment(&mut path, "a/b ../é?#%");
        assert_eq!(path, "/x/a%2Fb%20..%2F%C3%A9%3F%23%25");
        let mut plain = String::new();
        push_segment(&mut plain, "con.1-a_B~");
        assert_eq!(plain, "con.1-a_B~");
    }
}
