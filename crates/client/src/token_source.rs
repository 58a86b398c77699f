//! Tokens kept for as long as they live, and asked for once.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use procura_protocol::ids::ContactId;
use tokio::sync::watch;

use crate::clock::Moment;
use crate::error::Error;
use crate::held::Held;
use crate::response::PostTokenForContactResponse;
use crate::token_options::TokenOptions;
use crate::transport::{Transport, TransportError, TransportErrorKind};
use crate::{Procura, held};

/// Tokens of how many contacts a source keeps unless told otherwise: about 20 MB of ordinary tokens,
/// 150 MB of the largest.
pub const DEFAULT_CAPACITY: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// A cached response, shared because a token can't be cloned.
pub type SharedToken = Arc<PostTokenForContactResponse>;

/// Hands out tokens per contact, and asks the server only when it must.
///
/// * A token is handed out until 80 % of its life is over; the next asker renews it. If renewing fails
///   and the old token is still alive, the old one is handed out and renewing is tried again 10 s later.
///   If the server **refuses** ([`Error::Refused`]), the old one is forgotten.
/// * For one contact there is never more than one request under way: all who ask meanwhile get its
///   outcome. The request is a task of its own, so an asker who gives up takes nothing from the others.
/// * At most `capacity` contacts are kept; beyond it the one not asked for longest is dropped.
///
/// A clone is the same source. Needs a tokio runtime.
pub struct TokenSource<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    procura: Arc<Procura<T>>,
    options: TokenOptions,
    state: Mutex<State>,
}

struct State {
    held: held::Cache,
    flights: HashMap<ContactId, Flight>,
}

type Outcome = Result<SharedToken, Error>;
type Flight = watch::Receiver<Option<Outcome>>;

impl<T: Transport> TokenSource<T> {
    /// A source of tokens that narrow nothing, for up to [`DEFAULT_CAPACITY`] contacts.
    pub fn new(procura: Arc<Procura<T>>) -> TokenSource<T> {
        TokenSource::with(procura, TokenOptions::default(), DEFAULT_CAPACITY)
    }

    /// A source of tokens that are all narrowed by `options`, for up to `capacity` contacts. Two
    /// narrowings need two sources.
    pub fn with(procura: Arc<Procura<T>>, options: TokenOptions, capacity: NonZeroUsize) -> TokenSource<T> {
        let state = State { held: held::Cache::new(capacity), flights: HashMap::new() };
        TokenSource { inner: Arc::new(Inner { procura, options, state: Mutex::new(state) }) }
    }

    /// A token to act for this contact.
    ///
    /// # Errors
    ///
    /// As [`Procura::token_for_contact`]. A refusal is not kept: the next asker asks again.
    pub async fn token_for_contact(&self, contact: &ContactId) -> Outcome {
        let mut flight = match self.inner.look(contact) {
            Look::Held(token) => return Ok(token),
            Look::Flying(flight) => flight,
            Look::Start(landing, flight) => {
                let inner = Arc::clone(&self.inner);
                tokio::spawn(async move {
                    let outcome = inner.ask(&landing.contact).await;
                    landing.with(outcome);
                });
                flight
            }
        };
        // An error here means that the task was dropped with its runtime, or panicked.
        match flight.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone()) {
            Some(outcome) => outcome,
            None => Err(TransportError::new(TransportErrorKind::Connection).into()),
        }
    }

    /// Forgets the token of this contact, for instance after the API refused it with 401: the next asker
    /// gets a new one.
    pub fn forget(&self, contact: &ContactId) {
        self.inner.state().held.remove(contact);
    }

    /// The same, but only if this very token is the one that is kept. Of many who were refused with it at
    /// the same time, none drops what another has got meanwhile.
    pub fn forget_token(&self, contact: &ContactId, token: &SharedToken) {
        let mut state = self.inner.state();
        if state.held.get(contact).is_some_and(|held| Arc::ptr_eq(&held.token(), token)) {
            state.held.remove(contact);
        }
    }

    /// Ends the token that is kept for this contact, and the one that is being asked for, if any: nobody
    /// gets either from here any more, and no resource takes it. The next asker gets a new one.
    ///
    /// Tokens that were renewed before are not known here any more; [`TokenSource::revoke_token`] ends
    /// those that a caller still has, and all of them end by themselves.
    ///
    /// # Errors
    ///
    /// As [`Procura::revoke`]. A token that could not be ended is still kept, so that the call can be
    /// repeated; to get rid of it here, [`TokenSource::forget`] it.
    pub async fn revoke(&self, contact: &ContactId) -> Result<(), Error> {
        let (kept, flight) = self.inner.kept_and_coming(contact);
        let coming = match flight {
            Some(mut flight) => {
                let landed = flight.wait_for(Option::is_some).await.ok();
                landed.and_then(|outcome| outcome.clone()).and_then(Result::ok)
            }
            None => None,
        };
        // A renewal that failed brings the old token.
        let coming = coming.filter(|new| !kept.as_ref().is_some_and(|old| Arc::ptr_eq(old, new)));
        for token in kept.into_iter().chain(coming) {
            self.revoke_token(contact, &token).await?;
        }
        Ok(())
    }

    /// Ends a token that was handed out for this contact, and forgets it if it is the one that is kept.
    ///
    /// # Errors
    ///
    /// As [`TokenSource::revoke`].
    pub async fn revoke_token(&self, contact: &ContactId, token: &SharedToken) -> Result<(), Error> {
        if let Some(access_token) = &token.access_token {
            self.inner.procura.revoke(access_token).await?;
        }
        self.forget_token(contact, token);
        Ok(())
    }

    /// The server that the tokens are from.
    pub fn procura(&self) -> &Arc<Procura<T>> {
        &self.inner.procura
    }
}

enum Look<T> {
    Held(SharedToken),
    Flying(Flight),
    Start(Landing<T>, Flight),
}

impl<T: Transport> Inner<T> {
    /// Decides in one step under the lock, so that of many askers exactly one starts.
    fn look(self: &Arc<Self>, contact: &ContactId) -> Look<T> {
        let now = Moment::read(self.procura.clock());
        let mut state = self.state();
        if let Some(held) = state.held.get(contact)
            && !held.is_due(now)
        {
            return Look::Held(held.token());
        }
        if let Some(flight) = state.flights.get(contact) {
            return Look::Flying(flight.clone());
        }
        let (sender, flight) = watch::channel(None);
        state.flights.insert(contact.clone(), flight.clone());
        Look::Start(
            Landing { inner: Arc::clone(self), contact: contact.clone(), sender: Some(sender) },
            flight,
        )
    }

    /// Asks the server and files what it says.
    async fn ask(&self, contact: &ContactId) -> Outcome {
        // The life is counted from before the request, so that a token is never taken for younger.
        let asked_at = Moment::read(self.procura.clock());
        let outcome = self.procura.token_for_contact_with(contact, &self.options).await;
        let now = Moment::read(self.procura.clock());
        let mut state = self.state();
        match outcome {
            Ok(response) => {
                let token = Arc::new(response);
                match Held::new(Arc::clone(&token), asked_at) {
                    Some(held) if !held.is_due(now) => state.held.insert(contact.clone(), held),
                    _ => state.held.remove(contact),
                }
                Ok(token)
            }
            Err(error @ Error::Refused { .. }) => {
                state.held.remove(contact);
                Err(error)
            }
            Err(error) => match state.held.get(contact) {
                Some(held) if held.is_alive(now) => {
                    held.put_off(now);
                    Ok(held.token())
                }
                _ => Err(error),
            },
        }
    }
}

impl<T> Inner<T> {
    /// The token at hand, of whatever age, and the request under way.
    fn kept_and_coming(&self, contact: &ContactId) -> (Option<SharedToken>, Option<Flight>) {
        let mut state = self.state();
        let kept = state.held.get(contact).map(|held| held.token());
        (kept, state.flights.get(contact).cloned())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic halfway through a change runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a flight, however it ends: the entry goes, then the waiters are told.
struct Landing<T> {
    inner: Arc<Inner<T>>,
    contact: ContactId,
    sender: Option<watch::Sender<Option<Outcome>>>,
}

impl<T> Landing<T> {
    fn with(mut self, outcome: Outcome) {
        if let Some(sender) = self.take_off_the_board() {
            sender.send_replace(Some(outcome));
        }
    }

    fn take_off_the_board(&mut self) -> Option<watch::Sender<Option<Outcome>>> {
        let sender = self.sender.take()?;
        self.inner.state().flights.remove(&self.contact);
        Some(sender)
    }
}

impl<T> Drop for Landing<T> {
    fn drop(&mut self) {
        drop(self.take_off_the_board());
    }
}

impl<T> Clone for TokenSource<T> {
    fn clone(&self) -> Self {
        TokenSource { inner: Arc::clone(&self.inner) }
    }
}

impl<T> fmt::Debug for TokenSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource").field("procura", &self.inner.procura).finish_non_exhaustive()
    }
}
