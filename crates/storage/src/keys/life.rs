//! The life of a key, as decisions.
//!
//! *Announced*: in the JWKS, signs nothing, until every verifier has had time to fetch it. *Signing*.
//! *Retired*: verifies only, until the last token it signed has expired. Then gone. The first key of an
//! algorithm may sign at once: there is no older JWKS that it could be missing from. A successor is
//! announced as soon as a key begins to sign, so the JWKS always holds both.

use std::fmt;

use procura_protocol::algorithm::Algorithm;
use procura_protocol::time::UnixSeconds;
use procura_store::administration::{KeyPurpose, KeyRecord, KeyState};
use procura_store::mark::KEEP_BEYOND_EXPIRY;
use procura_store::records::KeyNo;

/// Least seconds that a key is announced before it signs.
pub const ANNOUNCED_AT_LEAST: i64 = 24 * 60 * 60;
/// `max-age` of the JWKS in seconds: how long a verifier may go without looking.
pub const JWKS_MAX_AGE: i64 = 300;

/// What an operator may set about keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySettings {
    /// Seconds that a key signs before its successor takes over.
    pub rotate_after: i64,
    /// Seconds that a verifier may keep the JWKS; a key is announced for at least as long.
    pub jwks_max_age: i64,
    /// Seconds that the longest-lived token may live.
    pub token_lifetime_max: i64,
}

impl KeySettings {
    /// Rotation after 90 days, the JWKS kept for [`JWKS_MAX_AGE`].
    pub const fn new(token_lifetime_max: i64) -> KeySettings {
        KeySettings { rotate_after: 90 * 24 * 60 * 60, jwks_max_age: JWKS_MAX_AGE, token_lifetime_max }
    }

    /// When an announced key may sign.
    pub fn may_sign_from(&self, key: &KeyRecord) -> UnixSeconds {
        key.announced_at.plus(self.jwks_max_age.max(ANNOUNCED_AT_LEAST))
    }

    /// When a signing key should give way.
    pub fn rotates_at(&self, key: &KeyRecord) -> UnixSeconds {
        key.signing_from.unwrap_or(key.announced_at).plus(self.rotate_after)
    }

    /// When the last token that a retired key signed has expired for sure.
    pub fn gone_from(&self, key: &KeyRecord) -> Option<UnixSeconds> {
        Some(key.retired_at?.plus(self.token_lifetime_max + KEEP_BEYOND_EXPIRY))
    }
}

/// Something to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Make the first key of an algorithm; it signs at once.
    Begin {
        /// Which.
        algorithm: Algorithm,
    },
    /// Make and announce a successor.
    Announce {
        /// Of the key that signs with it.
        algorithm: Algorithm,
    },
    /// Let an announced key sign, and announce the next.
    Promote {
        /// The announced key.
        key: KeyNo,
        /// What it signs with.
        algorithm: Algorithm,
    },
    /// Let a retired key go.
    LetGo {
        /// Which.
        key: KeyNo,
    },
}

/// What to do with the keys that sign tokens, now. `wanted` are the algorithms that registrations ask
/// for; keys that sign stay in rotation, asked for or not.
pub fn plan(keys: &[KeyRecord], now: UnixSeconds, settings: &KeySettings, wanted: &[Algorithm]) -> Vec<Step> {
    let over = |key: &&KeyRecord| settings.gone_from(key).is_some_and(|gone| now >= gone);
    let let_go = in_state(keys, KeyState::Retired).filter(over).map(|key| Step::LetGo { key: key.no });
    let turns = Algorithm::ALL.into_iter().filter_map(|algorithm| {
        let signing = find(keys, algorithm, KeyState::Signing);
        let announced = find(keys, algorithm, KeyState::Announced);
        match (signing, announced) {
            (None, None) => wanted.contains(&algorithm).then_some(Step::Begin { algorithm }),
            (Some(_), None) => Some(Step::Announce { algorithm }),
            // Nothing else could sign.
            (None, Some(announced)) => Some(Step::Promote { key: announced.no, algorithm }),
            (Some(signing), Some(announced)) => {
                let due = now >= settings.rotates_at(signing) && now >= settings.may_sign_from(announced);
                due.then_some(Step::Promote { key: announced.no, algorithm })
            }
        }
    });
    turns.chain(let_go).collect()
}

/// What a wish to rotate comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// The announced key may sign now.
    Ready(KeyNo),
    /// It would be too early.
    TooEarly(TooEarly),
    /// No key signs with that algorithm.
    NoKey,
}

/// Why a key is not rotated, and from when on it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooEarly {
    /// The announced key.
    pub kid: String,
    /// When it may sign.
    pub from: UnixSeconds,
}

impl fmt::Display for TooEarly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TooEarly { kid, from } = self;
        write!(
            f,
            "the next key {kid} may not sign before {from}: until then a verifier may hold a key set \
             without it. Rotate after that; if the key that signs now is compromised, revoke it with \
             --compromised"
        )
    }
}

/// Whether the key of an algorithm may be rotated now, due or not.
pub fn rotation(
    keys: &[KeyRecord],
    algorithm: Algorithm,
    now: UnixSeconds,
    settings: &KeySettings,
) -> Rotation {
    match find(keys, algorithm, KeyState::Announced) {
        None => Rotation::NoKey,
        Some(next) if now >= settings.may_sign_from(next) => Rotation::Ready(next.no),
        Some(next) => {
            Rotation::TooEarly(TooEarly { kid: next.kid.clone(), from: settings.may_sign_from(next) })
        }
    }
}

/// The algorithm for which taking this key out leaves a place that a new key must fill: of one that
/// signs or is announced.
pub fn successor_needed(key: &KeyRecord) -> Option<Algorithm> {
    matches!(key.state, KeyState::Signing | KeyState::Announced).then_some(key.algorithm)
}

fn find(keys: &[KeyRecord], algorithm: Algorithm, state: KeyState) -> Option<&KeyRecord> {
    in_state(keys, state).find(|key| key.algorithm == algorithm)
}

fn in_state(keys: &[KeyRecord], state: KeyState) -> impl Iterator<Item = &KeyRecord> {
    keys.iter().filter(move |key| key.purpose == KeyPurpose::Token && key.state == state)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
    const DAY: i64 = ANNOUNCED_AT_LEAST;
    const SETTINGS: KeySettings = KeySettings::new(3_600);
    const WANTED: &[Algorithm] = &[Algorithm::Es256];

    fn key(no: u32, state: KeyState, since: UnixSeconds) -> KeyRecord {
        KeyRecord {
            no: KeyNo(no),
            kid: format!("kid-{no}"),
            algorithm: Algorithm::Es256,
            purpose: KeyPurpose::Token,
            state,
            announced_at: since,
            signing_from: (state != KeyState::Announced).then_some(since),
            retired_at: (state == KeyState::Retired).then_some(since),
            gone_at: None,
            sealed: Some(Vec::new()),
            public_jwk: String::new(),
            endorsement: None,
        }
    }

    #[test]
    fn an_empty_installation_makes_one_key_that_signs_at_once_for_each_algorithm_asked_for() {
        assert_eq!(plan(&[], NOW, &SETTINGS, WANTED), [Step::Begin { algorithm: Algorithm::Es256 }]);
        assert_eq!(plan(&[], NOW, &SETTINGS, &[]), []);
        let wanted = [Algorithm::EdDsa, Algorithm::Es256];
        let keys = [key(1, KeyState::Signing, NOW), key(2, KeyState::Announced, NOW)];
        assert_eq!(plan(&keys, NOW, &SETTINGS, &wanted), [Step::Begin { algorithm: Algorithm::EdDsa }]);
    }

    #[test]
    fn a_successor_is_announced_as_soon_as_a_key_signs() {
        let keys = [key(1, KeyState::Signing, NOW)];
        assert_eq!(plan(&keys, NOW, &SETTINGS, WANTED), [Step::Announce { algorithm: Algorithm::Es256 }]);
    }

    #[test]
    fn a_key_gives_way_after_ninety_days_and_not_a_second_earlier() {
        let keys = [key(1, KeyState::Signing, NOW), key(2, KeyState::Announced, NOW)];
        let due = NOW.plus(90 * DAY);
        assert_eq!(plan(&keys, due.plus(-1), &SETTINGS, WANTED), []);
        let promote = Step::Promote { key: KeyNo(2), algorithm: Algorithm::Es256 };
        assert_eq!(plan(&keys, due, &SETTINGS, WANTED), [promote]);
    }

    #[test]
    fn a_key_announced_late_is_not_hurried() {
        let late = NOW.plus(90 * DAY);
        let keys = [key(1, KeyState::Signing, NOW), key(2, KeyState::Announced, late)];
        assert_eq!(plan(&keys, late.plus(DAY - 1), &SETTINGS, WANTED), []);
        assert_eq!(plan(&keys, late.plus(DAY), &SETTINGS, WANTED).len(), 1);
        let slow = KeySettings { jwks_max_age: 2 * DAY, ..SETTINGS };
        assert_eq!(plan(&keys, late.plus(DAY), &slow, WANTED), []);
    }

    #[test]
    fn a_retired_key_stays_until_its_last_token_has_expired() {
        let keys = [
            key(1, KeyState::Retired, NOW),
            key(2, KeyState::Signing, NOW),
            key(3, KeyState::Announced, NOW),
        ];
        assert_eq!(plan(&keys, NOW.plus(3_659), &SETTINGS, WANTED), []);
        assert_eq!(plan(&keys, NOW.plus(3_660), &SETTINGS, WANTED), [Step::LetGo { key: KeyNo(1) }]);
    }

    #[test]
    fn rotating_before_its_time_is_refused_with_the_time() {
        let keys = [key(1, KeyState::Signing, NOW), key(2, KeyState::Announced, NOW)];
        let Rotation::TooEarly(too_early) = rotation(&keys, Algorithm::Es256, NOW, &SETTINGS) else {
            panic!("a key that was announced a moment ago may not sign")
        };
        assert_eq!(too_early.from, NOW.plus(DAY));
        assert!(too_early.to_string().contains("2027-01-16T08:00:00Z"), "{too_early}");
        let ready = rotation(&keys, Algorithm::Es256, NOW.plus(DAY), &SETTINGS);
        assert_eq!(ready, Rotation::Ready(KeyNo(2)));
        assert_eq!(rotation(&keys, Algorithm::EdDsa, NOW, &SETTINGS), Rotation::NoKey);
    }

    #[test]
    fn journal_keys_are_left_alone() {
        let journal = KeyRecord { purpose: KeyPurpose::Journal, ..key(1, KeyState::Signing, NOW) };
        let keys = [journal, key(2, KeyState::Signing, NOW), key(3, KeyState::Announced, NOW)];
        assert_eq!(plan(&keys, NOW, &SETTINGS, &[]), []);
    }
}
