//! Signing as the server does it.

use std::future::Future;

use crate::{Algorithm, KeyId, SignError};

/// Something that signs with one key, wherever the key is.
pub trait Signer: Send + Sync {
    /// What it signs with.
    fn algorithm(&self) -> Algorithm;

    /// The name of its key.
    fn kid(&self) -> &KeyId;

    /// Signs `message` (what [`crate::compact_input`] made) and gives it back completed with a dot and
    /// the signature in base64url. It takes the message so that it can travel to another thread and
    /// become the token without being copied.
    ///
    /// # Errors
    ///
    /// [`SignError`], always ours.
    fn sign(&self, message: Vec<u8>) -> impl Future<Output = Result<Vec<u8>, SignError>> + Send;
}

#[cfg(feature = "tokio")]
pub use on_tokio::{RsaPool, SigningKey};

#[cfg(feature = "tokio")]
mod on_tokio {
    use std::fmt;
    use std::num::NonZeroUsize;
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::Signer;
    use crate::{Algorithm, Jwk, KeyId, PrivateKey, PublicKey, SignError, append_signature};

    /// A [`PrivateKey`] in a tokio runtime. A clone costs two counters.
    ///
    /// ES256 and EdDSA sign where they are asked, because a change of threads costs as much as the
    /// signature; their future is ready when first polled. RSA takes twenty times as long and signs on
    /// tokio's blocking pool, at most as many at once as [`RsaPool`] allows.
    #[derive(Clone)]
    pub struct SigningKey {
        key: Arc<PrivateKey>,
        pool: RsaPool,
    }

    impl SigningKey {
        /// Signs with `key`, on `pool` if it is RSA.
        pub fn new(key: PrivateKey, pool: &RsaPool) -> Self {
            SigningKey { key: Arc::new(key), pool: pool.clone() }
        }

        /// The public half, to publish.
        pub fn public_jwk(&self) -> Jwk {
            self.key.public_jwk()
        }

        /// The public half, to verify with.
        pub fn public_key(&self) -> &PublicKey {
            self.key.public_key()
        }
    }

    impl Signer for SigningKey {
        fn algorithm(&self) -> Algorithm {
            self.key.algorithm()
        }

        fn kid(&self) -> &KeyId {
            self.key.kid()
        }

        async fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>, SignError> {
            if self.key.algorithm().is_rsa() {
                self.pool.sign(Arc::clone(&self.key), message).await
            } else {
                complete(&self.key, message)
            }
        }
    }

    impl fmt::Debug for SigningKey {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "SigningKey({} {})", self.key.algorithm(), self.key.kid())
        }
    }

    /// How many RSA signatures may be made at once. One for the whole process, shared by its keys, so
    /// that RSA can't take all cores from those who don't ask for it. Who waits, waits in line.
    #[derive(Clone, Debug)]
    pub struct RsaPool(Arc<Semaphore>);

    impl RsaPool {
        /// At most `at_once` signatures; the number of cores is a good one.
        pub fn new(at_once: NonZeroUsize) -> Self {
            RsaPool(Arc::new(Semaphore::new(at_once.get().min(Semaphore::MAX_PERMITS))))
        }

        async fn sign(&self, key: Arc<PrivateKey>, message: Vec<u8>) -> Result<Vec<u8>, SignError> {
            let turn = Arc::clone(&self.0).acquire_owned().await.map_err(|_| SignError::Stopped)?;
            // The turn goes along and ends with the work, also when nobody waits for it any more.
            let work = tokio::task::spawn_blocking(move || {
                let signed = complete(&key, message);
                drop(turn);
                signed
            });
            work.await.map_err(|_| SignError::Stopped)?
        }
    }

    fn complete(key: &PrivateKey, message: Vec<u8>) -> Result<Vec<u8>, SignError> {
        let signature = key.sign(&message)?;
        Ok(append_signature(message, signature.as_ref()))
    }

    #[cfg(test)]
    mod tests {
        use std::future::Future;
        use std::pin::pin;
        use std::task::{Context, Waker};

        use super::*;

        #[tokio::test]
        async fn rsa_waits_for_its_turn_and_elliptic_curves_do_not() {
            let pool = RsaPool::new(NonZeroUsize::MIN);
            let key = |algorithm| SigningKey::new(PrivateKey::generate(algorithm).unwrap().0, &pool);
            let (rsa, ec) = (key(Algorithm::Rs256), key(Algorithm::Es256));
            let the_only_turn = Arc::clone(&pool.0).acquire_owned().await.unwrap();

            let mut waiting = pin!(rsa.sign(b"message".to_vec()));
            assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            assert!(ec.sign(b"message".to_vec()).await.is_ok());
            drop(the_only_turn);
            assert!(waiting.await.is_ok());
            assert_eq!(pool.0.available_permits(), 1);
        }
    }
}
