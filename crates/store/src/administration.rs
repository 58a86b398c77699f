//! The verbs of operators.
//!
//! Each verb is atomic: rows, the next version, its marks and its rows of the `change` table are one
//! transaction, or nothing is. A verb that would change nothing writes nothing. Every outcome that an
//! operator can cause is a value; [`StoreError`] is ours.

mod credentials;
mod keys;
mod outcome;
mod revocation;

use std::future::Future;

use procura_protocol::algorithm::Algorithm;
use procura_protocol::ids::{ContactId, ResourceId};
use procura_protocol::time::{UnixMillis, UnixSeconds};

use crate::change::{Actor, Change, ChangeSeq, Entity};
use crate::fields::{Key, Row};
use crate::mark::MarkKind;
use crate::records::{KeyNo, SecretHash};

pub use credentials::{CredentialRecord, CredentialToRetire, CredentialValue, NewCredential, Shown};
pub use keys::{
    InsertKey, KeyPurpose, KeyRecord, KeyState, NewKey, PromoteKey, RetireKey, RevokeKey, SealedKey,
};
pub use outcome::{
    Add, AddCredential, BadLine, BuiltIn, Disable, Erase, ImportReport, MAX_BAD_LINES, Put, Refusal, Remove,
    RetireCredential, StoreError, Update,
};
pub use revocation::{Revocation, Revoke, TokenToRevoke};

/// Who changes something, when, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeContext {
    /// By whom.
    pub actor: Actor,
    /// When.
    pub at: UnixMillis,
    /// Why, in the operator's words; stays in the directory.
    pub reason: Option<String>,
    /// Seconds that the longest-lived token may live: how long a mark has something to hit.
    pub token_lifetime_max: i64,
}

/// What operators do. Implemented once for each way to keep the directory.
pub trait Administration: Send + Sync + 'static {
    /// Adds a record that must be new.
    fn add(&self, context: ChangeContext, row: Row) -> impl Future<Output = Result<Add, StoreError>> + Send;

    /// Changes what the row says of a record that must be there.
    fn update(
        &self,
        context: ChangeContext,
        row: Row,
    ) -> impl Future<Output = Result<Update, StoreError>> + Send;

    /// Adds the record or changes what the row says of it.
    fn put(&self, context: ChangeContext, row: Row) -> impl Future<Output = Result<Put, StoreError>> + Send;

    /// Switches a record off: contact, application and resource `disabled`, mandate `suspended`, trust
    /// `withdrawn`, client `Inactive` (one that is `Closed` or `Blocked` is off already).
    fn disable(
        &self,
        context: ChangeContext,
        key: Key,
    ) -> impl Future<Output = Result<Disable, StoreError>> + Send;

    /// Removes a record, with the mandates, trusts and secrets that hang on it. Its number keeps its
    /// name, so that the journal can still be read.
    fn remove(
        &self,
        context: ChangeContext,
        key: Key,
    ) -> impl Future<Output = Result<Remove, StoreError>> + Send;

    /// Removes a contact, or one that was removed before, and forgets which numbers were theirs and
    /// what reasons were given for changes about them.
    fn erase_contact(
        &self,
        context: ChangeContext,
        contact: ContactId,
    ) -> impl Future<Output = Result<Erase, StoreError>> + Send;

    /// The whole record.
    fn get(&self, key: Key) -> impl Future<Output = Result<Option<Row>, StoreError>> + Send;

    /// Records in a fixed order, a page at a time.
    fn list(&self, query: ListQuery) -> impl Future<Output = Result<Page, StoreError>> + Send;

    /// Puts every line of a file, or none of them.
    ///
    /// Lines are read on a thread that may block. `progress` is told now and then how many were read.
    fn import<L, P>(
        &self,
        context: ChangeContext,
        import: Import,
        lines: L,
        progress: P,
    ) -> impl Future<Output = Result<ImportReport, StoreError>> + Send
    where
        L: Iterator<Item = Line> + Send + 'static,
        P: FnMut(u64) + Send + 'static;

    /// Gives an application or a resource another credential: two of a kind live at once at most. What has
    /// expired of that kind is thrown away.
    fn add_credential(
        &self,
        context: ChangeContext,
        owner: Key,
        credential: NewCredential,
    ) -> impl Future<Output = Result<AddCredential, StoreError>> + Send;

    /// Ends all secrets of an application or a resource and gives it this one.
    fn replace_secrets(
        &self,
        context: ChangeContext,
        owner: Key,
        hash: SecretHash,
    ) -> impl Future<Output = Result<AddCredential, StoreError>> + Send;

    /// Ends a credential. If it is compromised, tokens of the application die with it.
    fn retire_credential(
        &self,
        context: ChangeContext,
        owner: Key,
        credential: CredentialToRetire,
    ) -> impl Future<Output = Result<RetireCredential, StoreError>> + Send;

    /// The credentials of an application or a resource, by number; `None` without the owner.
    fn credentials(
        &self,
        owner: Key,
    ) -> impl Future<Output = Result<Option<Vec<CredentialRecord>>, StoreError>> + Send;

    /// How many credentials of active applications and resources end before that second, or have ended.
    fn count_expiring(&self, before: UnixSeconds) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Sets which resource is the server's own API. Made if it is not there; renamed if the issuer is
    /// another one now.
    fn set_built_in_resource(
        &self,
        context: ChangeContext,
        id: ResourceId,
    ) -> impl Future<Output = Result<BuiltIn, StoreError>> + Send;

    /// Algorithms that registrations of active applications and resources ask for.
    fn algorithms_in_use(&self) -> impl Future<Output = Result<Vec<Algorithm>, StoreError>> + Send;

    /// All keys, by number, also those that are gone.
    fn keys(&self) -> impl Future<Output = Result<Vec<KeyRecord>, StoreError>> + Send;

    /// Keeps a new key: announced, or signing at once.
    fn insert_key(
        &self,
        context: ChangeContext,
        key: NewKey,
    ) -> impl Future<Output = Result<InsertKey, StoreError>> + Send;

    /// Makes an announced key sign, and the one that signed for the same purpose with the same
    /// algorithm retire. `successor` is announced in the same transaction.
    fn promote_key(
        &self,
        context: ChangeContext,
        key: KeyNo,
        successor: Option<NewKey>,
    ) -> impl Future<Output = Result<PromoteKey, StoreError>> + Send;

    /// Lets a retired key go: it leaves the JWKS and its private half is deleted.
    fn let_key_go(
        &self,
        context: ChangeContext,
        key: KeyNo,
    ) -> impl Future<Output = Result<RetireKey, StoreError>> + Send;

    /// Takes a compromised key out at once and marks it. If it was signing, the announced key signs
    /// from now on, or `successor` if none is announced; otherwise `successor` is announced.
    fn revoke_key(
        &self,
        context: ChangeContext,
        key: KeyNo,
        successor: Option<NewKey>,
    ) -> impl Future<Output = Result<RevokeKey, StoreError>> + Send;

    /// Marks tokens that are out, without changing a record. What is marked is in force for new decisions
    /// as it was: only tokens of before die.
    fn revoke(
        &self,
        context: ChangeContext,
        revocation: Revocation,
    ) -> impl Future<Output = Result<Revoke, StoreError>> + Send;

    /// Replaces what is sealed, all at once: private halves, and the facts whose values are sealed. Must
    /// name every key that has a private half, else nothing is done and the answer is `false`.
    fn rewrap(
        &self,
        context: ChangeContext,
        sealed: Vec<SealedKey>,
        facts: Vec<(Fact, String)>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Rows of the `change` table after one, in order, `limit` at most.
    fn changes_after(
        &self,
        seq: ChangeSeq,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Change>, StoreError>> + Send;

    /// Deletes rows of the `change` table up to one, which the journal must hold by then.
    fn trim_changes(&self, up_to: ChangeSeq) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Deletes marks that can hit no token any more.
    fn sweep_marks(&self, now: UnixMillis) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// What numbers in the journal stand for, in the order asked; also of records that were removed.
    /// `None` when it was erased or never was.
    fn names_of(
        &self,
        numbers: Vec<(Entity, u32)>,
    ) -> impl Future<Output = Result<Vec<Option<String>>, StoreError>> + Send;

    /// All numbers that an id has or had.
    fn numbers_of(
        &self,
        entity: Entity,
        id: String,
    ) -> impl Future<Output = Result<Vec<u32>, StoreError>> + Send;

    /// A fact about the installation.
    fn fact(&self, fact: Fact) -> impl Future<Output = Result<Option<String>, StoreError>> + Send;

    /// Sets a fact about the installation. With `only_once`, what stands there stays. Returns what
    /// stands there now.
    fn set_fact(
        &self,
        fact: Fact,
        value: String,
        only_once: bool,
    ) -> impl Future<Output = Result<String, StoreError>> + Send;

    /// How much there is.
    fn status(&self) -> impl Future<Output = Result<Status, StoreError>> + Send;
}

/// What to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Which kind of record.
    pub entity: Entity,
    /// Only those whose key or status has this value: pairs of a field's name and a value.
    pub filters: Vec<(&'static str, String)>,
    /// Where the page before ended.
    pub after: Option<Cursor>,
    /// Records on a page.
    pub limit: u32,
}

/// Where a page ended. Means something only to the store that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// Some records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Whole ones.
    pub rows: Vec<Row>,
    /// Where to go on, if there may be more.
    pub next: Option<Cursor>,
}

/// What to import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Import {
    /// Which kind of record.
    pub entity: Entity,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// What it says.
    pub row: Result<Row, Refusal>,
}

/// A fact about the installation, not about its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// Random; what the journal and the sealed keys are bound to.
    InstallationId,
    /// Whether the demo made it: `serve` refuses such a store.
    Demo,
    /// The issuer that it last served as.
    Issuer,
    /// The sealed key under which unknown input goes to the journal.
    UnknownInputKey,
}

impl Fact {
    /// All of them.
    pub const ALL: [Fact; 4] = [Fact::InstallationId, Fact::Demo, Fact::Issuer, Fact::UnknownInputKey];

    /// What it is stored under.
    pub const fn name(self) -> &'static str {
        match self {
            Fact::InstallationId => "installation_id",
            Fact::Demo => "demo",
            Fact::Issuer => "issuer",
            Fact::UnknownInputKey => "unknown_input_key",
        }
    }
}

/// How much there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The directory's version.
    pub version: crate::records::Version,
    /// The newest migration that was applied.
    pub schema: String,
    /// Records of each kind; tokens are none.
    pub counts: Vec<(Entity, u64)>,
    /// Marks that are kept.
    pub marks: u64,
    /// How many of them there are of each kind that there is.
    pub marks_by_kind: Vec<(MarkKind, u64)>,
    /// Rows of the `change` table.
    pub changes: u64,
    /// The newest row of the `change` table that ever was.
    pub last_change: ChangeSeq,
}
