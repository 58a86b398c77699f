//! Fixed clock, seeded randomness, builders, and the server in process: for tests only.
//!
//! A test begins with a [`world::World`], changes one thing from what works, and looks at one answer. What
//! needs whole records begins with a [`disk::DiskApp`]: the same server over the real directory.
//! Nothing here sleeps, and nothing is shared between tests.
//!
//! Used from `tests/` folders only. What is convenient here and wrong in a server (a journal in memory,
//! a directory that is always fresh) must never be reachable from one.
//!
//! # How to add the next thing
//!
//! A record that tests need to set: a method of [`world::World`] that changes the world and gives it
//! back. A failure that tests need to cause: a switch on [`journal::MemoryJournal`], [`store::MemoryStore`]
//! or [`clock::FixedClock`].

pub mod app;
pub mod assertion;
pub mod clock;
pub mod disk;
pub mod dpop;
pub mod journal;
pub mod keys;
pub mod pki;
pub mod random;
pub mod store;
pub mod world;

pub use app::{Answer, TestApp};
pub use disk::DiskApp;
pub use procura_store::change::Entity;
pub use world::World;
