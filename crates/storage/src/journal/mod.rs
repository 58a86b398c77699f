//! The journal on disk: append-only, hash-chained, synced before anyone is told.
//!
//! # What it promises
//!
//! * A record that was acknowledged is there after a power cut, and so is everything before it.
//! * A batch that a power cut left half-written is cut at the next start and told, never a failure to
//!   start. Anything else that is not as it was written is an integrity error with file and record.
//! * After a failed write or sync nobody is told "done", the segment is never written again, its durable
//!   end is read back and checked, and a new segment goes on whose header says why.
//! * When the disk is full, traffic stops before changes of the directory do: revocations have a reserve.
//! * No byte of a record, of its time or of a segment's header can change, move or go missing without
//!   [`reader::Reader::verify`] saying so, as far as the last signed head proves it.
//!
//! # How it is built
//!
//! * [`format`](mod@format): the bytes of headers, batches and the chain. No file is opened there.
//! * [`disk`]: what is asked of the file layer, with a name for every sync; [`sim`]: a disk that loses,
//!   tears and reorders whatever was not synced.
//! * [`segment`], [`writer`], [`recovery`], [`heads`], [`core`]: the logic, without a thread, a clock or a
//!   queue, so that ten thousand simulated power cuts run in seconds.
//! * [`group`]: the thread and the queue in front of it (group commit).
//! * [`reader`], [`verify`]: for `audit`, while a server writes or when none does.
//! * [`codec`]: records of `procura-store` to payloads and back. Nothing else here knows what a payload
//!   means.
//!
//! # How to add the next thing
//!
//! * A **kind of record**: a variant in `procura_store::journal`, a code and two arms in [`codec`]. A code
//!   is never used for anything else later.
//! * A **sync**: a [`disk::SyncSite`] of its own. The test that takes out one sync at a time tells whether
//!   it is needed: what can be taken out unseen has no business there.
//! * A **field of a header**: a new format version; old segments must stay readable.

pub mod codec;
pub mod core;
pub mod disk;
pub mod error;
pub mod format;
pub mod group;
pub mod heads;
pub mod measure;
pub mod reader;
pub mod recovery;
pub mod segment;
pub mod sim;
pub mod verify;
mod worker;
pub mod writer;

pub use self::core::Core;
pub use disk::{Disk, RealDisk, SyncSite};
pub use error::{Damage, DamageKind, JournalError};
pub use format::{BatchBuffer, ChainHash, ChainId};
pub use group::{DiskJournal, Pending, Settings};
pub use heads::{HeadSigner, SignedHead};
pub use reader::{Entry, Reader};
pub use recovery::Found;
pub use verify::{Progress, Report};
pub use writer::{Class, Layout, Metrics};
