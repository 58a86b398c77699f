//! The key that signs the journal's heads: Ed25519, never in the JWKS.
//!
//! Its public half stands in the journal itself (`heads.jsonl`), each successor signed by its
//! predecessor; the store keeps the private half. A succession goes: the successor is announced here,
//! then named in the journal, then signs here. Whoever finds the journal one step ahead finishes it.

use procura_jose::PrivateKey;
use procura_protocol::algorithm::Algorithm;
use procura_store::administration::{Administration, ChangeContext, KeyPurpose, KeyRecord, KeyState};
use procura_store::records::KeyNo;

use super::{Keeper, KeyError, seal};

/// The journal's keys that have a private half.
pub struct JournalKeys {
    signing: (KeyNo, PrivateKey),
    announced: Option<(KeyNo, PrivateKey)>,
}

impl JournalKeys {
    /// The key that signs heads, as far as the store knows.
    pub fn into_signer(self) -> PrivateKey {
        self.signing.1
    }

    /// Number and private half of its successor, if a succession was begun.
    pub fn into_successor(self) -> Option<(KeyNo, PrivateKey)> {
        self.announced
    }
}

impl<A: Administration> Keeper<'_, A> {
    /// The journal's keys; the first is made here.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotOpened`] when they are sealed under another key encryption key.
    pub async fn journal_keys(&self, context: &ChangeContext) -> Result<JournalKeys, KeyError> {
        let mut keys = self.administration.keys().await?;
        if find(&keys, KeyState::Signing).is_none() {
            let held = self.hold().await?;
            let key = seal::new_key(&held, KeyPurpose::Journal, Algorithm::EdDsa, true).await?;
            // Another process may have been faster: then its key is found.
            self.administration.insert_key(context.clone(), key).await?;
            keys = self.administration.keys().await?;
        }
        let open = |state| match find(&keys, state) {
            Some(record) => Ok(seal::open(self.encryption, record)?.map(|key| (record.no, key))),
            None => Ok::<_, KeyError>(None),
        };
        let signing = open(KeyState::Signing)?.ok_or(KeyError::Overtaken)?;
        Ok(JournalKeys { signing, announced: open(KeyState::Announced)? })
    }

    /// Makes the successor of the journal's key, or finds the one that was made before: to be named in
    /// the journal next, and given to [`Keeper::succeed_journal_key`] then.
    ///
    /// # Errors
    ///
    /// As [`Keeper::journal_keys`].
    pub async fn announce_journal_key(
        &self,
        context: &ChangeContext,
    ) -> Result<(KeyNo, PrivateKey), KeyError> {
        if let Some(successor) = self.journal_keys(context).await?.into_successor() {
            return Ok(successor);
        }
        let held = self.hold().await?;
        let key = seal::new_key(&held, KeyPurpose::Journal, Algorithm::EdDsa, false).await?;
        self.administration.insert_key(context.clone(), key).await?;
        drop(held);
        self.journal_keys(context).await?.into_successor().ok_or(KeyError::Overtaken)
    }

    /// The journal names that key as its signer: so does the store from now on. What its predecessor
    /// signed is verified with what stands in the journal, so its private half goes at once.
    ///
    /// # Errors
    ///
    /// [`KeyError::Store`].
    pub async fn succeed_journal_key(
        &self,
        context: &ChangeContext,
        successor: KeyNo,
    ) -> Result<(), KeyError> {
        self.administration.promote_key(context.clone(), successor, None).await?;
        let keys = self.administration.keys().await?;
        for former in keys.iter().filter(|key| is_journals(key, KeyState::Retired)) {
            self.administration.let_key_go(context.clone(), former.no).await?;
        }
        Ok(())
    }
}

fn find(keys: &[KeyRecord], state: KeyState) -> Option<&KeyRecord> {
    keys.iter().find(|key| is_journals(key, state))
}

fn is_journals(key: &KeyRecord, state: KeyState) -> bool {
    key.purpose == KeyPurpose::Journal && key.state == state
}
