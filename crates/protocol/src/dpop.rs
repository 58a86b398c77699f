//! A proof of possession (RFC 9449 4): a JWT that the caller signs for one request, with a key that it brings.
//!
//! What a proof says is judged here; whose key signed it, and whether it was used before, are asked by who can
//! verify and remember.

use serde::{Deserialize, Deserializer};

use crate::algorithm::Algorithm;
use crate::coded;
use crate::confirmation::KeyThumbprint;
use crate::target_uri::TargetUri;
use crate::time::UnixSeconds;

/// The request header with the proof, as it is looked for: names have no case.
pub const DPOP_HEADER: &str = "dpop";

/// The response header with the nonce that the next proof must hold (RFC 9449 8.1).
pub const DPOP_NONCE_HEADER: &str = "dpop-nonce";

/// `typ` of a proof (RFC 9449 4.2).
pub const DPOP_TYPE: &str = "dpop+jwt";

/// What proofs may be signed with. RS256 is for what was registered before there was better.
pub const DPOP_ALGORITHMS: [Algorithm; 3] = [Algorithm::Es256, Algorithm::Ps256, Algorithm::EdDsa];

/// Longest proof that is looked at, in bytes.
pub const MAX_PROOF_BYTES: usize = 8 * 1024;

/// Longest `jti`, in bytes.
pub const MAX_JTI_BYTES: usize = 256;

/// Longest `nonce` that is compared, in bytes.
pub const MAX_NONCE_BYTES: usize = 256;

/// How many seconds old a proof may be.
pub const WINDOW: i64 = 60;

/// Seconds by which the caller's clock may be ahead.
pub const AHEAD: i64 = 10;

coded! {
    /// Why a proof proves nothing.
    DpopFault {
        /// There must be one, and none came.
        Missing = 1 "missing",
        /// There is more than one `DPoP` header.
        Repeated = 2 "repeated",
        /// Longer than [`MAX_PROOF_BYTES`].
        TooLong = 3 "too_long",
        /// Not a JWT, or a part of it is not what RFC 7515 asks for.
        Malformed = 4 "malformed",
        /// `typ` is not [`DPOP_TYPE`].
        Type = 5 "type",
        /// `crit` asks for something that is not known here.
        Critical = 6 "critical_header",
        /// `alg` is none of ES256, PS256 and EdDSA.
        Algorithm = 7 "algorithm",
        /// `jwk` is missing, no public key for `alg`, or holds private members.
        Key = 8 "jwk",
        /// The key did not sign it.
        Signature = 9 "signature",
        /// A claim is missing or of the wrong type.
        Claims = 10 "claims",
        /// `htm` is another method.
        Method = 11 "htm",
        /// `htu` is another URL.
        Target = 12 "htu",
        /// `iat` is longer ago than [`WINDOW`].
        TooOld = 13 "too_old",
        /// `iat` is further ahead than [`AHEAD`].
        NotYet = 14 "not_yet_valid",
        /// `jti` is empty or longer than [`MAX_JTI_BYTES`].
        Id = 15 "jti",
        /// `ath` is missing or of another token.
        Token = 16 "ath",
        /// It was used before.
        Replayed = 17 "replayed",
        /// There must be a nonce of ours in it: there is none, or one that is over.
        Nonce = 18 "nonce",
        /// The token is bound to another key.
        OtherKey = 19 "other_key",
    }
}

impl DpopFault {
    /// What a caller may be told; completes "the DPoP proof ...".
    pub const fn what_is_wrong(self) -> &'static str {
        match self {
            DpopFault::Missing => "is missing: send it in the DPoP header",
            DpopFault::Repeated => "must come in one DPoP header",
            DpopFault::TooLong => "is longer than 8192 bytes",
            DpopFault::Malformed => "is not a JWT",
            DpopFault::Type => "must have the typ dpop+jwt",
            DpopFault::Critical => "has crit, and no extension is supported",
            DpopFault::Algorithm => "must be signed with ES256, PS256 or EdDSA",
            DpopFault::Key => "must bring its public key in jwk, one for its alg and without private members",
            DpopFault::Signature => "is not signed by the key in its jwk",
            DpopFault::Claims => "must have jti, htm, htu and iat",
            DpopFault::Method => "has the htm of another method",
            DpopFault::Target => "has the htu of another URL",
            DpopFault::TooOld => "is too old: make one for each request, by a clock that is right",
            DpopFault::NotYet => "is of the future: make it by a clock that is right",
            DpopFault::Id => "must have a jti of 1 to 256 bytes",
            DpopFault::Token => "must have ath, the digest of this access token",
            DpopFault::Replayed => "was used before: make one for each request",
            DpopFault::Nonce => "must have the nonce of the DPoP-Nonce header",
            DpopFault::OtherKey => "is of another key than the one that the token is bound to",
        }
    }
}

/// The claims of a proof whose signature holds; others are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DpopClaims {
    /// `jti`: its name, which is used once.
    #[serde(rename = "jti")]
    pub id: Box<str>,
    /// `htm`: the method of the request.
    #[serde(rename = "htm")]
    pub method: Box<str>,
    /// `htu`: the URL of the request; its query and fragment say nothing.
    #[serde(rename = "htu")]
    pub target: Box<str>,
    /// `iat`: when it was made.
    #[serde(rename = "iat", deserialize_with = "crate::client_assertion::date")]
    pub issued_at: UnixSeconds,
    /// `ath`: base64url of the SHA-256 of the access token that comes with it.
    #[serde(rename = "ath", default, deserialize_with = "text_if_there")]
    pub token: Option<Box<str>>,
    /// `nonce`: what a server gave it.
    #[serde(default, deserialize_with = "text_if_there")]
    pub nonce: Option<Box<str>>,
}

/// What a proof is held against.
#[derive(Debug, Clone, Copy)]
pub struct DpopTerms<'a> {
    /// The method of the request, by its name.
    pub method: &'a str,
    /// The URLs that the request may have been sent to; one of them is enough.
    pub targets: &'a [TargetUri],
    /// Now.
    pub now: UnixSeconds,
    /// SHA-256 of the access token that comes with it, at a resource.
    pub token: Option<[u8; 32]>,
}

impl DpopClaims {
    /// Whether it is made for this request, now. Nonce and replay are not asked here.
    ///
    /// # Errors
    ///
    /// The first [`DpopFault`], in the order in which they are listed there.
    pub fn check(&self, terms: &DpopTerms<'_>) -> Result<(), DpopFault> {
        let in_order = [
            (DpopFault::Method, *self.method == *terms.method),
            (DpopFault::Target, TargetUri::any_is(terms.targets, &self.target)),
            (DpopFault::TooOld, terms.now.plus(-WINDOW) <= self.issued_at),
            (DpopFault::NotYet, self.issued_at <= terms.now.plus(AHEAD)),
            (DpopFault::Id, (1..=MAX_JTI_BYTES).contains(&self.id.len())),
            (DpopFault::Token, terms.token.is_none_or(|token| self.is_for_token(token))),
        ];
        in_order.into_iter().find(|(_, holds)| !holds).map_or(Ok(()), |(fault, _)| Err(fault))
    }

    /// The first second in which it would be too old, whatever it says beside.
    pub fn ends_at(&self) -> UnixSeconds {
        self.issued_at.plus(WINDOW + 1)
    }

    /// No secret is compared: whoever has the token knows its digest.
    fn is_for_token(&self, digest: [u8; 32]) -> bool {
        // A digest has the same text whatever it is of.
        self.token.as_deref().is_some_and(|text| KeyThumbprint::parse(text) == Ok(KeyThumbprint(digest)))
    }
}

/// One that is there must be text: `null` is none.
fn text_if_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<str>>, D::Error> {
    Box::<str>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn claims() -> Value {
        json!({
            "jti": "once", "htm": "POST", "htu": "https://procura.example/token", "iat": NOW.0,
            "ath": KeyThumbprint([7; 32]).to_string(), "other": [],
        })
    }

    fn judged(name: &str, value: impl Into<Value>) -> Result<(), DpopFault> {
        let mut claims = claims();
        claims[name] = value.into();
        let claims: DpopClaims = serde_json::from_str(&claims.to_string()).unwrap();
        let targets = [TargetUri::parse("https://procura.example/token").unwrap()];
        claims.check(&DpopTerms { method: "POST", targets: &targets, now: NOW, token: Some([7; 32]) })
    }

    #[test]
    fn a_proof_for_this_request_holds() {
        assert_eq!(judged("other", 1), Ok(()));
        assert_eq!(judged("htu", "https://procura.example/token?a=b#c"), Ok(()));
        assert_eq!(judged("htu", "HTTPS://Procura.example:443/token"), Ok(()));
        assert_eq!(judged("nonce", "anything"), Ok(()));
    }

    #[test]
    fn one_for_another_request_does_not() {
        for (name, value, fault) in [
            ("htm", "GET", DpopFault::Method),
            ("htm", "post", DpopFault::Method),
            ("htu", "https://procura.example/token/", DpopFault::Target),
            ("htu", "https://procura.example/token/CON1", DpopFault::Target),
            ("htu", "http://procura.example/token", DpopFault::Target),
            ("htu", "https://other.example/token", DpopFault::Target),
            ("htu", "/token", DpopFault::Target),
            ("htu", "", DpopFault::Target),
            ("jti", "", DpopFault::Id),
            ("ath", "", DpopFault::Token),
        ] {
            assert_eq!(judged(name, value), Err(fault), "{name} {value}");
        }
        assert_eq!(judged("ath", KeyThumbprint([8; 32]).to_string()), Err(DpopFault::Token));
        assert_eq!(judged("jti", "x".repeat(257)), Err(DpopFault::Id));
    }

    #[test]
    fn its_time_has_exact_bounds() {
        for (ahead, expected) in [
            (-61, Err(DpopFault::TooOld)),
            (-60, Ok(())),
            (0, Ok(())),
            (10, Ok(())),
            (11, Err(DpopFault::NotYet)),
            (3_600, Err(DpopFault::NotYet)),
        ] {
            assert_eq!(judged("iat", NOW.0 + ahead), expected, "{ahead}");
        }
        let claims: DpopClaims = serde_json::from_value(claims()).unwrap();
        assert_eq!(claims.ends_at(), NOW.plus(61));
    }

    #[test]
    fn a_claim_that_is_missing_or_of_another_type_is_not_read() {
        for name in ["jti", "htm", "htu", "iat"] {
            let mut without = claims();
            without.as_object_mut().unwrap().remove(name);
            assert!(serde_json::from_value::<DpopClaims>(without).is_err(), "{name}");
        }
        for name in ["jti", "htm", "htu", "iat", "ath", "nonce"] {
            for wrong in [json!(null), json!(true), json!([]), json!({})] {
                let mut wronged = claims();
                wronged[name] = wrong.clone();
                assert!(serde_json::from_value::<DpopClaims>(wronged).is_err(), "{name}: {wrong}");
            }
        }
    }

    #[test]
    fn what_is_wrong_can_stand_in_a_header() {
        for fault in DpopFault::ALL {
            assert!(crate::error::is_description(fault.what_is_wrong()), "{fault}");
        }
    }
}
