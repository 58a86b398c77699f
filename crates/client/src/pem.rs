//! Private keys in PEM (RFC 7468), as files hold them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use procura_protocol::secret::Secret;
use zeroize::Zeroizing;

/// What a private key is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `PRIVATE KEY`: RFC 5958, any kind of key.
    Pkcs8,
    /// `EC PRIVATE KEY`: RFC 5915.
    Sec1,
    /// `RSA PRIVATE KEY`: RFC 8017.
    Pkcs1,
}

/// Why a text is not one private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InvalidPem {
    /// There is none, or more than one, or it can't be read.
    NotOne,
    /// It needs a passphrase.
    Encrypted,
}

/// The one private key of a text, in DER. Other things beside it (a curve's parameters, which openssl writes
/// before a key, or certificates) are passed over.
pub(crate) fn private_key(text: &Secret) -> Result<(Kind, Zeroizing<Vec<u8>>), InvalidPem> {
    let mut rest = text.expose_str().ok_or(InvalidPem::NotOne)?;
    let mut found = None;
    while let Some((label, body, after)) = next_block(rest) {
        rest = after;
        let kind = match label {
            "PRIVATE KEY" => Kind::Pkcs8,
            "EC PRIVATE KEY" => Kind::Sec1,
            "RSA PRIVATE KEY" => Kind::Pkcs1,
            "ENCRYPTED PRIVATE KEY" => return Err(InvalidPem::Encrypted),
            _ => continue,
        };
        // RFC 1421 4.6.1.1, in files that openssl of old has written.
        if body.contains("ENCRYPTED") {
            return Err(InvalidPem::Encrypted);
        }
        if found.is_some() {
            return Err(InvalidPem::NotOne);
        }
        found = Some((kind, der(body).ok_or(InvalidPem::NotOne)?));
    }
    found.ok_or(InvalidPem::NotOne)
}

/// Label and body of the first block, and what comes after it.
fn next_block(text: &str) -> Option<(&str, &str, &str)> {
    let (_, text) = text.split_once("-----BEGIN ")?;
    let (label, text) = text.split_once("-----")?;
    let (body, text) = text.split_once("-----END ")?;
    let after = text.strip_prefix(label)?.strip_prefix("-----")?;
    Some((label, body, after))
}

fn der(body: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut base64 = Zeroizing::new(Vec::with_capacity(body.len()));
    base64.extend(body.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    // One allocation of the right size, so that no part of the key stays behind in a smaller one.
    let mut der = Zeroizing::new(vec![0; base64.len() / 4 * 3]);
    let length = STANDARD.decode_slice(base64.as_slice(), &mut der).ok()?;
    der.truncate(length);
    Some(der)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Kind, Vec<u8>), InvalidPem> {
        private_key(&Secret::from(text.to_owned())).map(|(kind, der)| (kind, der.to_vec()))
    }

    fn block(label: &str, body: &str) -> String {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    #[test]
    fn each_form_of_a_key_is_told_by_its_label() {
        for (label, kind) in
            [("PRIVATE KEY", Kind::Pkcs8), ("EC PRIVATE KEY", Kind::Sec1), ("RSA PRIVATE KEY", Kind::Pkcs1)]
        {
            let lines = block(label, "YWJj\r\nZA==");
            assert_eq!(read(&lines), Ok((kind, b"abcd".to_vec())), "{label}");
            let among = format!(
                "a comment\n{}{lines}{}",
                block("EC PARAMETERS", "BggqhkjOPQMBBw=="),
                block("CERTIFICATE", "YWJj")
            );
            assert_eq!(read(&among), Ok((kind, b"abcd".to_vec())), "{label}");
        }
    }

    #[test]
    fn nothing_two_keys_and_broken_ones_are_refused() {
        let good = block("PRIVATE KEY", "YWJj");
        for bad in [
            "",
            "YWJj",
            &block("PUBLIC KEY", "YWJj"),
            &block("CERTIFICATE", "YWJj"),
            &block("PRIVATE KEY", "YWJ"),
            &block("PRIVATE KEY", "YW!j"),
            &format!("{good}{good}"),
            "-----BEGIN PRIVATE KEY-----\nYWJj\n-----END EC PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY-----\nYWJj\n",
        ] {
            assert_eq!(read(bad), Err(InvalidPem::NotOne), "{bad}");
        }
    }

    #[test]
    fn a_key_behind_a_passphrase_is_told_apart() {
        let old = block("EC PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nYWJj");
        for encrypted in [block("ENCRYPTED PRIVATE KEY", "YWJj"), old] {
            assert_eq!(read(&encrypted), Err(InvalidPem::Encrypted));
        }
    }
}
