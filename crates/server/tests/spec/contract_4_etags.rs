//! Contract, chapter 4: `ETag`, `If-Match`, `If-None-Match`, and changes that meet.

use std::sync::Arc;

use http::Request;
use procura_protocol::permission::Permission;
use procura_store::administration::Administration as _;
use procura_store::change::Entity;
use procura_testkit::{Answer, DiskApp};
use tokio::task::JoinSet;

use crate::contract_4_world::{
    ADA, ALDER, BEN, app, assert_done, assert_error, get, held, mandate, patch, patching, path, person_token,
    token, with_token,
};
use crate::support::without_body;

async fn tag(app: &DiskApp, token: &str, contact: &str) -> String {
    let answer = get(app, token, &path(contact)).await;
    assert_eq!(answer.status, 200);
    answer.header("etag").to_owned()
}

async fn patch_if(app: &DiskApp, token: &str, body: &str, matches: &[&str]) -> Answer {
    let headers: Vec<_> = matches.iter().map(|tag| ("if-match", *tag)).collect();
    app.send(patching(token, BEN, body, &headers)).await
}

async fn get_if(app: &DiskApp, token: &str, name: &str, value: &str) -> Answer {
    app.send(without_body(with_token(Request::get(path(BEN)), token).header(name, value))).await
}

#[tokio::test]
async fn the_tag_of_a_change_is_that_of_the_next_look() {
    let app = app().await;
    let token = token(&app, ADA).await;
    let before = tag(&app, &token, BEN).await;
    let after = assert_done(&patch(&app, &token, BEN, r#"{"can_manage_payments":true}"#).await);
    assert_ne!(before, after);
    assert_eq!(tag(&app, &token, BEN).await, after);
    let back = assert_done(&patch(&app, &token, BEN, r#"{"can_manage_payments":false}"#).await);
    assert_eq!(back, before, "the same state has the same tag");
}

#[tokio::test]
async fn a_change_of_the_state_that_was_seen_is_made_and_one_of_an_older_state_is_409() {
    let app = app().await;
    let token = token(&app, ADA).await;
    let seen = tag(&app, &token, BEN).await;
    let next = assert_done(&patch_if(&app, &token, r#"{"can_manage_payments":true}"#, &[&seen]).await);
    for body in [r#"{"can_trade":false}"#, "{}"] {
        assert_error(&patch_if(&app, &token, body, &[&seen]).await, 409, "conflict");
    }
    assert_eq!(held(&app, BEN, ALDER).await, "can_manage_payments can_trade");
    assert_done(&patch_if(&app, &token, r#"{"can_trade":false}"#, &[&next]).await);
}

#[tokio::test]
async fn if_match_takes_lists_and_any_and_never_a_weak_tag() {
    let app = app().await;
    let token = token(&app, ADA).await;
    let seen = tag(&app, &token, BEN).await;
    let list = format!("\"other\", {seen}");
    for good in [&["*"][..], &[&list], &["\"other\"", &seen]] {
        assert_done(&patch_if(&app, &token, "{}", good).await);
    }
    let weak = format!("W/{seen}");
    for stale in [&[weak.as_str()][..], &["\"other\""], &["\"\""]] {
        assert_error(&patch_if(&app, &token, "{}", stale).await, 409, "conflict");
    }
    let unquoted = seen.trim_matches('"');
    for malformed in [&[unquoted][..], &[""], &["*", &seen], &["*, *"]] {
        assert_error(&patch_if(&app, &token, "{}", malformed).await, 400, "invalid_request");
    }
}

#[tokio::test]
async fn whoever_has_the_state_already_gets_304() {
    let app = app().await;
    let token = token(&app, ADA).await;
    let seen = tag(&app, &token, BEN).await;
    for known in [seen.clone(), format!("W/{seen}"), "*".to_owned(), format!("\"x\", {seen}")] {
        let answer = get_if(&app, &token, "if-none-match", &known).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (304, 0), "{known}");
        assert_eq!(answer.header("etag"), seen);
    }
    assert_eq!(get_if(&app, &token, "if-none-match", "\"x\"").await.status, 200);
    assert_error(&get_if(&app, &token, "if-none-match", "x").await, 400, "invalid_request");
    assert_eq!(get_if(&app, &token, "if-match", &seen).await.status, 200);
    assert_error(&get_if(&app, &token, "if-match", "\"x\"").await, 409, "conflict");
}

#[tokio::test]
async fn a_tag_says_nothing_about_what_is_not_shown() {
    let app = app().await;
    let adas = token(&app, ADA).await;
    let bens = token(&app, BEN).await;
    let (as_ada, as_ben) = (tag(&app, &adas, BEN).await, tag(&app, &bens, BEN).await);
    assert_ne!(as_ada, as_ben, "they see different things of the same state");
    app.put(Entity::Contact, &[("contact_id", BEN), ("city", "Oslo")]).await;
    assert_eq!(tag(&app, &adas, BEN).await, as_ada, "Ada does not see the city");
    assert_ne!(tag(&app, &bens, BEN).await, as_ben);
    let person = person_token(&app, BEN, &["can_trade"]).await;
    assert_eq!(tag(&app, &person, BEN).await, tag(&app, &bens, BEN).await);
}

#[tokio::test]
async fn what_is_not_shown_at_all_stands_in_nobody_s_way() {
    let app = app().await;
    let token = token(&app, ADA).await;
    let seen = tag(&app, &token, BEN).await;
    mandate(&app, BEN, ALDER, &[("until", "2040-01-01T00:00:00Z")]).await;
    assert_done(&patch_if(&app, &token, r#"{"can_manage_payments":true}"#, &[&seen]).await);
    let row = app.record(Entity::Mandate, &[BEN, ALDER]).await;
    assert_eq!(row.get("until"), Some(Some("2040-01-01T00:00:00Z")), "and is kept");
}

/// Sends all of them at once.
async fn at_once(app: &Arc<DiskApp>, requests: Vec<Request<axum::body::Body>>) -> Vec<Answer> {
    let mut running = JoinSet::new();
    for request in requests {
        let app = Arc::clone(app);
        running.spawn(async move { app.send(request).await });
    }
    running.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_changes_of_the_same_state_one_is_made() {
    let app = Arc::new(app().await);
    let token = token(&app, ADA).await;
    let seen = tag(&app, &token, BEN).await;
    let before = app.directory.status().await.unwrap().version.0;
    let requests = (0..16).map(|_| patching(&token, BEN, r#"{"can_trade":false}"#, &[("if-match", &seen)]));
    let answers = at_once(&app, requests.collect()).await;
    let won = answers.iter().filter(|answer| answer.status == 204).count();
    let lost = answers.iter().filter(|answer| answer.status == 409).count();
    assert_eq!((won, lost), (1, 15));
    assert_eq!(app.directory.status().await.unwrap().version.0, before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_without_if_match_that_meet_are_all_made() {
    let app = Arc::new(app().await);
    let others: Vec<_> = Permission::ALL.map(Permission::name).into_iter().collect();
    let all = others.join(" ");
    mandate(&app, ADA, ALDER, &[("permissions", &all)]).await;
    let names = [("client_id", ALDER), ("application_id", "app_partner")];
    app.put(Entity::Trust, &[names[0], names[1], ("ceiling", &all)]).await;
    mandate(&app, BEN, ALDER, &[("permissions", "")]).await;
    let token = token(&app, ADA).await;
    let requests = others.iter().map(|name| patching(&token, BEN, &format!("{{\"{name}\":true}}"), &[]));
    for answer in at_once(&app, requests.collect()).await {
        assert_done(&answer);
    }
    assert_eq!(held(&app, BEN, ALDER).await, all);
}
