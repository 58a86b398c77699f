//! The verbs of operators, on SQLite: each hands its work to a thread that may block.

use procura_protocol::algorithm::Algorithm;
use procura_protocol::ids::{ContactId, ResourceId};
use procura_protocol::time::{UnixMillis, UnixSeconds};
use procura_store::administration::{
    Add, AddCredential, Administration, BuiltIn, ChangeContext, CredentialRecord, CredentialToRetire,
    Disable, Erase, Fact, Import, ImportReport, InsertKey, KeyRecord, Line, ListQuery, NewCredential, NewKey,
    Page, PromoteKey, Put, Remove, RetireCredential, RetireKey, Revocation, Revoke, RevokeKey, SealedKey,
    Status, StoreError, Update,
};
use procura_store::change::{Change, ChangeSeq, Entity};
use procura_store::fields::{Key, Row};
use procura_store::records::{KeyNo, SecretHash};

use super::SqliteDirectory;
use crate::sql::writing::tidying;
use crate::sql::{credentials, import, keys, list, log, put, remove, revoke};

impl Administration for SqliteDirectory {
    async fn add(&self, context: ChangeContext, row: Row) -> Result<Add, StoreError> {
        self.write(context, move |writing| put::add(writing, &row)).await
    }

    async fn update(&self, context: ChangeContext, row: Row) -> Result<Update, StoreError> {
        self.write(context, move |writing| put::update(writing, &row)).await
    }

    async fn put(&self, context: ChangeContext, row: Row) -> Result<Put, StoreError> {
        self.write(context, move |writing| put::put(writing, &row)).await
    }

    async fn disable(&self, context: ChangeContext, key: Key) -> Result<Disable, StoreError> {
        self.write(context, move |writing| remove::disable(writing, &key)).await
    }

    async fn remove(&self, context: ChangeContext, key: Key) -> Result<Remove, StoreError> {
        self.write(context, move |writing| remove::remove(writing, &key)).await
    }

    async fn erase_contact(&self, context: ChangeContext, contact: ContactId) -> Result<Erase, StoreError> {
        let Ok(key) = Key::read(Entity::Contact, &[contact.as_str()]) else { return Ok(Erase::NotFound) };
        let erased = self.write(context, move |writing| remove::erase_contact(writing, &key)).await?;
        if erased == Erase::Erased {
            self.empty_log().await?;
        }
        Ok(erased)
    }

    async fn get(&self, key: Key) -> Result<Option<Row>, StoreError> {
        let stored = self.read(move |sql| put::get(sql, &key)).await?;
        Ok(stored.map(|stored| Row::whole(stored.entity, stored.values)))
    }

    async fn list(&self, query: ListQuery) -> Result<Page, StoreError> {
        self.read(move |sql| list::list(sql, &query)).await
    }

    async fn import<L, P>(
        &self,
        context: ChangeContext,
        what: Import,
        lines: L,
        progress: P,
    ) -> Result<ImportReport, StoreError>
    where
        L: Iterator<Item = Line> + Send + 'static,
        P: FnMut(u64) + Send + 'static,
    {
        self.with_writer(move |sql| import::import(sql, &context, what, lines, progress)).await
    }

    async fn add_credential(
        &self,
        context: ChangeContext,
        owner: Key,
        credential: NewCredential,
    ) -> Result<AddCredential, StoreError> {
        self.write(context, move |writing| credentials::add(writing, &owner, &credential)).await
    }

    async fn replace_secrets(
        &self,
        context: ChangeContext,
        owner: Key,
        hash: SecretHash,
    ) -> Result<AddCredential, StoreError> {
        self.write(context, move |writing| credentials::replace(writing, &owner, &hash)).await
    }

    async fn retire_credential(
        &self,
        context: ChangeContext,
        owner: Key,
        credential: CredentialToRetire,
    ) -> Result<RetireCredential, StoreError> {
        self.write(context, move |writing| credentials::retire(writing, &owner, credential)).await
    }

    async fn credentials(&self, owner: Key) -> Result<Option<Vec<CredentialRecord>>, StoreError> {
        self.read(move |sql| credentials::list(sql, &owner)).await
    }

    async fn count_expiring(&self, before: UnixSeconds) -> Result<u64, StoreError> {
        self.read(move |sql| credentials::count_expiring(sql, before)).await
    }

    async fn set_built_in_resource(
        &self,
        context: ChangeContext,
        id: ResourceId,
    ) -> Result<BuiltIn, StoreError> {
        self.write(context, move |writing| log::set_built_in(writing, id.as_str())).await
    }

    async fn algorithms_in_use(&self) -> Result<Vec<Algorithm>, StoreError> {
        self.read(keys::algorithms_in_use).await
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.read(keys::list).await
    }

    async fn insert_key(&self, context: ChangeContext, key: NewKey) -> Result<InsertKey, StoreError> {
        self.write(context, move |writing| keys::insert_new(writing, &key)).await
    }

    async fn promote_key(
        &self,
        context: ChangeContext,
        key: KeyNo,
        successor: Option<NewKey>,
    ) -> Result<PromoteKey, StoreError> {
        self.write(context, move |writing| keys::promote(writing, key, successor.as_ref())).await
    }

    async fn let_key_go(&self, context: ChangeContext, key: KeyNo) -> Result<RetireKey, StoreError> {
        self.write(context, move |writing| keys::let_go(writing, key)).await
    }

    async fn revoke_key(
        &self,
        context: ChangeContext,
        key: KeyNo,
        successor: Option<NewKey>,
    ) -> Result<RevokeKey, StoreError> {
        self.write(context, move |writing| keys::revoke(writing, key, successor.as_ref())).await
    }

    async fn revoke(&self, context: ChangeContext, revocation: Revocation) -> Result<Revoke, StoreError> {
        self.write(context, move |writing| revoke::revoke(writing, &revocation)).await
    }

    async fn rewrap(
        &self,
        context: ChangeContext,
        sealed: Vec<SealedKey>,
        facts: Vec<(Fact, String)>,
    ) -> Result<bool, StoreError> {
        let rewrapped = self.write(context, move |writing| keys::rewrap(writing, &sealed, &facts)).await?;
        if rewrapped {
            // Who has the key encryption key of before must not find here what it opens.
            self.empty_log().await?;
        }
        Ok(rewrapped)
    }

    async fn changes_after(&self, seq: ChangeSeq, limit: u32) -> Result<Vec<Change>, StoreError> {
        self.read(move |sql| log::changes_after(sql, seq, limit)).await
    }

    async fn trim_changes(&self, up_to: ChangeSeq) -> Result<u64, StoreError> {
        self.with_writer(move |sql| tidying(sql, |sql| log::trim_changes(sql, up_to))).await
    }

    async fn sweep_marks(&self, now: UnixMillis) -> Result<u64, StoreError> {
        self.with_writer(move |sql| tidying(sql, |sql| log::sweep_marks(sql, now))).await
    }

    async fn names_of(&self, numbers: Vec<(Entity, u32)>) -> Result<Vec<Option<String>>, StoreError> {
        self.read(move |sql| log::names_of(sql, &numbers)).await
    }

    async fn numbers_of(&self, entity: Entity, id: String) -> Result<Vec<u32>, StoreError> {
        self.read(move |sql| log::numbers_of(sql, entity, &id)).await
    }

    async fn fact(&self, fact: Fact) -> Result<Option<String>, StoreError> {
        self.read(move |sql| log::fact(sql, fact)).await
    }

    async fn set_fact(&self, fact: Fact, value: String, only_once: bool) -> Result<String, StoreError> {
        self.with_writer(move |sql| tidying(sql, |sql| log::set_fact(sql, fact, &value, only_once))).await
    }

    async fn status(&self) -> Result<Status, StoreError> {
        self.read(log::status).await
    }
}

impl SqliteDirectory {
    /// Moves what the write-ahead log holds into the file and empties it, so that erased pages are in
    /// neither. A reader that is in the way keeps it until the next checkpoint.
    async fn empty_log(&self) -> Result<(), StoreError> {
        let mut busy = 0;
        self.with_writer(move |sql| {
            sql.query("PRAGMA wal_checkpoint(TRUNCATE)", &[], &mut |row| {
                busy = row.integer(0)?.unwrap_or_default();
                Ok(())
            })?;
            if busy != 0 {
                tracing::warn!("erased pages stay in the write-ahead log until its readers are done");
            }
            Ok(())
        })
        .await
    }
}
