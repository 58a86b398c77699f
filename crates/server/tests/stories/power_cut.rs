//! A power cut leaves a half-written batch, or more than it can have left.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use crate::support::Server;
use crate::town::{Town, status};

fn segment(town: &Town) -> PathBuf {
    let folder = fs::read_dir(town.folder.path().join("journal")).unwrap();
    let mut logs: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    logs.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.sort();
    logs.pop().unwrap()
}

/// Where the last byte that is not zero stands.
fn end(path: &PathBuf) -> u64 {
    fs::read(path).unwrap().iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1
}

#[test]
fn a_half_written_batch_is_cut_and_the_server_starts() {
    let town = Town::new();
    let (_, headers) = town.secret();
    let path = segment(&town);
    let sound = end(&path);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xa5; 100], sound + 3).unwrap();
    let server = Server::start(&mut town.serve());
    assert_eq!(status(&server.ask("POST /token/CON1", &headers)), 200);
    assert_eq!(server.stop("TERM").0, Some(0));
    let issued = town.folder.done("audit export").stdout;
    assert!(issued.contains("\"kind\":\"issued\"") || issued.contains("\"kind\": \"issued\""), "{issued}");
    town.folder.done("audit verify");
}

#[test]
fn what_a_power_cut_can_not_have_done_is_an_integrity_error() {
    let town = Town::new();
    let (_, headers) = town.secret();
    let server = Server::start(&mut town.serve());
    for _ in 0..5 {
        assert_eq!(status(&server.ask("POST /token/CON1", &headers)), 200);
    }
    assert_eq!(server.stop("TERM").0, Some(0));
    let path = segment(&town);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    // The last batch was covered by the head that was signed at the stop.
    let last = end(&path);
    file.write_all_at(&[0; 40], last - 40).unwrap();
    town.folder.run("audit verify").ends_with(3);
    let refused = town.folder.run("serve --listen 127.0.0.1:0").ends_with(3);
    assert!(!refused.stderr.is_empty());
}
