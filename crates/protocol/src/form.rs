//! A strict reader of `application/x-www-form-urlencoded`, for bodies, queries and Basic credentials.
//!
//! Our own thin code: the usual crates follow the WHATWG rules, which repair what is malformed (a stray
//! `%`, invalid UTF-8), and a repaired request may mean something else than what was sent.
//!
//! Accepted beyond the letter, because real programs send it and it has one meaning: raw spaces and raw
//! UTF-8 in values, and empty pieces between `&`.

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;

use crate::parameters::known_name;

/// Most parameters of one form or query.
pub const MAX_PARAMETERS: usize = 100;

/// Longest name of a parameter, decoded, in bytes.
pub const MAX_NAME_LENGTH: usize = 64;

/// The parameters of a form or a query, in order, no name twice (RFC 6749 3.1, 3.2).
///
/// Has no `Debug`: values may be secrets.
#[derive(Default)]
pub struct Form<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Form<'a> {
    /// Reads a body or the part of a URI after `?`. The caller bounds the length.
    ///
    /// Nothing is copied where nothing is escaped; empty input allocates nothing.
    pub fn parse(bytes: &'a [u8]) -> Result<Form<'a>, FormError> {
        let mut form = Form::default();
        let pieces = bytes.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty());
        for (index, piece) in pieces.enumerate() {
            if index == MAX_PARAMETERS {
                return Err(FormError::TooMany);
            }
            let parameter = form.read(piece, index + 1)?;
            form.0.push(parameter);
        }
        Ok(form)
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    fn read(&self, piece: &'a [u8], number: usize) -> Result<(Cow<'a, str>, Cow<'a, str>), FormError> {
        let equals = piece.iter().position(|byte| *byte == b'=');
        let (name, value) = match equals {
            Some(at) => (&piece[..at], &piece[at + 1..]),
            None => (piece, &piece[piece.len()..]),
        };
        let numbered = |fault| FormError::Parameter { which: Which::Number(number), fault };
        let name = decode(name).map_err(|malformed| numbered(Fault::Malformed(malformed)))?;
        if name.is_empty() {
            return Err(numbered(Fault::EmptyName));
        }
        if name.len() > MAX_NAME_LENGTH {
            return Err(numbered(Fault::LongName));
        }
        let which = || known_name(&name).map_or(Which::Number(number), Which::Name);
        if self.0.iter().any(|(earlier, _)| *earlier == name) {
            return Err(FormError::Parameter { which: which(), fault: Fault::Repeated });
        }
        let value = decode(value)
            .map_err(|why| FormError::Parameter { which: which(), fault: Fault::Malformed(why) })?;
        Ok((name, value))
    }
}

impl<'a> IntoIterator for Form<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Decodes one name or value: `+` is a space, `%XX` a byte, the result UTF-8 without control characters.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Malformed> {
    let escaped = bytes.iter().fold(false, |found, byte| found | matches!(byte, b'%' | b'+'));
    let text = if escaped {
        let unescaped = unescape(bytes)?;
        Cow::Owned(String::from_utf8(unescaped).map_err(|_| Malformed::Utf8)?)
    } else {
        Cow::Borrowed(std::str::from_utf8(bytes).map_err(|_| Malformed::Utf8)?)
    };
    if has_control(&text) { Err(Malformed::Control) } else { Ok(text) }
}

/// Adds bytes in the escapes of a form (WHATWG URL, application/x-www-form-urlencoded).
pub fn push_encoded(out: &mut Vec<u8>, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => out.push(*byte),
            b' ' => out.push(b'+'),
            _ => out.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
        }
    }
}

fn has_control(text: &str) -> bool {
    let ascii_control = text.bytes().fold(false, |found, byte| found | byte.is_ascii_control());
    ascii_control || (!text.is_ascii() && text.chars().any(char::is_control))
}

fn unescape(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) = (digit().ok_or(Malformed::Percent)?, digit().ok_or(Malformed::Percent)?);
                (high * 16 + low) as u8
            }
            other => other,
        });
    }
    Ok(out)
}

/// Why a name or value can't be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// `%` without two hexadecimal digits.
    #[error("has a '%' without two hexadecimal digits after it; write a percent sign as %25")]
    Percent,
    /// The bytes are not UTF-8.
    #[error("is not valid UTF-8")]
    Utf8,
    /// NUL, a line break or another control character.
    #[error("has a control character; leave it out")]
    Control,
}

/// Why bytes are not a form. Names a parameter only if we know its name, and never shows a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FormError {
    /// More than [`MAX_PARAMETERS`].
    #[error("there are more than {MAX_PARAMETERS} parameters")]
    TooMany,
    /// One parameter is wrong.
    #[error("{which} {fault}")]
    Parameter {
        /// Which one.
        which: Which,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// A parameter, by a name that is safe to echo or else by its place, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// A known name.
    Name(&'static str),
    /// Where an unknown name stands.
    Number(usize),
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Which::Name(name) => write!(f, "parameter '{name}'"),
            Which::Number(number) => write!(f, "parameter number {number}"),
        }
    }
}

/// What is wrong with one parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Fault {
    /// Its name or value can't be decoded.
    #[error(transparent)]
    Malformed(Malformed),
    /// It has no name.
    #[error("has no name")]
    EmptyName,
    /// Its name is longer than [`MAX_NAME_LENGTH`].
    #[error("has a name longer than {MAX_NAME_LENGTH} bytes")]
    LongName,
    /// Its name came before.
    #[error("is repeated; send it once")]
    Repeated,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(text: &str) -> Result<Vec<(String, String)>, FormError> {
        let form = Form::parse(text.as_bytes())?;
        Ok(form.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    fn fault(bytes: &[u8]) -> Fault {
        match Form::parse(bytes).map(|_| ()) {
            Err(FormError::Parameter { fault, .. }) => fault,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_form_is_read_in_order_and_decoded() {
        let read = pairs("scope=openid+can%5Ftrade&b=%C3%A9&c=a=b&d&&e=").unwrap();
        let expected = [("scope", "openid can_trade"), ("b", "é"), ("c", "a=b"), ("d", ""), ("e", "")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(Form::parse(b"a=1&b=2").unwrap().get("b"), Some("2"));
        assert_eq!(Form::parse(b"a=1&b=2").unwrap().get("c"), None);
    }

    #[test]
    fn what_is_not_escaped_is_not_copied() {
        let form = Form::parse(b"scope=openid can_trade&resource=https://a.example/b").unwrap();
        assert!(
            form.into_iter().all(|(name, value)| {
                matches!(name, Cow::Borrowed(_)) && matches!(value, Cow::Borrowed(_))
            })
        );
    }

    #[test]
    fn what_a_lenient_reader_would_repair_is_refused() {
        for bytes in [&b"a=%"[..], b"a=%4", b"a=%zz", b"a=%+1", b"a=%%41", "a=%é".as_bytes()] {
            assert_eq!(fault(bytes), Fault::Malformed(Malformed::Percent), "{bytes:?}");
        }
        for bytes in [&b"a=\xff"[..], b"a=%ff", b"a=%C3", b"a=%ED%A0%80", b"a=%C0%80", b"\xff=1"] {
            assert_eq!(fault(bytes), Fault::Malformed(Malformed::Utf8), "{bytes:?}");
        }
        for bytes in [&b"a=\0"[..], b"a=%00", b"a=1%0A", b"a=\r\n", b"%00=1", b"a=%7F", b"a=%C2%85"] {
            assert_eq!(fault(bytes), Fault::Malformed(Malformed::Control), "{bytes:?}");
        }
    }

    #[test]
    fn a_repeated_name_is_refused_however_it_is_escaped_and_known_or_not() {
        assert_eq!(fault(b"scope=openid&%73cope=openid"), Fault::Repeated);
        assert_eq!(fault(b"zzz=1&zzz=1"), Fault::Repeated);
        assert_eq!(fault(b"zzz&zzz"), Fault::Repeated);
    }

    #[test]
    fn names_and_their_number_are_bounded() {
        let many = |count: usize| (0..count).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
        assert!(pairs(&many(100)).is_ok());
        assert_eq!(pairs(&many(101)), Err(FormError::TooMany));
        assert!(pairs(&format!("{}=1", "a".repeat(64))).is_ok());
        assert_eq!(fault(format!("{}=1", "a".repeat(65)).as_bytes()), Fault::LongName);
        assert_eq!(fault(b"=1"), Fault::EmptyName);
    }

    #[test]
    fn an_error_names_known_parameters_only_and_shows_no_value() {
        let error = pairs("scope=%").unwrap_err().to_string();
        assert!(error.starts_with("parameter 'scope' has a '%'"), "{error}");
        let error = pairs("ok=1&hunter2=%").unwrap_err().to_string();
        assert!(error.starts_with("parameter number 2 has a '%'"), "{error}");
        let error = pairs("client_secret=hunter2&client_secret=hunter2").unwrap_err().to_string();
        assert_eq!(error, "parameter 'client_secret' is repeated; send it once");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(form) = Form::parse(&bytes) {
                let names: Vec<_> = form.iter().map(|(name, _)| name).collect();
                for (position, name) in names.iter().enumerate() {
                    prop_assert!(!name.is_empty() && !names[..position].contains(name));
                }
                for (name, value) in form.iter() {
                    prop_assert!(!name.chars().chain(value.chars()).any(char::is_control));
                }
            }
        }

        #[test]
        fn what_is_encoded_reads_back(value in "\\PC{0,40}") {
            let mut text = b"name=".to_vec();
            push_encoded(&mut text, value.as_bytes());
            let text = String::from_utf8(text).unwrap();
            prop_assert_eq!(pairs(&text).unwrap(), vec![(String::from("name"), value)]);
        }

        #[test]
        fn what_is_escaped_reads_back(value in "\\PC{0,40}") {
            let plain = |byte: u8| byte.is_ascii_alphanumeric();
            let escaped: String = value.bytes()
                .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
                .collect();
            let text = format!("name={escaped}");
            prop_assert_eq!(pairs(&text).unwrap(), vec![(String::from("name"), value)]);
        }
    }
}
