//! TLS of the listeners: 1.3, and 1.2 with the suites that RFC 9325 4.2 recommends.
//!
//! - `identity` is the server's certificate and key, which can be replaced while connections go on.
//! - `settings` is what a handshake may agree on, and whether the caller is asked for a certificate.
//! - `certificates` looks at what the caller sends, and no further than the handshake needs.
//! - `handshake` takes a connection from its first byte to the first byte of HTTP.
//!
//! A handshake proves that the caller has the private key of its certificate. Whether the certificate is
//! *right* depends on the application that asks, so it is decided with each request, by the engine. That is
//! why an expired certificate passes here, and why a resumed session is no weaker than a new one.
//!
//! This module must never know an application, a path or a file. **To add a kind of listener**: a variant
//! of [`Callers`], what it means in `settings`, and what its requests are told ([`Security`]).
//!
//! [`Security`]: crate::connection::Security

mod certificates;
pub(crate) mod handshake;
mod identity;
mod settings;

pub use identity::{Identity, InvalidPair, Pair};
pub use settings::{Callers, CannotListen, Tls};
