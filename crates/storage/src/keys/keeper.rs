//! Does what [`super::life`] decides, and what operators ask for.

use procura_jose::random::Random;
use procura_protocol::algorithm::Algorithm;
use procura_protocol::time::UnixSeconds;
use procura_store::administration::{
    Administration, ChangeContext, Fact, KeyPurpose, KeyRecord, NewKey, PromoteKey, RevokeKey, SealedKey,
};
use procura_store::records::KeyNo;
use zeroize::Zeroizing;

use super::encryption::{Held, KeyEncryption};
use super::life::{self, KeySettings, Rotation, Step, TooEarly};
use super::{KeyError, seal};

/// Steps lead to further steps (a first key to its successor): two rounds at most, and some to spare
/// for other processes.
const MOST_ROUNDS: usize = 8;

/// Looks after keys, for as long as a command or a turn of the server takes.
pub struct Keeper<'a, A> {
    /// Where keys are kept.
    pub administration: &'a A,
    /// What they are sealed under.
    pub encryption: &'a KeyEncryption,
    /// Their life.
    pub settings: KeySettings,
}

/// Of rotating.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotate {
    /// The announced key signs now, and the next is announced.
    Rotated,
    /// Not yet.
    TooEarly(TooEarly),
    /// No key signs with that algorithm.
    NoKey,
}

/// Of revoking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoke {
    /// It is out, and marked.
    Revoked,
    /// It was out before.
    AlreadyGone,
    /// It signs the journal's heads: it is succeeded, not revoked.
    JournalKey,
    /// There is no key of that `kid`.
    NotFound,
}

impl<A: Administration> Keeper<'_, A> {
    /// Makes the keys that registrations ask for, announces successors, rotates what is due and lets go
    /// what is over. To be called at `init`, at start, every minute and after a change of registrations.
    /// Returns what was done.
    ///
    /// # Errors
    ///
    /// [`KeyError`]; what was done by then stays done.
    pub async fn tend(&self, context: &ChangeContext) -> Result<Vec<Step>, KeyError> {
        let mut done = Vec::new();
        if self.plan(context.at.seconds()).await?.is_empty() {
            return Ok(done);
        }
        let held = self.hold().await?;
        for _ in 0..MOST_ROUNDS {
            let steps = self.plan(context.at.seconds()).await?;
            if steps.is_empty() {
                break;
            }
            for step in steps {
                self.execute(&held, context, step).await?;
                done.push(step);
            }
        }
        Ok(done)
    }

    /// Lets the announced key of an algorithm sign before it is due, if it has been announced for long
    /// enough.
    ///
    /// # Errors
    ///
    /// [`KeyError::Overtaken`] when another command was faster.
    pub async fn rotate(&self, context: &ChangeContext, algorithm: Algorithm) -> Result<Rotate, KeyError> {
        let held = self.hold().await?;
        let keys = self.administration.keys().await?;
        match life::rotation(&keys, algorithm, context.at.seconds(), &self.settings) {
            Rotation::NoKey => Ok(Rotate::NoKey),
            Rotation::TooEarly(too_early) => Ok(Rotate::TooEarly(too_early)),
            Rotation::Ready(key) => match self.promote(&held, context, key, algorithm).await? {
                PromoteKey::Promoted => Ok(Rotate::Rotated),
                PromoteKey::NotAnnounced | PromoteKey::NotFound => Err(KeyError::Overtaken),
            },
        }
    }

    /// Takes a compromised key out at once and kills the tokens it signed. If it was signing, the
    /// announced key signs from now on and another is announced.
    ///
    /// # Errors
    ///
    /// [`KeyError::Overtaken`] when the keys changed meanwhile.
    pub async fn revoke(&self, context: &ChangeContext, kid: &str) -> Result<Revoke, KeyError> {
        let held = self.hold().await?;
        let keys = self.administration.keys().await?;
        let Some(key) = keys.iter().find(|key| key.kid == kid) else { return Ok(Revoke::NotFound) };
        if key.purpose == KeyPurpose::Journal {
            return Ok(Revoke::JournalKey);
        }
        let successor = match life::successor_needed(key) {
            Some(algorithm) => Some(token_key(&held, algorithm, false).await?),
            None => None,
        };
        let revoked = match self.administration.revoke_key(context.clone(), key.no, successor).await? {
            RevokeKey::Revoked => Revoke::Revoked,
            RevokeKey::AlreadyGone => Revoke::AlreadyGone,
            RevokeKey::NotFound => Revoke::NotFound,
            RevokeKey::NoSuccessor => return Err(KeyError::Overtaken),
        };
        drop(held);
        self.tend(context).await?;
        Ok(revoked)
    }

    /// Seals everything under a new key encryption key, which takes the place of the old in its file.
    /// Says how many keys were sealed anew. A power cut in the middle is finished by whoever seals next.
    ///
    /// # Errors
    ///
    /// [`super::encryption::EncryptionError::Given`] when the key is not in a file.
    pub async fn rewrap(&self, context: &ChangeContext) -> Result<usize, KeyError> {
        let held = self.hold().await?;
        let successor = held.prepare_successor()?;
        let mut sealed = Vec::new();
        for key in self.administration.keys().await? {
            let Some(old) = &key.sealed else { continue };
            let bound_to = seal::key_context(key.purpose, &key.kid);
            let not_opened = |_| KeyError::NotOpened { purpose: key.purpose, kid: key.kid.clone() };
            let private = held.key().open(&bound_to, old).map_err(not_opened)?;
            sealed.push(SealedKey { no: key.no, sealed: successor.seal(&bound_to, private.expose())? });
        }
        let mut facts = Vec::new();
        for fact in seal::SEALED_FACTS {
            if let Some(text) = self.administration.fact(fact).await? {
                let bound_to = seal::fact_context(fact);
                let old = seal::fact_sealed(&text)?;
                let value = held.key().open(&bound_to, &old).map_err(|_| KeyError::FactNotOpened)?;
                facts.push((fact, seal::fact_text(&successor.seal(&bound_to, value.expose())?)));
            }
        }
        let count = sealed.len();
        if !self.administration.rewrap(context.clone(), sealed, facts).await? {
            return Err(KeyError::Overtaken);
        }
        held.finish(successor)?;
        Ok(count)
    }

    /// The key of the HMAC that stands in the journal for contacts that do not exist; made once.
    ///
    /// # Errors
    ///
    /// [`KeyError::FactNotOpened`] when it was sealed under another key encryption key.
    pub async fn unknown_input_key(&self, random: &dyn Random) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let fact = Fact::UnknownInputKey;
        let text = match self.administration.fact(fact).await? {
            Some(text) => text,
            None => {
                let held = self.hold().await?;
                let mut made = Zeroizing::new([0; 32]);
                random.fill(&mut *made);
                let sealed = held.key().seal(&seal::fact_context(fact), &*made)?;
                self.administration.set_fact(fact, seal::fact_text(&sealed), true).await?
            }
        };
        let sealed = seal::fact_sealed(&text)?;
        let opened = self.encryption.open(&seal::fact_context(fact), &sealed);
        let opened = opened.map_err(|_| KeyError::FactNotOpened)?;
        let mut key = Zeroizing::new([0; 32]);
        if opened.expose().len() != key.len() {
            return Err(KeyError::FactNotOpened);
        }
        key.copy_from_slice(opened.expose());
        Ok(key)
    }

    /// Waits until nobody else seals.
    pub(super) async fn hold(&self) -> Result<Held<'_>, KeyError> {
        let lock = self.encryption.lock().await?;
        let sample = self.sample().await?;
        Ok(self.encryption.settle(lock, sample.as_ref())?)
    }

    /// Something that is sealed, with what it is bound to.
    async fn sample(&self) -> Result<Option<(Vec<u8>, Vec<u8>)>, KeyError> {
        let keys = self.administration.keys().await?;
        let of_key = |key: &KeyRecord| Some((seal::key_context(key.purpose, &key.kid), key.sealed.clone()?));
        if let Some(sample) = keys.iter().find_map(of_key) {
            return Ok(Some(sample));
        }
        for fact in seal::SEALED_FACTS {
            if let Some(text) = self.administration.fact(fact).await? {
                return Ok(Some((seal::fact_context(fact), seal::fact_sealed(&text)?)));
            }
        }
        Ok(None)
    }

    async fn plan(&self, now: UnixSeconds) -> Result<Vec<Step>, KeyError> {
        let mut wanted = self.administration.algorithms_in_use().await?;
        wanted.push(Algorithm::Es256);
        Ok(life::plan(&self.administration.keys().await?, now, &self.settings, &wanted))
    }

    /// Another process may be faster at any of these; then the next plan has one step less.
    async fn execute(&self, held: &Held<'_>, context: &ChangeContext, step: Step) -> Result<(), KeyError> {
        match step {
            Step::Begin { algorithm } => {
                let key = token_key(held, algorithm, true).await?;
                self.administration.insert_key(context.clone(), key).await?;
            }
            Step::Announce { algorithm } => {
                let key = token_key(held, algorithm, false).await?;
                self.administration.insert_key(context.clone(), key).await?;
            }
            Step::Promote { key, algorithm } => {
                self.promote(held, context, key, algorithm).await?;
            }
            Step::LetGo { key } => {
                self.administration.let_key_go(context.clone(), key).await?;
            }
        }
        Ok(())
    }

    async fn promote(
        &self,
        held: &Held<'_>,
        context: &ChangeContext,
        key: KeyNo,
        algorithm: Algorithm,
    ) -> Result<PromoteKey, KeyError> {
        let successor = token_key(held, algorithm, false).await?;
        Ok(self.administration.promote_key(context.clone(), key, Some(successor)).await?)
    }
}

async fn token_key(held: &Held<'_>, algorithm: Algorithm, signs_at_once: bool) -> Result<NewKey, KeyError> {
    seal::new_key(held, KeyPurpose::Token, algorithm, signs_at_once).await
}
