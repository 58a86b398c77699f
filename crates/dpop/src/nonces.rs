//! Nonces that nobody keeps a list of (RFC 9449 8).

use procura_jose::base64url;
use procura_jose::digest::{constant_time_eq, hmac_sha256};
use procura_protocol::time::UnixSeconds;

/// Seconds for which one nonce is given out. It is taken for as long again.
const PERIOD: i64 = 150;

/// What nonces are made with. A nonce is an HMAC of the time at which it was given out, so it says that a proof
/// was made after that, by somebody who asked this process.
pub(crate) struct Nonces([u8; 32]);

impl Nonces {
    /// `key` is random, and of this process alone.
    pub(crate) fn new(key: [u8; 32]) -> Nonces {
        Nonces(key)
    }

    /// The nonce of now.
    pub(crate) fn now(&self, now: UnixSeconds) -> String {
        base64url::encode(&self.of(now.0.div_euclid(PERIOD)))
    }

    /// Whether it was given out within this period or the one before.
    pub(crate) fn are_ours(&self, nonce: &str, now: UnixSeconds) -> bool {
        let period = now.0.div_euclid(PERIOD);
        let Ok(bytes) = base64url::decode(nonce) else { return false };
        [period, period - 1].into_iter().any(|period| constant_time_eq(&bytes, &self.of(period)))
    }

    fn of(&self, period: i64) -> [u8; 16] {
        let whole = hmac_sha256(&self.0, &period.to_be_bytes());
        std::array::from_fn(|at| whole[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    #[test]
    fn a_nonce_is_taken_for_at_least_a_period_and_at_most_two() {
        let nonces = Nonces::new([1; 32]);
        let given = nonces.now(NOW);
        for (later, taken) in [(0, true), (PERIOD, true), (2 * PERIOD, false), (-PERIOD, false)] {
            assert_eq!(nonces.are_ours(&given, NOW.plus(later)), taken, "{later}");
        }
    }

    #[test]
    fn nobody_elses_is() {
        let nonces = Nonces::new([1; 32]);
        let other = Nonces::new([2; 32]).now(NOW);
        let own = nonces.now(NOW);
        for text in [&other, "", "AAAA", &own[1..], &format!("{own}A"), "not base64url!"] {
            assert!(!nonces.are_ours(text, NOW), "{text}");
        }
    }
}
