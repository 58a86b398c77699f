//! A partner's SDK: ask for contact tokens, keep them, verify them, call with them, end them.
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
//! # The API that the token opens
//!
//! [`Api`] calls the server's own API on the authority of one contact. When a token has been revoked it gets
//! another one by itself; withdrawn trust comes back as the server's refusal.
//!
#![cfg_attr(feature = "reqwest", doc = "```no_run")]
#![cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
//! use procura_client::{Api, ContactId, ContactUpdate, Error, Permission, ReqwestTransport, TokenSource};
//!
//! # async fn calls(
//! #     tokens: TokenSource<ReqwestTransport>, contact: ContactId, colleague: ContactId,
//! # ) -> Result<(), Box<dyn std::error::Error>> {
//! let api = Api::new(tokens.clone(), contact.clone());
//! for client in api.clients().await? {
//!     let (found, tag) = api.contact(&client.client_id, &colleague).await?;
//!     println!("{}: {:?} may {:?}", client.client_name, found.name, found.permissions);
//!
//!     // Only if nobody has changed it since it was read.
//!     let update = ContactUpdate::new().permission(Permission::Trade, false);
//!     match api.update_contact(&client.client_id, &colleague, &update, Some(&tag)).await {
//!         Err(Error::Conflict(_)) => println!("somebody was faster: read it again"),
//!         Err(Error::Api(refusal)) => println!("{}: {:?}", refusal.message, refusal.fields),
//!         outcome => drop(outcome?),
//!     }
//! }
//!
//! // Is the token in force, and what does it say? A resource asks the same by an `Introspector`.
//! let token = tokens.token_for_contact(&contact).await?;
//! if let Some(access_token) = &token.access_token {
//!     let answer = tokens.procura().introspect(access_token).await?;
//!     println!("in force until {:?}", answer.active().map(|token| token.expires_at));
//! }
//!
//! // The work is done: no resource takes the token any more, and nobody gets it from here.
//! tokens.revoke(&contact).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Without a secret
//!
//! A secret is not the only proof (contract, chapter 6). With a **certificate** ([`Application::by_certificate`])
//! the handshake of the connection proves who asks, and the tokens are bound to it: a stolen one is worth
//! nothing. With a **private key** ([`Application::by_assertion`]) each request is signed; the key may stay in an
//! HSM or a KMS ([`Signer`]). A certificate beside a secret or a key is a second factor
//! ([`Application::with_certificate`]). All calls are the same for all of them.
//!
#![cfg_attr(feature = "reqwest", doc = "```no_run")]
#![cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
//! use std::fs::read;
//! use std::sync::Arc;
//!
//! use procura_client::{
//!     Application, ApplicationId, AssertionKey, ClientIdentity, Issuer, Procura, ReqwestTransport, Secret,
//! };
//!
//! # fn connect() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = Issuer::parse("https://token.example")?;
//! let id = ApplicationId::parse("app_partner")?;
//!
//! // Mutual TLS: the transport shows the certificate.
//! let identity = ClientIdentity::from_pem(&read("partner.crt")?, &Secret::from(read("partner.key")?))?;
//! let transport = ReqwestTransport::builder().identity(identity).build();
//! let procura = Procura::connect_by(Application::by_certificate(issuer.clone(), &id), transport);
//!
//! // private_key_jwt: a new assertion for each request.
//! let key = AssertionKey::from_pem(&Secret::from(read("signing.key")?))?;
//! let procura = Procura::connect(Application::by_assertion(issuer, &id, Arc::new(key)));
//! # drop(procura);
//! # Ok(())
//! # }
//! ```
//!
//! # By a standard grant, and bound to a key
//!
//! The same token comes through three **doors** ([`Door`]): `POST /token/{contact_id}`, which is the default, the JWT
//! bearer grant (RFC 7523) and token exchange (RFC 8693). Nothing else changes: [`TokenSource`] and [`Api`] work as
//! before. [`Procura::own_token`] asks for a token of the application itself, with which it acts for nobody.
//!
//! With a **proof key** ([`Application::with_proof_key`], RFC 9449) tokens are bound to a key that need not be
//! registered. Each request for a token, and each call with one, then carries a proof that it holds the key, so a stolen
//! token is worth nothing. With tokens and with [`Api`] all of that happens by itself, nonces included. For calls to an API
//! of the partner's own there is [`Procura::prove_for_resource`], for each time that a call is sent; and
//! [`Procura::take_nonce_of_resource`] for each answer, which says whether the call is to be sent again with the nonce that
//! came. An answer with a token of the other kind is refused.
//!
#![cfg_attr(feature = "reqwest", doc = "```no_run")]
#![cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
//! use std::fs::read;
//! use std::sync::Arc;
//!
//! use procura_client::{
//!     Algorithm, Application, ApplicationId, AssertionKey, ContactId, Door, DpopKey, Issuer, Procura, Secret,
//! };
//!
//! # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
//! let signing = AssertionKey::from_pem(&Secret::from(read("signing.key")?))?;
//! let (proof_key, _) = DpopKey::generate(Algorithm::Es256)?; // in memory: it ends with this process
//! let issuer = Issuer::parse("https://token.example")?;
//! let application = Application::by_assertion(issuer, &ApplicationId::parse("app_partner")?, Arc::new(signing))
//!     .through(Door::JwtBearer)?
//!     .with_proof_key(proof_key);
//! let procura = Procura::connect(application);
//! let token = procura.token_for_contact(&ContactId::parse("CON100")?).await?;
//!
//! // A call to the API that the token is for: the token and a proof for this one request.
//! let call = http::Request::get("https://bank.example/accounts?client_id=CLI100").body(())?;
//! let call = procura.prove_for_resource(call, &token).await?;
//! # drop(call);
//! # Ok(())
//! # }
//! ```
//!
//! # Layers
//!
//! Take as much of it as you need; each works without the next.
//!
//! 1. [`Application`], [`Resource`] and [`ApiRequests`] build requests, `parse_*` functions read answers and [`verify_id_token`] judges
//!    ID tokens: no IO, no clock, only [`http`] types.
//! 2. [`Transport`] carries a request: one async function. `ReqwestTransport` (feature `reqwest`, on by
//!    default) is ready to use; over TLS it brings rustls with aws-lc-rs, and no other crypto library.
//! 3. [`Procura`], and [`Introspector`] for a resource, put the two together, try again where that can
//!    help, and keep the server's keys and metadata.
//! 4. [`TokenSource`] keeps tokens per contact, and ends them.
//! 5. [`Api`] calls with them.
//!
//! # When it fails
//!
//! [`Error`] says what happened and [`Error::blame`] who can mend it. A refusal carries the server's
//! sentence on what to change and a reference that the server's operator can explain. What the server
//! does not tell you, it tells nobody: an unknown contact and one that does not trust you look alike. What
//! the API refuses is [`Error::Api`], with a message per member where there is one.
//!
//! # What it must never know
//!
//! The server's insides: this crate may use `procura-jose` and `procura-protocol` and no other crate of
//! the workspace. It reads no environment, writes no file and logs nothing. Time and randomness are
//! arguments ([`Clock`], [`Random`]). Secrets and tokens are never in `Debug` output or in an error; proofs neither.
//!
//! # How to add the next thing
//!
//! * A **call**: its request on [`Application`] with a [`ResponseLimit`], its `parse_*` function with
//!   tests on bytes, then three lines on [`Procura`]. One of the API: the same on [`ApiRequests`] and
//!   [`Api`]; one that changes something is never repeated blindly.
//! * An **endpoint** that takes secrets: [`ServerMetadata`], which lets only the issuer's own origin have
//!   them.
//! * A **narrowing** of tokens: [`TokenOptions`]; it must be impossible to narrow to nothing.
//! * A **door**: [`Door`], its form in `src/application/doors.rs`, and what it lacks until each try in
//!   [`Application::prove`].
//! * A **proof** of another kind: a variant in `src/credentials.rs` and another way to make an
//!   [`Application`]; nothing else knows how it introduces itself.
//! * A **check** of ID tokens: [`IdTokenError`], and a test that changes that one thing.
//!
//! The public API names types of `bytes`, `http` and `serde` and of the two crates below, `AccessToken` and
//! its parts among them; a new foreign type in it is a decision. Features only add.

mod aliases;
mod answer;
mod api;
mod application;
mod asking;
mod assertion;
mod clock;
mod credentials;
mod door;
mod dpop;
mod error;
mod held;
mod id_token;
#[cfg(feature = "reqwest")]
mod identity;
mod introspection;
mod introspector;
mod issuer;
mod kept;
mod metadata;
mod pem;
mod procura;
mod request;
#[cfg(feature = "reqwest")]
mod reqwest_transport;
mod resource;
mod response;
mod retry;
mod token_options;
mod token_source;
mod transport;

pub use answer::{
    ContactsPage, parse_contacts_page_response, parse_contacts_response, parse_jwks_response,
    parse_token_response,
};
pub use api::{
    Api, ApiRefusal, ApiRequests, Client, ClientStatus, Contact, ContactUpdate, ETag, InvalidETag,
    parse_clients_response, parse_contact_response, parse_contact_update_response,
    parse_contacts_of_client_response,
};
pub use application::{Application, Page};
pub use assertion::{AssertionKey, InvalidAssertionKey, Signer, Signing, SigningError};
pub use clock::{Clock, SystemClock};
pub use door::{Door, NothingToSignWith};
pub use dpop::{DpopKey, InvalidDpopKey, ProofOf};
pub use error::{Blame, Error, ProtocolError};
pub use id_token::{
    CLOCK_SKEW, ClientOfContact, ExpectedIdToken, IdTokenError, VerifiedIdToken, verify_id_token,
};
#[cfg(feature = "reqwest")]
pub use identity::{ClientIdentity, InvalidIdentity};
pub use introspection::{
    Asker, Introspection, parse_introspection_response, parse_ping_response, parse_revocation_response,
};
pub use introspector::Introspector;
pub use issuer::{InvalidIssuer, Issuer, MAX_ISSUER_LENGTH};
pub use metadata::{ServerMetadata, parse_metadata_response};
pub use procura::Procura;
#[cfg(feature = "reqwest")]
pub use reqwest_transport::{InvalidRoots, ReqwestTransport, ReqwestTransportBuilder};
pub use resource::Resource;
pub use response::{PostTokenForContactResponse, Token, TokenType};
pub use token_options::{NarrowedToNothing, TokenOptions};
pub use token_source::{DEFAULT_CAPACITY, SharedToken, TokenSource};
pub use transport::{ResponseLimit, Transport, TransportError, TransportErrorKind};

pub use procura_jose::{Algorithm, InvalidKeyId, Jwks, JwtError, KeyId, Random, SystemRandom};
pub use procura_protocol::access_token::{AccessToken, Holder, Presence, TokenMandate};
pub use procura_protocol::application_auth::AssertionAudience;
pub use procura_protocol::confirmation::{Binding, CertificateThumbprint, Confirmation, KeyThumbprint};
pub use procura_protocol::ids::{ApplicationId, ClientId, ContactId, InvalidId, ResourceId};
pub use procura_protocol::permission::{Permission, Permissions};
pub use procura_protocol::secret::Secret;
pub use procura_protocol::time::UnixSeconds;
