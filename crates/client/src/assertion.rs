//! Signed assertions: an application that proves itself with a private key (RFC 7523 2.2, contract, chapter 6).

mod key;
mod signer;

use std::fmt;
use std::sync::Arc;

use procura_jose::{CompactPrefix, Random, append_signature, base64url, compact_input};
use procura_protocol::application_auth::AssertionAudience;
use procura_protocol::ids::ApplicationId;
use procura_protocol::time::UnixSeconds;
use serde::Serialize;
use zeroize::Zeroizing;

pub use key::{AssertionKey, InvalidAssertionKey};
pub use signer::{Signer, Signing, SigningError};

/// Seconds for which an assertion may be used: once, and at once.
const LIFETIME: i64 = 60;
/// `typ`: what the update of RFC 7523 gives to these, so that nothing else can be taken for one.
const TYPE: &str = "client-authentication+jwt";

/// Who signs, and how the server wants to be named.
#[derive(Clone)]
pub(crate) struct Asserting {
    signer: Arc<dyn Signer>,
    prefix: CompactPrefix,
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

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: &'a str,
    iat: i64,
    exp: i64,
}

impl Asserting {
    pub(crate) fn new(signer: Arc<dyn Signer>) -> Asserting {
        let prefix = CompactPrefix::new(signer.algorithm(), signer.kid(), TYPE);
        Asserting { signer, prefix, audience: AssertionAudience::Issuer }
    }

    pub(crate) fn naming(self, audience: AssertionAudience) -> Asserting {
        Asserting { audience, ..self }
    }

    /// A JWT that was never sent before: its `jti` is new.
    pub(crate) async fn sign(
        &self,
        about: About<'_>,
        random: &dyn Random,
    ) -> Result<Zeroizing<String>, SigningError> {
        let mut id = [0; 16];
        random.fill(&mut id);
        let aud = match self.audience {
            AssertionAudience::Issuer => about.issuer,
            AssertionAudience::Endpoint => about.endpoint,
        };
        let application = about.application.as_str();
        let claims = Claims {
            iss: application,
            sub: application,
            aud,
            jti: &base64url::encode(&id),
            iat: about.now.0,
            exp: about.now.plus(LIFETIME).0,
        };
        let claims = serde_json::to_vec(&claims).map_err(SigningError::because)?;
        let message = compact_input(&self.prefix, &claims);
        let signature = self.signer.sign(&message).await?;
        let signed = String::from_utf8(append_signature(message, &signature));
        signed.map(Zeroizing::new).map_err(|_| SigningError::new("the assertion is no text"))
    }
}

impl fmt::Debug for Asserting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asserting({} {})", self.signer.algorithm(), self.signer.kid())
    }
}
