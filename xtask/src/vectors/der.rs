//! The little DER that the vectors need: private numbers out of PKCS#8, public keys as
//! SubjectPublicKeyInfo, and ES256 signatures as sequences.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// The private members of the JWK (RFC 7518 6.2.2 and 6.3.2, RFC 8037 2) of a PKCS#8 document (RFC 5208).
pub(super) fn private_members(pkcs8: &[u8]) -> Option<Vec<(&'static str, Vec<u8>)>> {
    let mut info = Reader(Reader(pkcs8).take(SEQUENCE)?);
    info.take(INTEGER)?;
    info.take(SEQUENCE)?;
    let key = info.take(OCTET_STRING)?;
    // Ed25519 wraps 32 bytes once more (RFC 8410 7).
    if let Some(seed) = Reader(key).take(OCTET_STRING) {
        return Some(vec![("d", seed.to_vec())]);
    }
    let mut key = Reader(Reader(key).take(SEQUENCE)?);
    // ECPrivateKey (RFC 5915 3) has version 1, RSAPrivateKey (RFC 8017 A.1.2) version 0.
    if key.take(INTEGER)? == [1] {
        return Some(vec![("d", key.take(OCTET_STRING)?.to_vec())]);
    }
    key.take(INTEGER)?;
    key.take(INTEGER)?;
    let mut members = Vec::new();
    for name in ["d", "p", "q", "dp", "dq", "qi"] {
        members.push((name, without_zeros(key.take(INTEGER)?).to_vec()));
    }
    Some(members)
}

/// SubjectPublicKeyInfo of a point of P-256 (RFC 5480 2).
pub(super) fn spki_of_point(x: &[u8], y: &[u8]) -> Vec<u8> {
    let algorithm = [
        0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
        0x3d, 0x03, 0x01, 0x07,
    ];
    spki(&algorithm, &[&[4], x, y].concat())
}

/// SubjectPublicKeyInfo of an RSA key (RFC 8017 A.1).
pub(super) fn spki_of_rsa(n: &[u8], e: &[u8]) -> Vec<u8> {
    let algorithm =
        [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    spki(&algorithm, &element(SEQUENCE, &[integer(n), integer(e)].concat()))
}

/// SubjectPublicKeyInfo of an Ed25519 key (RFC 8410 4).
pub(super) fn spki_of_ed25519(x: &[u8]) -> Vec<u8> {
    spki(&[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70], x)
}

fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let bits = element(0x03, &[&[0], key].concat());
    element(SEQUENCE, &[algorithm, &bits].concat())
}

/// PEM (RFC 7468) of a public key, with a line feed at its end.
pub(super) fn pem(spki: &[u8]) -> String {
    let mut out = "-----BEGIN PUBLIC KEY-----\n".to_owned();
    for (position, character) in STANDARD.encode(spki).chars().enumerate() {
        if position > 0 && position % 64 == 0 {
            out.push('\n');
        }
        out.push(character);
    }
    out + "\n-----END PUBLIC KEY-----\n"
}

/// An ES256 signature as RFC 3279 2.2.3 writes it.
pub(super) fn signature(r: &[u8], s: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[integer(r), integer(s)].concat())
}

fn integer(number: &[u8]) -> Vec<u8> {
    let number = without_zeros(number);
    let sign: &[u8] = if number.first().is_none_or(|byte| *byte >= 0x80) { &[0] } else { &[] };
    element(INTEGER, &[sign, number].concat())
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let length = match u8::try_from(length) {
        Ok(short) if short < 0x80 => vec![short],
        Ok(one) => vec![0x81, one],
        Err(_) => vec![0x82, (length >> 8) as u8, (length & 0xff) as u8],
    };
    [&[tag], length.as_slice(), content].concat()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The content of the next element, if it has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let rest = self.0.strip_prefix(&[tag])?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = if *first < 0x80 {
            (usize::from(*first), rest)
        } else {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte)), rest)
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_every_length_read_back() {
        for length in [0, 1, 127, 128, 255, 256, 5000] {
            let content = vec![7; length];
            let written = element(OCTET_STRING, &content);
            assert_eq!(Reader(&written).take(OCTET_STRING), Some(content.as_slice()), "{length}");
            assert_eq!(Reader(&written).take(INTEGER), None);
            assert_eq!(Reader(&written[..written.len() - 1]).take(OCTET_STRING), None);
        }
    }

    #[test]
    fn integers_are_short_and_never_negative() {
        assert_eq!(integer(&[0, 0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(integer(&[0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0, 0]), [2, 1, 0]);
    }
}
