//! Where a server keeps its keys: its metadata (RFC 8414).

use bytes::Bytes;
use http::uri::Scheme;
use http::{Response, Uri};
use serde::Deserialize;

use crate::answer::{check_status, json};
use crate::error::{Error, ProtocolError};
use crate::issuer::{Issuer, is_loopback};

/// What this crate needs of a server's metadata. Only a check of the issuer makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerMetadata {
    jwks_uri: Uri,
}

impl ServerMetadata {
    /// Where the key set is. `https`, or loopback of a server on loopback.
    pub fn jwks_uri(&self) -> &Uri {
        &self.jwks_uri
    }
}

/// Reads the answer to [`crate::Application::metadata_request`].
///
/// # Errors
///
/// [`Error::Protocol`] unless the document names exactly this issuer (RFC 8414 3.3: another server's
/// metadata would bring another server's keys) and a `jwks_uri` that can be trusted; else as every
/// answer.
#[expect(clippy::needless_pass_by_value, reason = "one shape for all answers")]
pub fn parse_metadata_response(response: Response<Bytes>, issuer: &Issuer) -> Result<ServerMetadata, Error> {
    check_status(&response)?;
    let document: Document = json(response.body(), "an authorization server's metadata")?;
    if document.issuer != issuer.as_str() {
        return Err(ProtocolError::Issuer { expected: issuer.to_string() }.into());
    }
    let bad = |why| ProtocolError::Value { name: "jwks_uri", why };
    let jwks_uri: Uri = document.jwks_uri.parse().map_err(|_| bad("is not a URL"))?;
    let host = jwks_uri.host().ok_or_else(|| bad("is not an absolute URL"))?;
    let safe = match jwks_uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        Some(scheme) if *scheme == Scheme::HTTP => issuer.is_plain() && is_loopback(host),
        _ => false,
    };
    if safe { Ok(ServerMetadata { jwks_uri }) } else { Err(bad("is not https").into()) }
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(issuer: &str, document: &str) -> Result<ServerMetadata, Error> {
        let response = Response::new(Bytes::from(document.to_owned()));
        parse_metadata_response(response, &Issuer::parse(issuer).unwrap())
    }

    #[test]
    fn the_issuer_must_be_the_one_that_was_asked_to_the_letter() {
        let document = r#"{"issuer":"https://token.example","jwks_uri":"https://token.example/jwks","x":1}"#;
        assert_eq!(read("https://token.example", document).unwrap().jwks_uri(), "https://token.example/jwks");
        for other in ["https://token.example/", "https://TOKEN.example", "https://evil.example"] {
            let error = read(other, document).unwrap_err();
            assert!(matches!(error, Error::Protocol(ProtocolError::Issuer { .. })), "{error}");
        }
    }

    #[test]
    fn keys_come_over_https_unless_the_server_itself_is_on_loopback() {
        let document = |issuer, jwks| format!(r#"{{"issuer":"{issuer}","jwks_uri":"{jwks}"}}"#);
        let local = "http://127.0.0.1:8080";
        assert!(read(local, &document(local, "http://127.0.0.1:8080/jwks")).is_ok());
        assert!(read(local, &document(local, "http://keys.example/jwks")).is_err());
        let far = "https://token.example";
        for bad in ["http://token.example/jwks", "http://127.0.0.1/jwks", "/jwks", "file:///etc/passwd", ""] {
            assert!(read(far, &document(far, bad)).is_err(), "{bad}");
        }
    }
}
