//! The guard as its users see it: the shared vectors, the layer and its extractors, and a server that
//! behaves and misbehaves.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod cost;
mod dpop;
mod extractors;
mod fake;
mod following;
mod keys;
mod vectors;
