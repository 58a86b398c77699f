//! A record as texts, whole or in part.

use std::fmt;

use procura_protocol::time::UnixSeconds;
use thiserror::Error;

use super::profile::ProfileConflict;
use super::registration::{CERTIFICATE_SUBJECTS, check_application};
use super::{Field, Kind, Presence, Problem, of, position};
use crate::change::Entity;

/// Characters of an unknown name that are repeated to the person who wrote it.
const MAX_ECHO: usize = 40;

/// What is said about one record: its key, and the values of some or all of its other fields.
///
/// A field that is absent is left as it is (or gets its default in a new record); a field that is
/// there with `None` is cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    entity: Entity,
    /// Ordered by the field's place.
    values: Vec<(usize, Option<String>)>,
}

impl Row {
    /// Reads names and values, in any order. The key must be among them.
    pub fn read<'a>(
        entity: Entity,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Row, Invalid> {
        let mut row = Row { entity, values: Vec::new() };
        for (name, value) in pairs {
            let at = position(entity, name).ok_or_else(|| Invalid::unknown(entity, name))?;
            row.take(at, value)?;
        }
        row.in_order()
    }

    /// A whole row from values in the order of [`of`], which are already in normal form: how a store
    /// gives back what it holds.
    pub fn whole(entity: Entity, values: Vec<Option<String>>) -> Row {
        Row { entity, values: values.into_iter().enumerate().collect() }
    }

    /// What kind of record it is about.
    pub fn entity(&self) -> Entity {
        self.entity
    }

    /// What names the record.
    pub fn key(&self) -> Key {
        let mut parts = self.values.iter().take_while(|(at, _)| of(self.entity)[*at].is_key());
        let mut part = || parts.next().and_then(|(_, value)| value.as_deref()).map(Box::from);
        Key { entity: self.entity, first: part().unwrap_or_default(), second: part() }
    }

    /// The value of a field: `None` when nothing is said, `Some(None)` when it is empty.
    pub fn get(&self, name: &str) -> Option<Option<&str>> {
        let at = position(self.entity, name)?;
        let found = self.values.binary_search_by_key(&at, |(at, _)| *at).ok()?;
        self.values.get(found).map(|(_, value)| value.as_deref())
    }

    /// What is said, in the order of the fields.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Field, Option<&str>)> {
        self.values.iter().map(|(at, value)| (&of(self.entity)[*at], value.as_deref()))
    }

    /// The same, with the place of each field in [`of`].
    pub fn positions(&self) -> impl Iterator<Item = (usize, Option<&str>)> {
        self.values.iter().map(|(at, value)| (*at, value.as_deref()))
    }

    /// All values of the record once this row is applied to `before`, or to nothing, in the order of
    /// [`of`]. Fails when something that a new record needs is missing, when its window is empty, or when an
    /// application does not say which certificate proves it, or contradicts its profile.
    pub fn applied_to(&self, before: Option<&[Option<String>]>) -> Result<Vec<Option<String>>, Invalid> {
        let fields = of(self.entity);
        let mut values = match before {
            Some(before) => before.to_vec(),
            None => fields.iter().map(default_of).collect(),
        };
        for (at, value) in &self.values {
            values[*at].clone_from(value);
        }
        for (field, value) in fields.iter().zip(&values) {
            if value.is_none() && field.presence != Presence::Optional {
                return Err(Invalid::Missing { field: field.name });
            }
        }
        check_window(self.entity, &values)?;
        check_application(self.entity, &values)?;
        Ok(values)
    }

    fn take(&mut self, at: usize, text: &str) -> Result<(), Invalid> {
        let field = &of(self.entity)[at];
        if self.values.iter().any(|(other, _)| *other == at) {
            return Err(Invalid::Repeated { field: field.name });
        }
        let value = field.kind.read(text).map_err(|problem| Invalid::Value { field: field.name, problem })?;
        if value.is_none() && field.presence != Presence::Optional {
            return Err(Invalid::Value { field: field.name, problem: Problem::Empty });
        }
        self.values.push((at, value));
        Ok(())
    }

    fn in_order(mut self) -> Result<Row, Invalid> {
        self.values.sort_unstable_by_key(|(at, _)| *at);
        let keys = of(self.entity).iter().take_while(|field| field.is_key());
        for (at, field) in keys.enumerate() {
            if self.values.get(at).is_none_or(|(found, _)| *found != at) {
                return Err(Invalid::Missing { field: field.name });
            }
        }
        Ok(self)
    }
}

fn default_of(field: &Field) -> Option<String> {
    match field.presence {
        Presence::Default(value) => Some(value.to_owned()),
        Presence::Key | Presence::Required | Presence::Optional => None,
    }
}

fn check_window(entity: Entity, values: &[Option<String>]) -> Result<(), Invalid> {
    let (Some(from), Some(until)) = (position(entity, "from"), position(entity, "until")) else {
        return Ok(());
    };
    let time = |at: usize| values[at].as_deref().and_then(|text| UnixSeconds::parse_rfc3339(text).ok());
    match (time(from), time(until)) {
        (Some(from), Some(until)) if until <= from => Err(Invalid::Window),
        _ => Ok(()),
    }
}

/// The columns of a file: which field stands where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    entity: Entity,
    positions: Vec<usize>,
}

impl Columns {
    /// Reads the first line of a file.
    pub fn read<'a>(entity: Entity, names: impl IntoIterator<Item = &'a str>) -> Result<Columns, Invalid> {
        let mut positions = Vec::new();
        for name in names {
            let at = position(entity, name).ok_or_else(|| Invalid::unknown(entity, name))?;
            if positions.contains(&at) {
                return Err(Invalid::Repeated { field: of(entity)[at].name });
            }
            positions.push(at);
        }
        for (at, field) in of(entity).iter().enumerate().filter(|(_, field)| field.is_key()) {
            if !positions.contains(&at) {
                return Err(Invalid::Missing { field: field.name });
            }
        }
        Ok(Columns { entity, positions })
    }

    /// Reads another line.
    pub fn row<'a>(&self, values: impl IntoIterator<Item = &'a str>) -> Result<Row, Invalid> {
        let mut row = Row { entity: self.entity, values: Vec::with_capacity(self.positions.len()) };
        let mut found = 0;
        for text in values {
            found += 1;
            if let Some(at) = self.positions.get(found - 1) {
                row.take(*at, text)?;
            }
        }
        if found != self.positions.len() {
            return Err(Invalid::Width { expected: self.positions.len(), found });
        }
        row.in_order()
    }
}

/// What names a record: its id, or of a mandate and a trust the two ids.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    entity: Entity,
    first: Box<str>,
    second: Option<Box<str>>,
}

impl Key {
    /// Reads the parts, in the order of the fields: of a mandate contact and client, of a trust client
    /// and application.
    pub fn read(entity: Entity, parts: &[&str]) -> Result<Key, Invalid> {
        let names = of(entity).iter().filter(|field| field.is_key()).map(|field| field.name);
        let row = Row::read(entity, names.zip(parts.iter().copied()))?;
        Ok(row.key())
    }

    /// What kind of record it names.
    pub fn entity(&self) -> Entity {
        self.entity
    }

    /// The first or only id.
    pub fn first(&self) -> &str {
        &self.first
    }

    /// The second id, of a mandate and a trust.
    pub fn second(&self) -> Option<&str> {
        self.second.as_deref()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.second {
            None => write!(f, "{} {}", self.entity, self.first),
            Some(second) => write!(f, "{} {} {second}", self.entity, self.first),
        }
    }
}

/// What is wrong with a row, in a sentence that says what to change.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Invalid {
    /// A name that no field has.
    #[error("there is no field '{name}'; the fields are {}", names(*entity))]
    Unknown {
        /// What kind of record it was for.
        entity: Entity,
        /// The name, cut short.
        name: String,
    },
    /// A name that belongs elsewhere.
    #[error("'{name}' belongs to mandates: set it with the client that it is about")]
    OfMandates {
        /// The name.
        name: String,
    },
    /// The same field twice.
    #[error("{field} stands there twice; keep one")]
    Repeated {
        /// Its name.
        field: &'static str,
    },
    /// A field that must be there is not.
    #[error("{field} is missing")]
    Missing {
        /// Its name.
        field: &'static str,
    },
    /// A line with more or fewer values than the first one has names.
    #[error("has {found} values where the first line has {expected} names")]
    Width {
        /// Names in the first line.
        expected: usize,
        /// Values in this one.
        found: usize,
    },
    /// A value that the field does not take.
    #[error("{field} {problem}")]
    Value {
        /// Its name.
        field: &'static str,
        /// Why not.
        problem: Problem,
    },
    /// A window with nothing in it.
    #[error("until must be after from")]
    Window,
    /// Certificates that a configured CA issued count, and nothing says what they must say.
    #[error("auth_methods has tls_client_auth: say which certificate, by one of {}", CERTIFICATE_SUBJECTS.join(", "))]
    NoCertificateSubject,
    /// More than one thing says it.
    #[error("keep one of {}, and clear the others", CERTIFICATE_SUBJECTS.join(", "))]
    CertificateSubjects,
    /// The values contradict the profile that the application has, or is to have.
    #[error(transparent)]
    Profile(ProfileConflict),
}

impl Invalid {
    fn unknown(entity: Entity, name: &str) -> Invalid {
        let of_mandates =
            name == "has_online_access" || Kind::Permissions.read(name).is_ok_and(|v| v.is_some());
        if entity == Entity::Contact && (of_mandates || name == "permissions") {
            return Invalid::OfMandates { name: name.to_owned() };
        }
        let shown = name.chars().filter(|c| !c.is_control()).take(MAX_ECHO).collect();
        Invalid::Unknown { entity, name: shown }
    }
}

fn names(entity: Entity) -> String {
    of(entity).iter().map(|field| field.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_leaves_and_empty_clears() {
        let row =
            Row::read(Entity::Contact, [("contact_id", "c"), ("city", "Murcia"), ("name", "")]).unwrap();
        assert_eq!(row.get("city"), Some(Some("Murcia")));
        assert_eq!(row.get("name"), Some(None));
        assert_eq!(row.get("locale"), None);
        let mut before = Row::read(Entity::Contact, [("contact_id", "c")]).unwrap().applied_to(None).unwrap();
        before[position(Entity::Contact, "name").unwrap()] = Some("Ana".to_owned());
        before[position(Entity::Contact, "locale").unwrap()] = Some("es".to_owned());
        let after = Row::whole(Entity::Contact, row.applied_to(Some(&before)).unwrap());
        assert_eq!(after.get("name"), Some(None));
        assert_eq!(after.get("locale"), Some(Some("es")));
        assert_eq!(after.get("status"), Some(Some("active")));
    }

    #[test]
    fn a_field_with_a_default_can_not_be_cleared() {
        let cleared = Row::read(Entity::Client, [("client_id", "c"), ("status", "")]);
        assert_eq!(cleared, Err(Invalid::Value { field: "status", problem: Problem::Empty }));
    }

    #[test]
    fn a_new_client_needs_its_name() {
        let row = Row::read(Entity::Client, [("client_id", "c")]).unwrap();
        assert_eq!(row.applied_to(None), Err(Invalid::Missing { field: "client_name" }));
    }

    #[test]
    fn columns_may_stand_in_any_order_but_only_once_and_with_the_key() {
        let columns = Columns::read(Entity::Trust, ["application_id", "ceiling", "client_id"]).unwrap();
        let row = columns.row(["app_1", "all", "cli"]).unwrap();
        assert_eq!(row.key(), Key::read(Entity::Trust, &["cli", "app_1"]).unwrap());
        assert_eq!(columns.row(["app_1", "all"]), Err(Invalid::Width { expected: 3, found: 2 }));
        assert_eq!(columns.row(["app_1", "", "cli", ""]), Err(Invalid::Width { expected: 3, found: 4 }));
        let twice = Columns::read(Entity::Trust, ["client_id", "application_id", "client_id"]);
        assert_eq!(twice, Err(Invalid::Repeated { field: "client_id" }));
        let no_key = Columns::read(Entity::Trust, ["client_id", "ceiling"]);
        assert_eq!(no_key, Err(Invalid::Missing { field: "application_id" }));
    }

    #[test]
    fn what_belongs_to_mandates_is_said_to_belong_there() {
        for name in ["can_trade", "has_online_access"] {
            let refused = Columns::read(Entity::Contact, ["contact_id", name]).unwrap_err();
            assert!(matches!(refused, Invalid::OfMandates { .. }), "{refused}");
        }
        let unknown = Columns::read(Entity::Contact, ["contact_id", "nme\u{7}"]).unwrap_err();
        assert!(matches!(&unknown, Invalid::Unknown { name, .. } if name == "nme"), "{unknown}");
    }

    #[test]
    fn a_certificate_of_a_ca_is_told_by_exactly_one_field() {
        let read = |pairs: &[(&str, &str)], before: Option<&[Option<String>]>| {
            let pairs = pairs.iter().copied().chain([("application_id", "app_1")]);
            Row::read(Entity::Application, pairs).unwrap().applied_to(before)
        };
        let methods = ("auth_methods", "tls_client_auth");
        let (dn, dns) = (("certificate_subject_dn", "CN=erp"), ("certificate_san_dns", "erp.example"));
        assert_eq!(read(&[methods], None), Err(Invalid::NoCertificateSubject));
        assert_eq!(read(&[methods, dn, dns], None), Err(Invalid::CertificateSubjects));
        assert_eq!(read(&[dn, dns], None), Err(Invalid::CertificateSubjects));
        let before = read(&[methods, dn], None).unwrap();
        assert_eq!(read(&[dns], Some(&before)), Err(Invalid::CertificateSubjects));
        let cleared = ("certificate_subject_dn", "");
        assert_eq!(read(&[cleared], Some(&before)), Err(Invalid::NoCertificateSubject));
        read(&[cleared, dns], Some(&before)).unwrap();
        read(&[cleared, ("auth_methods", "private_key_jwt")], Some(&before)).unwrap();
        let told = Invalid::NoCertificateSubject.to_string();
        assert!(told.contains("certificate_san_ip"), "{told}");
    }

    #[test]
    fn a_window_ends_after_it_begins() {
        let read = |from, until| {
            let pairs = [("contact_id", "c"), ("client_id", "k"), ("from", from), ("until", until)];
            Row::read(Entity::Mandate, pairs).unwrap().applied_to(None).map(drop)
        };
        assert_eq!(read("2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"), Err(Invalid::Window));
        assert_eq!(read("2030-01-01T00:00:00Z", "2030-01-01T00:00:01Z"), Ok(()));
    }
}
