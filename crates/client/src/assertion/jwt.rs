//! JWTs of one key and one type, each made for one request.

use std::fmt;
use std::sync::Arc;

use procura_jose::{CompactPrefix, Jwk, Random, append_signature, base64url, compact_input};
use procura_protocol::ids::ApplicationId;
use procura_protocol::time::UnixSeconds;
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Signer, SigningError};

/// Seconds for which an assertion may be used: once, and at once.
const LIFETIME: i64 = 60;

/// A key, and what all its JWTs of one type begin with.
#[derive(Clone)]
pub(crate) struct JwtSigner {
    signer: Arc<dyn Signer>,
    prefix: CompactPrefix,
}

impl JwtSigner {
    /// Its JWTs name the key by its `kid`.
    pub(crate) fn new(signer: Arc<dyn Signer>, typ: &str) -> JwtSigner {
        let prefix = CompactPrefix::new(signer.algorithm(), signer.kid(), typ);
        JwtSigner { signer, prefix }
    }

    /// Its JWTs bring the public half with them.
    pub(crate) fn bringing_its_key(signer: Arc<dyn Signer>, key: &Jwk, typ: &str) -> JwtSigner {
        JwtSigner { signer, prefix: CompactPrefix::bringing_its_key(key, typ) }
    }

    pub(crate) fn signer(&self) -> &Arc<dyn Signer> {
        &self.signer
    }

    pub(crate) async fn sign(&self, claims: &impl Serialize) -> Result<Zeroizing<String>, SigningError> {
        let claims = serde_json::to_vec(claims).map_err(SigningError::because)?;
        let message = compact_input(&self.prefix, &claims);
        let signature = self.signer.sign(&message).await?;
        let signed = String::from_utf8(append_signature(message, &signature));
        signed.map(Zeroizing::new).map_err(|_| SigningError::new("what was signed is no text"))
    }
}

impl fmt::Debug for JwtSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.signer.algorithm(), self.signer.kid())
    }
}

/// The claims of an assertion (RFC 7523 3).
#[derive(Serialize)]
pub(crate) struct AssertionClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: String,
    iat: i64,
    exp: i64,
}

impl<'a> AssertionClaims<'a> {
    /// An assertion that was never sent before: its `jti` is new.
    pub(crate) fn new(
        application: &'a ApplicationId,
        sub: &'a str,
        aud: &'a str,
        now: UnixSeconds,
        random: &dyn Random,
    ) -> AssertionClaims<'a> {
        let iss = application.as_str();
        AssertionClaims { iss, sub, aud, jti: new_name(random), iat: now.0, exp: now.plus(LIFETIME).0 }
    }
}

/// A name that nobody has given to anything before: 128 random bits.
pub(crate) fn new_name(random: &dyn Random) -> String {
    let mut id = [0; 16];
    random.fill(&mut id);
    base64url::encode(&id)
}
