//! The scope of a request (RFC 6749 3.3): `openid` and the names of permissions.

use thiserror::Error;

use crate::permission::{Permission, Permissions};

/// The scope value that every contact token has (OpenID Connect Core 3.1.2.1).
pub const OPENID: &str = "openid";

/// The scope that a contact token request asks for.
///
/// A set: order and repeats mean nothing. `openid` narrows nothing; where an ID token does not come always, it
/// asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestedScope {
    named: Permissions,
    openid: bool,
}

impl RequestedScope {
    /// Reads names separated by single spaces.
    pub fn parse(text: &str) -> Result<RequestedScope, InvalidScope> {
        let (mut named, mut openid) = (Permissions::NONE, false);
        if text.is_empty() {
            return Err(InvalidScope::Empty);
        }
        for name in text.split(' ') {
            if name.is_empty() {
                return Err(InvalidScope::Spaces);
            }
            if name == OPENID {
                openid = true;
            } else {
                named = named.with(Permission::from_name(name).ok_or(InvalidScope::Unknown)?);
            }
        }
        Ok(RequestedScope { named, openid })
    }

    /// Whether `openid` is among it.
    pub fn openid(self) -> bool {
        self.openid
    }

    /// What each client is narrowed to; `None` if no permission was named, and then nothing narrows.
    pub fn permissions(self) -> Option<Permissions> {
        (!self.named.is_empty()).then_some(self.named)
    }
}

/// Why a text is not a scope. Never echoes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidScope {
    /// Nothing was given.
    #[error("is empty; leave it out or name permissions")]
    Empty,
    /// A space at an end, or two in a row.
    #[error("must be names separated by single spaces")]
    Spaces,
    /// A name that is neither `openid` nor a permission.
    #[error("has a name that is neither openid nor a permission (can_authorise_payments, can_trade, ...)")]
    Unknown,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn openid_alone_narrows_nothing() {
        assert_eq!(RequestedScope::parse("openid").unwrap().permissions(), None);
        assert_eq!(RequestedScope::parse("openid openid").unwrap().permissions(), None);
    }

    #[test]
    fn named_permissions_narrow_with_or_without_openid() {
        let trade = Some(Permissions::NONE.with(Permission::Trade));
        for text in ["can_trade", "openid can_trade", "can_trade openid", "can_trade can_trade"] {
            assert_eq!(RequestedScope::parse(text).unwrap().permissions(), trade, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_list_of_known_names_is_refused() {
        assert_eq!(RequestedScope::parse(""), Err(InvalidScope::Empty));
        for text in [" ", "openid ", " openid", "openid  can_trade"] {
            assert_eq!(RequestedScope::parse(text), Err(InvalidScope::Spaces), "{text:?}");
        }
        for text in ["profile", "OpenID", "can_fly", "openid offline_access", "openid\tcan_trade", "all"] {
            assert_eq!(RequestedScope::parse(text), Err(InvalidScope::Unknown), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_scope_reads_back_as_the_set_it_was_written_from(bits in 0u16..1 << 10) {
            let set = Permissions::from_bits(bits).unwrap();
            let scope = RequestedScope::parse(format!("openid {set}").trim_end()).unwrap();
            prop_assert_eq!(scope.permissions(), (!set.is_empty()).then_some(set));
        }
    }
}
