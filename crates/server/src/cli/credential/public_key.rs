//! A public key out of a file: a JWK, or the PEM that other tools write (RFC 5280 4.1.2.7, RFC 7468 13).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use procura_jose::Jwk;
use serde_json::{Value, json};
use thiserror::Error;

/// Why a file holds no key that can be registered. It repeats nothing of the file.
#[derive(Debug, Error)]
pub(in crate::cli) enum InvalidKey {
    #[error(
        "it holds a private key, which nobody but the application should have: give the public half, which \
         `openssl pkey -in FILE -pubout` writes"
    )]
    Private,
    #[error("it is a certificate: `application certificate add` registers one, and a key is taken alone")]
    Certificate,
    #[error("it is a set of keys: give one of them, or let the application publish the set at its jwks_uri")]
    Set,
    #[error("{0}")]
    Jwk(serde_json::Error),
    #[error("it is neither a JWK nor one public key in PEM (BEGIN PUBLIC KEY)")]
    Unknown,
    #[error("its key is none of EC P-256, Ed25519 and RSA")]
    Type,
}

/// Reads the one key that the file holds.
pub(in crate::cli) fn read(file: &[u8]) -> Result<Jwk, InvalidKey> {
    let text = std::str::from_utf8(file).map_err(|_| InvalidKey::Unknown)?.trim();
    if text.starts_with('{') {
        return of_json(text);
    }
    if text.contains("PRIVATE KEY-----") {
        return Err(InvalidKey::Private);
    }
    if text.contains("-----BEGIN CERTIFICATE-----") {
        return Err(InvalidKey::Certificate);
    }
    let base64 = text
        .strip_prefix("-----BEGIN PUBLIC KEY-----")
        .and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----"))
        .ok_or(InvalidKey::Unknown)?;
    let base64: String = base64.split_ascii_whitespace().collect();
    let der = STANDARD.decode(base64).map_err(|_| InvalidKey::Unknown)?;
    let jwk = of_der(&der).ok_or(InvalidKey::Type)?;
    serde_json::from_value(jwk).map_err(InvalidKey::Jwk)
}

fn of_json(text: &str) -> Result<Jwk, InvalidKey> {
    let value: Value = serde_json::from_str(text).map_err(InvalidKey::Jwk)?;
    if value.get("keys").is_some() {
        return Err(InvalidKey::Set);
    }
    // From the text again: a member that stands there twice is an error, where a map keeps the last.
    serde_json::from_str(text).map_err(InvalidKey::Jwk)
}

/// What a SubjectPublicKeyInfo of an uncompressed point of P-256 begins with (RFC 5480 2.1.1).
const P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
/// And one of Ed25519 (RFC 8410 4).
const ED25519: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// The algorithm of a SubjectPublicKeyInfo of RSA: rsaEncryption and NULL (RFC 3279 2.3.1).
const RSA: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// The members of the key. That the numbers are a key is looked at by who reads them as a JWK.
fn of_der(der: &[u8]) -> Option<Value> {
    let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    if let Some((x, y)) =
        der.strip_prefix(P256).filter(|point| point.len() == 64).map(|point| point.split_at(32))
    {
        return Some(json!({ "kty": "EC", "crv": "P-256", "x": number(x), "y": number(y) }));
    }
    if let Some(x) = der.strip_prefix(ED25519).filter(|x| x.len() == 32) {
        return Some(json!({ "kty": "OKP", "crv": "Ed25519", "x": number(x) }));
    }
    let (info, []) = element(der, 0x30)? else { return None };
    let (bits, []) = element(info.strip_prefix(RSA)?, 0x03)? else { return None };
    let (key, []) = element(bits.strip_prefix(&[0])?, 0x30)? else { return None };
    let (n, rest) = element(key, 0x02)?;
    let (e, []) = element(rest, 0x02)? else { return None };
    let unsigned = |bytes: &[u8]| number(bytes.strip_prefix(&[0]).unwrap_or(bytes));
    Some(json!({ "kty": "RSA", "alg": "PS256", "n": unsigned(n), "e": unsigned(e) }))
}

/// The content of the DER element at the beginning, which must have that tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?])), rest.get(2..)?),
        _ => return None,
    };
    (found == tag).then(|| rest.split_at_checked(length)).flatten()
}

// Written by another program.
#[cfg(test)]
pub(super) const RSA_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1xgX9jHucpNiTV6IwMXZ\n\
    /A/WK83x9WzZxiY846n522DBVMZokvGOczVr3Xbpkm+4ATZIqZQrg5siHqOVAH/A\n\
    ZXmOx8Mya+E5qIErc4FgqTPBj38/aYf4JKdyDk05gInXoPepYzshSIZle+D91y5M\n\
    XA6f3audrnmp2O4sFmhH7Ax3zV6w2XB4i1KU76QnLYpMGPObgNpBwU9TENtnkAoF\n\
    2V4hi3UphaPGaNyOrA1096oo/WpnqFrRStax1mmfxKhvz9O5EBeFHcBfblurZ8GX\n\
    Oorvd5x6YfeN39alDswKvKYpHphQaQwMZckw/nAPst1b0Ue39w0IFN8GjSvR0sSe\n\
    wQIDAQAB\n\
    -----END PUBLIC KEY-----\n";

#[cfg(test)]
mod tests {
    use procura_protocol::algorithm::Algorithm;

    use super::*;

    // Written by another program, as were the thumbprints.
    const EC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEoQV6g29Q83ZTM3d8rR0Eu5Ot4mhx\n\
        1+M12pmLn7ONOh3lWOhV7bKWtKXBTvMcPmclboN3HAm92PtRs35hwyeVOg==\n\
        -----END PUBLIC KEY-----\n";
    const ED25519_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAgalpZgNvKEFh+JUMypQIbfBbwfsZNzQTrPoteAfpgJ8=\n\
        -----END PUBLIC KEY-----\n";
    const P384: &str = "-----BEGIN PUBLIC KEY-----\n\
        MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEsvmsAsk+Kk7XS33+bFL33VPbmljq97uX\n\
        zivK4jxsHsfy33WJOzRY7As0Io1Of0lDOjFdgoJ33WDKHd3SuXQiyDYIuX+KZP5u\n\
        0uC71+HZMVGi+JNrhB2x7JnEgZabgAPL\n\
        -----END PUBLIC KEY-----\n";

    #[test]
    fn pem_of_each_kind_is_the_key_that_it_is() {
        for (pem, algorithm, thumbprint) in [
            (EC, Algorithm::Es256, "jlUY4xp2Tl7zXaRXyGAGAlrIbPEQaGLTdwOHBQUnuN8"),
            (ED25519_KEY, Algorithm::EdDsa, "EGVSYEkpg3scv6Fq9wo_2gwCG8dF8PbRhUR0Vn0m3TQ"),
            (RSA_KEY, Algorithm::Ps256, "XS3NcapHonTPRJNOk4LQMt9cf2RdkqpiMQC5rgV3X-8"),
        ] {
            let jwk = read(pem.as_bytes()).unwrap();
            assert_eq!((jwk.algorithm(), jwk.kid().as_str()), (algorithm, thumbprint));
        }
    }

    #[test]
    fn a_jwk_keeps_its_name() {
        let text = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"erp-1"}"#;
        assert_eq!(read(text.as_bytes()).unwrap().kid().as_str(), "erp-1");
    }

    #[test]
    fn what_is_no_public_key_is_told_without_repeating_it() {
        let private = EC.replace("PUBLIC", "PRIVATE");
        let cut = EC.replace("1+M12pmL", "");
        let two = format!("{EC}{EC}");
        let certificate = EC.replace("PUBLIC KEY", "CERTIFICATE");
        for (file, told) in [
            (private.as_str(), "private key"),
            (certificate.as_str(), "certificate"),
            (two.as_str(), "neither"),
            (cut.as_str(), "none of EC P-256"),
            (P384, "none of EC P-256"),
            (r#"{"keys":[]}"#, "set of keys"),
            (r#"{"kty":"oct","k":"c2VjcmV0LXNlY3JldA"}"#, "private members"),
            (r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#, "32 bytes"),
            ("hello", "neither"),
            ("", "neither"),
        ] {
            let problem = read(file.as_bytes()).unwrap_err().to_string();
            assert!(problem.contains(told), "{problem}");
            assert!(!problem.contains("c2Vj") && !problem.contains("MFkw"), "{problem}");
        }
    }

    #[test]
    fn whatever_is_cut_off_or_put_behind_is_no_key() {
        for pem in [EC, ED25519_KEY, RSA_KEY] {
            let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
            let der = STANDARD.decode(base64).unwrap();
            assert!(of_der(&der).is_some());
            for end in 0..der.len() {
                assert!(of_der(&der[..end]).is_none(), "{end} of {}", der.len());
            }
            assert!(of_der(&[&der[..], &[0]].concat()).is_none());
        }
    }
}
