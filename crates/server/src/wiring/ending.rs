//! Credentials that end: said in the log once a day from thirty days ahead, and once more when they have
//! ended. The gauge and `procura application show` tell the same.

use std::collections::{HashMap, HashSet};

use procura_protocol::time::UnixSeconds;
use procura_store::Directory;
use procura_store::credential::{Expiring, WARNED_AHEAD};
use procura_store::records::CredentialNo;

/// Seconds between two words about the same credential.
const SAID_AGAIN: i64 = 24 * 60 * 60;

/// What was said so far. As many entries as there are credentials that end soon.
#[derive(Debug, Default)]
pub(super) struct Ending {
    said: HashMap<CredentialNo, Said>,
}

/// The last word about a credential. An end that was moved is another end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    at: UnixSeconds,
    of: UnixSeconds,
    over: bool,
}

/// A word that is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word<'d> {
    pub(super) about: Expiring<'d>,
    /// Whether it has ended.
    pub(super) over: bool,
}

impl Ending {
    /// The words that are due now, which count as said from here on.
    pub(super) fn due<'d>(&mut self, directory: &'d Directory, now: UnixSeconds) -> Vec<Word<'d>> {
        let soon: Vec<Expiring<'d>> = directory.expiring(now.plus(WARNED_AHEAD + 1)).collect();
        let here: HashSet<CredentialNo> = soon.iter().map(|expiring| expiring.no).collect();
        self.said.retain(|no, _| here.contains(no));
        soon.into_iter()
            .filter_map(|about| {
                let over = about.expires_at <= now;
                let was_said = self.said.get(&about.no).is_some_and(|said| {
                    said.of == about.expires_at
                        && said.over == over
                        && (over || now.0 - said.at.0 < SAID_AGAIN)
                });
                if was_said {
                    return None;
                }
                self.said.insert(about.no, Said { at: now, of: about.expires_at, over });
                Some(Word { about, over })
            })
            .collect()
    }
}

/// Says it.
pub(super) fn say(word: &Word<'_>) {
    let Expiring { owner, id, kind, no, expires_at } = word.about;
    let (owner, kind) = (owner.name(), kind.name());
    if word.over {
        tracing::warn!(%owner, id, kind, number = no.0, %expires_at, "a credential has ended: it proves nothing any more");
    } else {
        tracing::warn!(%owner, id, kind, number = no.0, %expires_at, "a credential ends within 30 days: add its successor");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use procura_protocol::algorithm::Algorithm;
    use procura_protocol::ids::ApplicationId;
    use procura_store::records::{Application, ApplicationNo, RegisteredSecret, SecretHash, Version};

    use super::*;

    const DAY: i64 = 24 * 60 * 60;
    const END: UnixSeconds = UnixSeconds(100 * DAY);

    fn directory(ends: &[(u32, UnixSeconds)]) -> Directory {
        let secret = |(no, end): &(u32, UnixSeconds)| RegisteredSecret {
            no: CredentialNo(*no),
            hash: SecretHash([1; 32]),
            expires_at: Some(*end),
        };
        let application = Application {
            no: ApplicationNo(1),
            id: ApplicationId::parse("app_1").unwrap(),
            active: true,
            trusted: true,
            registration: Arc::default(),
            secrets: ends.iter().map(secret).collect(),
            resources: Vec::new(),
            id_token_algorithm: Algorithm::Es256,
            trusts: Arc::default(),
        };
        let mut edit = Directory::default().edit();
        edit.set_application(ApplicationNo(1), Some(application));
        edit.finish(Version(1))
    }

    #[test]
    fn an_end_is_said_once_a_day_from_thirty_days_ahead_and_once_when_it_is_there() {
        let (mut ending, directory) = (Ending::default(), directory(&[(7, END)]));
        let mut said = Vec::new();
        for hour in (0..60 * 24).map(|hour| END.plus(-40 * DAY + hour * 3600)) {
            let words = ending.due(&directory, hour);
            said.extend(words.iter().map(|word| (hour.0 - END.0, word.over)));
        }
        let ahead: Vec<_> = said.iter().filter(|(_, over)| !over).map(|(at, _)| at / DAY).collect();
        assert_eq!(ahead, (-30..0).collect::<Vec<i64>>());
        assert_eq!(said.iter().filter(|(_, over)| *over).collect::<Vec<_>>(), [&(0, true)]);
    }

    #[test]
    fn each_credential_is_said_for_itself_and_what_is_gone_is_forgotten() {
        let mut ending = Ending::default();
        let now = END.plus(-DAY);
        let numbers = |words: Vec<Word<'_>>| words.iter().map(|word| word.about.no.0).collect::<Vec<_>>();
        assert_eq!(numbers(ending.due(&directory(&[(7, END)]), now)), [7]);
        assert_eq!(numbers(ending.due(&directory(&[(7, END), (8, END)]), now)), [8]);
        assert_eq!(numbers(ending.due(&directory(&[]), now)), [] as [u32; 0]);
        assert!(ending.said.is_empty());
        assert_eq!(numbers(ending.due(&directory(&[(8, END)]), now)), [8]);
        assert_eq!(numbers(ending.due(&directory(&[(8, END.plus(60))]), now)), [8]);
    }
}
