//! The life of keys on a real store, and what they are sealed under.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use procura_jose::ring::Keys as _;
use procura_jose::{Algorithm, KeyEncryptionKey, RsaPool, SystemRandom};
use procura_protocol::secret::Secret;
use procura_storage::SqliteDirectory;
use procura_storage::directory::{Follower, Source, Step};
use procura_storage::keys::encryption::{EncryptionError, FILE};
use procura_storage::keys::keeper::{Revoke, Rotate};
use procura_storage::keys::{Keeper, KeyEncryption, KeyError, KeySettings, LiveKeys};
use procura_store::administration::{Administration, KeyPurpose, KeyRecord, KeyState};
use procura_store::change::Entity;
use support::{Installation, raw};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

struct Sealed {
    installation: Installation,
    encryption: Arc<KeyEncryption>,
}

impl Sealed {
    fn new() -> Sealed {
        let installation = Installation::new();
        let encryption = KeyEncryption::create(&installation.data().join(FILE)).unwrap();
        Sealed { installation, encryption: Arc::new(encryption) }
    }

    async fn tended() -> Sealed {
        let sealed = Sealed::new();
        sealed.tend().await;
        sealed
    }

    fn keeper(&self) -> Keeper<'_, SqliteDirectory> {
        keeper(&self.installation.directory, &self.encryption)
    }

    async fn tend(&self) -> usize {
        self.keeper().tend(&self.installation.context()).await.unwrap().len()
    }

    async fn keys(&self) -> Vec<KeyRecord> {
        self.installation.directory.keys().await.unwrap()
    }

    async fn states(&self) -> Vec<KeyState> {
        self.keys().await.iter().map(|key| key.state).collect()
    }

    async fn kid(&self, state: KeyState) -> String {
        self.keys().await.into_iter().find(|key| key.state == state).unwrap().kid
    }

    /// A ring as a server that starts now would have it.
    async fn ring(&self) -> LiveKeys {
        let ring = LiveKeys::new(Arc::clone(&self.encryption), RsaPool::new(NonZeroUsize::MIN)).unwrap();
        ring.publish(&self.keys().await);
        ring
    }

    fn file(&self) -> PathBuf {
        self.installation.data().join(FILE)
    }

    fn new_file(&self) -> PathBuf {
        self.installation.data().join(format!("{FILE}.new"))
    }
}

fn keeper<'a>(directory: &'a SqliteDirectory, encryption: &'a KeyEncryption) -> Keeper<'a, SqliteDirectory> {
    Keeper { administration: directory, encryption, settings: KeySettings::new(3_600) }
}

fn published(ring: &LiveKeys) -> Vec<String> {
    ring.current().published().keys().iter().map(|jwk| jwk.kid().to_string()).collect()
}

#[tokio::test]
async fn the_first_key_signs_at_once_beside_an_announced_successor() {
    let sealed = Sealed::new();
    assert_eq!(sealed.tend().await, 2);
    assert_eq!(sealed.states().await, [KeyState::Signing, KeyState::Announced]);
    let ring = sealed.ring().await;
    assert!(ring.current().signing(Algorithm::Es256).is_some());
    assert!(ring.current().signing(Algorithm::EdDsa).is_none());
    assert_eq!(published(&ring).len(), 2);
    assert_eq!(sealed.tend().await, 0, "a second turn finds nothing to do");
}

#[tokio::test]
async fn a_registration_that_asks_for_another_algorithm_gets_its_keys() {
    let sealed = Sealed::tended().await;
    let registration = [("application_id", "app_one"), ("id_token_alg", "EdDSA")];
    sealed.installation.put(Entity::Application, &registration).await;
    assert_eq!(sealed.tend().await, 2);
    assert!(sealed.ring().await.current().signing(Algorithm::EdDsa).is_some());
}

#[tokio::test]
async fn after_ninety_days_the_announced_key_takes_over_and_the_old_one_leaves_in_its_time() {
    let sealed = Sealed::tended().await;
    let (old, next) = (sealed.kid(KeyState::Signing).await, sealed.kid(KeyState::Announced).await);
    sealed.installation.clock.pass(90 * DAY - Duration::from_secs(1));
    assert_eq!(sealed.tend().await, 0);
    sealed.installation.clock.pass(Duration::from_secs(1));
    assert_eq!(sealed.tend().await, 1);
    assert_eq!(sealed.states().await, [KeyState::Retired, KeyState::Signing, KeyState::Announced]);
    assert_eq!(sealed.kid(KeyState::Signing).await, next);
    assert!(published(&sealed.ring().await).contains(&old));

    sealed.installation.clock.pass(Duration::from_secs(3_659));
    assert_eq!(sealed.tend().await, 0);
    sealed.installation.clock.pass(Duration::from_secs(1));
    assert_eq!(sealed.tend().await, 1);
    let keys = sealed.keys().await;
    assert_eq!((keys[0].state, &keys[0].sealed), (KeyState::Gone, &None));
    assert!(!published(&sealed.ring().await).contains(&old));
}

#[tokio::test]
async fn rotating_early_is_refused_until_the_next_key_has_been_announced_for_a_day() {
    let sealed = Sealed::tended().await;
    let rotate =
        async || sealed.keeper().rotate(&sealed.installation.context(), Algorithm::Es256).await.unwrap();
    let Rotate::TooEarly(too_early) = rotate().await else { panic!("it was announced a moment ago") };
    assert_eq!(too_early.kid, sealed.kid(KeyState::Announced).await);
    assert_eq!(sealed.states().await, [KeyState::Signing, KeyState::Announced]);
    sealed.installation.clock.pass(DAY);
    assert_eq!(rotate().await, Rotate::Rotated);
    assert_eq!(sealed.states().await, [KeyState::Retired, KeyState::Signing, KeyState::Announced]);
    assert!(matches!(rotate().await, Rotate::TooEarly(_)));
    let none = sealed.keeper().rotate(&sealed.installation.context(), Algorithm::Rs256).await.unwrap();
    assert_eq!(none, Rotate::NoKey);
}

#[tokio::test]
async fn a_compromised_key_is_out_at_once_with_its_mark_and_the_announced_key_signs() {
    let sealed = Sealed::tended().await;
    let (bad, next) = (sealed.kid(KeyState::Signing).await, sealed.kid(KeyState::Announced).await);
    let context = sealed.installation.context();
    assert_eq!(sealed.keeper().revoke(&context, &bad).await.unwrap(), Revoke::Revoked);
    assert_eq!(sealed.states().await, [KeyState::Revoked, KeyState::Signing, KeyState::Announced]);
    assert_eq!(sealed.kid(KeyState::Signing).await, next);
    assert_eq!(sealed.keys().await[0].sealed, None);
    assert!(!published(&sealed.ring().await).contains(&bad));
    let marks: i64 = raw(sealed.installation.directory.file())
        .query_row("SELECT count(*) FROM mark WHERE kind = 7 AND number = 1", [], |row| row.get(0))
        .unwrap();
    assert_eq!(marks, 1);
    assert_eq!(sealed.keeper().revoke(&context, &bad).await.unwrap(), Revoke::AlreadyGone);
    assert_eq!(sealed.keeper().revoke(&context, "unknown").await.unwrap(), Revoke::NotFound);
}

#[tokio::test]
async fn an_announced_key_that_is_compromised_is_replaced_and_the_signing_one_goes_on() {
    let sealed = Sealed::tended().await;
    let (signing, bad) = (sealed.kid(KeyState::Signing).await, sealed.kid(KeyState::Announced).await);
    let revoked = sealed.keeper().revoke(&sealed.installation.context(), &bad).await.unwrap();
    assert_eq!(revoked, Revoke::Revoked);
    assert_eq!(sealed.states().await, [KeyState::Signing, KeyState::Revoked, KeyState::Announced]);
    assert_eq!(sealed.kid(KeyState::Signing).await, signing);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_that_begin_at_once_make_one_signing_and_one_announced_key() {
    let sealed = Arc::new(Sealed::new());
    let mut turns = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let sealed = Arc::clone(&sealed);
        turns.spawn(async move {
            let encryption = KeyEncryption::from_file(&sealed.file()).unwrap();
            let keeper = keeper(&sealed.installation.directory, &encryption);
            keeper.tend(&sealed.installation.context()).await.unwrap();
        });
    }
    turns.join_all().await;
    assert_eq!(sealed.states().await, [KeyState::Signing, KeyState::Announced]);
}

#[tokio::test]
async fn a_running_server_signs_with_the_new_key_as_soon_as_it_sees_the_change() {
    let sealed = Sealed::tended().await;
    let ring = Arc::new(sealed.ring().await);
    let source = Source { keys: Some(Arc::clone(&ring)), ..sealed.installation.source() };
    let (_, mut follower) = Follower::open(source).unwrap();
    follower.step();
    let bad = sealed.kid(KeyState::Signing).await;
    sealed.keeper().revoke(&sealed.installation.context(), &bad).await.unwrap();
    assert_eq!(ring.current().signing(Algorithm::Es256).unwrap().number(), 1);
    assert_eq!(follower.step(), Step::Applied);
    assert_eq!(ring.current().signing(Algorithm::Es256).unwrap().number(), 2);
    assert!(!published(&ring).contains(&bad));
}

#[tokio::test]
async fn under_another_key_encryption_key_nothing_opens_and_nothing_is_sealed() {
    let sealed = Sealed::tended().await;
    let other = KeyEncryption::given(&KeyEncryptionKey::generate().unwrap().to_base64()).unwrap();
    let other = Arc::new(other);
    let ring = LiveKeys::new(Arc::clone(&other), RsaPool::new(NonZeroUsize::MIN)).unwrap();
    ring.publish(&sealed.keys().await);
    assert!(ring.current().signing(Algorithm::Es256).is_none());
    assert_eq!(published(&ring).len(), 2, "others can still verify");

    sealed.installation.clock.pass(90 * DAY);
    let tended = keeper(&sealed.installation.directory, &other).tend(&sealed.installation.context()).await;
    assert!(matches!(tended, Err(KeyError::Encryption(EncryptionError::Other { .. }))), "{tended:?}");
    assert_eq!(sealed.states().await, [KeyState::Signing, KeyState::Announced]);
}

#[test]
fn a_key_file_that_others_may_read_or_that_holds_no_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    drop(KeyEncryption::create(&file).unwrap());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(matches!(KeyEncryption::create(&file), Err(EncryptionError::Io { .. })), "never overwritten");
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let refused = KeyEncryption::from_file(&file).map(drop).unwrap_err();
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(KeyEncryption::from_file(&file).is_ok());
    let text = fs::read_to_string(&file).unwrap();
    assert!(KeyEncryption::given(&Secret::from(text.clone())).is_ok());
    fs::remove_file(&file).unwrap();
    write_key(&file, &text[1..]);
    assert!(matches!(KeyEncryption::from_file(&file), Err(EncryptionError::NotAKey { .. })));
}

fn write_key(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn rewrapping_seals_everything_anew_and_a_running_server_goes_on() {
    let sealed = Sealed::tended().await;
    let unknown_input = sealed.keeper().unknown_input_key(&SystemRandom).await.unwrap();
    let (file, before) = (fs::read_to_string(sealed.file()).unwrap(), sealed.keys().await);
    let server = Arc::clone(&sealed.encryption);

    let command = KeyEncryption::from_file(&sealed.file()).unwrap();
    let command = keeper(&sealed.installation.directory, &command);
    assert_eq!(command.rewrap(&sealed.installation.context()).await.unwrap(), 2);
    assert_ne!(fs::read_to_string(sealed.file()).unwrap(), file);
    assert!(!sealed.new_file().exists());
    assert!(before.iter().zip(&sealed.keys().await).all(|(old, new)| old.sealed != new.sealed));
    let folder = fs::read_dir(sealed.installation.data()).unwrap().map(|entry| entry.unwrap().path());
    for file in folder.filter(|path| path.is_file()) {
        let bytes = fs::read(&file).unwrap();
        for old in before.iter().filter_map(|key| key.sealed.as_ref()) {
            let found = bytes.windows(old.len()).any(|part| part == old.as_slice());
            assert!(!found, "{} holds what the old key opens", file.display());
        }
    }

    let ring = LiveKeys::new(Arc::clone(&server), RsaPool::new(NonZeroUsize::MIN)).unwrap();
    ring.publish(&sealed.keys().await);
    assert!(ring.current().signing(Algorithm::Es256).is_some());
    let server = keeper(&sealed.installation.directory, &server);
    assert_eq!(*server.unknown_input_key(&SystemRandom).await.unwrap(), *unknown_input);
    sealed.installation.clock.pass(90 * DAY);
    server.tend(&sealed.installation.context()).await.unwrap();
    assert!(sealed.ring().await.current().signing(Algorithm::Es256).is_some());
}

#[tokio::test]
async fn a_power_cut_before_the_transaction_leaves_the_old_key_encryption_key() {
    let sealed = Sealed::tended().await;
    write_key(&sealed.new_file(), KeyEncryptionKey::generate().unwrap().to_base64().expose_str().unwrap());
    let restarted = Sealed {
        encryption: Arc::new(KeyEncryption::from_file(&sealed.file()).unwrap()),
        installation: sealed.installation,
    };
    assert!(restarted.ring().await.current().signing(Algorithm::Es256).is_some());
    restarted.installation.clock.pass(90 * DAY);
    assert_eq!(restarted.tend().await, 1);
    assert!(!restarted.new_file().exists());
    assert!(restarted.ring().await.current().signing(Algorithm::Es256).is_some());
}

#[tokio::test]
async fn a_power_cut_after_the_transaction_is_finished_by_whoever_seals_next() {
    let sealed = Sealed::tended().await;
    let old = fs::read_to_string(sealed.file()).unwrap();
    sealed.keeper().rewrap(&sealed.installation.context()).await.unwrap();
    let new = fs::read_to_string(sealed.file()).unwrap();
    write_key(&sealed.new_file(), &new);
    write_key(&sealed.file(), &old);

    let restarted = Sealed {
        encryption: Arc::new(KeyEncryption::from_file(&sealed.file()).unwrap()),
        installation: sealed.installation,
    };
    assert!(restarted.ring().await.current().signing(Algorithm::Es256).is_some());
    restarted.installation.clock.pass(90 * DAY);
    assert_eq!(restarted.tend().await, 1);
    assert_eq!(fs::read_to_string(restarted.file()).unwrap(), new);
    assert!(!restarted.new_file().exists());
}

#[tokio::test]
async fn the_journals_key_is_never_published_and_gives_way_to_a_successor_named_in_the_journal() {
    let sealed = Sealed::tended().await;
    let (keeper, context) = (sealed.keeper(), sealed.installation.context());
    let first = keeper.journal_keys(&context).await.unwrap().into_signer();
    assert_eq!(keeper.journal_keys(&context).await.unwrap().into_signer().kid(), first.kid());
    assert_eq!(published(&sealed.ring().await).len(), 2);
    assert_eq!(keeper.revoke(&context, first.kid().as_str()).await.unwrap(), Revoke::JournalKey);

    let (no, next) = keeper.announce_journal_key(&context).await.unwrap();
    let (same, _) = keeper.announce_journal_key(&context).await.unwrap();
    assert_eq!(no, same, "a succession that broke off is taken up again");
    keeper.succeed_journal_key(&context, no).await.unwrap();
    assert_eq!(keeper.journal_keys(&context).await.unwrap().into_signer().kid(), next.kid());
    let keys = sealed.keys().await;
    let former = keys.iter().find(|key| key.kid == first.kid().as_str()).unwrap();
    assert_eq!((former.purpose, former.state), (KeyPurpose::Journal, KeyState::Gone));
    assert!(!former.public_jwk.is_empty() && former.sealed.is_none());
    assert_eq!(published(&sealed.ring().await).len(), 2);
}
