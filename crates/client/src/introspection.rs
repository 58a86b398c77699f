//! What a server says about a token (RFC 7662 2.2) and to the end of one (RFC 7009 2.2).

use bytes::Bytes;
use http::Response;
use procura_protocol::access_token::AccessToken;
use procura_protocol::confirmation::{Binding, Confirmation};
use procura_protocol::ids::{ApplicationId, ResourceId};
use serde::Deserialize;

use crate::answer::{check_status, json};
use crate::error::{Error, ProtocolError};
use crate::issuer::Issuer;

/// Whether a token is in force, and what it says if it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Introspection {
    /// Not in force, not for whoever asked, or no token at all: the server does not say which.
    Inactive,
    /// In force when the server answered, and bound to nothing: whoever shows it may use it. The
    /// [`AccessToken`] says who acts for whom, for which clients with which permissions, at which resource
    /// and until when. It is read as strictly as out of the token itself.
    Active(Box<AccessToken>),
    /// In force when the server answered, and worth nothing by itself (RFC 8705 3.2, RFC 9449 6.2): the
    /// server does not know who shows it. A resource takes it only from a caller whose connection has the
    /// certificate that the [`Binding`] names, who sent a proof of the key that it names, or both where it
    /// names both. Who can't check that answers 401.
    ActiveBound(Box<AccessToken>, Binding),
}

impl Introspection {
    /// What the token says, if it is in force for whoever shows it. `None` for one that is bound: that it is
    /// in force is not enough there.
    pub fn active(&self) -> Option<&AccessToken> {
        match self {
            Introspection::Active(token) => Some(token),
            Introspection::ActiveBound(..) | Introspection::Inactive => None,
        }
    }

    /// What the token says, if it is in force, whatever it is bound to. For whoever wants to know about a
    /// token, as the application that it was issued to; never enough to let a caller in.
    pub fn in_force(&self) -> Option<&AccessToken> {
        match self {
            Introspection::Active(token) | Introspection::ActiveBound(token, _) => Some(token),
            Introspection::Inactive => None,
        }
    }
}

/// Who asked about a token. The answer must be about a token of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker<'a> {
    /// An application, about what was issued to it (`client_id`).
    Application(&'a ApplicationId),
    /// A resource, about what is for it (`aud`).
    Resource(&'a ResourceId),
}

/// Reads the answer to [`crate::Application::introspection_request`] or
/// [`crate::Resource::introspection_request`].
///
/// # Errors
///
/// [`Error::Refused`], [`Error::Unavailable`], or [`Error::Protocol`] when the body is not an answer of
/// introspection, or calls active what another server issued, what is not the asker's, what leaves open who
/// acts for whom, or what is bound to something that this library does not know. Such an answer must not be
/// taken for a yes.
#[expect(clippy::needless_pass_by_value, reason = "one shape for all answers")]
pub fn parse_introspection_response(
    response: Response<Bytes>,
    issuer: &Issuer,
    asker: Asker<'_>,
) -> Result<Introspection, Error> {
    check_status(&response)?;
    let Head { active } = json(response.body(), "an answer of introspection")?;
    if !active {
        return Ok(Introspection::Inactive);
    }
    let token: AccessToken = json(response.body(), "an access token's claims")?;
    let bad = |name, why| Err(ProtocolError::Value { name, why }.into());
    if *token.issuer != *issuer.as_str() {
        return bad("iss", "is another server");
    }
    match asker {
        Asker::Application(id) if token.application != *id => bad("client_id", "is another application"),
        Asker::Resource(id) if *token.audience != *id.as_str() => bad("aud", "is another resource"),
        _ => match token.confirmation {
            None => Ok(Introspection::Active(Box::new(token))),
            Some(Confirmation::Bound(binding)) => Ok(Introspection::ActiveBound(Box::new(token), binding)),
            Some(Confirmation::Unknown) => bad("cnf", "names a proof that is not known here"),
        },
    }
}

/// Reads the answer to [`crate::Application::revocation_request`]. A token that was not in force any more
/// is a success like any other (RFC 7009 2.2).
///
/// # Errors
///
/// [`Error::Refused`] with `invalid_grant` for a token that was issued to another application and
/// `unsupported_token_type` for an ID token; [`Error::Unavailable`] with status 429 and how long to wait
/// when this application has ended too many.
#[expect(clippy::needless_pass_by_value, reason = "one shape for all answers")]
pub fn parse_revocation_response(response: Response<Bytes>) -> Result<(), Error> {
    check_status(&response)
}

/// Reads the answer to [`crate::Application::ping_request`].
///
/// # Errors
///
/// Whatever is not a success.
#[expect(clippy::needless_pass_by_value, reason = "one shape for all answers")]
pub fn parse_ping_response(response: Response<Bytes>) -> Result<(), Error> {
    check_status(&response)
}

#[derive(Deserialize)]
struct Head {
    active: bool,
}

#[cfg(test)]
mod tests {
    use procura_protocol::access_token::{Holder, Presence};
    use procura_protocol::confirmation::{CertificateThumbprint, KeyThumbprint};
    use procura_protocol::introspection::{INACTIVE, active};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const ISSUER: &str = "https://token.example";
    const BANK: &str = "https://bank.example";

    fn claims() -> Value {
        json!({
            "active": true, "token_type": "Bearer", "iss": ISSUER, "sub": "CON1", "aud": BANK, "iat": 1,
            "exp": 3601, "jti": "AAAAAAAAAAAAAAAAAAAAAA", "client_id": "app_1", "scope": "openid",
            "act": {"sub": "app_1"}, "acr": "urn:procura:acr:unattended", "dv": 63,
            "mandates": [{"clients": ["CLI1", "CLI2"], "permissions": ["can_trade"]}],
        })
    }

    fn read(body: &[u8], asker: Asker<'_>) -> Result<Introspection, Error> {
        let response = Response::new(Bytes::copy_from_slice(body));
        parse_introspection_response(response, &Issuer::parse(ISSUER).unwrap(), asker)
    }

    fn ask(claims: &Value) -> Result<Introspection, Error> {
        let body = claims.to_string();
        read(body.as_bytes(), Asker::Resource(&ResourceId::parse(BANK).unwrap()))
    }

    #[test]
    fn what_the_server_writes_about_a_token_is_read_back() {
        let asked = ask(&claims()).unwrap();
        let token = asked.active().unwrap();
        let Holder::Contact { contact, presence, mandates } = &token.holder else { panic!("of nobody") };
        assert_eq!((contact.as_str(), *presence, mandates.len()), ("CON1", Presence::NoPerson, 2));
        assert_eq!((token.expires_at.0, token.issued_at.0, &*token.audience), (3601, 1, BANK));
        let application = ApplicationId::parse("app_1").unwrap();
        let again = read(&active(token).unwrap(), Asker::Application(&application)).unwrap();
        assert_eq!(again, asked);
    }

    #[test]
    fn a_token_that_is_bound_is_no_plain_yes() {
        let (certificate, key) = (CertificateThumbprint([1; 32]), KeyThumbprint([2; 32]));
        for binding in [
            Binding::Certificate(certificate),
            Binding::Key(key),
            Binding::CertificateAndKey(certificate, key),
        ] {
            let mut claims = claims();
            claims["cnf"] = serde_json::to_value(binding).unwrap();
            let asked = ask(&claims).unwrap();
            assert_eq!(asked.active(), None);
            let Introspection::ActiveBound(token, to) = &asked else { panic!("not bound") };
            assert_eq!((*to, asked.in_force()), (binding, Some(&**token)));
            let application = ApplicationId::parse("app_1").unwrap();
            let again = read(&active(token).unwrap(), Asker::Application(&application)).unwrap();
            assert_eq!(again, asked);
        }
    }

    #[test]
    fn an_inactive_answer_says_nothing_else() {
        let bank = ResourceId::parse(BANK).unwrap();
        assert_eq!(read(INACTIVE, Asker::Resource(&bank)).unwrap(), Introspection::Inactive);
        let mut inactive = claims();
        inactive["active"] = false.into();
        assert_eq!(ask(&inactive).unwrap().in_force(), None);
    }

    #[test]
    fn a_yes_that_is_not_certain_is_an_error() {
        for (member, value) in [
            ("active", json!("true")),
            ("active", json!(1)),
            ("active", json!(null)),
            ("iss", json!("https://evil.example")),
            ("aud", json!("https://other.example")),
            ("aud", json!([BANK])),
            ("act", json!({"sub": "app_2"})),
            ("acr", json!("0")),
            ("exp", json!("3601")),
            ("cnf", json!(null)),
            ("cnf", json!({})),
            ("cnf", json!({"kid": "k"})),
            ("cnf", json!({"jkt": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "kid": "k"})),
            ("mandates", json!([])),
            ("mandates", json!([{"clients": ["CLI1", "CLI1"], "permissions": []}])),
            ("mandates", json!([{"clients": ["CLI1"], "permissions": ["can_fly"]}])),
        ] {
            let mut claims = claims();
            claims[member] = value.clone();
            assert!(matches!(ask(&claims), Err(Error::Protocol(_))), "{member}: {value}");
        }
        let twice = claims().to_string().replacen('{', r#"{"active":true,"#, 1);
        let bank = ResourceId::parse(BANK).unwrap();
        assert!(read(twice.as_bytes(), Asker::Resource(&bank)).is_err());
        assert!(read(br#"{"active":true}"#, Asker::Resource(&bank)).is_err());
    }

    #[test]
    fn an_application_is_told_about_its_own_tokens_only() {
        let body = claims().to_string();
        let other = ApplicationId::parse("app_2").unwrap();
        let error = read(body.as_bytes(), Asker::Application(&other)).unwrap_err();
        assert!(matches!(error, Error::Protocol(ProtocolError::Value { name: "client_id", .. })), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let bank = ResourceId::parse(BANK).unwrap();
            prop_assert!(!read(&bytes, Asker::Resource(&bank)).is_ok_and(|said| said.in_force().is_some()));
        }
    }
}
