//! The contact token's request and answer (contract, chapter 1).

use std::borrow::Cow;

use crate::confirmation::Binding;
use crate::ids::{ClientId, ResourceId};
use crate::json;
use crate::scope::RequestedScope;
use crate::secret::Secret;
use crate::shape::read_form;

pub use crate::shape::ShapeError;

/// Most clients that a request names and that a token lists.
pub const MAX_CLIENTS: usize = 64;

/// The names that the form takes.
const TAKEN: &[&str] = &[
    "scope",
    "clients",
    "resource",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
];

/// What a request asks for, beside the contact in its path. By default: everything the rule gives.
#[derive(Debug, Default)]
pub struct ContactTokenRequest<'a> {
    /// `scope`: with permission names, each client keeps only those.
    pub scope: Option<RequestedScope>,
    /// `clients`: only these, 1 to [`MAX_CLIENTS`], sorted, none twice.
    pub clients: Option<Vec<ClientId>>,
    /// `resource` (RFC 8707 2): where the token is to be used; else the application's default.
    pub resource: Option<ResourceId>,
    /// `client_id` and what proves it.
    pub credentials: FormCredentials<'a>,
}

/// The application's credentials in a form (RFC 6749 2.3.1, RFC 7521 4.2), as they came.
///
/// An id that no application can have is a matter of authentication, not of shape, so it is kept.
#[derive(Debug, Default)]
pub struct FormCredentials<'a> {
    /// `client_id`, OAuth's word for the application.
    pub client_id: Option<Cow<'a, str>>,
    /// `client_secret`.
    pub client_secret: Option<Secret>,
    /// `client_assertion`: a JWT (RFC 7523 2.2).
    pub client_assertion: Option<Secret>,
    /// `client_assertion_type`.
    pub client_assertion_type: Option<Cow<'a, str>>,
}

/// The names that [`FormCredentials`] are made of.
pub const CREDENTIALS: [&str; 4] =
    ["client_id", "client_secret", "client_assertion", "client_assertion_type"];

impl<'a> FormCredentials<'a> {
    /// Takes a parameter in, if it is one of the credentials'; else gives it back.
    pub(crate) fn take(&mut self, name: &'static str, value: Cow<'a, str>) -> Result<(), ShapeError> {
        match name {
            "client_id" => self.client_id = Some(value),
            "client_secret" => self.client_secret = Some(Secret::from(value.into_owned())),
            "client_assertion" => self.client_assertion = Some(Secret::from(value.into_owned())),
            "client_assertion_type" => self.client_assertion_type = Some(value),
            other => return Err(ShapeError::NotTaken(other)),
        }
        Ok(())
    }
}

impl<'a> ContactTokenRequest<'a> {
    /// Reads the form in the body, and checks that the query asks for nothing. Both may be empty.
    ///
    /// A parameter that is repeated (known or not), that is registered and not taken here, that is known
    /// and empty, or that is known or registered and stands in the query, is refused; other names are
    /// ignored (RFC 6749 3.2).
    pub fn parse(body: &'a [u8], query: &[u8]) -> Result<ContactTokenRequest<'a>, ShapeError> {
        let mut request = ContactTokenRequest::default();
        read_form(body, query, TAKEN, |name, value| request.take(name, value))?;
        Ok(request)
    }

    pub(crate) fn take(&mut self, name: &'static str, value: Cow<'a, str>) -> Result<(), ShapeError> {
        match name {
            "scope" => self.scope = Some(RequestedScope::parse(&value)?),
            "clients" => self.clients = Some(parse_clients(&value)?),
            "resource" => {
                self.resource = Some(ResourceId::parse(&value).map_err(ShapeError::Resource)?);
            }
            other => self.credentials.take(other, value)?,
        }
        Ok(())
    }
}

fn parse_clients(text: &str) -> Result<Vec<ClientId>, ShapeError> {
    // Sorted and counted before any id is kept, so that a long list of repeats costs little.
    let mut names: Vec<&str> = text.split(' ').collect();
    names.sort_unstable();
    names.dedup();
    if names[0].is_empty() {
        return Err(ShapeError::ClientsSpaces);
    }
    if names.len() > MAX_CLIENTS {
        return Err(ShapeError::TooManyClients(names.len()));
    }
    names.into_iter().map(|name| ClientId::parse(name).map_err(ShapeError::Clients)).collect()
}

/// How to use an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// RFC 6750; also of tokens that are bound to a certificate (RFC 8705 3).
    Bearer,
    /// With a proof of the key that it is bound to (RFC 9449 5).
    DPoP,
}

impl TokenType {
    /// The type of a token that is bound to this.
    pub fn of(binding: Option<Binding>) -> TokenType {
        match binding.and_then(Binding::key) {
            Some(_) => TokenType::DPoP,
            None => TokenType::Bearer,
        }
    }

    /// The value of `token_type` on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            TokenType::Bearer => "Bearer",
            TokenType::DPoP => "DPoP",
        }
    }
}

/// The answer, to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContactTokenResponse<'a> {
    /// `access_token`: a compact JWT.
    pub access_token: &'a str,
    /// `expires_in`: seconds; a string on the wire, on this endpoint only.
    pub expires_in: i64,
    /// `id_token`: a compact JWT.
    pub id_token: &'a str,
    /// `token_type`.
    pub token_type: TokenType,
}

impl ContactTokenResponse<'_> {
    /// The body's bytes.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96 + self.access_token.len() + self.id_token.len());
        out.extend_from_slice(br#"{"access_token":""#);
        push_compact(&mut out, self.access_token);
        out.extend_from_slice(br#"","expires_in":""#);
        json::push_integer(&mut out, self.expires_in);
        out.extend_from_slice(br#"","id_token":""#);
        push_compact(&mut out, self.id_token);
        out.extend_from_slice(br#"","token_type":""#);
        out.extend_from_slice(self.token_type.as_str().as_bytes());
        out.extend_from_slice(br#""}"#);
        out
    }
}

/// Adds a compact JWT: base64url and dots, which JSON copies as they are.
pub(crate) fn push_compact(out: &mut Vec<u8>, token: &str) {
    debug_assert!(is_compact(token));
    out.extend_from_slice(token.as_bytes());
}

fn is_compact(token: &str) -> bool {
    token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorCode;
    use crate::error::is_description;
    use crate::parameters::{OWN, REGISTERED};
    use crate::permission::{Permission, Permissions};

    fn parse(body: &str) -> Result<ContactTokenRequest<'_>, ShapeError> {
        ContactTokenRequest::parse(body.as_bytes(), b"")
    }

    fn refusal(body: &str) -> ShapeError {
        parse(body).map(|_| ()).unwrap_err()
    }

    #[test]
    fn an_empty_body_asks_for_everything_the_rule_gives() {
        for (body, query) in [(&b""[..], &b""[..]), (b"&", b"&"), (b"utm=1", b"utm=1")] {
            let request = ContactTokenRequest::parse(body, query).unwrap();
            assert!(request.scope.is_none() && request.clients.is_none() && request.resource.is_none());
            assert!(request.credentials.client_id.is_none() && request.credentials.client_secret.is_none());
        }
    }

    #[test]
    fn every_parameter_is_read() {
        let body = "scope=openid+can_trade&clients=c2+c1+c2&resource=https%3A%2F%2Fa.example%2Fapi\
                    &client_id=app_1&client_secret=pcs_x";
        let request = parse(body).unwrap();
        let trade = Permissions::NONE.with(Permission::Trade);
        assert_eq!(request.scope.unwrap().permissions(), Some(trade));
        let ids = ["c1", "c2"].map(|id| ClientId::parse(id).unwrap());
        assert_eq!(request.clients.unwrap(), ids);
        assert_eq!(request.resource.unwrap().as_str(), "https://a.example/api");
        assert_eq!(request.credentials.client_id.unwrap(), "app_1");
        assert_eq!(request.credentials.client_secret.unwrap().expose(), b"pcs_x");
    }

    #[test]
    fn an_empty_value_of_a_known_name_is_refused() {
        for name in TAKEN {
            assert_eq!(refusal(&format!("{name}=")), ShapeError::Empty(name));
            assert_eq!(refusal(name), ShapeError::Empty(name));
        }
    }

    #[test]
    fn every_registered_name_that_is_not_taken_is_refused_in_body_and_query() {
        for (name, _) in REGISTERED.iter().filter(|(name, _)| !TAKEN.contains(name)) {
            let text = format!("{name}=x");
            assert_eq!(refusal(&text), ShapeError::NotTaken(name));
            let in_query = ContactTokenRequest::parse(b"", text.as_bytes()).map(|_| ());
            assert_eq!(in_query, Err(ShapeError::NotTaken(name)));
        }
    }

    #[test]
    fn a_parameter_of_the_form_is_refused_in_the_query() {
        for name in TAKEN.iter().chain(OWN) {
            for text in [format!("{name}=x"), format!("{name}=")] {
                let in_query = ContactTokenRequest::parse(b"", text.as_bytes()).map(|_| ());
                assert_eq!(in_query, Err(ShapeError::TakenInQuery(name)));
            }
        }
    }

    #[test]
    fn repeated_parameters_are_refused() {
        for body in ["scope=openid&scope=openid", "clients=a&clients=b", "zzz=1&zzz=1"] {
            assert!(matches!(refusal(body), ShapeError::Body(_)), "{body}");
        }
    }

    #[test]
    fn clients_are_1_to_64_distinct_ids() {
        let list = |count: usize| (0..count).map(|n| format!("c{n}")).collect::<Vec<_>>().join("+");
        assert_eq!(parse(&format!("clients={}", list(64))).unwrap().clients.unwrap().len(), 64);
        assert_eq!(refusal(&format!("clients={}", list(65))), ShapeError::TooManyClients(65));
        assert_eq!(
            parse(&format!("clients={}{}", "c1+".repeat(500), "c1")).unwrap().clients.unwrap().len(),
            1
        );
        for body in ["clients=+", "clients=a+", "clients=+a", "clients=a++b"] {
            assert_eq!(refusal(body), ShapeError::ClientsSpaces, "{body}");
        }
        for body in ["clients=a%2Fb", "clients=app_1", "clients=..", "clients=a,b"] {
            assert!(matches!(refusal(body), ShapeError::Clients(_)), "{body}");
        }
    }

    #[test]
    fn an_unknown_scope_is_invalid_scope_and_all_else_invalid_request() {
        assert_eq!(refusal("scope=profile").code(), ErrorCode::InvalidScope);
        for body in ["scope=", "clients=..", "resource=/api", "grant_type=x", "a=%"] {
            assert_eq!(refusal(body).code(), ErrorCode::InvalidRequest, "{body}");
        }
    }

    #[test]
    fn the_answer_is_what_serde_prints_with_a_string_for_expires_in() {
        let response = ContactTokenResponse {
            access_token: "aA0-_.b.c",
            expires_in: 3600,
            id_token: "d.e.f",
            token_type: TokenType::Bearer,
        };
        let expected =
            r#"{"access_token":"aA0-_.b.c","expires_in":"3600","id_token":"d.e.f","token_type":"Bearer"}"#;
        assert_eq!(response.to_json(), expected.as_bytes());
        let value: serde_json::Value = serde_json::from_slice(&response.to_json()).unwrap();
        assert_eq!(serde_json::to_string(&value).unwrap(), expected);
    }

    fn piece() -> impl Strategy<Value = String> {
        let name = prop::sample::select(vec![
            "scope",
            "clients",
            "resource",
            "client_id",
            "client_secret",
            "code",
            "x",
        ]);
        let value = prop_oneof!["[a-z+%0-9: /.]{0,12}", Just("openid".to_owned()), Just("app_1".to_owned())];
        (name, value).prop_map(|(name, value)| format!("{name}={value}"))
    }

    proptest! {
        #[test]
        fn any_request_is_read_or_refused_with_a_valid_sentence_that_shows_no_value(
            pieces in prop::collection::vec(piece(), 0..4),
            query in prop::collection::vec(any::<u8>(), 0..12),
        ) {
            let body = pieces.join("&") + "&y=hunter2";
            if let Err(error) = ContactTokenRequest::parse(body.as_bytes(), &query) {
                prop_assert!(is_description(&error.to_string()), "{}", error);
                prop_assert!(!error.to_string().contains("hunter2"));
            }
        }
    }
}
