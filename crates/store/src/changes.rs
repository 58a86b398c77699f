//! The verbs that requests may cause: what an application or a contact may change, beside what
//! [`crate::administration`] lets operators do.
//!
//! Each is atomic, and returns only when what it changed is in force on this node: whoever is answered
//! sees it, and so does whoever asks next.

use std::future::Future;

use crate::administration::{ChangeContext, Refusal, Revocation, Revoke, StoreError};
use crate::fields::{Key, Row};

/// What requests may change, and read whole.
pub trait Changes: Send + Sync + 'static {
    /// Whole records, in the order asked, all at one version; `None` for what is not there.
    fn whole(&self, keys: Vec<Key>) -> impl Future<Output = Result<Vec<Option<Row>>, StoreError>> + Send;

    /// Changes records that must be there, all of them or none, if every record of `expected` still is
    /// exactly what it says there.
    fn change_if_unchanged(
        &self,
        context: ChangeContext,
        expected: Vec<Row>,
        updates: Vec<Row>,
    ) -> impl Future<Output = Result<ChangeIfUnchanged, StoreError>> + Send;

    /// Marks tokens that are out, as [`crate::administration::Administration::revoke`] does.
    fn revoke(
        &self,
        context: ChangeContext,
        revocation: Revocation,
    ) -> impl Future<Output = Result<Revoke, StoreError>> + Send;
}

/// What came of [`Changes::change_if_unchanged`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeIfUnchanged {
    /// It is in force.
    Changed,
    /// It is as asked already; nothing was written.
    Unchanged,
    /// A record is no longer what was expected: nothing was written.
    Stale,
    /// The store refuses a value; nothing was written.
    Refused(Refusal),
}
