//! Distinguished names: read from RFC 4514, compared by attributes, written back.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use x509_cert::der::asn1::{Any, ObjectIdentifier};
use x509_cert::der::{Decode, Encode, Tag, Tagged};
use x509_cert::name::{Name, RelativeDistinguishedName};

mod text;
mod types;

use text::Reader;

/// The longest text that is read as a name.
const MAX_TEXT: usize = 2_048;

/// A subject's distinguished name ([RFC 4514](https://www.rfc-editor.org/rfc/rfc4514)).
///
/// Two names are equal when they have the same relative names in the same order, and each of those the same
/// attributes in any order: so a name that another tool prints the other way round is another name. Attribute
/// types are compared as object identifiers, whatever they are called. Values of the types UTF8String,
/// PrintableString, IA5String and BMPString are compared as text, whichever of these it is: ASCII letters
/// without regard to case, spaces (U+0020) at the ends left out and runs of them taken for one, everything
/// else exactly. Values of any other type are compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistinguishedName {
    /// As RFC 4514 writes them: the last of the certificate first.
    relative: Vec<Vec<Attribute>>,
}

/// A text that is no distinguished name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "must be a distinguished name as RFC 4514 writes it, for instance CN=partner.example,O=Partner Ltd,C=GB, as \
     openssl x509 -noout -subject -nameopt RFC2253 prints it"
)]
pub struct InvalidName;

#[derive(Clone, Debug)]
struct Attribute {
    kind: ObjectIdentifier,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    Text(String),
    /// DER of a type that is not compared as text.
    Other(Vec<u8>),
}

impl DistinguishedName {
    /// Reads RFC 4514, strictly: no spaces around `,`, `+` and `=`, no empty name.
    ///
    /// Attribute types are the names of RFC 4519 and a few that certificates carry beside them, or object
    /// identifiers in dots; values may be escaped, or DER in hexadecimal after `#`.
    pub fn parse(text: &str) -> Result<DistinguishedName, InvalidName> {
        if text.len() > MAX_TEXT {
            return Err(InvalidName);
        }
        let mut reader = Reader::new(text);
        let mut relative = vec![vec![attribute(&mut reader)?]];
        loop {
            match reader.next_separator()? {
                None => break,
                Some(b'+') => {
                    let added = attribute(&mut reader)?;
                    relative.last_mut().ok_or(InvalidName)?.push(added);
                }
                Some(_) => relative.push(vec![attribute(&mut reader)?]),
            }
        }
        Ok(DistinguishedName::sorted(relative))
    }

    /// The name in a certificate. Empty names exist there.
    pub(crate) fn of(name: &Name) -> Option<DistinguishedName> {
        let mut relative: Vec<Vec<Attribute>> = name.iter_rdn().map(of_relative).collect::<Option<_>>()?;
        relative.reverse();
        Some(DistinguishedName::sorted(relative))
    }

    /// Attributes of one relative name are a set: they get one order.
    fn sorted(mut relative: Vec<Vec<Attribute>>) -> DistinguishedName {
        for set in &mut relative {
            set.sort_by_cached_key(Attribute::key);
        }
        DistinguishedName { relative }
    }
}

impl FromStr for DistinguishedName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<DistinguishedName, InvalidName> {
        DistinguishedName::parse(text)
    }
}

impl fmt::Display for DistinguishedName {
    /// RFC 4514. What it writes, [`DistinguishedName::parse`] reads as an equal name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, set) in self.relative.iter().enumerate() {
            for (within, attribute) in set.iter().enumerate() {
                match (at, within) {
                    (0, 0) => {}
                    (_, 0) => f.write_str(",")?,
                    (_, _) => f.write_str("+")?,
                }
                attribute.fmt(f)?;
            }
        }
        Ok(())
    }
}

impl Attribute {
    /// What is equal for equal attributes and for no others.
    fn key(&self) -> (ObjectIdentifier, bool, Vec<u8>) {
        match &self.value {
            Value::Text(text) => (self.kind, true, folded(text).into_bytes()),
            Value::Other(der) => (self.kind, false, der.clone()),
        }
    }
}

impl PartialEq for Attribute {
    fn eq(&self, other: &Attribute) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Attribute {}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match types::name(&self.kind) {
            Some(name) => f.write_str(name)?,
            None => self.kind.fmt(f)?,
        }
        match &self.value {
            Value::Text(value) => {
                f.write_str("=")?;
                text::write_escaped(f, value)
            }
            Value::Other(der) => {
                f.write_str("=#")?;
                der.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

/// The form in which texts are compared.
fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().map(|letter| letter.to_ascii_lowercase()));
    }
    out
}

fn attribute(reader: &mut Reader<'_>) -> Result<Attribute, InvalidName> {
    let kind = types::parse(reader.kind()?).ok_or(InvalidName)?;
    let value = match reader.hex()? {
        Some(der) => value_of(&Any::from_der(&der).map_err(|_| InvalidName)?).ok_or(InvalidName)?,
        None => Value::Text(reader.string()?),
    };
    Ok(Attribute { kind, value })
}

fn of_relative(relative: &RelativeDistinguishedName) -> Option<Vec<Attribute>> {
    relative
        .iter()
        .map(|attribute| Some(Attribute { kind: attribute.oid, value: value_of(&attribute.value)? }))
        .collect()
}

fn value_of(value: &Any) -> Option<Value> {
    let bytes = value.value();
    Some(match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => {
            Value::Text(std::str::from_utf8(bytes).ok()?.to_owned())
        }
        Tag::BmpString => {
            let (units, []) = bytes.as_chunks::<2>() else { return None };
            let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
            Value::Text(char::decode_utf16(units).collect::<Result<_, _>>().ok()?)
        }
        _ => Value::Other(value.to_der().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> DistinguishedName {
        DistinguishedName::parse(text).unwrap()
    }

    #[test]
    fn names_are_compared_by_attributes_and_not_by_text() {
        let base = name("CN=Partner One,O=Acme\\, Ltd,C=GB");
        for equal in [
            "cn=partner one,o=ACME\\, LTD,c=gb",
            "2.5.4.3=Partner One,2.5.4.10=Acme\\, Ltd,2.5.4.6=GB",
            "commonName=Partner  One,organizationName=Acme\\2c Ltd,countryName=GB",
            "CN=\\ Partner One\\ ,O=Acme\\, Ltd,C=GB",
            "CN=#0c0b506172746e6572204f6e65,O=Acme\\, Ltd,C=GB",
            "CN=#130B506172746E6572204F6E65,O=Acme\\, Ltd,C=GB",
        ] {
            assert_eq!(name(equal), base, "{equal}");
        }
        for other in [
            "C=GB,O=Acme\\, Ltd,CN=Partner One",
            "CN=Partner One,O=Acme\\, Ltd",
            "CN=Partner One,O=Acme\\, Ltd,C=GB,DC=example",
            "CN=PartnerOne,O=Acme\\, Ltd,C=GB",
            "OU=Partner One,O=Acme\\, Ltd,C=GB",
            "CN=Partner One+O=Acme\\, Ltd,C=GB",
            "CN=Partner One\\,O=Acme,O=Acme\\, Ltd,C=GB",
        ] {
            assert_ne!(name(other), base, "{other}");
        }
    }

    #[test]
    fn the_attributes_of_one_relative_name_have_no_order() {
        assert_eq!(name("CN=a+UID=7,O=x"), name("UID=7+CN=A,O=x"));
        assert_ne!(name("CN=a+UID=7,O=x"), name("CN=a+UID=7+UID=7,O=x"));
        assert_ne!(name("CN=a+UID=7,O=x"), name("CN=a,UID=7,O=x"));
    }

    #[test]
    fn letters_beyond_ascii_are_compared_exactly() {
        assert_eq!(name("CN=Z\u{fc}rich"), name("CN=z\\C3\\BCRICH"));
        assert_ne!(name("CN=Z\u{fc}rich"), name("CN=Z\u{dc}rich"));
        // The sign of Kelvin would fold to a k.
        assert_ne!(name("CN=\u{212a}"), name("CN=k"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in [
            "",
            "CN",
            "=a",
            "CN=a,",
            ",CN=a",
            "CN=a,,O=b",
            "CN=a+",
            "CN = a",
            "CN=a, O=b",
            "C = GB, O = Acme, CN = a",
            "/C=GB/O=Acme/CN=a",
            "CN= a",
            "CN=a ",
            "CN=#",
            "CN=#0",
            "CN=#0c",
            "CN=#0c0161x",
            "CN=#0c016161",
            "CN=a\\",
            "CN=a\\x",
            "CN=a\\ff",
            "CN=a\"b",
            "CN=a;O=b",
            "CN=a<b",
            "CN=a\u{0}",
            "XY=a",
            "2.5.4.03=a",
            "9.5.4.3=a",
            ".2=a",
        ] {
            assert_eq!(DistinguishedName::parse(bad), Err(InvalidName), "{bad}");
        }
        assert!(DistinguishedName::parse(&format!("CN={}", "a".repeat(MAX_TEXT))).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_the_same_name(values in prop::collection::vec(".{0,20}", 1..6)) {
            let kinds = ["CN", "O", "2.5.4.97", "emailAddress", "1.2.3.4"];
            let relative = values.iter().enumerate().map(|(at, value)| {
                let kind = types::parse(kinds[at % kinds.len()]).unwrap();
                vec![Attribute { kind, value: Value::Text(value.clone()) }]
            });
            let written = DistinguishedName::sorted(relative.collect());
            prop_assert_eq!(DistinguishedName::parse(&written.to_string()).unwrap(), written);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[CNO=,+#\\\\ a0-9.\u{fc}]{0,40}") {
            if let Ok(read) = DistinguishedName::parse(&text) {
                prop_assert_eq!(DistinguishedName::parse(&read.to_string()).unwrap(), read);
            }
        }
    }
}
