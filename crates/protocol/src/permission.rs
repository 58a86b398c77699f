//! The closed set of ten permissions, and the ceiling that a trust puts over them.

use std::fmt;
use std::ops::BitAnd;

use thiserror::Error;

/// What a contact may do for a client, by its published name (contract, chapter 4).
///
/// The order is alphabetical, which is also the order on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the wire names below say it")]
pub enum Permission {
    AuthorisePayments = 0,
    MakeSameCurrencyPayments,
    ManageBeneficiaries,
    ManageBeneficiariesGroups,
    ManageContacts,
    ManageFixForwards,
    ManageMultipayments,
    ManagePayments,
    ManagePermissions,
    Trade,
}

impl Permission {
    /// All ten, alphabetical.
    pub const ALL: [Permission; 10] = [
        Permission::AuthorisePayments,
        Permission::MakeSameCurrencyPayments,
        Permission::ManageBeneficiaries,
        Permission::ManageBeneficiariesGroups,
        Permission::ManageContacts,
        Permission::ManageFixForwards,
        Permission::ManageMultipayments,
        Permission::ManagePayments,
        Permission::ManagePermissions,
        Permission::Trade,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Permission::AuthorisePayments => "can_authorise_payments",
            Permission::MakeSameCurrencyPayments => "can_make_same_currency_payments",
            Permission::ManageBeneficiaries => "can_manage_beneficiaries",
            Permission::ManageBeneficiariesGroups => "can_manage_beneficiaries_groups",
            Permission::ManageContacts => "can_manage_contacts",
            Permission::ManageFixForwards => "can_manage_fix_forwards",
            Permission::ManageMultipayments => "can_manage_multipayments",
            Permission::ManagePayments => "can_manage_payments",
            Permission::ManagePermissions => "can_manage_permissions",
            Permission::Trade => "can_trade",
        }
    }

    /// The permission of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Permission> {
        Self::ALL.into_iter().find(|permission| permission.name() == name)
    }

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

/// A set of permissions. The empty set is authority to read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Permissions(u16);

impl Permissions {
    /// No permission: authority to read.
    pub const NONE: Permissions = Permissions(0);
    /// All ten.
    pub const ALL: Permissions = Permissions((1 << 10) - 1);

    /// From the stored bits; bits that no permission has are an error.
    pub fn from_bits(bits: u16) -> Option<Permissions> {
        (bits & !Self::ALL.0 == 0).then_some(Permissions(bits))
    }

    /// The bits to store; bit 0 is the alphabetically first permission.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Reads names separated by single spaces; the empty string is the empty set.
    pub fn parse(text: &str) -> Result<Permissions, InvalidPermissions> {
        let mut set = Permissions::NONE;
        for name in text.split(' ').filter(|name| !name.is_empty()) {
            let permission = Permission::from_name(name).ok_or(InvalidPermissions::Unknown)?;
            if set.contains(permission) {
                return Err(InvalidPermissions::Repeated(permission));
            }
            set = set.with(permission);
        }
        Ok(set)
    }

    /// Whether the permission is in the set.
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Whether every permission of `self` is in `other`.
    pub const fn is_within(self, other: Permissions) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether the set has no permission.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set with one more permission. There is no union of two sets: rights only shrink.
    #[must_use]
    pub const fn with(self, permission: Permission) -> Permissions {
        Permissions(self.0 | permission.bit())
    }

    /// The permissions, alphabetical.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.contains(*permission))
    }
}

impl BitAnd for Permissions {
    type Output = Permissions;

    fn bitand(self, other: Permissions) -> Permissions {
        Permissions(self.0 & other.0)
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, permission) in self.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(permission.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permissions({self})")
    }
}

/// The most that a trust lets through.
///
/// `all` stands for the seven ordinary permissions; the three that can move authority itself
/// ([`Ceiling::NAMED_ONLY`]) are never in it and must be named beside it. Anything else beside `all`
/// is refused, so that a reader never has to wonder what the extra name was meant to add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ceiling {
    all: bool,
    named: Permissions,
}

impl Ceiling {
    /// What `all` leaves out.
    pub const NAMED_ONLY: Permissions = Permissions(
        Permission::AuthorisePayments.bit()
            | Permission::ManageContacts.bit()
            | Permission::ManagePermissions.bit(),
    );

    /// Reads `all`, `all can_authorise_payments`, or names; empty is the empty ceiling.
    pub fn parse(text: &str) -> Result<Ceiling, InvalidPermissions> {
        let mut words = text.split(' ').filter(|word| !word.is_empty()).peekable();
        let all = words.next_if_eq(&"all").is_some();
        let rest = words.collect::<Vec<_>>().join(" ");
        let named = Permissions::parse(&rest)?;
        if all && !named.is_within(Self::NAMED_ONLY) {
            return Err(InvalidPermissions::BesideAll);
        }
        Ok(Ceiling { all, named })
    }

    /// The permissions that pass.
    pub const fn permissions(self) -> Permissions {
        let ordinary = if self.all { Permissions::ALL.0 & !Self::NAMED_ONLY.0 } else { 0 };
        Permissions(ordinary | self.named.0)
    }
}

impl fmt::Display for Ceiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.all, self.named.is_empty()) {
            (true, true) => f.write_str("all"),
            (true, false) => write!(f, "all {}", self.named),
            (false, _) => self.named.fmt(f),
        }
    }
}

/// Why a text is not a set of permissions or a ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidPermissions {
    /// A name that no permission has.
    #[error("has a name that is not one of the ten permissions: {}", Permissions::ALL)]
    Unknown,
    /// A name twice.
    #[error("names {} twice", .0.name())]
    Repeated(Permission),
    /// `all` beside a permission that `all` already gives.
    #[error(
        "may have beside 'all' only can_authorise_payments, can_manage_contacts and can_manage_permissions"
    )]
    BesideAll,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_alphabetical_and_read_back() {
        let names: Vec<_> = Permission::ALL.iter().map(|permission| permission.name()).collect();
        assert!(names.is_sorted());
        for permission in Permission::ALL {
            assert_eq!(Permission::from_name(permission.name()), Some(permission));
        }
        assert_eq!(Permissions::parse(&Permissions::ALL.to_string()), Ok(Permissions::ALL));
    }

    #[test]
    fn all_leaves_out_the_three_that_must_be_named() {
        let all = Ceiling::parse("all").unwrap().permissions();
        for permission in Permission::ALL {
            assert_ne!(all.contains(permission), Ceiling::NAMED_ONLY.contains(permission));
        }
        let more = Ceiling::parse("all can_authorise_payments").unwrap();
        assert!(more.permissions().contains(Permission::AuthorisePayments));
        assert!(!more.permissions().contains(Permission::ManageContacts));
        assert_eq!(more.to_string(), "all can_authorise_payments");
    }

    #[test]
    fn all_stands_with_no_ordinary_name_and_only_first() {
        assert_eq!(Ceiling::parse("all can_trade"), Err(InvalidPermissions::BesideAll));
        assert_eq!(Ceiling::parse("can_trade all"), Err(InvalidPermissions::Unknown));
        assert_eq!(Ceiling::parse("all all"), Err(InvalidPermissions::Unknown));
    }

    #[test]
    fn an_unknown_or_repeated_name_is_refused() {
        assert_eq!(Permissions::parse("can_fly"), Err(InvalidPermissions::Unknown));
        let told = InvalidPermissions::Unknown.to_string();
        assert!(Permission::ALL.iter().all(|permission| told.contains(permission.name())), "{told}");
        assert_eq!(
            Permissions::parse("can_trade can_trade"),
            Err(InvalidPermissions::Repeated(Permission::Trade))
        );
        assert_eq!(Permissions::parse(""), Ok(Permissions::NONE));
    }

    #[test]
    fn stored_bits_beyond_the_ten_are_refused() {
        assert_eq!(Permissions::from_bits(1 << 10), None);
        assert_eq!(Permissions::from_bits(0x3ff), Some(Permissions::ALL));
    }
}
