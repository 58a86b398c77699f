//! A data folder as a server takes it: made, opened, and found to be of the right kind.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use procura_protocol::ids::ResourceId;
use procura_storage::SqliteDirectory;
use procura_storage::keys::{Keeper, KeyEncryption, KeySettings};
use procura_store::Clock as _;
use procura_store::administration::{
    Administration as _, BuiltIn, ChangeContext, Fact, KeyPurpose, KeyState,
};
use procura_store::change::Actor;

use super::failure::{key_failed, open_failed, store_failed};
use super::process::{self, Stop, SystemClock, operator};
use super::{LONGEST_LIFETIME, folder, journal};
use crate::config::Config;
use crate::exit::Failure;

/// What a folder is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To serve; must be there, and not the demo's.
    Serve,
    /// For the demo; made if it is not there, and must be the demo's otherwise.
    Demo,
}

/// What `init` made.
pub(crate) struct Made {
    /// The first signing key.
    pub(crate) kid: String,
    /// The file of the key-encryption key, if one was made.
    pub(crate) key_encryption_key: Option<PathBuf>,
}

/// A data folder on which this process is the one server.
pub(crate) struct Installation {
    pub(super) config: Config,
    pub(super) data: PathBuf,
    pub(super) store: SqliteDirectory,
    pub(super) encryption: Arc<KeyEncryption>,
    pub(super) clock: Arc<SystemClock>,
    /// Taken by the one who serves.
    pub(super) stop: Option<Stop>,
    pub(super) purpose: Purpose,
    #[expect(dead_code, reason = "locked for as long as it is here")]
    lock: File,
}

impl Installation {
    /// Makes a data folder; `None` when it was made before. One that an interrupted `init` left is
    /// finished.
    pub(crate) async fn make(config: &Config, data: &Path) -> Result<Option<Made>, Failure> {
        make(config, data, false).await
    }

    /// Opens the folder and takes the lock that one server holds.
    pub(crate) async fn open(
        config: Config,
        data: PathBuf,
        purpose: Purpose,
    ) -> Result<Installation, Failure> {
        process::keep_memory_private();
        // From the start: who stops a demo that is being made wants its folder removed too.
        let stop = Some(process::stop_signal()?);
        match purpose {
            Purpose::Serve => folder::check_folder(&data)?,
            Purpose::Demo if has_keys(&data).await? => {}
            Purpose::Demo => drop(make(&config, &data, true).await?),
        }
        let lock = folder::lock_for_serving(&data)?;
        let store = SqliteDirectory::open(&data).map_err(|error| open_failed(&error))?;
        let is_demo = store.fact(Fact::Demo).await.map_err(|error| store_failed(&error))?.is_some();
        match (purpose, is_demo) {
            (Purpose::Serve, true) => {
                return Err(Failure::refused(format_args!(
                    "{} was made by the demo, whose secrets were on a screen: make a data folder with `procura \
                     init`",
                    data.display()
                )));
            }
            (Purpose::Demo, false) => {
                return Err(Failure::refused(format_args!(
                    "{} was not made by the demo, which replaces secrets: name another folder",
                    data.display()
                )));
            }
            _ => {}
        }
        let encryption = Arc::new(folder::KeySource::of(&config, &data).read()?);
        let clock = Arc::new(SystemClock::new());
        Ok(Installation { config, data, store, encryption, clock, stop, purpose, lock })
    }

    /// The clock of all that is made.
    pub(crate) fn clock(&self) -> &SystemClock {
        &self.clock
    }

    /// The server itself, now.
    pub(super) fn context(&self) -> ChangeContext {
        context(Actor::Server, &self.clock)
    }

    /// Looks after keys.
    pub(super) fn keeper(&self) -> Keeper<'_, SqliteDirectory> {
        Keeper {
            administration: &self.store,
            encryption: &self.encryption,
            settings: key_settings(&self.config),
        }
    }
}

/// The life of keys, as configured.
pub(super) fn key_settings(config: &Config) -> KeySettings {
    let days = i64::try_from(config.keys.rotation_days).unwrap_or(i64::MAX / 86_400);
    KeySettings { rotate_after: days.saturating_mul(86_400), ..KeySettings::new(LONGEST_LIFETIME) }
}

fn context(actor: Actor, clock: &SystemClock) -> ChangeContext {
    ChangeContext { actor, at: clock.now(), reason: None, token_lifetime_max: LONGEST_LIFETIME }
}

async fn make(config: &Config, data: &Path, demo: bool) -> Result<Option<Made>, Failure> {
    process::keep_memory_private();
    let source = folder::KeySource::of(config, data);
    if !matches!(source, folder::KeySource::Folder(_)) {
        // Before anything is made: a wrong key is the operator's to put right.
        source.read()?;
    }
    folder::make_folder(data)?;
    let store = match folder::is_data_folder(data) {
        true => folder::open_directory(data)?,
        false => SqliteDirectory::create(data).map_err(|error| open_failed(&error))?,
    };
    if demo {
        store.set_fact(Fact::Demo, "yes".to_owned(), true).await.map_err(|error| store_failed(&error))?;
    }
    if signing_kid(&store).await?.is_some() && data.join("journal").is_dir() {
        return Ok(None);
    }
    let (encryption, made) = source.read_or_make()?;
    let (clock, settings) = (SystemClock::new(), key_settings(config));
    let keeper = Keeper { administration: &store, encryption: &encryption, settings };
    let context = context(operator(), &clock);
    keeper.tend(&context).await.map_err(|error| key_failed(&error))?;
    if let Some(issuer) = &config.issuer {
        set_built_in(&store, context.clone(), issuer).await?;
    }
    keeper.unknown_input_key(&procura_jose::SystemRandom).await.map_err(|error| key_failed(&error))?;
    journal::drain_if_free(config, data, &keeper, (&context, &clock)).await?;
    let kid = signing_kid(&store).await?.unwrap_or_default();
    Ok(Some(Made { kid, key_encryption_key: made.map(Path::to_owned) }))
}

/// Settles which resource is this server's own API.
pub(super) async fn set_built_in(
    store: &SqliteDirectory,
    context: ChangeContext,
    issuer: &str,
) -> Result<ResourceId, Failure> {
    let id = format!("{issuer}/api");
    let resource = ResourceId::parse(&id)
        .map_err(|error| Failure::usage(format_args!("issuer: the resource {id} {error}")))?;
    let set = store.set_built_in_resource(context, resource.clone()).await;
    match set.map_err(|error| store_failed(&error))? {
        BuiltIn::Set | BuiltIn::Unchanged => Ok(resource),
        BuiltIn::Taken => Err(Failure::usage(format_args!(
            "{resource} is the id of a resource that was added; this server's own API must have it: remove \
             that resource, or change the issuer"
        ))),
    }
}

/// Whether making the folder got as far as its first signing key. What an interrupted start left before
/// that is made again.
async fn has_keys(data: &Path) -> Result<bool, Failure> {
    if !folder::is_data_folder(data) {
        return Ok(false);
    }
    let store = folder::open_directory(data)?;
    Ok(signing_kid(&store).await?.is_some())
}

async fn signing_kid(store: &SqliteDirectory) -> Result<Option<String>, Failure> {
    let keys = store.keys().await.map_err(|error| store_failed(&error))?;
    let signs = |key: &procura_store::administration::KeyRecord| {
        key.purpose == KeyPurpose::Token && key.state == KeyState::Signing
    };
    Ok(keys.into_iter().find(signs).map(|key| key.kid))
}
