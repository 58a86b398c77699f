//! The requests of a resource, an API that takes tokens, built without sending them.

use bytes::Bytes;
use http::Request;
use procura_protocol::ids::ResourceId;
use procura_protocol::secret::Secret;

use crate::credentials::Credentials;
use crate::error::ProtocolError;
use crate::issuer::Issuer;
use crate::metadata::ServerMetadata;

use crate::response::Token;

/// A resource, as it introduces itself to one server: issuer, its own id (the `aud` of the tokens that it
/// takes) and secret.
///
/// Builds requests and does nothing else; [`crate::Introspector`] sends them.
///
/// ```
/// use procura_client::{Issuer, Resource, ResourceId, Secret};
///
/// let resource = Resource::new(
///     Issuer::parse("https://token.example")?,
///     &ResourceId::parse("https://bank.example/api")?,
///     &Secret::from(String::from("prs_secret")),
/// );
/// let request = resource.metadata_request();
/// assert_eq!(request.uri(), "https://token.example/.well-known/oauth-authorization-server");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Resource {
    id: ResourceId,
    credentials: Credentials,
}

impl Resource {
    /// A resource with its secret. The secret is turned into the `Authorization` header here and not kept
    /// in any other form.
    pub fn new(issuer: Issuer, id: &ResourceId, secret: &Secret) -> Resource {
        Resource { id: id.clone(), credentials: Credentials::by_secret(issuer, id.as_str(), secret) }
    }

    /// The server's issuer.
    pub fn issuer(&self) -> &Issuer {
        self.credentials.issuer()
    }

    /// The resource's id.
    pub fn id(&self) -> &ResourceId {
        &self.id
    }

    /// `GET /.well-known/oauth-authorization-server` (RFC 8414 3). Carries no credentials. Read the answer
    /// with [`crate::parse_metadata_response`].
    pub fn metadata_request(&self) -> Request<Bytes> {
        self.credentials.metadata_request()
    }

    /// `POST /introspect` (RFC 7662): whether an access token for this resource is in force, and what it
    /// says. Read the answer with [`crate::parse_introspection_response`].
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
        Ok(self.credentials.about_token((endpoint, endpoint), token))
    }
}
