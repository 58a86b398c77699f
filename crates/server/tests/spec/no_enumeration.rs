//! Whoever may not act for a contact learns nothing about them: one answer, one size, one amount of work.

use http::HeaderMap;
use http::header::DATE;
use procura_engine::rule;
use procura_storage::journal::codec::encode;
use procura_store::journal::Record;
use procura_testkit::clock::BEGINNING;
use procura_testkit::world::{APPLICATION, CONTACT};
use procura_testkit::{Answer, TestApp, World};

use crate::defects::{OutOfRule, of_clients, world_with};
use crate::support::{contact_path, listed, without_body};

/// Everything that a caller sees of an answer, but for what is random or the time.
fn seen(answer: &Answer) -> (u16, HeaderMap, String) {
    let mut headers = answer.headers.clone();
    let reference = headers.remove("procura-reference");
    assert_eq!(reference.map(|value| value.len()), Some(22), "a recorded refusal has its reference");
    headers.remove(DATE);
    (answer.status.as_u16(), headers, String::from_utf8(answer.body.clone()).unwrap())
}

fn size(record: &Record) -> usize {
    let mut bytes = Vec::new();
    encode(record, &mut bytes);
    bytes.len()
}

/// Asks for a contact, and gives back what was seen and the size of the one record that was made.
async fn ask(app: &TestApp, contact: &str) -> ((u16, HeaderMap, String), usize) {
    let before = app.journal.records().len();
    let answer = app.token_for(contact, "").await;
    let records = app.journal.records();
    assert_eq!(records.len(), before + 1, "one record, whatever the cause");
    (seen(&answer), size(&records[before]))
}

#[tokio::test]
async fn every_refusal_of_the_rule_is_the_same_bytes_and_a_record_of_the_same_size() {
    let app = TestApp::new(&World::default());
    let unknown = ask(&app, "con.nobody").await;
    assert_eq!(unknown.0.0, 400);
    for defect in OutOfRule::ALL {
        app.store.set(world_with(&[defect]).publish());
        assert_eq!(ask(&app, CONTACT).await, unknown, "{defect:?}");
    }
}

#[tokio::test]
async fn the_length_of_the_contact_id_and_the_number_of_mandates_change_nothing() {
    let app = TestApp::new(&World::default().without_trusts());
    let unknown = ask(&app, "n").await;
    assert_eq!(ask(&app, &"n".repeat(64)).await, unknown);
    assert_eq!(ask(&app, CONTACT).await, unknown);
    app.store.set(of_clients(64).without_trusts().publish());
    assert_eq!(ask(&app, CONTACT).await, unknown);
}

#[tokio::test]
async fn the_record_of_an_unknown_contact_and_of_the_highest_number_have_one_size() {
    let mut world = World::default().without_trusts();
    world.contacts[0].0 = procura_store::records::ContactNo(4_000_000_000);
    let app = TestApp::new(&World::default());
    let unknown = ask(&app, "con.nobody").await;
    app.store.set(world.publish());
    assert_eq!(ask(&app, CONTACT).await, unknown);
}

#[test]
fn every_refusal_of_the_rule_makes_as_many_look_ups() {
    let now = BEGINNING;
    let lookups = |world: &World, contact: &str| {
        let directory = world.publish();
        let application = directory.application(APPLICATION).unwrap();
        let refused = rule::allowed_clients(&directory, application, directory.contact(contact), now);
        refused.map(|clients| clients.len()).unwrap_err().lookups
    };
    let unknown = lookups(&World::default(), "con.nobody");
    assert!(unknown > 0);
    for defect in OutOfRule::ALL {
        assert_eq!(lookups(&world_with(&[defect]), CONTACT), unknown, "{defect:?}");
    }
    for (at, one) in OutOfRule::ALL.into_iter().enumerate() {
        for two in &OutOfRule::ALL[at + 1..] {
            assert_eq!(lookups(&world_with(&[one, *two]), CONTACT), unknown, "{one:?}, {two:?}");
        }
    }
    assert_eq!(lookups(&of_clients(64).without_trusts(), CONTACT), unknown);
}

#[tokio::test]
async fn wrong_credentials_of_an_application_that_exists_are_refused_like_those_of_one_that_does_not() {
    let app = TestApp::new(&World::default());
    let disabled = TestApp::new(&World::default().application(|application| application.active = false));
    let no_secrets = TestApp::new(&World::default().application(|application| application.secrets.clear()));
    let ask = |id: &str, secret: &str| {
        let request = http::Request::post(contact_path());
        let header = procura_testkit::app::basic(id, secret);
        without_body(request.header(http::header::AUTHORIZATION, header))
    };
    let unknown = app.send(ask("app_nobody", "pcs_wrong")).await;
    assert_eq!(unknown.status, 401);
    assert_eq!(app.send(ask(APPLICATION, "pcs_wrong")).await, unknown);
    assert_eq!(app.send(ask("no application id", "pcs_wrong")).await, unknown);
    assert_eq!(disabled.send(ask(APPLICATION, "pcs_partner")).await, unknown);
    assert_eq!(no_secrets.send(ask(APPLICATION, "pcs_partner")).await, unknown);
    assert_eq!(app.send(without_body(http::Request::post(contact_path()))).await, unknown);
    assert!(unknown.headers.get("procura-reference").is_none(), "a stranger's failure is only counted");
    assert!(app.journal.records().is_empty(), "and can't fill the disk");
}

#[tokio::test]
async fn a_stranger_can_t_tell_a_contact_that_exists_from_one_that_does_not() {
    let app = TestApp::new(&World::default());
    let ask = |contact: &str| without_body(http::Request::post(format!("/token/{contact}")));
    let unknown = app.send(ask("con.nobody")).await;
    assert_eq!(app.send(ask(CONTACT)).await, unknown);
    assert_eq!(app.send(ask("app_malformed")).await, unknown);
}

#[tokio::test]
async fn a_named_client_that_exists_is_refused_like_one_that_does_not() {
    let mut world = World::default();
    OutOfRule::NoTrust.put_into(&mut world, &[2]);
    OutOfRule::ClientInactive.put_into(&mut world, &[3]);
    let app = TestApp::new(&world);
    let nobody = app.token_for(CONTACT, "clients=cli.nobody").await;
    for form in ["clients=cli.birch", "clients=cli.cedar", "clients=cli.alder cli.cedar"] {
        let answer = app.token_for(CONTACT, form).await;
        assert_eq!(seen(&answer), seen(&nobody), "{form}");
    }
    let sizes: Vec<_> = app.journal.records().iter().map(size).collect();
    assert!(sizes.windows(2).all(|pair| pair[0] == pair[1]), "{sizes:?}");
    assert_eq!(listed(&app, &app.token().await), ["cli.alder"]);
}

#[tokio::test]
async fn references_are_never_the_same_and_follow_no_order() {
    let app = TestApp::new(&World::default().without_trusts());
    let mut references = Vec::new();
    for _ in 0..100 {
        references.push(app.token().await.header("procura-reference").to_owned());
    }
    assert!(!references.is_sorted());
    references.sort_unstable();
    references.dedup();
    assert_eq!(references.len(), 100);
}
