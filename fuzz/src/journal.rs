use std::sync::Arc;

use procura_protocol::time::UnixMillis;
use procura_storage::journal::format::{Header, Why};
use procura_storage::journal::sim::SimDisk;
use procura_storage::journal::{
    BatchBuffer, ChainHash, ChainId, Disk as _, Entry, JournalError, Reader, codec,
};

/// The only segment, and its length: room for whatever fits into an input.
const SEGMENT: &str = "00000000000000000001.log";
const LENGTH: usize = 16 * 1024;
const MOST_INPUT: usize = 8 * 1024;
const MOST_RECORDS: usize = 64;

/// Three readings of the same bytes: as a record's payload; as what stands in a segment behind a good
/// header; and as a segment that was written and then changed (a byte that says how many bytes to change,
/// three for each change, then the payloads, one a line).
///
/// A payload that was read is written the same. Of a changed segment nothing is read but records that
/// were written, from the first on without a gap. Whether everything that was written was read.
pub fn journal(data: &[u8]) -> bool {
    let data = &data[..data.len().min(MOST_INPUT)];
    if let Ok(record) = codec::decode(data) {
        let mut again = Vec::new();
        codec::encode(&record, &mut again);
        assert_eq!(again, data, "a payload has two forms");
    }
    let (entries, _) = read(&segment(data));
    assert!(entries.len() <= data.len(), "more records than bytes");
    written_and_changed(data)
}

fn written_and_changed(data: &[u8]) -> bool {
    let split =
        data.split_first().and_then(|(count, rest)| rest.split_at_checked(usize::from(count % 4) * 3));
    let Some((changes, lines)) = split else {
        return false;
    };
    let lines = lines.split(|byte| *byte == b'\n');
    let payloads: Vec<&[u8]> = lines.filter(|line| !line.is_empty()).take(MOST_RECORDS).collect();

    let untouched = segment(&batches(&payloads));
    let mut file = untouched.clone();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % file.len();
        file[at] ^= change[2];
    }
    let (entries, failure) = read(&file);
    assert!(entries.len() <= payloads.len(), "a record that nobody wrote");
    for ((seq, payload), entry) in (1..).zip(&payloads).zip(&entries) {
        assert_eq!((entry.seq, entry.payload.as_slice()), (seq, *payload), "a changed record was read");
    }
    if file != untouched {
        return false;
    }
    assert!(failure.is_none(), "what was written can't be read: {failure:?}");
    assert_eq!(entries.len(), payloads.len(), "a record is missing");
    !payloads.is_empty()
}

/// The payloads in two batches, linked to the segment's header.
fn batches(payloads: &[&[u8]]) -> Vec<u8> {
    let (_, mut link) = header().encode();
    let (mut bytes, mut seq) = (Vec::new(), 1);
    for part in payloads.chunks(payloads.len().div_ceil(2).max(1)) {
        let mut buffer = BatchBuffer::new();
        for payload in part {
            assert!(buffer.push(UnixMillis(1), payload), "a payload does not fit");
        }
        let (batch, last) = buffer.seal(seq, UnixMillis(1), link);
        bytes.extend_from_slice(batch);
        link = last;
        seq += part.len() as u64;
    }
    bytes
}

fn segment(behind_the_header: &[u8]) -> Vec<u8> {
    let mut file = header().encode().0.to_vec();
    file.extend_from_slice(behind_the_header);
    file.resize(LENGTH, 0);
    file
}

fn header() -> Header {
    Header {
        chain: ChainId([7; 16]),
        why: Why::First,
        first_seq: 1,
        link: ChainHash::default(),
        previous_first_seq: 0,
        previous_end: 0,
        last_change: 0,
        last_at: UnixMillis(0),
        created_at: UnixMillis(1),
        length: LENGTH as u64,
    }
}

/// What a reader sees, and what stopped it before the end.
fn read(file: &[u8]) -> (Vec<Entry>, Option<JournalError>) {
    let disk = SimDisk::new(0);
    assert!(disk.create_folder().is_ok());
    disk.put(SEGMENT, file);
    let entries = match Reader::new(Arc::new(disk)).entries(1) {
        Ok(entries) => entries,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut read = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => read.push(entry),
            Err(error) => return (read, Some(error)),
        }
    }
    (read, None)
}
