//! Networks, as operators write them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

/// Addresses that begin alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A text that names no addresses; completes "it ...".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidNetwork {
    /// It is neither an address nor a network.
    #[error("must be an address or a network, for instance 127.0.0.1 or 10.0.0.0/8")]
    Shape,
    /// There are bits set behind the prefix: either the address or the length is a slip.
    #[error("has bits behind its prefix: write the first address of the network")]
    BitsBehindPrefix,
}

impl Network {
    /// Whether the address is in it; an IPv4 one that is written as IPv6 is IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (ours, theirs) = (bits(self.address), bits(address.to_canonical()));
        ours.1 == theirs.1 && (ours.0 ^ theirs.0) & mask(self.prefix, ours.1) == 0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == bits(self.address).1 {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.prefix)
        }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Network, InvalidNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidNetwork::Shape)?;
        if address != address.to_canonical() {
            return Err(InvalidNetwork::Shape);
        }
        let (value, width) = bits(address);
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
            Some(_) => None,
            None => Some(width),
        };
        let prefix = prefix.filter(|prefix| *prefix <= width).ok_or(InvalidNetwork::Shape)?;
        if value & !mask(prefix, width) != 0 {
            return Err(InvalidNetwork::BitsBehindPrefix);
        }
        Ok(Network { address, prefix })
    }
}

/// An address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (address.to_bits().into(), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

/// The bits of the prefix.
fn mask(prefix: u8, width: u8) -> u128 {
    let behind = u32::from(width - prefix);
    let all = if width == 128 { u128::MAX } else { (1 << width) - 1 };
    all & u128::MAX.checked_shl(behind).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_is_its_addresses_and_no_others() {
        for (network, address) in [
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1", "::ffff:127.0.0.1"),
            ("10.0.0.0/8", "10.255.0.1"),
            ("0.0.0.0/0", "192.0.2.1"),
            ("::1", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1"),
            ("::/0", "2001:db8::1"),
        ] {
            assert!(contains(network, address), "{network} {address}");
        }
        for (network, address) in [
            ("127.0.0.1", "127.0.0.2"),
            ("10.0.0.0/8", "11.0.0.0"),
            ("10.0.0.0/9", "10.128.0.0"),
            ("::1", "::2"),
            ("::/0", "127.0.0.1"),
            ("0.0.0.0/0", "::1"),
            ("2001:db8::/32", "2001:db9::"),
        ] {
            assert!(!contains(network, address), "{network} {address}");
        }
    }

    #[test]
    fn a_slip_in_a_network_is_told() {
        for text in [
            "",
            "localhost",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0/8",
            "::ffff:10.0.0.1",
            "::1/129",
        ] {
            assert_eq!(text.parse::<Network>(), Err(InvalidNetwork::Shape), "{text}");
        }
        for text in ["10.0.0.1/8", "2001:db8::1/32", "127.0.0.1/0"] {
            assert_eq!(text.parse::<Network>(), Err(InvalidNetwork::BitsBehindPrefix), "{text}");
        }
    }
}
