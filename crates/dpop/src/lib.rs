//! Proofs of possession (RFC 9449), judged: for the server that issues tokens and for the guards that take them.
//!
//! A caller signs a small JWT for each request, with a key that only it has. Whoever issues a token to it writes
//! the key's thumbprint into the token (`cnf.jkt`), and whoever takes the token asks for another proof of the
//! same key. A stolen token is then worth nothing.
//!
//! [`DpopJudge`] is the whole of it: one for each place where proofs come in. It verifies ([`procura_jose`]),
//! compares ([`procura_protocol::dpop`]), remembers what was used, and gives out nonces.
//!
//! # What it must never know
//!
//! HTTP, applications and tokens. It tells which key signed; whose key that may be is asked by the server, and
//! whether a token is bound to it by the guard. Time and randomness are arguments.
//!
//! # How to add the next thing
//!
//! * A **check**: `procura_protocol::dpop::DpopClaims::check`, with a [`DpopFault`] of its own.
//! * Another **memory** of used proofs, shared by several nodes: `procura_jose::replay::UsedNames::claim`.

mod judge;
mod nonces;

pub use judge::{DpopJudge, DpopRefusal, Of, Owner, Proofs};
pub use procura_protocol::dpop::{DPOP_ALGORITHMS, DpopFault, DpopTerms};
pub use procura_protocol::target_uri::TargetUri;
