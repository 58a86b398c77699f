//! What operators may change, field by field.
//!
//! One list for each kind of record; the command line's flags, the columns of CSV files, the members of
//! JSON lines and what `show` prints are all made from it, under the same names. Every value is a text
//! with a bound. A value that is read here is in its one normal form, so that equal texts mean equal
//! values and an import can tell what it would change.
//!
//! # How to add a field
//!
//! One line in the list below, one column in each migration folder, and, if it decides something, a
//! place in [`crate::records`]. What is stored of a status is its place in the list: only append there.

mod profile;
mod registration;
mod row;
mod value;

use crate::change::Entity;

pub use profile::ProfileConflict;
pub use registration::CERTIFICATE_SUBJECTS;
pub use row::{Columns, Invalid, Key, Row};
pub use value::{Kind, Problem, ceiling_text};

/// Statuses, the one that lets something happen first.
pub mod status {
    /// Of a client, as published.
    pub const CLIENT: &[&str] = &["Active", "Inactive", "Closed", "Blocked"];
    /// Of a contact, an application and a resource.
    pub const PARTY: &[&str] = &["active", "disabled"];
    /// Of a mandate.
    pub const MANDATE: &[&str] = &["active", "suspended"];
    /// Of a trust.
    pub const TRUST: &[&str] = &["active", "withdrawn"];
}

/// What a certificate beside another proof means, in the order of the codes of
/// [`procura_protocol::application_auth::SecondFactor`].
pub const SECOND_FACTORS: &[&str] = &["ignored", "required"];

/// What assertions are addressed to, in the order of the codes of
/// [`procura_protocol::application_auth::AssertionAudience`].
pub const ASSERTION_AUDIENCES: &[&str] = &["issuer", "endpoint"];

/// What an application may never do less than, in the order of the codes of
/// [`procura_protocol::application_auth::Profile`].
pub const PROFILES: &[&str] = &["standard", "fapi2"];

/// One thing that can be said about a record.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in CSV, JSON and on the command line (there with `-` for `_`).
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// Whether it must be said.
    pub presence: Presence,
    /// One line for people.
    pub help: &'static str,
}

impl Field {
    /// Whether it is part of what names the record.
    pub fn is_key(&self) -> bool {
        self.presence == Presence::Key
    }
}

/// Whether a field must be said, and what holds otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Part of the key: always, and it never changes.
    Key,
    /// Of a new record; it can't be cleared.
    Required,
    /// A new record has this; it can't be cleared.
    Default(&'static str),
    /// May be absent, and an empty text clears it.
    Optional,
}

/// The fields of a kind of record, keys first. A signing key has none: nobody edits one.
pub fn of(entity: Entity) -> &'static [Field] {
    match entity {
        Entity::Application => APPLICATION,
        Entity::Client => CLIENT,
        Entity::Contact => CONTACT,
        Entity::Mandate => MANDATE,
        Entity::Trust => TRUST,
        Entity::Resource => RESOURCE,
        Entity::Key | Entity::Token => &[],
    }
}

/// The place of a field in [`of`].
pub fn position(entity: Entity, name: &str) -> Option<usize> {
    of(entity).iter().position(|field| field.name == name)
}

/// The status that switches a record off.
pub fn status_off(entity: Entity) -> Option<&'static str> {
    match entity {
        Entity::Client => Some("Inactive"),
        Entity::Contact | Entity::Application | Entity::Resource => Some("disabled"),
        Entity::Mandate => Some("suspended"),
        Entity::Trust => Some("withdrawn"),
        Entity::Key | Entity::Token => None,
    }
}

/// The status in which a record lets something happen.
pub fn status_on(entity: Entity) -> &'static str {
    if entity == Entity::Client { "Active" } else { "active" }
}

const fn field(name: &'static str, kind: Kind, presence: Presence, help: &'static str) -> Field {
    Field { name, kind, presence, help }
}

const fn text(name: &'static str, max: usize, help: &'static str) -> Field {
    field(name, Kind::Text { max }, Presence::Optional, help)
}

const APPLICATION: &[Field] = &[
    field("application_id", Kind::ApplicationId, Presence::Key, "app_ and 1 to 60 letters or digits"),
    text("name", 200, "What people call it"),
    field("trusted", Kind::Boolean, Presence::Default("false"), "Whether it may ask for contact tokens"),
    field("status", Kind::Choice(status::PARTY), Presence::Default("active"), "active or disabled"),
    field(
        "resources",
        Kind::Resources,
        Presence::Optional,
        "Resources it may ask tokens for beside the built-in one, separated by spaces",
    ),
    field("id_token_alg", Kind::Algorithm, Presence::Default("ES256"), "What signs its ID tokens"),
    field(
        "auth_methods",
        Kind::AuthMethods,
        Presence::Default("client_secret_basic client_secret_post"),
        "How it may prove itself, any one of: client_secret_basic, client_secret_post, private_key_jwt, \
         tls_client_auth, self_signed_tls_client_auth",
    ),
    field(
        "certificate",
        Kind::Choice(SECOND_FACTORS),
        Presence::Default("ignored"),
        "What a certificate beside a secret or an assertion is: ignored, or required as a second factor",
    ),
    field(
        "certificate_bound_tokens",
        Kind::Boolean,
        Presence::Default("true"),
        "Whether its tokens are good only with the certificate, where it must have one",
    ),
    field(
        "certificate_subject_dn",
        Kind::DistinguishedName,
        Presence::Optional,
        "Subject of its certificate by a configured CA, as RFC 4514 writes it",
    ),
    field(
        "certificate_san_dns",
        Kind::HostName,
        Presence::Optional,
        "Or the host name in its certificate by a configured CA",
    ),
    field(
        "certificate_san_uri",
        Kind::Uri,
        Presence::Optional,
        "Or the URI in its certificate by a configured CA",
    ),
    field(
        "certificate_san_ip",
        Kind::Address,
        Presence::Optional,
        "Or the IP address in its certificate by a configured CA",
    ),
    field(
        "certificate_san_email",
        Kind::Email,
        Presence::Optional,
        "Or the e-mail address in its certificate by a configured CA",
    ),
    field(
        "jwks_uri",
        Kind::JwksUri,
        Presence::Optional,
        "Where its keys are published, instead of registered",
    ),
    field(
        "assertion_audience",
        Kind::Choice(ASSERTION_AUDIENCES),
        Presence::Default("issuer"),
        "aud of its assertions: the issuer, or the endpoint that is asked",
    ),
    field(
        "assertion_alg",
        Kind::Algorithm,
        Presence::Optional,
        "The one algorithm of its assertions; without it ES256, PS256 and EdDSA",
    ),
    field(
        "dpop_bound_access_tokens",
        Kind::Boolean,
        Presence::Default("false"),
        "Whether its tokens are good only with proofs of a key (DPoP)",
    ),
    field(
        "profile",
        Kind::Choice(PROFILES),
        Presence::Default("standard"),
        "standard, or fapi2: no secrets, tokens always bound, no RS256, assertions for the issuer",
    ),
];

const CLIENT: &[Field] = &[
    field("client_id", Kind::ClientId, Presence::Key, "1 to 64 letters, digits, '.', '_' or '-'"),
    field("client_name", Kind::Text { max: 200 }, Presence::Required, "Its name, as ID tokens show it"),
    text("brand_name", 200, "The brand that serves it"),
    field(
        "status",
        Kind::Choice(status::CLIENT),
        Presence::Default("Active"),
        "Active, Inactive, Closed or Blocked",
    ),
    text("address_line_1", 200, "First line of its address"),
    text("address_line_2", 200, "Second line of its address"),
    text("city", 100, "City"),
    text("post_code", 32, "Post code"),
    text("state_province", 100, "State or province"),
];

const CONTACT: &[Field] = &[
    field("contact_id", Kind::ContactId, Presence::Key, "1 to 64 letters, digits, '.', '_' or '-'"),
    field("email_address", Kind::Email, Presence::Optional, "E-mail address"),
    text("first_name", 100, "First name"),
    text("last_name", 100, "Last name"),
    text("name", 200, "Full name"),
    field("status", Kind::Choice(status::PARTY), Presence::Default("active"), "active or disabled"),
    field("language", Kind::LowerCode, Presence::Optional, "Language, two letters of ISO 639-1"),
    field("locale", Kind::LowerCode, Presence::Optional, "Locale, two letters of ISO 639-1"),
    field("time_zone", Kind::TimeZone, Presence::Optional, "Time zone, for instance Europe/Madrid"),
    field("country_code", Kind::UpperCode, Presence::Optional, "Country, two letters of ISO 3166-1"),
    text("country_name", 100, "Name of the country"),
    text("address_line_1", 200, "First line of the address"),
    text("address_line_2", 200, "Second line of the address"),
    text("city", 100, "City"),
    text("post_code", 32, "Post code"),
    text("home_contact_number", 64, "Telephone at home"),
    text("mobile_contact_number", 64, "Mobile telephone"),
    text("work_contact_number", 64, "Telephone at work"),
    field(
        "password_reset_required",
        Kind::Boolean,
        Presence::Optional,
        "Whether the contact must choose a new password",
    ),
];

const MANDATE: &[Field] = &[
    field("contact_id", Kind::ContactId, Presence::Key, "Whose authority it is"),
    field("client_id", Kind::ClientId, Presence::Key, "Over which client"),
    field(
        "permissions",
        Kind::Permissions,
        Presence::Optional,
        "Names separated by spaces; none is authority to read",
    ),
    field("from", Kind::Time, Presence::Optional, "First second, RFC 3339 in UTC"),
    field("until", Kind::Time, Presence::Optional, "First second after, RFC 3339 in UTC"),
    field("status", Kind::Choice(status::MANDATE), Presence::Default("active"), "active or suspended"),
    field(
        "has_online_access",
        Kind::Boolean,
        Presence::Default("false"),
        "Whether the contact may work online for this client",
    ),
];

const TRUST: &[Field] = &[
    field("client_id", Kind::ClientId, Presence::Key, "Who gives it"),
    field("application_id", Kind::ApplicationId, Presence::Key, "To which application"),
    field("contacts", Kind::Contacts, Presence::Optional, "* for all, or contact ids separated by spaces"),
    field(
        "ceiling",
        Kind::Ceiling,
        Presence::Optional,
        "The most it lets through: all, or names separated by spaces",
    ),
    field("from", Kind::Time, Presence::Optional, "First second, RFC 3339 in UTC"),
    field("until", Kind::Time, Presence::Optional, "First second after, RFC 3339 in UTC"),
    field("status", Kind::Choice(status::TRUST), Presence::Default("active"), "active or withdrawn"),
    text("reason", 500, "Why it was given"),
];

const RESOURCE: &[Field] = &[
    field("resource_id", Kind::ResourceId, Presence::Key, "An absolute URI: aud of its access tokens"),
    text("name", 200, "What people call it"),
    field("status", Kind::Choice(status::PARTY), Presence::Default("active"), "active or disabled"),
    field("access_token_alg", Kind::Algorithm, Presence::Default("ES256"), "What signs its access tokens"),
];

#[cfg(test)]
mod tests {
    use procura_protocol::application_auth::{AssertionAudience, Profile, SecondFactor};

    use super::*;

    #[test]
    fn keys_stand_first_and_names_once() {
        for entity in Entity::ALL {
            let fields = of(*entity);
            let keys = fields.iter().take_while(|field| field.is_key()).count();
            assert_eq!(keys, fields.iter().filter(|field| field.is_key()).count());
            for (at, field) in fields.iter().enumerate() {
                assert_eq!(position(*entity, field.name), Some(at));
            }
        }
    }

    #[test]
    fn every_default_is_a_value_of_its_field_in_normal_form() {
        for entity in Entity::ALL {
            for field in of(*entity) {
                if let Presence::Default(value) = field.presence {
                    assert_eq!(field.kind.read(value), Ok(Some(value.to_owned())), "{}", field.name);
                }
            }
        }
    }

    #[test]
    fn words_stand_in_the_order_of_their_codes() {
        for (at, factor) in (1..).zip(SECOND_FACTORS) {
            assert_eq!(SecondFactor::from_code(at).map(SecondFactor::name), Some(*factor));
        }
        for (at, audience) in (1..).zip(ASSERTION_AUDIENCES) {
            assert_eq!(AssertionAudience::from_code(at).map(AssertionAudience::name), Some(*audience));
        }
        for (at, profile) in (1..).zip(PROFILES) {
            assert_eq!(Profile::from_code(at).map(Profile::name), Some(*profile));
        }
        let all = (SecondFactor::ALL.len(), AssertionAudience::ALL.len(), Profile::ALL.len());
        assert_eq!((SECOND_FACTORS.len(), ASSERTION_AUDIENCES.len(), PROFILES.len()), all);
    }

    #[test]
    fn every_entity_that_can_be_switched_has_both_statuses() {
        for entity in
            Entity::ALL.iter().copied().filter(|entity| !matches!(entity, Entity::Key | Entity::Token))
        {
            let at = position(entity, "status").unwrap();
            let Kind::Choice(statuses) = of(entity)[at].kind else { panic!("{entity}") };
            assert_eq!(statuses[0], status_on(entity));
            assert!(statuses.contains(&status_off(entity).unwrap()));
        }
    }
}
