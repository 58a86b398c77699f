//! What a server does beside answering: bring changes into the journal, look after keys, sum up failed
//! authentications, warn of credentials that end, throw away what is over.

use std::sync::Arc;
use std::time::Duration;

use procura_protocol::time::UnixMillis;
use procura_storage::outbox;
use procura_store::Clock as _;
use procura_store::administration::Administration as _;
use procura_store::change::ChangeSeq;
use procura_store::journal::{Journal as _, Record};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::ending::{self, Ending};
use super::installation::Installation;
use super::server::ThisEngine;

/// After a failure the outbox is tried again at the latest then, whether or not something changed.
const DRAIN_AGAIN: Duration = Duration::from_secs(5);
/// Rotation is due on a day; a minute is often enough, and soon enough for a new algorithm.
const TEND_EVERY: Duration = Duration::from_secs(60);
/// One record a minute, whatever strangers try.
const FAILURES_EVERY: Duration = Duration::from_secs(60);
/// A credential is warned of once a day; what was added today and ends tomorrow must not wait that long.
const ENDS_EVERY: Duration = Duration::from_secs(60 * 60);
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Rows of the `change` table are kept this long for readers that were away.
const CHANGES_KEPT_MS: i64 = 24 * 60 * 60 * 1000;

/// Begins it all. Ends when the set is shut down.
pub(super) fn begin(
    tasks: &mut JoinSet<()>,
    installation: &Arc<Installation>,
    engine: &Arc<ThisEngine>,
    changed: Arc<Notify>,
) {
    tasks.spawn(drain(Arc::clone(installation), Arc::clone(engine), changed));
    tasks.spawn(tend(Arc::clone(installation), Arc::clone(engine)));
    tasks.spawn(sweep(Arc::clone(installation), Arc::clone(engine)));
    tasks.spawn(warn_of_ends(Arc::clone(installation), Arc::clone(engine)));
    let (installation, engine) = (Arc::clone(installation), Arc::clone(engine));
    tasks.spawn(async move {
        let mut turn = every(FAILURES_EVERY);
        loop {
            turn.tick().await;
            record_failures(&engine, &installation).await;
        }
    });
}

async fn drain(installation: Arc<Installation>, engine: Arc<ThisEngine>, changed: Arc<Notify>) {
    let mut told = false;
    loop {
        // Whichever comes first; both are reason enough to look.
        let _ = timeout(DRAIN_AGAIN, changed.notified()).await;
        let clock = Arc::clone(&installation.clock);
        let drained = outbox::drain(&installation.store, &mut engine.journal(), move || clock.now()).await;
        match drained {
            Ok(_) => told = false,
            Err(error) if !told => {
                told = true;
                tracing::error!(%error, "changes can't be recorded in the journal; trying again until they are");
            }
            Err(_) => {}
        }
    }
}

async fn tend(installation: Arc<Installation>, engine: Arc<ThisEngine>) {
    let mut turn = every(TEND_EVERY);
    loop {
        turn.tick().await;
        if engine.clock_is_off() {
            continue;
        }
        match installation.keeper().tend(&installation.context()).await {
            Ok(done) => done.iter().for_each(|step| tracing::info!(?step, "keys")),
            Err(error) => {
                tracing::error!(error = super::failure::whole(&error), "keys can't be looked after");
            }
        }
    }
}

async fn sweep(installation: Arc<Installation>, engine: Arc<ThisEngine>) {
    let mut turn = every(SWEEP_EVERY);
    loop {
        turn.tick().await;
        // A clock that was moved ahead must not end marks and keys before their time: nothing brings
        // them back.
        if engine.clock_is_off() {
            continue;
        }
        let now = installation.clock.now();
        engine.revocations().sweep(now.seconds());
        let recorded = ChangeSeq(engine.journal().last_change());
        let before = UnixMillis(now.0.saturating_sub(CHANGES_KEPT_MS));
        let swept = match installation.store.sweep_marks(now).await {
            Ok(_) => outbox::trim(&installation.store, recorded, before).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = swept {
            tracing::warn!(
                error = super::failure::whole(&error),
                "what is over can't be thrown away; it will be later"
            );
        }
    }
}

async fn warn_of_ends(installation: Arc<Installation>, engine: Arc<ThisEngine>) {
    let (mut turn, mut ending) = (every(ENDS_EVERY), Ending::default());
    loop {
        turn.tick().await;
        if engine.clock_is_off() {
            continue;
        }
        if let Ok(directory) = engine.directory() {
            let now = installation.clock.now().seconds();
            ending.due(&directory, now).iter().for_each(ending::say);
        }
    }
}

/// Records how often authentication failed since the last time.
pub(super) async fn record_failures(engine: &ThisEngine, installation: &Installation) {
    let Some(failures) = engine.authentication_failures().take() else { return };
    let record = Record::AuthenticationFailures(failures);
    let recorded = match engine.journal().append(installation.clock.now(), &record) {
        Ok(pending) => pending.await,
        Err(error) => Err(error),
    };
    if recorded.is_err() {
        tracing::warn!(?failures, "failed authentications could not be recorded");
    }
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut turn = interval(period);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turn
}
