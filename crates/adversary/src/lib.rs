//! Attacks on a token server, named one by one.
//!
//! The server may be any that issues tokens for acting on behalf of somebody: an [`adapter`] file says where it is
//! and who may use it. Everything goes over HTTP, written by this crate itself (`wire`), because what a library
//! would put right is what has to arrive; the same with JWTs (`jwt`).
//!
//! A [`Case`](case::Case) first shows that the honest request is granted, and then that the same request with one thing
//! wrong is not. [`cases::all`] has them all, [`run`] makes them and [`report`] tells how they went. [`cli`] is the
//! command, which `procura adversary` has too.
//!
//! # What it must never know
//!
//! How any server is made. It names `jose` for keys and signatures, and no other crate that a server is built of.
//!
//! # How to add the next thing
//!
//! * A **case**: an entry in a file of `cases/`; `docs/adversary.md` says what it needs. Run it against a server that
//!   withstands it, and see in `tests/bad_server.rs` that it fails where nothing is checked.
//! * A **forgery** of a token: a line in `cases/forgeries.rs` (nobody has the key) or `cases/claims.rs` (its holder lies).
//!   Every place where a signed token is read gets it.
//! * A **server**: an adapter file, and no code.

pub mod adapter;
pub mod case;
pub mod cases;
pub mod cli;
pub mod report;
pub mod run;

mod answer;
mod attempt;
mod clock;
mod jwt;
mod keys;
mod ready;
mod setup;
mod wire;
mod world;

pub use attempt::Attempt;
pub use world::World;
