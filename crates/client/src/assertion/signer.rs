//! Whatever signs: a key in memory, an HSM, a KMS.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use procura_jose::{Algorithm, KeyId};

/// Signs the assertions, grants or proofs of an application, wherever its key is. [`crate::AssertionKey`] is one with
/// the key in memory; for a key that never leaves an HSM or a KMS, bring your own.
///
/// Called once for each request and once more for each retry, because what is signed is good for one request.
///
/// ```
/// use procura_client::{Algorithm, KeyId, Signer, Signing, SigningError};
///
/// struct Vault { kid: KeyId }
///
/// impl Vault {
///     async fn ask(&self, message: &[u8]) -> Result<Vec<u8>, std::io::Error> {
/// #       let _ = message;
/// #       /*
///         ...
/// #       */
/// #       Ok(vec![0; 64])
///     }
/// }
///
/// impl Signer for Vault {
///     fn algorithm(&self) -> Algorithm {
///         Algorithm::Es256
///     }
///
///     fn kid(&self) -> &KeyId {
///         &self.kid
///     }
///
///     fn sign<'a>(&'a self, message: &'a [u8]) -> Signing<'a> {
///         Box::pin(async move { self.ask(message).await.map_err(SigningError::because) })
///     }
/// }
/// ```
pub trait Signer: Send + Sync + 'static {
    /// What it signs with: ES256, EdDSA or PS256, or RS256 where the server has registered just that.
    fn algorithm(&self) -> Algorithm;

    /// The name under which the server knows the public half. Proofs of possession bring the key itself, and leave it
    /// out.
    fn kid(&self) -> &KeyId;

    /// The signature of these bytes, as JOSE wants it: of ES256 R and S, 32 bytes each (RFC 7518 3.4), and not
    /// the DER that most libraries and services give; of EdDSA 64 bytes (RFC 8037 3.1); of RSA as many as the
    /// modulus has.
    ///
    /// Time that it takes counts as time of the request. A failure is not tried again here.
    fn sign<'a>(&'a self, message: &'a [u8]) -> Signing<'a>;
}

/// A signature that is being made.
pub type Signing<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, SigningError>> + Send + 'a>>;

/// Why nothing could be signed, in the words of whatever signs.
#[derive(Clone)]
pub struct SigningError(Arc<dyn StdError + Send + Sync>);

impl SigningError {
    /// A failure in a sentence, which must hold no secret.
    pub fn new(why: &str) -> SigningError {
        SigningError(Arc::from(Box::<dyn StdError + Send + Sync>::from(why)))
    }

    /// A failure and what caused it, which must hold no secret.
    pub fn because(source: impl Into<Box<dyn StdError + Send + Sync>>) -> SigningError {
        SigningError(Arc::from(source.into()))
    }
}

impl fmt::Display for SigningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what had to be signed could not be signed")?;
        let mut cause = Some(&*self.0 as &dyn StdError);
        while let Some(reason) = cause {
            write!(f, ": {reason}")?;
            cause = reason.source();
        }
        Ok(())
    }
}

impl fmt::Debug for SigningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningError({self})")
    }
}

impl StdError for SigningError {}
