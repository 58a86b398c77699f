//! What the crypto library needs to know of an algorithm beyond its name.

pub use procura_protocol::algorithm::{Algorithm, UnknownAlgorithm};

/// Bytes of a signature by a key of the size we generate. RSA keys that come from elsewhere may make
/// longer ones.
pub(crate) fn usual_signature_len(algorithm: Algorithm) -> usize {
    if algorithm.is_rsa() { 256 } else { 64 }
}
