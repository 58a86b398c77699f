//! What attribute types are called.

use x509_cert::der::asn1::ObjectIdentifier;

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// The names that are written, then others for the same type. RFC 4514 3 has the first nine.
const NAMES: &[(ObjectIdentifier, &[&str])] = &[
    (oid("2.5.4.3"), &["CN", "commonName"]),
    (oid("2.5.4.7"), &["L", "localityName"]),
    (oid("2.5.4.8"), &["ST", "stateOrProvinceName"]),
    (oid("2.5.4.10"), &["O", "organizationName"]),
    (oid("2.5.4.11"), &["OU", "organizationalUnitName"]),
    (oid("2.5.4.6"), &["C", "countryName"]),
    (oid("2.5.4.9"), &["STREET", "streetAddress"]),
    (oid("0.9.2342.19200300.100.1.25"), &["DC", "domainComponent"]),
    (oid("0.9.2342.19200300.100.1.1"), &["UID", "userId"]),
    (oid("2.5.4.4"), &["SN", "surname"]),
    (oid("2.5.4.42"), &["GN", "givenName"]),
    (oid("2.5.4.5"), &["serialNumber"]),
    (oid("2.5.4.12"), &["title"]),
    (oid("2.5.4.13"), &["description"]),
    (oid("2.5.4.15"), &["businessCategory"]),
    (oid("2.5.4.17"), &["postalCode"]),
    (oid("2.5.4.97"), &["organizationIdentifier"]),
    (oid("1.2.840.113549.1.9.1"), &["emailAddress", "email"]),
    (oid("1.3.6.1.4.1.311.60.2.1.1"), &["jurisdictionL", "jurisdictionLocalityName"]),
    (oid("1.3.6.1.4.1.311.60.2.1.2"), &["jurisdictionST", "jurisdictionStateOrProvinceName"]),
    (oid("1.3.6.1.4.1.311.60.2.1.3"), &["jurisdictionC", "jurisdictionCountryName"]),
];

/// What the type is called in texts, if it has a name.
pub(super) fn name(kind: &ObjectIdentifier) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| known == kind).and_then(|(_, names)| names.first().copied())
}

/// The type that is called so, in letters of any case, or is this object identifier.
pub(super) fn parse(text: &str) -> Option<ObjectIdentifier> {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        let canonical = text.split('.').all(|arc| arc == "0" || !arc.starts_with('0'));
        return if canonical { ObjectIdentifier::new(text).ok() } else { None };
    }
    NAMES
        .iter()
        .find(|(_, names)| names.iter().any(|known| known.eq_ignore_ascii_case(text)))
        .map(|(kind, _)| *kind)
}
