//! The rule against an independent, naive model.
//!
//! The model knows nothing of snapshots, numbers, pages or look-ups: it walks plain lists of plain
//! values and reads the rule as it is written in the documents, line by line. Where the two differ on a
//! generated directory and request, one of them is wrong.

#![expect(clippy::unwrap_used, reason = "a test that can not go on stops")]

mod generate;
mod model;

use procura_engine::rule;
use procura_protocol::time::UnixSeconds;
use procura_testkit::random::SeededRandom;
use procura_testkit::{TestApp, app::token_request};

use generate::Case;
use model::{Expected, Listed};

/// Generated directories; each is asked several times.
const DIRECTORIES: u64 = 2_500;
const QUESTIONS: u64 = 8;

#[test]
fn the_rule_leaves_exactly_the_clients_that_the_naive_model_leaves() {
    let (mut granted, mut refused) = (0, 0);
    for seed in 0..DIRECTORIES {
        let random = SeededRandom::new(seed);
        let plain = generate::directory(&random);
        let directory = plain.publish();
        for _ in 0..QUESTIONS {
            let Case { application, contact, now, .. } = generate::case(&random, &plain);
            let expected = model::allowed(&plain, &application, &contact, now);
            let found = directory.application(&application).filter(|found| found.active && found.trusted);
            let real: Vec<Listed> = found
                .and_then(|found| {
                    rule::allowed_clients(&directory, found, directory.contact(&contact), UnixSeconds(now))
                        .ok()
                })
                .unwrap_or_default()
                .iter()
                .map(|client| Listed {
                    client: client.client.id.to_string(),
                    permissions: client.permissions.iter().map(|one| one.name().to_owned()).collect(),
                    until: client.until.map(|until| until.0),
                })
                .collect();
            assert_eq!(real, expected, "seed {seed}, {application}, {contact}, {now}\n{plain:#?}");
            if real.is_empty() { refused += 1 } else { granted += 1 }
        }
    }
    // Generated directories that only ever refuse, or only ever grant, would show nothing.
    assert!(granted > 3_000 && refused > 3_000, "{granted} granted, {refused} refused");
}

#[tokio::test]
async fn a_whole_request_gets_exactly_what_the_naive_model_gives() {
    let mut seen = [0_u32; 5];
    for seed in 0..DIRECTORIES {
        let random = SeededRandom::new(1_000_000 + seed);
        let plain = generate::directory(&random);
        let app = TestApp::new(&procura_testkit::World::default());
        app.store.set(plain.publish());
        for _ in 0..4 {
            let case = generate::case(&random, &plain);
            let now = procura_testkit::clock::BEGINNING.0;
            let case = Case { now, ..case };
            let answer = app.send(request(&case)).await;
            let expected = model::answer(&plain, &case);
            seen[expected.kind()] += 1;
            match expected {
                Expected::Refused { status, error } => {
                    let was = (answer.status.as_u16(), answer.text("error"));
                    assert_eq!(was, (status, error.to_owned()), "seed {seed} {case:?}\n{plain:#?}");
                }
                Expected::Granted { clients, expires_at } => {
                    assert_eq!(answer.status.as_u16(), 200, "seed {seed} {case:?}\n{plain:#?}");
                    let (id, access) = (app.id_token(&answer), app.access_token(&answer));
                    assert_eq!(id["exp"], expires_at);
                    assert_eq!(access["exp"], expires_at);
                    assert_eq!(answer.text("expires_in"), (expires_at - now).to_string());
                    assert_eq!(listed(&id, &access), clients, "seed {seed} {case:?}\n{plain:#?}");
                }
            }
        }
    }
    assert!(seen.iter().all(|times| *times > 20), "every outcome comes up: {seen:?}");
}

fn request(case: &Case) -> http::Request<axum::body::Body> {
    let mut request = token_request(&case.contact, &case.form());
    let secret = procura_testkit::app::basic(&case.application, generate::SECRET);
    if let Ok(secret) = secret.parse() {
        request.headers_mut().insert(http::header::AUTHORIZATION, secret);
    }
    request
}

/// The clients of the ID token with the permissions of the access token.
fn listed(id: &serde_json::Value, access: &serde_json::Value) -> Vec<(String, Vec<String>)> {
    let texts = |value: &serde_json::Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let groups: Vec<_> = access["mandates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| (texts(&group["clients"]), texts(&group["permissions"])))
        .collect();
    let of = |client: &str| {
        let mut found = groups.iter().filter(|(clients, _)| clients.iter().any(|one| one == client));
        let (_, permissions) = found.next().unwrap();
        assert!(found.next().is_none(), "{client} is in two groups");
        permissions.clone()
    };
    let ids = id["clients"].as_array().unwrap().iter().map(|client| client["client_id"].as_str().unwrap());
    let listed: Vec<_> = ids.map(|client| (client.to_owned(), of(client))).collect();
    assert_eq!(listed.len(), groups.iter().map(|(clients, _)| clients.len()).sum::<usize>());
    listed
}
