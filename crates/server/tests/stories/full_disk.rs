//! The disk is full for real: the process is under a file size limit.

use std::process::Command;

use crate::support::Server;
use crate::town::{Town, ask_until, status};

/// Bytes. Below the journal's first segment, which was made before; above everything else.
const LIMIT: u32 = 512 * 1024;

#[test]
fn a_full_disk_is_answered_503_without_a_token_and_is_over_when_there_is_room() {
    let town = Town::new();
    let (_, headers) = town.secret();
    let plain = town.serve();
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--fsize={LIMIT}:unlimited")).arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let server = Server::start(&mut limited);
    assert_eq!(status(&server.ask("POST /token/CON1", &headers)), 200);

    // Eight callers fill it; each stops at its first 503.
    let full: Vec<String> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8).map(|_| scope.spawn(|| ask_until(&server, &headers, 503))).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    for answer in &full {
        assert!(answer.contains("temporarily_unavailable") && answer.contains("retry-after: "), "{answer}");
        assert!(!answer.contains("access_token"), "{answer}");
    }
    let ready = server.ask("GET /health/ready", "");
    assert_eq!(status(&ready), 503, "{ready}");
    assert_eq!(status(&server.ask("GET /health/live", "")), 200);

    // Room again, and nobody restarts anything.
    let pid = server.pid().to_string();
    let raised =
        Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited:unlimited"]).status().unwrap();
    assert!(raised.success());
    ask_until(&server, &headers, 200);
    assert_eq!(server.stop("TERM").0, Some(0));
    town.folder.done("audit verify");
}
