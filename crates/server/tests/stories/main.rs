//! Whole lives, on the built binary: a full disk, a power cut, a stolen secret, a stolen key.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod full_disk;
mod power_cut;
mod stolen;
#[path = "../cli/support.rs"]
mod support;
mod town;
mod used_assertion;
