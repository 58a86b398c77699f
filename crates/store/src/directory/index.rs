//! From an id to its number, without keeping the id a second time.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

const SHARDS: usize = 256;

/// Numbers by the hash of their id, in shards that snapshots share. Whether a number is the right one
/// is asked of the records.
#[derive(Clone, Default)]
pub(super) struct Index {
    hasher: DefaultHashBuilder,
    shards: Vec<Arc<HashTable<Entry>>>,
}

/// The hash is kept beside the number: growing a shard must not have to look the ids up.
#[derive(Clone, Copy)]
struct Entry {
    hash: u32,
    no: u32,
}

impl Index {
    pub(super) fn find(&self, id: &str, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let hash = self.hasher.hash_one(id);
        let shard = self.shards.get(shard_of(hash))?;
        let entry = shard.find(spread(hash as u32), |entry| entry.hash == hash as u32 && is_it(entry.no))?;
        Some(entry.no)
    }

    pub(super) fn insert(&mut self, id: &str, no: u32) {
        let hash = self.hasher.hash_one(id);
        if self.shards.is_empty() {
            self.shards = vec![Arc::default(); SHARDS];
        }
        let shard = Arc::make_mut(&mut self.shards[shard_of(hash)]);
        let entry = Entry { hash: hash as u32, no };
        shard.insert_unique(spread(entry.hash), entry, |entry| spread(entry.hash));
    }

    pub(super) fn remove(&mut self, id: &str, no: u32) {
        let hash = self.hasher.hash_one(id);
        let Some(shard) = self.shards.get_mut(shard_of(hash)) else { return };
        if let Ok(entry) = Arc::make_mut(shard).find_entry(spread(hash as u32), |entry| entry.no == no) {
            entry.remove();
        }
    }
}

fn shard_of(hash: u64) -> usize {
    (hash >> 56) as usize % SHARDS
}

/// The table looks at the highest bits of 64; these are made from the 32 that are kept.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_finds_its_own_number_and_no_other() {
        let ids: Vec<String> = (0..5_000).map(|no| format!("con.{no}")).collect();
        let mut index = Index::default();
        for (no, id) in ids.iter().enumerate() {
            index.insert(id, no as u32);
        }
        let before = index.clone();
        index.remove("con.77", 77);
        for (no, id) in ids.iter().enumerate() {
            let found = index.find(id, |candidate| ids[candidate as usize] == *id);
            assert_eq!(found, (no != 77).then_some(no as u32));
        }
        assert_eq!(before.find("con.77", |no| no == 77), Some(77));
        assert_eq!(index.find("nobody", |_| false), None);
    }
}
