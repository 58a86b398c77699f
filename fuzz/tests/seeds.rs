//! Every target on its seeds, on small changes to them, and on what the fuzzer found so far.

#![expect(clippy::unwrap_used, reason = "a test that can't read its seeds has failed")]

use std::fs;
use std::path::Path;

/// Changed copies made of every seed.
const CHANGES: u32 = 1_000;

#[test]
fn forms_are_read_or_refused() {
    run("form", procura_fuzz::form);
}

#[test]
fn authorization_headers_are_read_or_refused() {
    run("basic", procura_fuzz::basic);
}

#[test]
fn certificates_that_a_proxy_tells_are_read_in_one_way_or_not_at_all() {
    run("client_cert", procura_fuzz::client_cert);
}

#[test]
fn tokens_verify_only_when_the_right_key_signed_them() {
    run("jwt", procura_fuzz::jwt);
}

#[test]
fn assertions_prove_only_what_the_right_key_signed_for_this_server_now() {
    run("assertion", procura_fuzz::assertion);
}

#[test]
fn proofs_of_possession_are_taken_once_for_one_request_and_one_key() {
    run("dpop", procura_fuzz::dpop);
}

#[test]
fn journals_are_read_or_their_damage_is_told() {
    run("journal", procura_fuzz::journal);
}

#[test]
fn imported_files_are_read_or_refused_row_by_row() {
    run("csv", procura_fuzz::csv);
}

#[test]
fn changes_of_contacts_are_read_or_refused() {
    run("update", procura_fuzz::update);
}

#[test]
fn streams_of_revocations_are_believed_or_cut_off() {
    run("events", procura_fuzz::events);
}

#[test]
fn certificates_and_names_are_read_or_refused() {
    run("certificate", procura_fuzz::certificate);
}

#[test]
fn original_uris_are_read_in_one_way_or_refused() {
    run("uri", procura_fuzz::uri);
}

#[test]
fn lists_of_proxies_are_read_in_one_way_or_refused() {
    run("forwarded", procura_fuzz::forwarded);
}

fn run(name: &str, target: fn(&[u8]) -> bool) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let seeds = inputs(&here.join("seeds").join(name));
    assert!(!seeds.is_empty(), "{name} has no seeds");
    let read = seeds.iter().filter(|seed| target(seed)).count();
    assert!(read > 0, "no seed of {name} is read to the end");
    assert!(read < seeds.len(), "no seed of {name} is refused");
    for found in inputs(&here.join("corpus").join(name)) {
        target(&found);
    }
    for (number, seed) in (0..).zip(&seeds) {
        let mut dice = Dice(number);
        for _ in 0..CHANGES {
            target(&changed(seed, &seeds, &mut dice));
        }
    }
}

fn inputs(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(files) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

/// A copy with one to four changes: a flipped bit, a byte gone, put in or repeated, an end cut off, a
/// piece of another seed.
fn changed(seed: &[u8], seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.insert(at, dice.below(256) as u8),
            3 => bytes.truncate(at),
            4 => {
                let repeated = bytes[at..].to_vec();
                bytes.extend(repeated);
            }
            _ => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len() + 1);
                bytes.splice(at..at, other[from..].iter().copied());
            }
        }
    }
    bytes
}

/// The same throws in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}
