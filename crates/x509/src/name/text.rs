//! The characters of RFC 4514.

use std::fmt::{self, Write};

use super::InvalidName;

/// Goes through a text once. All that has a meaning is ASCII, so bytes are looked at.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Reader<'a> {
        Reader { text, at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// The attribute's type, and the `=` after it.
    pub(super) fn kind(&mut self) -> Result<&'a str, InvalidName> {
        let begin = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')) {
            self.at += 1;
        }
        let kind = self.text.get(begin..self.at).ok_or(InvalidName)?;
        if self.next() == Some(b'=') { Ok(kind) } else { Err(InvalidName) }
    }

    /// `,` or `+`, or the end.
    pub(super) fn next_separator(&mut self) -> Result<Option<u8>, InvalidName> {
        match self.next() {
            None => Ok(None),
            Some(separator @ (b',' | b'+')) => Ok(Some(separator)),
            Some(_) => Err(InvalidName),
        }
    }

    /// What stands after `#`, if that is how the value begins.
    pub(super) fn hex(&mut self) -> Result<Option<Vec<u8>>, InvalidName> {
        if self.peek() != Some(b'#') {
            return Ok(None);
        }
        self.at += 1;
        let mut bytes = Vec::new();
        while !self.at_end_of_value() {
            bytes.push(self.hex_pair()?);
        }
        Ok(Some(bytes))
    }

    fn hex_pair(&mut self) -> Result<u8, InvalidName> {
        let mut digit = || {
            let byte = self.next().ok_or(InvalidName)?;
            char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(InvalidName)
        };
        Ok(digit()? << 4 | digit()?)
    }

    fn at_end_of_value(&self) -> bool {
        matches!(self.peek(), None | Some(b',' | b'+'))
    }

    /// A value as text, unescaped. Spaces at its ends must be escaped.
    pub(super) fn string(&mut self) -> Result<String, InvalidName> {
        let mut bytes = Vec::new();
        let mut bare_space_last = self.peek() == Some(b' ');
        if bare_space_last {
            return Err(InvalidName);
        }
        while !self.at_end_of_value() {
            let byte = self.next().ok_or(InvalidName)?;
            bare_space_last = byte == b' ';
            match byte {
                b'\\' => bytes.push(self.escaped()?),
                b'"' | b';' | b'<' | b'>' | 0 => return Err(InvalidName),
                plain => bytes.push(plain),
            }
        }
        if bare_space_last { Err(InvalidName) } else { String::from_utf8(bytes).map_err(|_| InvalidName) }
    }

    fn escaped(&mut self) -> Result<u8, InvalidName> {
        match self.peek().ok_or(InvalidName)? {
            special @ (b' ' | b'"' | b'#' | b'+' | b',' | b';' | b'<' | b'=' | b'>' | b'\\') => {
                self.at += 1;
                Ok(special)
            }
            _ => self.hex_pair(),
        }
    }
}

/// Writes a value so that [`Reader::string`] reads it back. Control characters are written as pairs of
/// digits: names end up in terminals and logs.
pub(super) fn write_escaped(f: &mut fmt::Formatter<'_>, value: &str) -> fmt::Result {
    let last = value.chars().count().saturating_sub(1);
    for (at, letter) in value.chars().enumerate() {
        match letter {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => write!(f, "\\{letter}")?,
            '#' if at == 0 => f.write_str("\\#")?,
            ' ' if at == 0 || at == last => f.write_str("\\ ")?,
            control if control.is_control() => {
                let mut utf8 = [0; 4];
                for byte in control.encode_utf8(&mut utf8).bytes() {
                    write!(f, "\\{byte:02x}")?;
                }
            }
            plain => f.write_char(plain)?,
        }
    }
    Ok(())
}
