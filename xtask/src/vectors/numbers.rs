//! Arithmetic on signatures, and bits of base64url that mean nothing.

/// The order of P-256 (SEC 2 section 2.4.2), big end first.
const ORDER_OF_P256: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The order of the group of Ed25519 (RFC 8032 section 5.1), little end first.
const ORDER_OF_ED25519: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The order of P-256 minus a number of 32 bytes, big end first.
pub(super) fn order_minus(number: &[u8]) -> Vec<u8> {
    let mut out = ORDER_OF_P256;
    let mut borrow = 0_i16;
    for (digit, taken) in out.iter_mut().zip(number).rev() {
        let difference = i16::from(*digit) - i16::from(*taken) - borrow;
        borrow = i16::from(difference < 0);
        *digit = difference.rem_euclid(256) as u8;
    }
    out.to_vec()
}

/// A number of 32 bytes, little end first, plus the order of the group of Ed25519.
pub(super) fn plus_order(number: &[u8]) -> Vec<u8> {
    let mut carry = 0_u16;
    let sum = number.iter().zip(ORDER_OF_ED25519).map(|(digit, added)| {
        let sum = u16::from(*digit) + u16::from(added) + carry;
        carry = sum >> 8;
        (sum & 0xff) as u8
    });
    sum.collect()
}

/// The base64url text of so many bytes with ones in the bits that no byte needs, if there are such.
pub(super) fn with_spare_bits(text: &str, bytes: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let spare = [0, 0b1111, 0b11][bytes % 3];
    let mut text = text.to_owned();
    if let Some(last) = text.pop() {
        let value = ALPHABET.iter().position(|character| char::from(*character) == last).unwrap_or(0);
        text.push(char::from(ALPHABET[value | spare]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_minus_a_number_twice_is_the_number() {
        let mut number = [0x5a; 32];
        number[0] = 0;
        assert_eq!(order_minus(&order_minus(&number)), number);
        let mut one = [0; 32];
        one[31] = 1;
        assert_eq!(order_minus(&one)[31], 0x50);
    }

    #[test]
    fn the_order_is_added_with_carries() {
        let mut number = [0; 32];
        number[0] = 0x13;
        let sum = plus_order(&number);
        assert_eq!(sum[..2], [0, 0xd4]);
        assert_eq!(plus_order(&[0; 32]), ORDER_OF_ED25519);
    }

    #[test]
    fn spare_bits_are_set_where_there_are_some() {
        assert_eq!(with_spare_bits("AA", 1), "AP");
        assert_eq!(with_spare_bits("AAA", 2), "AAD");
        assert_eq!(with_spare_bits("AAAA", 3), "AAAA");
    }
}
