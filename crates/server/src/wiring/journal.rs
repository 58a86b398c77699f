//! The journal of a data folder, opened for writing by whoever holds its lock.

use std::path::Path;
use std::sync::Arc;

use procura_engine::Engine;
use procura_engine::application_auth::assertion::REPLAY_WINDOW;
use procura_jose::Random as _;
use procura_protocol::time::UnixMillis;
use procura_storage::SqliteDirectory;
use procura_storage::journal::{
    ChainId, Core, Disk as _, Found, HeadSigner, JournalError, Layout, Reader, RealDisk, Settings,
};
use procura_storage::keys::Keeper;
use procura_storage::outbox;
use procura_store::administration::{Administration as _, ChangeContext, Fact};
use procura_store::{Clock, Journal, Store};

use super::failure::{journal_failed, key_failed, store_failed, whole};
use crate::config::Config;
use crate::exit::{Failure, Outcome};

/// How the journal works, as configured.
pub(super) fn settings(config: &Config) -> Settings {
    let plain = Settings::default();
    let segment_bytes = config.journal.segment_bytes;
    let first_segment_bytes = plain.layout.first_segment_bytes.min(segment_bytes);
    let layout = Layout { segment_bytes, first_segment_bytes, ..plain.layout };
    Settings { layout, queue_records: config.journal.queue, ..plain }
}

/// Opens the journal with the key that signs its heads. When the journal is one step ahead of the store
/// in a succession of that key, the succession is finished here.
pub(super) async fn with_signer<T>(
    keeper: &Keeper<'_, SqliteDirectory>,
    context: &ChangeContext,
    open: impl Fn(Arc<dyn HeadSigner>) -> Result<T, JournalError>,
) -> Result<Result<T, JournalError>, Failure> {
    let failed = |error| key_failed(&error);
    let keys = keeper.journal_keys(context).await.map_err(failed)?;
    let opened = open(Arc::new(keys.into_signer()));
    if !matches!(opened, Err(JournalError::OtherKey { .. })) {
        return Ok(opened);
    }
    let keys = keeper.journal_keys(context).await.map_err(failed)?;
    let Some((number, successor)) = keys.into_successor() else { return Ok(opened) };
    let opened = open(Arc::new(successor));
    if opened.is_ok() {
        keeper.succeed_journal_key(context, number).await.map_err(failed)?;
    }
    Ok(opened)
}

/// Lets the engine remember which assertions were used, before it serves: whoever uses one again is refused,
/// whatever happened in between. Proofs of possession are written nowhere; the engine is told if nobody can have
/// shown one, which needs a token or the answer to a request for one.
pub(super) async fn remember_used_assertions<S: Store, J: Journal>(
    engine: &Arc<Engine<S, J>>,
    data: &Path,
) -> Outcome {
    let (engine, reader) = (Arc::clone(engine), Reader::new(Arc::new(RealDisk::new(data))));
    let read = tokio::task::spawn_blocking(move || {
        let now = engine.now().map_err(|error| Failure::unavailable(whole(&error)))?;
        let ago = |seconds: i64| UnixMillis(now.0.saturating_sub(seconds.saturating_mul(1_000)));
        let answered = reader
            .used_assertions(ago(REPLAY_WINDOW), |used| engine.remember_used_assertion(&used, now))
            .map_err(|error| journal_failed(&error))?;
        // Calls with a token are in no record, but the token that they came with is.
        let oldest = ago(engine.settings().longest_lifetime);
        let answered =
            answered || reader.used_assertions(oldest, |_| {}).map_err(|error| journal_failed(&error))?;
        if !answered {
            engine.nothing_was_used_before();
        }
        Ok(())
    });
    read.await.map_err(|error| Failure::unavailable(format_args!("the journal was not read: {error}")))?
}

/// Whether somebody writes the journal: then they bring changes over, and no key is needed here.
pub(super) fn is_held(data: &Path) -> bool {
    matches!(RealDisk::new(data).lock(), Ok(None))
}

/// A name for a journal that is about to begin.
pub(super) fn new_chain() -> ChainId {
    ChainId(procura_jose::SystemRandom.bytes())
}

/// Brings changes over into the journal and signs its head, unless somebody else holds its lock: then
/// they do. Says how many were brought over.
pub(super) async fn drain_if_free(
    config: &Config,
    data: &Path,
    keeper: &Keeper<'_, SqliteDirectory>,
    (context, clock): (&ChangeContext, &dyn Clock),
) -> Result<Option<u64>, Failure> {
    check_not_lost(keeper.administration, data).await?;
    let disk = Arc::new(RealDisk::new(data));
    let layout = settings(config).layout;
    let opened = with_signer(keeper, context, |signer| {
        Core::open(Arc::clone(&disk), layout, signer, new_chain(), clock.now())
    })
    .await?;
    let (mut core, found) = match opened {
        Ok(opened) => opened,
        Err(JournalError::Locked) => return Ok(None),
        Err(error) => return Err(journal_failed(&error)),
    };
    tell(&found);
    let store = keeper.administration;
    outbox::check(store, procura_store::change::ChangeSeq(core.end().last_change))
        .await
        .map_err(outbox_failed)?;
    let drained = outbox::drain(store, &mut core, || clock.now()).await.map_err(outbox_failed)?;
    core.sign_head().map_err(|error| journal_failed(&error))?;
    Ok(Some(drained))
}

/// A folder that was served has a journal. To begin a new one in its place would hide that what was
/// issued is on no record any more.
pub(super) async fn check_not_lost(store: &SqliteDirectory, data: &Path) -> Outcome {
    let folder = data.join("journal");
    let is_segment = |path: &Path| path.extension().is_some_and(|extension| extension == "log");
    let begun = std::fs::read_dir(&folder)
        .is_ok_and(|entries| entries.filter_map(Result::ok).any(|entry| is_segment(&entry.path())));
    let served = store.fact(Fact::Issuer).await.map_err(|error| store_failed(&error))?.is_some();
    if begun || !served {
        return Ok(());
    }
    Err(Failure::integrity(format_args!(
        "{} holds no segment, but this folder was served: its journal is lost; restore it from a backup, with \
         the directory of the same day",
        folder.display()
    )))
}

/// Says what a power cut had left.
pub(super) fn tell(found: &Found) {
    if let Some(cut) = &found.cut {
        tracing::warn!(
            file = cut.file,
            bytes = cut.bytes,
            "a batch that a power cut left half-written was cut from the journal; nobody was told of its records"
        );
    }
    if found.heads_cut > 0 {
        tracing::warn!(bytes = found.heads_cut, "a half-written head was cut from the journal");
    }
}

/// Draining failed.
pub(super) fn outbox_failed(error: outbox::OutboxError) -> Failure {
    match &error {
        outbox::OutboxError::Store(error) => super::store_failed(error),
        outbox::OutboxError::Ahead { .. } => Failure::integrity(error),
        outbox::OutboxError::Journal(_) => Failure::unavailable(error),
    }
}

#[cfg(test)]
mod tests;
