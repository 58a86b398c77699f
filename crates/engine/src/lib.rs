//! What the server decides, one file per flow.
//!
//! A flow takes what was asked, already parsed by `procura-protocol`, and gives back what was decided,
//! as a value that names every cause. It reads the directory from a [`Store`], records in a
//! [`Journal`], signs with [`Keys`] and is told time and randomness. It must never know HTTP or SQL:
//! the same call serves a route, a test and a simulation.
//!
//! A contact token passes, in this order, [`limits`] (whether it may be asked now), [`application_auth`]
//! (who asks, and what the token is bound to), [`contact_token`] (the flow; by [`grant`] if a standard grant asks) and [`rule`] (the heart: which clients, with which permissions,
//! until when).
//!
//! # How to add the next thing
//!
//! * A new **grant**: in [`grant`], or a file beside it. Ask for an
//!   [`application_auth::possession::TokenRequester`] (nothing else can make one), leave it to
//!   [`contact_token`] if it acts for a contact, else decide with [`rule`], append the record before signing and await it after, and give back an outcome enum.
//! * A new **part of the rule**: in [`rule`], with its bit in `procura_store::journal::Missed`, a
//!   sentence in [`explain`], and the naive model in `tests/rule`, which shares no code with it.
//! * A new **cause**: the enum of its flow; the compiler then shows the one `match` in `procura-http`
//!   that says what a caller gets to see.
//! * A new **proof of an application**: a file in [`application_auth`] and a variant of its `Presented`.
//! * A new **limit**: in [`limits`]; what fails counts against an address, never against who it names.
//! * A new **count**: a plain number in [`counts`]; the binary alone writes it down.

pub mod application_auth;
pub mod authentication_failures;
pub mod available_contacts;
pub mod clock_watch;
pub mod contact_token;
pub mod contacts;
pub mod counts;
pub mod explain;
pub mod grant;
pub mod introspection;
pub mod limits;
mod presented_token;
pub mod resource_auth;
pub mod revocation;
pub mod rule;
pub mod token_id;

use std::sync::Arc;
use std::time::Duration;

use procura_jose::digest::hmac_sha256;
use procura_jose::random::Random;
use procura_jose::ring::Keys;
use procura_protocol::time::UnixMillis;
use procura_store::administration::StoreError;
use procura_store::journal::{AskedFor, JournalUnavailable};
use procura_store::records::{ContactNo, RandomId};
use procura_store::{Clock, Directory, Journal, NotFresh, Revocations, Store};
use thiserror::Error;
use zeroize::Zeroizing;

use application_auth::assertion::{Assertions, FetchKeys};
use application_auth::certificate::judged::ClientCertificates;
use application_auth::possession::{Possession, PossessionSettings};
use authentication_failures::AuthenticationFailureCount;
use clock_watch::{ClockOff, ClockWatch};
use counts::Counts;
use limits::{Limits, PerMinute};
use presented_token::PresentedTokens;

/// Everything that decisions are made with.
pub struct Engine<S, J> {
    store: S,
    journal: J,
    keys: Arc<dyn Keys>,
    clock: ClockWatch,
    random: Arc<dyn Random>,
    settings: Settings,
    failures: AuthenticationFailureCount,
    counts: Counts,
    limits: Limits,
    presented: PresentedTokens,
    certificates: ClientCertificates,
    assertions: Assertions,
    possession: Possession,
}

/// What an operator may set about tokens.
pub struct Settings {
    /// `iss` of every token; no trailing slash.
    pub issuer: Box<str>,
    /// Longest life of a token in seconds.
    pub lifetime: i64,
    /// Longest life that any configuration gives a token, in seconds: how long a mark has something to
    /// hit.
    pub longest_lifetime: i64,
    /// Marks on single tokens that one application may have; beyond it all of its tokens are marked.
    pub token_marks_per_application: u32,
    /// Tokens that one application may end in a minute.
    pub revocations_per_minute: u32,
    /// Longest that an application's assertion may live, in seconds; at most
    /// [`procura_protocol::client_assertion::LONGEST_ASSERTION_LIFETIME`].
    pub assertion_lifetime: i64,
    /// What an address and an application may take.
    pub limits: PerMinute,
    /// Longest access token in bytes; it travels in a header.
    pub max_access_token_bytes: usize,
    /// Key of the HMAC that stands in the journal for contacts that do not exist. One per installation.
    pub asked_for_key: Zeroizing<[u8; 32]>,
}

/// The server can't decide, record or sign now. Nobody's request needs to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unavailable {
    /// The directory's version was not confirmed within the last second.
    #[error(transparent)]
    Stale(#[from] NotFresh),
    /// A change that concerns this request is committed and still being loaded.
    #[error("a change that concerns this request is still being loaded")]
    BeingLoaded,
    /// What the application could prove itself with was changed while its request waited.
    #[error("the application's credentials were changed while it waited")]
    ProofChanged,
    /// The record could not be made durable.
    #[error(transparent)]
    Journal(#[from] JournalUnavailable),
    /// The wall clock can't be believed.
    #[error(transparent)]
    Clock(#[from] ClockOff),
    /// There is no key that may sign with the algorithm that was registered.
    #[error("no key may sign with the registered algorithm")]
    NoKey,
    /// Signing failed or is overloaded.
    #[error("signing failed or is overloaded")]
    Signing,
    /// Records could not be read.
    #[error("records could not be read")]
    NotRead,
    /// No more used assertions can be remembered, of this application or of all.
    #[error("no more used assertions can be remembered")]
    AssertionsFull,
    /// No more used proofs of possession can be remembered.
    #[error("no more used proofs of possession can be remembered")]
    ProofsFull,
    /// A change could not be written, or is not in force yet.
    #[error("the change could not be written, or is not in force yet")]
    NotChanged,
}

impl Unavailable {
    /// The store failed; why is logged here, and nowhere else.
    fn not_changed(error: &StoreError) -> Unavailable {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(%error, cause, "what a request asked to change could not be written");
        Unavailable::NotChanged
    }

    /// The store failed; why is logged here, and nowhere else.
    fn not_read(error: &StoreError) -> Unavailable {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(%error, cause, "what a request asked to see could not be read");
        Unavailable::NotRead
    }
}

impl<S: Store, J: Journal> Engine<S, J> {
    /// Puts the parts together.
    pub fn new(
        store: S,
        journal: J,
        keys: Arc<dyn Keys>,
        (clock, random): (Arc<dyn Clock>, Arc<dyn Random>),
        settings: Settings,
    ) -> Self {
        let assertions = Assertions::new(Arc::clone(&clock));
        let possession = Possession::new(PossessionSettings::default(), clock.now().seconds(), &*random);
        let clock = ClockWatch::new(clock);
        let limits = Limits::new(settings.limits, settings.revocations_per_minute);
        Engine {
            store,
            journal,
            keys,
            clock,
            random,
            settings,
            failures: AuthenticationFailureCount::default(),
            counts: Counts::default(),
            limits,
            presented: PresentedTokens::default(),
            certificates: ClientCertificates::default(),
            assertions,
            possession,
        }
    }

    /// The same, with what an operator chose about proofs of possession.
    #[must_use]
    pub fn with_possession(mut self, settings: PossessionSettings) -> Self {
        let now = self.clock.started_at();
        self.possession = Possession::new(settings, now, &*self.random);
        self
    }

    /// The same, with what fetches the keys that applications publish. Without it none are known.
    #[must_use]
    pub fn with_key_fetcher(mut self, fetcher: Arc<dyn FetchKeys>) -> Self {
        self.assertions.set_fetcher(fetcher);
        self
    }

    /// The directory that decisions are made on now.
    pub fn directory(&self) -> Result<Arc<Directory>, NotFresh> {
        self.store.directory()
    }

    /// How long ago the directory that decisions are made on was confirmed.
    pub fn directory_age(&self) -> Duration {
        self.store.age()
    }

    /// The marks that are kept, for the stream that guards follow.
    pub fn revocations(&self) -> &Arc<Revocations> {
        self.store.revocations()
    }

    /// Time since some fixed point of this process.
    pub fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// The journal, for what is recorded beside decisions.
    pub fn journal(&self) -> &J {
        &self.journal
    }

    /// The keys, for the JWKS.
    pub fn keys(&self) -> &dyn Keys {
        &*self.keys
    }

    /// Failed authentications that are not recorded yet.
    pub fn authentication_failures(&self) -> &AuthenticationFailureCount {
        &self.failures
    }

    /// What was decided since the start.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What is left for addresses and applications.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What operators set.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether a token could be decided on now: a fresh directory and a believable clock.
    pub fn ready(&self) -> Result<(), Unavailable> {
        self.store.directory()?;
        self.clock.now()?;
        Ok(())
    }

    /// Whether the wall clock was moved: then nothing is issued, and nothing whose time seems over may be
    /// thrown away.
    pub fn clock_is_off(&self) -> bool {
        self.clock.now().is_err()
    }

    /// The wall clock, if it can be believed.
    ///
    /// # Errors
    ///
    /// [`ClockOff`] when it was moved.
    pub fn now(&self) -> Result<UnixMillis, ClockOff> {
        self.clock.now()
    }

    /// Where its randomness comes from.
    pub fn random(&self) -> &dyn Random {
        &*self.random
    }

    /// Two independent random ids: a reference and a token id.
    fn random_ids(&self) -> [RandomId; 2] {
        // Drawn one by one: 16 bytes come from a buffer, 32 from the generator itself.
        [(); 2].map(|()| {
            let mut bytes = [0; 16];
            self.random.fill(&mut bytes);
            RandomId(bytes)
        })
    }

    /// What stands for the contact that was asked for. The HMAC is always computed, so that a contact that
    /// exists takes the same work as one that does not.
    fn fingerprint(&self, text: &str) -> Fingerprint {
        Fingerprint(hmac_sha256(&*self.settings.asked_for_key, text.as_bytes()))
    }
}

/// An HMAC of what was asked for.
#[derive(Clone, Copy)]
struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// What the journal says about the contact.
    fn asked_for(&self, known: Option<ContactNo>) -> AskedFor {
        match known {
            Some(no) => AskedFor::Known(no),
            None => AskedFor::Unknown(std::array::from_fn(|at| self.0[at])),
        }
    }

    /// What distinct contacts are counted by.
    fn short(&self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|at| self.0[at]))
    }
}
