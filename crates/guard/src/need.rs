//! What a route asks for, as values and as types.

use procura_protocol::permission::Permission;

/// What a route needs beyond a client of the token's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The permission; `None` where authority to read is enough.
    pub permission: Option<Permission>,
    /// Whether a person must have signed in.
    pub person: bool,
}

impl Need {
    /// Authority to read is enough, with or without a person.
    pub const READING: Need = Need { permission: None, person: false };

    /// This permission, with or without a person.
    pub const fn permission(permission: Permission) -> Need {
        Need { permission: Some(permission), person: false }
    }

    /// And a person must have signed in.
    #[must_use]
    pub const fn of_a_person(self) -> Need {
        Need { permission: self.permission, person: true }
    }
}

/// A type that names what a route needs: one of the ten permissions, or [`Reading`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a route can need",
    label = "name a permission, or `Reading`",
    note = "for instance `ActingFor<CanTrade>`; where authority to read is enough, `ActingFor<Reading>`"
)]
pub trait RouteNeed: sealed::Sealed + Send + Sync + 'static {
    /// The permission, or none.
    const PERMISSION: Option<Permission>;
}

/// A type that says who must be there: [`Anyone`] or [`Person`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say who must be there",
    label = "write `Anyone` or `Person`",
    note = "`ActingFor<CanTrade, Person>` refuses tokens that nobody was at the keyboard for"
)]
pub trait RoutePresence: sealed::Sealed + Send + Sync + 'static {
    /// Whether a person must have signed in.
    const PERSON: bool;
}

/// Authority to read is enough.
#[derive(Debug, Clone, Copy)]
pub enum Reading {}

impl sealed::Sealed for Reading {}
impl RouteNeed for Reading {
    const PERMISSION: Option<Permission> = None;
}

/// With or without a person at the keyboard.
#[derive(Debug, Clone, Copy)]
pub enum Anyone {}

impl sealed::Sealed for Anyone {}
impl RoutePresence for Anyone {
    const PERSON: bool = false;
}

/// A person must have signed in; contact tokens are refused.
#[derive(Debug, Clone, Copy)]
pub enum Person {}

impl sealed::Sealed for Person {}
impl RoutePresence for Person {
    const PERSON: bool = true;
}

macro_rules! permissions {
    ($($marker:ident = $permission:ident,)*) => {
        $(
            #[doc = concat!("[`Permission::", stringify!($permission), "`].")]
            #[derive(Debug, Clone, Copy)]
            pub enum $marker {}

            impl sealed::Sealed for $marker {}
            impl RouteNeed for $marker {
                const PERMISSION: Option<Permission> = Some(Permission::$permission);
            }
        )*

        #[cfg(test)]
        const MARKERS: &[(&str, Option<Permission>)] =
            &[$((stringify!($marker), <$marker as RouteNeed>::PERMISSION)),*];
    };
}

permissions! {
    CanAuthorisePayments = AuthorisePayments,
    CanMakeSameCurrencyPayments = MakeSameCurrencyPayments,
    CanManageBeneficiaries = ManageBeneficiaries,
    CanManageBeneficiariesGroups = ManageBeneficiariesGroups,
    CanManageContacts = ManageContacts,
    CanManageFixForwards = ManageFixForwards,
    CanManageMultipayments = ManageMultipayments,
    CanManagePayments = ManagePayments,
    CanManagePermissions = ManagePermissions,
    CanTrade = Trade,
}

mod sealed {
    pub trait Sealed {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_has_a_type_that_is_named_like_it() {
        assert_eq!(MARKERS.len(), Permission::ALL.len());
        for ((marker, named), permission) in MARKERS.iter().zip(Permission::ALL) {
            assert_eq!(*named, Some(permission), "{marker}");
            let name = permission.name().replace('_', "");
            assert_eq!(marker.to_ascii_lowercase(), name);
        }
    }
}
