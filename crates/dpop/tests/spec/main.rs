//! What the judge of proofs promises, with real keys.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod made;
mod nonces;
mod proofs;
mod replay;
mod rfc9449;
