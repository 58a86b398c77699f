//! The answer to a request for a contact token, as the seed page describes it.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use procura_protocol::secret::Secret;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// What trusted authentication returns (contract, chapter 1): the way to act for one contact.
///
/// # What is required
///
/// The description of the API marks none of the four fields as required, and this type keeps its
/// word: each is an `Option`, so that any answer the description allows can be read, kept and written
/// again. Whoever *asks* for a token gets more: [`crate::parse_token_response`], and with it every
/// call of this crate, refuses an answer without `access_token` or `token_type`, which RFC 6749 5.1
/// requires and without which nothing can be called. Without `expires_in` a token is not kept, and
/// without `id_token` there is nothing to verify; Procura itself always sends all four.
///
/// # Forms
///
/// Reads the wire's `access_token` and the description's `accessToken`, each member once; reads
/// `expires_in` as a string (`"3600"`, what this endpoint sends) and as a number (what RFC 6749 says);
/// ignores members it does not know. Writes the description's form: `accessToken`, `expiresIn` as a
/// string, `idToken`, `tokenType`, and leaves out what is absent.
///
/// ```
/// use procura_client::PostTokenForContactResponse;
///
/// let wire = r#"{"access_token":"a.b.c","expires_in":"3600","id_token":"d.e.f","token_type":"Bearer"}"#;
/// let response: PostTokenForContactResponse = serde_json::from_str(wire)?;
/// assert_eq!(
///     serde_json::to_string(&response)?,
///     r#"{"accessToken":"a.b.c","expiresIn":"3600","idToken":"d.e.f","tokenType":"Bearer"}"#,
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Secrets
///
/// The tokens can't be printed, compared or cloned by accident, and their text is wiped when dropped (not
/// the buffers of a transport or of TLS that it came through). Share the response in an
/// [`Arc`](std::sync::Arc). To serialise it is the deliberate act that shows the tokens.
///
/// ```compile_fail,E0599
/// let response = procura_client::PostTokenForContactResponse::default();
/// let copy = response.clone();
/// ```
///
/// ```compile_fail,E0277
/// let response = procura_client::PostTokenForContactResponse::default();
/// println!("{}", response.access_token.unwrap());
/// ```
///
/// ```compile_fail,E0369
/// # use procura_client::PostTokenForContactResponse;
/// let (a, b) = (PostTokenForContactResponse::default(), PostTokenForContactResponse::default());
/// assert!(a.access_token == b.access_token);
/// ```
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct PostTokenForContactResponse {
    /// `accessToken`: the OAuth access token that calls the API. A JWT of up to 7,000 bytes.
    #[serde(
        rename = "accessToken",
        alias = "access_token",
        skip_serializing_if = "Option::is_none",
        default
    )]
    pub access_token: Option<Token>,

    /// `expiresIn`: how long the tokens live, counted from the answer, in whole seconds. An hour, or
    /// less where a mandate or a trust ends earlier.
    #[serde(
        rename = "expiresIn",
        alias = "expires_in",
        skip_serializing_if = "Option::is_none",
        default,
        serialize_with = "write_seconds",
        deserialize_with = "read_seconds"
    )]
    pub expires_in: Option<Duration>,

    /// `idToken`: a signed JWT that proves on whose authority the request was allowed. Its `clients`
    /// name the companies the contact may act for; most API calls want one of their ids as
    /// `client_id`. [`crate::Procura::verify_id_token`] checks and reads it.
    #[serde(rename = "idToken", alias = "id_token", skip_serializing_if = "Option::is_none", default)]
    pub id_token: Option<Token>,

    /// `tokenType`: the scheme of the `Authorization` header to call the API with.
    #[serde(rename = "tokenType", alias = "token_type", skip_serializing_if = "Option::is_none", default)]
    pub token_type: Option<TokenType>,
}

impl PostTokenForContactResponse {
    /// The `Authorization` header for a call to the API, marked sensitive so that `http` does not print
    /// it. With a [`TokenType::DPoP`] each call needs a proof beside it ([`crate::Procura::prove_for_resource`]). `None` when the access token or its type is absent, or the token can't stand in a header.
    pub fn authorization(&self) -> Option<HeaderValue> {
        let (token, kind) = (self.access_token.as_ref()?, self.token_type?);
        let text = zeroize::Zeroizing::new(format!("{} {}", kind.as_str(), token.expose()));
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// The scheme of the `Authorization` header that a token goes with.
#[doc(alias = "PostTokenForContactResponseTokenType")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum TokenType {
    /// RFC 6750; also of tokens that are bound to a certificate alone (RFC 8705 3).
    Bearer,
    /// RFC 9449: with each call goes a proof of the key that the token is bound to.
    DPoP,
}

impl TokenType {
    /// The scheme's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            TokenType::Bearer => "Bearer",
            TokenType::DPoP => "DPoP",
        }
    }
}

impl fmt::Display for TokenType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TokenType {
    /// Any case is the same type (RFC 6749 5.1).
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = TokenType;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the token type \"Bearer\" or \"DPoP\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TokenType, E> {
                [TokenType::Bearer, TokenType::DPoP]
                    .into_iter()
                    .find(|known| text.eq_ignore_ascii_case(known.as_str()))
                    .ok_or_else(|| E::custom("not the token type \"Bearer\" or \"DPoP\""))
            }
        }
        deserializer.deserialize_str(Read)
    }
}

/// An access token or an ID token: a secret for as long as it lives.
pub struct Token(Secret);

impl Token {
    /// The token's text. Look for callers of this when reviewing.
    pub fn expose(&self) -> &str {
        // Made from a `String` only, so it is text.
        self.0.expose_str().unwrap_or_default()
    }
}

impl From<String> for Token {
    fn from(text: String) -> Self {
        Token(Secret::from(text))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Token::from)
    }
}

fn write_seconds<S: Serializer>(life: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match life {
        Some(life) => serializer.collect_str(&life.as_secs()),
        None => serializer.serialize_none(),
    }
}

/// A string of digits, a whole number, or null. 32 bits: more is 136 years and surely a mistake.
fn read_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    struct Read;
    impl<'de> Visitor<'de> for Read {
        type Value = Option<Duration>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("whole seconds as a string of digits or a number")
        }

        fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Self::Value, E> {
            let seconds =
                u32::try_from(seconds).map_err(|_| E::custom("more seconds than a token can live"))?;
            Ok(Some(Duration::from_secs(seconds.into())))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            // `parse` alone would take a sign.
            if text.is_empty() || text.len() > 10 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(E::custom("not whole seconds as a string of digits"));
            }
            self.visit_u64(text.parse().map_err(|_| E::custom("not a number of seconds"))?)
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(Read)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            access in proptest::option::of(any::<String>()),
            id in proptest::option::of(any::<String>()),
            seconds in proptest::option::of(any::<u32>()),
            kind in proptest::option::of(prop_oneof![Just(TokenType::Bearer), Just(TokenType::DPoP)]),
        ) {
            let response = PostTokenForContactResponse {
                access_token: access.clone().map(Token::from),
                expires_in: seconds.map(|seconds| Duration::from_secs(seconds.into())),
                id_token: id.clone().map(Token::from),
                token_type: kind,
            };
            let back = read(&serde_json::to_string(&response).unwrap()).unwrap();
            prop_assert_eq!(back.access_token.as_ref().map(Token::expose), access.as_deref());
            prop_assert_eq!(back.id_token.as_ref().map(Token::expose), id.as_deref());
            prop_assert_eq!(back.expires_in, response.expires_in);
            prop_assert_eq!(back.token_type, response.token_type);
        }
    }

    fn read(json: &str) -> Result<PostTokenForContactResponse, serde_json::Error> {
        serde_json::from_str(json)
    }

    fn life(json: &str) -> Option<Duration> {
        read(json).unwrap().expires_in
    }

    const WIRE: &str = r#"{"access_token":"a","expires_in":"3600","id_token":"i","token_type":"Bearer"}"#;
    const SEED: &str = r#"{"accessToken":"a","expiresIn":"3600","idToken":"i","tokenType":"Bearer"}"#;

    #[test]
    fn both_forms_are_read_and_the_seeds_form_is_written() {
        for form in [WIRE, SEED] {
            assert_eq!(serde_json::to_string(&read(form).unwrap()).unwrap(), SEED);
        }
    }

    #[test]
    fn no_field_is_required_and_absent_ones_are_not_written() {
        for nothing in ["{}", r#"{"access_token":null,"expires_in":null,"id_token":null,"token_type":null}"#]
        {
            assert_eq!(serde_json::to_string(&read(nothing).unwrap()).unwrap(), "{}");
        }
    }

    #[test]
    fn one_field_in_both_forms_is_refused() {
        assert!(read(r#"{"access_token":"a","accessToken":"b"}"#).is_err());
        assert!(read(r#"{"expires_in":"1","expiresIn":1}"#).is_err());
    }

    #[test]
    fn unknown_members_are_ignored() {
        assert!(read(r#"{"access_token":"a","refresh_token":"r","x":[1]}"#).is_ok());
    }

    #[test]
    fn expires_in_is_read_as_a_string_and_as_a_number() {
        let hour = Some(Duration::from_secs(3600));
        assert_eq!(life(r#"{"expires_in":"3600"}"#), hour);
        assert_eq!(life(r#"{"expires_in":3600}"#), hour);
        assert_eq!(life(r#"{"expiresIn":"0"}"#), Some(Duration::ZERO));
        for bad in [
            "\"\"",
            "\"-1\"",
            "\"+1\"",
            "\" 1\"",
            "\"1.5\"",
            "-1",
            "1.5",
            "4294967296",
            "\"99999999999\"",
            "[]",
        ] {
            assert!(read(&format!(r#"{{"expires_in":{bad}}}"#)).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_token_type_is_bearer_or_dpop_in_any_case_and_nothing_else() {
        assert_eq!(read(r#"{"token_type":"bearer"}"#).unwrap().token_type, Some(TokenType::Bearer));
        assert_eq!(read(r#"{"token_type":"dpop"}"#).unwrap().token_type, Some(TokenType::DPoP));
        assert!(read(r#"{"token_type":"mac"}"#).is_err());
        assert!(read(r#"{"token_type":1}"#).is_err());
    }

    #[test]
    fn debug_output_holds_no_token() {
        let response =
            read(r#"{"access_token":"hunter2","id_token":"hunter3","token_type":"Bearer"}"#).unwrap();
        let header = response.authorization().unwrap();
        assert_eq!(header, "Bearer hunter2");
        let printed = format!("{response:?} {response:#?} {header:?}");
        assert!(!printed.contains("hunter"), "{printed}");
    }

    #[test]
    fn a_token_that_is_no_header_makes_no_header() {
        let response = read(r#"{"access_token":"a\r\nX: y","token_type":"Bearer"}"#).unwrap();
        assert!(response.authorization().is_none());
        assert!(PostTokenForContactResponse::default().authorization().is_none());
    }
}
