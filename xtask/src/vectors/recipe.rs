//! How a token is made, in words that every language can follow.

use procura_jose::base64url;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::case::{AUDIENCE, ISSUER, NOW};
use super::keys::Keys;

/// How one token is made.
#[derive(Debug, Clone)]
pub(super) enum Recipe {
    /// The text itself.
    Raw(String),
    /// Header, claims and signature.
    Made(Box<Made>),
}

#[derive(Debug, Clone)]
pub(super) struct Made {
    /// Whose private key signs.
    pub(super) key: &'static str,
    pub(super) header: Part,
    pub(super) claims: Part,
    /// What is signed, where it is not what is shown: header and claims.
    pub(super) signed: Option<(Value, Value)>,
    pub(super) signature: Signature,
    /// How a part is written, where not as base64url without padding; header and claims are signed so.
    pub(super) written: Vec<(PartName, Writing)>,
    /// What is done to the finished text, in order.
    pub(super) then: Vec<Edit>,
}

#[derive(Debug, Clone)]
pub(super) enum Part {
    Json(Value),
    Text(String),
    Bytes(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PartName {
    Header,
    Claims,
    Signature,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Writing {
    /// Base64url with `=` at its end.
    Padded,
    /// `+` and `/`, as in ordinary base64, without padding.
    Standard,
    /// The bits of the last character that mean nothing are ones.
    SpareBits,
}

/// The third part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Signature {
    /// By the key, with its own algorithm.
    Own,
    /// By the key's numbers, with another algorithm for keys of its type.
    By(&'static str),
    /// HMAC with SHA-256 under bytes that everybody knows.
    Hmac(KnownBytes),
    /// These bytes (base64url).
    Bytes(String),
    /// The key's own, turned into another shape.
    Turned(Turn),
}

/// Bytes that everybody knows of the recipe's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KnownBytes {
    /// No bytes.
    Nothing,
    /// SubjectPublicKeyInfo, PEM with a line feed at its end.
    SpkiPem,
    /// The same without the last line feed.
    SpkiPemWithoutLineFeed,
    /// SubjectPublicKeyInfo, DER.
    SpkiDer,
    /// The public JWK as it stands in the set, compact, members in alphabetical order.
    Jwk,
    /// The `kid`.
    Kid,
    /// `x` of an elliptic key or `n` of an RSA key, decoded.
    FirstNumber,
    /// The same, its base64url text.
    FirstNumberText,
    /// 4, `x` and `y`.
    Point,
}

/// Another shape of a right signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Turn {
    /// ES256: as a DER sequence of two integers.
    Der,
    /// ES256: S before R.
    Swapped,
    /// ES256: R is zero.
    ZeroR,
    /// ES256: S is zero.
    ZeroS,
    /// ES256: the order of the group minus S, which verifies as well.
    NegatedS,
    /// `EdDSA`: S plus the order of the group, which RFC 8032 5.1.7 refuses.
    RaisedS,
    /// A zero byte before it.
    LedByZero,
    /// A zero byte after it.
    TrailedByZero,
    /// Its last byte is missing.
    Short,
    /// The lowest bit of its last byte is another.
    OneBit,
}

/// A change of the finished text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Edit {
    /// Only so many characters of a part stay.
    Keep(PartName, usize),
    /// A text is put into a part, behind so many of its characters.
    Insert(PartName, usize, &'static str),
    /// Another text stands in a part's place.
    Replace(PartName, String),
    /// Only so many parts stay.
    Parts(usize),
    Prepend(&'static str),
    Append(&'static str),
}

impl Recipe {
    /// The token that everything is allowed to that a case does not change.
    pub(super) fn valid(keys: &Keys) -> Self {
        let claims = json!({
            "iss": ISSUER, "sub": "CON2002", "aud": AUDIENCE,
            "iat": NOW - 14, "exp": NOW - 14 + 3600,
            "jti": "xIdfcn1bGJvASnwdEzp18A",
            "client_id": "app_partner1", "scope": "openid",
            "act": { "sub": "app_partner1" }, "acr": "urn:procura:acr:unattended", "dv": 63,
            "mandates": [
                { "clients": ["CLI1001", "CLI1003"], "permissions": ["can_manage_payments", "can_trade"] },
                { "clients": ["CLI1002"], "permissions": [] },
            ],
        });
        Self::of_claims(keys, claims)
    }

    /// A token of somebody who signed in.
    pub(super) fn person(keys: &Keys) -> Self {
        Self::valid(keys).without("act").without("acr").claim("auth_time", NOW - 600)
    }

    /// A token of an application alone.
    pub(super) fn application(keys: &Keys) -> Self {
        Self::of_claims(
            keys,
            json!({
                "iss": ISSUER, "sub": "app_partner1", "aud": AUDIENCE,
                "iat": NOW - 14, "exp": NOW - 14 + 3600, "jti": "pWlT0Zt2m9cQe7rVbYk4Ug",
                "client_id": "app_partner1", "scope": "openid", "dv": 63,
            }),
        )
    }

    /// These claims and no others, by the ES256 key.
    pub(super) fn of_claims(keys: &Keys, claims: Value) -> Self {
        Recipe::Made(Box::new(Made {
            key: "es256",
            header: Part::Json(json!({ "alg": "ES256", "kid": keys.kid("es256"), "typ": "at+jwt" })),
            claims: Part::Json(claims),
            signed: None,
            signature: Signature::Own,
            written: Vec::new(),
            then: Vec::new(),
        }))
    }

    pub(super) fn raw(text: impl Into<String>) -> Self {
        Recipe::Raw(text.into())
    }

    fn change(mut self, change: impl FnOnce(&mut Made)) -> Self {
        if let Recipe::Made(made) = &mut self {
            change(made);
        }
        self
    }

    pub(super) fn claim(self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        self.change(|made| set(&mut made.claims, name, value))
    }

    pub(super) fn without(self, name: &str) -> Self {
        self.change(|made| unset(&mut made.claims, name))
    }

    pub(super) fn header(self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        self.change(|made| set(&mut made.header, name, value))
    }

    pub(super) fn without_header(self, name: &str) -> Self {
        self.change(|made| unset(&mut made.header, name))
    }

    /// The claims as text, as they stand now, through `edit`.
    pub(super) fn edit_claims(self, edit: impl FnOnce(String) -> String) -> Self {
        self.change(|made| made.claims = Part::Text(edit(made.claims.text())))
    }

    /// The header as text, as it stands now, through `edit`.
    pub(super) fn edit_header(self, edit: impl FnOnce(String) -> String) -> Self {
        self.change(|made| made.header = Part::Text(edit(made.header.text())))
    }

    pub(super) fn claims_bytes(self, bytes: Vec<u8>) -> Self {
        self.change(|made| made.claims = Part::Bytes(bytes))
    }

    /// Another private key signs; the header stays.
    pub(super) fn key(self, key: &'static str) -> Self {
        self.change(|made| made.key = key)
    }

    /// Another key signs, and the header says so.
    pub(super) fn signed_by(self, keys: &Keys, key: &'static str) -> Self {
        self.key(key).header("alg", keys.algorithm(key)).header("kid", keys.kid(key))
    }

    /// The claims and the header that are signed stay as they are now; what is shown may change.
    pub(super) fn seal(self) -> Self {
        self.change(|made| {
            if let (Part::Json(header), Part::Json(claims)) = (&made.header, &made.claims) {
                made.signed = Some((header.clone(), claims.clone()));
            }
        })
    }

    pub(super) fn signature(self, signature: Signature) -> Self {
        self.change(|made| made.signature = signature)
    }

    pub(super) fn written(self, part: PartName, writing: Writing) -> Self {
        self.change(|made| made.written.push((part, writing)))
    }

    pub(super) fn then(self, edit: Edit) -> Self {
        self.change(|made| made.then.push(edit))
    }

    /// As it stands in the file.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Recipe::Raw(text) => json!({ "raw": text }),
            Recipe::Made(made) => made.to_json(),
        }
    }
}

impl Made {
    fn to_json(&self) -> Value {
        let mut out = Map::new();
        let mut put = |name: &str, value| out.insert(name.to_owned(), value);
        put("key", json!(self.key));
        for (name, part) in [("header", &self.header), ("claims", &self.claims)] {
            match part {
                Part::Json(value) => put(name, value.clone()),
                Part::Text(text) => put(&format!("raw_{name}"), json!(text)),
                Part::Bytes(bytes) => put(&format!("{name}_base64url"), json!(base64url::encode(bytes))),
            };
        }
        if let Some((header, claims)) = &self.signed {
            put("signed", json!({ "header": header, "claims": claims }));
        }
        if self.signature != Signature::Own {
            put("signature", json!(self.signature));
        }
        if !self.written.is_empty() {
            put("written", json!(self.written));
        }
        if !self.then.is_empty() {
            put("then", json!(self.then));
        }
        Value::Object(out)
    }
}

impl Serialize for Recipe {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl Part {
    /// The part's text; of bytes, as much as is text.
    fn text(&self) -> String {
        match self {
            Part::Json(value) => value.to_string(),
            Part::Text(text) => text.clone(),
            Part::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Part::Bytes(bytes) => bytes.clone(),
            Part::Json(_) | Part::Text(_) => self.text().into_bytes(),
        }
    }
}

fn set(part: &mut Part, name: &str, value: Value) {
    if let Part::Json(Value::Object(members)) = part {
        members.insert(name.to_owned(), value);
    }
}

fn unset(part: &mut Part, name: &str) {
    if let Part::Json(Value::Object(members)) = part {
        members.remove(name);
    }
}
