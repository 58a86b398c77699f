//! What certificates prove: real ones, made for each test.

mod garbage;
mod paths;
mod registered;
mod revocation;
mod subjects;
mod support;
