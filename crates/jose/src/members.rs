//! JSON without repeated members.
//!
//! What a repeated member means differs from reader to reader ([RFC 8259 section 4]), so that two who
//! verify the same token could read different claims. [RFC 7515 section 4] lets us refuse it.
//!
//! [RFC 8259 section 4]: https://www.rfc-editor.org/rfc/rfc8259#section-4
//! [RFC 7515 section 4]: https://www.rfc-editor.org/rfc/rfc7515#section-4

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Whether `json` is one object, and no object in it, at any depth, names a member twice.
pub(crate) fn check_object(json: &[u8]) -> Result<(), ObjectError> {
    let repeated = Cell::new(false);
    let mut reader = serde_json::Deserializer::from_slice(json);
    let read = reader.deserialize_map(Object { repeated: &repeated }).and_then(|()| reader.end());
    match read {
        Ok(()) => Ok(()),
        Err(_) if repeated.get() => Err(ObjectError::Repeated),
        Err(_) => Err(ObjectError::NotAnObject),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectError {
    Repeated,
    NotAnObject,
}

/// Visits an object and refuses its second member of a name.
#[derive(Clone, Copy)]
struct Object<'a> {
    repeated: &'a Cell<bool>,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = Names::default();
        while let Some(name) = members.next_key_seed(Name)? {
            if !seen.insert(name) {
                self.repeated.set(true);
                return Err(A::Error::custom("repeated member"));
            }
            members.next_value_seed(Anything(self))?;
        }
        Ok(())
    }
}

/// The names of an object so far. A token's objects have few, which are compared faster than hashed;
/// somebody else's may have thousands.
#[derive(Default)]
struct Names<'de> {
    few: Vec<Cow<'de, str>>,
    many: HashSet<Cow<'de, str>>,
}

impl<'de> Names<'de> {
    const FEW: usize = 24;

    /// Whether the name is new.
    fn insert(&mut self, name: Cow<'de, str>) -> bool {
        if self.few.contains(&name) {
            return false;
        }
        if self.few.len() < Self::FEW {
            self.few.push(name);
            return true;
        }
        self.many.insert(name)
    }
}

/// A name, borrowed unless it is escaped.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// Visits any value on the way to the objects in it.
struct Anything<'a>(Object<'a>);

impl<'de> DeserializeSeed<'de> for Anything<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Anything<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<(), A::Error> {
        self.0.visit_map(members)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Anything(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_with_single_members_passes() {
        for json in ["{}", r#" {"a":1,"b":[{"a":null},{"a":true}],"c":{"a":-1.5e3,"b":"x"}} "#] {
            assert_eq!(check_object(json.as_bytes()), Ok(()), "{json}");
        }
    }

    #[test]
    fn repeated_members_are_found_at_every_depth_and_in_every_spelling() {
        for json in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"b":2,"a":3}}"#,
            r#"{"x":[1,[{"":1,"":2}]]}"#,
        ] {
            assert_eq!(check_object(json.as_bytes()), Err(ObjectError::Repeated), "{json}");
        }
    }

    #[test]
    fn a_repeated_member_is_found_among_thousands() {
        let members = |names: &[usize]| {
            let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":0")).collect();
            format!("{{{}}}", members.join(","))
        };
        let mut names: Vec<usize> = (0..3_000).collect();
        assert_eq!(check_object(members(&names).as_bytes()), Ok(()));
        for repeated in [0, 23, 24, 2_999] {
            names.push(repeated);
            assert_eq!(check_object(members(&names).as_bytes()), Err(ObjectError::Repeated), "{repeated}");
            names.pop();
        }
    }

    #[test]
    fn anything_but_one_whole_object_is_refused() {
        let deep = format!("{}{}", r#"{"a":"#.repeat(200), "}".repeat(200));
        for json in ["", "[]", "1", "null", "{", r#"{"a":1}x"#, "{}{}", r#"{"a":1,}"#, &deep] {
            assert_eq!(check_object(json.as_bytes()), Err(ObjectError::NotAnObject), "{json}");
        }
        assert_eq!(check_object(b"{\"a\":\"\xff\"}"), Err(ObjectError::NotAnObject));
    }
}
