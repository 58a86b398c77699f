//! What an application signs to prove who it is, or to be granted a token for a contact (RFC 7523 3, RFC 7521
//! 5; contract, chapters 5 and 6).
//!
//! Reading is strict and so is judging, since one assertion must have one meaning. Whose signature it is and
//! whether it was used before are asked by who has the keys and remembers.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::coded;
use crate::time::UnixSeconds;

/// Longest assertion that is looked at, in bytes.
pub const MAX_ASSERTION_BYTES: usize = 8 * 1024;
/// Longest `jti`, in bytes.
pub const MAX_JTI_BYTES: usize = 256;
/// Seconds by which an application's clock may be ahead.
pub const AHEAD: i64 = 10;
/// The most that an installation may let an assertion live, in seconds.
pub const LONGEST_ASSERTION_LIFETIME: i64 = 3_600;

/// Seconds that an assertion may live which is a grant.
pub const GRANT_LIFETIME: i64 = 300;

/// The values of `typ` that a client assertion may have; it may have none. Anything else says that it was
/// signed for another purpose (RFC 8725 3.11).
pub const ASSERTION_TYPES: &[&str] = &["JWT", "client-authentication+jwt"];

coded! {
    /// Why an assertion proves nothing. Callers see one answer for all; this is for whoever looks after the
    /// server.
    AssertionFault {
        /// Longer than [`MAX_ASSERTION_BYTES`].
        TooLong = 1 "too_long",
        /// Not a JWT, or a part of it is not what RFC 7515 asks for.
        Malformed = 2 "malformed",
        /// `typ` says that it is for something else.
        Type = 3 "type",
        /// `crit` asks for something that is not known here.
        Critical = 4 "critical_header",
        /// `alg` is `none`, HMAC, unknown or not the one that is registered.
        Algorithm = 5 "algorithm",
        /// A claim is missing or of the wrong type.
        Claims = 6 "claims",
        /// `iss` names no application.
        UnknownApplication = 7 "unknown_application",
        /// The application is disabled.
        DisabledApplication = 8 "disabled_application",
        /// The application is not registered for `private_key_jwt`.
        NotRegistered = 9 "not_registered",
        /// `client_id` beside it names another application.
        OtherApplication = 10 "other_client_id",
        /// No key of the application comes into question.
        UnknownKey = 11 "unknown_key",
        /// The key is for another algorithm.
        KeyAlgorithm = 12 "algorithm_not_the_keys",
        /// The application's keys could not be fetched, and none are known.
        KeysNotFetched = 13 "keys_not_fetched",
        /// No key of the application signed it.
        Signature = 14 "signature",
        /// `sub` is not `iss`; or it is, and the assertion should have been a grant.
        Subject = 15 "subject",
        /// `aud` is not the one that is registered.
        Audience = 16 "audience",
        /// `exp` is over.
        Expired = 17 "expired",
        /// `exp` is further ahead than an assertion may live.
        ExpiresTooLate = 18 "expires_too_late",
        /// `iat` or `nbf` is further ahead than clocks are apart.
        NotYet = 19 "not_yet_valid",
        /// `iat` is longer ago than an assertion may live.
        TooOld = 20 "too_old",
        /// `jti` is empty or longer than [`MAX_JTI_BYTES`].
        Id = 21 "jti",
        /// It was used before.
        Replayed = 22 "replayed",
    }
}

/// The claims of an assertion whose signature holds; others are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ClientAssertion {
    /// `iss`: the application.
    #[serde(rename = "iss")]
    pub issuer: Box<str>,
    /// `sub`: the application again, or of a grant the contact.
    #[serde(rename = "sub")]
    pub subject: Box<str>,
    /// `aud`: for whom it is. A list is refused, even with one name in it: who is named beside this server
    /// could use the assertion here.
    #[serde(rename = "aud")]
    pub audience: Box<str>,
    /// `exp`: the first second in which it proves nothing any more.
    #[serde(rename = "exp", deserialize_with = "date")]
    pub expires_at: UnixSeconds,
    /// `iat`, if it is there.
    #[serde(rename = "iat", default, deserialize_with = "date_if_there")]
    pub issued_at: Option<UnixSeconds>,
    /// `nbf`, if it is there.
    #[serde(rename = "nbf", default, deserialize_with = "date_if_there")]
    pub not_before: Option<UnixSeconds>,
    /// `jti`: its name, which is used once.
    #[serde(rename = "jti")]
    pub id: Box<str>,
}

/// What an assertion is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It proves who asks: `sub` is the application itself.
    Authentication,
    /// It is a grant (RFC 7523 2.1): `sub` is whom the application wants to act for, and never the application.
    Grant,
}

/// What an assertion is held against.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// What it is for.
    pub purpose: Purpose,
    /// The application that it must be of.
    pub application: &'a str,
    /// The one audience that it may have.
    pub audience: &'a str,
    /// Now.
    pub now: UnixSeconds,
    /// How many seconds an assertion may live.
    pub lifetime: i64,
}

impl ClientAssertion {
    /// Whether it proves the application to this server now.
    ///
    /// # Errors
    ///
    /// The first [`AssertionFault`], in the order in which they are listed there.
    pub fn check(&self, terms: &Terms<'_>) -> Result<(), AssertionFault> {
        let Terms { purpose, application, audience, now, lifetime } = *terms;
        let subject_fits = (*self.subject == *application) == (purpose == Purpose::Authentication);
        let at_most = |end: i64| now.plus(end);
        let in_order = [
            (AssertionFault::Subject, *self.issuer == *application && subject_fits),
            (AssertionFault::Audience, *self.audience == *audience),
            (AssertionFault::Expired, now < self.expires_at),
            // A clock that is ahead counts its own minutes from there.
            (AssertionFault::ExpiresTooLate, self.expires_at <= at_most(lifetime.saturating_add(AHEAD))),
            (AssertionFault::NotYet, self.issued_at.is_none_or(|at| at <= at_most(AHEAD))),
            (AssertionFault::NotYet, self.not_before.is_none_or(|at| at <= at_most(AHEAD))),
            (AssertionFault::TooOld, self.issued_at.is_none_or(|at| at_most(-lifetime) <= at)),
            (AssertionFault::Id, (1..=MAX_JTI_BYTES).contains(&self.id.len())),
        ];
        in_order.into_iter().find(|(_, holds)| !holds).map_or(Ok(()), |(fault, _)| Err(fault))
    }
}

/// A NumericDate (RFC 7519 2): a number, which may have a fraction.
struct Date;

impl Visitor<'_> for Date {
    type Value = UnixSeconds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds since 1970")
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<UnixSeconds, E> {
        Ok(UnixSeconds(seconds))
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<UnixSeconds, E> {
        let whole =
            i64::try_from(seconds).map_err(|_| E::invalid_value(Unexpected::Unsigned(seconds), &self));
        whole.map(UnixSeconds)
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<UnixSeconds, E> {
        // Every date that anybody means is far within what both kinds of number hold exactly.
        const MOST: f64 = 1e12;
        if seconds.abs() < MOST {
            Ok(UnixSeconds(seconds.floor() as i64))
        } else {
            Err(E::invalid_value(Unexpected::Float(seconds), &self))
        }
    }
}

pub(crate) fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixSeconds, D::Error> {
    deserializer.deserialize_any(Date)
}

/// One that is there must be a date: `null` is none.
fn date_if_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UnixSeconds>, D::Error> {
    date(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn claims() -> Value {
        json!({
            "iss": "app_1", "sub": "app_1", "aud": "https://procura.example", "exp": NOW.0 + 60,
            "iat": NOW.0, "nbf": NOW.0, "jti": "once", "other": [],
        })
    }

    fn read(claims: &Value) -> Option<ClientAssertion> {
        serde_json::from_str(&claims.to_string()).ok()
    }

    fn judged(name: &str, value: impl Into<Value>) -> Result<(), AssertionFault> {
        judged_as(Purpose::Authentication, name, value)
    }

    fn judged_as(purpose: Purpose, name: &str, value: impl Into<Value>) -> Result<(), AssertionFault> {
        let mut claims = claims();
        claims[name] = value.into();
        let terms = Terms {
            purpose,
            application: "app_1",
            audience: "https://procura.example",
            now: NOW,
            lifetime: 300,
        };
        read(&claims).unwrap().check(&terms)
    }

    #[test]
    fn an_assertion_for_this_server_holds() {
        assert_eq!(judged("other", 1), Ok(()));
    }

    #[test]
    fn what_is_not_for_this_server_or_not_of_this_application_does_not() {
        assert_eq!(judged("iss", "app_2"), Err(AssertionFault::Subject));
        assert_eq!(judged("sub", "app_2"), Err(AssertionFault::Subject));
        for other in ["https://procura.example/", "https://other.example", ""] {
            assert_eq!(judged("aud", other), Err(AssertionFault::Audience), "{other}");
        }
    }

    #[test]
    fn a_grant_is_about_somebody_else_than_who_signed_it() {
        assert_eq!(judged_as(Purpose::Grant, "sub", "CON1"), Ok(()));
        assert_eq!(judged_as(Purpose::Grant, "sub", "app_1"), Err(AssertionFault::Subject));
        assert_eq!(judged_as(Purpose::Grant, "iss", "app_2"), Err(AssertionFault::Subject));
    }

    #[test]
    fn its_times_have_exact_bounds() {
        for (name, ahead, expected) in [
            ("exp", 0, Err(AssertionFault::Expired)),
            ("exp", 1, Ok(())),
            ("exp", 310, Ok(())),
            ("exp", 311, Err(AssertionFault::ExpiresTooLate)),
            ("iat", 10, Ok(())),
            ("iat", 11, Err(AssertionFault::NotYet)),
            ("iat", -300, Ok(())),
            ("iat", -301, Err(AssertionFault::TooOld)),
            ("nbf", 10, Ok(())),
            ("nbf", 60, Err(AssertionFault::NotYet)),
            ("nbf", -100_000, Ok(())),
        ] {
            assert_eq!(judged(name, NOW.0 + ahead), expected, "{name} {ahead}");
        }
    }

    #[test]
    fn its_name_has_a_length() {
        assert_eq!(judged("jti", ""), Err(AssertionFault::Id));
        assert_eq!(judged("jti", "x".repeat(256)), Ok(()));
        assert_eq!(judged("jti", "x".repeat(257)), Err(AssertionFault::Id));
    }

    #[test]
    fn a_claim_that_is_missing_or_of_another_type_is_not_read() {
        for name in ["iss", "sub", "aud", "exp", "jti"] {
            let mut without = claims();
            without.as_object_mut().unwrap().remove(name);
            assert_eq!(read(&without), None, "{name}");
        }
        for name in ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"] {
            for wrong in [json!(null), json!(true), json!(["https://procura.example"]), json!({})] {
                let mut wronged = claims();
                wronged[name] = wrong.clone();
                assert_eq!(read(&wronged), None, "{name}: {wrong}");
            }
        }
        for (name, wrong) in [("iss", json!(1)), ("jti", json!(7)), ("exp", json!("1800000060"))] {
            let mut wronged = claims();
            wronged[name] = wrong;
            assert_eq!(read(&wronged), None, "{name}");
        }
    }

    #[test]
    fn a_date_may_have_a_fraction_and_must_be_one() {
        let mut with = claims();
        with["exp"] = json!(1_800_000_060.9);
        assert_eq!(read(&with).unwrap().expires_at, UnixSeconds(1_800_000_060));
        for far in [json!(1e300), json!(-1e300), json!(u64::MAX)] {
            with["exp"] = far;
            assert_eq!(read(&with), None);
        }
    }

    #[test]
    fn what_may_be_left_out_is() {
        let mut without = claims();
        for name in ["iat", "nbf", "other"] {
            without.as_object_mut().unwrap().remove(name);
        }
        let read = read(&without).unwrap();
        assert_eq!((read.issued_at, read.not_before), (None, None));
    }
}
