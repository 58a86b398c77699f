//! Answers to requests that never reach the service, in the contract's shape.

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

use crate::limits::Limits;

/// Why a request was refused before anyone looked at what it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not HTTP.
    Malformed,
    /// The request line does not fit.
    TargetTooLong,
    /// The header fields don't fit, or are too many.
    HeadersTooLarge,
    /// For another host than the connection was opened to (RFC 9110 15.5.20).
    Misdirected,
}

impl Refusal {
    /// What hyper's own answer `written` refuses, if it is one.
    ///
    /// hyper answers a request that it can't parse with a head of exactly three fields and no body, in
    /// one write of its own, and closes. Answers of the service differ: theirs come with a body.
    pub(super) fn of_hyper(written: &[u8]) -> Option<(Self, &[u8])> {
        const STATUS: usize = "HTTP/1.".len() + 2;
        // One comparison for all that is not a 4xx.
        if written.get(STATUS) != Some(&b'4') {
            return None;
        }
        let rest = written.strip_prefix(b"HTTP/1.1 ").or_else(|| written.strip_prefix(b"HTTP/1.0 "))?;
        let (refusal, rest) = [Self::Malformed, Self::TargetTooLong, Self::HeadersTooLarge]
            .into_iter()
            .find_map(|refusal| Some((refusal, rest.strip_prefix(refusal.status_line().as_bytes())?)))?;
        let rest = rest.strip_prefix(b"\r\n")?;
        let rest = rest.strip_prefix(b"connection: close\r\n").unwrap_or(rest);
        let date = rest.strip_prefix(b"content-length: 0\r\ndate: ")?.strip_suffix(b"\r\n\r\n")?;
        (!date.contains(&b'\r')).then_some((refusal, date))
    }

    /// The whole answer as bytes of HTTP/1.1, after which the connection ends.
    pub(super) fn to_wire(self, date: &[u8], limits: &Limits) -> Vec<u8> {
        let body = self.body(limits);
        let mut wire = format!(
            "HTTP/1.1 {}\r\ncontent-type: application/json\r\ncache-control: no-store\r\n\
             connection: close\r\ncontent-length: {}\r\ndate: ",
            self.status_line(),
            body.len()
        )
        .into_bytes();
        wire.extend_from_slice(date);
        wire.extend_from_slice(b"\r\n\r\n");
        wire.extend_from_slice(body.as_bytes());
        wire
    }

    /// The same answer as a response of the service.
    pub(super) fn to_response(self, limits: &Limits) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body(limits)));
        *response.status_mut() = self.status();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
        }
    }

    fn status_line(self) -> &'static str {
        match self {
            Self::Malformed => "400 Bad Request",
            Self::TargetTooLong => "414 URI Too Long",
            Self::HeadersTooLarge => "431 Request Header Fields Too Large",
            Self::Misdirected => "421 Misdirected Request",
        }
    }

    /// `AuthErrorMessage` (contract chapter 1). The texts hold nothing that JSON escapes.
    fn body(self, limits: &Limits) -> String {
        let description = match self {
            Self::Malformed => {
                "the request is not valid HTTP: check the request line, the names and values of the header \
                 fields and the length of the body"
                    .to_owned()
            }
            Self::TargetTooLong => format!(
                "the request target is too long: request line and header fields may hold {} bytes together",
                limits.header_bytes
            ),
            Self::HeadersTooLarge => format!(
                "the header is too large: request line and header fields may hold {} bytes together, in at most \
                 {} fields",
                limits.header_bytes, limits.header_count
            ),
            Self::Misdirected => {
                "the request is for another host than the one named in the TLS handshake: open \
                                  a connection to that host"
                    .to_owned()
            }
        };
        format!(r#"{{"error":"invalid_request","error_description":"{description}"}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &[u8] =
        b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: D\r\n\r\n";

    #[test]
    fn an_answer_of_the_parser_is_recognised() {
        assert_eq!(Refusal::of_hyper(OWN), Some((Refusal::Malformed, &b"D"[..])));
    }

    #[test]
    fn an_answer_with_one_field_more_or_a_body_is_left_alone() {
        for other in [
            &b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: D\r\nx: y\r\n\r\n"
                [..],
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\ndate: D\r\n\r\n{}",
            b"HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\ndate: D\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\ndate: D\r\n\r\n",
            b"",
        ] {
            assert_eq!(Refusal::of_hyper(other), None, "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn every_body_is_json_with_the_two_members() {
        for refusal in
            [Refusal::Malformed, Refusal::TargetTooLong, Refusal::HeadersTooLarge, Refusal::Misdirected]
        {
            let body: serde_json::Value = serde_json::from_str(&refusal.body(&Limits::default())).unwrap();
            assert_eq!(body["error"], "invalid_request");
            assert_eq!(body.as_object().unwrap().len(), 2);
        }
    }
}
