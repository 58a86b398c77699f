//! The paths of the server, each written once.
//!
//! The router, the metadata, the OpenAPI test and the SDK take them from here.

use crate::ids::ContactId;

/// `POST`: a contact token (contract, chapter 1). In the router's syntax, which is also an RFC 6570
/// template.
pub const TOKEN_FOR_CONTACT: &str = "/token/{contact_id}";

/// What stands before the contact id in [`TOKEN_FOR_CONTACT`].
pub const TOKEN_FOR_CONTACT_PREFIX: &str = "/token/";

/// `POST`: a token by a standard grant (RFC 6749 3.2).
pub const TOKEN: &str = "/token";

/// `GET`: the contacts an application can get a token for (contract, chapter 2).
pub const AVAILABLE_CONTACTS: &str = "/info/available-contacts";

/// `GET`: an answer without authentication (contract, chapter 4).
pub const PING: &str = "/ping";

/// `GET`: the public keys (RFC 7517 5).
pub const JWKS: &str = "/jwks";

/// `GET`: what this server can do (RFC 8414 3).
pub const METADATA: &str = "/.well-known/oauth-authorization-server";

/// `POST`: whether a token is in force, and what it says (RFC 7662).
pub const INTROSPECT: &str = "/introspect";

/// `POST`: ends a token (RFC 7009).
pub const REVOKE: &str = "/revoke";

/// `GET`: revocations as they come, for resources (contract, chapter 8).
pub const EVENTS: &str = "/events";

/// `GET`: the clients of a token (contract, chapter 4).
pub const CLIENTS: &str = "/clients";

/// `GET`: the contacts of a client (contract, chapter 4).
pub const CONTACTS: &str = "/contacts";

/// `GET`, `PATCH`: one contact of a client (contract, chapter 4). In the router's syntax.
pub const CONTACT: &str = "/contacts/{contact_id}";

/// Any method: what a proxy asks before it lets a request through. In the router's syntax.
pub const FORWARD_AUTH: &str = "/forward-auth/{policy}";

/// `GET`: the OpenAPI document.
pub const OPENAPI: &str = "/openapi.json";

/// `GET`: the process runs.
pub const HEALTH_LIVE: &str = "/health/live";

/// `GET`: the server can issue.
pub const HEALTH_READY: &str = "/health/ready";

/// `GET`: what is measured. On a listener of its own, so it is none of [`ALL`].
pub const METRICS: &str = "/metrics";

/// All of them, in the router's syntax.
pub const ALL: [&str; 16] = [
    TOKEN_FOR_CONTACT,
    TOKEN,
    AVAILABLE_CONTACTS,
    PING,
    CLIENTS,
    CONTACTS,
    CONTACT,
    INTROSPECT,
    REVOKE,
    EVENTS,
    FORWARD_AUTH,
    JWKS,
    METADATA,
    OPENAPI,
    HEALTH_LIVE,
    HEALTH_READY,
];

/// The path of a contact's token. The alphabet of contact ids needs no escaping in a path.
pub fn contact_token_path(contact: &ContactId) -> String {
    format!("{TOKEN_FOR_CONTACT_PREFIX}{contact}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_begins_with_the_prefix() {
        assert_eq!(TOKEN_FOR_CONTACT, format!("{TOKEN_FOR_CONTACT_PREFIX}{{contact_id}}"));
        let contact = ContactId::parse("con.1_-").unwrap();
        assert_eq!(contact_token_path(&contact), "/token/con.1_-");
    }
}
