//! What reads bytes from outside, as functions that take any bytes and panic when something is wrong.
//!
//! A target says more than "it does not panic": it states what must hold of whatever was read, most
//! often that it can be written down again and read back the same. `tests/seeds.rs` runs every target
//! on its seeds, on thousands of small changes to them, and on what the fuzzer has found so far;
//! `cargo xtask fuzz TARGET` searches on, guided by coverage.
//!
//! # How to add the next thing
//!
//! A function here, a runner in `fuzz_targets/`, its `[[bin]]` in the manifest, a folder of seeds with
//! at least one that is read to the end, and a line in `tests/seeds.rs`. An input that once failed
//! becomes a seed.

mod assertion;
mod basic;
mod certificate;
mod client_cert;
mod csv;
mod dpop;
mod events;
mod form;
mod forwarded;
mod journal;
mod jwt;
mod update;
mod uri;

pub use assertion::assertion;
pub use basic::basic;
pub use certificate::certificate;
pub use client_cert::client_cert;
pub use csv::csv;
pub use dpop::dpop;
pub use events::events;
pub use form::form;
pub use forwarded::forwarded;
pub use journal::journal;
pub use jwt::jwt;
pub use update::update;
pub use uri::uri;
