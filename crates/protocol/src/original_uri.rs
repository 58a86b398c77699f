//! The URI of a request that somebody else will answer, read so that it has one meaning only.
//!
//! A proxy asks whether it may let a request through. Whatever is allowed here is routed once more behind
//! us, by an upstream that decodes and normalises in its own way. So a URI is refused whenever two honest
//! readers could take it for two different ones; what is left means the same to all of them.

use std::borrow::Cow;
use std::str::Split;

use thiserror::Error;

/// Longest URI that is read, in bytes.
pub const MAX_ORIGINAL_URI: usize = 8 * 1024;

/// A path and a query (RFC 9112 3.2.1) that can be read in one way only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginalUri<'a> {
    text: &'a str,
    path: &'a str,
    query: &'a str,
}

/// Why a URI is not read. Holds nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UnclearUri {
    /// Longer than [`MAX_ORIGINAL_URI`].
    #[error("is longer than {MAX_ORIGINAL_URI} bytes")]
    TooLong,
    /// It does not begin with a slash: an absolute URI, `*`, or nothing.
    #[error("does not begin with a slash")]
    NotAPath,
    /// A byte that stands in no URI, or that servers read differently: a space, a control byte, a
    /// backslash, a fragment, anything that is not ASCII.
    #[error("has a character that no path or query has")]
    Character,
    /// A `%` without two digits.
    #[error("has a percent sign without two digits")]
    Percent,
    /// An escaped slash, backslash, dot, percent sign, semicolon, question mark, number sign or control
    /// character in the path; an escaped zero byte anywhere.
    #[error("escapes a character that decides what a path is")]
    Escaped,
    /// What is escaped is no UTF-8.
    #[error("escapes bytes that are not UTF-8")]
    Utf8,
    /// Two slashes in a row.
    #[error("has an empty segment")]
    EmptySegment,
    /// `.` or `..`.
    #[error("has a segment of dots")]
    DotSegment,
}

impl<'a> OriginalUri<'a> {
    /// Reads the target of a request. Nothing is copied, and nothing is allocated unless bytes beyond
    /// ASCII are escaped.
    ///
    /// # Errors
    ///
    /// [`UnclearUri`].
    pub fn read(bytes: &'a [u8]) -> Result<OriginalUri<'a>, UnclearUri> {
        if bytes.len() > MAX_ORIGINAL_URI {
            return Err(UnclearUri::TooLong);
        }
        if bytes.first() != Some(&b'/') {
            return Err(UnclearUri::NotAPath);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| UnclearUri::Character)?;
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        check(path, is_in_path, may_be_escaped_in_path)?;
        check(query, is_in_query, |byte| byte != 0)?;
        check_segments(path)?;
        Ok(OriginalUri { text, path, query })
    }

    /// All of it, as it was sent.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// The segments of the path, decoded. `/` has one, which is empty; only the last can be.
    pub fn segments(&self) -> Segments<'a> {
        Segments(self.path[1..].split('/'))
    }

    /// Names, decoded, and values, as they are, of what stands in the query between `&`.
    pub fn query(&self) -> impl Iterator<Item = (Cow<'a, str>, &'a str)> {
        let pieces = self.query.split('&').filter(|piece| !piece.is_empty());
        pieces.map(|piece| {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            (decoded_name(name), value)
        })
    }

    /// Names, decoded, of all that any reader takes for a parameter: for some a `;` separates too.
    pub fn query_names(&self) -> impl Iterator<Item = Cow<'a, str>> {
        let pieces = self.query.split(['&', ';']).filter(|piece| !piece.is_empty());
        pieces.map(|piece| decoded_name(piece.split_once('=').map_or(piece, |(name, _)| name)))
    }
}

/// The decoded segments of a path.
#[derive(Debug, Clone)]
pub struct Segments<'a>(Split<'a, char>);

impl<'a> Iterator for Segments<'a> {
    type Item = Cow<'a, str>;

    fn next(&mut self) -> Option<Cow<'a, str>> {
        self.0.next().map(decoded)
    }
}

fn is_in_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@/%".contains(&byte)
}

/// Programs send more in a query than RFC 3986 has in it, and none of that separates anything.
fn is_in_query(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'#'
}

fn may_be_escaped_in_path(byte: u8) -> bool {
    !byte.is_ascii_control() && !b"/\\.%;?#".contains(&byte)
}

fn check(text: &str, is_in: fn(u8) -> bool, may_be_escaped: fn(u8) -> bool) -> Result<(), UnclearUri> {
    let bytes = text.as_bytes();
    if !bytes.iter().all(|byte| is_in(*byte)) {
        return Err(UnclearUri::Character);
    }
    let mut beyond_ascii = false;
    let escapes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%').map(|(at, _)| at);
    for at in escapes {
        let byte = escaped(bytes, at).ok_or(UnclearUri::Percent)?;
        if !may_be_escaped(byte) {
            return Err(UnclearUri::Escaped);
        }
        beyond_ascii |= !byte.is_ascii();
    }
    if beyond_ascii {
        let decoded = String::from_utf8(unescape(bytes)).map_err(|_| UnclearUri::Utf8)?;
        if decoded.chars().any(|c| c.is_control() && !c.is_ascii()) {
            return Err(UnclearUri::Escaped);
        }
    }
    Ok(())
}

fn check_segments(path: &str) -> Result<(), UnclearUri> {
    let mut segments = path[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "" if segments.peek().is_some() => return Err(UnclearUri::EmptySegment),
            "." | ".." => return Err(UnclearUri::DotSegment),
            _ => {}
        }
    }
    Ok(())
}

/// The byte that is escaped at a percent sign.
fn escaped(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    u8::try_from(digit(at + 1)? * 16 + digit(at + 2)?).ok()
}

fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match escaped(bytes, at).filter(|_| *byte == b'%') {
            Some(escaped) => {
                out.push(escaped);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

fn decoded(segment: &str) -> Cow<'_, str> {
    if segment.contains('%') {
        Cow::Owned(String::from_utf8_lossy(&unescape(segment.as_bytes())).into_owned())
    } else {
        Cow::Borrowed(segment)
    }
}

fn decoded_name(name: &str) -> Cow<'_, str> {
    if name.contains('+') { Cow::Owned(decoded(&name.replace('+', " ")).into_owned()) } else { decoded(name) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn segments(text: &str) -> Vec<String> {
        OriginalUri::read(text.as_bytes()).unwrap().segments().map(Cow::into_owned).collect()
    }

    fn refused(text: impl AsRef<[u8]>) -> UnclearUri {
        OriginalUri::read(text.as_ref()).unwrap_err()
    }

    #[test]
    fn a_path_is_its_decoded_segments() {
        assert_eq!(segments("/"), [""]);
        assert_eq!(segments("/v1/quotes/"), ["v1", "quotes", ""]);
        assert_eq!(segments("/v1/%C3%98re%20a:@!$&'()*+,="), ["v1", "Øre a:@!$&'()*+,="]);
        assert_eq!(segments("/a...b/...?x=/../"), ["a...b", "..."]);
    }

    #[test]
    fn a_query_is_names_and_values_and_names_are_decoded() {
        let uri = OriginalUri::read(b"/q?client%5Fid=CLI%31&&a+b=c;d=e&x?").unwrap();
        let pairs: Vec<_> = uri.query().map(|(name, value)| (name.into_owned(), value)).collect();
        let expected = [("client_id", "CLI%31"), ("a b", "c;d=e"), ("x?", "")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value)));
        let names: Vec<_> = uri.query_names().collect();
        assert_eq!(names, ["client_id", "a b", "d", "x?"]);
    }

    #[test]
    fn what_two_readers_could_take_for_two_paths_is_refused() {
        for text in
            ["/a%2fb", "/a%2Fb", "/a%5cb", "/%2e%2e/a", "/.%2E/a", "/a%252f", "/a%3bb", "/a%3f", "/a%23"]
        {
            assert_eq!(refused(text), UnclearUri::Escaped, "{text}");
        }
        for text in ["/a%00", "/a%0d%0a", "/a%7f", "/a?b=%00", "/a%C2%80"] {
            assert_eq!(refused(text), UnclearUri::Escaped, "{text}");
        }
        for text in ["/a/../b", "/a/./b", "/..", "/."] {
            assert_eq!(refused(text), UnclearUri::DotSegment, "{text}");
        }
        for text in ["//", "//a", "/a//b", "/a//"] {
            assert_eq!(refused(text), UnclearUri::EmptySegment, "{text}");
        }
        for text in [
            "/a;b",
            "/a\\b",
            "/a#b",
            "/a?b#c",
            "/a b",
            "/a\tb",
            "/a\0b",
            "/\u{e9}",
            "/a?\u{e9}",
            "/a\"",
            "/a|b",
        ] {
            assert_eq!(refused(text), UnclearUri::Character, "{text}");
        }
        assert_eq!(refused(b"/\xff"), UnclearUri::Character);
        for text in ["", "a", "*", "http://user@host/a", "https:/a", "?a", "\\a"] {
            assert_eq!(refused(text), UnclearUri::NotAPath, "{text}");
        }
        for text in ["/a%", "/a%4", "/a%4g", "/a%u0041", "/a?%", "/a%+1"] {
            assert_eq!(refused(text), UnclearUri::Percent, "{text}");
        }
        for text in ["/a%ff", "/a%c0%ae", "/a?b=%ff", "/a%c3"] {
            assert_eq!(refused(text), UnclearUri::Utf8, "{text}");
        }
        assert_eq!(refused("/".repeat(MAX_ORIGINAL_URI + 1)), UnclearUri::TooLong);
    }

    /// What a lenient server makes of a path: decoded twice, backslashes and parameters read as many do,
    /// dots resolved, slashes merged.
    fn leniently(path: &str) -> Vec<String> {
        let once = String::from_utf8_lossy(&unescape(path.as_bytes())).into_owned();
        let twice = String::from_utf8_lossy(&unescape(once.as_bytes())).replace('\\', "/");
        let mut segments: Vec<String> = Vec::new();
        let pieces = twice.split(['?', '#', '\0']).next().unwrap_or_default().split('/');
        for piece in pieces.map(|piece| piece.split(';').next().unwrap_or_default()) {
            match piece {
                "" | "." => {}
                ".." => drop(segments.pop()),
                other => segments.push(other.to_owned()),
            }
        }
        segments
    }

    proptest! {
        #[test]
        fn a_lenient_reader_finds_the_very_segments_that_we_do(
            text in "/([a-zA-Z.~/;\\\\%?#& =_-]|%[0-9a-fA-F]{2}|%2[eEfF]|%5[cC]|%25|\\.\\.|/){0,12}",
        ) {
            if let Ok(uri) = OriginalUri::read(text.as_bytes()) {
                let ours: Vec<String> =
                    uri.segments().map(Cow::into_owned).filter(|segment| !segment.is_empty()).collect();
                prop_assert_eq!(ours, leniently(uri.path));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Ok(uri) = OriginalUri::read(&bytes) {
                prop_assert_eq!(uri.as_str().as_bytes(), &bytes[..]);
                prop_assert!(uri.segments().all(|segment| !segment.contains(['/', '\\', '\0', ';'])));
                prop_assert!(uri.segments().all(|segment| segment != "." && segment != ".."));
            }
        }

        #[test]
        fn what_needs_no_escape_is_read_as_it_is(segments in prop::collection::vec("[a-zA-Z0-9_~-]{1,8}", 1..6)) {
            let text = format!("/{}", segments.join("/"));
            let read: Vec<String> =
                OriginalUri::read(text.as_bytes()).unwrap().segments().map(Cow::into_owned).collect();
            prop_assert_eq!(read, segments);
        }
    }
}
