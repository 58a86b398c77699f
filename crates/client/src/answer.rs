//! Answers, read without having received them: every function takes an `http` response.

use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, Response, StatusCode};
use procura_jose::Jwks;
use procura_protocol::ids::ContactId;
use procura_protocol::token::TOKEN_TYPE_ACCESS_TOKEN;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::application::Page;
use crate::clock::Apart;
use crate::error::{Error, ProtocolError};
use crate::response::PostTokenForContactResponse;

/// Longest error code and longest description that are kept of a refusal, in characters.
pub(crate) const MAX_CODE: usize = 64;
pub(crate) const MAX_DESCRIPTION: usize = 1_000;

/// Reads an answer with a token, whatever its type. [`crate::Application::read_token_response`] also refuses the type
/// that the application did not ask for, and is the one to use with tokens that are bound to a key.
///
/// # Errors
///
/// [`Error::Refused`], [`Error::Unavailable`], or [`Error::Protocol`] when the body is not the JSON
/// of a [`PostTokenForContactResponse`] or lacks `access_token` or `token_type` (see there).
#[expect(clippy::needless_pass_by_value, reason = "an answer with a token is consumed, not left lying about")]
pub fn parse_token_response(response: Response<Bytes>) -> Result<PostTokenForContactResponse, Error> {
    check_status(&response)?;
    let answer: PostTokenForContactResponse = json(response.body(), "an answer with a token")?;
    match (&answer.access_token, &answer.token_type) {
        (None, _) => Err(ProtocolError::Missing("access_token").into()),
        (_, None) => Err(ProtocolError::Missing("token_type").into()),
        (Some(token), _) if token.expose().is_empty() => {
            Err(ProtocolError::Value { name: "access_token", why: "is empty" }.into())
        }
        (Some(_), Some(_)) => Ok(answer),
    }
}

/// The same of an exchange, which also says what kind of token it gave (RFC 8693 2.2.1): an access token.
pub(crate) fn parse_exchange_response(
    response: Response<Bytes>,
) -> Result<PostTokenForContactResponse, Error> {
    #[derive(Deserialize)]
    struct Issued {
        issued_token_type: Option<String>,
    }
    check_status(&response)?;
    let Issued { issued_token_type } = json(response.body(), "an answer with a token")?;
    match issued_token_type.as_deref() {
        Some(TOKEN_TYPE_ACCESS_TOKEN) => parse_token_response(response),
        Some(_) => Err(ProtocolError::Value { name: "issued_token_type", why: "is no access token" }.into()),
        None => Err(ProtocolError::Missing("issued_token_type").into()),
    }
}

/// Reads the answer to [`crate::Application::available_contacts_request`]: the contacts, sorted.
///
/// # Errors
///
/// [`Error::Refused`], [`Error::Unavailable`], or [`Error::Protocol`] when the body is not a list of
/// contact ids.
#[expect(clippy::needless_pass_by_value, reason = "one shape for all answers")]
pub fn parse_contacts_response(response: Response<Bytes>) -> Result<Vec<ContactId>, Error> {
    check_status(&response)?;
    let list: ContactsList = json(response.body(), "a list of contacts")?;
    Ok(list.data)
}

/// One page of the contacts that the application may act for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContactsPage {
    /// The contacts, sorted.
    pub contacts: Vec<ContactId>,
    /// How many there are on all pages (`x-total-count`).
    pub total: u64,
    /// The page after this one, if the total says that there is one.
    pub next: Option<Page>,
}

/// Reads the answer to [`crate::Application::available_contacts_page_request`] for the same `page`.
///
/// # Errors
///
/// As [`parse_contacts_response`]; also when `x-total-count` is not a number.
pub fn parse_contacts_page_response(response: Response<Bytes>, page: Page) -> Result<ContactsPage, Error> {
    check_status(&response)?;
    let total = response
        .headers()
        .get("x-total-count")
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
        .ok_or(ProtocolError::Value { name: "x-total-count", why: "is missing or not a number" })?;
    let contacts = parse_contacts_response(response)?;
    let so_far = u64::from(page.number.get()) * u64::from(page.size);
    let next = (so_far < total && !contacts.is_empty())
        .then(|| Some(Page { number: page.number.checked_add(1)?, ..page }))
        .flatten();
    Ok(ContactsPage { contacts, total, next })
}

/// Reads the answer to [`crate::Application::jwks_request`].
///
/// # Errors
///
/// [`Error::Refused`], [`Error::Unavailable`], or [`Error::Protocol`] when the body is not a key set.
#[expect(clippy::needless_pass_by_value, reason = "one shape for all answers")]
pub fn parse_jwks_response(response: Response<Bytes>) -> Result<Jwks, Error> {
    check_status(&response)?;
    json(response.body(), "a JWK set")
}

#[derive(Deserialize)]
struct ContactsList {
    data: Vec<ContactId>,
}

#[derive(Default, Deserialize)]
struct AuthErrorMessage {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Turns every status but 200 into an error.
pub(crate) fn check_status(response: &Response<Bytes>) -> Result<(), Error> {
    let status = response.status();
    let reference = reference(response.headers());
    match status {
        StatusCode::OK => Ok(()),
        StatusCode::TOO_MANY_REQUESTS => Err(unavailable(response, reference)),
        _ if status.is_server_error() => Err(unavailable(response, reference)),
        _ if status.is_client_error() => {
            // Some refusals have no body, and what is in front of the server may send HTML.
            let told: AuthErrorMessage = serde_json::from_slice(response.body()).unwrap_or_default();
            let (code, sentence) = in_our_words(status.as_u16());
            Err(Error::Refused {
                status: status.as_u16(),
                error: printable(&told.error, MAX_CODE).unwrap_or_else(|| code.into()),
                description: with_clock(
                    response,
                    printable(&told.error_description, MAX_DESCRIPTION).unwrap_or_else(|| sentence.into()),
                ),
                reference,
            })
        }
        _ => Err(ProtocolError::Status(status.as_u16()).into()),
    }
}

/// A refusal's sentence, and that clocks are apart if that was seen.
pub(crate) fn with_clock(response: &Response<Bytes>, sentence: String) -> String {
    match response.extensions().get::<Apart>() {
        Some(apart) => sentence + &apart.to_string(),
        None => sentence,
    }
}

/// Reads JSON. The reader's own message is dropped: it quotes the value it stumbled over, which may be a
/// token.
pub(crate) fn json<T: DeserializeOwned>(body: &[u8], expected: &'static str) -> Result<T, Error> {
    serde_json::from_slice(body)
        .map_err(|error| ProtocolError::Body { expected, line: error.line(), column: error.column() }.into())
}

pub(crate) fn unavailable(response: &Response<Bytes>, reference: Option<String>) -> Error {
    let seconds =
        response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
    Error::Unavailable {
        status: response.status().as_u16(),
        retry_after: seconds.map(|seconds| Duration::from_secs(seconds.into())),
        reference,
    }
}

/// The contract's statuses that come without a body.
fn in_our_words(status: u16) -> (&'static str, &'static str) {
    match status {
        495 => ("certificate_error", "the server does not accept the certificate that was sent"),
        496 => ("certificate_required", "this application must send its certificate and sent none"),
        497 => ("https_required", "plain HTTP was sent to a TLS port; use https:// in the issuer"),
        404 => ("not_found", "the server has no such endpoint; check the issuer"),
        _ => ("unknown", "the server gave no reason"),
    }
}

/// 22 characters of base64url; anything else that could stand in a log is kept too, up to 64.
pub(crate) fn reference(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("procura-reference")?.to_str().ok()?;
    (1..=64).contains(&text.len()).then(|| text.to_owned())
}

/// What an answer says, made fit for a log: no control characters, bounded. `None` for nothing.
pub(crate) fn printable(text: &str, most: usize) -> Option<String> {
    let clean: String =
        text.chars().take(most).map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect();
    (!clean.trim().is_empty()).then_some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
        let mut builder = Response::builder().status(status);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(Bytes::from(body.to_owned())).unwrap()
    }

    fn token_error(status: u16, headers: &[(&str, &str)], body: &str) -> Error {
        parse_token_response(answer(status, headers, body)).unwrap_err()
    }

    #[test]
    fn a_token_answer_is_read() {
        let body = r#"{"access_token":"a","expires_in":"3600","id_token":"i","token_type":"Bearer"}"#;
        let token = parse_token_response(answer(200, &[], body)).unwrap();
        assert_eq!(token.access_token.unwrap().expose(), "a");
        assert_eq!(token.expires_in, Some(Duration::from_secs(3600)));
    }

    #[test]
    fn an_answer_that_opens_nothing_is_refused() {
        for (body, missing) in
            [(r#"{"token_type":"Bearer"}"#, "access_token"), (r#"{"access_token":"a"}"#, "token_type")]
        {
            let error = token_error(200, &[], body);
            assert!(
                matches!(error, Error::Protocol(ProtocolError::Missing(name)) if name == missing),
                "{error}"
            );
        }
        let empty = token_error(200, &[], r#"{"access_token":"","token_type":"Bearer"}"#);
        assert!(matches!(empty, Error::Protocol(ProtocolError::Value { name: "access_token", .. })));
    }

    #[test]
    fn an_error_about_a_body_never_quotes_the_body() {
        for body in [
            r#"{"access_token":"a","expires_in":"hunter2","token_type":"Bearer"}"#,
            r#"{"access_token":"a","token_type":"hunter2"}"#,
            r#"{"access_token":["hunter2"]}"#,
            r#"{"access_token":{"hunter2":1}}"#,
            r#""hunter2""#,
            "hunter2",
        ] {
            let error = token_error(200, &[], body);
            assert!(matches!(error, Error::Protocol(ProtocolError::Body { .. })), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn a_refusal_carries_code_sentence_and_reference() {
        let body = r#"{"error":"invalid_grant","error_description":"can't act for this contact"}"#;
        match token_error(400, &[("Procura-Reference", "AAAAAAAAAAAAAAAAAAAAAA")], body) {
            Error::Refused { status: 400, error, description, reference } => {
                assert_eq!(error, "invalid_grant");
                assert_eq!(description, "can't act for this contact");
                assert_eq!(reference.as_deref(), Some("AAAAAAAAAAAAAAAAAAAAAA"));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn refusals_without_a_body_are_told_in_our_words() {
        for (status, code) in
            [(495, "certificate_error"), (496, "certificate_required"), (497, "https_required")]
        {
            match token_error(status, &[], "<html>") {
                Error::Refused { error, .. } => assert_eq!(error, code),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_a_refusal_says_is_bounded_and_holds_no_control_characters() {
        let body = format!(r#"{{"error":"a\u001b[31m\n","error_description":"{}"}}"#, "x".repeat(5_000));
        match token_error(400, &[("procura-reference", &"r".repeat(65))], &body) {
            Error::Refused { error, description, reference, .. } => {
                assert_eq!(error, "a\u{fffd}[31m\u{fffd}");
                assert_eq!(description.len(), MAX_DESCRIPTION);
                assert_eq!(reference, None);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn too_many_and_unavailable_carry_how_long_to_wait() {
        for status in [429, 503] {
            let error = token_error(status, &[("Retry-After", "7")], "");
            assert!(
                matches!(&error, Error::Unavailable { retry_after: Some(wait), .. } if wait.as_secs() == 7),
                "{error}"
            );
            assert!(error.is_passing());
        }
        let dated = token_error(503, &[("Retry-After", "Wed, 21 Oct 2037 07:28:00 GMT")], "");
        assert!(matches!(dated, Error::Unavailable { retry_after: None, .. }));
        assert!(!token_error(500, &[], "").is_passing());
    }

    #[test]
    fn a_redirect_is_not_an_answer() {
        for status in [204, 301, 302] {
            let error = token_error(status, &[("Location", "https://elsewhere.example")], "");
            assert!(matches!(error, Error::Protocol(ProtocolError::Status(s)) if s == status), "{error}");
        }
    }

    #[test]
    fn contacts_are_read_whole_and_by_page() {
        let all = parse_contacts_response(answer(200, &[], r#"{"data":["c1","c2"]}"#)).unwrap();
        assert_eq!(all, ["c1", "c2"].map(|id| ContactId::parse(id).unwrap()));
        assert!(parse_contacts_response(answer(200, &[], r#"{"data":["app_1"]}"#)).is_err());

        let first = Page { number: 1.try_into().unwrap(), size: 2 };
        let page = |total| answer(200, &[("x-total-count", total)], r#"{"data":["c1","c2"]}"#);
        let read = parse_contacts_page_response(page("3"), first).unwrap();
        assert_eq!((read.total, read.next.map(|page| page.number.get())), (3, Some(2)));
        assert_eq!(parse_contacts_page_response(page("2"), first).unwrap().next, None);
        assert!(parse_contacts_page_response(page("many"), first).is_err());
        let empty = answer(200, &[("x-total-count", "9")], r#"{"data":[]}"#);
        assert_eq!(
            parse_contacts_page_response(empty, first).unwrap().next,
            None,
            "an empty page is the end"
        );
    }
}
