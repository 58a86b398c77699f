//! The authorization server metadata (RFC 8414), of what works and nothing else.

use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::application_auth::AuthMethod;
use crate::dpop::DPOP_ALGORITHMS;
use crate::paths;
use crate::permission::Permission;
use crate::scope::OPENID;
use crate::token::GrantType;

/// How applications may authenticate.
const METHODS: [AuthMethod; 3] =
    [AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost, AuthMethod::PrivateKeyJwt];

/// Beside those, on a server that asks for certificates.
const BY_CERTIFICATE: [AuthMethod; 2] = [AuthMethod::TlsClientAuth, AuthMethod::SelfSignedTlsClientAuth];

/// The document at [`paths::METADATA`]. Members that the RFC defaults to something this server does not
/// do are stated as empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The issuer, equal to `iss` of every token.
    pub issuer: String,
    /// Where the public keys are.
    pub jwks_uri: String,
    /// Our own member: where a contact token is asked for, an RFC 6570 template with `contact_id`.
    pub contact_token_endpoint: String,
    /// `openid` and the permissions.
    pub scopes_supported: Vec<String>,
    /// None: there is no authorization endpoint.
    pub response_types_supported: Vec<String>,
    /// Where a token is asked for by a standard grant.
    pub token_endpoint: String,
    /// The grants there. A contact token by its own endpoint is none of them.
    pub grant_types_supported: Vec<String>,
    /// How an application authenticates at `token_endpoint` and `contact_token_endpoint`.
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// What it may sign assertions with there; RS256 only where it is registered for it.
    pub token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// Where resources and applications ask whether a token is in force (RFC 7662).
    pub introspection_endpoint: String,
    /// How they authenticate there; a resource by its id and secret.
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    /// What applications may sign assertions with there.
    pub introspection_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// Where applications end tokens (RFC 7009).
    pub revocation_endpoint: String,
    /// How they authenticate there.
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    /// What they may sign assertions with there.
    pub revocation_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// Our own member: where resources follow revocations, as server-sent events.
    pub revocation_events_endpoint: String,
    /// Where the endpoints are for callers with a certificate (RFC 8705 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtls_endpoint_aliases: Option<EndpointAliases>,
    /// What proofs of possession may be signed with (RFC 9449 5.1).
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// What ID tokens may be signed with (OpenID Connect Discovery 3).
    pub id_token_signing_alg_values_supported: Vec<String>,
    /// Whether tokens may be bound to a certificate (RFC 8705 3.3).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tls_client_certificate_bound_access_tokens: bool,
    /// A page for the people who write applications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_documentation: Option<String>,
}

/// The endpoints at which an application authenticates, on a listener that asks for certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointAliases {
    /// As [`Metadata::token_endpoint`].
    pub token_endpoint: String,
    /// As [`Metadata::contact_token_endpoint`].
    pub contact_token_endpoint: String,
    /// As [`Metadata::introspection_endpoint`].
    pub introspection_endpoint: String,
    /// As [`Metadata::revocation_endpoint`].
    pub revocation_endpoint: String,
}

impl Metadata {
    /// The metadata of the server whose issuer this is; a `/` at its end is not doubled.
    pub fn new(issuer: &str) -> Metadata {
        let base = issuer.trim_end_matches('/');
        let permissions = Permission::ALL.into_iter().map(Permission::name);
        let methods = || METHODS.map(|method| method.name().to_owned()).to_vec();
        let algorithms = || Algorithm::ALL.map(|algorithm| algorithm.as_str().to_owned()).to_vec();
        Metadata {
            issuer: issuer.to_owned(),
            jwks_uri: format!("{base}{}", paths::JWKS),
            contact_token_endpoint: format!("{base}{}", paths::TOKEN_FOR_CONTACT),
            scopes_supported: std::iter::once(OPENID).chain(permissions).map(str::to_owned).collect(),
            response_types_supported: Vec::new(),
            token_endpoint: format!("{base}{}", paths::TOKEN),
            grant_types_supported: GrantType::ALL.map(|grant| grant.as_str().to_owned()).to_vec(),
            token_endpoint_auth_methods_supported: methods(),
            token_endpoint_auth_signing_alg_values_supported: algorithms(),
            introspection_endpoint: format!("{base}{}", paths::INTROSPECT),
            introspection_endpoint_auth_methods_supported: methods(),
            introspection_endpoint_auth_signing_alg_values_supported: algorithms(),
            revocation_endpoint: format!("{base}{}", paths::REVOKE),
            revocation_endpoint_auth_methods_supported: methods(),
            revocation_endpoint_auth_signing_alg_values_supported: algorithms(),
            revocation_events_endpoint: format!("{base}{}", paths::EVENTS),
            mtls_endpoint_aliases: None,
            dpop_signing_alg_values_supported: DPOP_ALGORITHMS.map(|alg| alg.as_str().to_owned()).to_vec(),
            id_token_signing_alg_values_supported: algorithms(),
            tls_client_certificate_bound_access_tokens: false,
            service_documentation: None,
        }
    }

    /// The same of a server that also asks for certificates, under the URL `base`.
    #[must_use]
    pub fn with_mutual_tls(self, base: &str) -> Metadata {
        let base = base.trim_end_matches('/');
        let aliases = EndpointAliases {
            token_endpoint: format!("{base}{}", paths::TOKEN),
            contact_token_endpoint: format!("{base}{}", paths::TOKEN_FOR_CONTACT),
            introspection_endpoint: format!("{base}{}", paths::INTROSPECT),
            revocation_endpoint: format!("{base}{}", paths::REVOKE),
        };
        let with = |mut methods: Vec<String>| {
            methods.extend(BY_CERTIFICATE.map(|method| method.name().to_owned()));
            methods
        };
        Metadata {
            token_endpoint_auth_methods_supported: with(self.token_endpoint_auth_methods_supported),
            introspection_endpoint_auth_methods_supported: with(
                self.introspection_endpoint_auth_methods_supported,
            ),
            revocation_endpoint_auth_methods_supported: with(self.revocation_endpoint_auth_methods_supported),
            mtls_endpoint_aliases: Some(aliases),
            tls_client_certificate_bound_access_tokens: true,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_states_what_works() {
        let document = serde_json::to_value(Metadata::new("https://procura.example")).unwrap();
        let methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
        let algorithms = ["ES256", "RS256", "PS256", "EdDSA"];
        let expected = serde_json::json!({
            "issuer": "https://procura.example",
            "jwks_uri": "https://procura.example/jwks",
            "contact_token_endpoint": "https://procura.example/token/{contact_id}",
            "scopes_supported": [
                "openid", "can_authorise_payments", "can_make_same_currency_payments",
                "can_manage_beneficiaries", "can_manage_beneficiaries_groups", "can_manage_contacts",
                "can_manage_fix_forwards", "can_manage_multipayments", "can_manage_payments",
                "can_manage_permissions", "can_trade",
            ],
            "response_types_supported": [],
            "token_endpoint": "https://procura.example/token",
            "grant_types_supported": [
                "client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ],
            "dpop_signing_alg_values_supported": ["ES256", "PS256", "EdDSA"],
            "id_token_signing_alg_values_supported": algorithms,
            "token_endpoint_auth_methods_supported": methods,
            "token_endpoint_auth_signing_alg_values_supported": algorithms,
            "introspection_endpoint": "https://procura.example/introspect",
            "introspection_endpoint_auth_methods_supported": methods,
            "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
            "revocation_endpoint": "https://procura.example/revoke",
            "revocation_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
            "revocation_events_endpoint": "https://procura.example/events",
        });
        assert_eq!(document, expected);
    }

    #[test]
    fn a_server_that_asks_for_certificates_says_where() {
        let plain = Metadata::new("https://procura.example");
        let document =
            serde_json::to_value(plain.clone().with_mutual_tls("https://mtls.procura.example")).unwrap();
        let mut expected = serde_json::to_value(plain).unwrap();
        expected["tls_client_certificate_bound_access_tokens"] = true.into();
        for endpoint in ["token", "introspection", "revocation"] {
            let methods = &mut expected[format!("{endpoint}_endpoint_auth_methods_supported")];
            let methods = methods.as_array_mut().unwrap();
            methods.extend(["tls_client_auth", "self_signed_tls_client_auth"].map(Into::into));
        }
        expected["mtls_endpoint_aliases"] = serde_json::json!({
            "token_endpoint": "https://mtls.procura.example/token",
            "contact_token_endpoint": "https://mtls.procura.example/token/{contact_id}",
            "introspection_endpoint": "https://mtls.procura.example/introspect",
            "revocation_endpoint": "https://mtls.procura.example/revoke",
        });
        assert_eq!(document, expected);
    }

    #[test]
    fn a_slash_at_the_end_of_the_issuer_is_kept_in_issuer_only() {
        let metadata = Metadata::new("https://procura.example/");
        assert_eq!(metadata.issuer, "https://procura.example/");
        assert_eq!(metadata.jwks_uri, "https://procura.example/jwks");
    }
}
