//! Records, the [`Store`] and [`Journal`] traits, and the tests that every adapter runs.
//!
//! This crate says *what* is kept, in the words of the domain; `procura-storage` says *how*. It holds
//!
//! * [`directory`]: the in-memory snapshot that every request is decided on,
//! * [`records`]: what stands in it, and the numbers that name it in the journal,
//! * [`credential`]: the kinds of credentials, and those that end soon,
//! * [`change`] and [`mark`]: how a change is told to readers, to the journal and to guards,
//! * [`revocations`]: the marks that are kept, in memory, and the stream that guards follow,
//! * [`changes`]: the few verbs that requests may cause,
//! * [`journal`]: what is recorded, and the promise that a token is on disk before it leaves,
//! * [`fields`] and [`administration`]: what operators may change, field by field,
//! * [`histogram`]: how long something took, for whoever counts.
//!
//! It must never know SQL, files, HTTP, a clock or a crypto library.
//!
//! # How to add the next thing
//!
//! * A **column** that only people read: one line in [`fields`], then what `procura-storage` says.
//! * A **fact that decides** something: put it into the record in [`records`] too, so that it is in
//!   memory when the rule asks; say in `shrinks` whether changing it makes some answer smaller.
//! * A **verb**: name it after what the domain does, give it an outcome enum, and make it atomic; then
//!   write its test once, in the suite that every adapter runs.

pub mod administration;
pub mod change;
pub mod changes;
pub mod clock;
#[cfg(feature = "contract-tests")]
#[expect(clippy::unwrap_used, missing_docs, reason = "tests, whose names are sentences")]
pub mod contract_tests;
pub mod credential;
pub mod directory;
pub mod fields;
pub mod histogram;
pub mod journal;
pub mod mark;
pub mod records;
pub mod revocations;

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

pub use changes::Changes;
pub use clock::Clock;
pub use directory::Directory;
pub use journal::Journal;
pub use revocations::Revocations;

/// Where decisions read from: the directory as it is now, and the marks that go with it.
pub trait Store: Send + Sync + 'static {
    /// The verbs that requests may cause.
    type Changes: Changes;

    /// The directory at a version that was confirmed less than a second ago.
    ///
    /// Cheap: a pointer is copied, nothing is read from disk.
    fn directory(&self) -> Result<Arc<Directory>, NotFresh>;

    /// How long ago the version that [`Store::directory`] gives out was confirmed to be the newest.
    fn age(&self) -> Duration;

    /// The marks that are kept. Those of a version are there before the version is.
    fn revocations(&self) -> &Arc<Revocations>;

    /// What requests may change, and read whole.
    fn changes(&self) -> &Self::Changes;
}

/// The directory's version could not be confirmed for a second: nothing may be decided on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the directory's version has not been confirmed for a second")]
pub struct NotFresh;
