//! What a resource puts in front of its handlers: who acts for whom, checked on every call.

mod authority;
mod bearer;
mod check;
mod client_place;
mod clock;
mod connect;
mod events;
mod extract;
mod keys;
mod layer;
mod marks;
mod need;
mod pause;
mod refusal;
#[cfg(feature = "reqwest")]
mod reqwest_transport;
mod resource;
mod sources;
mod sse;
mod transport;

pub use authority::{Authority, CheckedToken, OnBehalf};
pub use check::{Guard, LEEWAY, Settings};
pub use client_place::{ClientPlace, InvalidTemplate};
pub use clock::{Clock, SystemClock};
pub use connect::Status;
pub use extract::{ActingFor, OnBehalfOf, Rejection};
pub use layer::{GuardFuture, GuardLayer, GuardService};
pub use marks::MarksStatus;
pub use need::{
    Anyone, CanAuthorisePayments, CanMakeSameCurrencyPayments, CanManageBeneficiaries,
    CanManageBeneficiariesGroups, CanManageContacts, CanManageFixForwards, CanManageMultipayments,
    CanManagePayments, CanManagePermissions, CanTrade, Need, Person, Reading, RouteNeed, RoutePresence,
};
pub use refusal::{Blame, Refusal, RequestFault, TokenFault, Unavailable};
#[cfg(feature = "reqwest")]
pub use reqwest_transport::{InvalidRoots, ReqwestBody, ReqwestTransport};
pub use resource::{InvalidIssuer, Resource};
pub use sources::{KeySource, MarkSource, Refetch};
pub use transport::{Chunks, Transport, TransportError};

pub use procura_jose::{Algorithm, Jwks, JwtError, Random, SystemRandom};
pub use procura_protocol::access_token::{Presence, TokenMandate};
pub use procura_protocol::ids::{ApplicationId, ClientId, ContactId, InvalidId, ResourceId};
pub use procura_protocol::mark::MarkSubject;
pub use procura_protocol::permission::{Permission, Permissions};
pub use procura_protocol::secret::Secret;
pub use procura_protocol::time::UnixSeconds;
