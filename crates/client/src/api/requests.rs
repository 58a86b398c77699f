//! The requests to the API, built without sending them.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use http::{HeaderName, HeaderValue, Method, Request};
use procura_protocol::ids::{ClientId, ContactId};
use procura_protocol::paths;

use super::records::ETag;
use super::update::ContactUpdate;
use crate::dpop::Unproved;
use crate::issuer::Issuer;
use crate::request::{push_segment, request};
use crate::response::PostTokenForContactResponse;
use crate::transport::ResponseLimit;

/// Most bytes of a token's clients, of which there are at most 64.
const CLIENTS_LIMIT: ResponseLimit = ResponseLimit(1024 * 1024);
/// Most bytes of a client's contacts: some ten thousand of them.
const CONTACTS_LIMIT: ResponseLimit = ResponseLimit(32 * 1024 * 1024);
/// Most bytes of one contact, or of the answer to a change.
const CONTACT_LIMIT: ResponseLimit = ResponseLimit(64 * 1024);

const X_CONTACT_ID: HeaderName = HeaderName::from_static("x-contact-id");

/// Requests that carry one token of one contact (contract, chapter 4).
///
/// Each says for whom it is made (`X-Contact-ID`), so that a token that was mixed up is refused and does
/// not act for somebody else. With a token that is bound to a key each must go through
/// [`crate::Application::prove`] before it is sent.
#[derive(Debug)]
pub struct ApiRequests {
    issuer: Issuer,
    contact: ContactId,
    /// Marked sensitive, so its `Debug` is `Sensitive`.
    authorization: HeaderValue,
    /// Of a token that is bound to a key: a proof must follow in each.
    unproved: Option<Unproved>,
}

impl ApiRequests {
    /// Requests with the token of a response to a request for `contact`. `None` when the token is absent or
    /// can't stand in a header.
    pub fn new(
        issuer: Issuer,
        contact: ContactId,
        response: &PostTokenForContactResponse,
    ) -> Option<ApiRequests> {
        let (authorization, unproved) = (response.authorization()?, Unproved::with(response));
        Some(ApiRequests { issuer, contact, authorization, unproved })
    }

    /// `GET /clients`. Read the answer with [`crate::parse_clients_response`].
    pub fn clients_request(&self) -> Request<Bytes> {
        self.request(Method::GET, paths::CLIENTS, CLIENTS_LIMIT)
    }

    /// `GET /contacts`. Read the answer with [`crate::parse_contacts_of_client_response`].
    pub fn contacts_request(&self, client: &ClientId) -> Request<Bytes> {
        let mut path = String::from(paths::CONTACTS);
        push_client(&mut path, client);
        self.request(Method::GET, &path, CONTACTS_LIMIT)
    }

    /// `GET /contacts/{contact_id}`. Read the answer with [`crate::parse_contact_response`].
    pub fn contact_request(&self, client: &ClientId, contact: &ContactId) -> Request<Bytes> {
        self.request(Method::GET, &contact_path(client, contact), CONTACT_LIMIT)
    }

    /// `PATCH /contacts/{contact_id}`, with `If-Match` if there is a tag. Read the answer with
    /// [`crate::parse_contact_update_response`].
    pub fn contact_update_request(
        &self,
        client: &ClientId,
        contact: &ContactId,
        update: &ContactUpdate,
        if_match: Option<&ETag>,
    ) -> Request<Bytes> {
        let mut request = self.request(Method::PATCH, &contact_path(client, contact), CONTACT_LIMIT);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(tag) = if_match {
            request.headers_mut().insert(IF_MATCH, tag.to_header());
        }
        *request.body_mut() = Bytes::from(update.to_json());
        request
    }

    fn request(&self, method: Method, path: &str, limit: ResponseLimit) -> Request<Bytes> {
        let mut request = request(method, self.issuer.endpoint(path), limit);
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        if let Some(unproved) = &self.unproved {
            request.extensions_mut().insert(unproved.clone());
        }
        if let Ok(contact) = HeaderValue::from_str(self.contact.as_str()) {
            request.headers_mut().insert(X_CONTACT_ID, contact);
        }
        request
    }
}

fn contact_path(client: &ClientId, contact: &ContactId) -> String {
    let mut path = format!("{}/", paths::CONTACTS);
    push_segment(&mut path, contact.as_str());
    push_client(&mut path, client);
    path
}

fn push_client(path: &mut String, client: &ClientId) {
    path.push_str("?client_id=");
    push_segment(path, client.as_str());
}

#[cfg(test)]
mod tests {
    use procura_protocol::permission::Permission;

    use super::*;
    use crate::response::{Token, TokenType};

    fn requests() -> ApiRequests {
        let response = PostTokenForContactResponse {
            access_token: Some(Token::from(String::from("hunter2"))),
            token_type: Some(TokenType::Bearer),
            ..Default::default()
        };
        let issuer = Issuer::parse("https://token.example/bank").unwrap();
        ApiRequests::new(issuer, ContactId::parse("CON1").unwrap(), &response).unwrap()
    }

    #[test]
    fn every_request_carries_the_token_and_says_for_whom_it_is_made() {
        let (client, contact) = (ClientId::parse("CLI.1").unwrap(), ContactId::parse("CON-2").unwrap());
        let update = ContactUpdate::new().permission(Permission::Trade, true);
        let requests = requests();
        let all = [
            (requests.clients_request(), "GET /bank/clients"),
            (requests.contacts_request(&client), "GET /bank/contacts?client_id=CLI.1"),
            (requests.contact_request(&client, &contact), "GET /bank/contacts/CON-2?client_id=CLI.1"),
            (
                requests.contact_update_request(&client, &contact, &update, None),
                "PATCH /bank/contacts/CON-2?client_id=CLI.1",
            ),
        ];
        for (request, line) in &all {
            let path = request.uri().path_and_query().unwrap();
            assert_eq!(format!("{} {path}", request.method()), *line);
            assert_eq!(request.headers()[AUTHORIZATION], "Bearer hunter2");
            assert_eq!(request.headers()["x-contact-id"], "CON1");
            assert!(!request.headers().contains_key(IF_MATCH));
        }
        assert!(!format!("{requests:?} {all:?}").contains("hunter2"));
    }

    #[test]
    fn a_change_is_json_under_the_tag_of_what_was_read() {
        let (client, contact) = (ClientId::parse("CLI1").unwrap(), ContactId::parse("CON2").unwrap());
        let update = ContactUpdate::new().online_access(false);
        let tag = ETag::parse("\"7\"").unwrap();
        let request = requests().contact_update_request(&client, &contact, &update, Some(&tag));
        assert_eq!(request.headers()[IF_MATCH], "\"7\"");
        assert_eq!(request.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(request.body(), r#"{"has_online_access":false}"#);
    }
}
