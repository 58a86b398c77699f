//! How a run ends when it is the adapter, or the server's set-up, that has to change.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;

use procura_adversary::adapter::{Draft, Values};
use procura_adversary::cli::{self, Arguments, Failure};
use procura_adversary::run::{self, Ended};
use procura_adversary::{World, cases};
use tempfile::TempDir;

const OPAQUE: &str = r#"{"access_token":"opaque","token_type":"Bearer","expires_in":60}"#;

#[test]
fn opaque_tokens_that_the_adapter_does_not_announce_are_no_attack_that_succeeded() {
    let failure = ends(&adapter(&server("200 OK", OPAQUE), ""));
    assert!(matches!(&failure, Failure::Usage(why) if why.contains("from = \"introspection\"")), "{failure}");
}

#[test]
fn a_server_that_limits_honest_requests_ends_the_run() {
    let failure = ends(&adapter(&server("429 Too Many Requests", ""), ""));
    assert!(matches!(&failure, Failure::Setup(why) if why.contains("limits off")), "{failure}");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let failure = ends(&adapter("http://127.0.0.1:1", ""));
    assert!(matches!(&failure, Failure::Setup(why) if why.contains("http://127.0.0.1:1/token")), "{failure}");
}

#[test]
fn a_command_that_gives_no_subject_for_the_honest_request_is_a_setup_that_failed() {
    let doors =
        "[contacts.allowed]\nid = \"alice\"\n[doors.token_exchange]\nsubject = { command = [\"false\"] }\n";
    let failure = ends(&adapter(&server("200 OK", OPAQUE), doors));
    assert!(matches!(&failure, Failure::Setup(why) if why.contains("doors.token_exchange")), "{failure}");
}

#[test]
fn a_command_that_gives_no_subject_for_another_contact_skips_its_cases() {
    let doors = "[contacts.allowed]\nid = \"alice\"\n[contacts.unknown]\nid = \"nobody\"\n[doors.token_exchange]\n\
                 subject = { command = [\"test\", \"{contact_id}\", \"=\", \"alice\"] }\n";
    for (id, ended) in run_all(&adapter(&server("200 OK", OPAQUE), doors)) {
        if id.starts_with("unknown-contact") && id.ends_with("-at-token-exchange") {
            assert!(
                matches!(&ended, Ended::Skip { reason } if reason.contains("subject")),
                "{id}: {ended:?}"
            );
        }
    }
}

#[test]
fn a_refused_honest_request_shows_nothing_and_says_so() {
    let refused = server("401 Unauthorized", r#"{"error":"invalid_client"}"#);
    let outcomes = run_all(&adapter(&refused, ""));
    let (id, ended) = outcomes.iter().find(|(id, _)| id == "expires-in-at-client-credentials").unwrap();
    let Ended::Fail { came, nothing_shown: true, .. } = ended else { panic!("{id}: {ended:?}") };
    assert_eq!(came, "nothing was shown: the honest request was answered 401 invalid_client");
}

#[test]
fn a_report_that_can_not_be_written_is_found_before_the_attacks() {
    let (folder, file) = adapter(&server("200 OK", OPAQUE), "");
    let mut arguments = arguments(&file);
    arguments.junit = Some(folder.path().join("nowhere/report.xml"));
    let failure = cli::main(&arguments, None).unwrap_err();
    assert!(matches!(&failure, Failure::Usage(why) if why.contains("nowhere/report.xml")), "{failure}");
}

#[test]
fn a_listed_case_tells_its_door() {
    let all = cases::all();
    let list = procura_adversary::report::list(&all, false);
    assert!(list.contains("\n    client_credentials; RFC 6749 5.1\n"));
}

fn ends((_folder, file): &(TempDir, PathBuf)) -> Failure {
    cli::main(&arguments(file), None).unwrap_err()
}

fn run_all((_folder, file): &(TempDir, PathBuf)) -> Vec<(String, Ended)> {
    let world = World::new(Draft::read(file).unwrap().fill(&Values::default()).unwrap()).unwrap();
    let all = cases::all();
    let wanted = |id: &str| id.starts_with("unknown-contact") || id.starts_with("expires-in-at-");
    let report = run::run(&world, all.iter().filter(|case| wanted(&case.id)), |_| {}).unwrap();
    report.cases.into_iter().map(|outcome| (outcome.id, outcome.ended)).collect()
}

fn arguments(file: &std::path::Path) -> Arguments {
    Arguments {
        adapter: Some(file.to_owned()),
        values: Vec::new(),
        only: Vec::new(),
        door: Vec::new(),
        list: false,
        json: true,
        junit: None,
        fail_on_skip: false,
    }
}

/// An adapter with an application's own door, and more.
fn adapter(base: &str, more: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("adapter.toml");
    let text = format!(
        "name = \"Other\"\nissuer = \"{base}\"\n[endpoints]\ntoken = \"{base}/token\"\n[doors.client_credentials]\n\
         [applications.main]\nid = \"main\"\nsecret = \"made-up\"\n{more}"
    );
    std::fs::write(&file, text).unwrap();
    (folder, file)
}

/// Answers everything with this.
fn server(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 16 * 1024]);
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}");
            let _ = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes());
            let _ = stream.shutdown(std::net::Shutdown::Write);
            while matches!(stream.read(&mut [0; 1024]), Ok(1..)) {}
        }
    });
    base
}
