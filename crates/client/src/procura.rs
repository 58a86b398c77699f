//! One server, asked by one application: requests, transport, retries and keys put together.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use procura_jose::{Jwks, Random};
use procura_protocol::ids::ContactId;
use tokio::sync::Mutex;

use crate::answer::{
    ContactsPage, parse_contacts_page_response, parse_contacts_response, parse_jwks_response,
    parse_token_response,
};
use crate::application::{Application, Page, TokenOptions};
use crate::clock::{Clock, Moment};
use crate::error::Error;
use crate::id_token::{ExpectedIdToken, IdTokenError, VerifiedIdToken, verify_id_token};
use crate::metadata::parse_metadata_response;
use crate::response::PostTokenForContactResponse;
use crate::retry::{self, Patience};
use crate::transport::Transport;

/// How long a key set is believed: the server's own max-age (contract, chapter 5), so that a withdrawn
/// key is not believed for longer.
const KEYS_MAX_AGE: Duration = Duration::from_secs(300);

/// A Procura server as one application sees it.
///
/// Every call asks the server, up to three times within ten seconds: a broken connection, a time-out,
/// 429 and 503 are tried again after a growing wait or the server's `Retry-After`; any other refusal is
/// returned at once. (A list of contacts may take two minutes.) To keep tokens for as long as they live,
/// put a [`crate::TokenSource`] in front.
pub struct Procura<T> {
    application: Application,
    transport: T,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// Held while keys are fetched, so that many verifications at once fetch once.
    keys: Mutex<Keys>,
}

/// How the last fetches of the server's keys ended.
#[derive(Default)]
struct Keys {
    held: Option<(Arc<Jwks>, Moment)>,
    failed: Option<(Error, Moment)>,
}

impl<T: Transport> Procura<T> {
    /// Puts the parts together. `random` spreads retries in time and nothing else.
    pub fn new(
        application: Application,
        transport: T,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Procura<T> {
        Procura { application, transport, clock, random, keys: Mutex::default() }
    }

    /// The application that asks.
    pub fn application(&self) -> &Application {
        &self.application
    }

    /// Asks for a token to act for this contact, for every client that the rule allows.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with `invalid_grant` when this application can't act for this contact, for
    /// whatever reason; the server tells its operator by the reference, nobody else.
    pub async fn token_for_contact(&self, contact: &ContactId) -> Result<PostTokenForContactResponse, Error> {
        self.token_for_contact_with(contact, &TokenOptions::default()).await
    }

    /// The same, narrowed.
    ///
    /// # Errors
    ///
    /// As [`Procura::token_for_contact`]; also `invalid_scope` and `invalid_target`.
    pub async fn token_for_contact_with(
        &self,
        contact: &ContactId,
        options: &TokenOptions,
    ) -> Result<PostTokenForContactResponse, Error> {
        let request = self.application.token_request(contact, options);
        parse_token_response(self.send(Patience::SHORT, request).await?)
    }

    /// The contacts that this application may act for now, sorted, all at once. For many, ask for
    /// pages.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with `unauthorized_client` when the application is not a trusted one.
    pub async fn available_contacts(&self) -> Result<Vec<ContactId>, Error> {
        let request = self.application.available_contacts_request();
        parse_contacts_response(self.send(Patience::LONG, request).await?)
    }

    /// One page of them.
    ///
    /// # Errors
    ///
    /// As [`Procura::available_contacts`]; also `invalid_request` for a page size the server does not
    /// allow.
    pub async fn available_contacts_page(&self, page: Page) -> Result<ContactsPage, Error> {
        let request = self.application.available_contacts_page_request(page);
        parse_contacts_page_response(self.send(Patience::LONG, request).await?, page)
    }

    /// Verifies the ID token of a response to a request for `contact`, with the server's published keys.
    /// Those are fetched when first needed, kept for five minutes, and fetched once more when the token
    /// names a key that is not among those kept.
    ///
    /// # Errors
    ///
    /// [`Error::IdToken`] when the token must not be trusted; else what fetching the keys met.
    pub async fn verify_id_token(
        &self,
        response: &PostTokenForContactResponse,
        contact: &ContactId,
    ) -> Result<VerifiedIdToken, Error> {
        let token = response.id_token.as_ref().ok_or(IdTokenError::Missing)?.expose();
        let expected = ExpectedIdToken {
            issuer: self.application.issuer(),
            application: self.application.id(),
            contact,
            now: self.clock.now(),
        };
        let (known, is_fresh) = self.keys(None).await?;
        match verify_id_token(token, &known, &expected) {
            Err(error) if error.is_unknown_key() && !is_fresh => {
                let (newer, _) = self.keys(Some(&known)).await?;
                Ok(verify_id_token(token, &newer, &expected)?)
            }
            verdict => Ok(verdict?),
        }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// The server's keys, and whether this call fetched them: those at hand unless too old, or the very
    /// ones that were not enough.
    async fn keys(&self, not_enough: Option<&Arc<Jwks>>) -> Result<(Arc<Jwks>, bool), Error> {
        let asked_at = Moment::read(self.clock());
        let mut state = self.keys.lock().await;
        let now = Moment::read(self.clock());
        if let Some((keys, at)) = &state.held {
            let enough = not_enough.is_none_or(|others| !Arc::ptr_eq(others, keys));
            if enough && at.age(now) < KEYS_MAX_AGE {
                return Ok((Arc::clone(keys), false));
            }
        }
        // Who waited for a fetch that failed has waited enough: else a queue would fail one by one.
        if let Some((error, at)) = &state.failed
            && asked_at.is_before(*at)
        {
            return Err(error.clone());
        }
        match self.fetch_keys().await {
            Ok(keys) => {
                let keys = Arc::new(keys);
                *state = Keys { held: Some((Arc::clone(&keys), now)), failed: None };
                Ok((keys, true))
            }
            Err(error) => {
                state.failed = Some((error.clone(), Moment::read(self.clock())));
                Err(error)
            }
        }
    }

    async fn fetch_keys(&self) -> Result<Jwks, Error> {
        let answer = self.send(Patience::SHORT, self.application.metadata_request()).await?;
        let metadata = parse_metadata_response(answer, self.application.issuer())?;
        let answer = self.send(Patience::SHORT, self.application.jwks_request(&metadata)).await?;
        parse_jwks_response(answer)
    }

    async fn send(&self, patience: Patience, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        retry::send(&self.transport, self.random.as_ref(), patience, request).await
    }
}

#[cfg(feature = "reqwest")]
impl Procura<crate::ReqwestTransport> {
    /// A server on the network: the ready transport, the machine's clocks and randomness.
    pub fn connect(application: Application) -> Procura<crate::ReqwestTransport> {
        Procura::new(
            application,
            crate::ReqwestTransport::new(),
            Arc::new(crate::SystemClock::new()),
            Arc::new(procura_jose::SystemRandom),
        )
    }
}

impl<T> fmt::Debug for Procura<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Procura").field("application", &self.application).finish_non_exhaustive()
    }
}
