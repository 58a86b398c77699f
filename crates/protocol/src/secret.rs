//! A secret that can't be printed, compared with `==` or cloned; its hash can.

use std::fmt;

use zeroize::Zeroizing;

/// Bytes that must not reach a log. Wiped from memory when dropped.
///
/// ```compile_fail
/// let secret = procura_protocol::secret::Secret::from(String::from("s"));
/// let copy = secret.clone();
/// ```
///
/// ```compile_fail
/// let a = procura_protocol::secret::Secret::from(String::from("s"));
/// let b = procura_protocol::secret::Secret::from(String::from("s"));
/// let same = a == b;
/// ```
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Gives the bytes to the one place that needs them. Look for callers of this when reviewing.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text, where the secret is text.
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Secret(Zeroizing::new(bytes))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret(Zeroizing::new(text.into_bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_says_nothing() {
        let secret = Secret::from(String::from("pcs_hunter2"));
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert_eq!(secret.expose_str(), Some("pcs_hunter2"));
    }
}
