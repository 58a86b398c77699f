//! One public key as JSON.

use std::fmt;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize, Serializer};

use crate::digest::sha256;
use crate::{Algorithm, KeyId, PublicKey, base64url};

/// A public signature key as a JSON Web Key ([RFC 7517]), checked and parsed when it is read.
///
/// Written with `kty`, its public members, `use` = `sig`, `alg` and `kid`. What is read must have an
/// `alg` of ours (it may be missing where the type of the key leaves one choice), must be meant for
/// signatures, and must not hold private members. Without a `kid` it is named by its thumbprint.
///
/// [RFC 7517]: https://www.rfc-editor.org/rfc/rfc7517
#[derive(Clone, Deserialize)]
#[serde(try_from = "RawJwk")]
pub struct Jwk {
    kid: KeyId,
    members: Members,
    public_key: PublicKey,
}

/// The members that make the key, as base64url text (RFC 7518 section 6, RFC 8037 section 2).
#[derive(Clone, PartialEq, Eq)]
enum Members {
    Ec { x: Box<str>, y: Box<str> },
    Okp { x: Box<str> },
    Rsa { n: Box<str>, e: Box<str> },
}

impl Jwk {
    /// `kid`.
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// `alg`: the only algorithm this key verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.public_key.algorithm()
    }

    /// The key that verifies.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The thumbprint of [RFC 7638](https://www.rfc-editor.org/rfc/rfc7638); for our own keys it is
    /// the `kid`. It does not cover `alg`.
    pub fn thumbprint(&self) -> KeyId {
        self.members.thumbprint()
    }

    /// The bytes of that thumbprint.
    pub(crate) fn thumbprint_bytes(&self) -> [u8; 32] {
        sha256(self.required_json().as_bytes())
    }

    /// Its public members alone, in the order of RFC 7638 3.
    pub(crate) fn required_json(&self) -> String {
        self.members.required_json()
    }

    pub(crate) fn ec(x: &[u8], y: &[u8]) -> Result<Self, JwkError> {
        let public_key =
            PublicKey::es256(&coordinate(x, "x")?, &coordinate(y, "y")?).ok_or(JwkError::NotAKey)?;
        Ok(Self::named(
            Members::Ec { x: base64url::encode(x).into(), y: base64url::encode(y).into() },
            public_key,
        ))
    }

    pub(crate) fn okp(x: &[u8]) -> Result<Self, JwkError> {
        let public_key = PublicKey::ed25519(&coordinate(x, "x")?).ok_or(JwkError::NotAKey)?;
        Ok(Self::named(Members::Okp { x: base64url::encode(x).into() }, public_key))
    }

    pub(crate) fn rsa(algorithm: Algorithm, n: &[u8], e: &[u8]) -> Result<Self, JwkError> {
        check_rsa(n, e)?;
        let public_key = match algorithm {
            Algorithm::Rs256 => PublicKey::rs256(n, e),
            Algorithm::Ps256 => PublicKey::ps256(n, e),
            Algorithm::Es256 | Algorithm::EdDsa => return Err(JwkError::AlgorithmOfOtherType),
        };
        Ok(Self::named(
            Members::Rsa { n: base64url::encode(n).into(), e: base64url::encode(e).into() },
            public_key.ok_or(JwkError::NotAKey)?,
        ))
    }

    fn named(members: Members, public_key: PublicKey) -> Self {
        Jwk { kid: members.thumbprint(), members, public_key }
    }
}

impl Members {
    fn thumbprint(&self) -> KeyId {
        KeyId::thumbprint(&self.required_json())
    }

    /// What a thumbprint is of (RFC 7638 3). Base64url needs no escaping in JSON.
    fn required_json(&self) -> String {
        match self {
            Members::Ec { x, y } => format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#),
            Members::Okp { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#),
            Members::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
        }
    }
}

fn coordinate(bytes: &[u8], name: &'static str) -> Result<[u8; 32], JwkError> {
    bytes.try_into().map_err(|_| JwkError::Length { name })
}

/// RSA within bounds: large enough to be safe, small enough that verifying can't be made a burden, and
/// an exponent that nobody chose to be weak (FIPS 186-5 section A.1.1).
fn check_rsa(n: &[u8], e: &[u8]) -> Result<(), JwkError> {
    if n.first().is_none_or(|byte| *byte == 0) || e.first().is_none_or(|byte| *byte == 0) {
        return Err(JwkError::LeadingZero);
    }
    let bits = n.len() * 8 - n[0].leading_zeros() as usize;
    if !(2048..=4096).contains(&bits) {
        return Err(JwkError::RsaSize);
    }
    let small = e.len() <= 4;
    let exponent = e.iter().take(4).fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
    if small && exponent >= 65_537 && exponent % 2 == 1 { Ok(()) } else { Err(JwkError::RsaExponent) }
}

/// Why something is not a key we verify with. It holds nothing of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// `kty` and `crv` are none of EC P-256, OKP Ed25519, RSA.
    #[error("the key's type (kty, crv) is not supported: use EC with P-256, OKP with Ed25519, or RSA")]
    Type,
    /// `alg` is missing on an RSA key, or none of ours.
    #[error("the key's alg must be one of ES256, RS256, PS256, EdDSA")]
    Algorithm,
    /// `alg` can't be used with this `kty`.
    #[error("the key's alg does not belong to its kty")]
    AlgorithmOfOtherType,
    /// `use` or `key_ops` says that it is for something else.
    #[error("the key is not for verifying signatures (use, key_ops)")]
    Use,
    /// A private member is there. The key must be considered lost.
    #[error("the key holds private members: publish only its public part, and replace the key")]
    Private,
    /// A public member is missing.
    #[error("the key's member {name} is missing")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// A public member is not canonical base64url.
    #[error("the key's member {name} is not base64url without padding")]
    Encoding {
        /// Its name.
        name: &'static str,
    },
    /// A coordinate is not 32 bytes long.
    #[error("the key's member {name} must be 32 bytes")]
    Length {
        /// Its name.
        name: &'static str,
    },
    /// `n` or `e` is not in its shortest form (RFC 7518 section 2, Base64urlUInt).
    #[error("n and e of an RSA key must not be empty or begin with a zero byte")]
    LeadingZero,
    /// Too small to be safe or too large to be verified in a reasonable time.
    #[error("an RSA key must have 2048 to 4096 bits")]
    RsaSize,
    /// An exponent that nobody should use.
    #[error("the exponent (e) of an RSA key must be odd and between 65537 and 4294967295")]
    RsaExponent,
    /// The numbers are not a key, for instance not a point on the curve.
    #[error("the key's numbers are not a valid public key")]
    NotAKey,
    /// `kid` is empty or too long.
    #[error("a key id (kid) is 1 to 256 characters of printable ASCII")]
    KeyId,
}

/// The members of RFC 7517 section 4 and RFC 7518 section 6 as they come; unknown ones are ignored.
#[derive(Deserialize)]
pub(crate) struct RawJwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    d: Option<IgnoredAny>,
    p: Option<IgnoredAny>,
    q: Option<IgnoredAny>,
    dp: Option<IgnoredAny>,
    dq: Option<IgnoredAny>,
    qi: Option<IgnoredAny>,
    oth: Option<IgnoredAny>,
    k: Option<IgnoredAny>,
}

impl TryFrom<RawJwk> for Jwk {
    type Error = JwkError;

    fn try_from(raw: RawJwk) -> Result<Self, JwkError> {
        raw.check_purpose()?;
        let mut jwk = raw.key()?;
        if let Some(kid) = &raw.kid {
            jwk.kid = KeyId::parse(kid).map_err(|_| JwkError::KeyId)?;
        }
        Ok(jwk)
    }
}

impl RawJwk {
    /// The key, for this algorithm and no other: its own `alg` may be missing.
    pub(crate) fn read_for(mut self, algorithm: Algorithm) -> Result<Jwk, JwkError> {
        self.alg.get_or_insert_with(|| algorithm.as_str().to_owned());
        let key = Jwk::try_from(self)?;
        if key.algorithm() == algorithm { Ok(key) } else { Err(JwkError::AlgorithmOfOtherType) }
    }

    fn check_purpose(&self) -> Result<(), JwkError> {
        let private = [&self.d, &self.p, &self.q, &self.dp, &self.dq, &self.qi, &self.oth, &self.k];
        if private.into_iter().any(Option::is_some) {
            return Err(JwkError::Private);
        }
        let for_signatures = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        let for_verifying = self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if for_signatures && for_verifying { Ok(()) } else { Err(JwkError::Use) }
    }

    fn key(&self) -> Result<Jwk, JwkError> {
        let alg = match &self.alg {
            Some(name) => Some(name.parse::<Algorithm>().map_err(|_| JwkError::Algorithm)?),
            None => None,
        };
        let is_or_missing = |only: Algorithm| match alg {
            Some(other) if other != only => Err(JwkError::AlgorithmOfOtherType),
            _ => Ok(()),
        };
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => {
                is_or_missing(Algorithm::Es256)?;
                Jwk::ec(&number(&self.x, "x")?, &number(&self.y, "y")?)
            }
            ("OKP", Some("Ed25519")) => {
                is_or_missing(Algorithm::EdDsa)?;
                Jwk::okp(&number(&self.x, "x")?)
            }
            ("RSA", _) => {
                Jwk::rsa(alg.ok_or(JwkError::Algorithm)?, &number(&self.n, "n")?, &number(&self.e, "e")?)
            }
            _ => Err(JwkError::Type),
        }
    }
}

fn number(member: &Option<String>, name: &'static str) -> Result<Vec<u8>, JwkError> {
    let text = member.as_deref().ok_or(JwkError::Missing { name })?;
    base64url::decode(text).map_err(|_| JwkError::Encoding { name })
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            kty: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            crv: Option<&'static str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            x: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            y: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            n: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            e: Option<&'a str>,
            #[serde(rename = "use")]
            usage: &'static str,
            alg: Algorithm,
            kid: &'a KeyId,
        }

        let (kty, crv, x, y, n, e) = match &self.members {
            Members::Ec { x, y } => ("EC", Some("P-256"), Some(&**x), Some(&**y), None, None),
            Members::Okp { x } => ("OKP", Some("Ed25519"), Some(&**x), None, None, None),
            Members::Rsa { n, e } => ("RSA", None, None, None, Some(&**n), Some(&**e)),
        };
        let written = Written { kty, crv, x, y, n, e, usage: "sig", alg: self.algorithm(), kid: &self.kid };
        written.serialize(serializer)
    }
}

impl PartialEq for Jwk {
    fn eq(&self, other: &Self) -> bool {
        self.kid == other.kid && self.algorithm() == other.algorithm() && self.members == other.members
    }
}

impl Eq for Jwk {}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jwk({} {})", self.algorithm(), self.kid)
    }
}
