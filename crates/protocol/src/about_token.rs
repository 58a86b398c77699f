//! The request of the endpoints that are about a token: introspection (RFC 7662 2.1) and revocation
//! (RFC 7009 2.1).

use std::borrow::Cow;

use crate::contact_token::FormCredentials;
use crate::shape::{ShapeError, read_form};

const TAKEN: &[&str] =
    &["token", "token_type_hint", "client_id", "client_secret", "client_assertion", "client_assertion_type"];

/// A token that somebody asks about, as it came. Has no `Debug`: the token is a secret.
pub struct AboutToken<'a> {
    /// `token`.
    pub token: Cow<'a, str>,
    /// `client_id` and what proves it.
    pub credentials: FormCredentials<'a>,
}

impl<'a> AboutToken<'a> {
    /// Reads the form. `token_type_hint` is taken and means nothing: all tokens look alike here, and an
    /// unknown hint must not be an error (RFC 7009 2.2.1).
    pub fn parse(body: &'a [u8], query: &[u8]) -> Result<AboutToken<'a>, ShapeError> {
        let (mut token, mut credentials) = (None, FormCredentials::default());
        read_form(body, query, TAKEN, |name, value| {
            match name {
                "token" => token = Some(value),
                "token_type_hint" => {}
                other => credentials.take(other, value)?,
            }
            Ok(())
        })?;
        Ok(AboutToken { token: token.ok_or(ShapeError::Missing("token"))?, credentials })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> ShapeError {
        AboutToken::parse(body.as_bytes(), b"").err().unwrap()
    }

    #[test]
    fn a_token_is_asked_about_with_or_without_a_hint() {
        for body in ["token=a.b.c", "token_type_hint=refresh_token&token=a.b.c", "token=a.b.c&x=y"] {
            assert_eq!(AboutToken::parse(body.as_bytes(), b"").unwrap().token, "a.b.c");
        }
        let with_secret = AboutToken::parse(b"client_id=app_1&client_secret=s&token=t", b"").unwrap();
        assert_eq!(with_secret.credentials.client_id.as_deref(), Some("app_1"));
    }

    #[test]
    fn what_is_missing_empty_repeated_or_of_another_endpoint_is_refused() {
        assert_eq!(refusal(""), ShapeError::Missing("token"));
        assert_eq!(refusal("token="), ShapeError::Empty("token"));
        assert!(matches!(refusal("token=a&token=a"), ShapeError::Body(_)));
        assert_eq!(refusal("token=a&scope=openid"), ShapeError::NotTaken("scope"));
        let in_query = AboutToken::parse(b"", b"token=a").err();
        assert_eq!(in_query, Some(ShapeError::TakenInQuery("token")));
    }
}
