//! The bytes of a segment: one header, then batches, then zeros.
//!
//! All numbers are little-endian.
//!
//! ```text
//! segment  header (512)  batch  batch  ...  zeros up to `length`
//! header   magic 8  version 2  why 1  zero 1  chain 16  first seq 8  link 32  previous first seq 8
//!          previous end 8  last change 8  last at 8  created at 8  length 8  zeros  SHA-256 32
//! batch    magic 4  length 4  first seq 8  at 8  count 2  zero 2  records  SHA-256 32
//! record   length 2  payload
//! ```
//!
//! The chain: a record's hash is `SHA-256(link, seq, at, payload)`, where `link` is the hash of the
//! record before it or, for the first of a segment, of the segment's header, which in turn holds the
//! hash of the last record of the segment before. So no byte of a record, of a batch's time or of a
//! header can change without every later hash changing. A batch ends with the hash of its last record.

use std::fmt;
use std::str::FromStr;

use procura_jose::digest::Sha256;
use procura_protocol::time::UnixMillis;
use serde::{Deserialize, Serialize};

/// What a disk writes whole or not at all.
pub const SECTOR: usize = 512;
/// Length of a segment's header: one sector.
pub const HEADER_LENGTH: usize = SECTOR;
/// What a batch adds to its records.
pub const BATCH_OVERHEAD: usize = BATCH_HEAD + HASH;
/// What a record adds to its payload.
pub const RECORD_OVERHEAD: usize = 2;
/// The most records that one batch holds.
pub const MAX_BATCH_RECORDS: usize = 1024;
/// The most bytes of one batch, so the most that a power cut can leave half-written.
pub const MAX_BATCH_BYTES: usize = 256 * 1024;
/// The longest payload.
pub const MAX_PAYLOAD: usize = 16 * 1024;

pub(crate) const BATCH_HEAD: usize = 28;
const HASH: usize = 32;
const SEGMENT_MAGIC: &[u8; 8] = b"PROCURAJ";
const BATCH_MAGIC: [u8; 4] = [0xB7, b'P', b'J', 0x1A];
const VERSION: u16 = 1;
const HEADER_HASH_AT: usize = HEADER_LENGTH - HASH;

/// A link of the chain. Shown and read as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ChainHash(pub [u8; 32]);

/// Names one journal for its whole life: 16 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ChainId(pub [u8; 16]);

macro_rules! hex_text {
    ($name:ident, $bytes:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotHex;

            fn try_from(text: String) -> Result<Self, NotHex> {
                text.parse()
            }
        }

        impl FromStr for $name {
            type Err = NotHex;

            fn from_str(text: &str) -> Result<Self, NotHex> {
                let digits = text.as_bytes();
                let plain = digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if digits.len() != 2 * $bytes || !plain {
                    return Err(NotHex);
                }
                let mut bytes = [0; $bytes];
                for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                    let digit = |b: u8| if b.is_ascii_digit() { b - b'0' } else { b - b'a' + 10 };
                    *byte = digit(pair[0]) << 4 | digit(pair[1]);
                }
                Ok($name(bytes))
            }
        }
    };
}
hex_text!(ChainHash, 32);
hex_text!(ChainId, 16);

/// A text that is not the lower-case hex digits asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be lower-case hex digits, 64 for a hash and 32 for a chain")]
pub struct NotHex;

/// Why a segment was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is the first of the journal.
    First,
    /// The one before was full.
    Full,
    /// A write or a sync of the one before failed; what it holds after its end never counted.
    AfterFailure,
}

/// The first sector of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The journal it belongs to.
    pub chain: ChainId,
    /// Why it was begun.
    pub why: Why,
    /// Number of its first record.
    pub first_seq: u64,
    /// Hash of the record before that; zeros in the first segment.
    pub link: ChainHash,
    /// Name of the segment before; 0 in the first.
    pub previous_first_seq: u64,
    /// Where that one ends, in bytes; 0 in the first.
    pub previous_end: u64,
    /// The highest row of the `change` table that was recorded before.
    pub last_change: u64,
    /// Time of the record before.
    pub last_at: UnixMillis,
    /// When the segment was begun.
    pub created_at: UnixMillis,
    /// Length of the file in bytes, zeros included.
    pub length: u64,
}

impl Header {
    /// The sector to write, and the hash that the chain goes on from.
    pub fn encode(&self) -> ([u8; HEADER_LENGTH], ChainHash) {
        let mut bytes = [0; HEADER_LENGTH];
        let mut at = 0;
        let mut put = |part: &[u8]| {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        };
        put(SEGMENT_MAGIC);
        put(&VERSION.to_le_bytes());
        put(&[self.why.code(), 0]);
        put(&self.chain.0);
        put(&self.first_seq.to_le_bytes());
        put(&self.link.0);
        put(&self.previous_first_seq.to_le_bytes());
        put(&self.previous_end.to_le_bytes());
        put(&self.last_change.to_le_bytes());
        put(&self.last_at.0.to_le_bytes());
        put(&self.created_at.0.to_le_bytes());
        put(&self.length.to_le_bytes());
        let hash = sha256(&[&bytes[..HEADER_HASH_AT]]);
        bytes[HEADER_HASH_AT..].copy_from_slice(&hash.0);
        (bytes, hash)
    }

    /// Reads a sector; `None` when any bit of it is wrong.
    pub fn decode(bytes: &[u8]) -> Option<(Header, ChainHash)> {
        let bytes: &[u8; HEADER_LENGTH] = bytes.get(..HEADER_LENGTH)?.try_into().ok()?;
        let mut rest = &bytes[12..];
        let mut chain = [0; 16];
        chain.copy_from_slice(take(&mut rest, 16)?);
        let first_seq = take_u64(&mut rest)?;
        let mut link = [0; 32];
        link.copy_from_slice(take(&mut rest, 32)?);
        let header = Header {
            chain: ChainId(chain),
            why: Why::from_code(bytes[10])?,
            first_seq,
            link: ChainHash(link),
            previous_first_seq: take_u64(&mut rest)?,
            previous_end: take_u64(&mut rest)?,
            last_change: take_u64(&mut rest)?,
            last_at: UnixMillis(take_u64(&mut rest)? as i64),
            created_at: UnixMillis(take_u64(&mut rest)? as i64),
            length: take_u64(&mut rest)?,
        };
        let (expected, hash) = header.encode();
        (expected == *bytes).then_some((header, hash))
    }
}

impl Why {
    const fn code(self) -> u8 {
        match self {
            Why::First => 1,
            Why::Full => 2,
            Why::AfterFailure => 3,
        }
    }

    fn from_code(code: u8) -> Option<Why> {
        [Why::First, Why::Full, Why::AfterFailure].into_iter().find(|why| why.code() == code)
    }
}

/// Records on their way to the disk, laid out as they will stand there.
#[derive(Debug, Default)]
pub struct BatchBuffer {
    bytes: Vec<u8>,
    count: u16,
    at: UnixMillis,
    body_end: usize,
}

impl BatchBuffer {
    /// An empty one.
    pub fn new() -> BatchBuffer {
        BatchBuffer::default()
    }

    /// Adds a record that happened at `at`; false when it does not fit any more or is too long.
    pub fn push(&mut self, at: UnixMillis, payload: &[u8]) -> bool {
        if self.bytes.is_empty() {
            self.bytes.resize(BATCH_HEAD, 0);
            self.body_end = BATCH_HEAD;
        }
        self.bytes.truncate(self.body_end);
        let grown = self.body_end + RECORD_OVERHEAD + payload.len() + HASH;
        if grown > MAX_BATCH_BYTES
            || usize::from(self.count) == MAX_BATCH_RECORDS
            || payload.is_empty()
            || payload.len() > MAX_PAYLOAD
        {
            return false;
        }
        self.bytes.extend_from_slice(&(payload.len() as u16).to_le_bytes());
        self.bytes.extend_from_slice(payload);
        self.body_end = self.bytes.len();
        self.count += 1;
        self.at = self.at.max(at);
        true
    }

    /// How many records.
    pub fn count(&self) -> usize {
        usize::from(self.count)
    }

    /// The latest time of its records, Unix milliseconds.
    pub fn at(&self) -> UnixMillis {
        self.at
    }

    /// What it will take on disk, in bytes.
    pub fn length(&self) -> usize {
        self.body_end + HASH
    }

    /// The payloads, in order.
    pub fn payloads(&self) -> Payloads<'_> {
        Payloads { rest: self.bytes.get(BATCH_HEAD..self.body_end).unwrap_or_default() }
    }

    /// Makes room for the next batch, keeping the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        (self.count, self.at, self.body_end) = (0, UnixMillis(0), 0);
    }

    /// Fills in head and chain: the bytes to write, and the hash of the last record.
    pub fn seal(&mut self, first_seq: u64, at: UnixMillis, link: ChainHash) -> (&[u8], ChainHash) {
        self.bytes.truncate(self.body_end);
        let length = (self.body_end + HASH) as u32;
        let head = &mut self.bytes[..BATCH_HEAD];
        head[..4].copy_from_slice(&BATCH_MAGIC);
        head[4..8].copy_from_slice(&length.to_le_bytes());
        head[8..16].copy_from_slice(&first_seq.to_le_bytes());
        head[16..24].copy_from_slice(&at.0.to_le_bytes());
        head[24..26].copy_from_slice(&self.count.to_le_bytes());
        head[26..28].fill(0);
        let mut hash = link;
        for (seq, payload) in (first_seq..).zip(self.payloads()) {
            hash = record_hash(hash, seq, at, payload);
        }
        self.bytes.extend_from_slice(&hash.0);
        (&self.bytes, hash)
    }
}

/// A batch as it stands in a segment, its chain checked.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Number of its first record.
    pub first_seq: u64,
    /// Time of its records.
    pub at: UnixMillis,
    /// How many records.
    pub count: usize,
    /// Its length on disk.
    pub length: usize,
    /// What its first record is linked to.
    pub link: ChainHash,
    /// Hash of its last record.
    pub hash: ChainHash,
    records: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Reads the batch at the start of `bytes`, which must begin with record `seq` and link to `link`;
    /// `None` when it is not there, not whole, or not the one that belongs there.
    pub fn decode(bytes: &'a [u8], seq: u64, link: ChainHash) -> Option<Batch<'a>> {
        let head = BatchHead::decode(bytes)?;
        if head.first_seq != seq {
            return None;
        }
        let records = bytes.get(BATCH_HEAD..head.length - HASH)?;
        let stored = bytes.get(head.length - HASH..head.length)?;
        let mut hash = link;
        let mut payloads = Payloads { rest: records };
        for seq in seq..seq + head.count as u64 {
            hash = record_hash(hash, seq, head.at, payloads.next()?);
        }
        let whole = payloads.rest.is_empty() && stored == hash.0;
        let BatchHead { first_seq, at, count, length } = head;
        whole.then_some(Batch { first_seq, at, count, length, link, hash, records })
    }

    /// The payloads, in order.
    pub fn payloads(&self) -> Payloads<'a> {
        Payloads { rest: self.records }
    }

    /// Number, payload and hash of each record, in order.
    pub fn records(&self) -> impl Iterator<Item = (u64, &'a [u8], ChainHash)> + use<'a> {
        let (mut link, at) = (self.link, self.at);
        (self.first_seq..).zip(self.payloads()).map(move |(seq, payload)| {
            link = record_hash(link, seq, at, payload);
            (seq, payload, link)
        })
    }
}

/// Whether the head of a batch later than record `seq` stands at the start of `bytes`. Only one batch is
/// ever on its way to the disk, so behind a damaged one this can't be what a power cut left.
pub(crate) fn is_later_batch(bytes: &[u8], seq: u64) -> bool {
    let plausible = seq + 1..seq + (MAX_BATCH_BYTES + MAX_BATCH_RECORDS) as u64;
    BatchHead::decode(bytes).is_some_and(|head| plausible.contains(&head.first_seq))
}

struct BatchHead {
    first_seq: u64,
    at: UnixMillis,
    count: usize,
    length: usize,
}

impl BatchHead {
    fn decode(bytes: &[u8]) -> Option<BatchHead> {
        let mut rest = bytes.get(..BATCH_HEAD)?.strip_prefix(&BATCH_MAGIC)?;
        let length = u32::from_le_bytes(take(&mut rest, 4)?.try_into().ok()?) as usize;
        let first_seq = take_u64(&mut rest)?;
        let at = UnixMillis(take_u64(&mut rest)? as i64);
        let count = usize::from(u16::from_le_bytes(take(&mut rest, 2)?.try_into().ok()?));
        let fits = (1..=MAX_BATCH_RECORDS).contains(&count)
            && (BATCH_OVERHEAD + count * RECORD_OVERHEAD..=MAX_BATCH_BYTES).contains(&length);
        (fits && rest == [0, 0]).then_some(BatchHead { first_seq, at, count, length })
    }
}

/// The payloads of a batch.
#[derive(Debug, Clone)]
pub struct Payloads<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Payloads<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_le_bytes(*length));
        if length == 0 || length > rest.len() {
            return None;
        }
        let (payload, rest) = rest.split_at(length);
        self.rest = rest;
        Some(payload)
    }
}

fn record_hash(link: ChainHash, seq: u64, at: UnixMillis, payload: &[u8]) -> ChainHash {
    let mut front = [0; 48];
    front[..32].copy_from_slice(&link.0);
    front[32..40].copy_from_slice(&seq.to_le_bytes());
    front[40..].copy_from_slice(&at.0.to_le_bytes());
    sha256(&[&front, payload])
}

fn sha256(parts: &[&[u8]]) -> ChainHash {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    ChainHash(hash.finish())
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(take(rest, 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            chain: ChainId([7; 16]),
            why: Why::Full,
            first_seq: 42,
            link: ChainHash([9; 32]),
            previous_first_seq: 1,
            previous_end: 4711,
            last_change: 3,
            last_at: UnixMillis(5),
            created_at: UnixMillis(6),
            length: 65_536,
        }
    }

    #[test]
    fn a_header_reads_back_and_no_flipped_bit_does() {
        let (bytes, hash) = header().encode();
        assert_eq!(Header::decode(&bytes), Some((header(), hash)));
        for at in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[at / 8] ^= 1 << (at % 8);
            assert_eq!(Header::decode(&flipped), None, "bit {at}");
        }
    }

    #[test]
    fn a_batch_reads_back_and_no_flipped_bit_does() {
        let mut buffer = BatchBuffer::new();
        assert!(buffer.push(UnixMillis(10), b"one"));
        assert!(buffer.push(UnixMillis(9), b"another"));
        let (bytes, hash) = buffer.seal(8, UnixMillis(10), ChainHash([1; 32]));
        let bytes = bytes.to_vec();
        let batch = Batch::decode(&bytes, 8, ChainHash([1; 32])).unwrap();
        assert_eq!((batch.hash, batch.count, batch.length), (hash, 2, bytes.len()));
        assert_eq!(batch.payloads().collect::<Vec<_>>(), [&b"one"[..], b"another"]);
        assert_eq!(batch.records().last().unwrap().2, hash);
        for at in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert!(Batch::decode(&flipped, 8, ChainHash([1; 32])).is_none(), "bit {at}");
        }
        assert!(Batch::decode(&bytes, 9, ChainHash([1; 32])).is_none());
        assert!(Batch::decode(&bytes, 8, ChainHash([2; 32])).is_none());
        assert!(Batch::decode(&bytes[..bytes.len() - 1], 8, ChainHash([1; 32])).is_none());
    }

    #[test]
    fn a_batch_adds_at_most_sixty_bytes_and_holds_what_it_may() {
        assert_eq!(BATCH_OVERHEAD, 60);
        let mut buffer = BatchBuffer::new();
        assert!(!buffer.push(UnixMillis(0), &[]));
        assert!(!buffer.push(UnixMillis(0), &vec![0; MAX_PAYLOAD + 1]));
        while buffer.push(UnixMillis(0), &vec![1; MAX_PAYLOAD]) {}
        assert!(buffer.length() <= MAX_BATCH_BYTES);
        buffer.clear();
        while buffer.push(UnixMillis(0), b"x") {}
        assert_eq!(buffer.count(), MAX_BATCH_RECORDS);
    }

    #[test]
    fn hashes_are_read_as_they_are_shown() {
        let hash = ChainHash([0xAB; 32]);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(hash.to_string().to_uppercase().parse::<ChainHash>(), Err(NotHex));
        assert_eq!("".parse::<ChainId>(), Err(NotHex));
    }
}
