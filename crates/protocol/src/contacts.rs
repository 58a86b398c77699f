//! Clients and contacts as the API shows them (contract, chapter 4).
//!
//! What is not there and what may not be seen look alike: the member is left out.

use serde::{Deserialize, Serialize};

use crate::ids::{ClientId, ContactId};
use crate::permission::Permissions;

/// A client company.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its id.
    pub client_id: ClientId,
    /// Its name.
    pub client_name: String,
    /// The brand that serves it; empty when none is known.
    pub brand_name: String,
    /// Whether anything can be done for it.
    pub status: ClientStatus,
    /// First line of its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_line_1: Option<String>,
    /// Second line of its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_line_2: Option<String>,
    /// City.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// Post code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_code: Option<String>,
    /// State or province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_province: Option<String>,
}

/// Status of a client, as published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the published words")]
pub enum ClientStatus {
    Active,
    Inactive,
    Closed,
    Blocked,
}

impl ClientStatus {
    /// The status of that name.
    pub fn from_name(name: &str) -> Option<ClientStatus> {
        match name {
            "Active" => Some(ClientStatus::Active),
            "Inactive" => Some(ClientStatus::Inactive),
            "Closed" => Some(ClientStatus::Closed),
            "Blocked" => Some(ClientStatus::Blocked),
            _ => None,
        }
    }
}

/// A person, as whoever acts for a client may see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Their id.
    pub contact_id: ContactId,
    /// Their e-mail address; empty when none is known.
    pub email_address: String,
    /// First name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Last name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Telephone at home. From here to `password_reset_required` it belongs to the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home_contact_number: Option<String>,
    /// Mobile telephone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mobile_contact_number: Option<String>,
    /// Telephone at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_contact_number: Option<String>,
    /// First line of the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_line_1: Option<String>,
    /// Second line of the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_line_2: Option<String>,
    /// City.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// Post code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_code: Option<String>,
    /// Country, two letters of ISO 3166-1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country_code: Option<String>,
    /// Name of the country.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country_name: Option<String>,
    /// Language, two letters of ISO 639-1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Locale, two letters of ISO 639-1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// A name of the time zone database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Whether they must choose a new password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_reset_required: Option<bool>,
    /// Whether they may work online for this client. From here on it belongs to the mandate.
    pub has_online_access: bool,
    /// What their mandate for this client allows, as ten members that are true or false.
    #[serde(flatten, with = "flags")]
    pub permissions: Permissions,
}

/// A set of permissions as ten members, alphabetical.
mod flags {
    use std::fmt;

    use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
    use serde::ser::SerializeMap;
    use serde::{Deserializer, Serializer};

    use crate::permission::{Permission, Permissions};

    pub(super) fn serialize<S: Serializer>(set: &Permissions, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Permission::ALL.len()))?;
        for permission in Permission::ALL {
            map.serialize_entry(permission.name(), &set.contains(permission))?;
        }
        map.end()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Permissions, D::Error> {
        deserializer.deserialize_map(Flags)
    }

    struct Flags;

    impl<'de> Visitor<'de> for Flags {
        type Value = Permissions;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("permissions that are true or false")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Permissions, A::Error> {
            let (mut set, mut said) = (Permissions::NONE, Permissions::NONE);
            while let Some(name) = map.next_key::<String>()? {
                let Some(permission) = Permission::from_name(&name) else {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                };
                if map.next_value::<bool>()? {
                    set = set.with(permission);
                }
                said = said.with(permission);
            }
            if said == Permissions::ALL { Ok(set) } else { Err(A::Error::custom("a permission is missing")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::permission::Permission;

    fn contact() -> Contact {
        serde_json::from_value(sample()).unwrap()
    }

    fn sample() -> Value {
        let mut members = json!({"contact_id": "con.ada", "email_address": "", "has_online_access": true});
        for permission in Permission::ALL {
            members[permission.name()] = (permission == Permission::Trade).into();
        }
        members
    }

    #[test]
    fn a_contact_says_all_ten_permissions_and_leaves_out_what_is_not_there() {
        let contact = contact();
        assert_eq!(contact.permissions, Permissions::NONE.with(Permission::Trade));
        assert_eq!(serde_json::to_value(&contact).unwrap(), sample());
        let text = serde_json::to_string(&contact).unwrap();
        assert!(
            text.starts_with(
                r#"{"contact_id":"con.ada","email_address":"","has_online_access":true,"can_auth"#
            )
        );
    }

    #[test]
    fn a_contact_without_one_of_the_permissions_is_not_read_and_one_with_more_members_is() {
        let mut less = sample();
        less.as_object_mut().unwrap().remove("can_trade");
        assert!(serde_json::from_value::<Contact>(less).is_err());
        let mut more = sample();
        more["can_fly"] = "later".into();
        more["city"] = "Murcia".into();
        assert_eq!(serde_json::from_value::<Contact>(more).unwrap().city.as_deref(), Some("Murcia"));
    }

    #[test]
    fn a_status_reads_as_it_is_written() {
        for status in ["Active", "Inactive", "Closed", "Blocked"] {
            let found = ClientStatus::from_name(status).unwrap();
            assert_eq!(serde_json::to_value(found).unwrap(), status);
        }
        assert_eq!(ClientStatus::from_name("active"), None);
    }
}
