//! The values by which an application's registration says how it proves itself, and what they must be
//! together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use procura_protocol::application_auth::{AuthMethod, AuthMethods};

use super::{Invalid, Problem, position, profile};
use crate::change::Entity;

/// Bytes of a distinguished name, a URI of a certificate, and of the URL of a set of keys.
pub(super) const MAX_REGISTRATION_TEXT: usize = 512;
/// Longest host name (RFC 1035 2.3.4, without the dot at the end).
const MAX_HOST_NAME: usize = 253;
/// Longest part of a host name between its dots.
const MAX_LABEL: usize = 63;

/// The fields of which `tls_client_auth` needs exactly one (RFC 8705 2.1.2).
pub const CERTIFICATE_SUBJECTS: &[&str] = &[
    "certificate_subject_dn",
    "certificate_san_dns",
    "certificate_san_uri",
    "certificate_san_ip",
    "certificate_san_email",
];

/// What the values of an application must be together. Whether its keys stand in the registration, and whether
/// it has secrets, is not among them: the store knows.
pub(super) fn check_application(entity: Entity, values: &[Option<String>]) -> Result<(), Invalid> {
    if entity != Entity::Application {
        return Ok(());
    }
    let value = |name: &str| position(entity, name).and_then(|at| values.get(at)?.as_deref());
    let subjects = CERTIFICATE_SUBJECTS.iter().filter(|name| value(name).is_some()).count();
    let methods = value("auth_methods").and_then(|text| AuthMethods::parse(text).ok());
    let by_authority = methods.is_some_and(|methods| methods.contains(AuthMethod::TlsClientAuth));
    match subjects {
        0 if by_authority => return Err(Invalid::NoCertificateSubject),
        0 | 1 => {}
        _ => return Err(Invalid::CertificateSubjects),
    }
    profile::check(value).map_err(Invalid::Profile)
}

/// A distinguished name as RFC 4514 section 3 writes it. Only its form is looked at.
pub(super) fn is_distinguished_name(text: &str) -> bool {
    if text.is_empty() || text.len() > MAX_REGISTRATION_TEXT || text.contains(char::is_control) {
        return false;
    }
    let mut rest = text;
    loop {
        let Some((kind, value)) = rest.split_once('=') else { return false };
        let Some(after) = is_attribute_type(kind).then(|| after_attribute_value(value)).flatten() else {
            return false;
        };
        match after.strip_prefix([',', '+']) {
            Some(next) => rest = next,
            None => return after.is_empty(),
        }
    }
}

/// A short name, or an object identifier in numbers with dots.
fn is_attribute_type(text: &str) -> bool {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        let is_number = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_digit())
                && (part == "0" || !part.starts_with('0'))
        };
        return text.contains('.') && text.split('.').all(is_number);
    }
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// What stands behind an attribute's value: the separator before the next one, or nothing. `None` when it
/// is none, an empty one included: no certificate says it.
fn after_attribute_value(text: &str) -> Option<&str> {
    if let Some(hex) = text.strip_prefix('#') {
        let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
        return (end > 0 && end % 2 == 0).then(|| &hex[end..]);
    }
    let mut chars = text.char_indices();
    // Whether what came last is a space that no backslash holds: a value neither begins nor ends with one.
    let (mut count, mut bare_space) = (0, false);
    let end = loop {
        let Some((at, c)) = chars.next() else { break text.len() };
        match c {
            ',' | '+' => break at,
            '\\' => {
                let (_, escaped) = chars.next()?;
                let is_pair = escaped.is_ascii_hexdigit()
                    && chars.next().is_some_and(|(_, second)| second.is_ascii_hexdigit());
                if !is_pair && !r#"\"+,;<> #="#.contains(escaped) {
                    return None;
                }
                bare_space = false;
            }
            '"' | ';' | '<' | '>' => return None,
            ' ' if count == 0 => return None,
            c => bare_space = c == ' ',
        }
        count += 1;
    };
    (count > 0 && !bare_space).then(|| &text[end..])
}

/// A host name in small letters (RFC 1123 2.1): no wildcard, no address.
pub(super) fn read_host_name(text: &str) -> Result<String, Problem> {
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let fits = text.len() <= MAX_HOST_NAME && text.split('.').all(is_label);
    // Whose last part is a number is an address, or one to somebody.
    let last = text.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|b| b.is_ascii_digit());
    if fits && !is_number { Ok(text.to_ascii_lowercase()) } else { Err(Problem::HostName) }
}

/// An address in the one form that its type prints.
pub(super) fn read_address(text: &str) -> Result<String, Problem> {
    text.parse::<IpAddr>().map(|address| address.to_string()).map_err(|_| Problem::Address)
}

/// An `https` URL that a set of keys can be fetched from.
pub(super) fn is_jwks_uri(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else { return false };
    let is_plain = |b: u8| {
        b.is_ascii_graphic()
            && !matches!(b, b'#' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    text.len() <= MAX_REGISTRATION_TEXT && rest.bytes().all(is_plain) && is_authority(&rest[..end])
}

/// A host and perhaps a port; nothing in front of them, where a name and a password would stand.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) if address.parse::<Ipv6Addr>().is_ok() => (None, port),
        Some(_) => return false,
        None => match text.split_once(':') {
            Some((host, _)) => (Some(host), &text[host.len()..]),
            None => (Some(text), ""),
        },
    };
    let is_port = |port: &str| {
        port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0)
    };
    let port_fits = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    let host_fits = host.is_none_or(|host| read_host_name(host).is_ok() || host.parse::<Ipv4Addr>().is_ok());
    port_fits && host_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distinguished_name_is_written_as_rfc_4514_says() {
        for good in [
            "CN=erp",
            "CN=erp.partner.example,O=Klapp GmbH,C=AT",
            "2.5.4.97=PSDES-BDE-3DFD21,CN=x",
            r#"CN=James \"Jim\" Smith\, III,DC=example"#,
            r"CN=Before\0dAfter",
            "CN=a+OU=b",
            r"CN=\ a\ ,O=b",
            r"CN=\#1",
            "1.3.6.1.4.1.1466.0=#04024869",
            "CN=Straße",
            "CN=a=b",
            "CN=a#b",
        ] {
            assert!(is_distinguished_name(good), "{good}");
        }
        for bad in [
            "",
            "erp",
            "=a",
            "CN=",
            "CN=a,",
            "CN=a, O=b",
            "CN=a;O=b",
            "CN= a",
            "CN=a ",
            "CN=\"a\"",
            r"CN=a\",
            r"CN=a\q",
            r"CN=a\0g",
            "CN=#0",
            "CN=#zz",
            "01.2=a",
            "1=a",
            "1..2=a",
            "C N=a",
            "CN=a\nO=b",
            "CN=a\0",
        ] {
            assert!(!is_distinguished_name(bad), "{bad:?}");
        }
        assert!(is_distinguished_name(&format!("CN={}", "a".repeat(509))));
        assert!(!is_distinguished_name(&format!("CN={}", "a".repeat(510))));
    }

    #[test]
    fn a_host_name_is_kept_in_small_letters_and_is_no_address() {
        assert_eq!(read_host_name("ERP.Partner.example"), Ok("erp.partner.example".to_owned()));
        assert_eq!(read_host_name("localhost"), Ok("localhost".to_owned()));
        let long = format!("{}.example", "a".repeat(64));
        for bad in [
            "",
            "*.partner.example",
            "a..b",
            ".a",
            "a.",
            "-a.b",
            "a-.b",
            "a_b.example",
            "127.0.0.1",
            "a.1",
            "a b",
            "é.example",
            long.as_str(),
        ] {
            assert_eq!(read_host_name(bad), Err(Problem::HostName), "{bad}");
        }
    }

    #[test]
    fn one_address_has_one_text() {
        assert_eq!(read_address("2001:DB8:0:0::1"), Ok("2001:db8::1".to_owned()));
        assert_eq!(read_address("192.0.2.1"), Ok("192.0.2.1".to_owned()));
        for bad in ["192.0.2.1/32", "192.0.2", "[::1]", "fe80::1%eth0", "1"] {
            assert_eq!(read_address(bad), Err(Problem::Address), "{bad}");
        }
    }

    #[test]
    fn keys_are_fetched_over_https_from_a_host_and_nothing_else_is_in_the_url() {
        for good in [
            "https://partner.example/jwks",
            "https://partner.example",
            "https://partner.example:8443/a/b?c=d",
            "https://192.0.2.1/jwks",
            "https://[2001:db8::1]:443/jwks",
        ] {
            assert!(is_jwks_uri(good), "{good}");
        }
        let long = format!("https://partner.example/{}", "a".repeat(500));
        for bad in [
            "http://partner.example/jwks",
            "HTTPS://partner.example/jwks",
            "https:///jwks",
            "https://user@partner.example/jwks",
            "https://user:password@partner.example/jwks",
            "https://partner.example/jwks#keys",
            "https://partner.example:0/jwks",
            "https://partner.example:65536/jwks",
            "https://partner.example:/jwks",
            "https://partner.example:+1/jwks",
            "https://partner.example\\@inside/jwks",
            "https://[::1/jwks",
            "https://[::1]x/jwks",
            "https://partner example/jwks",
            "file:///etc/passwd",
            long.as_str(),
        ] {
            assert!(!is_jwks_uri(bad), "{bad}");
        }
    }
}
