//! Signed heads: `heads.jsonl`, one line for each.
//!
//! A head says "at this time the journal ended with this record, and its hash was this". It is signed by
//! the journal's own key (Ed25519, never in the JWKS) and can be kept elsewhere. Two kinds of line:
//!
//! ```text
//! {"seq":7,"at":1,"hash":"<hex>","chain":"<hex>","kid":"<who signed>","sig":"<base64url>"}   a head
//! {"at":1,"chain":"<hex>","jwk":{..},"kid":"<who signed>","sig":"<base64url>"}               a key
//! ```
//!
//! The signature is over `procura-journal-head:` and the line without its last member. The first line is
//! a key that vouches for itself; every further key is signed by the one before. Public halves stay for
//! ever, so every head can be checked.

use std::sync::Arc;

use procura_jose::{Algorithm, Jwk, KeyId, PrivateKey, base64url};
use procura_protocol::time::UnixMillis;
use serde::{Deserialize, Serialize};

use super::disk::{Disk, SyncSite};
use super::error::{Damage, DamageKind, JournalError};
use super::format::{ChainHash, ChainId};
use super::segment;
use super::writer::End;

/// The file in the journal's folder.
pub const HEADS: &str = "heads.jsonl";
const HEADS_NEW: &str = "heads.tmp";
const SIGNED_PREFIX: &str = "procura-journal-head:";
/// The longest line; also the most that a power cut can leave half-written.
const MAX_LINE: usize = 4096;
/// How much of the end of the file is read at start.
const TAIL: u64 = 64 * 1024;

/// Signs heads.
pub trait HeadSigner: Send + Sync + 'static {
    /// The public half.
    fn jwk(&self) -> Jwk;
    /// Its name.
    fn kid(&self) -> &KeyId;
    /// An Ed25519 signature (RFC 8032) over the message.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, HeadSignFailed>;
}

/// The head could not be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal's head could not be signed with its key, which must be an Ed25519 key")]
pub struct HeadSignFailed;

impl HeadSigner for PrivateKey {
    fn jwk(&self) -> Jwk {
        self.public_jwk()
    }

    fn kid(&self) -> &KeyId {
        PrivateKey::kid(self)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, HeadSignFailed> {
        if self.algorithm() != Algorithm::EdDsa {
            return Err(HeadSignFailed);
        }
        let signature = PrivateKey::sign(self, message).map_err(|_| HeadSignFailed)?;
        Ok(signature.as_ref().to_vec())
    }
}

/// What a head says, and who says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The last record; 0 before the first.
    pub seq: u64,
    /// Its time.
    pub at: UnixMillis,
    /// Its hash.
    pub hash: ChainHash,
    /// The journal.
    pub chain: ChainId,
    /// The key that signed.
    pub kid: KeyId,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    at: UnixMillis,
    chain: ChainId,
    jwk: Jwk,
    kid: KeyId,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Body {
    Head(Head),
    Key(NewKey),
}

/// A head with its signature: one line, as it is exported and kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// What it says.
    pub head: Head,
    signature: Vec<u8>,
}

impl SignedHead {
    /// Reads one line; `None` when it is not a head exactly as we write it.
    pub fn parse(line: &str) -> Option<SignedHead> {
        match Line::parse(line.trim_end_matches('\n'))? {
            Line { body: Body::Head(head), signature } => Some(SignedHead { head, signature }),
            Line { body: Body::Key(_), .. } => None,
        }
    }

    /// The line, without a newline.
    pub fn line(&self) -> String {
        let text = serde_json::to_string(&self.head).unwrap_or_default();
        signed_line(&text, &self.signature)
    }

    /// Whether that key signed it.
    pub fn is_signed_by(&self, jwk: &Jwk) -> bool {
        let text = serde_json::to_string(&self.head).unwrap_or_default();
        self.head.kid == *jwk.kid() && is_signed(jwk, &text, &self.signature)
    }
}

struct Line {
    body: Body,
    signature: Vec<u8>,
}

const SIGNATURE: &str = ",\"sig\":\"";

impl Line {
    fn parse(line: &str) -> Option<Line> {
        let (body, signature) = line.strip_suffix("\"}")?.rsplit_once(SIGNATURE)?;
        let text = format!("{body}}}");
        let body: Body = serde_json::from_str(&text).ok()?;
        let signature = base64url::decode(signature).ok()?;
        // Only what we would write ourselves: so no byte of the file can change without being seen.
        let canonical = serde_json::to_string(&body).ok()? == text && signed_line(&text, &signature) == line;
        canonical.then_some(Line { body, signature })
    }

    fn is_signed_by_one_of(&self, keys: &[Jwk]) -> bool {
        let (text, kid) = self.signed_text();
        keys.iter().any(|jwk| jwk.kid() == kid && is_signed(jwk, &text, &self.signature))
    }

    fn signed_text(&self) -> (String, &KeyId) {
        let (text, kid) = match &self.body {
            Body::Head(head) => (serde_json::to_string(head), &head.kid),
            Body::Key(new) => (serde_json::to_string(new), &new.kid),
        };
        (text.unwrap_or_default(), kid)
    }

    /// Checks the signature and takes up a new key; `keys` are those of the lines before.
    fn verify(&self, keys: &mut Vec<Jwk>) -> bool {
        let (text, kid) = self.signed_text();
        let signer = match (&self.body, keys.last()) {
            (Body::Key(first), None) => Some(&first.jwk),
            (_, last) => last,
        };
        let signed = signer.is_some_and(|jwk| jwk.kid() == kid && is_signed(jwk, &text, &self.signature));
        if signed && let Body::Key(new) = &self.body {
            keys.push(new.jwk.clone());
        }
        signed
    }
}

fn signed_line(text: &str, signature: &[u8]) -> String {
    let open = text.strip_suffix('}').unwrap_or(text);
    format!("{open}{SIGNATURE}{}\"}}", base64url::encode(signature))
}

fn is_signed(jwk: &Jwk, text: &str, signature: &[u8]) -> bool {
    let message = format!("{SIGNED_PREFIX}{text}");
    let ours = jwk.algorithm() == Algorithm::EdDsa && *jwk.kid() == jwk.thumbprint();
    ours && jwk.public_key().verify(message.as_bytes(), signature).is_ok()
}

fn sign(body: &Body, signer: &dyn HeadSigner) -> Result<String, JournalError> {
    let text = serde_json::to_string(body).map_err(|_| HeadSignFailed)?;
    let signature = signer.sign(format!("{SIGNED_PREFIX}{text}").as_bytes())?;
    Ok(signed_line(&text, &signature) + "\n")
}

/// The file that heads are added to.
pub struct Heads<D: Disk> {
    disk: Arc<D>,
    file: D::File,
    /// Up to here every byte is sure.
    end: u64,
    chain: ChainId,
    last: Option<SignedHead>,
    kid: KeyId,
}

impl<D: Disk> Heads<D> {
    /// Opens the file, or makes it for a new journal named `new_chain`. Also says how many bytes of a
    /// half-written line were cut.
    pub fn open(
        disk: Arc<D>,
        signer: &dyn HeadSigner,
        new_chain: ChainId,
        now: UnixMillis,
    ) -> Result<(Heads<D>, u64), JournalError> {
        let names = disk.list().map_err(JournalError::io("list", "the folder"))?;
        if !names.iter().any(|name| name == HEADS) {
            if let Some(last) = segment::first_seqs(&*disk)?.last() {
                return Err(Damage::new(HEADS, *last, DamageKind::HeadsMissing).into());
            }
            create(&*disk, signer, new_chain, now)?;
        }
        Heads::open_existing(disk, signer)
    }

    fn open_existing(disk: Arc<D>, signer: &dyn HeadSigner) -> Result<(Heads<D>, u64), JournalError> {
        let io = |action| JournalError::io(action, HEADS);
        let file = disk.open(HEADS).map_err(io("open"))?;
        let length = disk.length(&file).map_err(io("read"))?;
        let damage = |line| JournalError::from(Damage::new(HEADS, 0, DamageKind::HeadLine { line }));
        let first = read_part(&*disk, &file, 0, length.min(MAX_LINE as u64))?;
        let first = first.split_inclusive(|b| *b == b'\n').next().unwrap_or_default();
        let Some(Line { body: Body::Key(first), .. }) = parse_bytes(first) else { return Err(damage(1)) };

        let tail_at = length.saturating_sub(TAIL);
        let tail = read_part(&*disk, &file, tail_at, length - tail_at)?;
        let skip =
            if tail_at == 0 { 0 } else { tail.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1) };
        let end = tail_at + skip as u64;
        let (chain, kid) = (first.chain, first.kid.clone());
        let mut keys = vec![signer.jwk(), first.jwk];
        let mut heads = Heads { disk, file, end, chain, last: None, kid };
        let mut at = heads.end;
        let mut last_line: &[u8] = &[];
        for line in tail[skip..].split_inclusive(|b| *b == b'\n') {
            let began = at;
            at += line.len() as u64;
            // Two half-written lines can look like one: only a signature tells a line that counts.
            let Some(parsed) = parse_bytes(line).filter(|line| line.is_signed_by_one_of(&keys)) else {
                continue;
            };
            if began != heads.end {
                return Err(damage(0));
            }
            (heads.end, last_line) = (at, line);
            match parsed {
                Line { body: Body::Key(new), .. } => {
                    heads.kid = new.jwk.kid().clone();
                    keys.push(new.jwk);
                }
                Line { body: Body::Head(head), signature } => {
                    heads.kid = head.kid.clone();
                    heads.last = Some(SignedHead { head, signature });
                }
            }
        }
        let cut = length - heads.end;
        if cut > MAX_LINE as u64 || last_line.is_empty() {
            // Perhaps nothing is wrong but the key: then its name tells more than a line number.
            heads.kid = last_key(&heads.disk)?.unwrap_or(heads.kid);
            heads.check_signer(signer)?;
            return Err(damage(0));
        }
        heads.check_signer(signer)?;
        heads.make_sure(last_line)?;
        Ok((heads, cut))
    }

    /// The journal that the file belongs to.
    pub fn chain(&self) -> ChainId {
        self.chain
    }

    /// The last head that is sure.
    pub fn last(&self) -> Option<&SignedHead> {
        self.last.as_ref()
    }

    /// Signs that the journal ends there, and waits for the disk.
    pub fn append(&mut self, end: &End, signer: &dyn HeadSigner) -> Result<(), JournalError> {
        let kid = signer.kid().clone();
        let head = Head { seq: end.seq, at: end.at, hash: end.hash, chain: self.chain, kid };
        let line = sign(&Body::Head(head), signer)?;
        self.write(&line)?;
        self.last = SignedHead::parse(&line);
        Ok(())
    }

    /// From now on `successor` signs; `predecessor` vouches for it.
    pub fn succeed(
        &mut self,
        predecessor: &dyn HeadSigner,
        successor: &dyn HeadSigner,
        now: UnixMillis,
    ) -> Result<(), JournalError> {
        let (jwk, kid) = (successor.jwk(), predecessor.kid().clone());
        let line = sign(&Body::Key(NewKey { at: now, chain: self.chain, jwk, kid }), predecessor)?;
        self.write(&line)?;
        self.kid = successor.kid().clone();
        Ok(())
    }

    /// Behind what is sure, over what an earlier failure may have left there.
    fn write(&mut self, line: &str) -> Result<(), JournalError> {
        let (disk, file) = (&*self.disk, &self.file);
        let longer = disk.length(file).map_err(JournalError::io("read", HEADS))? > self.end;
        let cut = if longer { disk.set_length(file, self.end) } else { Ok(()) };
        cut.and_then(|()| disk.write_at(file, line.as_bytes(), self.end))
            .and_then(|()| disk.sync_all(file, SyncSite::Heads))
            .map_err(JournalError::io("write", HEADS))?;
        self.end += line.len() as u64;
        Ok(())
    }

    /// As with batches: what is found counts, so it is written once more and synced.
    fn make_sure(&self, last_line: &[u8]) -> Result<(), JournalError> {
        let (disk, file) = (&*self.disk, &self.file);
        disk.set_length(file, self.end)
            .and_then(|()| disk.write_at(file, last_line, self.end - last_line.len() as u64))
            .and_then(|()| disk.sync_all(file, SyncSite::Heads))
            .map_err(JournalError::io("sync", HEADS))
    }

    fn check_signer(&self, signer: &dyn HeadSigner) -> Result<(), JournalError> {
        if *signer.kid() == self.kid {
            return Ok(());
        }
        let (expected, given) = (self.kid.to_string(), signer.kid().to_string());
        Err(JournalError::OtherKey { expected, given })
    }
}

/// The key that signs by now, from the whole file.
fn last_key<D: Disk>(disk: &Arc<D>) -> Result<Option<KeyId>, JournalError> {
    let mut reader = HeadsReader::open(disk)?;
    while reader.next_head()?.is_some() {}
    Ok(reader.keys().last().map(|key| key.kid().clone()))
}

fn create<D: Disk>(
    disk: &D,
    signer: &dyn HeadSigner,
    chain: ChainId,
    now: UnixMillis,
) -> Result<(), JournalError> {
    let new = NewKey { at: now, chain, jwk: signer.jwk(), kid: signer.kid().clone() };
    let line = sign(&Body::Key(new), signer)?;
    disk.create(HEADS_NEW)
        .and_then(|file| {
            disk.write_at(&file, line.as_bytes(), 0)?;
            disk.sync_all(&file, SyncSite::Heads)?;
            disk.rename(HEADS_NEW, HEADS)?;
            disk.sync_names(SyncSite::HeadsName)
        })
        .map_err(JournalError::io("create", HEADS))
}

fn parse_bytes(line: &[u8]) -> Option<Line> {
    Line::parse(std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?)
}

fn read_part<D: Disk>(disk: &D, file: &D::File, at: u64, length: u64) -> Result<Vec<u8>, JournalError> {
    let mut bytes = vec![0; length as usize];
    let read = disk.read_at(file, &mut bytes, at).map_err(JournalError::io("read", HEADS))?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Reads the whole file from the start and checks every signature.
pub(crate) struct HeadsReader<D: Disk> {
    disk: Arc<D>,
    file: D::File,
    line: u64,
    at: u64,
    end: u64,
    keys: Vec<Jwk>,
    pub(crate) chain: Option<ChainId>,
    pub(crate) checked: u64,
    /// Bytes at the end that are not a line that was signed: being written, or left by a power cut.
    pub(crate) unfinished: u64,
}

impl<D: Disk> HeadsReader<D> {
    /// Reads up to where the file ends now.
    pub(crate) fn open(disk: &Arc<D>) -> Result<HeadsReader<D>, JournalError> {
        let names = disk.list().map_err(JournalError::io("list", "the folder"))?;
        if !names.iter().any(|name| name == HEADS) {
            return Err(Damage::new(HEADS, 0, DamageKind::HeadsMissing).into());
        }
        let file = disk.open_read(HEADS).map_err(JournalError::io("open", HEADS))?;
        let end = disk.length(&file).map_err(JournalError::io("read", HEADS))?;
        let disk = Arc::clone(disk);
        Ok(HeadsReader {
            disk,
            file,
            line: 0,
            at: 0,
            end,
            keys: Vec::new(),
            chain: None,
            checked: 0,
            unfinished: 0,
        })
    }

    /// The next head, its signature checked; `None` at the end or before a line that is not whole yet.
    pub(crate) fn next_head(&mut self) -> Result<Option<SignedHead>, JournalError> {
        while self.at < self.end {
            let bytes =
                read_part(&*self.disk, &self.file, self.at, (self.end - self.at).min(MAX_LINE as u64))?;
            let line = bytes.split_inclusive(|b| *b == b'\n').next().unwrap_or_default();
            let Some(parsed) = parse_bytes(line).filter(|line| line.verify(&mut self.keys)) else {
                return self.end_at(&bytes);
            };
            self.line += 1;
            self.at += line.len() as u64;
            let damage = Damage::new(HEADS, 0, DamageKind::HeadLine { line: self.line });
            let chain = match &parsed.body {
                Body::Head(head) => head.chain,
                Body::Key(new) => new.chain,
            };
            if *self.chain.get_or_insert(chain) != chain {
                return Err(damage.into());
            }
            if let Line { body: Body::Head(head), signature } = parsed {
                self.checked += 1;
                return Ok(Some(SignedHead { head, signature }));
            }
        }
        Ok(None)
    }

    /// Where a line is not what was signed: the end of the file, if no line comes after it.
    fn end_at(&mut self, rest: &[u8]) -> Result<Option<SignedHead>, JournalError> {
        let all_read = self.at + rest.len() as u64 == self.end;
        let later = rest.split_inclusive(|b| *b == b'\n').skip(1).filter_map(parse_bytes).next();
        if self.line == 0 || !all_read || later.is_some() {
            return Err(Damage::new(HEADS, 0, DamageKind::HeadLine { line: self.line + 1 }).into());
        }
        self.unfinished = rest.len() as u64;
        self.end = self.at;
        Ok(None)
    }

    /// The keys seen so far.
    pub(crate) fn keys(&self) -> &[Jwk] {
        &self.keys
    }
}
