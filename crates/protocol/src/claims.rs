//! The claims of the two tokens of a contact token (contract, chapter 1), and of an application's own.
//!
//! [`IdTokenClaims`], [`AccessTokenClaims`] and [`ApplicationTokenClaims`] borrow, and are written once for
//! every token.
//! [`OwnedIdTokenClaims`] and [`OwnedAccessTokenClaims`] are the same claims as somebody reads them.
//!
//! What must agree is stored once: `act.sub` is the application wherever there is one, `acr` is a
//! constant, and `scope` follows from the mandates, so that no caller can make them differ.

use serde::{Deserialize, Serialize};

use crate::confirmation::Binding;
use crate::ids::{ApplicationId, ClientId, ContactId, ResourceId};
use crate::json::{push_integer, push_string};
use crate::permission::{Permission, Permissions};
use crate::scope::OPENID;
use crate::time::UnixSeconds;

/// `acr` of every contact token: nobody was at the keyboard.
pub const ACR_UNATTENDED: &str = "urn:procura:acr:unattended";

/// `typ` of the ID token's JOSE header (RFC 7519 5.1).
pub const ID_TOKEN_TYPE: &str = "JWT";

/// `typ` of the access token's JOSE header (RFC 9068 2.1).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// One entry of the ID token's `clients`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientClaim<'a> {
    /// The client's id.
    pub client_id: &'a str,
    /// The client's name, any Unicode.
    pub client_name: &'a str,
}

/// The ID token's claims, to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdTokenClaims<'a> {
    /// `iss`, RFC 7519 4.1.1.
    pub issuer: &'a str,
    /// `sub`: the contact, RFC 7519 4.1.2.
    pub contact_id: &'a str,
    /// `aud` (RFC 7519 4.1.3) and `act.sub` (RFC 8693 4.1): the application.
    pub application_id: &'a str,
    /// `iat`, RFC 7519 4.1.6.
    pub issued_at: UnixSeconds,
    /// `exp`, RFC 7519 4.1.4.
    pub expires_at: UnixSeconds,
    /// `jti`, RFC 7519 4.1.7.
    pub token_id: &'a str,
    /// `clients`: whom the contact may act for, ordered by id.
    pub clients: &'a [ClientClaim<'a>],
}

impl IdTokenClaims<'_> {
    /// The JWT's payload.
    pub fn to_json(&self) -> Vec<u8> {
        let names: usize = self.clients.iter().map(|c| c.client_id.len() + c.client_name.len() + 36).sum();
        let mut out = Vec::with_capacity(288 + names + self.issuer.len() + self.contact_id.len());
        push_common(&mut out, self.issuer, self.contact_id, self.application_id);
        push_times(&mut out, self.issued_at, self.expires_at, self.token_id);
        push_actor(&mut out, self.application_id);
        out.extend_from_slice(br#","clients":["#);
        for (position, client) in self.clients.iter().enumerate() {
            out.extend_from_slice(if position == 0 { br#"{"client_id":"# } else { br#",{"client_id":"# });
            push_string(&mut out, client.client_id);
            out.extend_from_slice(br#","client_name":"#);
            push_string(&mut out, client.client_name);
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
        out
    }
}

/// Clients for which a token gives the same permissions: one entry of `mandates`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MandateGroup<'a> {
    /// Client ids, alphabetical.
    pub clients: Vec<&'a str>,
    /// What the token allows for each of them.
    pub permissions: Permissions,
}

/// Groups clients that are sorted by id by equal permissions; the groups are ordered by their first client.
pub fn group_by_permissions<'a>(
    clients: impl IntoIterator<Item = (&'a str, Permissions)>,
) -> Vec<MandateGroup<'a>> {
    let mut groups: Vec<MandateGroup<'a>> = Vec::new();
    for (client, permissions) in clients {
        match groups.iter_mut().find(|group| group.permissions == permissions) {
            Some(group) => group.clients.push(client),
            None => groups.push(MandateGroup { clients: vec![client], permissions }),
        }
    }
    groups
}

/// The permissions that every client of `mandates` has; of no clients, none.
pub fn common_permissions(mandates: &[MandateGroup<'_>]) -> Permissions {
    mandates.iter().map(|group| group.permissions).reduce(|a, b| a & b).unwrap_or(Permissions::NONE)
}

/// The access token's claims (RFC 9068 2.2), to be written. `scope` follows from `mandates`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessTokenClaims<'a> {
    /// `iss`, RFC 7519 4.1.1.
    pub issuer: &'a str,
    /// `sub`: the contact, RFC 7519 4.1.2.
    pub contact_id: &'a str,
    /// `aud`: the resource, RFC 7519 4.1.3.
    pub resource_id: &'a str,
    /// `client_id` (RFC 9068 2.2) and `act.sub` (RFC 8693 4.1): the application.
    pub application_id: &'a str,
    /// `iat`, RFC 7519 4.1.6.
    pub issued_at: UnixSeconds,
    /// `exp`, RFC 7519 4.1.4.
    pub expires_at: UnixSeconds,
    /// `jti`, RFC 7519 4.1.7.
    pub token_id: &'a str,
    /// `dv`: the version of the directory that the decision was made on.
    pub directory_version: u64,
    /// `mandates`, as [`group_by_permissions`] makes them.
    pub mandates: &'a [MandateGroup<'a>],
    /// `cnf`, written only if there is one: without proof of it the token is worth nothing (RFC 8705 3.1,
    /// RFC 9449 6.1).
    pub bound_to: Option<Binding>,
}

impl AccessTokenClaims<'_> {
    /// The JWT's payload.
    pub fn to_json(&self) -> Vec<u8> {
        let scope = common_permissions(self.mandates);
        let mut out = Vec::with_capacity(512 + self.issuer.len() + self.mandates_capacity());
        push_common(&mut out, self.issuer, self.contact_id, self.resource_id);
        push_times(&mut out, self.issued_at, self.expires_at, self.token_id);
        out.extend_from_slice(br#","client_id":"#);
        push_string(&mut out, self.application_id);
        out.extend_from_slice(br#","scope":""#);
        push_scope(&mut out, scope);
        out.push(b'"');
        push_actor(&mut out, self.application_id);
        push_version(&mut out, self.directory_version);
        out.extend_from_slice(br#","mandates":["#);
        for (position, group) in self.mandates.iter().enumerate() {
            out.extend_from_slice(if position == 0 { br#"{"clients":"# } else { br#",{"clients":"# });
            push_strings(&mut out, group.clients.iter().copied());
            out.extend_from_slice(br#","permissions":"#);
            push_strings(&mut out, group.permissions.iter().map(Permission::name));
            out.push(b'}');
        }
        out.push(b']');
        push_confirmation(&mut out, self.bound_to);
        out.push(b'}');
        out
    }

    fn mandates_capacity(&self) -> usize {
        let group = |group: &MandateGroup<'_>| {
            let clients: usize = group.clients.iter().map(|client| client.len() + 3).sum();
            clients + 48 + group.permissions.iter().count() * 34
        };
        self.mandates.iter().map(group).sum()
    }
}

/// The claims of an application's own access token (RFC 9068 2.2), to be written. There is nobody that it acts
/// for, and it gives no permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplicationTokenClaims<'a> {
    /// `iss`, RFC 7519 4.1.1.
    pub issuer: &'a str,
    /// `aud`: the resource, RFC 7519 4.1.3.
    pub resource_id: &'a str,
    /// `sub` and `client_id` (RFC 9068 2.2): the application.
    pub application_id: &'a str,
    /// `iat`, RFC 7519 4.1.6.
    pub issued_at: UnixSeconds,
    /// `exp`, RFC 7519 4.1.4.
    pub expires_at: UnixSeconds,
    /// `jti`, RFC 7519 4.1.7.
    pub token_id: &'a str,
    /// `dv`: the version of the directory that the decision was made on.
    pub directory_version: u64,
    /// `cnf`, written only if there is one.
    pub bound_to: Option<Binding>,
}

impl ApplicationTokenClaims<'_> {
    /// The JWT's payload.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(384 + self.issuer.len() + self.resource_id.len());
        push_common(&mut out, self.issuer, self.application_id, self.resource_id);
        push_times(&mut out, self.issued_at, self.expires_at, self.token_id);
        out.extend_from_slice(br#","client_id":"#);
        push_string(&mut out, self.application_id);
        push_version(&mut out, self.directory_version);
        push_confirmation(&mut out, self.bound_to);
        out.push(b'}');
        out
    }
}

fn push_common(out: &mut Vec<u8>, issuer: &str, subject: &str, audience: &str) {
    out.extend_from_slice(br#"{"iss":"#);
    push_string(out, issuer);
    out.extend_from_slice(br#","sub":"#);
    push_string(out, subject);
    out.extend_from_slice(br#","aud":"#);
    push_string(out, audience);
}

fn push_times(out: &mut Vec<u8>, issued_at: UnixSeconds, expires_at: UnixSeconds, token_id: &str) {
    out.extend_from_slice(br#","iat":"#);
    push_integer(out, issued_at.0);
    out.extend_from_slice(br#","exp":"#);
    push_integer(out, expires_at.0);
    out.extend_from_slice(br#","jti":"#);
    push_string(out, token_id);
}

/// `openid` and the permissions, as `scope` has them. No name needs escaping in JSON.
pub(crate) fn push_scope(out: &mut Vec<u8>, permissions: Permissions) {
    out.extend_from_slice(OPENID.as_bytes());
    for permission in permissions.iter() {
        out.push(b' ');
        out.extend_from_slice(permission.name().as_bytes());
    }
}

fn push_actor(out: &mut Vec<u8>, application: &str) {
    out.extend_from_slice(br#","act":{"sub":"#);
    push_string(out, application);
    out.extend_from_slice(br#"},"acr":""#);
    out.extend_from_slice(ACR_UNATTENDED.as_bytes());
    out.push(b'"');
}

fn push_version(out: &mut Vec<u8>, version: u64) {
    out.extend_from_slice(br#","dv":"#);
    // A version counts changes, so it never reaches the numbers where the cast would matter.
    push_integer(out, i64::try_from(version).unwrap_or(i64::MAX));
}

fn push_confirmation(out: &mut Vec<u8>, bound_to: Option<Binding>) {
    let Some(binding) = bound_to else { return };
    let certificate = binding.certificate().map(|certificate| ("x5t#S256", certificate.to_string()));
    let key = binding.key().map(|key| ("jkt", key.to_string()));
    out.extend_from_slice(br#","cnf":"#);
    for (position, (name, thumbprint)) in certificate.into_iter().chain(key).enumerate() {
        out.push(if position == 0 { b'{' } else { b',' });
        push_string(out, name);
        out.push(b':');
        push_string(out, &thumbprint);
    }
    out.push(b'}');
}

fn push_strings<'a>(out: &mut Vec<u8>, texts: impl Iterator<Item = &'a str>) {
    out.push(b'[');
    for (position, text) in texts.enumerate() {
        if position > 0 {
            out.push(b',');
        }
        push_string(out, text);
    }
    out.push(b']');
}

/// `act`: who acts for the subject (RFC 8693 4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedActor {
    /// The application.
    pub sub: ApplicationId,
}

/// One entry of a read ID token's `clients`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedClientClaim {
    /// The client's id.
    pub client_id: ClientId,
    /// The client's name.
    pub client_name: String,
}

/// The ID token's claims as they are read. Unknown members are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedIdTokenClaims {
    /// The issuer.
    pub iss: String,
    /// The contact.
    pub sub: ContactId,
    /// The application.
    pub aud: ApplicationId,
    /// When it was issued.
    pub iat: UnixSeconds,
    /// The first second in which it is no longer valid.
    pub exp: UnixSeconds,
    /// The token's id.
    pub jti: String,
    /// Who acts for the contact.
    pub act: OwnedActor,
    /// How the contact was authenticated: [`ACR_UNATTENDED`].
    pub acr: String,
    /// Whom the contact may act for, ordered by id.
    pub clients: Vec<OwnedClientClaim>,
}

/// One entry of a read access token's `mandates`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedMandateGroup {
    /// Client ids, alphabetical.
    pub clients: Vec<ClientId>,
    /// What the token allows for each of them.
    #[serde(with = "permission_names")]
    pub permissions: Permissions,
}

/// The access token's claims as they are read. Unknown members are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedAccessTokenClaims {
    /// The issuer.
    pub iss: String,
    /// The contact.
    pub sub: ContactId,
    /// The resource.
    pub aud: ResourceId,
    /// When it was issued.
    pub iat: UnixSeconds,
    /// The first second in which it is no longer valid.
    pub exp: UnixSeconds,
    /// The token's id.
    pub jti: String,
    /// The application.
    pub client_id: ApplicationId,
    /// `openid` and the permissions that every listed client has.
    pub scope: String,
    /// Who acts for the contact.
    pub act: OwnedActor,
    /// How the contact was authenticated: [`ACR_UNATTENDED`].
    pub acr: String,
    /// The version of the directory that the decision was made on.
    pub dv: u64,
    /// The clients, grouped by equal permissions.
    pub mandates: Vec<OwnedMandateGroup>,
    /// What it is bound to, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Binding>,
}

mod permission_names {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::permission::{Permission, Permissions};

    pub(super) fn serialize<S: Serializer>(set: &Permissions, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(set.iter().map(Permission::name))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Permissions, D::Error> {
        let names = Vec::<Cow<'de, str>>::deserialize(deserializer)?;
        names.iter().try_fold(Permissions::NONE, |set, name| {
            let permission = Permission::from_name(name);
            permission.map(|p| set.with(p)).ok_or_else(|| de::Error::custom("not one of the ten permissions"))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::confirmation::{CertificateThumbprint, KeyThumbprint};

    fn id_token<'a>(clients: &'a [ClientClaim<'a>]) -> IdTokenClaims<'a> {
        IdTokenClaims {
            issuer: "https://procura.example",
            contact_id: "con.1",
            application_id: "app_1",
            issued_at: UnixSeconds(1_700_000_000),
            expires_at: UnixSeconds(1_700_003_600),
            token_id: "AAAAAAAAAAAAAAAAAAAAAA",
            clients,
        }
    }

    fn access_token<'a>(mandates: &'a [MandateGroup<'a>]) -> AccessTokenClaims<'a> {
        AccessTokenClaims {
            issuer: "https://procura.example",
            contact_id: "con.1",
            resource_id: "https://procura.example/api",
            application_id: "app_1",
            issued_at: UnixSeconds(1_700_000_000),
            expires_at: UnixSeconds(1_700_003_600),
            token_id: "AAAAAAAAAAAAAAAAAAAAAA",
            directory_version: 42,
            mandates,
            bound_to: None,
        }
    }

    #[test]
    fn an_id_token_has_the_contracts_members_in_its_order() {
        let clients = [ClientClaim { client_id: "c1", client_name: "Łódź \"A\"" }];
        let text = String::from_utf8(id_token(&clients).to_json()).unwrap();
        assert_eq!(
            text,
            r#"{"iss":"https://procura.example","sub":"con.1","aud":"app_1","iat":1700000000,"exp":1700003600,"jti":"AAAAAAAAAAAAAAAAAAAAAA","act":{"sub":"app_1"},"acr":"urn:procura:acr:unattended","clients":[{"client_id":"c1","client_name":"Łódź \"A\""}]}"#
        );
    }

    #[test]
    fn an_access_token_has_the_contracts_members_in_its_order() {
        let trade = Permissions::NONE.with(Permission::Trade);
        let more = trade.with(Permission::ManagePayments);
        let groups = group_by_permissions([("c1", more), ("c2", trade), ("c3", more)]);
        let text = String::from_utf8(access_token(&groups).to_json()).unwrap();
        assert_eq!(
            text,
            r#"{"iss":"https://procura.example","sub":"con.1","aud":"https://procura.example/api","iat":1700000000,"exp":1700003600,"jti":"AAAAAAAAAAAAAAAAAAAAAA","client_id":"app_1","scope":"openid can_trade","act":{"sub":"app_1"},"acr":"urn:procura:acr:unattended","dv":42,"mandates":[{"clients":["c1","c3"],"permissions":["can_manage_payments","can_trade"]},{"clients":["c2"],"permissions":["can_trade"]}]}"#
        );
    }

    #[test]
    fn a_bound_access_token_names_what_it_is_bound_to_last() {
        let (certificate, key) = (CertificateThumbprint([0; 32]), KeyThumbprint([0; 32]));
        let digest = "A".repeat(43);
        for (binding, members) in [
            (Binding::Certificate(certificate), format!(r#""x5t#S256":"{digest}""#)),
            (Binding::Key(key), format!(r#""jkt":"{digest}""#)),
            (
                Binding::CertificateAndKey(certificate, key),
                format!(r#""x5t#S256":"{digest}","jkt":"{digest}""#),
            ),
        ] {
            let claims = AccessTokenClaims { bound_to: Some(binding), ..access_token(&[]) };
            let text = String::from_utf8(claims.to_json()).unwrap();
            assert!(text.ends_with(&format!(r#","mandates":[],"cnf":{{{members}}}}}"#)), "{text}");
        }
    }

    #[test]
    fn an_applications_own_token_acts_for_nobody() {
        let claims = ApplicationTokenClaims {
            issuer: "https://procura.example",
            resource_id: "https://procura.example/api",
            application_id: "app_1",
            issued_at: UnixSeconds(1_700_000_000),
            expires_at: UnixSeconds(1_700_003_600),
            token_id: "AAAAAAAAAAAAAAAAAAAAAA",
            directory_version: 42,
            bound_to: Some(Binding::Key(KeyThumbprint([0; 32]))),
        };
        let text = String::from_utf8(claims.to_json()).unwrap();
        assert_eq!(
            text,
            format!(
                r#"{{"iss":"https://procura.example","sub":"app_1","aud":"https://procura.example/api","iat":1700000000,"exp":1700003600,"jti":"AAAAAAAAAAAAAAAAAAAAAA","client_id":"app_1","dv":42,"cnf":{{"jkt":"{}"}}}}"#,
                "A".repeat(43)
            )
        );
        let read: crate::access_token::AccessToken = serde_json::from_str(&text).unwrap();
        assert_eq!((read.holder, &*read.scope), (crate::access_token::Holder::Application, ""));
    }

    #[test]
    fn an_empty_set_stays_in_the_token_and_empties_the_scope() {
        let groups = group_by_permissions([("c1", Permissions::NONE), ("c2", Permissions::ALL)]);
        let read: OwnedAccessTokenClaims = serde_json::from_slice(&access_token(&groups).to_json()).unwrap();
        assert_eq!(read.mandates[0].permissions, Permissions::NONE);
        assert_eq!(read.scope, "openid");
        assert_eq!(common_permissions(&[]), Permissions::NONE);
    }

    #[test]
    fn a_reader_leaves_out_unknown_members_and_refuses_unknown_permissions() {
        let text = String::from_utf8(id_token(&[]).to_json()).unwrap();
        let with_more = text.replacen('{', r#"{"later":[1],"#, 1);
        assert!(serde_json::from_str::<OwnedIdTokenClaims>(&with_more).is_ok());
        let group = r#"{"clients":["c1"],"permissions":["can_fly"]}"#;
        assert!(serde_json::from_str::<OwnedMandateGroup>(group).is_err());
    }

    fn permissions() -> impl Strategy<Value = Permissions> {
        (0u16..1 << 10).prop_map(|bits| Permissions::from_bits(bits).unwrap())
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_serde_writes_and_reads(
            names in prop::collection::btree_map("[a-zA-Z0-9._-]{3,12}", (any::<String>(), permissions()), 0..9),
            issuer in any::<String>(),
            version in 0..i64::MAX as u64,
            bound in any::<bool>(),
        ) {
            let list: Vec<_> = names.iter()
                .map(|(id, (name, _))| ClientClaim { client_id: id, client_name: name })
                .collect();
            let claims = IdTokenClaims { issuer: &issuer, ..id_token(&list) };
            if names.keys().all(|id| ClientId::parse(id).is_ok()) {
                let read: OwnedIdTokenClaims = serde_json::from_slice(&claims.to_json()).unwrap();
                prop_assert_eq!(serde_json::to_vec(&read).unwrap(), claims.to_json());

                let groups = group_by_permissions(names.iter().map(|(id, (_, p))| (id.as_str(), *p)));
                let bound_to = bound.then_some(Binding::Certificate([version as u8; 32].into()));
                let claims = AccessTokenClaims {
                    issuer: &issuer, directory_version: version, bound_to, ..access_token(&groups)
                };
                let read: OwnedAccessTokenClaims = serde_json::from_slice(&claims.to_json()).unwrap();
                prop_assert_eq!(serde_json::to_vec(&read).unwrap(), claims.to_json());
            }
        }

        #[test]
        fn grouping_loses_no_client_and_orders_groups_by_their_first(
            clients in prop::collection::btree_map("[a-z]{1,4}", permissions(), 0..20),
        ) {
            let groups = group_by_permissions(clients.iter().map(|(id, p)| (id.as_str(), *p)));
            let mut flat: Vec<_> = groups.iter()
                .flat_map(|group| group.clients.iter().map(|id| (*id, group.permissions)))
                .collect();
            flat.sort();
            let expected: Vec<_> = clients.iter().map(|(id, p)| (id.as_str(), *p)).collect();
            prop_assert_eq!(flat, expected);
            prop_assert!(groups.iter().map(|group| group.clients[0]).is_sorted());
            prop_assert!(groups.iter().all(|group| group.clients.is_sorted()));
            for (position, group) in groups.iter().enumerate() {
                prop_assert!(groups[..position].iter().all(|other| other.permissions != group.permissions));
            }
            let common = common_permissions(&groups);
            prop_assert!(clients.values().all(|p| common.is_within(*p)));
        }
    }
}
