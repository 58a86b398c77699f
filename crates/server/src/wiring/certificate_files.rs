//! The server's certificate and key: read from files, and read again when these have changed.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use procura_http::tls::{Identity, Pair};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use zeroize::Zeroizing;

use crate::config::listeners::PairFiles;
use crate::exit::Failure;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// No certificate with its chain, and no key, is longer.
const LONGEST: u64 = 1 << 20;

/// A pair that listeners use, and the files that it came from.
pub(super) struct Watched {
    files: PairFiles,
    identity: Arc<Identity>,
    /// The files as they were when the pair in use was read.
    taken: Stamp,
    /// The files as they were when they were last found changed.
    seen: Option<Stamp>,
    /// The files as they were when they were last refused: told once.
    refused: Option<Stamp>,
}

/// What tells one content of the two files from another without reading them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp([FileStamp; 2]);

#[derive(Debug, Clone, PartialEq, Eq)]
enum FileStamp {
    There { inode: (u64, u64), bytes: u64, written: (i64, i64), changed: (i64, i64) },
    Absent,
}

/// Why the files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// It is time. What has changed is read at the second look that finds it so: whoever writes two files
    /// one after the other, or one in pieces, is done by then.
    Turn,
    /// The operator says that they are complete.
    Asked,
}

/// What a look found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing new, or nothing that can be judged yet.
    Nothing,
    /// Another pair, which is used from now on.
    Replaced,
    /// What is there can't be used, and why; the pair before is used on.
    Refused(String),
}

impl Watched {
    /// Reads the pair for the first time.
    pub(super) fn open(files: PairFiles) -> Result<Watched, Failure> {
        let taken = Stamp::of(&files);
        let identity = Identity::new(read(&files).map_err(Failure::usage)?);
        Ok(Watched { files, identity, taken, seen: None, refused: None })
    }

    /// What listeners take; replaced in place.
    pub(super) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity)
    }

    /// Whether it is of these files.
    pub(super) fn is_of(&self, files: &PairFiles) -> bool {
        (&self.files.certificate, &self.files.key) == (&files.certificate, &files.key)
    }

    /// Looks whether the files have changed, and takes another pair if a whole one is there.
    pub(super) fn look(&mut self, why: Look) -> Found {
        let now = Stamp::of(&self.files);
        if now == self.taken {
            (self.seen, self.refused) = (None, None);
            return Found::Nothing;
        }
        let settled = self.seen.as_ref() == Some(&now);
        self.seen = Some(now.clone());
        let is_new = settled && self.refused.as_ref() != Some(&now);
        if why == Look::Turn && !is_new {
            return Found::Nothing;
        }
        let pair = read(&self.files);
        if Stamp::of(&self.files) != now {
            // Written while it was read: whatever came of it is not to be trusted.
            return Found::Nothing;
        }
        match pair {
            Ok(pair) => {
                self.identity.replace(pair);
                (self.taken, self.seen, self.refused) = (now, None, None);
                Found::Replaced
            }
            Err(why) => {
                self.refused = Some(now);
                Found::Refused(why)
            }
        }
    }

    fn tell(&self, found: &Found) {
        let certificate = self.files.certificate.display();
        match found {
            Found::Nothing => {}
            Found::Replaced => tracing::info!(%certificate, "a new TLS certificate is in use"),
            Found::Refused(why) => {
                tracing::error!(%certificate, why, "the new TLS certificate can't be used: the one before is used on");
            }
        }
    }
}

/// Looks at the files from time to time, and at once at SIGHUP, which ends nothing from now on. Never ends.
pub(super) fn follow(all: Vec<Watched>) -> Result<impl Future<Output = ()> + Send, Failure> {
    let asked = signal(SignalKind::hangup())
        .map_err(|error| Failure::unavailable(format_args!("SIGHUP can't be heard: {error}")))?;
    Ok(look_again(all, asked))
}

async fn look_again(mut all: Vec<Watched>, mut asked: Signal) {
    let mut turn = interval(LOOK_EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let why = tokio::select! {
            _ = turn.tick() => Look::Turn,
            Some(()) = asked.recv() => Look::Asked,
        };
        let looked = tokio::task::spawn_blocking(move || {
            for watched in &mut all {
                let found = watched.look(why);
                watched.tell(&found);
            }
            all
        });
        match looked.await {
            Ok(back) => all = back,
            // Only at the end of the process: the runtime takes no more work.
            Err(_) => return,
        }
    }
}

impl Stamp {
    fn of(files: &PairFiles) -> Stamp {
        Stamp([FileStamp::of(&files.certificate), FileStamp::of(&files.key)])
    }
}

impl FileStamp {
    fn of(path: &Path) -> FileStamp {
        match fs::metadata(path) {
            Ok(found) => FileStamp::There {
                inode: (found.dev(), found.ino()),
                bytes: found.len(),
                written: (found.mtime(), found.mtime_nsec()),
                changed: (found.ctime(), found.ctime_nsec()),
            },
            Err(_) => FileStamp::Absent,
        }
    }
}

/// The pair, or what has to change for there to be one.
fn read(files: &PairFiles) -> Result<Pair, String> {
    let PairFiles { table, certificate, key } = files;
    let of_certificate =
        |why: &dyn std::fmt::Display| format!("{table}.certificate_file: {} {why}", certificate.display());
    let of_key = |why: &dyn std::fmt::Display| format!("{table}.key_file: {} {why}", key.display());
    let cannot = |error: io::Error| format!("can't be read: {error}");
    let certificates = read_file(certificate, false).map_err(cannot).map_err(|why| of_certificate(&why))?;
    let private = read_file(key, true).map_err(cannot).map_err(|why| of_key(&why))?;
    Pair::from_pem(&certificates, &private).map_err(|why| match why.is_of_key() {
        true => of_key(&why),
        false => of_certificate(&why),
    })
}

/// A whole file; one with a private key must be its owner's alone.
pub(super) fn read_file(path: &Path, private: bool) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let found = file.metadata()?;
    let mode = found.mode() & 0o7777;
    if private && mode & 0o077 != 0 {
        return Err(io::Error::other(format!(
            "others may read it (its mode is {mode:04o}); run chmod 600 {}",
            path.display()
        )));
    }
    // Room for all of it at once, so that no part of a key is left behind by a growing buffer.
    let mut bytes =
        Zeroizing::new(Vec::with_capacity(usize::try_from(found.len().min(LONGEST)).unwrap_or(0) + 1));
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(io::Error::other("it is longer than 1 MiB"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use rcgen::{CertificateParams, KeyPair};
    use tempfile::TempDir;

    use super::*;

    struct Folder {
        folder: TempDir,
        files: PairFiles,
    }

    impl Folder {
        fn new() -> Folder {
            let folder = tempfile::tempdir().unwrap();
            let files = PairFiles {
                table: "tls",
                certificate: folder.path().join("c.pem"),
                key: folder.path().join("k.pem"),
            };
            let made = Folder { folder, files };
            made.write(&made_pair());
            made
        }

        fn write(&self, (certificate, key): &(String, String)) {
            self.write_certificate(certificate);
            self.write_key(key);
        }

        fn write_certificate(&self, text: &str) {
            self.put(&self.files.certificate, text, 0o644);
        }

        fn write_key(&self, text: &str) {
            self.put(&self.files.key, text, 0o600);
        }

        /// As careful programs do: beside it, then renamed. The new inode makes the change visible whatever
        /// the resolution of the file system's clock.
        fn put(&self, path: &Path, text: &str, mode: u32) {
            let new = self.folder.path().join("new");
            fs::write(&new, text).unwrap();
            fs::set_permissions(&new, fs::Permissions::from_mode(mode)).unwrap();
            fs::rename(&new, path).unwrap();
        }

        fn watched(&self) -> Watched {
            Watched::open(self.files.clone()).unwrap_or_else(|error| panic!("{error}"))
        }

        fn refused(&self) -> String {
            match Watched::open(self.files.clone()) {
                Ok(_) => panic!("a pair that can't be used was taken"),
                Err(failure) => failure.to_string(),
            }
        }
    }

    fn made_pair() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn what_can_not_be_used_at_the_start_is_told_with_setting_and_file() {
        let folder = Folder::new();
        folder.write_key(&made_pair().1);
        let told = folder.refused();
        assert!(
            told.contains("tls.key_file: ") && told.contains("k.pem is not the key of the first"),
            "{told}"
        );
        folder.write_certificate("nothing");
        let told = folder.refused();
        assert!(told.contains("tls.certificate_file: ") && told.contains("holds no certificate"), "{told}");
        fs::remove_file(&folder.files.certificate).unwrap();
        assert!(folder.refused().contains("can't be read: No such file"), "{}", folder.refused());
    }

    #[test]
    fn a_key_that_others_may_read_is_refused_and_told_how_to_close_it() {
        let folder = Folder::new();
        fs::set_permissions(&folder.files.key, fs::Permissions::from_mode(0o640)).unwrap();
        let told = folder.refused();
        assert!(told.contains("its mode is 0640") && told.contains("chmod 600"), "{told}");
    }

    #[test]
    fn a_pair_that_changed_is_taken_once_it_stays_the_same() {
        let folder = Folder::new();
        let mut watched = folder.watched();
        assert_eq!(watched.look(Look::Turn), Found::Nothing);
        folder.write(&made_pair());
        assert_eq!(watched.look(Look::Turn), Found::Nothing);
        folder.write(&made_pair());
        assert_eq!(watched.look(Look::Turn), Found::Nothing);
        assert_eq!(watched.look(Look::Turn), Found::Replaced);
        assert_eq!(watched.look(Look::Turn), Found::Nothing);
    }

    #[test]
    fn a_pair_that_the_operator_says_is_complete_is_taken_at_once() {
        let folder = Folder::new();
        let mut watched = folder.watched();
        folder.write(&made_pair());
        assert_eq!(watched.look(Look::Asked), Found::Replaced);
    }

    #[test]
    fn half_of_a_pair_is_not_taken_and_the_other_half_makes_it_whole() {
        let folder = Folder::new();
        let mut watched = folder.watched();
        let (certificate, key) = made_pair();
        folder.write_certificate(&certificate);
        assert_eq!(watched.look(Look::Turn), Found::Nothing);
        assert!(matches!(watched.look(Look::Turn), Found::Refused(why) if why.contains("is not the key")));
        // Told once, however often it is looked at.
        assert_eq!(watched.look(Look::Turn), Found::Nothing);
        folder.write_key(&key[..100]);
        assert!(matches!(watched.look(Look::Asked), Found::Refused(_)));
        folder.write_key(&key);
        assert_eq!(watched.look(Look::Asked), Found::Replaced);
    }

    #[test]
    fn files_that_are_gone_for_a_while_change_nothing() {
        let folder = Folder::new();
        let mut watched = folder.watched();
        let pair = (fs::read_to_string(&folder.files.certificate), fs::read_to_string(&folder.files.key));
        fs::remove_file(&folder.files.key).unwrap();
        assert_eq!(watched.look(Look::Turn), Found::Nothing);
        assert!(matches!(watched.look(Look::Turn), Found::Refused(_)));
        folder.write(&(pair.0.unwrap(), pair.1.unwrap()));
        assert_eq!(watched.look(Look::Asked), Found::Replaced);
    }
}
