//! The values that fields take.

use procura_protocol::algorithm::{Algorithm, UnknownAlgorithm};
use procura_protocol::application_auth::{AuthMethods, InvalidAuthMethods};
use procura_protocol::ids::{self, InvalidId, check_application, check_party, check_resource};
use procura_protocol::permission::{Ceiling, InvalidPermissions, Permission, Permissions};
use procura_protocol::time::{InvalidTime, UnixSeconds};
use thiserror::Error;

use super::registration::{is_distinguished_name, is_jwks_uri, read_address, read_host_name};
use crate::records::Span;

/// Contacts that one trust may name.
const MAX_CONTACTS: usize = 10_000;
/// Resources beside the built-in one that one application may have.
const MAX_RESOURCES: usize = 16;
/// Longest e-mail address (RFC 5321 4.5.3.1.3, less the brackets).
const MAX_EMAIL: usize = 254;
/// Longest name in the time zone database, with room.
const MAX_TIME_ZONE: usize = 64;

/// What values a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// [`procura_protocol::ids::ApplicationId`].
    ApplicationId,
    /// [`procura_protocol::ids::ContactId`].
    ContactId,
    /// [`procura_protocol::ids::ClientId`].
    ClientId,
    /// [`procura_protocol::ids::ResourceId`].
    ResourceId,
    /// Anything without control characters, so many characters at most.
    Text {
        /// In characters.
        max: usize,
    },
    /// An e-mail address, loosely.
    Email,
    /// Two capital letters.
    UpperCode,
    /// Two small letters.
    LowerCode,
    /// A name of the time zone database, by its form.
    TimeZone,
    /// `true` or `false`.
    Boolean,
    /// One of these words. What is stored is 1 + its place.
    Choice(&'static [&'static str]),
    /// Names separated by spaces; absent is none.
    Permissions,
    /// `all`, `all` and more, or names; absent is none.
    Ceiling,
    /// RFC 3339 in UTC, whole seconds.
    Time,
    /// `*`, or contact ids separated by spaces; absent is none.
    Contacts,
    /// URIs separated by spaces, the first before the others; absent is none.
    Resources,
    /// A registered signature algorithm that we can make.
    Algorithm,
    /// [`procura_protocol::application_auth::AuthMethods`].
    AuthMethods,
    /// RFC 4514, by its form.
    DistinguishedName,
    /// Small letters, no wildcard.
    HostName,
    /// An absolute URI, compared as it stands.
    Uri,
    /// IPv4 or IPv6, in the form that its type prints.
    Address,
    /// An `https` URL without user or fragment.
    JwksUri,
}

impl Kind {
    /// Reads a value into its normal form. Absent (and an empty text is that) is `None`.
    pub fn read(&self, text: &str) -> Result<Option<String>, Problem> {
        if text.is_empty() {
            return Ok(None);
        }
        match self {
            Kind::ApplicationId => check_application(text)?,
            Kind::ContactId | Kind::ClientId => check_party(text)?,
            Kind::ResourceId => check_resource(text)?,
            Kind::Text { max } => check_text(text, *max)?,
            Kind::Email => check_email(text)?,
            Kind::UpperCode => check(is_code(text, u8::is_ascii_uppercase), Problem::UpperCode)?,
            Kind::LowerCode => check(is_code(text, u8::is_ascii_lowercase), Problem::LowerCode)?,
            Kind::TimeZone => check(is_time_zone(text), Problem::TimeZone)?,
            Kind::Boolean => check(matches!(text, "true" | "false"), Problem::Boolean)?,
            Kind::Choice(words) => check(words.contains(&text), Problem::Choice(words))?,
            Kind::Algorithm => drop(text.parse::<Algorithm>()?),
            Kind::Time => check_time(text)?,
            Kind::DistinguishedName => check(is_distinguished_name(text), Problem::DistinguishedName)?,
            Kind::Uri => check_resource(text)?,
            Kind::JwksUri => check(is_jwks_uri(text), Problem::JwksUri)?,
            Kind::AuthMethods => return Ok(Some(AuthMethods::parse(text)?.to_string())),
            Kind::HostName => return read_host_name(text).map(Some),
            Kind::Address => return read_address(text).map(Some),
            Kind::Permissions => return Ok(not_empty(Permissions::parse(text)?.to_string())),
            Kind::Ceiling => return Ok(not_empty(ceiling_text(Ceiling::parse(text)?.permissions()))),
            Kind::Contacts => return read_contacts(text).map(not_empty),
            Kind::Resources => return read_resources(text).map(not_empty),
        }
        Ok(Some(text.to_owned()))
    }
}

/// A ceiling of these permissions in its normal form: `all` for the ordinary ones together.
pub fn ceiling_text(permissions: Permissions) -> String {
    let is_named_only = |permission: &Permission| Ceiling::NAMED_ONLY.contains(*permission);
    let ordinary = Permission::ALL.into_iter().filter(|permission| !is_named_only(permission));
    if !ordinary.fold(Permissions::NONE, Permissions::with).is_within(permissions) {
        return permissions.to_string();
    }
    let mut text = String::from("all");
    for permission in permissions.iter().filter(is_named_only) {
        text.push(' ');
        text.push_str(permission.name());
    }
    text
}

/// What is wrong with a value. Reads on after the field's name; never repeats the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Problem {
    /// A field that must stand there is empty.
    #[error("can't be empty")]
    Empty,
    /// Longer than its bound.
    #[error("is longer than {0} characters; shorten it")]
    TooLong(usize),
    /// A control character, for instance NUL or a line break.
    #[error("has a control character (a line break, a tab or NUL); take it out")]
    Control,
    /// Not an id of its kind.
    #[error("{0}")]
    Id(#[from] InvalidId),
    /// One of several is not an id of its kind.
    #[error("has an id that {0}")]
    OneId(InvalidId),
    /// The same thing twice.
    #[error("names the same id twice")]
    Repeated,
    /// More than its bound.
    #[error("names more than {0}")]
    TooMany(usize),
    /// `*` beside ids.
    #[error("must be '*' alone, or contact ids separated by spaces")]
    StarBesideIds,
    /// Not an e-mail address.
    #[error("must be an e-mail address: one '@', no spaces, at most 254 characters")]
    Email,
    /// Not two capital letters.
    #[error("must be two capital letters, for instance ES")]
    UpperCode,
    /// Not two small letters.
    #[error("must be two small letters, for instance es")]
    LowerCode,
    /// Not in the form of a time zone's name.
    #[error("must be a name of the time zone database, for instance Europe/Madrid")]
    TimeZone,
    /// Neither true nor false.
    #[error("must be true or false")]
    Boolean,
    /// None of the words it may be.
    #[error("must be one of: {}", .0.join(", "))]
    Choice(&'static [&'static str]),
    /// None of our algorithms.
    #[error("must be one of: ES256, RS256, PS256, EdDSA")]
    Algorithm(#[from] UnknownAlgorithm),
    /// Not a point in time.
    #[error("{0}")]
    Time(#[from] InvalidTime),
    /// A point in time that can't be kept.
    #[error("must lie after 1970-01-01T00:00:00Z and not after {}", Span::LATEST)]
    TimeRange,
    /// Not a set of permissions.
    #[error("{0}")]
    Permissions(#[from] InvalidPermissions),
    /// Not a list of ways to authenticate.
    #[error("{0}")]
    AuthMethods(#[from] InvalidAuthMethods),
    /// Not in the form of a distinguished name.
    #[error(
        "must be a distinguished name as RFC 4514 writes it, for instance CN=erp,O=Klapp,C=AT: 512 bytes at \
         most, no space beside a comma"
    )]
    DistinguishedName,
    /// Not a host name.
    #[error("must be a host name, for instance erp.partner.example: no wildcard, no address")]
    HostName,
    /// Not an IP address.
    #[error("must be one IPv4 or IPv6 address, for instance 192.0.2.1")]
    Address,
    /// Not a URL that keys may be fetched from.
    #[error("must be an https URL of at most 512 characters, without a user and without a fragment")]
    JwksUri,
}

fn check(fits: bool, problem: Problem) -> Result<(), Problem> {
    if fits { Ok(()) } else { Err(problem) }
}

fn not_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn check_text(text: &str, max: usize) -> Result<(), Problem> {
    // A character has at most four bytes: what is far too long need not be counted.
    if text.len() > 4 * max || text.chars().count() > max {
        return Err(Problem::TooLong(max));
    }
    check(!text.chars().any(char::is_control), Problem::Control)
}

fn check_email(text: &str) -> Result<(), Problem> {
    let refused = |c: char| c.is_control() || c.is_whitespace();
    let two_sides = text
        .split_once('@')
        .is_some_and(|(user, domain)| !user.is_empty() && !domain.is_empty() && !domain.contains('@'));
    check(text.len() <= MAX_EMAIL && two_sides && !text.contains(refused), Problem::Email)
}

fn is_code(text: &str, is_letter: impl Fn(&u8) -> bool) -> bool {
    text.len() == 2 && text.bytes().all(|b| is_letter(&b))
}

fn is_time_zone(text: &str) -> bool {
    text.len() <= MAX_TIME_ZONE
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+' | b'/'))
}

fn check_time(text: &str) -> Result<(), Problem> {
    let at = UnixSeconds::parse_rfc3339(text)?;
    check((1..=Span::LATEST.0).contains(&at.0), Problem::TimeRange)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|word| !word.is_empty())
}

/// Contact ids have no order of their own: they are sorted, so that equal sets are equal texts.
fn read_contacts(text: &str) -> Result<String, Problem> {
    if text.len() > MAX_CONTACTS * (ids::MAX_ID_LENGTH + 1) {
        return Err(Problem::TooMany(MAX_CONTACTS));
    }
    let mut contacts: Vec<&str> = words(text).collect();
    if contacts.contains(&"*") {
        check(contacts.len() == 1, Problem::StarBesideIds)?;
        return Ok("*".to_owned());
    }
    check(contacts.len() <= MAX_CONTACTS, Problem::TooMany(MAX_CONTACTS))?;
    contacts.iter().try_for_each(|id| check_party(id)).map_err(Problem::OneId)?;
    contacts.sort_unstable();
    check(contacts.windows(2).all(|pair| pair[0] != pair[1]), Problem::Repeated)?;
    Ok(contacts.join(" "))
}

fn read_resources(text: &str) -> Result<String, Problem> {
    let resources: Vec<&str> = words(text).take(MAX_RESOURCES + 1).collect();
    check(resources.len() <= MAX_RESOURCES, Problem::TooMany(MAX_RESOURCES))?;
    resources.iter().try_for_each(|id| check_resource(id)).map_err(Problem::OneId)?;
    let repeated = resources.iter().enumerate().any(|(at, id)| resources[..at].contains(id));
    check(!repeated, Problem::Repeated)?;
    Ok(resources.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_text() {
        let read = |kind: Kind, text: &str| kind.read(text).unwrap().unwrap();
        assert_eq!(read(Kind::Permissions, "can_trade  can_authorise_payments"), {
            "can_authorise_payments can_trade"
        });
        assert_eq!(read(Kind::Contacts, "b a"), "a b");
        assert_eq!(read(Kind::Contacts, " * "), "*");
        assert_eq!(read(Kind::Resources, "https://b/ https://a/"), "https://b/ https://a/");
        let methods = read(Kind::AuthMethods, "private_key_jwt client_secret_post");
        assert_eq!(methods, "client_secret_post private_key_jwt");
        assert_eq!(read(Kind::HostName, "ERP.example"), "erp.example");
        assert_eq!(read(Kind::Address, "::FFFF:1"), "::ffff:1");
        let all = read(Kind::Ceiling, "all");
        assert_eq!(all, "all");
        let seven = Ceiling::parse("all").unwrap().permissions().to_string();
        assert_eq!(read(Kind::Ceiling, &seven), "all");
        assert_eq!(read(Kind::Ceiling, "all can_manage_contacts"), "all can_manage_contacts");
        for bits in 0..1 << 10 {
            let permissions = Permissions::from_bits(bits).unwrap();
            assert_eq!(Ceiling::parse(&ceiling_text(permissions)).unwrap().permissions(), permissions);
        }
    }

    #[test]
    fn what_is_empty_is_absent() {
        for kind in [Kind::Text { max: 1 }, Kind::Permissions, Kind::Contacts, Kind::Time, Kind::Boolean] {
            assert_eq!(kind.read(""), Ok(None), "{kind:?}");
        }
        assert_eq!(Kind::Contacts.read("  "), Ok(None));
    }

    #[test]
    fn every_kind_refuses_what_it_can_not_be() {
        let long = "a".repeat(300);
        let many = vec!["https://a/"; 17].join(" ");
        let latest = Span::LATEST.plus(1).to_string();
        for (kind, bad) in [
            (Kind::ApplicationId, "client"),
            (Kind::ContactId, "app_1"),
            (Kind::ClientId, "a/b"),
            (Kind::ResourceId, "/api"),
            (Kind::Text { max: 200 }, long.as_str()),
            (Kind::Text { max: 200 }, "a\0b"),
            (Kind::Text { max: 200 }, "a\nb"),
            (Kind::Email, "nobody"),
            (Kind::Email, "a@b@c"),
            (Kind::Email, "a b@c"),
            (Kind::UpperCode, "es"),
            (Kind::LowerCode, "ES"),
            (Kind::LowerCode, "esp"),
            (Kind::TimeZone, "Europe Madrid"),
            (Kind::Boolean, "yes"),
            (Kind::Choice(&["active"]), "Active"),
            (Kind::Permissions, "can_fly"),
            (Kind::Ceiling, "all can_trade"),
            (Kind::Time, "2033-05-01"),
            (Kind::Time, "1969-12-31T23:59:59Z"),
            (Kind::Time, latest.as_str()),
            (Kind::Contacts, "* a"),
            (Kind::Contacts, "a a"),
            (Kind::Contacts, "a,b"),
            (Kind::Resources, "https://a/ https://a/"),
            (Kind::Resources, many.as_str()),
            (Kind::Algorithm, "HS256"),
            (Kind::AuthMethods, "none"),
            (Kind::AuthMethods, "client_secret_jwt"),
            (Kind::DistinguishedName, "CN=a, O=b"),
            (Kind::HostName, "*.partner.example"),
            (Kind::Uri, "/erp"),
            (Kind::Address, "192.0.2.0/24"),
            (Kind::JwksUri, "http://partner.example/jwks"),
        ] {
            let problem = kind.read(bad).expect_err(bad);
            assert!(!problem.to_string().contains(bad), "{kind:?} repeats the value: {problem}");
        }
    }

    #[test]
    fn a_text_at_its_bound_is_kept() {
        let text = "é".repeat(200);
        assert_eq!(Kind::Text { max: 200 }.read(&text), Ok(Some(text.clone())));
        assert_eq!(Kind::Text { max: 199 }.read(&text), Err(Problem::TooLong(199)));
    }
}
