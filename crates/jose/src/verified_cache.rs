//! What was read from tokens that verified, by the digest of their text.

use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::digest::sha256;

/// A SHA-256 of a whole token: header, claims and signature. Another signature over the same claims is
/// another token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The digest of a token's text.
    pub fn of(token: &str) -> TokenDigest {
        TokenDigest(sha256(token.as_bytes()))
    }

    /// Its bytes: what a proof of possession for this token names (`ath`, RFC 9449 4.2).
    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }
}

impl std::hash::Hash for TokenDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

/// A bounded map from tokens to what was read from them. A clone of `V` is given out: make it an `Arc`.
///
/// Only who has verified a token may put it in: then a stranger can fill nothing, and whoever has valid
/// tokens can at most push out others, which are then verified again. Looking up, putting in and pushing
/// out cost the same whatever is in it. What is found says that the signature held when it was put in,
/// and nothing else: expiry, marks, keys, audience and binding are judged again at every use.
pub struct VerifiedCache<V> {
    entries: Cache<TokenDigest, Weighed<V>, ByBytes, BuildHasherDefault<FirstBytes>>,
}

#[derive(Clone)]
struct Weighed<V> {
    value: V,
    bytes: u32,
}

/// An entry counts for at least this much, so that a bound on bytes bounds the number too.
const LEAST_BYTES: u32 = 512;

impl<V: Clone> VerifiedCache<V> {
    /// At most about `bytes` bytes, and never more than a 512th as many entries.
    pub fn new(bytes: usize) -> VerifiedCache<V> {
        let entries = (bytes / LEAST_BYTES as usize).max(1);
        VerifiedCache {
            entries: Cache::with(
                entries,
                bytes as u64,
                ByBytes,
                BuildHasherDefault::default(),
                Default::default(),
            ),
        }
    }

    /// What was read from this token, if it is still here.
    pub fn get(&self, token: &TokenDigest) -> Option<V> {
        self.entries.get(token).map(|found| found.value)
    }

    /// Keeps what was read from a token that verified; it takes about `bytes` bytes.
    pub fn insert(&self, token: TokenDigest, value: V, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).max(LEAST_BYTES);
        self.entries.insert(token, Weighed { value, bytes });
    }

    /// How many tokens are in it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<V> fmt::Debug for VerifiedCache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifiedCache(..)")
    }
}

#[derive(Clone)]
struct ByBytes;

impl<V> Weighter<TokenDigest, Weighed<V>> for ByBytes {
    fn weight(&self, _: &TokenDigest, entry: &Weighed<V>) -> u64 {
        entry.bytes.into()
    }
}

/// A digest is as good as random: eight of its bytes are a hash already.
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        for (at, byte) in bytes.iter().take(8).enumerate() {
            self.0 |= u64::from(*byte) << (8 * at);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn digest(no: usize) -> TokenDigest {
        TokenDigest::of(&no.to_string())
    }

    #[test]
    fn a_token_is_found_by_its_whole_text_and_by_nothing_else() {
        let cache = VerifiedCache::new(100_000);
        let token = TokenDigest::of("a.b.c");
        cache.insert(token, Arc::new("claims"), 10);
        assert_eq!(cache.get(&token).as_deref(), Some(&"claims"));
        assert!(cache.get(&TokenDigest::of("a.b.d")).is_none());
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn entries_and_bytes_are_bounded() {
        let small = VerifiedCache::new(100 * LEAST_BYTES as usize);
        for no in 0..10_000 {
            small.insert(digest(no), no, 1);
        }
        assert!((50..=100).contains(&small.len()), "{}", small.len());
        let large = VerifiedCache::new(1_000_000);
        for no in 0..1_000 {
            large.insert(digest(no), no, 20_000);
        }
        assert!((25..=50).contains(&large.len()), "{}", large.len());
    }

    #[test]
    fn what_is_larger_than_the_cache_is_not_kept_and_harms_nothing() {
        let cache = VerifiedCache::new(10_000);
        cache.insert(digest(0), 0, 100);
        cache.insert(digest(1), 1, 1_000_000);
        assert!(cache.get(&digest(1)).is_none());
        assert_eq!(cache.get(&digest(0)), Some(0));
    }
}
