//! `POST /token` (RFC 6749 3.2): the standard grants by which an application asks for a token without a person.

use std::borrow::Cow;

use crate::claims::push_scope;
use crate::contact_token::{ContactTokenRequest, TokenType, push_compact};
use crate::form::Form;
use crate::json;
use crate::permission::Permissions;
use crate::scope::RequestedScope;
use crate::secret::Secret;
use crate::shape::{ShapeError, read_form, take_form};

/// `subject_token_type` of what is exchanged: a JWT (RFC 8693 3).
pub const TOKEN_TYPE_JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// `requested_token_type`, the only one that is given, and `issued_token_type` (RFC 8693 3).
pub const TOKEN_TYPE_ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The `typ` that an assertion has which is a grant, and no other JWT of an application: what signs in can then
/// never be taken for what asks for a contact.
pub const GRANT_TYPE_HEADER: &str = "authorization-grant+jwt";

/// What an application asks a token by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantType {
    /// RFC 6749 4.4: the application's own token.
    ClientCredentials,
    /// RFC 7523 2.1: a token for the contact whom a signed assertion names.
    JwtBearer,
    /// RFC 8693: the same, with the assertion as `subject_token`.
    TokenExchange,
}

impl GrantType {
    /// All of them.
    pub const ALL: [GrantType; 3] =
        [GrantType::ClientCredentials, GrantType::JwtBearer, GrantType::TokenExchange];

    /// The value of `grant_type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            GrantType::ClientCredentials => "client_credentials",
            GrantType::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
            GrantType::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
        }
    }

    /// The names that the form takes with it.
    pub const fn taken(self) -> &'static [&'static str] {
        match self {
            GrantType::ClientCredentials => &[
                "grant_type",
                "scope",
                "resource",
                "client_id",
                "client_secret",
                "client_assertion",
                "client_assertion_type",
            ],
            GrantType::JwtBearer => &[
                "grant_type",
                "assertion",
                "scope",
                "clients",
                "resource",
                "client_id",
                "client_secret",
                "client_assertion",
                "client_assertion_type",
            ],
            GrantType::TokenExchange => &[
                "grant_type",
                "subject_token",
                "subject_token_type",
                "requested_token_type",
                "scope",
                "clients",
                "resource",
                "client_id",
                "client_secret",
                "client_assertion",
                "client_assertion_type",
            ],
        }
    }
}

/// What a request brings to be granted something.
#[derive(Debug)]
pub enum Grant {
    /// Nothing: the application asks for itself.
    Own,
    /// The assertion that names the contact, as it was sent.
    Assertion {
        /// By which grant.
        by: GrantType,
        /// The JWT.
        assertion: Secret,
    },
}

/// A token request.
#[derive(Debug)]
pub struct TokenRequest<'a> {
    /// What is to be granted.
    pub grant: Grant,
    /// What it narrows to, and who asks. Of an application's own token only the resource is there.
    pub asked: ContactTokenRequest<'a>,
}

/// Parameters that are checked once all are there.
#[derive(Default)]
struct Read {
    assertion: Option<Secret>,
    subject_token: Option<Secret>,
    subject_token_type: bool,
}

impl<'a> TokenRequest<'a> {
    /// Reads the form in the body, and checks that the query asks for nothing.
    ///
    /// Which names are taken depends on `grant_type`; everything else is as at
    /// [`ContactTokenRequest::parse`].
    ///
    /// # Errors
    ///
    /// [`ShapeError`].
    pub fn parse(body: &'a [u8], query: &[u8]) -> Result<TokenRequest<'a>, ShapeError> {
        let form = Form::parse(body).map_err(ShapeError::Body)?;
        let Some(grant) = form.get("grant_type") else {
            // Whatever else is wrong is told first, as at every form.
            read_form(body, query, GrantType::JwtBearer.taken(), |_, _| Ok(()))?;
            return Err(ShapeError::Missing("grant_type"));
        };
        if grant.is_empty() {
            return Err(ShapeError::Empty("grant_type"));
        }
        let grant = GrantType::ALL.into_iter().find(|known| known.as_str() == grant);
        let grant = grant.ok_or(ShapeError::GrantType)?;
        let (mut asked, mut read) = (ContactTokenRequest::default(), Read::default());
        take_form(form, query, grant.taken(), |name, value| take(&mut asked, &mut read, grant, name, value))?;
        let by_assertion = |assertion: Option<Secret>, name| -> Result<Grant, ShapeError> {
            let assertion = assertion.ok_or(ShapeError::Missing(name))?;
            Ok(Grant::Assertion { by: grant, assertion })
        };
        let grant = match grant {
            GrantType::ClientCredentials => Grant::Own,
            GrantType::JwtBearer => by_assertion(read.assertion, "assertion")?,
            GrantType::TokenExchange => {
                let grant = by_assertion(read.subject_token, "subject_token")?;
                if !read.subject_token_type {
                    return Err(ShapeError::Missing("subject_token_type"));
                }
                grant
            }
        };
        Ok(TokenRequest { grant, asked })
    }
}

fn take<'a>(
    asked: &mut ContactTokenRequest<'a>,
    read: &mut Read,
    grant: GrantType,
    name: &'static str,
    value: Cow<'a, str>,
) -> Result<(), ShapeError> {
    let secret = |value: Cow<'a, str>| Some(Secret::from(value.into_owned()));
    match name {
        "grant_type" => {}
        "assertion" => read.assertion = secret(value),
        "subject_token" => read.subject_token = secret(value),
        "subject_token_type" if value == TOKEN_TYPE_JWT => read.subject_token_type = true,
        "subject_token_type" => return Err(ShapeError::SubjectTokenType),
        "requested_token_type" if value == TOKEN_TYPE_ACCESS_TOKEN => {}
        "requested_token_type" => return Err(ShapeError::RequestedTokenType),
        "scope" if grant == GrantType::ClientCredentials => {
            RequestedScope::parse(&value)?;
            return Err(ShapeError::ScopeOfApplication);
        }
        other => asked.take(other, value)?,
    }
    Ok(())
}

/// The answer, to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenResponse<'a> {
    /// `access_token`: a compact JWT.
    pub access_token: &'a str,
    /// `token_type`.
    pub token_type: TokenType,
    /// `expires_in`: seconds, a number here (RFC 6749 5.1).
    pub expires_in: i64,
    /// `scope`: `openid` and these, as in the access token; nothing where the token has none.
    pub scope: Option<Permissions>,
    /// `id_token`: a compact JWT.
    pub id_token: Option<&'a str>,
    /// Whether the answer says what kind of token it gives (`issued_token_type`, RFC 8693 2.2.1).
    pub exchanged: bool,
}

impl TokenResponse<'_> {
    /// The body's bytes.
    pub fn to_json(&self) -> Vec<u8> {
        let room = self.access_token.len() + self.id_token.map_or(0, str::len);
        let mut out = Vec::with_capacity(512 + room);
        out.extend_from_slice(br#"{"access_token":""#);
        push_compact(&mut out, self.access_token);
        if self.exchanged {
            out.extend_from_slice(br#"","issued_token_type":""#);
            out.extend_from_slice(TOKEN_TYPE_ACCESS_TOKEN.as_bytes());
        }
        out.extend_from_slice(br#"","token_type":""#);
        out.extend_from_slice(self.token_type.as_str().as_bytes());
        out.extend_from_slice(br#"","expires_in":"#);
        json::push_integer(&mut out, self.expires_in);
        if let Some(scope) = self.scope {
            out.extend_from_slice(br#","scope":""#);
            push_scope(&mut out, scope);
            out.push(b'"');
        }
        if let Some(id_token) = self.id_token {
            out.extend_from_slice(br#","id_token":""#);
            push_compact(&mut out, id_token);
            out.push(b'"');
        }
        out.push(b'}');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::permission::Permission;

    const BEARER: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
    const EXCHANGE: &str = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange";
    const JWT: &str = "subject_token_type=urn:ietf:params:oauth:token-type:jwt";

    fn parse(body: &str) -> Result<TokenRequest<'_>, ShapeError> {
        TokenRequest::parse(body.as_bytes(), b"")
    }

    fn refusal(body: &str) -> ShapeError {
        parse(body).map(|_| ()).unwrap_err()
    }

    fn assertion<'a>(request: &'a TokenRequest<'_>) -> (GrantType, &'a str) {
        match &request.grant {
            Grant::Assertion { by, assertion } => (*by, assertion.expose_str().unwrap()),
            Grant::Own => panic!("by no assertion"),
        }
    }

    #[test]
    fn an_application_asks_for_itself_with_nothing_but_its_credentials() {
        let request = parse("grant_type=client_credentials&client_id=app_1&client_secret=s").unwrap();
        assert!(matches!(request.grant, Grant::Own));
        assert_eq!(request.asked.credentials.client_id.as_deref(), Some("app_1"));
        let request = parse("resource=https://a.example&grant_type=client_credentials").unwrap();
        assert_eq!(request.asked.resource.unwrap().as_str(), "https://a.example");
    }

    #[test]
    fn an_application_alone_holds_no_scope_and_acts_for_no_client() {
        for scope in ["openid", "can_trade", "openid+can_trade"] {
            let refused = refusal(&format!("grant_type=client_credentials&scope={scope}"));
            assert_eq!((refused, refused.code()), (ShapeError::ScopeOfApplication, ErrorCode::InvalidScope));
        }
        assert_eq!(refusal("grant_type=client_credentials&clients=c1"), ShapeError::NotTaken("clients"));
        assert_eq!(refusal("grant_type=client_credentials&assertion=a"), ShapeError::NotTaken("assertion"));
    }

    #[test]
    fn an_assertion_is_a_grant_of_its_own_or_a_subject_token() {
        let body = format!("{BEARER}&assertion=a.b.c&scope=can_trade&clients=c1");
        let request = parse(&body).unwrap();
        assert_eq!(assertion(&request), (GrantType::JwtBearer, "a.b.c"));
        assert_eq!(request.asked.clients.unwrap()[0].as_str(), "c1");
        assert!(request.asked.scope.is_some());

        let wanted = format!("requested_token_type={TOKEN_TYPE_ACCESS_TOKEN}");
        for more in ["", &*format!("&{wanted}")] {
            let body = format!("subject_token=a.b.c&{JWT}&{EXCHANGE}{more}");
            assert_eq!(assertion(&parse(&body).unwrap()), (GrantType::TokenExchange, "a.b.c"));
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (body, name) in [
            ("", "grant_type"),
            ("client_id=app_1", "grant_type"),
            (BEARER, "assertion"),
            (&*format!("{EXCHANGE}&{JWT}"), "subject_token"),
            (&*format!("{EXCHANGE}&subject_token=a"), "subject_token_type"),
        ] {
            assert_eq!(refusal(body), ShapeError::Missing(name), "{body}");
        }
        assert_eq!(refusal("grant_type="), ShapeError::Empty("grant_type"));
        assert_eq!(refusal(&format!("{BEARER}&assertion=")), ShapeError::Empty("assertion"));
    }

    #[test]
    fn another_grant_is_not_supported() {
        for grant in ["password", "authorization_code", "refresh_token", "Client_credentials", "jwt-bearer"] {
            let refused = refusal(&format!("grant_type={grant}"));
            assert_eq!((refused, refused.code()), (ShapeError::GrantType, ErrorCode::UnsupportedGrantType));
        }
    }

    #[test]
    fn nobody_else_can_be_named_as_the_one_who_acts() {
        for name in ["actor_token", "actor_token_type", "audience", "assertion", "request", "code"] {
            let refused = refusal(&format!("{EXCHANGE}&subject_token=a&{JWT}&{name}=x"));
            assert_eq!(refused, ShapeError::NotTaken(name));
        }
        for kind in ["access_token", "id_token", "refresh_token", "saml2"] {
            let kind = format!("urn:ietf:params:oauth:token-type:{kind}");
            let refused = refusal(&format!("{EXCHANGE}&subject_token=a&subject_token_type={kind}"));
            assert_eq!(refused, ShapeError::SubjectTokenType);
        }
        let refused = refusal(&format!("{EXCHANGE}&subject_token=a&{JWT}&requested_token_type=x"));
        assert_eq!(refused, ShapeError::RequestedTokenType);
    }

    #[test]
    fn nothing_may_be_repeated_or_stand_in_the_query() {
        for body in [
            "grant_type=client_credentials&grant_type=client_credentials".to_owned(),
            format!("{BEARER}&assertion=a&assertion=a"),
        ] {
            assert!(matches!(refusal(&body), ShapeError::Body(_)), "{body}");
        }
        let refused = |query: &str| {
            TokenRequest::parse(b"grant_type=client_credentials", query.as_bytes()).map(|_| ()).unwrap_err()
        };
        assert_eq!(refused("grant_type=client_credentials"), ShapeError::TakenInQuery("grant_type"));
        assert_eq!(refused("assertion=a"), ShapeError::NotTaken("assertion"));
        assert!(TokenRequest::parse(b"grant_type=client_credentials", b"utm=1").is_ok());
    }

    #[test]
    fn the_answer_has_the_members_of_its_grant() {
        let own = TokenResponse {
            access_token: "a.b.c",
            token_type: TokenType::Bearer,
            expires_in: 3_600,
            scope: None,
            id_token: None,
            exchanged: false,
        };
        assert_eq!(own.to_json(), br#"{"access_token":"a.b.c","token_type":"Bearer","expires_in":3600}"#);
        let exchanged = TokenResponse {
            token_type: TokenType::DPoP,
            scope: Some(Permissions::NONE.with(Permission::Trade)),
            id_token: Some("d.e.f"),
            exchanged: true,
            ..own
        };
        let expected = serde_json::json!({
            "access_token": "a.b.c", "issued_token_type": TOKEN_TYPE_ACCESS_TOKEN, "token_type": "DPoP",
            "expires_in": 3600, "scope": "openid can_trade", "id_token": "d.e.f",
        });
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&exchanged.to_json()).unwrap(), expected);
    }
}
