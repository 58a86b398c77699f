//! Where a server keeps its keys and answers about tokens: its metadata (RFC 8414).

use bytes::Bytes;
use http::uri::Scheme;
use http::{Response, Uri};
use serde::Deserialize;

use crate::aliases::{Aliases, TheirAliases};
use crate::answer::{check_status, json};
use crate::error::{Error, ProtocolError};
use crate::issuer::{Issuer, is_loopback};

/// What this crate needs of a server's metadata. Only a check of the issuer makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerMetadata {
    jwks_uri: Uri,
    token_endpoint: Result<Uri, ProtocolError>,
    introspection_endpoint: Result<Uri, ProtocolError>,
    revocation_endpoint: Result<Uri, ProtocolError>,
    aliases: Aliases,
}

impl ServerMetadata {
    /// Where the key set is. `https`, or loopback of a server on loopback.
    pub fn jwks_uri(&self) -> &Uri {
        &self.jwks_uri
    }

    /// Where the standard grants are (RFC 6749 3.2).
    ///
    /// # Errors
    ///
    /// As [`ServerMetadata::introspection_endpoint`].
    pub fn token_endpoint(&self) -> Result<&Uri, ProtocolError> {
        self.token_endpoint.as_ref().map_err(Clone::clone)
    }

    /// Where to ask about tokens (RFC 7662).
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] when the document names none, or one of another origin than the issuer's: secrets
    /// and tokens are sent there.
    pub fn introspection_endpoint(&self) -> Result<&Uri, ProtocolError> {
        self.introspection_endpoint.as_ref().map_err(Clone::clone)
    }

    /// Where to end tokens (RFC 7009).
    ///
    /// # Errors
    ///
    /// As [`ServerMetadata::introspection_endpoint`].
    pub fn revocation_endpoint(&self) -> Result<&Uri, ProtocolError> {
        self.revocation_endpoint.as_ref().map_err(Clone::clone)
    }

    /// Where this server asks for certificates: what stands before the paths of its endpoints there. `None`
    /// when it has no other place than its issuer.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] when that place is not over TLS, or of another host than the issuer's.
    pub(crate) fn mutual_tls_base(&self) -> Result<Option<&str>, ProtocolError> {
        self.aliases.base()
    }

    pub(crate) fn token_alias(&self) -> Result<Option<&Uri>, ProtocolError> {
        self.aliases.token()
    }

    pub(crate) fn introspection_alias(&self) -> Result<Option<&Uri>, ProtocolError> {
        self.aliases.introspection()
    }

    pub(crate) fn revocation_alias(&self) -> Result<Option<&Uri>, ProtocolError> {
        self.aliases.revocation()
    }
}

/// Reads the answer to [`crate::Application::metadata_request`] or [`crate::Resource::metadata_request`].
///
/// Endpoints that are missing or can't be trusted are told when they are asked for: who only verifies ID
/// tokens needs none of them.
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
    if !safe {
        return Err(bad("is not https").into());
    }
    Ok(ServerMetadata {
        jwks_uri,
        token_endpoint: endpoint("token_endpoint", document.token_endpoint, issuer),
        introspection_endpoint: endpoint("introspection_endpoint", document.introspection_endpoint, issuer),
        revocation_endpoint: endpoint("revocation_endpoint", document.revocation_endpoint, issuer),
        aliases: Aliases::read(document.mtls_endpoint_aliases, issuer),
    })
}

/// An endpoint that takes secrets: scheme, host and port must be the issuer's.
fn endpoint(name: &'static str, text: Option<String>, issuer: &Issuer) -> Result<Uri, ProtocolError> {
    let text = text.ok_or(ProtocolError::Missing(name))?;
    let bad = |why| ProtocolError::Value { name, why };
    // `http` drops a fragment and keeps a user; neither has a place here.
    if text.contains(['#', '@']) {
        return Err(bad("has a user or a fragment"));
    }
    let uri: Uri = text.parse().map_err(|_| bad("is not a URL"))?;
    if uri.host().is_none() || uri.scheme().is_none() {
        return Err(bad("is not an absolute URL"));
    }
    if issuer.has_origin_of(&uri) { Ok(uri) } else { Err(bad("has another origin than the issuer")) }
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
    token_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    #[serde(default)]
    mtls_endpoint_aliases: TheirAliases,
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

    fn with_endpoint(issuer: &str, endpoint: &str) -> ServerMetadata {
        let document = format!(
            r#"{{"issuer":"{issuer}","jwks_uri":"{issuer}/jwks","introspection_endpoint":"{endpoint}","token_endpoint":"{endpoint}",
                "revocation_endpoint":"{endpoint}"}}"#
        );
        read(issuer, &document).unwrap()
    }

    #[test]
    fn endpoints_that_take_secrets_are_of_the_issuers_origin() {
        let far = "https://token.example";
        for (issuer, good) in [
            (far, "https://token.example/bank/introspect"),
            (far, "https://token.example:443/introspect"),
            (far, "https://TOKEN.example/introspect?x=1"),
            ("https://token.example:8443/bank", "https://token.example:8443/introspect"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/introspect"),
        ] {
            let metadata = with_endpoint(issuer, good);
            assert!(metadata.introspection_endpoint().is_ok(), "{good}");
            assert!(metadata.revocation_endpoint().is_ok(), "{good}");
            assert!(metadata.token_endpoint().is_ok(), "{good}");
        }
        for (issuer, bad) in [
            (far, "https://evil.example/introspect"),
            (far, "https://token.example.evil.example/introspect"),
            (far, "https://token.example:8443/introspect"),
            (far, "http://token.example/introspect"),
            (far, "https://token.example@evil.example/introspect"),
            (far, "https://x@token.example/introspect"),
            (far, "https://token.example/introspect#x"),
            (far, "/introspect"),
            (far, "token.example"),
            (far, ""),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8081/introspect"),
            ("http://127.0.0.1:8080", "http://localhost:8080/introspect"),
        ] {
            let metadata = with_endpoint(issuer, bad);
            let (ask, end) = (metadata.introspection_endpoint(), metadata.revocation_endpoint());
            for endpoint in [ask, end, metadata.token_endpoint()] {
                assert!(matches!(endpoint, Err(ProtocolError::Value { .. })), "{bad}");
            }
        }
    }

    #[test]
    fn a_missing_endpoint_is_told_when_it_is_asked_for() {
        let document = r#"{"issuer":"https://token.example","jwks_uri":"https://token.example/jwks"}"#;
        let metadata = read("https://token.example", document).unwrap();
        assert_eq!(metadata.introspection_endpoint(), Err(ProtocolError::Missing("introspection_endpoint")));
        assert_eq!(metadata.revocation_endpoint(), Err(ProtocolError::Missing("revocation_endpoint")));
        assert_eq!(metadata.token_endpoint(), Err(ProtocolError::Missing("token_endpoint")));
    }

    #[test]
    fn what_the_server_publishes_is_read() {
        let issuer = "https://token.example/bank/";
        let document = serde_json::to_string(&procura_protocol::metadata::Metadata::new(issuer)).unwrap();
        let metadata = read(issuer, &document).unwrap();
        let (ask, end) =
            (metadata.introspection_endpoint().unwrap(), metadata.revocation_endpoint().unwrap());
        assert_eq!(ask, "https://token.example/bank/introspect");
        assert_eq!(end, "https://token.example/bank/revoke");
        assert_eq!(metadata.token_endpoint().unwrap(), "https://token.example/bank/token");
    }
}
