//! What a resource puts in front of its handlers: who acts for whom, checked on every call.
//!
//! A partner's **application** shows an access token that says for which **contact** it acts and for which
//! **clients** (companies), and names in `client_id` the one that the call is about. A guard checks that
//! *this* token may act for *this* client with *this* permission, and that nobody has revoked it a moment
//! ago. It does so without asking the server: it keeps the server's keys, and follows its stream of
//! revocations.
//!
#![cfg_attr(feature = "reqwest", doc = "```no_run")]
#![cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
//! use axum::{Router, routing::{get, post}};
//! use procura_guard::{ActingFor, CanTrade, Guard, OnBehalfOf, Reading, Resource, ResourceId, Secret};
//!
//! /// `GET /rates?client_id=...`: authority to read is enough.
//! async fn rates(acting: ActingFor<Reading>) -> String {
//!     format!("rates for {}", acting.client())
//! }
//!
//! /// `POST /trades?client_id=...`: the token must give can_trade for that client.
//! async fn trade(acting: ActingFor<CanTrade>) -> String {
//!     format!("{} of {} trades for {}", acting.contact(), acting.application(), acting.client())
//! }
//!
//! /// `GET /clients`: about no client in particular.
//! async fn clients(acting: OnBehalfOf) -> String {
//!     acting.mandates().iter().map(|mandate| format!("{}\n", mandate.client)).collect()
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let id = ResourceId::parse("https://quotes.example")?;
//! let secret = Secret::from(std::env::var("PROCURA_SECRET")?);
//! let guard = Guard::connect(Resource::new("https://token.example", id, &secret)?);
//!
//! let routes: Router = Router::new()
//!     .route("/rates", get(rates))
//!     .route("/trades", post(trade))
//!     .route("/clients", get(clients))
//!     .layer(guard.layer());
//! # let _ = routes;
//! # Ok(())
//! # }
//! ```
//!
//! # What is checked, in this order
//!
//! 1. One `Authorization`, `Bearer` or `DPoP`, and no `access_token` in the query.
//! 2. The token: its signature by a published key, with an algorithm that is taken; the type `at+jwt`. Once
//!    for each token: what verified is kept in a bounded cache, by the SHA-256 of the whole text.
//! 3. That no revocation can have been missed for longer than `max_stale` (5 s). Else 503.
//! 4. Issuer, audience, `exp` and `nbf` with 5 s of leeway. Of a token that is bound (`cnf`): that it came by
//!    the scheme of its binding, and that the caller holds the certificate that it names
//!    ([`PeerCertificate`]), on every request. Any other binding is refused, since nothing here can check it.
//! 5. Marks: whether the token, its contact, application, key, or any of its clients was revoked. A mark
//!    that hits one client kills the whole token.
//! 6. Of a token that is bound to a key: the proof in `DPoP` (RFC 9449), on every request. It comes last of all
//!    that is about the token because it is used up by being looked at: a token that is expired or revoked
//!    costs its caller no proof.
//! 7. That it acts for a contact at all; `X-Contact-ID`, if it was sent.
//! 8. `client_id`, the permission, and whether a person was there: what the extractor's type says.
//!
//! 1 to 7 are the layer's, before any handler; 8 is the extractor's. A refusal is answered as RFC 6750 and RFC
//! 9449 say; [`Refusal`] lists them all, and [`Guard::answer`] makes the answer.
//!
//! # Layers
//!
//! Take as much of it as you need; each works without the next.
//!
//! 1. [`Guard::check_token`] and what it returns: a check over `http` types. The server's own API and its
//!    forward-auth stand on it, with sources of keys and marks in their own process ([`KeySource`],
//!    [`MarkSource`]).
//! 2. [`Guard::connect_with`]: keys and revocations over the network, by any [`Transport`]. `Guard::connect`
//!    (feature `reqwest`, on by default) brings one: rustls with aws-lc-rs, and no other crypto library.
//! 3. [`GuardLayer`] for any tower service, and extractors on `axum-core`, for axum and what is built on it.
//!
//! # Certificates
//!
//! Applications that must have a certificate get tokens that are bound to it (RFC 8705 3): a stolen one is
//! worth nothing. The guard sees no connection, so the service must say which certificate a request came with:
//! put a [`PeerCertificate`] into the extensions of each request, as described there, or name the header of a
//! proxy that ends the TLS ([`GuardLayer::certificate_in`]). Who does neither refuses bound tokens.
//!
//! # Proofs of possession
//!
//! Applications may be registered for tokens that are bound to a key. They sign a proof for each request, and it
//! names the whole URL. Say where yours are, since nothing in a request can be believed about it:
//!
//! ```
//! # use procura_guard::{Resource, ResourceId, Secret};
//! # fn resource(id: ResourceId, secret: &Secret) -> Result<Resource, Box<dyn std::error::Error>> {
//! let resource = Resource::new("https://token.example", id, secret)?.reached_at("https://quotes.example")?;
//! # Ok(resource)
//! # }
//! ```
//!
//! Who does not refuses such tokens, and says so once in the log. A base may have a path, for a service behind a
//! proxy or a router that cuts it off; it is put before the path that the layer sees.
//!
//! A proof is good from 60 s before to 10 s after the guard's clock, once. Used ones are remembered for two minutes,
//! 1,000,000 of them in up to 130 MB ([`Resource::proof_capacity`]), a quarter of them of one application: about 2,000
//! calls a second of each. When they are more, calls with proofs are answered 503. A start forgets them, so proofs that
//! can have been used before it are answered with a nonce, and taken with that.
//!
//! The memory is of this process: where several serve one API, a proof that was seen on its way can be used once at
//! each of them within its minute, by whoever also has the token. [`Resource::demand_proof_nonces`] closes that, since
//! each process takes its own nonces alone. Behind one address they then need sticky routing: a caller that comes to
//! another process with each request is asked for a nonce again and again. [`Guard::refused_proofs`] counts what was
//! refused.
//!
//! # When the server is away
//!
//! Keys are used for a day after they were last fetched. Revocations are another matter: after `max_stale`
//! without a heartbeat every call is answered 503, and never 200. [`Resource::max_stale`] is yours to
//! choose; [`Guard::status`] says how it stands, for your metrics. Whatever delays the way adds, a
//! heartbeat is counted from the moment at which the guard asked, by the guard's own clock.
//!
//! # What it must never know
//!
//! The server's insides: this crate may use `procura-dpop`, `procura-jose` and `procura-protocol` and no other
//! crate of the workspace. It reads no environment and writes no file; it logs (by `tracing`) when it loses the server,
//! when it can't take proofs, and when a route stands behind no layer, never anything of a request or a secret. Time and randomness
//! are arguments ([`Clock`], [`Random`]).
//!
//! # How to add the next thing
//!
//! * A **check**: `Guard::check` in its place in the order above, a variant of [`Refusal`] or
//!   [`TokenFault`] (the compiler then asks for its answer), and cases in `tests/vectors`.
//! * Another **binding** (`cnf`): a variant of `procura_protocol::confirmation::Binding`, and its check
//!   beside the certificate's in `src/check.rs`, or beside the key's behind it if it is used up: on every request,
//!   also when the token comes from the cache.
//! * A **place of the client id**: [`ClientPlace`].
//! * An **event** of the stream: `procura_protocol::events`, then `src/events.rs` and seeds for its fuzzer.
//!   A guard that does not know an event breaks off, so the server must not send it to older ones.
//!
//! The public API names types of `axum-core`, `bytes`, `http`, `tower-layer`, `tower-service` and of the
//! crates above; a new foreign type in it is a decision. Features only add.

mod authority;
mod authorization;
mod base_url;
mod certificate;
mod challenge;
mod check;
mod client_place;
mod clock;
mod connect;
mod events;
mod extract;
mod incoming;
mod keys;
mod layer;
mod marks;
mod need;
mod pause;
mod proofs;
mod refusal;
#[cfg(feature = "reqwest")]
mod reqwest_transport;
mod resource;
mod settings;
mod sources;
mod sse;
mod transport;

pub use authority::{Authority, CheckedToken, OnBehalf};
pub use base_url::{BaseUrl, InvalidBaseUrl};
pub use certificate::{CertificateFormat, CertificateHeader, InvalidCertificateHeader, PeerCertificate};
pub use check::Guard;
pub use client_place::{ClientPlace, InvalidTemplate};
pub use clock::{Clock, SystemClock};
pub use connect::Status;
#[doc(hidden)]
pub use events::fuzz_events;
pub use extract::{ActingFor, OnBehalfOf, Rejection};
pub use incoming::Incoming;
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
pub use settings::{LEEWAY, Settings};
pub use sources::{KeySource, MarkSource, Refetch};
pub use transport::{Chunks, Transport, TransportError};

pub use procura_dpop::DpopFault;
pub use procura_jose::{Algorithm, Jwks, JwtError, Random, SystemRandom};
pub use procura_protocol::access_token::{Presence, TokenMandate};
pub use procura_protocol::confirmation::{CertificateThumbprint, InvalidThumbprint};
pub use procura_protocol::ids::{ApplicationId, ClientId, ContactId, InvalidId, ResourceId};
pub use procura_protocol::mark::MarkSubject;
pub use procura_protocol::permission::{Permission, Permissions};
pub use procura_protocol::secret::Secret;
pub use procura_protocol::time::UnixSeconds;
