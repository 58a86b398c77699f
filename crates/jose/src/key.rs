//! The half that signs.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom as LibraryRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair, RsaSignatureEncoding,
};
use procura_protocol::secret::Secret;

use crate::{Algorithm, CompactPrefix, Jwk, KeyId, PublicKey, append_signature, compact_input};

/// A private key, parsed and checked once, ready to sign with one algorithm.
///
/// It can't be printed, copied or turned back into bytes.
///
/// ```compile_fail
/// fn copy(key: &procura_jose::PrivateKey) -> procura_jose::PrivateKey { key.clone() }
/// ```
pub struct PrivateKey {
    jwk: Jwk,
    pair: Pair,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static RsaSignatureEncoding),
}

impl PrivateKey {
    /// Makes a key for `algorithm` with the crypto library's own randomness, and the PKCS#8 document
    /// (RFC 5208, DER) from which [`PrivateKey::from_pkcs8`] makes it again. RSA has 2048 bits and
    /// takes a good part of a second.
    ///
    /// # Errors
    ///
    /// [`CryptoError::Generate`] when the library fails.
    pub fn generate(algorithm: Algorithm) -> Result<(Self, Secret), CryptoError> {
        let pkcs8 = generate_pkcs8(algorithm).map_err(|_| CryptoError::Generate)?;
        let key = PrivateKey::from_pkcs8(algorithm, pkcs8.expose())?;
        Ok((key, pkcs8))
    }

    /// Reads a PKCS#8 document (DER, not encrypted).
    ///
    /// # Errors
    ///
    /// [`CryptoError::Rejected`] when it is not a key for `algorithm`, or one out of bounds (RSA has
    /// 2048 to 4096 bits).
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, CryptoError> {
        let pair = match algorithm {
            Algorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map(Pair::Ec)
            }
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(pkcs8).map(Pair::Ed),
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(pkcs8).map(|pair| Pair::Rsa(pair, &RSA_PKCS1_SHA256)),
            Algorithm::Ps256 => RsaKeyPair::from_pkcs8(pkcs8).map(|pair| Pair::Rsa(pair, &RSA_PSS_SHA256)),
        };
        let rejected = CryptoError::Rejected { algorithm };
        PrivateKey::of_pair(algorithm, pair.map_err(|_| rejected)?)
    }

    /// Reads an ES256 key in the older form of its own (RFC 5915, DER; `EC PRIVATE KEY` in PEM).
    ///
    /// # Errors
    ///
    /// [`CryptoError::Rejected`], also for a key on another curve than P-256.
    pub fn from_sec1(sec1: &[u8]) -> Result<Self, CryptoError> {
        let algorithm = Algorithm::Es256;
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, sec1);
        let pair = pair.map_err(|_| CryptoError::Rejected { algorithm })?;
        PrivateKey::of_pair(algorithm, Pair::Ec(pair))
    }

    /// Reads an RSA key in the older form of its own (RFC 8017 A.1.2, DER; `RSA PRIVATE KEY` in PEM).
    ///
    /// # Errors
    ///
    /// [`CryptoError::Rejected`], also for an algorithm that is not RSA's.
    pub fn from_pkcs1(algorithm: Algorithm, pkcs1: &[u8]) -> Result<Self, CryptoError> {
        let rejected = CryptoError::Rejected { algorithm };
        let encoding = match algorithm {
            Algorithm::Rs256 => &RSA_PKCS1_SHA256,
            Algorithm::Ps256 => &RSA_PSS_SHA256,
            Algorithm::Es256 | Algorithm::EdDsa => return Err(rejected),
        };
        let pair = RsaKeyPair::from_der(pkcs1).map_err(|_| rejected)?;
        PrivateKey::of_pair(algorithm, Pair::Rsa(pair, encoding))
    }

    fn of_pair(algorithm: Algorithm, pair: Pair) -> Result<Self, CryptoError> {
        let jwk = public_half(algorithm, &pair).ok_or(CryptoError::Rejected { algorithm })?;
        Ok(PrivateKey { jwk, pair })
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.jwk.algorithm()
    }

    /// Its RFC 7638 thumbprint.
    pub fn kid(&self) -> &KeyId {
        self.jwk.kid()
    }

    /// The public half, to publish.
    pub fn public_jwk(&self) -> Jwk {
        self.jwk.clone()
    }

    /// The public half, to verify with.
    pub fn public_key(&self) -> &PublicKey {
        self.jwk.public_key()
    }

    /// Signs `message` on this thread: 10 µs for ES256 and EdDSA, hundreds for RSA. Threads that do IO
    /// sign through a [`crate::Signer`].
    ///
    /// # Errors
    ///
    /// [`SignError::Crypto`] when the library fails.
    pub fn sign(&self, message: &[u8]) -> Result<SignatureBytes, SignError> {
        match &self.pair {
            Pair::Ec(pair) => {
                let signature = pair.sign(&LibraryRandom::new(), message).map_err(|_| SignError::Crypto)?;
                inline(signature.as_ref())
            }
            Pair::Ed(pair) => inline(pair.try_sign(message).map_err(|_| SignError::Crypto)?.as_ref()),
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &LibraryRandom::new(), message, &mut signature)
                    .map_err(|_| SignError::Crypto)?;
                Ok(SignatureBytes(Bytes::Heap(signature.into())))
            }
        }
    }

    /// A whole JWT, signed on this thread: for tools and tests.
    ///
    /// # Errors
    ///
    /// As [`PrivateKey::sign`].
    pub fn sign_compact(&self, typ: &str, claims_json: &[u8]) -> Result<String, SignError> {
        let prefix = CompactPrefix::new(self.algorithm(), self.kid(), typ);
        let input = compact_input(&prefix, claims_json);
        let signature = self.sign(&input)?;
        String::from_utf8(append_signature(input, signature.as_ref())).map_err(|_| SignError::Crypto)
    }
}

fn generate_pkcs8(algorithm: Algorithm) -> Result<Secret, aws_lc_rs::error::Unspecified> {
    let pkcs8 = match algorithm {
        Algorithm::Es256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
            pair.to_pkcs8v1()?.as_ref().to_vec()
        }
        Algorithm::EdDsa => Ed25519KeyPair::generate()?.to_pkcs8v1()?.as_ref().to_vec(),
        Algorithm::Rs256 | Algorithm::Ps256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
            AsDer::<Pkcs8V1Der<'_>>::as_der(&pair)?.as_ref().to_vec()
        }
    };
    Ok(Secret::from(pkcs8))
}

fn public_half(algorithm: Algorithm, pair: &Pair) -> Option<Jwk> {
    match pair {
        Pair::Ec(pair) => {
            // An uncompressed point (SEC 1 section 2.3.3): 4, then both coordinates.
            let coordinates = pair.public_key().as_ref().strip_prefix(&[4])?;
            let (x, y) = coordinates.split_at_checked(32)?;
            Jwk::ec(x, y).ok()
        }
        Pair::Ed(pair) => Jwk::okp(pair.public_key().as_ref()).ok(),
        Pair::Rsa(pair, _) => {
            let public = pair.public_key();
            let n = public.modulus().big_endian_without_leading_zero();
            let e = public.exponent().big_endian_without_leading_zero();
            Jwk::rsa(algorithm, n, e).ok()
        }
    }
}

fn inline(signature: &[u8]) -> Result<SignatureBytes, SignError> {
    let bytes = signature.try_into().map_err(|_| SignError::Crypto)?;
    Ok(SignatureBytes(Bytes::Inline(bytes)))
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({} {})", self.algorithm(), self.kid())
    }
}

/// A signature as RFC 7518 section 3 and RFC 8037 section 3.1 want it in a JWS: 64 bytes for ES256
/// (R and S, 32 each) and EdDSA, as many as the modulus for RSA.
pub struct SignatureBytes(Bytes);

enum Bytes {
    Inline([u8; 64]),
    Heap(Box<[u8]>),
}

impl AsRef<[u8]> for SignatureBytes {
    fn as_ref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Inline(bytes) => bytes,
            Bytes::Heap(bytes) => bytes,
        }
    }
}

/// A key could not be made or read. Blame: ours, or the operator's who configured the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The library could not make a key.
    #[error("the crypto library could not generate a key")]
    Generate,
    /// The document holds no such key.
    #[error("not a private key for {algorithm}, or one out of bounds (RSA: 2048 to 4096 bits)")]
    Rejected {
        /// What it was read for.
        algorithm: Algorithm,
    },
}

/// A signature could not be made. Blame: ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The library failed.
    #[error("the crypto library could not sign")]
    Crypto,
    /// The pool on which RSA signs is gone, because the runtime is stopping.
    #[error("the signing pool has stopped")]
    Stopped,
}
