//! What a request brought to prove which application asks (contract, chapter 6).

use std::borrow::Cow;

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use procura_engine::application_auth::{Evidence, Presented};
use procura_protocol::application_auth::{AuthMethod, CLIENT_ASSERTION_TYPE};
use procura_protocol::basic::{Authorization, BasicCredentials, read_authorization};
use procura_protocol::contact_token::FormCredentials;
use procura_protocol::error::{AuthErrorMessage, ErrorCode};

use crate::callers;
use crate::connection::ClientCertificate;

/// Why what a request brought is refused before any of it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadCredentials {
    /// Two ways to authenticate in one request (RFC 6749 2.3).
    TwoMethods,
    /// One of `client_assertion` and `client_assertion_type` without the other, or a type that nobody reads
    /// here (RFC 7521 4.2).
    AssertionType,
}

impl From<BadCredentials> for AuthErrorMessage {
    fn from(bad: BadCredentials) -> AuthErrorMessage {
        let text = match bad {
            BadCredentials::TwoMethods => {
                "Authenticate in one way: by the Authorization header, by client_id and client_secret in the \
                 form, or by client_assertion."
            }
            BadCredentials::AssertionType => {
                "Send client_assertion and client_assertion_type together, with the type \
                 urn:ietf:params:oauth:client-assertion-type:jwt-bearer."
            }
        };
        AuthErrorMessage::new(ErrorCode::InvalidRequest, text)
    }
}

/// What is presented, and what the connection adds to it.
pub(crate) fn evidence<'a>(
    presented: Presented<'a>,
    head: &'a Parts,
    endpoint: &'static str,
) -> Evidence<'a> {
    let from = callers::of(&head.extensions).map(Into::into);
    Evidence { presented, certificates: certificates(head), endpoint, path: head.uri.path(), from }
}

/// The certificates of the connection, the caller's own first.
fn certificates(head: &Parts) -> &[Box<[u8]>] {
    head.extensions.get::<ClientCertificate>().map_or(&[], ClientCertificate::chain)
}

/// From the header alone, for endpoints of resources.
pub(crate) fn from_header(headers: &HeaderMap) -> Presented<'static> {
    match read_header(headers) {
        Authorization::Basic(basic) => by_basic(basic),
        Authorization::Absent | Authorization::OtherScheme | Authorization::Malformed => Presented::Nothing,
    }
}

/// From the header or the form, never from both. Basic beside an equal form `client_id` is one way.
pub(crate) fn from_header_or_form<'a>(
    headers: &HeaderMap,
    form: FormCredentials<'a>,
) -> Result<Presented<'a>, BadCredentials> {
    let header = read_header(headers);
    let FormCredentials { client_id, client_secret, client_assertion, client_assertion_type } = form;
    match (client_assertion, client_assertion_type) {
        (None, None) => by_header_or_secret(header, client_id, client_secret),
        (Some(_), _) if client_secret.is_some() || !matches!(header, Authorization::Absent) => {
            Err(BadCredentials::TwoMethods)
        }
        (Some(assertion), Some(kind)) if kind == CLIENT_ASSERTION_TYPE => {
            Ok(Presented::Assertion { id: client_id, assertion })
        }
        (_, _) => Err(BadCredentials::AssertionType),
    }
}

fn by_header_or_secret(
    header: Authorization,
    id: Option<Cow<'_, str>>,
    secret: Option<procura_protocol::secret::Secret>,
) -> Result<Presented<'_>, BadCredentials> {
    match (header, id, secret) {
        (Authorization::Absent, Some(id), Some(secret)) => {
            Ok(Presented::Secret { id, secret, method: AuthMethod::ClientSecretPost })
        }
        (Authorization::Absent, Some(id), None) => Ok(Presented::IdAlone { id }),
        (Authorization::Absent, None, _) => Ok(Presented::Nothing),
        (_, _, Some(_)) => Err(BadCredentials::TwoMethods),
        (Authorization::Basic(basic), Some(id), None) if *id != *basic.id => Err(BadCredentials::TwoMethods),
        (Authorization::Basic(basic), _, None) => Ok(by_basic(basic)),
        (Authorization::OtherScheme | Authorization::Malformed, _, None) => Ok(Presented::Nothing),
    }
}

fn by_basic(basic: BasicCredentials) -> Presented<'static> {
    Presented::Secret {
        id: Cow::Owned(basic.id),
        secret: basic.secret,
        method: AuthMethod::ClientSecretBasic,
    }
}

fn read_header(headers: &HeaderMap) -> Authorization {
    read_authorization(headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes))
}
