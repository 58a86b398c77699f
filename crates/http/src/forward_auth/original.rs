//! What was asked of the proxy, from the one source that a policy names.

use http::request::Parts;
use http::{HeaderMap, HeaderName};
use procura_protocol::original_uri::{OriginalUri, UnclearUri};
use thiserror::Error;

use super::Source;
use super::policy::is_method;

const X_ORIGINAL: (HeaderName, HeaderName) =
    (HeaderName::from_static("x-original-method"), HeaderName::from_static("x-original-uri"));
const X_FORWARDED: (HeaderName, HeaderName) =
    (HeaderName::from_static("x-forwarded-method"), HeaderName::from_static("x-forwarded-uri"));

/// By these frameworks take another method than the one that was sent.
const OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];
/// The same as a parameter.
const OVERRIDE_PARAMETER: &str = "_method";

/// The request that the proxy got.
pub(super) struct Original<'r> {
    /// Its method.
    pub(super) method: &'r str,
    /// Its target.
    pub(super) uri: OriginalUri<'r>,
}

/// Why it can't be told what was asked of the proxy. The first kind is the proxy's to mend, the others
/// the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Unclear {
    /// Not there, there twice, or the target goes on after the policy's name where it may not.
    #[error("The proxy must send the original method and URI once each, where the policy looks for them.")]
    Source,
    #[error("The method must be one word in capital letters.")]
    Method,
    #[error("The URI of the request {0}.")]
    Uri(#[from] UnclearUri),
    #[error("The URI of the request can't be read.")]
    Target,
    #[error("The request asks to be taken for one of another method. Send it with that method.")]
    Override,
    #[error("Name the client once, in its place and nowhere else.")]
    SecondClient,
}

impl<'r> Original<'r> {
    /// Reads it. `rest` is what follows the policy's name in the path.
    pub(super) fn read(source: Source, head: &'r Parts, rest: &'r str) -> Result<Original<'r>, Unclear> {
        let (method, target) = match source {
            Source::XOriginal => from_headers(&head.headers, &X_ORIGINAL, rest)?,
            Source::XForwarded => from_headers(&head.headers, &X_FORWARDED, rest)?,
            Source::RequestLine => (head.method.as_str().as_bytes(), from_target(head, rest)?),
        };
        let method = std::str::from_utf8(method).ok().filter(|method| is_method(method));
        let original = Original { method: method.ok_or(Unclear::Method)?, uri: OriginalUri::read(target)? };
        if asks_for_another_method(&head.headers, &original.uri) {
            return Err(Unclear::Override);
        }
        Ok(original)
    }
}

type MethodAndTarget<'r> = (&'r [u8], &'r [u8]);

fn from_headers<'r>(
    headers: &'r HeaderMap,
    (method, uri): &(HeaderName, HeaderName),
    rest: &str,
) -> Result<MethodAndTarget<'r>, Unclear> {
    match (once(headers, method), once(headers, uri)) {
        (Some(method), Some(uri)) if rest.is_empty() => Ok((method, uri)),
        _ => Err(Unclear::Source),
    }
}

fn once<'r>(headers: &'r HeaderMap, name: &HeaderName) -> Option<&'r [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then_some(value.as_bytes())
}

/// The end of the target from `rest` on: its path and, if there is one, its query.
fn from_target<'r>(head: &'r Parts, rest: &str) -> Result<&'r [u8], Unclear> {
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    let begin = head.uri.path().len() - rest.len();
    match target.as_bytes().get(begin..) {
        Some(found) if !rest.is_empty() => Ok(found),
        _ => Err(Unclear::Source),
    }
}

fn asks_for_another_method(headers: &HeaderMap, uri: &OriginalUri<'_>) -> bool {
    let is_override = |name: &HeaderName| OVERRIDES.iter().any(|known| same_header(name.as_str(), known));
    headers.keys().any(is_override)
        || uri.query_names().any(|name| name.trim().eq_ignore_ascii_case(OVERRIDE_PARAMETER))
}

/// Whether two header names, in small letters, are one where hyphen and underscore are alike.
pub(super) fn same_header(name: &str, other: &str) -> bool {
    let alike = |byte: u8| if byte == b'_' { b'-' } else { byte };
    name.len() == other.len() && name.bytes().map(alike).eq(other.bytes().map(alike))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn read(source: Source, target: &str, headers: &[(&str, &str)]) -> Result<(String, String), Unclear> {
        let head = head("DELETE", target, headers);
        let (_, rest) = super::super::split(head.uri.path());
        let original = Original::read(source, &head, rest)?;
        Ok((original.method.to_owned(), original.uri.as_str().to_owned()))
    }

    const METHOD: (&str, &str) = ("X-Original-Method", "POST");
    const URI: (&str, &str) = ("X-Original-URI", "/a?b");

    #[test]
    fn each_source_is_read_and_the_others_are_not_looked_at() {
        let forwarded = [("X-Forwarded-Method", "PUT"), ("X-Forwarded-Uri", "/c")];
        let all = [&[METHOD, URI][..], &forwarded].concat();
        let pair = |method: &str, uri: &str| Ok((method.to_owned(), uri.to_owned()));
        assert_eq!(read(Source::XOriginal, "/forward-auth/p", &all), pair("POST", "/a?b"));
        assert_eq!(read(Source::XForwarded, "/forward-auth/p?x=y", &all), pair("PUT", "/c"));
        assert_eq!(read(Source::RequestLine, "/forward-auth/p/d/e?f=g", &all), pair("DELETE", "/d/e?f=g"));
        assert_eq!(read(Source::RequestLine, "/forward-auth/p/", &[]), pair("DELETE", "/"));
    }

    #[test]
    fn each_header_must_come_exactly_once() {
        let wrong: [&[(&str, &str)]; 6] = [
            &[],
            &[METHOD],
            &[URI],
            &[METHOD, METHOD, URI],
            &[METHOD, URI, URI],
            &[("X_Original_Method", "POST"), ("X_Original_URI", "/a")],
        ];
        for headers in wrong {
            assert_eq!(
                read(Source::XOriginal, "/forward-auth/p", headers),
                Err(Unclear::Source),
                "{headers:?}"
            );
        }
        assert_eq!(read(Source::XOriginal, "/forward-auth/p/a", &[METHOD, URI]), Err(Unclear::Source));
        assert_eq!(read(Source::RequestLine, "/forward-auth/p", &[METHOD, URI]), Err(Unclear::Source));
        assert_eq!(read(Source::RequestLine, "/forward-auth/p?/a", &[]), Err(Unclear::Source));
    }

    #[test]
    fn methods_and_uris_that_are_not_clear_are_refused() {
        for method in ["post", "", "POST, GET", "POST GET"] {
            let headers = [("X-Original-Method", method), URI];
            assert_eq!(
                read(Source::XOriginal, "/forward-auth/p", &headers),
                Err(Unclear::Method),
                "{method}"
            );
        }
        for uri in ["/a/../b", "/a, /b", "", "http://host/a"] {
            let headers = [METHOD, ("X-Original-URI", uri)];
            let read = read(Source::XOriginal, "/forward-auth/p", &headers);
            assert!(matches!(read, Err(Unclear::Uri(_))), "{uri}");
        }
        let dots = read(Source::RequestLine, "/forward-auth/p/../q", &[]);
        assert_eq!(dots, Err(Unclear::Uri(UnclearUri::DotSegment)));
        let slashes = read(Source::RequestLine, "/forward-auth/p//a", &[]);
        assert_eq!(slashes, Err(Unclear::Uri(UnclearUri::EmptySegment)));
    }

    #[test]
    fn whoever_asks_for_another_method_is_refused() {
        for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "x_http_method_override"]
        {
            let headers = [METHOD, URI, (name, "GET")];
            assert_eq!(
                read(Source::XOriginal, "/forward-auth/p", &headers),
                Err(Unclear::Override),
                "{name}"
            );
        }
        for uri in ["/a?_method=PUT", "/a?x&%5Fmethod=PUT", "/a?x=1;_METHOD=PUT"] {
            let headers = [METHOD, ("X-Original-URI", uri)];
            assert_eq!(read(Source::XOriginal, "/forward-auth/p", &headers), Err(Unclear::Override), "{uri}");
        }
    }
}
