//! What must agree across the files of this crate.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use procura_protocol::basic::{Authorization, read_authorization};
use procura_protocol::claims::{
    ACR_UNATTENDED, AccessTokenClaims, ClientClaim, IdTokenClaims, OwnedAccessTokenClaims,
    OwnedIdTokenClaims, group_by_permissions,
};
use procura_protocol::contact_token::{ContactTokenRequest, MAX_CLIENTS};
use procura_protocol::error::{AuthErrorMessage, ErrorCode, is_description};
use procura_protocol::metadata::Metadata;
use procura_protocol::permission::Permissions;
use procura_protocol::scope::RequestedScope;
use procura_protocol::time::UnixSeconds;
use proptest::prelude::*;

/// Escapes as RFC 6749 appendix B asks an application to.
fn form_encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'*');
    let escape = |byte: u8| match byte {
        b' ' => String::from("+"),
        byte if plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

proptest! {
    #[test]
    fn an_application_names_itself_alike_by_basic_and_by_form(id in "\\PC{1,20}", secret in "\\PC{1,30}") {
        let (id_half, secret_half) = (form_encode(&id), form_encode(&secret));
        let header = format!("Basic {}", STANDARD.encode(format!("{id_half}:{secret_half}")));
        let body = format!("client_id={id_half}&client_secret={secret_half}");

        let Authorization::Basic(basic) = read_authorization([header.as_bytes()]) else {
            panic!("not read: {header}");
        };
        let form = ContactTokenRequest::parse(body.as_bytes(), b"").unwrap().credentials;
        prop_assert_eq!(&basic.id, &id);
        prop_assert_eq!(form.client_id.unwrap(), id);
        prop_assert_eq!(basic.secret.expose(), secret.as_bytes());
        let form_secret = form.client_secret.unwrap();
        prop_assert_eq!(form_secret.expose(), secret.as_bytes());
    }

    #[test]
    fn both_tokens_of_a_pair_name_the_same_contact_actor_and_clients(
        clients in prop::collection::btree_map("c[a-z0-9._-]{0,8}", 0u16..1 << 10, 1..MAX_CLIENTS),
    ) {
        let of = |bits: u16| Permissions::from_bits(bits).unwrap();
        let list: Vec<_> = clients.keys()
            .map(|id| ClientClaim { client_id: id, client_name: "A" })
            .collect();
        let groups = group_by_permissions(clients.iter().map(|(id, bits)| (id.as_str(), of(*bits))));
        let id_token = IdTokenClaims {
            issuer: "https://procura.example",
            contact_id: "con.1",
            application_id: "app_1",
            issued_at: UnixSeconds(1),
            expires_at: UnixSeconds(2),
            token_id: "a",
            clients: &list,
        };
        let access_token = AccessTokenClaims {
            issuer: "https://procura.example",
            contact_id: "con.1",
            resource_id: "https://procura.example/api",
            application_id: "app_1",
            issued_at: UnixSeconds(1),
            expires_at: UnixSeconds(2),
            token_id: "b",
            directory_version: 7,
            mandates: &groups,
            bound_to: None,
        };
        let id_token: OwnedIdTokenClaims = serde_json::from_slice(&id_token.to_json()).unwrap();
        let access_token: OwnedAccessTokenClaims = serde_json::from_slice(&access_token.to_json()).unwrap();

        prop_assert_eq!(&id_token.sub, &access_token.sub);
        prop_assert_eq!(&id_token.act, &access_token.act);
        prop_assert_eq!(&id_token.aud, &access_token.client_id);
        prop_assert_eq!([&id_token.acr, &access_token.acr], [ACR_UNATTENDED; 2]);
        let mut named: Vec<_> = access_token.mandates.iter().flat_map(|group| &group.clients).collect();
        named.sort();
        prop_assert!(named.into_iter().eq(id_token.clients.iter().map(|client| &client.client_id)));
        let scope = RequestedScope::parse(&access_token.scope).unwrap();
        let common = access_token.mandates.iter().fold(Permissions::ALL, |all, group| all & group.permissions);
        prop_assert_eq!(scope.permissions().unwrap_or(Permissions::NONE), common);
    }

    #[test]
    fn any_bytes_asked_for_are_read_or_refused_with_one_of_two_codes(
        body in prop::collection::vec(any::<u8>(), 0..200),
        query in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        if let Err(error) = ContactTokenRequest::parse(&body, &query) {
            let message = AuthErrorMessage::from(error);
            prop_assert!(matches!(message.error, ErrorCode::InvalidRequest | ErrorCode::InvalidScope));
            prop_assert_eq!(message.status(), 400);
            prop_assert!(is_description(&message.error_description));
            prop_assert!(message.error_description.ends_with('.'));
        }
    }
}

#[test]
fn every_scope_in_the_metadata_can_be_asked_for() {
    for scope in Metadata::new("https://procura.example").scopes_supported {
        assert!(RequestedScope::parse(&scope).is_ok(), "{scope}");
    }
}
