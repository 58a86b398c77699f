//! The directory in SQL and the journal on disk.
//!
//! * [`sqlite`]: the directory in one file, with the verbs of `procura_store::administration`.
//! * [`sql`]: those verbs, written once over a seam between two engines. SQLite is the embedded default;
//!   PostgreSQL takes the same texts and is what several nodes will share.
//! * [`journal`]: what is recorded, durable before anyone is told.
//! * [`directory`]: the directory in memory, loaded and kept up with what is committed.
//! * [`keys`]: the life of signing keys, and what they are sealed under.
//! * [`serving`]: both together, as a running server has them.
//! * [`outbox`]: changes of the directory go to the journal, each exactly once.
//!
//! It must never know HTTP, a flow, or what a token is. No transaction leaves it: a verb is one
//! transaction, and what it takes and gives are the words of `procura-store`.
//!
//! # How to add the next thing
//!
//! * A **column**: a field in `procura_store::fields`, a new file of the same name in both folders under
//!   `migrations/`, its name in the texts of `sql/text/` and in `sql/shape.rs`. The tests of the schema
//!   and of the texts run on both engines.
//! * A **verb**: a function over `Sql` in `sql/`, its texts in `sql/text/`, one method in
//!   `sqlite/administration.rs`, and its test in `procura_store::contract_tests`. What changes the
//!   directory goes through `Writing`, which gives it its version, its marks and its `change` rows; if it
//!   can make some answer of the rule smaller, `sql/marks.rs` must know.
//! * A **table that grows with traffic**: not in the directory's file. Say who sweeps it.

pub mod directory;
pub mod journal;
pub mod keys;
pub mod outbox;
pub mod serving;
pub mod sql;
pub mod sqlite;

pub use serving::ServingDirectory;
pub use sqlite::{OpenError, SqliteDirectory};
