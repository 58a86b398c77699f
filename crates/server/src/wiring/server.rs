//! The server: bound, started, stopped.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use procura_engine::application_auth::possession::PossessionSettings;
use procura_engine::limits::PerMinute;
use procura_engine::{Engine, Settings};
use procura_http::callers::TrustedProxies;
use procura_http::connection::Drain;
use procura_http::front::{Observer, Surroundings};
use procura_http::limits::Limits;
use procura_http::listener::{self, Listener, Listeners};
use procura_http::metrics::ProofWatch;
use procura_http::{Front, Offer};
use procura_jose::{Random as _, RsaPool, SystemRandom};
use procura_protocol::ids::ResourceId;
use procura_protocol::paths;
use procura_storage::directory::{Follower, Following, LiveDirectory, Source, Step, connect_reader};
use procura_storage::journal::{DiskJournal, JournalError, RealDisk};
use procura_storage::keys::LiveKeys;
use procura_storage::outbox;
use procura_storage::{ServingDirectory, SqliteDirectory};
use procura_store::Clock as _;
use procura_store::administration::{Administration as _, ChangeContext, Fact};
use procura_store::change::ChangeSeq;
use procura_store::journal::{Journal as _, Record, Started};
use procura_store::records::{RandomId, Version};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::application_keys::HttpsKeys;
use super::client_authorities::AuthorityFiles;
use super::failure::{journal_failed, key_failed, store_failed, whole};
use super::installation::{Installation, Purpose, set_built_in};
use super::listeners::{Bindings, Door};
use super::{certificate_files, journal, process, upkeep};
use crate::exit::{Failure, Outcome};
use crate::telemetry;
use crate::telemetry::metrics::Exposition;
use crate::telemetry::spans::Spans;

/// The engine of this server.
pub(crate) type ThisEngine = Engine<ServingDirectory, DiskJournal>;

/// A command may hold the journal for as long as it brings its changes over.
const PATIENCE: Duration = Duration::from_secs(10);
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// An installation whose listeners are bound, and whose issuer is known therefore. Nothing is served yet.
pub(crate) struct Bound {
    installation: Installation,
    journal: DiskJournal,
    bindings: Bindings,
    metrics: Option<(Listener, SocketAddr)>,
    authorities: Option<AuthorityFiles>,
    base_url: String,
    issuer: String,
    resource: ResourceId,
}

impl Installation {
    /// Binds the configured addresses, opens the journal, and settles issuer and built-in resource. Nothing
    /// is written to the directory before the journal was found to go with it.
    pub(crate) async fn bind(self) -> Result<Bound, Failure> {
        let authorities = self.config.certificates.as_ref().map(AuthorityFiles::open).transpose()?;
        let bindings = Bindings::open(&self.config).await?;
        let metrics = match self.config.metrics {
            Some(wanted) => Some(listen(wanted).await?),
            None => None,
        };
        // Behind a proxy alone there is an issuer, and callers know no other URL.
        let configured = self.config.issuer.clone();
        let base_url = bindings.base_url().or_else(|| configured.clone()).unwrap_or_default();
        let issuer = configured.unwrap_or_else(|| base_url.clone());
        let journal = open_journal(&self).await?;
        let store = &self.store;
        let store_failed = |error| store_failed(&error);
        let resource = set_built_in(store, self.context(), &issuer).await?;
        store.set_fact(Fact::Issuer, issuer.clone(), false).await.map_err(store_failed)?;
        self.keeper().tend(&self.context()).await.map_err(|error| key_failed(&error))?;
        Ok(Bound { installation: self, journal, bindings, metrics, authorities, base_url, issuer, resource })
    }
}

impl Bound {
    /// The verbs.
    pub(crate) fn store(&self) -> &SqliteDirectory {
        &self.installation.store
    }

    /// The server itself, now.
    pub(crate) fn context(&self) -> ChangeContext {
        self.installation.context()
    }

    /// The built-in resource.
    pub(crate) fn resource_id(&self) -> String {
        self.resource.to_string()
    }

    /// Brings over what was changed so far, loads the directory and begins to serve.
    pub(crate) async fn start(self) -> Result<Running, Failure> {
        let Bound { mut installation, journal, bindings, metrics, authorities, base_url, issuer, resource } =
            self;
        let Bindings { listeners, doors, mutual_tls, watched, socket } = bindings;
        let stop = match installation.stop.take() {
            Some(stop) => stop,
            None => process::stop_signal()?,
        };
        drain(&installation, &journal).await?;
        // Set once a process; a second server in it would only wait a little longer under load.
        let _ = super::ON_IDLE.set(Box::new(journal.nudger()));
        let keys = live_keys(&installation)?;
        let changed = Arc::new(Notify::new());
        let (directory, following) = follow(&installation, &keys, &changed)?;
        let engine = Arc::new(
            engine(&installation, directory.clone(), (journal, keys), (&issuer, mutual_tls.as_deref()))
                .await?,
        );
        journal::remember_used_assertions(&engine, &installation.data).await?;
        record_start(&engine, &installation, directory.version()).await?;
        let (limits, drain) = (limits(&installation), Drain::new());
        let proofs = ProofWatch::default();
        let policies = installation.config.forward_auth.clone();
        let offer = Offer { policies, mutual_tls, proofs: proofs.clone() };
        let routes = procura_http::router(Arc::clone(&engine), limits, drain.clone(), offer)
            .map_err(|error| Failure::unavailable(format_args!("the documents can't be written: {error}")))?;
        let installation = Arc::new(installation);
        let (surroundings, spans) = surroundings(&installation)?;
        let mut tasks = JoinSet::new();
        upkeep::begin(&mut tasks, &installation, &engine, changed);
        let authorities = authorities.map(|files| files.begin(&engine, installation.clock.clone()));
        // The demo's certificates are made anew with each start; who closes its terminal wants it to end. A
        // server hears SIGHUP also where there is nothing to read again: it must never be ended by it.
        if installation.purpose == Purpose::Serve {
            tasks.spawn(certificate_files::follow(watched)?);
            if let Some(authorities) = authorities {
                tasks.spawn(certificate_files::follow(vec![authorities])?);
            }
        }
        let metrics_address = metrics.map(|(listener, address)| {
            let (engine, wire) = (Arc::clone(&engine), Arc::clone(&surroundings.metrics));
            let write = telemetry::metrics::writer(Exposition { engine, wire, proofs, drain: drain.clone() });
            serve_metrics(&mut tasks, listener, write);
            address
        });
        let front = Front::new(routes, Arc::clone(&engine), surroundings);
        let served = tokio::spawn(async move {
            let cut = listener::serve(Listeners::new(listeners), front, limits, drain, stop).await;
            drop(socket);
            cut
        });
        for door in &doors {
            tracing::info!(%door, issuer, "serving");
        }
        let telemetry = Telemetry { metrics_address, spans };
        Ok(Running {
            installation,
            engine,
            following,
            tasks,
            served,
            base_url,
            doors,
            issuer,
            resource,
            telemetry,
        })
    }
}

/// A server at work.
pub(crate) struct Running {
    installation: Arc<Installation>,
    engine: Arc<ThisEngine>,
    following: Following,
    tasks: JoinSet<()>,
    served: tokio::task::JoinHandle<usize>,
    base_url: String,
    doors: Vec<Door>,
    issuer: String,
    resource: ResourceId,
    telemetry: Telemetry,
}

/// How it is watched.
struct Telemetry {
    metrics_address: Option<SocketAddr>,
    spans: Option<Arc<Spans>>,
}

impl Running {
    /// Where callers find it, without anything in front.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Everything that it listens on.
    pub(crate) fn doors(&self) -> &[Door] {
        &self.doors
    }

    /// Where metrics are answered, if they are.
    pub(crate) fn metrics_url(&self) -> Option<String> {
        self.telemetry.metrics_address.map(|address| format!("http://{address}{}", paths::METRICS))
    }

    /// The name in its tokens.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The built-in resource.
    pub(crate) fn resource_id(&self) -> String {
        self.resource.to_string()
    }

    /// Serves until a signal comes, then finishes what was accepted and closes the journal.
    pub(crate) async fn until_stopped(self) -> Outcome {
        let Running { installation, engine, following, mut tasks, served, telemetry, .. } = self;
        let ended = served.await;
        tasks.shutdown().await;
        upkeep::record_failures(&engine, &installation).await;
        let stopped = tokio::task::spawn_blocking(move || {
            drop(following);
            engine.journal().stop();
            if let Some(spans) = telemetry.spans {
                spans.stop();
            }
        });
        let stopped = stopped.await;
        tracing::info!("stopped");
        match (ended, stopped) {
            (Ok(0), Ok(())) => Ok(()),
            (Ok(cut), Ok(())) => {
                tracing::warn!(cut, "connections that did not end in time were cut");
                Ok(())
            }
            (Err(error), _) | (_, Err(error)) => {
                Err(Failure::unavailable(format_args!("the server broke off: {error}")))
            }
        }
    }
}

async fn listen(wanted: SocketAddr) -> Result<(Listener, SocketAddr), Failure> {
    let failed = |error| Failure::unavailable(format_args!("{wanted} can't be listened on: {error}"));
    let listener = listener::bind(wanted).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// What the front is given, and the spans to stop at the end.
fn surroundings(installation: &Installation) -> Result<(Surroundings, Option<Arc<Spans>>), Failure> {
    let clock = installation.clock.clone() as Arc<dyn procura_store::Clock>;
    let tracing = installation.config.tracing.as_ref();
    let spans = tracing.map(|tracing| Spans::begin(tracing, clock).map(Arc::new)).transpose()?;
    let surroundings = Surroundings {
        proxies: TrustedProxies(installation.config.limits.trusted_proxies.clone()),
        metrics: Arc::default(),
        observer: spans.clone().map(|spans| spans as Arc<dyn Observer>),
        hold: Duration::from_secs(installation.config.limits.held_back_seconds),
    };
    Ok((surroundings, spans))
}

/// A listener of its own, whose few callers are the operator's. It goes on while others drain, so that the end
/// can be watched, and ends with `tasks`.
fn serve_metrics(
    tasks: &mut JoinSet<()>,
    listener: Listener,
    write: impl Fn() -> String + Clone + Send + Sync + 'static,
) {
    let limits = Limits { connections: 64, ..Limits::default() };
    let routes = procura_http::metrics::router(write);
    tasks.spawn(async move {
        listener.serve(routes, limits, Drain::new(), std::future::pending()).await;
    });
}

async fn open_journal(installation: &Installation) -> Result<DiskJournal, Failure> {
    journal::check_not_lost(&installation.store, &installation.data).await?;
    let disk = Arc::new(RealDisk::new(&installation.data));
    let settings = journal::settings(&installation.config);
    let keeper = installation.keeper();
    let began = installation.clock.monotonic();
    let (journal, found) = loop {
        let clock: Arc<dyn procura_store::Clock> = installation.clock.clone();
        let opened = journal::with_signer(&keeper, &installation.context(), |signer| {
            DiskJournal::start(Arc::clone(&disk), settings, signer, Arc::clone(&clock), journal::new_chain())
        })
        .await?;
        match opened {
            Ok(opened) => break opened,
            Err(JournalError::Locked) if installation.clock.monotonic() - began < PATIENCE => {
                tokio::time::sleep(TRY_AGAIN).await;
            }
            Err(error) => return Err(journal_failed(&error)),
        }
    };
    journal::tell(&found);
    let store = &installation.store;
    outbox::check(store, ChangeSeq(journal.last_change())).await.map_err(journal::outbox_failed)?;
    Ok(journal)
}

async fn drain(installation: &Installation, journal: &DiskJournal) -> Outcome {
    let clock = Arc::clone(&installation.clock);
    let drained = outbox::drain(&installation.store, &mut &*journal, move || clock.now()).await;
    drained.map(drop).map_err(journal::outbox_failed)
}

fn live_keys(installation: &Installation) -> Result<Arc<LiveKeys>, Failure> {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let keys = LiveKeys::new(Arc::clone(&installation.encryption), RsaPool::new(cores));
    keys.map(Arc::new).map_err(|error| key_failed(&error))
}

fn follow(
    installation: &Installation,
    keys: &Arc<LiveKeys>,
    changed: &Arc<Notify>,
) -> Result<(LiveDirectory, Following), Failure> {
    let (file, changed) = (installation.store.file().to_owned(), Arc::clone(changed));
    let source = Source {
        connect: Arc::new(move || connect_reader(&file)),
        clock: installation.clock.clone(),
        keys: Some(Arc::clone(keys)),
        epoch: RandomId(SystemRandom.bytes()),
        changed: Some(Box::new(move || changed.notify_one())),
    };
    let (directory, mut follower) = Follower::open(source).map_err(|error| store_failed(&error))?;
    if follower.step() == Step::Unreadable {
        return Err(Failure::unavailable("the directory can't be read; the log says why"));
    }
    let following = follower
        .start()
        .map_err(|error| Failure::unavailable(format_args!("a thread can't be started: {error}")))?;
    Ok((directory, following))
}

async fn engine(
    installation: &Installation,
    directory: LiveDirectory,
    (journal, keys): (DiskJournal, Arc<LiveKeys>),
    (issuer, mutual_tls): (&str, Option<&str>),
) -> Result<ThisEngine, Failure> {
    let key = installation.keeper().unknown_input_key(&SystemRandom).await;
    let limits = &installation.config.limits;
    let settings = Settings {
        issuer: issuer.into(),
        lifetime: i64::try_from(installation.config.tokens.lifetime).unwrap_or(i64::MAX),
        longest_lifetime: super::LONGEST_LIFETIME,
        assertion_lifetime: i64::try_from(installation.config.tokens.assertion_lifetime).unwrap_or(i64::MAX),
        token_marks_per_application: limits.token_marks_per_application,
        revocations_per_minute: limits.revocations_per_minute,
        limits: PerMinute {
            requests_per_address: limits.requests_per_address_per_minute,
            failed_proofs_per_address: limits.failed_proofs_per_address_per_minute,
            requests_per_application: limits.requests_per_application_per_minute,
            contacts_per_application_per_hour: limits.contacts_per_application_per_hour,
        },
        max_access_token_bytes: installation.config.tokens.max_access_token_bytes,
        asked_for_key: key.map_err(|error| key_failed(&error))?,
    };
    let ambient = (installation.clock.clone() as Arc<dyn procura_store::Clock>, Arc::new(SystemRandom) as _);
    let store = ServingDirectory::new(directory, installation.store.clone());
    let fetcher = HttpsKeys::new(&installation.config.application_keys)?;
    let possession = PossessionSettings {
        demands_nonces: installation.config.require_proof_nonce,
        aliases: mutual_tls.map(|url| url.trim_end_matches('/').into()).into_iter().collect(),
    };
    let engine = Engine::new(store, journal, keys, ambient, settings);
    Ok(engine.with_key_fetcher(Arc::new(fetcher)).with_possession(possession))
}

async fn record_start(engine: &ThisEngine, installation: &Installation, version: Version) -> Outcome {
    let record = Record::Started(Started { version });
    let recorded = match engine.journal().append(installation.clock.now(), &record) {
        Ok(pending) => pending.await,
        Err(error) => Err(error),
    };
    recorded.map_err(|error| Failure::unavailable(whole(&error)))
}

fn limits(installation: &Installation) -> Limits {
    let limits = &installation.config.limits;
    Limits {
        header_bytes: limits.header_bytes,
        header_count: limits.headers,
        header_time: Duration::from_secs(limits.header_seconds),
        body_bytes: limits.body_bytes,
        body_time: Duration::from_secs(limits.body_seconds),
        connections: process::connections(limits.connections),
        idle: Duration::from_secs(limits.idle_seconds),
        drain: Duration::from_secs(limits.drain_seconds),
        handshakes: limits.handshakes,
        handshake_time: Duration::from_secs(limits.handshake_seconds),
        ..Limits::default()
    }
}
