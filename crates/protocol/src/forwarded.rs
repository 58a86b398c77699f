//! What proxies say about where a request came from: `Forwarded` (RFC 7239) and `X-Forwarded-For`.
//!
//! Each proxy adds who spoke to it at the right end, so a list is only as good as whoever wrote its last
//! entry, and is read from there ([`caller`]). An entry that can't be read is a hop that is hidden, and what
//! stands left of the last hops is not looked at: callers write there what they like, and must not be able to make
//! what the proxy added unreadable.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The last hops that are read.
pub const MAX_HOPS: usize = 32;

/// The last bytes of all values together that are read.
const MAX_BYTES: usize = 4096;

/// Who spoke to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// An address; an IPv4 one that was written as IPv6 is IPv4 here. Its port is forgotten.
    Address(IpAddr),
    /// `unknown`, a name that means something to that proxy alone (RFC 7239 6.2, 6.3), or nothing that can be read.
    Hidden,
}

/// An entry that can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Malformed;

/// Reads the values of all `Forwarded` fields, in their order (RFC 7239 4): the last [`MAX_HOPS`].
///
/// An element against the grammar, or with a parameter twice, is [`Hop::Hidden`] and ends at the next comma.
pub fn read_forwarded<'a, V>(values: V) -> Vec<Hop>
where
    V: IntoIterator<Item = &'a [u8], IntoIter: DoubleEndedIterator>,
{
    read(values, |value| {
        let mut hops = Vec::new();
        let mut reader = Reader(value);
        loop {
            let begin = reader.0;
            let hop = reader.element().unwrap_or_else(|Malformed| {
                // Not where the error is: a quotation mark that a caller opens must not swallow what follows.
                reader.0 = begin;
                reader.while_(|byte| byte != b',');
                Hop::Hidden
            });
            hops.push(hop);
            if reader.take().is_none() {
                return hops;
            }
        }
    })
}

/// Reads the values of all `X-Forwarded-For` fields, in their order: addresses, with or without a port,
/// between commas; the last [`MAX_HOPS`]. What is neither an address nor `unknown` is [`Hop::Hidden`] too.
pub fn read_x_forwarded_for<'a, V>(values: V) -> Vec<Hop>
where
    V: IntoIterator<Item = &'a [u8], IntoIter: DoubleEndedIterator>,
{
    read(values, |value| value.split(|byte| *byte == b',').map(entry).collect())
}

/// What proxies write in `X-Forwarded-For` has no grammar of its own: IPv6 stands bare or in brackets.
fn entry(bytes: &[u8]) -> Hop {
    let Ok(text) = std::str::from_utf8(bytes) else { return Hop::Hidden };
    let text = text.trim_matches([' ', '\t']);
    match text.parse::<Ipv6Addr>() {
        Ok(address) => Hop::from(IpAddr::V6(address)),
        Err(_) => node(text, false).unwrap_or(Hop::Hidden),
    }
}

/// The last hops of the last bytes. Begins with the last value, since that is the one which counts.
fn read<'a, V>(values: V, hops_of: impl Fn(&'a [u8]) -> Vec<Hop>) -> Vec<Hop>
where
    V: IntoIterator<Item = &'a [u8], IntoIter: DoubleEndedIterator>,
{
    let mut left = MAX_BYTES;
    let mut hops = Vec::new();
    for value in values.into_iter().rev() {
        let kept = &value[value.len().saturating_sub(left)..];
        hops.extend(hops_of(kept).into_iter().rev());
        if kept.len() < value.len() {
            // Of the first of these only the end was seen.
            hops.pop();
            hops.push(Hop::Hidden);
        }
        left -= kept.len();
        if left == 0 || hops.len() >= MAX_HOPS {
            break;
        }
    }
    hops.truncate(MAX_HOPS);
    hops.reverse();
    hops
}

/// Who asks, when a proxy that is trusted told these hops: the rightmost address that is not trusted to tell
/// the next.
///
/// A hop that is hidden is not passed over: whoever told it is the last that is known, which is nobody here
/// when that was the proxy itself. When all are trusted, it is the one furthest away.
pub fn caller(hops: &[Hop], is_trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let mut caller = None;
    for hop in hops.iter().rev() {
        let Hop::Address(address) = *hop else { break };
        caller = Some(address);
        if !is_trusted(address) {
            break;
        }
    }
    caller
}

/// An IPv4 address that is written as IPv6 is IPv4.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// `node` of RFC 7239 6; names of a proxy's own only where the grammar has them.
fn node(text: &str, may_be_obfuscated: bool) -> Result<Hop, Malformed> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (inside, port) = rest.split_once(']').ok_or(Malformed)?;
            (inside.parse::<Ipv6Addr>().map(IpAddr::V6).map(Hop::from).map_err(|_| Malformed)?, port)
        }
        None => {
            let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            let address = name.parse::<Ipv4Addr>().map(IpAddr::V4).map(Hop::from);
            let is_hidden = name.eq_ignore_ascii_case("unknown") || may_be_obfuscated && is_obfuscated(name);
            (address.or(if is_hidden { Ok(Hop::Hidden) } else { Err(Malformed) })?, port)
        }
    };
    let port_fits = match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(port) => {
            let digits = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
            digits || may_be_obfuscated && is_obfuscated(port)
        }
    };
    if port_fits { Ok(name) } else { Err(Malformed) }
}

impl From<IpAddr> for Hop {
    fn from(address: IpAddr) -> Hop {
        Hop::Address(canonical(address))
    }
}

/// `obfnode` and `obfport` (RFC 7239 6.3).
fn is_obfuscated(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.strip_prefix('_').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(allowed))
}

/// What is left of one field's value.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn take(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn while_(&mut self, holds: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|byte| !holds(*byte)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn space(&mut self) {
        self.while_(|byte| byte == b' ' || byte == b'\t');
    }

    /// `forwarded-element`, up to the comma or the end.
    fn element(&mut self) -> Result<Hop, Malformed> {
        let mut hop = None;
        let mut names: Vec<&[u8]> = Vec::new();
        self.space();
        while !matches!(self.peek(), None | Some(b',')) {
            if self.peek() == Some(b';') {
                self.take();
                continue;
            }
            let name = self.while_(is_token);
            let repeated = names.iter().any(|known| known.eq_ignore_ascii_case(name));
            if name.is_empty() || repeated || self.take() != Some(b'=') {
                return Err(Malformed);
            }
            names.push(name);
            let value = self.value()?;
            if name.eq_ignore_ascii_case(b"for") {
                hop = Some(node(&value, true)?);
            }
            if !matches!(self.peek(), Some(b';')) {
                self.space();
                break;
            }
        }
        if !matches!(self.peek(), None | Some(b',')) {
            return Err(Malformed);
        }
        Ok(hop.unwrap_or(Hop::Hidden))
    }

    /// A token, or a quoted string without its quotes (RFC 9110 5.6).
    fn value(&mut self) -> Result<String, Malformed> {
        if self.peek() != Some(b'"') {
            let token = self.while_(is_token);
            return match std::str::from_utf8(token) {
                Ok(token) if !token.is_empty() => Ok(token.to_owned()),
                _ => Err(Malformed),
            };
        }
        self.take();
        let mut text = String::new();
        loop {
            let byte = match self.take().ok_or(Malformed)? {
                b'"' => return Ok(text),
                b'\\' => self.take().ok_or(Malformed)?,
                byte => byte,
            };
            // What is beyond ASCII has no place in a node, a scheme or a host.
            if !(byte == b'\t' || (0x20..0x7f).contains(&byte)) {
                return Err(Malformed);
            }
            text.push(char::from(byte));
        }
    }
}

/// `tchar` (RFC 9110 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn forwarded(value: &str) -> Vec<Hop> {
        read_forwarded([value.as_bytes()])
    }

    fn x_forwarded_for(value: &str) -> Vec<Hop> {
        read_x_forwarded_for([value.as_bytes()])
    }

    fn at(text: &str) -> Hop {
        Hop::Address(text.parse().unwrap())
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        for (value, hops) in [
            ("for=\"_gazonk\"", vec![Hop::Hidden]),
            ("For=\"[2001:db8:cafe::17]:4711\"", vec![at("2001:db8:cafe::17")]),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", vec![at("192.0.2.60")]),
            ("for=192.0.2.43, for=198.51.100.17", vec![at("192.0.2.43"), at("198.51.100.17")]),
            ("for=_hidden, for=_SEVKISEK", vec![Hop::Hidden, Hop::Hidden]),
            ("for=unknown;by=_x", vec![Hop::Hidden]),
            ("for=\"192.0.2.43:47011\"", vec![at("192.0.2.43")]),
            ("proto=https;host=\"a \\\"b\\\", c\"", vec![Hop::Hidden]),
            ("for=\"[::ffff:192.0.2.1]\"", vec![at("192.0.2.1")]),
        ] {
            assert_eq!(forwarded(value), hops, "{value}");
        }
        let two = read_forwarded([&b"for=192.0.2.1"[..], b"for=192.0.2.2"]);
        assert_eq!(two, vec![at("192.0.2.1"), at("192.0.2.2")]);
    }

    #[test]
    fn what_breaks_the_grammar_is_a_hidden_hop_and_spoils_no_other() {
        for value in [
            "for",
            "for=",
            "for=192.0.2.1 proto=http",
            "for = 192.0.2.1",
            "for=192.0.2.1;for=192.0.2.2",
            "for=192.0.2.1;FOR=192.0.2.2",
            "for=\"192.0.2.1",
            "for=2001:db8::1",
            "for=\"2001:db8::1\"",
            "for=[2001:db8::1]",
            "for=\"[2001:db8::1%eth0]\"",
            "for=192.0.2.01",
            "for=192.0.2.256",
            "for=\"192.0.2.1:\"",
            "for=\"192.0.2.1:123456\"",
            "for=\"192.0.2.1:x\"",
            "for=_",
            "for=example.com",
            "=192.0.2.1",
            "for=\"192.0.2.1\"x",
            "host=\"\u{e9}\"",
        ] {
            assert_eq!(forwarded(value), [Hop::Hidden], "{value}");
            let after = forwarded(&format!("{value}, for=\"[2001:db8::1]\""));
            assert_eq!(after.last(), Some(&at("2001:db8::1")), "{value}");
        }
        for value in ["", "example.com", "192.0.2.1 192.0.2.2", "_x", "[::1", "::1]", "1.2.3.4:x"] {
            assert_eq!(x_forwarded_for(value), [Hop::Hidden], "{value}");
            let after = x_forwarded_for(&format!("{value}, 192.0.2.9"));
            assert_eq!(after, [Hop::Hidden, at("192.0.2.9")], "{value}");
        }
    }

    #[test]
    fn addresses_with_and_without_ports_stand_in_the_unofficial_list() {
        let hops =
            x_forwarded_for("192.0.2.1, 2001:db8::1,[2001:db8::2] ,[2001:db8::3]:1,192.0.2.2:80,unknown");
        let read = ["192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.2"].map(at);
        assert_eq!(hops, [&read[..], &[Hop::Hidden]].concat());
    }

    #[test]
    fn of_a_long_list_the_end_is_read() {
        let junk = "x,".repeat(2 * MAX_BYTES);
        for hops in [
            x_forwarded_for(&format!("{junk}192.0.2.1")),
            x_forwarded_for(&format!("{}, 192.0.2.1", "x".repeat(2 * MAX_BYTES))),
            forwarded(&format!("{junk}for=192.0.2.1")),
            read_x_forwarded_for([junk.as_bytes(), b"192.0.2.1"]),
        ] {
            assert!(hops.len() <= MAX_HOPS);
            assert_eq!(hops.last(), Some(&at("192.0.2.1")));
        }
        // An end of an address is none.
        assert_eq!(x_forwarded_for(&format!("1{}", "1.2.3.4".repeat(MAX_BYTES))), [Hop::Hidden]);
    }

    #[test]
    fn the_rightmost_hop_that_is_not_trusted_is_the_caller() {
        let is_proxy = |address: IpAddr| address.to_string().starts_with("10.");
        for (told, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.7, 192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1, 10.0.0.2", Some("192.0.2.1")),
            ("192.0.2.1, ::ffff:10.0.0.2", Some("192.0.2.1")),
            ("10.0.0.3, 10.0.0.2", Some("10.0.0.3")),
            ("192.0.2.1, unknown", None),
            ("192.0.2.1, unknown, 10.0.0.2", Some("10.0.0.2")),
        ] {
            let hops = x_forwarded_for(told);
            let expected = expected.map(|address| address.parse::<IpAddr>().unwrap());
            assert_eq!(caller(&hops, is_proxy), expected, "{told}");
        }
        assert_eq!(caller(&[], is_proxy), None);
    }

    fn address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
            any::<u128>().prop_map(|bits| IpAddr::V6(bits.into()))
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(addresses in prop::collection::vec(address(), 1..MAX_HOPS)) {
            let hops: Vec<_> = addresses.iter().copied().map(Hop::from).collect();
            let plain = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            prop_assert_eq!(x_forwarded_for(&plain), hops.clone());
            let element = |address: &IpAddr| match address {
                IpAddr::V4(address) => format!("for={address}"),
                IpAddr::V6(address) => format!("for=\"[{address}]:1\""),
            };
            let official = addresses.iter().map(element).collect::<Vec<_>>().join(",");
            prop_assert_eq!(forwarded(&official), hops);
        }

        #[test]
        fn whatever_comes_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_forwarded([&bytes[..]]);
            let _ = read_x_forwarded_for([&bytes[..]]);
        }

        #[test]
        fn what_a_caller_puts_in_front_changes_nothing(told in address(), forged in "[ -~]{0,40}") {
            // One proxy, which adds the address that spoke to it.
            let hops = x_forwarded_for(&format!("{forged}, {told}"));
            prop_assert_eq!(caller(&hops, |_| false), Some(told.to_canonical()));
        }
    }
}
