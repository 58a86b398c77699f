//! The wire: what comes from a socket becomes one request to the engine, what the engine decides
//! becomes one response.
//!
//! Two layers, and the lower knows nothing of the upper:
//!
//! - the **connection layer** ([`listener`], [`tls`], [`connection`], [`limits`]) accepts, shakes hands, reads,
//!   writes and cuts. It knows bytes, time and counts, and no path, no parameter and no grant. Whatever bound
//!   holds for every caller alike lives here.
//! - the **routes** turn a request into the engine's words and its outcome into a status and a body,
//!   one file per endpoint.
//!
//! Between them stands the **front** ([`front`], [`callers`], [`metrics`]): who calls, whether that address
//! may ask now, how long the answer took.
//!
//! This crate must never know SQL, the CLI, files or a private key but that of its TLS, and it decides nothing:
//! an answer that depends on who asks is the engine's.
//!
//! **To add an endpoint**: its path in the protocol crate, a file that extracts, calls and renders,
//! one line in the router, its operation in `openapi.json` and its chapter in `docs/contract.md`.
//! **To add a bound on callers**: a field of [`limits::Limits`], the place in [`connection`] that sees it
//! broken, and a test in `tests/connection/` that breaks it.

mod about_token;
mod answer;
mod api_answer;
mod available_contacts;
pub mod callers;
mod clients;
pub mod connection;
mod contact_token;
mod contacts;
mod credentials;
pub mod documents;
mod events;
mod form;
pub mod forward_auth;
pub mod front;
mod health;
pub mod limits;
pub mod listener;
pub mod metrics;
pub mod network;
mod own_guard;
mod possession;
mod preconditions;
pub mod routes;
pub mod tls;
mod token;

pub use answer::REFERENCE;
pub use front::Front;
pub use routes::{CannotServe, Offer, router};
