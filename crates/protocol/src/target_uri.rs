//! The URL that a proof of possession names (`htu`, RFC 9449 4.3), in the one form in which two are compared.

use std::fmt;

/// An `http` or `https` URL without query and fragment, normalised as RFC 3986 6.2.2 and 6.2.3 say: small letters
/// in scheme and host, no port where it is the usual one, `/` for an empty path, and percent-encoding only where
/// it is needed.
///
/// Dot segments stay as they are: a path that has them is read differently by different servers, so it equals
/// itself alone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TargetUri(Box<str>);

impl TargetUri {
    /// Reads an absolute URL; its query and fragment are left out. `None` for anything else, one with a user in
    /// front of its host among it.
    pub fn parse(text: &str) -> Option<TargetUri> {
        let (scheme, rest) = text.split_once("://")?;
        let usual = match () {
            () if scheme.eq_ignore_ascii_case("https") => ("https", "443"),
            () if scheme.eq_ignore_ascii_case("http") => ("http", "80"),
            () => return None,
        };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let mut normal = String::with_capacity(text.len() + 1);
        normal.push_str(usual.0);
        normal.push_str("://");
        push_authority(&mut normal, authority, usual.1)?;
        push_path(&mut normal, path)?;
        Some(TargetUri(normal.into()))
    }

    /// The URL of a path under a base, for instance of an endpoint under an issuer; `path` begins with `/`.
    pub fn under(base: &str, path: &str) -> Option<TargetUri> {
        TargetUri::parse(&format!("{}{path}", base.trim_end_matches('/')))
    }

    /// Whether `text` names one of them.
    pub fn any_is(targets: &[TargetUri], text: &str) -> bool {
        // As a rule it is written as we write it.
        targets.iter().any(|target| *target.0 == *text)
            || TargetUri::parse(text).is_some_and(|named| targets.contains(&named))
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TargetUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TargetUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TargetUri({self})")
    }
}

/// A host and perhaps a port; nothing in front of them.
fn push_authority(normal: &mut String, authority: &str, usual_port: &str) -> Option<()> {
    let end = match authority.strip_prefix('[') {
        Some(address) => address.find(']')? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(end);
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~[]:".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_host) {
        return None;
    }
    normal.extend(host.chars().map(|c| c.to_ascii_lowercase()));
    let port = match port.strip_prefix(':') {
        Some(port) => port,
        None if port.is_empty() => return Some(()),
        None => return None,
    };
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let port = port.trim_start_matches('0');
    if !port.is_empty() && port != usual_port {
        normal.push(':');
        normal.push_str(port);
    }
    Some(())
}

/// RFC 3986 6.2.2.1 and 6.2.2.2; a `%` that begins no escape is no path.
fn push_path(normal: &mut String, path: &str) -> Option<()> {
    if path.is_empty() {
        normal.push('/');
    }
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        normal.push_str(&rest[..at]);
        let byte = rest.get(at + 1..at + 3).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let byte = u8::from_str_radix(byte, 16).ok()?;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            normal.push(char::from(byte));
        } else {
            normal.push_str(&format!("%{byte:02X}"));
        }
        rest = &rest[at + 3..];
    }
    normal.push_str(rest);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> Option<String> {
        TargetUri::parse(text).map(|uri| uri.to_string())
    }

    #[test]
    fn one_url_has_one_form() {
        for (text, expected) in [
            ("https://a.example/token", "https://a.example/token"),
            ("HTTPS://A.Example:443/token?x=y#z", "https://a.example/token"),
            ("https://a.example:0443/token", "https://a.example/token"),
            ("https://a.example:/token", "https://a.example/token"),
            ("https://a.example:8443/token", "https://a.example:8443/token"),
            ("http://a.example:80", "http://a.example/"),
            ("http://a.example:443", "http://a.example:443/"),
            ("https://a.example?x", "https://a.example/"),
            ("https://[2001:DB8::1]:443/a", "https://[2001:db8::1]/a"),
            ("https://a.example/%74oken/%c3%A9%2f", "https://a.example/token/%C3%A9%2F"),
            ("https://a.example/a/../b", "https://a.example/a/../b"),
            ("https://a.example//Token", "https://a.example//Token"),
        ] {
            assert_eq!(normal(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_url_of_a_request_has_none() {
        for text in [
            "",
            "/token",
            "a.example/token",
            "ftp://a.example/",
            "https://",
            "https:///token",
            "https:/a.example/token",
            "https://user@a.example/token",
            "https://user:password@a.example/token",
            "https://a.example:port/token",
            "https://a.example:443:443/token",
            "https://[::1/token",
            "https://[::1]x/token",
            "https://a example/token",
            "https://é.example/token",
            "https:\\\\a.example\\token",
            "https://a.example/%zz",
            "https://a.example/%",
            "https://a.example/%e",
            "https://a.example/%é",
            "https://a.example%2f/token",
        ] {
            assert_eq!(normal(text), None, "{text}");
        }
    }

    #[test]
    fn a_path_under_a_base_has_one_slash_between_them() {
        for base in ["https://a.example/bank", "https://a.example/bank/"] {
            assert_eq!(TargetUri::under(base, "/token").unwrap().as_str(), "https://a.example/bank/token");
        }
        assert_eq!(TargetUri::under("procura", "/token"), None);
    }
}
