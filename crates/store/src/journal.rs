//! What is recorded, and the promise that comes with it.
//!
//! A token is on disk, as a record, before its answer is written. A record without a token is allowed
//! (signing failed, the caller hung up); a token without a record never.
//!
//! Records hold numbers, versions, codes and random ids, never names, e-mails or values.

use std::future::Future;

use procura_protocol::coded;
use procura_protocol::confirmation::Binding;
use procura_protocol::time::{UnixMillis, UnixSeconds};
use thiserror::Error;

use crate::change::{Action, Actor, ChangeSeq, Entity};
use crate::records::{ApplicationNo, ClientNo, ContactNo, KeyNo, RandomId, ResourceNo, Version};

/// Where records go.
pub trait Journal: Send + Sync + 'static {
    /// Resolves when the record is durable, or when it is known that it may not be.
    type Pending: Future<Output = Result<(), JournalUnavailable>> + Send;

    /// Queues a record and returns at once; the write begins while the caller signs.
    ///
    /// `at` is stamped no earlier than that of the record before it. Fails at once when the queue is
    /// full, the disk is, or the journal is being repaired.
    fn append(&self, at: UnixMillis, record: &Record) -> Result<Self::Pending, JournalUnavailable>;

    /// Whether the record of an issue would be taken now, as far as is known.
    fn takes_issues(&self) -> bool;
}

/// The record could not be made durable: nothing may be answered that depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the journal can't be written")]
pub struct JournalUnavailable;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A contact token left.
    Issued(Issued),
    /// An application's own token left.
    OwnIssued(OwnIssued),
    /// An authenticated application was refused.
    Refused(Refused),
    /// The directory changed.
    Changed(Changed),
    /// Authentication failed so many times.
    AuthenticationFailures(AuthenticationFailures),
    /// A server began to serve on this journal.
    Started(Started),
    /// An application proved itself by an assertion.
    AssertionUsed(AssertionUsed),
}

/// Facts of a contact token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// `Procura-Reference` of the answer.
    pub reference: RandomId,
    /// `jti` of the ID token; that of the access token is derived from it.
    pub id_token_jti: RandomId,
    /// For whom it acts.
    pub contact: ContactNo,
    /// Who asked.
    pub application: ApplicationNo,
    /// The clients listed, as ordered in the token.
    pub clients: Vec<ClientNo>,
    /// `aud` of the access token.
    pub resource: ResourceNo,
    /// What signed the ID token, if one was asked for.
    pub id_token_key: Option<KeyNo>,
    /// What signed the access token.
    pub access_token_key: KeyNo,
    /// `exp` of both.
    pub expires_at: UnixSeconds,
    /// `dv`: what it was decided on.
    pub version: Version,
    /// By what it was asked for.
    pub door: Door,
    /// What the access token is bound to. Of before this was recorded: nothing, though it may have been.
    pub bound_to: Option<Binding>,
}

coded! {
    /// By what a contact token is asked for.
    Door {
        /// `POST /token/{contact_id}`.
        ContactToken = 1 "contact_token",
        /// `POST /token` with an assertion (RFC 7523 2.1).
        JwtBearer = 2 "jwt_bearer",
        /// `POST /token` with the same assertion as subject token (RFC 8693).
        TokenExchange = 3 "token_exchange",
    }
}

/// Facts of an application's own token (RFC 6749 4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnIssued {
    /// `Procura-Reference` of the answer.
    pub reference: RandomId,
    /// What its `jti` is derived from, as that of a contact's access token is from its ID token's.
    pub jti_seed: RandomId,
    /// Whose it is.
    pub application: ApplicationNo,
    /// `aud`.
    pub resource: ResourceNo,
    /// What signed it.
    pub access_token_key: KeyNo,
    /// `exp`.
    pub expires_at: UnixSeconds,
    /// `dv`: what it was decided on.
    pub version: Version,
    /// What it is bound to.
    pub bound_to: Option<Binding>,
}

/// Facts of a refusal. All refusals have records of exactly one size, so that not even the journal's
/// growth tells a known contact from an unknown one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// `Procura-Reference` of the answer.
    pub reference: RandomId,
    /// Who asked.
    pub application: ApplicationNo,
    /// For whom.
    pub contact: AskedFor,
    /// Why.
    pub cause: RefusalCause,
    /// How far each client of the contact got, one bit for a [`Missed`] part; of [`RefusalCause::Assertion`]
    /// and [`RefusalCause::Proof`], the code of what was wrong with it.
    pub missed: u16,
    /// What it was decided on.
    pub version: Version,
}

/// The contact that a refused request named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedFor {
    /// One in the directory.
    Known(ContactNo),
    /// Not in the directory: the first 16 bytes of an HMAC of what was asked for, so that a later
    /// question "was it this one?" can be answered, and nothing else.
    Unknown([u8; 16]),
    /// None: the request was not about one contact.
    Nobody,
}

coded! {
    /// Why an authenticated application was refused.
    RefusalCause {
        /// The application is not flagged trusted.
        NotTrusted = 1 "application_not_trusted",
        /// The contact id is malformed.
        MalformedContact = 2 "malformed_contact_id",
        /// The resource is unknown, disabled or not registered for the application.
        Target = 3 "resource_not_registered",
        /// No such contact.
        UnknownContact = 4 "unknown_contact",
        /// The contact is disabled.
        DisabledContact = 5 "contact_disabled",
        /// The contact has no mandate at all.
        NoMandate = 6 "no_mandate",
        /// No client of the contact passed every part of the rule; see `missed`.
        NoClientLeft = 7 "no_client_left",
        /// A client was named that is not among those allowed.
        ClientNotAllowed = 8 "named_client_not_allowed",
        /// None of the permissions asked for is held for any client.
        NothingInScope = 9 "no_permission_in_scope",
        /// More clients than a token may list.
        TooManyClients = 10 "too_many_clients",
        /// The access token would be longer than its limit.
        TooLong = 11 "access_token_too_long",
        /// The assertion that names the contact does not hold; `missed` is the code of its
        /// [`AssertionFault`](procura_protocol::client_assertion::AssertionFault).
        Assertion = 12 "assertion",
        /// The proof of possession proves nothing; `missed` is the code of its
        /// [`DpopFault`](procura_protocol::dpop::DpopFault).
        Proof = 13 "dpop_proof",
        /// A proof of possession came, and the application is not registered for any.
        ProofNotRegistered = 14 "dpop_not_registered",
        /// The resource's tokens are signed with an algorithm that the application's profile does not have.
        ProfileAlgorithm = 15 "algorithm_not_in_profile",
        /// The application's profile asks for bound tokens, and its registration binds them to nothing.
        NothingToBindTo = 16 "nothing_to_bind_to",
    }
}

coded! {
    /// A part of the rule that a client of the contact missed. The number is a bit of `missed`.
    Missed {
        /// The client is not Active.
        ClientInactive = 0 "client_not_active",
        /// The mandate is suspended.
        MandateSuspended = 1 "mandate_suspended",
        /// The mandate has not begun.
        MandateNotYet = 2 "mandate_not_yet_in_force",
        /// The mandate is over.
        MandateOver = 3 "mandate_over",
        /// The client gave this application no trust.
        NoTrust = 4 "no_trust",
        /// The trust was withdrawn.
        TrustWithdrawn = 5 "trust_withdrawn",
        /// The trust has not begun.
        TrustNotYet = 6 "trust_not_yet_in_force",
        /// The trust is over.
        TrustOver = 7 "trust_over",
        /// The trust does not cover this contact.
        NotCovered = 8 "contact_not_covered_by_trust",
    }
}

impl Missed {
    /// The bit in [`Refused::missed`].
    pub const fn bit(self) -> u16 {
        1 << self as u8
    }

    /// The parts in a set of bits.
    pub fn in_bits(bits: u16) -> impl Iterator<Item = Missed> {
        Missed::ALL.iter().copied().filter(move |part| bits & part.bit() != 0)
    }
}

/// Facts of a change of the directory: a row of the `change` table, brought over exactly once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The row.
    pub change: ChangeSeq,
    /// The version that it made.
    pub version: Version,
    /// When it was committed.
    pub committed_at: UnixMillis,
    /// By whom.
    pub actor: Actor,
    /// What kind of record.
    pub entity: Entity,
    /// What was done.
    pub action: Action,
    /// See [`crate::change::Change::number`].
    pub number: u32,
    /// See [`crate::change::Change::client`].
    pub client: u32,
    /// See [`crate::change::Change::token`].
    pub token: Option<[u8; 32]>,
}

/// Failed authentications since the last such record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthenticationFailures {
    /// How many named an application that exists.
    pub known_application: u32,
    /// How many did not.
    pub unknown_application: u32,
    /// When the first of them was.
    pub since: UnixMillis,
}

/// An assertion that was used and must not be used again: known to everybody who writes this journal, also
/// after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssertionUsed {
    /// Whose it is.
    pub application: ApplicationNo,
    /// The first 16 bytes of the SHA-256 of its `jti`.
    pub digest: [u8; 16],
    /// Its `exp`; it proves nothing from then on.
    pub expires_at: UnixSeconds,
}

/// A server began to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// The directory's version then.
    pub version: Version,
}
