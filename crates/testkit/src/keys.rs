//! Keys made for one test.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock};

use procura_jose::ring::{KeyRing, Keys, RingKey};
use procura_jose::{Algorithm, Jwks, PrivateKey, RsaPool, SigningKey};
use procura_protocol::secret::Secret;

/// One signing key of each algorithm that was asked for, numbered from 1.
#[derive(Clone)]
pub struct TestKeys(Arc<KeyRing>);

impl TestKeys {
    /// Keys of these algorithms.
    ///
    /// # Panics
    ///
    /// When the crypto library fails.
    #[expect(clippy::expect_used, reason = "a test without keys can only stop")]
    pub fn new(algorithms: &[Algorithm]) -> TestKeys {
        let pool = RsaPool::new(NonZeroUsize::MIN);
        let keys: Vec<_> = algorithms.iter().map(|algorithm| make(*algorithm)).collect();
        let published = Jwks::new(keys.iter().map(PrivateKey::public_jwk));
        let signing =
            keys.into_iter().zip(1..).map(|(key, number)| RingKey::new(number, SigningKey::new(key, &pool)));
        TestKeys(Arc::new(KeyRing::new(signing.collect(), published).expect("a JWKS is JSON")))
    }
}

impl Keys for TestKeys {
    fn current(&self) -> Arc<KeyRing> {
        Arc::clone(&self.0)
    }
}

/// RSA keys take a while to find; tests of one process share theirs.
#[expect(clippy::expect_used, reason = "a test without keys can only stop")]
pub(crate) fn make(algorithm: Algorithm) -> PrivateKey {
    static RSA: LazyLock<[Secret; 2]> = LazyLock::new(|| {
        [Algorithm::Rs256, Algorithm::Ps256]
            .map(|algorithm| PrivateKey::generate(algorithm).expect("an RSA key can be made").1)
    });
    let shared = match algorithm {
        Algorithm::Rs256 => Some(&RSA[0]),
        Algorithm::Ps256 => Some(&RSA[1]),
        Algorithm::Es256 | Algorithm::EdDsa => None,
    };
    match shared {
        Some(pkcs8) => PrivateKey::from_pkcs8(algorithm, pkcs8.expose()).expect("a key just made reads back"),
        None => PrivateKey::generate(algorithm).expect("a key can be made").0,
    }
}
