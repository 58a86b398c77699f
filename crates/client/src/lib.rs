//! A partner's SDK: ask for contact tokens, keep them, verify them.
//!
//! A partner's **application** that is trusted asks, in one request and with nobody at the keyboard, for
//! a token to act for one **contact**. The answer, a [`PostTokenForContactResponse`], holds an access
//! token, how long it lives, and a signed ID token that names the **clients** (companies) the contact
//! may act for.
//!
#![cfg_attr(feature = "reqwest", doc = "```no_run")]
#![cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
//! use std::sync::Arc;
//!
//! use procura_client::{Application, ApplicationId, ContactId, Issuer, Procura, Secret, TokenSource};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let application = Application::new(
//!     Issuer::parse("https://token.example")?,
//!     &ApplicationId::parse("app_partner")?,
//!     &Secret::from(std::env::var("PROCURA_SECRET")?),
//! );
//! let procura = Arc::new(Procura::connect(application));
//! let tokens = TokenSource::new(Arc::clone(&procura));
//!
//! for contact in procura.available_contacts().await? {
//!     // Asks the server once; after that, and for 80 % of the token's life, from memory.
//!     let token = tokens.token_for_contact(&contact).await?;
//!
//!     // Whom does this contact act for? Verified against the server's published keys.
//!     let proof = procura.verify_id_token(&token, &contact).await?;
//!     for client in &proof.clients {
//!         println!("{contact} may act for {} ({})", client.name, client.id);
//!     }
//!
//!     // The header for a call to the API, with `client_id` of one of the above in its query.
//!     let header = token.authorization().ok_or("a token that is no header")?;
//! #   let _ = header;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Layers
//!
//! Take as much of it as you need; each works without the next.
//!
//! 1. [`Application`] builds requests, `parse_*` functions read answers and [`verify_id_token`] judges
//!    ID tokens: no IO, no clock, only [`http`] types.
//! 2. [`Transport`] carries a request: one async function. `ReqwestTransport` (feature `reqwest`, on by
//!    default) is ready to use; over TLS it brings rustls with aws-lc-rs, and no other crypto library.
//! 3. [`Procura`] puts the two together, tries again where that can help, and keeps the server's keys.
//! 4. [`TokenSource`] keeps tokens per contact.
//!
//! # When it fails
//!
//! [`Error`] says what happened and [`Error::blame`] who can mend it. A refusal carries the server's
//! sentence on what to change and a reference that the server's operator can explain. What the server
//! does not tell you, it tells nobody: an unknown contact and one that does not trust you look alike.
//!
//! # What it must never know
//!
//! The server's insides: this crate may use `procura-jose` and `procura-protocol` and no other crate of
//! the workspace. It reads no environment, writes no file and logs nothing. Time and randomness are
//! arguments ([`Clock`], [`Random`]). Secrets and tokens are never in `Debug` output or in an error.
//!
//! # How to add the next thing
//!
//! * A **call**: its request on [`Application`] with a [`ResponseLimit`], its `parse_*` function with
//!   tests on bytes, then three lines on [`Procura`].
//! * A **narrowing** of tokens: [`TokenOptions`]; it must be impossible to narrow to nothing.
//! * A **proof** other than a secret (a certificate, an assertion): another way to make an
//!   [`Application`]; nothing else knows how it introduces itself.
//! * A **check** of ID tokens: [`IdTokenError`], and a test that changes that one thing.
//!
//! The public API names types of `bytes`, `http` and `serde` and of the two crates below; a new foreign
//! type in it is a decision. Features only add.

mod answer;
mod application;
mod clock;
mod error;
mod held;
mod id_token;
mod issuer;
mod metadata;
mod procura;
#[cfg(feature = "reqwest")]
mod reqwest_transport;
mod response;
mod retry;
mod token_source;
mod transport;

pub use answer::{
    ContactsPage, parse_contacts_page_response, parse_contacts_response, parse_jwks_response,
    parse_token_response,
};
pub use application::{Application, NarrowedToNothing, Page, TokenOptions};
pub use clock::{Clock, SystemClock};
pub use error::{Blame, Error, ProtocolError};
pub use id_token::{
    CLOCK_SKEW, ClientOfContact, ExpectedIdToken, IdTokenError, VerifiedIdToken, verify_id_token,
};
pub use issuer::{InvalidIssuer, Issuer, MAX_ISSUER_LENGTH};
pub use metadata::{ServerMetadata, parse_metadata_response};
pub use procura::Procura;
#[cfg(feature = "reqwest")]
pub use reqwest_transport::{InvalidRoots, ReqwestTransport};
pub use response::{PostTokenForContactResponse, Token, TokenType};
pub use token_source::{DEFAULT_CAPACITY, SharedToken, TokenSource};
pub use transport::{ResponseLimit, Transport, TransportError, TransportErrorKind};

pub use procura_jose::{Jwks, JwtError, Random, SystemRandom};
pub use procura_protocol::ids::{ApplicationId, ClientId, ContactId, InvalidId, ResourceId};
pub use procura_protocol::permission::{Permission, Permissions};
pub use procura_protocol::secret::Secret;
pub use procura_protocol::time::UnixSeconds;
