//! What a resource puts in front of its handlers: who acts for whom, checked on every call.

mod authority;
mod bearer;
mod check;
mod client_place;
mod clock;
mod extract;
mod layer;
mod need;
mod refusal;
mod sources;

pub use authority::{Authority, CheckedToken, OnBehalf};
pub use check::{Guard, LEEWAY, Settings};
pub use client_place::{ClientPlace, InvalidTemplate};
pub use clock::{Clock, SystemClock};
pub use extract::{ActingFor, OnBehalfOf, Rejection};
pub use layer::{GuardFuture, GuardLayer, GuardService};
pub use need::{
    Anyone, CanAuthorisePayments, CanMakeSameCurrencyPayments, CanManageBeneficiaries,
    CanManageBeneficiariesGroups, CanManageContacts, CanManageFixForwards, CanManageMultipayments,
    CanManagePayments, CanManagePermissions, CanTrade, Need, Person, Reading, RouteNeed, RoutePresence,
};
pub use refusal::{Blame, Refusal, RequestFault, TokenFault, Unavailable};
pub use sources::{KeySource, MarkSource, Refetch};

pub use procura_jose::{Algorithm, Jwks, JwtError};
pub use procura_protocol::access_token::{Presence, TokenMandate};
pub use procura_protocol::ids::{ApplicationId, ClientId, ContactId, InvalidId, ResourceId};
pub use procura_protocol::mark::MarkSubject;
pub use procura_protocol::permission::{Permission, Permissions};
pub use procura_protocol::time::UnixSeconds;
