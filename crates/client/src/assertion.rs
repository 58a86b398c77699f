//! Signed assertions: an application that proves itself with a private key (RFC 7523 2.2, contract, chapter 6).

mod jwt;
mod key;
mod signer;

use std::fmt;
use std::sync::Arc;

use procura_jose::Random;
use procura_protocol::application_auth::AssertionAudience;
use procura_protocol::ids::ApplicationId;
use procura_protocol::time::UnixSeconds;
use zeroize::Zeroizing;

pub(crate) use jwt::{AssertionClaims, JwtSigner, new_name};
pub use key::{AssertionKey, InvalidAssertionKey};
pub use signer::{Signer, Signing, SigningError};

/// `typ`: what the update of RFC 7523 gives to these, so that nothing else can be taken for one.
const TYPE: &str = "client-authentication+jwt";

/// Who signs, and how the server wants to be named.
#[derive(Clone)]
pub(crate) struct Asserting {
    key: JwtSigner,
    audience: AssertionAudience,
}

/// What one assertion is about.
pub(crate) struct About<'a> {
    /// The application.
    pub(crate) application: &'a ApplicationId,
    /// The server.
    pub(crate) issuer: &'a str,
    /// The URL of the endpoint that is asked, without a query.
    pub(crate) endpoint: &'a str,
    pub(crate) now: UnixSeconds,
}

impl Asserting {
    pub(crate) fn new(signer: Arc<dyn Signer>) -> Asserting {
        Asserting { key: JwtSigner::new(signer, TYPE), audience: AssertionAudience::Issuer }
    }

    pub(crate) fn naming(self, audience: AssertionAudience) -> Asserting {
        Asserting { audience, ..self }
    }

    /// A JWT that was never sent before.
    pub(crate) async fn sign(
        &self,
        about: About<'_>,
        random: &dyn Random,
    ) -> Result<Zeroizing<String>, SigningError> {
        let About { application, issuer, endpoint, now } = about;
        let aud = match self.audience {
            AssertionAudience::Issuer => issuer,
            AssertionAudience::Endpoint => endpoint,
        };
        self.key.sign(&AssertionClaims::new(application, application.as_str(), aud, now, random)).await
    }
}

impl fmt::Debug for Asserting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asserting({:?})", self.key)
    }
}
