//! What a request brought to prove which application asks (contract, chapter 6).

use std::borrow::Cow;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use procura_engine::application_auth::Presented;
use procura_protocol::basic::{Authorization, read_authorization};
use procura_protocol::contact_token::FormCredentials;
use procura_protocol::error::{AuthErrorMessage, ErrorCode};

/// Two ways to authenticate in one request (RFC 6749 2.3): refused before either is looked at.
pub(crate) struct TwoMethods;

impl From<TwoMethods> for AuthErrorMessage {
    fn from(_: TwoMethods) -> AuthErrorMessage {
        AuthErrorMessage::new(
            ErrorCode::InvalidRequest,
            "Authenticate in one way: by the Authorization header or by client_id and client_secret in the form.",
        )
    }
}

/// From the header alone, for endpoints without a form.
pub(crate) fn from_header(headers: &HeaderMap) -> Presented<'static> {
    match read_header(headers) {
        Authorization::Basic(basic) => Presented::Secret { id: Cow::Owned(basic.id), secret: basic.secret },
        Authorization::Absent | Authorization::OtherScheme | Authorization::Malformed => Presented::Nothing,
    }
}

/// From the header or the form, never from both. Basic beside an equal form `client_id` is one way.
pub(crate) fn from_header_or_form<'a>(
    headers: &HeaderMap,
    form: FormCredentials<'a>,
) -> Result<Presented<'a>, TwoMethods> {
    match (read_header(headers), form.client_id, form.client_secret) {
        (Authorization::Absent, Some(id), Some(secret)) => Ok(Presented::Secret { id, secret }),
        (Authorization::Absent, _, _) => Ok(Presented::Nothing),
        (_, _, Some(_)) => Err(TwoMethods),
        (Authorization::Basic(basic), Some(id), None) if *id != *basic.id => Err(TwoMethods),
        (Authorization::Basic(basic), _, None) => {
            Ok(Presented::Secret { id: Cow::Owned(basic.id), secret: basic.secret })
        }
        (Authorization::OtherScheme | Authorization::Malformed, _, None) => Ok(Presented::Nothing),
    }
}

fn read_header(headers: &HeaderMap) -> Authorization {
    read_authorization(headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes))
}
