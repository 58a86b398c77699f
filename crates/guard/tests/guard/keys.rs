//! Keys over the network: ahead of time, single flight, bounded, and away.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Uri};
use procura_guard::{Guard, Incoming, Jwks, JwtError, Refusal, TokenFault, Unavailable};
use tokio::time::{advance, sleep};

use crate::fake::{Server, Signer, now};

async fn judged(guard: &Guard, token: &str) -> Result<(), Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    let uri = Uri::from_static("/");
    guard.check_token(&Incoming::new("GET", &uri, &headers)).await.map(drop)
}

/// What a token gets that verifies while no marks were ever told.
const VERIFIED: Result<(), Refusal> = Err(Refusal::Unavailable(Unavailable::Marks));
const UNKNOWN: Result<(), Refusal> = Err(Refusal::Token(TokenFault::Jwt(JwtError::KidUnknown)));
const NO_KEYS: Result<(), Refusal> = Err(Refusal::Unavailable(Unavailable::Keys));

fn document(keys: &Jwks) -> String {
    serde_json::to_string(keys).unwrap()
}

#[tokio::test(start_paused = true)]
async fn without_keys_nothing_passes_and_they_are_asked_for_again() {
    let signer = Signer::new();
    let (server, _streams) = Server::new(&signer.keys());
    for (status, body) in [(0, ""), (404, "{}"), (200, "<html>"), (200, r#"{"keys":[]}"#), (302, "")] {
        server.serve_keys(status, body);
        let (guard, _) = Server::connect(&server);
        sleep(Duration::from_secs(10)).await;
        assert_eq!(judged(&guard, &signer.token()).await, NO_KEYS, "{status} {body}");
        server.serve_keys(200, &document(&signer.keys()));
        sleep(Duration::from_secs(60)).await;
        assert_eq!(judged(&guard, &signer.token()).await, VERIFIED, "{status} {body}");
    }
    server.serve_keys(200, &format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(256 * 1024)));
    let (guard, _) = Server::connect(&server);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(judged(&guard, &signer.token()).await, NO_KEYS, "too large");
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_ahead_of_time_and_kept_while_the_server_is_away() {
    let signer = Signer::new();
    let (server, _streams) = Server::new(&signer.keys());
    let (guard, _) = Server::connect(&server);
    sleep(Duration::from_secs(1_000)).await;
    let asked = server.key_requests.lock().unwrap().clone();
    let gaps: Vec<u64> = asked.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert_eq!(gaps, [240; 4], "four fifths of 300 s");
    server.serve_keys(0, "");
    sleep(Duration::from_secs(23 * 3_600)).await;
    assert_eq!(judged(&guard, &signer.token()).await, VERIFIED);
    sleep(Duration::from_secs(2 * 3_600)).await;
    assert_eq!(judged(&guard, &signer.token()).await, NO_KEYS, "a day is the bound");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_tokens_of_a_new_key_cause_one_fetch_and_strangers_cause_few() {
    let (old, new) = (Signer::new(), Signer::new());
    let (server, _streams) = Server::new(&old.keys());
    let (guard, _) = Server::connect(&server);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(judged(&guard, &old.token()).await, VERIFIED);
    server.serve_keys(200, &document(&new.keys()));
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (guard, token) = (guard.clone(), new.token());
            tokio::spawn(async move { judged(&guard, &token).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), VERIFIED);
    }
    assert_eq!(server.key_requests.lock().unwrap().len(), 2);
    assert_eq!(judged(&guard, &old.token()).await, UNKNOWN, "its key is withdrawn");

    let (began, stranger) = (now(), Signer::new().token());
    let before = server.key_requests.lock().unwrap().len();
    while now() - began < Duration::from_secs(60) {
        assert_eq!(judged(&guard, &stranger).await, UNKNOWN);
        advance(Duration::from_millis(10)).await;
    }
    let caused = server.key_requests.lock().unwrap().len() - before;
    assert!((6..=12).contains(&caused), "{caused} fetches in a minute");
}

#[tokio::test(start_paused = true)]
async fn a_caller_waits_for_an_unknown_key_a_few_seconds_at_most() {
    let signer = Signer::new();
    let (server, _streams) = Server::new(&signer.keys());
    let (guard, _) = Server::connect(&server);
    sleep(Duration::from_secs(30)).await;
    server.serve_keys(0, "");
    let began = now();
    assert_eq!(judged(&guard, &Signer::new().token()).await, UNKNOWN);
    assert!(now() - began < Duration::from_secs(6));
}
