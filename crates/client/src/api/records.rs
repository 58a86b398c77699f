//! What the API tells: clients and contacts, and the tag of what was read.

use std::fmt;

use http::HeaderValue;
use procura_protocol::ids::{ClientId, ContactId};
use procura_protocol::permission::{Permission, Permissions};
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use thiserror::Error;

/// A client, a company that a contact may act for (contract, chapter 4).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names are the wire's and say it")]
pub struct Client {
    pub client_id: ClientId,
    pub client_name: String,
    pub brand_name: String,
    pub status: ClientStatus,
    pub address_line_1: Option<String>,
    pub address_line_2: Option<String>,
    pub city: Option<String>,
    pub post_code: Option<String>,
    pub state_province: Option<String>,
}

/// Whether a client is in business here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names are the wire's and say it")]
pub enum ClientStatus {
    Active,
    Inactive,
    Closed,
    Blocked,
}

/// A contact of a client, as far as the token may see it (contract, chapter 4). What is `None` was not told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names are the wire's and say it")]
pub struct Contact {
    pub contact_id: ContactId,
    pub email_address: Option<String>,
    pub name: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub home_contact_number: Option<String>,
    pub mobile_contact_number: Option<String>,
    pub work_contact_number: Option<String>,
    pub address_line_1: Option<String>,
    pub address_line_2: Option<String>,
    pub city: Option<String>,
    pub post_code: Option<String>,
    pub country_code: Option<String>,
    pub country_name: Option<String>,
    pub language: Option<String>,
    pub locale: Option<String>,
    pub time_zone: Option<String>,
    pub password_reset_required: Option<bool>,
    pub has_online_access: Option<bool>,
    /// Those of the contact's mandate for the client that was asked about.
    #[serde(flatten, deserialize_with = "read_permissions")]
    pub permissions: Option<Permissions>,
}

/// The ten members `can_...`: the set of those that are true; `None` when there is not one of them.
fn read_permissions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Permissions>, D::Error> {
    struct Read;
    impl<'de> Visitor<'de> for Read {
        type Value = Option<Permissions>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("permissions, each true or false")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let (mut told, mut held) = (Permissions::NONE, Permissions::NONE);
            while let Some(name) = map.next_key::<String>()? {
                let Some(permission) = Permission::from_name(&name) else {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                };
                if told.contains(permission) {
                    return Err(de::Error::custom("a permission twice"));
                }
                told = told.with(permission);
                if map.next_value::<bool>()? {
                    held = held.with(permission);
                }
            }
            Ok((!told.is_empty()).then_some(held))
        }
    }
    deserializer.deserialize_map(Read)
}

/// Longest tag, in bytes.
const MAX_TAG: usize = 256;

/// The tag of what was read (RFC 9110 8.8.3). Means nothing but "this state"; give it back with a change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ETag(Box<str>);

/// A text that is no entity tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be an entity tag of at most {MAX_TAG} visible ASCII characters, quotes included")]
pub struct InvalidETag;

impl ETag {
    /// Reads a tag, quotes and all.
    ///
    /// # Errors
    ///
    /// [`InvalidETag`].
    pub fn parse(text: &str) -> Result<ETag, InvalidETag> {
        let opaque = text.strip_prefix("W/").unwrap_or(text);
        let inner = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or(InvalidETag)?;
        let fits = text.len() <= MAX_TAG && inner.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
        if fits { Ok(ETag(text.into())) } else { Err(InvalidETag) }
    }

    /// The tag as it stands in a header.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[expect(clippy::expect_used, reason = "a parsed tag is visible ASCII")]
    pub(super) fn to_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("a tag can stand in a header")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contact(json: &str) -> Result<Contact, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_contact_is_read_whole_and_in_the_little_that_others_see() {
        let whole = contact(
            r#"{"contact_id":"CON1","email_address":"a@b.example","name":"A B","city":"Łódź","locale":"pl",
                "has_online_access":true,"password_reset_required":false,"can_trade":true,
                "can_manage_contacts":false,"later":{"x":[1]}}"#,
        )
        .unwrap();
        assert_eq!(whole.city.as_deref(), Some("Łódź"));
        assert_eq!((whole.has_online_access, whole.password_reset_required), (Some(true), Some(false)));
        assert_eq!(whole.permissions, Some(Permissions::NONE.with(Permission::Trade)));
        let little = contact(r#"{"contact_id":"CON1","email_address":"a@b.example"}"#).unwrap();
        assert_eq!((little.permissions, little.language), (None, None));
    }

    #[test]
    fn no_permission_is_not_the_same_as_permissions_that_were_not_told() {
        let none = contact(r#"{"contact_id":"CON1","can_trade":false}"#).unwrap();
        assert_eq!(none.permissions, Some(Permissions::NONE));
    }

    #[test]
    fn a_contact_of_another_shape_is_refused() {
        for bad in [
            "{}",
            r#"{"contact_id":"app_1"}"#,
            r#"{"contact_id":"CON1","can_trade":"true"}"#,
            r#"{"contact_id":"CON1","can_trade":null}"#,
            r#"{"contact_id":"CON1","can_trade":false,"can_trade":true}"#,
            r#"{"contact_id":"CON1","contact_id":"CON2"}"#,
            r#"{"contact_id":"CON1","name":7}"#,
        ] {
            assert!(contact(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_clients_status_is_one_of_four() {
        let client = |status| {
            serde_json::from_str::<Client>(&format!(
                r#"{{"client_id":"CLI1","client_name":"One","brand_name":"Bank","status":"{status}"}}"#
            ))
        };
        assert_eq!(client("Blocked").unwrap().status, ClientStatus::Blocked);
        assert_eq!(client("Active").unwrap().city, None);
        assert!(client("active").is_err());
    }

    #[test]
    fn a_tag_is_quoted_visible_and_bounded() {
        for good in ["\"\"", "\"7.abc\"", "W/\"7\""] {
            assert_eq!(ETag::parse(good).unwrap().to_header(), good);
        }
        let long = format!("\"{}\"", "a".repeat(MAX_TAG));
        for bad in ["", "7", "\"", "\"7", "w/\"7\"", "\"a b\"", "\"a\"b\"", "\"é\"", "\"\n\"", "*", &long] {
            assert_eq!(ETag::parse(bad), Err(InvalidETag), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn the_permissions_that_are_told_are_the_ones_that_are_read(bits in 0u16..1 << 10, told in 1u16..1 << 10) {
            let set = |bits| Permissions::from_bits(bits).unwrap();
            let members: String = set(told)
                .iter()
                .map(|permission| format!(r#","{}":{}"#, permission.name(), set(bits).contains(permission)))
                .collect();
            let read = contact(&format!(r#"{{"contact_id":"CON1"{members}}}"#)).unwrap();
            prop_assert_eq!(read.permissions, Some(set(bits) & set(told)));
        }

        #[test]
        fn whatever_is_a_tag_can_stand_in_a_header(text in "(W/)?\"?\\PC{0,20}\"?") {
            if let Ok(tag) = ETag::parse(&text) {
                let header = tag.to_header();
                prop_assert_eq!(header.to_str().unwrap(), text);
            }
        }
    }
}
