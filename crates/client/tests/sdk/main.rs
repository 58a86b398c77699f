//! The SDK as a partner meets it, on a transport that does what a test says and on tokio's paused time.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod api;
mod assertions;
mod at_the_api;
mod doors;
mod dpop;
mod fake;
mod id_tokens;
mod in_process;
mod introspection;
#[cfg(feature = "reqwest")]
mod mutual_tls;
mod retries;
mod revocation;
mod token_source;
#[cfg(feature = "reqwest")]
mod wire;
