//! The authorities whose certificates prove applications, and their revocation lists: read from files, and read
//! again when these have changed.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use procura_protocol::time::UnixSeconds;
use procura_store::Clock;
use procura_x509::{Authorities, Crls, InvalidBundle, MAX_BUNDLE_BYTES, TrustAnchors};

use super::certificate_files::{FileStamp, Follow, Look};
use super::server::ThisEngine;
use crate::config::Certificates;
use crate::exit::Failure;

/// Files that could be used when the server started.
pub(super) struct AuthorityFiles {
    files: Files,
    taken: Stamp,
    authorities: Authorities,
}

struct Files {
    ca: PathBuf,
    crl: Option<PathBuf>,
}

/// What tells one content of the files from another without reading them.
type Stamp = (FileStamp, Option<FileStamp>);

/// The files while a server runs.
pub(super) struct Followed {
    files: Files,
    take: Box<dyn Fn(Authorities) + Send>,
    clock: Arc<dyn Clock>,
    /// The first second in which a list in use is stale.
    stale_at: Option<UnixSeconds>,
    /// The files as they were when what is in use was read.
    taken: Stamp,
    /// The files as they were when they were last found changed.
    seen: Option<Stamp>,
    /// The files as they were when they were last refused: told once.
    refused: Option<Stamp>,
}

/// What a look found.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// Nothing new, or nothing that can be judged yet.
    Nothing,
    /// Others, which are used from now on.
    Replaced,
    /// What is there can't be used, and why; those before are used on.
    Refused(String),
}

impl AuthorityFiles {
    /// Reads what is configured.
    pub(super) fn open(configured: &Certificates) -> Result<AuthorityFiles, Failure> {
        let files = Files { ca: configured.ca_file.clone(), crl: configured.crl_file.clone() };
        let taken = files.stamp();
        let authorities = files.read().map_err(Failure::usage)?;
        Ok(AuthorityFiles { files, taken, authorities })
    }

    /// Gives them to the engine, and every later content of the files too.
    pub(super) fn begin(self, engine: &Arc<ThisEngine>, clock: Arc<dyn Clock>) -> Followed {
        let engine = Arc::clone(engine);
        self.follow_with(clock, move |authorities| engine.set_client_authorities(Some(authorities)))
    }

    fn follow_with(self, clock: Arc<dyn Clock>, take: impl Fn(Authorities) + Send + 'static) -> Followed {
        let AuthorityFiles { files, taken, authorities } = self;
        let mut followed =
            Followed { files, take: Box::new(take), clock, stale_at: None, taken, seen: None, refused: None };
        followed.give(authorities);
        followed
    }
}

impl Followed {
    fn give(&mut self, authorities: Authorities) {
        self.stale_at = authorities.crls.as_ref().map(Crls::next_update);
        (self.take)(authorities);
    }

    /// Looks whether the files have changed, and takes what is there if all of it can be used. At its turn only
    /// what it has found unchanged since the turn before: whoever writes the files one after the other, or one
    /// in pieces, is done by then.
    fn look(&mut self, why: Look) -> Found {
        let now = self.files.stamp();
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
        let read = self.files.read();
        if self.files.stamp() != now {
            // Written while it was read: whatever came of it is not to be trusted.
            return Found::Nothing;
        }
        match read {
            Ok(authorities) => {
                self.give(authorities);
                (self.taken, self.seen, self.refused) = (now, None, None);
                Found::Replaced
            }
            Err(why) => {
                self.refused = Some(now);
                Found::Refused(why)
            }
        }
    }

    /// Whether a list in use went stale since it was last asked.
    fn went_stale(&mut self) -> bool {
        self.stale_at.take_if(|at| *at <= self.clock.now().seconds()).is_some()
    }
}

impl Follow for Followed {
    fn follow(&mut self, why: Look) {
        match self.look(why) {
            Found::Nothing => {}
            Found::Replaced => tracing::info!("other authorities or revocation lists are in use"),
            Found::Refused(why) => {
                tracing::error!(
                    why,
                    "new authorities or revocation lists can't be used: those before are used on"
                );
            }
        }
        if self.went_stale() {
            let file = self.files.crl.as_deref().unwrap_or(&self.files.ca).display();
            tracing::error!(%file, "a revocation list is stale: the certificates that it is about prove nothing");
        }
    }
}

impl Files {
    fn stamp(&self) -> Stamp {
        (FileStamp::of(&self.ca), self.crl.as_deref().map(FileStamp::of))
    }

    /// What is in them, or what has to change for it to be of use.
    fn read(&self) -> Result<Authorities, String> {
        let anchors = read("mutual_tls.client_ca_file", &self.ca, TrustAnchors::from_pem)?;
        let crls = match &self.crl {
            Some(file) => Some(read("mutual_tls.client_crl_file", file, Crls::from_pem)?),
            None => None,
        };
        Ok(Authorities { anchors, crls })
    }
}

fn read<T>(
    setting: &str,
    path: &Path,
    parse: impl Fn(&[u8]) -> Result<T, InvalidBundle>,
) -> Result<T, String> {
    let mut bytes = Vec::new();
    let opened = File::open(path);
    let read = opened.and_then(|file| file.take(MAX_BUNDLE_BYTES as u64 + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => parse(&bytes).map_err(|why| format!("{setting}: {}: {why}", path.display())),
        Err(error) => Err(format!("{setting}: {} can't be read: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Mutex;

    use procura_testkit::clock::{BEGINNING, FixedClock};
    use procura_testkit::pki::{Authority, ENDS};
    use procura_x509::Certificate;
    use tempfile::TempDir;

    use super::*;

    struct Folder {
        folder: TempDir,
        configured: Certificates,
    }

    impl Folder {
        fn new(ca: &str, crl: Option<&str>) -> Folder {
            let folder = tempfile::tempdir().unwrap();
            let path = |name| folder.path().join(name);
            let configured = Certificates { ca_file: path("ca.pem"), crl_file: crl.map(|_| path("crl.pem")) };
            let made = Folder { folder, configured };
            made.put("ca.pem", ca);
            made.put("crl.pem", crl.unwrap_or_default());
            made
        }

        /// Beside it, then renamed: the new inode makes the change visible whatever the resolution of the file
        /// system's clock.
        fn put(&self, name: &str, text: &str) {
            let new = self.folder.path().join("new");
            fs::write(&new, text).unwrap();
            fs::rename(&new, self.folder.path().join(name)).unwrap();
        }

        fn refused(&self) -> String {
            match AuthorityFiles::open(&self.configured) {
                Ok(_) => panic!("what can't be used was taken"),
                Err(failure) => failure.to_string(),
            }
        }

        /// What is followed, and what was taken last.
        fn followed(&self) -> (Followed, Arc<Mutex<Option<Authorities>>>) {
            let taken = Arc::new(Mutex::new(None));
            let last = Arc::clone(&taken);
            let files = AuthorityFiles::open(&self.configured).unwrap_or_else(|error| panic!("{error}"));
            let take = move |authorities| *last.lock().unwrap() = Some(authorities);
            (files.follow_with(Arc::new(FixedClock::default()), take), taken)
        }
    }

    /// Whether what was taken last believes a certificate of that authority.
    fn believes(taken: &Mutex<Option<Authorities>>, authority: &Authority) -> bool {
        let own = Certificate::from_der(&authority.issue(|_| {}).der).unwrap();
        taken.lock().unwrap().as_ref().unwrap().judge(&own, &[], BEGINNING).is_ok()
    }

    #[test]
    fn what_can_not_be_used_at_the_start_is_told_with_setting_and_file() {
        let root = Authority::new("Root");
        let told = Folder::new(&root.own.key_pem, None).refused();
        assert!(
            told.contains("mutual_tls.client_ca_file: ") && told.contains("ca.pem: the file is not"),
            "{told}"
        );
        let told = Folder::new(&root.own.pem, Some(&root.own.pem)).refused();
        assert!(told.contains("mutual_tls.client_crl_file: ") && told.contains("crl.pem"), "{told}");
        let folder = Folder::new(&root.own.pem, None);
        fs::remove_file(folder.folder.path().join("ca.pem")).unwrap();
        assert!(folder.refused().contains("can't be read: No such file"));
    }

    #[test]
    fn files_that_changed_are_taken_once_they_stay_the_same() {
        let (root, other) = (Authority::new("Root"), Authority::new("Other"));
        let folder = Folder::new(&root.own.pem, None);
        let (mut followed, taken) = folder.followed();
        assert!(believes(&taken, &root) && !believes(&taken, &other));
        folder.put("ca.pem", &other.own.pem);
        assert_eq!(followed.look(Look::Turn), Found::Nothing);
        folder.put("ca.pem", &format!("{}{}", root.own.pem, other.own.pem));
        assert_eq!(followed.look(Look::Turn), Found::Nothing);
        assert!(!believes(&taken, &other));
        assert_eq!(followed.look(Look::Turn), Found::Replaced);
        assert!(believes(&taken, &root) && believes(&taken, &other));
        folder.put("ca.pem", &other.own.pem);
        assert_eq!(followed.look(Look::Asked), Found::Replaced);
        assert!(!believes(&taken, &root) && believes(&taken, &other));
    }

    #[test]
    fn broken_files_are_told_once_and_change_nothing() {
        let root = Authority::new("Root");
        let folder = Folder::new(&root.own.pem, Some(&root.crl(&[], ENDS)));
        let (mut followed, taken) = folder.followed();
        folder.put("crl.pem", "junk");
        assert_eq!(followed.look(Look::Turn), Found::Nothing);
        assert!(matches!(followed.look(Look::Turn), Found::Refused(why) if why.contains("client_crl_file")));
        assert_eq!(followed.look(Look::Turn), Found::Nothing);
        assert!(believes(&taken, &root));
        fs::remove_file(folder.folder.path().join("crl.pem")).unwrap();
        assert!(matches!(followed.look(Look::Asked), Found::Refused(_)));
        assert!(believes(&taken, &root));
    }

    #[test]
    fn a_list_that_goes_stale_is_told_once_and_again_after_the_next() {
        let root = Authority::new("Root");
        let now = u64::try_from(BEGINNING.0).unwrap();
        let folder = Folder::new(&root.own.pem, Some(&root.crl(&[], now + 1)));
        let (mut followed, _) = folder.followed();
        assert!(!followed.went_stale());
        folder.put("crl.pem", &root.crl(&[], now));
        assert_eq!(followed.look(Look::Asked), Found::Replaced);
        assert!(followed.went_stale() && !followed.went_stale());
        folder.put("crl.pem", &root.crl(&[], now - 1));
        assert_eq!(followed.look(Look::Asked), Found::Replaced);
        assert!(followed.went_stale());
    }
}
