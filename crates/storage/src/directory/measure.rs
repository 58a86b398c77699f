//! A directory of any size, and what it costs to load: for the bench.

use std::path::Path;

use procura_store::administration::StoreError;
use rusqlite::Connection;

use super::{connect_reader, failed, load};

/// How large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// Applications, all of them trusted.
    pub applications: u32,
    /// Client companies; at least as many as mandates and trusts in a row.
    pub clients: u32,
    /// Contacts.
    pub contacts: u32,
    /// Mandates of each contact, over different clients.
    pub mandates_each: u32,
    /// Trusts in each application, of different clients.
    pub trusts_each: u32,
}

impl Scale {
    /// The largest that the server is measured with.
    pub const LARGE: Scale = Scale {
        applications: 10_000,
        clients: 100_000,
        contacts: 1_000_000,
        mandates_each: 3,
        trusts_each: 100,
    };

    /// The one that it is compared with.
    pub const SMALL: Scale =
        Scale { applications: 10, clients: 100, contacts: 100, mandates_each: 3, trusts_each: 100 };
}

/// Id of the application with that number, from 1.
pub fn application_id(no: u32) -> String {
    format!("app_bench{no:06}")
}

/// Id of the contact with that number, from 1.
pub fn contact_id(no: u32) -> String {
    format!("con.{no:07}")
}

/// Whether the rule lets the application act for the contact, for at least one client.
pub fn may_act(scale: &Scale, application: u32, contact: u32) -> bool {
    (0..scale.mandates_each)
        .map(|turn| mandate_client(scale, contact, turn))
        .any(|client| (0..scale.trusts_each).any(|turn| trust_client(scale, application, turn) == client))
}

fn mandate_client(scale: &Scale, contact: u32, turn: u32) -> u32 {
    ((u64::from(contact) * 7 + u64::from(turn) * 31) % u64::from(scale.clients)) as u32 + 1
}

fn trust_client(scale: &Scale, application: u32, turn: u32) -> u32 {
    ((u64::from(application) * 10 + u64::from(turn)) % u64::from(scale.clients)) as u32 + 1
}

/// Fills the empty directory in that file past the verbs, in some seconds for a million contacts.
/// Nobody else may have it open. Secrets and keys are left to the verbs.
///
/// # Errors
///
/// What the database says, also when the directory is not empty.
pub fn fill(file: &Path, scale: &Scale) -> Result<(), StoreError> {
    let connection = Connection::open(file).map_err(failed)?;
    connection.pragma_update(None, "synchronous", "OFF").map_err(failed)?;
    connection.pragma_update(None, "cache_size", -256 * 1024).map_err(failed)?;
    let Scale { applications, clients, contacts, mandates_each, trusts_each } = scale;
    // The same arithmetic as above.
    let batch = format!(
        "BEGIN IMMEDIATE;
         {application_rows}
         INSERT INTO application (number, id, status, trusted, id_token_alg)
             SELECT n, printf('app_bench%06d', n), 1, 1, 1 FROM row;
         {client_rows}
         INSERT INTO client (number, id, status, client_name)
             SELECT n, printf('cli.%06d', n), 1, printf('Client company %d Ltd', n) FROM row;
         INSERT INTO client_detail (number) SELECT number FROM client;
         {contact_rows}
         INSERT INTO contact (number, id, status) SELECT n, printf('con.%07d', n), 1 FROM row;
         INSERT INTO contact_detail (number, email_address)
             SELECT number, id || '@example.com' FROM contact;
         {mandate_rows}
         INSERT INTO mandate (contact_no, client_no, status, permissions, has_online_access)
             SELECT number, (number * 7 + n * 31) % {clients} + 1, 1, 1023, 1 FROM contact, row;
         {trust_rows}
         INSERT INTO trust (application_no, client_no, status, ceiling)
             SELECT number, (number * 10 + n) % {clients} + 1, 1, 1023 FROM application, row;
         UPDATE version SET version = version + 1;
         INSERT INTO change (version, at_ms, actor, entity, action, number, client_no)
             SELECT version, 0, -1, 1, 1, 1, 0 FROM version;
         COMMIT;
         PRAGMA wal_checkpoint(TRUNCATE);",
        application_rows = rows(1, *applications),
        client_rows = rows(1, *clients),
        contact_rows = rows(1, *contacts),
        mandate_rows = rows(0, mandates_each.saturating_sub(1)),
        trust_rows = rows(0, trusts_each.saturating_sub(1)),
    );
    connection.execute_batch(&batch).map_err(failed)
}

/// A table `row` with a column `n` that counts.
fn rows(from: u32, to: u32) -> String {
    format!("WITH RECURSIVE row (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM row WHERE n < {to})")
}

/// Loads the directory in that file; the caller holds the time and the memory against it.
///
/// # Errors
///
/// As [`load()`].
pub fn load_file(file: &Path) -> Result<procura_store::Directory, StoreError> {
    Ok(load(&connect_reader(file)?)?.directory)
}
