//! The guard as its users see it: the shared vectors, the layer and its extractors, and a server that
//! behaves and misbehaves.

mod extractors;
mod fake;
mod following;
mod keys;
mod vectors;
