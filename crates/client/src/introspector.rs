//! One server, asked about tokens by one resource.

use std::fmt;
use std::sync::Arc;

use procura_jose::Random;

use crate::asking::Asking;
use crate::clock::Clock;
use crate::error::Error;
use crate::introspection::{Asker, Introspection, parse_introspection_response};
use crate::resource::Resource;
use crate::response::Token;
use crate::retry::Patience;
use crate::transport::Transport;

/// A Procura server as one resource sees it: it tells whether a token that a caller sent is in force.
///
/// Every call asks the server, with the retries of [`crate::Procura`]; nothing is kept but where to ask. A
/// resource that has many calls checks tokens offline instead.
///
#[cfg_attr(feature = "reqwest", doc = "```no_run")]
#[cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
/// use procura_client::{Introspection, Introspector, Issuer, Resource, ResourceId, Secret, Token};
///
/// # async fn check(bearer: String) -> Result<(), Box<dyn std::error::Error>> {
/// let bank = Introspector::connect(Resource::new(
///     Issuer::parse("https://token.example")?,
///     &ResourceId::parse("https://bank.example/api")?,
///     &Secret::from(std::env::var("RESOURCE_SECRET")?),
/// ));
/// match bank.introspect(&Token::from(bearer)).await? {
///     Introspection::Active(token) => match token.permissions_for("CLI100") {
///         Some(permissions) => println!("may, for this client: {permissions}"),
///         None => println!("403: the token is not for this client"),
///     },
///     // Only the connection and the request tell who shows it. Compare the SHA-256 of the caller's certificate
///     // with `binding.certificate()`, and the key of the proof in `DPoP` with `binding.key()`, whichever are
///     // there. An API that can do neither refuses such tokens.
///     Introspection::ActiveBound(_token, binding) => println!("401: bound to {binding:?}"),
///     Introspection::Inactive => println!("401"),
/// }
/// # Ok(())
/// # }
/// ```
pub struct Introspector<T> {
    resource: Resource,
    asking: Asking<T>,
}

impl<T: Transport> Introspector<T> {
    /// Puts the parts together. `random` spreads retries in time and nothing else.
    pub fn new(
        resource: Resource,
        transport: T,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Introspector<T> {
        Introspector { resource, asking: Asking::new(transport, clock, random) }
    }

    /// The resource that asks.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// Whether a token for this resource is in force now, and what it says. An error is not a yes: refuse
    /// the call, with 503 when [`Error::is_passing`]. Nor is [`Introspection::ActiveBound`] one, before
    /// certificate and proof of the caller were compared with what the token is bound to.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with `invalid_client` when the server does not know this resource or its secret.
    pub async fn introspect(&self, token: &Token) -> Result<Introspection, Error> {
        let issuer = self.resource.issuer();
        let metadata = self.asking.metadata(self.resource.metadata_request(), issuer).await?;
        let request = self.resource.introspection_request(&metadata, token)?;
        let answer = self.asking.send(Patience::SHORT, request).await?;
        parse_introspection_response(answer, issuer, Asker::Resource(self.resource.id()))
    }
}

#[cfg(feature = "reqwest")]
impl Introspector<crate::ReqwestTransport> {
    /// A server on the network: the ready transport, the machine's clocks and randomness.
    pub fn connect(resource: Resource) -> Introspector<crate::ReqwestTransport> {
        Introspector::new(
            resource,
            crate::ReqwestTransport::new(),
            Arc::new(crate::SystemClock::new()),
            Arc::new(procura_jose::SystemRandom),
        )
    }
}

impl<T> fmt::Debug for Introspector<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspector").field("resource", &self.resource).finish_non_exhaustive()
    }
}
