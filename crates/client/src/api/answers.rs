//! The answers of the API, read without having received them.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use http::header::ETAG;
use http::{HeaderMap, Response, StatusCode};
use procura_protocol::ids::ContactId;
use serde::Deserialize;

use super::challenge::of_token;
use super::records::{Client, Contact, ETag};
use crate::answer::{MAX_CODE, MAX_DESCRIPTION, json, printable, reference, unavailable, with_clock};
use crate::error::{Error, ProtocolError, told};

/// Most members that a refusal may speak of, and most messages about each, that are kept.
const MAX_FIELDS: usize = 64;
const MAX_MESSAGES: usize = 16;

/// A refusal of the API (contract, chapter 4: ErrorMessage).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiRefusal {
    /// The HTTP status.
    pub status: u16,
    /// `code`, for programs, for instance `client_not_allowed`; with status 401 what `WWW-Authenticate`
    /// says, for instance `invalid_token`.
    pub code: String,
    /// `message`, for people.
    pub message: String,
    /// `details`: what is wrong with which member or parameter; empty where it is with none.
    pub fields: BTreeMap<String, Vec<String>>,
    /// `Procura-Reference`: the server's operator can explain the refusal by it.
    pub reference: Option<String>,
}

impl fmt::Display for ApiRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "with {} (status {}): {}", self.code, self.status, self.message)?;
        for (name, messages) in &self.fields {
            write!(f, "; {name}: {}", messages.join(", "))?;
        }
        f.write_str(&told(&self.reference))
    }
}

/// Reads the answer to [`crate::ApiRequests::clients_request`].
///
/// # Errors
///
/// [`Error::Api`], [`Error::Unavailable`], or [`Error::Protocol`] when the body is not a list of clients.
#[expect(clippy::needless_pass_by_value, reason = "one shape for all answers")]
pub fn parse_clients_response(response: Response<Bytes>) -> Result<Vec<Client>, Error> {
    read(&response)?;
    json(response.body(), "a list of clients")
}

/// Reads the answer to [`crate::ApiRequests::contacts_request`].
///
/// # Errors
///
/// [`Error::Api`], [`Error::Unavailable`], or [`Error::Protocol`] when the body is not a list of contacts.
#[expect(clippy::needless_pass_by_value, reason = "one shape for all answers")]
pub fn parse_contacts_of_client_response(response: Response<Bytes>) -> Result<Vec<Contact>, Error> {
    read(&response)?;
    json(response.body(), "a list of a client's contacts")
}

/// Reads the answer to [`crate::ApiRequests::contact_request`] for the same `contact`.
///
/// # Errors
///
/// [`Error::Api`], [`Error::Unavailable`], or [`Error::Protocol`] when the body is not this contact or there
/// is no `ETag`.
#[expect(clippy::needless_pass_by_value, reason = "one shape for all answers")]
pub fn parse_contact_response(
    response: Response<Bytes>,
    contact: &ContactId,
) -> Result<(Contact, ETag), Error> {
    read(&response)?;
    let found: Contact = json(response.body(), "a contact")?;
    if found.contact_id != *contact {
        return Err(ProtocolError::Value { name: "contact_id", why: "is another contact" }.into());
    }
    let bad = ProtocolError::Value { name: "etag", why: "is missing or not one entity tag" };
    Ok((found, tag(response.headers()).ok_or(bad)?))
}

/// Reads the answer to [`crate::ApiRequests::contact_update_request`]: the tag of what the contact is now,
/// if the server tells it.
///
/// # Errors
///
/// [`Error::Conflict`], [`Error::Api`], [`Error::Unavailable`], or [`Error::Protocol`].
#[expect(clippy::needless_pass_by_value, reason = "one shape for all answers")]
pub fn parse_contact_update_response(response: Response<Bytes>) -> Result<Option<ETag>, Error> {
    changed(&response)?;
    Ok(tag(response.headers()))
}

fn tag(headers: &HeaderMap) -> Option<ETag> {
    let mut tags = headers.get_all(ETAG).iter();
    match (tags.next(), tags.next()) {
        (Some(tag), None) => ETag::parse(tag.to_str().ok()?).ok(),
        _ => None,
    }
}

/// Judges the answer to a question.
pub(super) fn read(response: &Response<Bytes>) -> Result<(), Error> {
    check(response, StatusCode::OK)
}

/// Judges the answer to a change.
pub(super) fn changed(response: &Response<Bytes>) -> Result<(), Error> {
    check(response, StatusCode::NO_CONTENT)
}

fn check(response: &Response<Bytes>, success: StatusCode) -> Result<(), Error> {
    let status = response.status();
    match status {
        _ if status == success => Ok(()),
        StatusCode::TOO_MANY_REQUESTS => Err(unavailable(response, reference(response.headers()))),
        _ if status.is_server_error() => Err(unavailable(response, reference(response.headers()))),
        StatusCode::CONFLICT => Err(Error::Conflict(refusal(response))),
        _ if status.is_client_error() => Err(Error::Api(refusal(response))),
        _ => Err(ProtocolError::Status(status.as_u16()).into()),
    }
}

/// An ErrorMessage, or the AuthErrorMessage of what was refused before the API was asked.
#[derive(Default, Deserialize)]
struct Told {
    #[serde(default, alias = "error")]
    code: String,
    #[serde(default, alias = "error_description")]
    message: String,
    #[serde(default)]
    details: String,
}

fn refusal(response: &Response<Bytes>) -> ApiRefusal {
    // Some refusals have no body, and what is in front of the server may send HTML.
    let mut told: Told = serde_json::from_slice(response.body()).unwrap_or_default();
    let status = response.status();
    if status == StatusCode::UNAUTHORIZED {
        told = from_challenge(response.headers());
    }
    let (code, sentence) = in_our_words(status.as_u16());
    ApiRefusal {
        status: status.as_u16(),
        code: printable(&told.code, MAX_CODE).unwrap_or_else(|| code.into()),
        message: with_clock(
            response,
            printable(&told.message, MAX_DESCRIPTION).unwrap_or_else(|| sentence.into()),
        ),
        fields: fields(&told.details),
        reference: reference(response.headers()),
    }
}

/// A 401 has no body; its header says why.
fn from_challenge(headers: &HeaderMap) -> Told {
    let challenge = of_token(headers).unwrap_or_default();
    Told {
        code: challenge.error.unwrap_or_default(),
        message: challenge.description.unwrap_or_default(),
        details: String::new(),
    }
}

fn in_our_words(status: u16) -> (&'static str, &'static str) {
    match status {
        401 => ("unauthorized", "the API does not take the token"),
        404 => ("not_found", "there is no such contact for this client"),
        409 => ("conflict", "it was changed since it was read"),
        _ => ("unknown", "the server gave no reason"),
    }
}

/// `details`: the JSON text of an object of lists; anything else is left out.
fn fields(details: &str) -> BTreeMap<String, Vec<String>> {
    let told: BTreeMap<String, Vec<String>> = serde_json::from_str(details).unwrap_or_default();
    let clean = |messages: Vec<String>| -> Vec<String> {
        messages.iter().take(MAX_MESSAGES).filter_map(|text| printable(text, MAX_DESCRIPTION)).collect()
    };
    told.into_iter()
        .take(MAX_FIELDS)
        .filter_map(|(name, messages)| Some((printable(&name, MAX_CODE)?, clean(messages))))
        .collect()
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

    fn refused(status: u16, headers: &[(&str, &str)], body: &str) -> ApiRefusal {
        match parse_clients_response(answer(status, headers, body)).unwrap_err() {
            Error::Api(refusal) => refusal,
            other => panic!("{other:?}"),
        }
    }

    fn contact() -> ContactId {
        ContactId::parse("CON1").unwrap()
    }

    #[test]
    fn a_refusal_carries_code_message_and_what_is_wrong_with_which_member() {
        let body = r#"{"code":"validation_error","message":"Two members can't be taken.",
            "details":"{\"language\":[\"is not two small letters\"],\"locale\":[\"a\",\"b\"]}"}"#;
        let refusal = refused(400, &[("Procura-Reference", "abc")], body);
        assert_eq!((refusal.status, refusal.code.as_str()), (400, "validation_error"));
        assert_eq!(refusal.fields["language"], ["is not two small letters"]);
        assert_eq!(
            Error::Api(refusal).to_string(),
            "the API refused with validation_error (status 400): Two members can't be taken.; language: is not \
             two small letters; locale: a, b [reference abc]"
        );
    }

    #[test]
    fn details_that_are_no_list_per_field_are_left_out() {
        for details in ["", "free text", "[1]", r#"{\"a\":\"b\"}"#, r#"{\"a\":[1]}"#] {
            let body = format!(r#"{{"code":"x","message":"y","details":"{details}"}}"#);
            assert!(refused(400, &[], &body).fields.is_empty(), "{details}");
        }
    }

    #[test]
    fn a_401_says_why_in_its_header_and_only_there() {
        let header = r#"Bearer realm="x", error="invalid_token", error_description="It was revoked.""#;
        let refusal = refused(401, &[("WWW-Authenticate", header)], r#"{"code":"other","message":"m"}"#);
        assert_eq!((refusal.code.as_str(), refusal.message.as_str()), ("invalid_token", "It was revoked."));
        assert!(Error::Api(refusal).is_about_the_token());
        for other in [
            refused(401, &[], r#"{"code":"invalid_token"}"#),
            refused(403, &[], r#"{"code":"invalid_token"}"#),
        ] {
            assert!(!Error::Api(other).is_about_the_token());
        }
    }

    #[test]
    fn what_was_refused_before_the_api_was_asked_is_read_too() {
        let body = r#"{"error":"invalid_request","error_description":"There is nothing at this path."}"#;
        assert_eq!(refused(404, &[], body).code, "invalid_request");
        assert_eq!(refused(404, &[], "<html>").code, "not_found");
    }

    #[test]
    fn what_a_refusal_says_is_bounded_and_holds_no_control_characters() {
        let many: Vec<String> = (0..200).map(|n| format!(r#"\"f{n}\":[\"\\u001b[31m\"]"#)).collect();
        let body = format!(
            r#"{{"code":"\u001b","message":"{}","details":"{{{}}}"}}"#,
            "x".repeat(5_000),
            many.join(",")
        );
        let refusal = refused(400, &[], &body);
        assert_eq!((refusal.message.len(), refusal.fields.len()), (MAX_DESCRIPTION, MAX_FIELDS));
        assert!(!format!("{refusal}").contains('\u{1b}'));
    }

    #[test]
    fn a_conflict_is_an_error_of_its_own_and_a_change_is_a_204() {
        let body = r#"{"code":"stale","message":"It was changed.","details":""}"#;
        let conflict = parse_contact_update_response(answer(409, &[], body)).unwrap_err();
        assert!(matches!(&conflict, Error::Conflict(refusal) if refusal.code == "stale"), "{conflict}");
        assert_eq!(parse_contact_update_response(answer(204, &[], "")).unwrap(), None);
        let tagged = parse_contact_update_response(answer(204, &[("ETag", "\"8\"")], "")).unwrap();
        assert_eq!(tagged, Some(ETag::parse("\"8\"").unwrap()));
        for status in [200, 202, 302] {
            let error = parse_contact_update_response(answer(status, &[], "")).unwrap_err();
            assert!(matches!(error, Error::Protocol(ProtocolError::Status(s)) if s == status), "{error}");
        }
    }

    #[test]
    fn too_many_and_unavailable_carry_how_long_to_wait() {
        for status in [429, 503] {
            let error = parse_clients_response(answer(status, &[("Retry-After", "7")], "")).unwrap_err();
            assert!(
                matches!(&error, Error::Unavailable { retry_after: Some(wait), .. } if wait.as_secs() == 7)
            );
            assert!(error.is_passing());
        }
    }

    #[test]
    fn a_contact_comes_with_its_tag_and_is_the_one_that_was_asked_for() {
        let body = r#"{"contact_id":"CON1","email_address":"a@b.example"}"#;
        let (found, tag) =
            parse_contact_response(answer(200, &[("ETag", "\"7\"")], body), &contact()).unwrap();
        assert_eq!((found.contact_id, tag.as_str()), (contact(), "\"7\""));
        for tags in [&[][..], &[("ETag", "7")], &[("ETag", "\"7\""), ("ETag", "\"7\"")]] {
            assert!(parse_contact_response(answer(200, tags, body), &contact()).is_err(), "{tags:?}");
        }
        let other = ContactId::parse("CON2").unwrap();
        assert!(parse_contact_response(answer(200, &[("ETag", "\"7\"")], body), &other).is_err());
    }

    #[test]
    fn clients_and_contacts_are_plain_lists() {
        let clients = r#"[{"client_id":"CLI1","client_name":"One","brand_name":"Bank","status":"Active"}]"#;
        assert_eq!(parse_clients_response(answer(200, &[], clients)).unwrap()[0].client_name, "One");
        let contacts = r#"[{"contact_id":"CON1"},{"contact_id":"CON2"}]"#;
        assert_eq!(parse_contacts_of_client_response(answer(200, &[], contacts)).unwrap().len(), 2);
        assert!(parse_clients_response(answer(200, &[], r#"{"data":[]}"#)).is_err());
    }

    #[test]
    fn an_error_about_a_body_never_quotes_the_body() {
        let error = parse_clients_response(answer(200, &[], r#"[{"client_id":"hunter 2"}]"#)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter"), "{error:?}");
    }
}
