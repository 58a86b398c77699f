//! Contract, chapter 2: the contacts that an application can get a token for.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use http::header::AUTHORIZATION;
use http_body_util::BodyExt;
use procura_store::journal::RefusalCause;
use procura_store::records::ContactNo;
use procura_testkit::app::basic;
use procura_testkit::world::{
    APPLICATION, COLLEAGUE, CONTACT, SECRET, UNTRUSTED, UNTRUSTED_SECRET, contact, mandate,
};
use procura_testkit::{Answer, TestApp, World};
use serde_json::json;

use crate::defects::{OutOfRule, world_with};
use crate::support::{assert_refused, last_refusal, list, without_body};

fn asking_for_the_list(id: &str, secret: &str) -> Request<Body> {
    without_body(Request::get("/info/available-contacts").header(AUTHORIZATION, basic(id, secret)))
}

fn data(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let ids = answer.json()["data"].as_array().unwrap().clone();
    ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// The world with so many more contacts of the first client.
fn crowded(more: u32) -> World {
    let mut world = World::default();
    let others = (0..more).map(|n| (ContactNo(10 + n), contact(&format!("p.{n:05}"), vec![mandate(1, "")])));
    world.contacts.extend(others);
    world
}

#[tokio::test]
async fn the_list_is_one_object_with_the_contact_ids_as_data() {
    let answer = list(&TestApp::new(&World::default()), "").await;
    assert_eq!(answer.json(), json!({"data": [CONTACT, COLLEAGUE]}));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn with_nobody_to_act_for_the_list_is_empty() {
    let answer = list(&TestApp::new(&World::default().without_trusts()), "").await;
    assert_eq!(answer.json(), json!({"data": []}));
}

#[tokio::test]
async fn the_list_is_sorted_by_id_and_names_nobody_twice() {
    let mut world = World::default();
    for (no, id) in [(7, "Zoe"), (8, "a"), (9, "10"), (5, "9"), (6, "_x"), (4, "-x")] {
        world.contacts.push((ContactNo(no), contact(id, vec![mandate(1, ""), mandate(2, "")])));
    }
    let app = TestApp::new(&world);
    assert_eq!(data(&list(&app, "").await), ["-x", "10", "9", "Zoe", "_x", "a", CONTACT, COLLEAGUE]);
}

#[tokio::test]
async fn whoever_is_listed_gets_a_token_and_whoever_is_not_gets_none() {
    for defect in OutOfRule::ALL {
        let mut world = world_with(&[]);
        defect.put_into(&mut world, &[1, 3]);
        for clients in [vec![2], vec![]] {
            defect.put_into(&mut world, &clients);
            let app = TestApp::new(&world);
            let listed = data(&list(&app, "").await);
            for contact in [CONTACT, COLLEAGUE, "con.nobody"] {
                let status = app.token_for(contact, "").await.status;
                assert_eq!(listed.iter().any(|id| id == contact), status == 200, "{defect:?}, {contact}");
            }
        }
    }
}

#[tokio::test]
async fn a_contact_without_a_client_left_is_not_listed_in_whatever_way_the_rule_misses() {
    for defect in OutOfRule::ALL {
        let app = TestApp::new(&world_with(&[defect]));
        assert!(!data(&list(&app, "").await).contains(&CONTACT.to_owned()), "{defect:?}");
    }
}

#[tokio::test]
async fn windows_are_looked_at_now() {
    let mut world = World::default();
    OutOfRule::TrustNotYet.put_into(&mut world, &[1, 2, 3]);
    let app = TestApp::new(&world);
    assert!(data(&list(&app, "").await).is_empty());
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(data(&list(&app, "").await), [CONTACT, COLLEAGUE]);
}

#[tokio::test]
async fn an_application_that_is_not_trusted_is_an_unauthorized_client_and_that_is_on_record() {
    let app = TestApp::new(&World::default());
    let answer = app.send(asking_for_the_list(UNTRUSTED, UNTRUSTED_SECRET)).await;
    assert_refused(&answer, 400, "unauthorized_client");
    assert_eq!(last_refusal(&app).cause, RefusalCause::NotTrusted);
    assert_eq!(last_refusal(&app).reference.to_string(), answer.header("procura-reference"));
}

#[tokio::test]
async fn wrong_or_no_credentials_are_an_invalid_client() {
    let app = TestApp::new(&World::default());
    assert_refused(&app.send(asking_for_the_list(APPLICATION, "pcs_wrong")).await, 401, "invalid_client");
    assert_refused(&app.send(asking_for_the_list("app_nobody", SECRET)).await, 401, "invalid_client");
    assert_refused(&app.send(crate::support::get("/info/available-contacts")).await, 401, "invalid_client");
}

#[tokio::test]
async fn a_bad_query_is_told_before_wrong_credentials() {
    let app = TestApp::new(&World::default());
    let answer = app.send(crate::support::get("/info/available-contacts?page=0")).await;
    assert_refused(&answer, 400, "invalid_request");
}

#[tokio::test]
async fn a_long_list_comes_in_pieces_and_is_whole() {
    let app = TestApp::new(&crowded(5_000));
    let mut body = app.begin(asking_for_the_list(APPLICATION, SECRET)).await.into_body();
    let (mut pieces, mut whole) = (0, Vec::new());
    while let Some(frame) = body.frame().await {
        let piece = frame.unwrap().into_data().unwrap();
        assert!(piece.len() <= 17 * 1024, "a piece of {} bytes", piece.len());
        pieces += 1;
        whole.extend_from_slice(&piece);
    }
    assert!(pieces > 3, "{pieces}");
    let list: serde_json::Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(list["data"].as_array().unwrap().len(), 5_002);
}

#[tokio::test(start_paused = true)]
async fn a_second_list_waits_ten_seconds_for_the_first_and_is_then_told_to_come_back() {
    let app = TestApp::new(&World::default());
    let first = app.begin(asking_for_the_list(APPLICATION, SECRET)).await;
    assert_refused(&list(&app, "").await, 503, "temporarily_unavailable");
    drop(first);
    assert_eq!(list(&app, "").await.status, 200, "a caller that went away holds nothing");
}

#[tokio::test(start_paused = true)]
async fn the_list_of_another_application_does_not_wait() {
    let mut world = World::default();
    world.applications[1].trusted = true;
    let app = TestApp::new(&world);
    let _first = app.begin(asking_for_the_list(APPLICATION, SECRET)).await;
    assert_eq!(app.send(asking_for_the_list(UNTRUSTED, UNTRUSTED_SECRET)).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn whose_secret_is_taken_away_while_a_list_waits_has_to_come_again() {
    let app = TestApp::new(&World::default());
    let first = app.begin(asking_for_the_list(APPLICATION, SECRET)).await;
    let second = tokio::spawn({
        let service = app.service();
        async move {
            let request = asking_for_the_list(APPLICATION, SECRET);
            tower::ServiceExt::oneshot(service, request).await.unwrap()
        }
    });
    tokio::task::yield_now().await;
    app.store.set(World::default().application(|application| application.secrets.clear()).publish());
    drop(first);
    assert_eq!(second.await.unwrap().status(), 503);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_had_to_wait_is_decided_on_the_directory_of_its_turn() {
    let app = TestApp::new(&World::default());
    let first = app.begin(asking_for_the_list(APPLICATION, SECRET)).await;
    let second = tokio::spawn({
        let service = app.service();
        async move {
            let request = asking_for_the_list(APPLICATION, SECRET);
            tower::ServiceExt::oneshot(service, request).await.unwrap()
        }
    });
    tokio::task::yield_now().await;
    app.store.set(World::default().without_trusts().publish());
    drop(first);
    let body = second.await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, r#"{"data":[]}"#);
}
