//! Digest, sign, verify and seal: the only crate that names the crypto library.
//!
//! Everything that needs a key or a hash comes here, and the rest of the workspace sees plain bytes,
//! [`Jwk`]s and clear errors. That keeps the choice of library (aws-lc-rs) in one place, and the code
//! that could get cryptography wrong small enough to read in an hour.
//!
//! * [`digest`]: SHA-256, HMAC, comparison in constant time.
//! * [`PrivateKey`] and [`Signer`]: keys parsed once and kept. Signing through [`Signer`] is async and
//!   can fail, so that a key may one day live in a PKCS#11 module or in a cloud's key service.
//! * [`CompactPrefix`] and [`compact_input`]: a JWT is written as bytes, with its header encoded once
//!   per key and type. Signing costs what the signature costs.
//! * `ring`: the keys that sign now and the set that is published, swapped as one when keys rotate.
//! * [`Jwk`], [`Jwks`], [`verify_jwt`]: public keys and the one way to look inside somebody's token.
//! * `VerifiedCache` (feature `cache`): what was read from tokens that verified, so that a token that is
//!   shown often is verified once. [`marks`]: the digests that kill them.
//! * [`verify_self_signed`]: a JWT that brings its key, for proofs of possession. [`replay`]: names that may be used
//!   once.
//! * [`seal`]: private keys at rest, bound to what they are for.
//! * [`random`]: randomness as an argument.
//!
//! # What it must never know
//!
//! Time, storage, HTTP, and what a claim means. [`verify_jwt`] says who signed and that nothing was
//! changed; whether the token has expired, and whom it is for, is judged by who asked. There is no
//! function that reads the claims of a token without verifying it, and there must not be one:
//! [`UnverifiedJwt`] shows who a token says to be from, so that their keys can be found, and no more.
//! No type of the crypto library appears in a public signature.
//!
//! # How to add the next thing
//!
//! * An **algorithm**: a variant of [`Algorithm`]; the compiler then shows every `match` that needs its
//!   arm (key parsing, JWK members and thumbprint, signature length). Add the vectors of its RFC to
//!   `tests/spec/vectors.rs`.
//! * A **place where keys live** (PKCS#11, KMS): a type that implements [`Signer`], finishing tokens
//!   with [`append_signature`].
//! * A **new thing to seal**: no code here; choose a [`seal::context`] that names its purpose first.
//!
//! # Features
//!
//! `tokio` (on by default) brings [`SigningKey`], which takes RSA signatures off the IO threads. Those
//! who only verify can do without. `cache` brings `VerifiedCache`.

pub mod base64url;
pub mod digest;
pub mod marks;
pub mod random;
pub mod replay;
#[cfg(feature = "tokio")]
pub mod ring;
pub mod seal;

mod algorithm;
mod compact;
mod jwk;
mod jwks;
mod key;
mod key_id;
mod members;
mod public_key;
mod self_signed;
mod signer;
mod unverified;
#[cfg(feature = "cache")]
mod verified_cache;
mod verify;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use compact::{CompactPrefix, append_signature, compact_input};
pub use jwk::{Jwk, JwkError};
pub use jwks::Jwks;
pub use key::{CryptoError, PrivateKey, SignError, SignatureBytes};
pub use key_id::{InvalidKeyId, KeyId};
pub use public_key::{BadSignature, PublicKey};
pub use random::{Random, SystemRandom};
pub use seal::{KeyEncryptionKey, SealError};
pub use self_signed::{SelfSignedError, SelfSignedJwt, verify_self_signed};
pub use signer::Signer;
#[cfg(feature = "tokio")]
pub use signer::{RsaPool, SigningKey};
pub use unverified::UnverifiedJwt;
#[cfg(feature = "cache")]
pub use verified_cache::{TokenDigest, VerifiedCache};
pub use verify::{Expect, JwtError, MAX_TOKEN_BYTES, Part, VerifiedJwt, verify_jwt};
