//! Attacks on a token server, named one by one.

pub mod adapter;
