//! What `PATCH /contacts/{contact_id}` asks to be changed (contract, chapter 4).
//!
//! Reading is strict: a member that is not understood would be a change that silently does not happen,
//! and one that is named twice would mean what the reader likes.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use thiserror::Error as ThisError;

use crate::permission::{Permission, Permissions};

/// What belongs to the person and may be changed, by name.
pub const PERSONAL: [&str; 12] = [
    "home_contact_number",
    "mobile_contact_number",
    "work_contact_number",
    "address_line_1",
    "address_line_2",
    "city",
    "post_code",
    "country_code",
    "country_name",
    "language",
    "locale",
    "time_zone",
];

/// The member that says whether a contact may work online for the client.
pub const HAS_ONLINE_ACCESS: &str = "has_online_access";

/// Members of a contact that nobody changes here.
const READ_ONLY: [&str; 6] =
    ["contact_id", "email_address", "first_name", "last_name", "name", "password_reset_required"];

/// Most fields that one answer speaks of.
const MOST_FAULTS: usize = 50;
/// Characters of an unknown name that are repeated to whoever sent it.
const MAX_ECHO: usize = 40;

/// A change of a contact: only what is named changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContactUpdate {
    /// Permissions that become true.
    pub granted: Permissions,
    /// Permissions that become false; none of those granted.
    pub taken: Permissions,
    /// Whether they may work online for the client.
    pub has_online_access: Option<bool>,
    /// Names of [`PERSONAL`] and their values; an empty text clears one.
    pub personal: Vec<(&'static str, String)>,
}

/// The body is not one JSON object whose members have different names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
pub enum NotAnUpdate {
    /// It is not a JSON object.
    #[error("Send one JSON object, as RFC 8259 defines it.")]
    NotAnObject,
    /// A member is named twice.
    #[error("Name each member once.")]
    Repeated,
}

/// What is wrong with fields: a sentence for each, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldFaults(Vec<(String, String)>);

impl FieldFaults {
    /// Adds a sentence about a field, unless there is one about it or there are many already.
    pub fn add(&mut self, field: impl Into<String>, sentence: impl Into<String>) {
        let field = field.into();
        if self.0.len() < MOST_FAULTS && self.iter().all(|(known, _)| known != field) {
            self.0.push((field, sentence.into()));
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Fields and sentences.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(field, sentence)| (field.as_str(), sentence.as_str()))
    }
}

impl ContactUpdate {
    /// Reads a body. What can be read of it comes with what is wrong with the rest, so that whoever knows
    /// more about values can tell everything at once; with a fault, nothing may be changed.
    ///
    /// # Errors
    ///
    /// [`NotAnUpdate`] when there are no members to speak of.
    pub fn parse(body: &[u8]) -> Result<(ContactUpdate, FieldFaults), NotAnUpdate> {
        let members: Members = serde_json::from_slice(body).map_err(|_| NotAnUpdate::NotAnObject)?;
        let Members(Some(members)) = members else { return Err(NotAnUpdate::Repeated) };
        let (mut update, mut faults) = (ContactUpdate::default(), FieldFaults::default());
        for (name, value) in members {
            if let Err(sentence) = update.take(&name, value) {
                faults.add(shown(&name), sentence);
            }
        }
        Ok((update, faults))
    }

    fn take(&mut self, name: &str, value: Scalar) -> Result<(), &'static str> {
        let flag = || match value {
            Scalar::Flag(flag) => Ok(flag),
            Scalar::Text(_) | Scalar::Other => Err("Must be true or false."),
        };
        if let Some(permission) = Permission::from_name(name) {
            let set = if flag()? { &mut self.granted } else { &mut self.taken };
            *set = set.with(permission);
        } else if name == HAS_ONLINE_ACCESS {
            self.has_online_access = Some(flag()?);
        } else if let Some(name) = PERSONAL.into_iter().find(|known| *known == name) {
            let Scalar::Text(text) = value else { return Err("Must be a string.") };
            self.personal.push((name, text));
        } else if READ_ONLY.contains(&name) {
            return Err("Can't be changed here.");
        } else {
            return Err("Is no member of ContactUpdate.");
        }
        Ok(())
    }
}

/// A name that can be shown to whoever sent it.
fn shown(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).take(MAX_ECHO).collect()
}

impl Serialize for ContactUpdate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, text) in &self.personal {
            map.serialize_entry(name, text)?;
        }
        if let Some(flag) = self.has_online_access {
            map.serialize_entry(HAS_ONLINE_ACCESS, &flag)?;
        }
        for permission in Permission::ALL {
            if self.granted.contains(permission) || self.taken.contains(permission) {
                map.serialize_entry(permission.name(), &self.granted.contains(permission))?;
            }
        }
        map.end()
    }
}

/// Names and values in order; `None` when a name came twice.
struct Members(Option<Vec<(String, Scalar)>>);

/// A value, as far as any member takes it.
enum Scalar {
    Flag(bool),
    Text(String),
    Other,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = std::collections::HashSet::new();
                let (mut read, mut repeated) = (Vec::new(), false);
                while let Some((name, value)) = map.next_entry::<String, Scalar>()? {
                    repeated |= !members.insert(name.clone());
                    read.push((name, value));
                }
                Ok(Members((!repeated).then_some(read)))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Scalar, E> {
                Ok(Scalar::Flag(flag))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }

            fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
                Ok(Scalar::Other)
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Scalar, E> {
                Ok(Scalar::Other)
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Scalar, E> {
                Ok(Scalar::Other)
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Scalar, E> {
                Ok(Scalar::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Scalar, A::Error> {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }

        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(body: &str) -> Result<(ContactUpdate, FieldFaults), NotAnUpdate> {
        ContactUpdate::parse(body.as_bytes())
    }

    #[test]
    fn every_member_lands_where_it_belongs() {
        let (update, faults) =
            read(r#"{"can_trade":true,"can_manage_payments":false,"has_online_access":true,"city":""}"#)
                .unwrap();
        assert!(faults.is_empty());
        assert_eq!(update.granted, Permissions::NONE.with(Permission::Trade));
        assert_eq!(update.taken, Permissions::NONE.with(Permission::ManagePayments));
        assert_eq!((update.has_online_access, update.personal), (Some(true), vec![("city", String::new())]));
        assert_eq!(read("{}"), Ok(Default::default()));
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let body = r#"{"can_trade":1,"city":null,"name":"A","can_fly":true,"has_online_access":"true",
            "locale":["es"],"language":{},"can_manage_payments":true,"a\u0000b":1.5}"#;
        let (update, faults) = read(body).unwrap();
        assert_eq!(update.granted, Permissions::NONE.with(Permission::ManagePayments));
        let expected = [
            ("can_trade", "Must be true or false."),
            ("city", "Must be a string."),
            ("name", "Can't be changed here."),
            ("can_fly", "Is no member of ContactUpdate."),
            ("has_online_access", "Must be true or false."),
            ("locale", "Must be a string."),
            ("language", "Must be a string."),
            ("a?b", "Is no member of ContactUpdate."),
        ];
        assert_eq!(faults.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_not_one_object_with_different_members_is_no_update() {
        for body in [
            "",
            "null",
            "[]",
            "\"a\"",
            "7",
            "{",
            "{}{}",
            "{\"city\":\"a\",}",
            "\u{feff}{}",
            "{\"a\":\"\\ud800\"}",
        ] {
            assert_eq!(read(body), Err(NotAnUpdate::NotAnObject), "{body}");
        }
        assert_eq!(ContactUpdate::parse(b"{\"city\":\"\xff\"}"), Err(NotAnUpdate::NotAnObject));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(read(&deep).map(|(update, _)| update), Ok(ContactUpdate::default()));
        for body in [r#"{"city":"a","city":"a"}"#, r#"{"x":1,"x":2}"#, r#"{"city":"a","c\u0069ty":"b"}"#] {
            assert_eq!(read(body), Err(NotAnUpdate::Repeated), "{body}");
        }
    }

    #[test]
    fn an_answer_speaks_of_so_many_fields_and_shows_so_much_of_a_name() {
        let body = format!("{{{}}}", (0..500).map(|n| format!("\"n{n}\":1")).collect::<Vec<_>>().join(","));
        assert_eq!(read(&body).unwrap().1.iter().count(), MOST_FAULTS);
        let (_, faults) = read(&format!("{{\"{}\":1}}", "é".repeat(1_000))).unwrap();
        assert_eq!(faults.iter().next().unwrap().0.chars().count(), MAX_ECHO);
    }

    proptest! {
        #[test]
        fn no_body_is_read_otherwise_than_it_is_written(body in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok((update, faults)) = ContactUpdate::parse(&body) && faults.is_empty() {
                let again = serde_json::to_vec(&update).unwrap();
                prop_assert_eq!(ContactUpdate::parse(&again).unwrap().0.granted, update.granted);
            }
        }

        #[test]
        fn an_update_reads_back(granted in 0u16..1 << 10, taken in 0u16..1 << 10, online: Option<bool>, city: String) {
            let granted = Permissions::from_bits(granted).unwrap();
            let taken = Permissions::from_bits(taken & !granted.bits()).unwrap();
            let personal = vec![("city", city)];
            let update = ContactUpdate { granted, taken, has_online_access: online, personal };
            let read = ContactUpdate::parse(&serde_json::to_vec(&update).unwrap()).unwrap();
            prop_assert_eq!(read, (update, FieldFaults::default()));
        }
    }
}
