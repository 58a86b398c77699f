//! What requests may change and read whole, on SQLite. Here a change is committed, and not yet in force:
//! [`crate::serving`] waits for that.

use procura_store::administration::{ChangeContext, StoreError};
use procura_store::changes::ChangeIfUnchanged;
use procura_store::fields::{Key, Row};
use procura_store::records::Version;

use super::SqliteDirectory;
use crate::sql::{log, put};

impl SqliteDirectory {
    /// Whole records, in the order asked, all at one version.
    pub(crate) async fn whole(&self, keys: Vec<Key>) -> Result<Vec<Option<Row>>, StoreError> {
        self.read(move |sql| {
            let whole = |key| {
                let stored = put::get(sql, key)?;
                Ok(stored.map(|stored| Row::whole(stored.entity, stored.values)))
            };
            keys.iter().map(whole).collect()
        })
        .await
    }

    /// The version that is committed.
    pub(crate) async fn version(&self) -> Result<Version, StoreError> {
        self.read(log::version).await
    }

    /// Changes records if none of `expected` changed; says which version that made.
    pub(crate) async fn change_if_unchanged(
        &self,
        context: ChangeContext,
        expected: Vec<Row>,
        updates: Vec<Row>,
    ) -> Result<(ChangeIfUnchanged, Version), StoreError> {
        self.write(context, move |writing| {
            let outcome = put::change_if_unchanged(writing, &expected, &updates)?;
            Ok((outcome, writing.version()))
        })
        .await
    }
}
