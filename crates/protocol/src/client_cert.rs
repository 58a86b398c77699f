//! A caller's certificates as a proxy tells them: `Client-Cert` and `Client-Cert-Chain` (RFC 9440).
//!
//! Both are structured fields (RFC 8941): a byte sequence, and a list of byte sequences. The reader is
//! stricter than that grammar, because what it returns stands for a proof: parameters, which RFC 9440
//! defines none of, and base64 that is not written as an encoder writes it are refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Certificates that a chain may have. Five are a caller, three intermediates and a root that nobody needs.
pub const MAX_CERTIFICATES: usize = 5;

/// Bytes of DER that the certificates of a chain may have together.
pub const MAX_BYTES: usize = 16 * 1024;

/// Whether a chain is no longer than anyone's needs to be.
pub fn is_within_bounds(chain: &[impl AsRef<[u8]>]) -> bool {
    let bytes: usize = chain.iter().map(|certificate| certificate.as_ref().len()).sum();
    chain.len() <= MAX_CERTIFICATES && bytes <= MAX_BYTES
}

/// The certificates that a request tells, each as DER, the caller's own first: the values of its
/// `Client-Cert` fields and of its `Client-Cert-Chain` fields.
///
/// `None` when there is no `Client-Cert`, when either field is there twice, when one is malformed, and when
/// the chain exceeds [`MAX_CERTIFICATES`] or [`MAX_BYTES`]. Whether an entry is a certificate is not looked at.
pub fn read<'a>(
    certificate: impl IntoIterator<Item = &'a [u8]>,
    chain: impl IntoIterator<Item = &'a [u8]>,
) -> Option<Vec<Box<[u8]>>> {
    let own = only(certificate)?.ok()?;
    let mut certificates = vec![byte_sequence(own)?];
    match only(chain) {
        None => {}
        // A list without members (RFC 8941 4.2.1), as some proxies write it instead of no field.
        Some(Ok(list)) if trim(list).is_empty() => {}
        Some(Ok(list)) => {
            for member in list.split(|byte| *byte == b',') {
                if certificates.len() == MAX_CERTIFICATES {
                    return None;
                }
                certificates.push(byte_sequence(member)?);
            }
        }
        Some(Err(Doubled)) => return None,
    }
    is_within_bounds(&certificates).then_some(certificates)
}

/// A field is there more than once.
struct Doubled;

/// The one value; `None` without any.
fn only<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Option<Result<&'a [u8], Doubled>> {
    let mut values = values.into_iter();
    let first = values.next()?;
    Some(if values.next().is_some() { Err(Doubled) } else { Ok(first) })
}

/// RFC 8941 3.3.5, with white space around it (4.2).
fn byte_sequence(text: &[u8]) -> Option<Box<[u8]>> {
    let base64 = trim(text).strip_prefix(b":")?.strip_suffix(b":")?;
    if base64.is_empty() || base64.len() > MAX_BYTES.div_ceil(3) * 4 {
        return None;
    }
    STANDARD.decode(base64).ok().map(Vec::into_boxed_slice)
}

/// Without spaces and tabs at both ends.
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn told(certificate: &[&str], chain: &[&str]) -> Option<Vec<Vec<u8>>> {
        let read = read(
            certificate.iter().map(|value| value.as_bytes()),
            chain.iter().map(|value| value.as_bytes()),
        );
        read.map(|chain| chain.into_iter().map(Vec::from).collect())
    }

    fn field(certificate: &[u8]) -> String {
        format!(":{}:", STANDARD.encode(certificate))
    }

    #[test]
    fn the_callers_own_comes_first_and_the_chain_after_it() {
        for no_chain in [&[][..], &[""], &[" \t"]] {
            assert_eq!(told(&[":AQI=:"], no_chain), Some(vec![vec![1, 2]]), "{no_chain:?}");
        }
        assert_eq!(
            told(&[" :AQI=: "], &[":Aw==:, \t:BAUG:"]),
            Some(vec![vec![1, 2], vec![3], vec![4, 5, 6]])
        );
    }

    #[test]
    fn a_field_that_is_missing_or_there_twice_tells_nothing() {
        for (certificate, chain) in [
            (&[][..], &[][..]),
            (&[], &[":AQI=:"]),
            (&[":AQI=:", ":AQI=:"], &[]),
            (&[":AQI=:, :AQI=:"], &[]),
            (&[":AQI=:"], &[":Aw==:", ":Aw==:"]),
        ] {
            assert_eq!(told(certificate, chain), None, "{certificate:?} {chain:?}");
        }
    }

    #[test]
    fn what_no_encoder_writes_tells_nothing() {
        for empty in ["", " "] {
            assert_eq!(told(&[empty], &[]), None, "{empty:?}");
        }
        for bad in [
            ":",
            "::",
            ": :",
            "AQI=",
            ":AQI=",
            "AQI=:",
            ":AQI:",
            ":AQJ=:",
            ":AQI==:",
            ":A=QI:",
            ":AQ I=:",
            ":AQI=:;a=1",
            ":AQI=:;",
            ":AQI_:",
            "\"AQI=\"",
            "-----BEGIN CERTIFICATE-----",
            "%3AAQI=%3A",
            "::AQI=::",
            "\u{a0}:AQI=:",
        ] {
            assert_eq!(told(&[bad], &[]), None, "{bad:?}");
            assert_eq!(told(&[":AQI=:"], &[bad]), None, "{bad:?}");
        }
        for list in [":Aw==:,", ",:Aw==:", ":Aw==:,,:Aw==:", "(:Aw==:)"] {
            assert_eq!(told(&[":AQI=:"], &[list]), None, "{list:?}");
        }
    }

    #[test]
    fn a_chain_has_five_certificates_and_16_kib_at_most() {
        let list = |count: usize| vec![":Aw==:"; count].join(", ");
        assert_eq!(told(&[":AQI=:"], &[&list(4)]).map(|chain| chain.len()), Some(5));
        assert_eq!(told(&[":AQI=:"], &[&list(5)]), None);
        let (largest, rest) = (field(&vec![1; MAX_BYTES]), field(&[1]));
        assert!(told(&[&largest], &[]).is_some());
        assert_eq!(told(&[&largest], &[&rest]), None);
        assert_eq!(told(&[&field(&vec![1; MAX_BYTES + 1])], &[]), None);
    }

    proptest! {
        #[test]
        fn what_a_proxy_writes_is_read_back(chain in vec(vec(any::<u8>(), 1..60), 1..=MAX_CERTIFICATES)) {
            let list = chain[1..].iter().map(|other| field(other)).collect::<Vec<_>>().join(", ");
            let own = field(&chain[0]);
            let others = if chain.len() > 1 { vec![list.as_str()] } else { Vec::new() };
            prop_assert_eq!(told(&[&own], &others), Some(chain));
        }

        #[test]
        fn bytes_of_any_kind_never_panic(own in vec(any::<u8>(), 0..80), list in vec(any::<u8>(), 0..80)) {
            let chain = read([&own[..]], [&list[..]]);
            prop_assert!(chain.is_none_or(|chain| is_within_bounds(&chain)));
        }

        #[test]
        fn what_is_read_is_written_in_one_way_only(text in "[ :A-Za-z0-9+/=,;]{0,24}") {
            if let Some(chain) = told(&[&text], &[]) {
                prop_assert_eq!(field(&chain[0]), text.trim_matches(' '));
            }
        }
    }
}
