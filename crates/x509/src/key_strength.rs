//! Which public keys are taken.

use x509_cert::SubjectPublicKeyInfo;
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier, UintRef};
use x509_cert::der::{Decode, Error};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ELLIPTIC_CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// P-256, P-384, P-521.
const CURVES: [ObjectIdentifier; 3] = [
    ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
    ObjectIdentifier::new_unwrap("1.3.132.0.34"),
    ObjectIdentifier::new_unwrap("1.3.132.0.35"),
];

/// Whether the key is of a kind that is taken, and long enough.
pub(crate) fn is_enough(key: &SubjectPublicKeyInfo) -> bool {
    let algorithm = &key.algorithm;
    if algorithm.oid == RSA {
        let bits = key.subject_public_key.as_bytes().and_then(rsa_bits);
        return bits.is_some_and(|bits| (2_048..=8_192).contains(&bits));
    }
    if algorithm.oid == ELLIPTIC_CURVE {
        let curve =
            algorithm.parameters.as_ref().and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok());
        return curve.is_some_and(|curve| CURVES.contains(&curve));
    }
    algorithm.oid == ED25519
}

/// The length of the modulus (RFC 8017 A.1.1).
fn rsa_bits(der: &[u8]) -> Option<usize> {
    let key = AnyRef::from_der(der).ok()?;
    let modulus = key.sequence(|fields| -> Result<UintRef<'_>, Error> {
        let modulus = UintRef::decode(fields)?;
        UintRef::decode(fields)?;
        Ok(modulus)
    });
    let bytes = modulus.ok()?.as_bytes();
    let first = *bytes.first()?;
    Some(bytes.len() * 8 - first.leading_zeros() as usize)
}
