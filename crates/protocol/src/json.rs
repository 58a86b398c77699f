//! A JSON writer for the few documents that are written for every token.
//!
//! Each token needs two sets of claims and one answer, and a general serialiser is a measurable part of
//! their cost. Objects are written by hand as literal text around these functions; the tests of every
//! caller hold the output against serde_json.

/// Appends `text` as a JSON string, quotes included (RFC 8259 7).
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    // One pass without a branch per byte, which the compiler vectorises; almost no string needs the other.
    if bytes.iter().fold(false, |found, byte| found | needs_escape(*byte)) {
        push_escaped(out, bytes);
    } else {
        out.extend_from_slice(bytes);
    }
    out.push(b'"');
}

/// Appends a whole number.
pub(crate) fn push_integer(out: &mut Vec<u8>, number: i64) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[start..]);
}

fn needs_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

#[cold]
fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        if needs_escape(byte) {
            push_escape(out, byte);
        } else {
            out.push(byte);
        }
    }
}

fn push_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        _ => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_string_is_written_as_serde_json_writes_it(text in any::<String>()) {
            let mut out = Vec::new();
            push_string(&mut out, &text);
            prop_assert_eq!(out, serde_json::to_vec(&text).unwrap());
        }

        #[test]
        fn any_number_is_written_as_serde_json_writes_it(number in any::<i64>()) {
            let mut out = Vec::new();
            push_integer(&mut out, number);
            prop_assert_eq!(out, serde_json::to_vec(&number).unwrap());
        }
    }

    #[test]
    fn every_ascii_character_is_written_as_serde_json_writes_it() {
        let text: String = (0u8..128).map(char::from).collect();
        let mut out = Vec::new();
        push_string(&mut out, &text);
        assert_eq!(out, serde_json::to_vec(&text).unwrap());
        for number in [0, -1, 9, 10, i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            push_integer(&mut out, number);
            assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
