//! Base64url without padding ([RFC 7515 section 2]), canonical in both directions.
//!
//! [RFC 7515 section 2]: https://www.rfc-editor.org/rfc/rfc7515#section-2

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The text of `bytes`.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Characters that [`encode`] makes of `len` bytes.
pub const fn encoded_len(len: usize) -> usize {
    len / 3 * 4 + (len % 3 * 4).div_ceil(3)
}

/// Adds the text of `bytes` to `out`, without a buffer in between.
pub fn encode_into(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + encoded_len(bytes.len()), 0);
    let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut out[start..]);
    debug_assert_eq!(written, Ok(out.len() - start));
}

/// The bytes of `text`.
///
/// # Errors
///
/// [`NotBase64Url`] for padding, another alphabet, white space, and for a last character whose unused
/// bits are not zero: each sequence of bytes has exactly one text.
pub fn decode(text: &str) -> Result<Vec<u8>, NotBase64Url> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| NotBase64Url)
}

/// The text is not canonical base64url without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not base64url without padding")]
pub struct NotBase64Url;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7515_appendix_c_reads_both_ways() {
        assert_eq!(encode(&[3, 236, 255, 224, 193]), "A-z_4ME");
        assert_eq!(decode("A-z_4ME"), Ok(vec![3, 236, 255, 224, 193]));
    }

    #[test]
    fn padding_other_alphabets_spaces_and_loose_bits_are_refused() {
        for text in ["A-z_4ME=", "A+z/4ME", "A-z_ 4ME", "A-z_4ME\n", "A-z_4MF", "A", "AB", "é"] {
            assert_eq!(decode(text), Err(NotBase64Url), "{text:?}");
        }
    }

    #[test]
    fn lengths_are_right_and_text_is_added_at_the_end() {
        for len in 0..100 {
            let mut out = b"before.".to_vec();
            encode_into(&vec![0xa5; len], &mut out);
            assert_eq!(out, format!("before.{}", encode(&vec![0xa5; len])).into_bytes());
        }
    }
}
