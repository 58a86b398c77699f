//! RFC 7662: introspection, judged by marks and by the rule itself (contract, chapter 5).

use std::time::Duration;

use http::Request;
use http::header::AUTHORIZATION;
use procura_protocol::mark::MarkKind;
use procura_protocol::permission::{Permission, Permissions};
use procura_store::records::Version;
use procura_testkit::app::{basic, resource_basic};
use procura_testkit::world::{
    APPLICATION, CLIENTS, CONTACT, FOREIGN_RESOURCE, OTHER_RESOURCE, RESOURCE, RESOURCE_SECRET, SECRET,
    UNTRUSTED, UNTRUSTED_SECRET,
};
use procura_testkit::{Answer, TestApp, World};
use serde_json::json;

use crate::support::{assert_refused, with_form};

async fn introspect(app: &TestApp, authorization: &str, form: &str) -> Answer {
    let request = Request::post("/introspect").header(AUTHORIZATION, authorization);
    app.send(with_form(request, form.to_owned())).await
}

async fn by_resource(app: &TestApp, token: &str) -> Answer {
    introspect(app, &resource_basic(RESOURCE, RESOURCE_SECRET), &format!("token={token}")).await
}

async fn token(app: &TestApp) -> String {
    app.token().await.text("access_token")
}

#[track_caller]
fn assert_inactive(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"active": false})));
}

#[track_caller]
fn assert_active(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), &answer.json()["active"]), (200, &json!(true)), "{answer:?}");
}

/// The answer about a token of the usual world, once the world has become another.
async fn after(change: impl FnOnce(World) -> World) -> Answer {
    let app = TestApp::new(&World::default());
    let token = token(&app).await;
    app.store.set(change(World::default()).publish());
    by_resource(&app, &token).await
}

#[tokio::test]
async fn a_token_in_force_is_told_as_it_is() {
    let app = TestApp::new(&World::default());
    let answer = app.token().await;
    let claims = app.access_token(&answer);
    let told = by_resource(&app, &answer.text("access_token")).await;
    assert_active(&told);
    assert_eq!(told.header("cache-control"), "no-store");
    let mut expected = claims.clone();
    expected["active"] = json!(true);
    expected["token_type"] = json!("Bearer");
    assert_eq!(told.json(), expected, "every claim, and nothing else");
    assert!(app.journal.records().len() == 1, "asking is no record");
}

#[tokio::test]
async fn an_application_may_ask_about_its_own() {
    let app = TestApp::new(&World::default());
    let form = format!("token={}&token_type_hint=nonsense", token(&app).await);
    assert_active(&introspect(&app, &basic(APPLICATION, SECRET), &form).await);
    let in_form = format!("{form}&client_id={APPLICATION}&client_secret={SECRET}");
    assert_active(&app.send(with_form(Request::post("/introspect"), in_form)).await);
}

#[tokio::test]
async fn a_token_of_somebody_else_is_inactive() {
    let app = TestApp::new(&World::default());
    let form = format!("token={}", token(&app).await);
    assert_inactive(&introspect(&app, &basic(UNTRUSTED, UNTRUSTED_SECRET), &form).await);
    let other = resource_basic(OTHER_RESOURCE, RESOURCE_SECRET);
    assert_inactive(&introspect(&app, &other, &form).await);
    let theirs = app.token_for(CONTACT, &format!("resource={OTHER_RESOURCE}")).await.text("access_token");
    assert_inactive(&by_resource(&app, &theirs).await);
    assert_active(&introspect(&app, &other, &format!("token={theirs}")).await);
}

#[tokio::test]
async fn what_is_no_access_token_of_this_server_is_inactive() {
    let app = TestApp::new(&World::default());
    let answer = app.token().await;
    let access_token = answer.text("access_token");
    let elsewhere = TestApp::new(&World::default());
    let (head, _) = access_token.rsplit_once('.').unwrap();
    let unsigned = format!("{}.", head);
    for no_token in [
        answer.text("id_token"),
        token(&elsewhere).await,
        unsigned,
        access_token[1..].to_owned(),
        access_token[..access_token.len() - 2].to_owned(),
        format!("{access_token}.x"),
        "a".to_owned(),
        "x".repeat(20_000),
        format!("pcs_{}", "A".repeat(43)),
    ] {
        assert_inactive(&by_resource(&app, &no_token).await);
    }
}

#[tokio::test]
async fn it_is_over_in_the_second_in_which_it_expires() {
    let app = TestApp::new(&World::default());
    let token = token(&app).await;
    app.clock.advance(Duration::from_secs(3599));
    assert_active(&by_resource(&app, &token).await);
    app.clock.advance(Duration::from_secs(1));
    assert_inactive(&by_resource(&app, &token).await);
}

#[tokio::test]
async fn whatever_the_rule_no_longer_gives_ends_the_whole_token() {
    assert_active(&after(|world| world).await);
    assert_inactive(&after(World::without_trusts).await);
    assert_inactive(&after(|world| world.contact(|contact| contact.active = false)).await);
    assert_inactive(&after(|world| world.application(|application| application.active = false)).await);
    assert_inactive(&after(|world| world.application(|application| application.trusted = false)).await);
    assert_inactive(&after(|world| world.application(|application| application.resources.clear())).await);
    let one_client = |mut world: World| {
        world.clients[2].1.active = false;
        world
    };
    assert_inactive(&after(one_client).await);
    let one_mandate = |world: World| world.contact(|contact| contact.mandates[1].active = false);
    assert_inactive(&after(one_mandate).await);
    let narrower =
        |world: World| world.contact(|contact| contact.mandates[0].permissions = Permissions::NONE);
    assert_inactive(&after(narrower).await);
    let trust = |mut world: World| {
        world.trusts[0].1.ceiling = Permissions::NONE;
        world
    };
    assert_inactive(&after(trust).await);
    let gone = |mut world: World| {
        world.contacts.remove(0);
        world
    };
    assert_inactive(&after(gone).await);
}

#[tokio::test]
async fn what_the_rule_gives_beyond_it_changes_nothing() {
    let wider = |world: World| {
        world.mandates(|mandate| mandate.permissions = mandate.permissions.with(Permission::ManagePayments))
    };
    let answer = after(wider).await;
    assert_active(&answer);
    assert!(!answer.json().to_string().contains("can_manage_payments"));
}

#[tokio::test]
async fn a_mark_of_each_kind_ends_it_and_nothing_of_its_own_version_or_of_others_does() {
    let client = CLIENTS[1].0;
    let hitting = [
        (MarkKind::Contact, (CONTACT, None)),
        (MarkKind::Client, (client, None)),
        (MarkKind::Application, (APPLICATION, None)),
        (MarkKind::Trust, (APPLICATION, Some(client))),
        (MarkKind::Mandate, (CONTACT, Some(client))),
        (MarkKind::All, ("", None)),
    ];
    for (kind, ids) in hitting {
        let app = TestApp::new(&World::default());
        let token = token(&app).await;
        app.store.mark(kind, ids, Version(7));
        assert_active(&by_resource(&app, &token).await);
        app.store.mark(kind, ids, Version(8));
        assert_inactive(&by_resource(&app, &token).await);
    }
    let app = TestApp::new(&World::default());
    let answer = app.token().await;
    for (kind, ids) in [
        (MarkKind::Contact, ("con.ben", None)),
        (MarkKind::Application, (UNTRUSTED, None)),
        (MarkKind::Trust, (UNTRUSTED, Some(client))),
        (MarkKind::Mandate, ("con.ben", Some(client))),
        (MarkKind::Client, ("cli.dogwood", None)),
        (MarkKind::Token, ("AAAAAAAAAAAAAAAAAAAAAA", None)),
        (MarkKind::Key, ("AAAAAAAAAAAAAAAAAAAAAA", None)),
    ] {
        app.store.mark(kind, ids, Version(100));
    }
    let text = answer.text("access_token");
    assert_active(&by_resource(&app, &text).await);
    let jti = app.access_token(&answer)["jti"].as_str().unwrap().to_owned();
    app.store.mark(MarkKind::Token, (&jti, None), Version(0));
    assert_inactive(&by_resource(&app, &text).await);
}

#[tokio::test]
async fn a_mark_on_its_key_ends_it_whatever_its_version() {
    let app = TestApp::new(&World::default());
    let token = token(&app).await;
    let header = token.split('.').next().unwrap();
    let header = procura_jose::base64url::decode(header).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    app.store.mark(MarkKind::Key, (header["kid"].as_str().unwrap(), None), Version(0));
    assert_inactive(&by_resource(&app, &token).await);
}

#[tokio::test]
async fn who_can_t_prove_who_they_are_learns_nothing() {
    let app = TestApp::new(&World::default());
    let form = format!("token={}", token(&app).await);
    for wrong in [
        resource_basic(RESOURCE, "pcs_wrong"),
        resource_basic(FOREIGN_RESOURCE, RESOURCE_SECRET),
        resource_basic("https://nobody.example/", RESOURCE_SECRET),
        basic(APPLICATION, RESOURCE_SECRET),
        basic(APPLICATION, "pcs_wrong"),
        basic("con.ada", SECRET),
        "Bearer x".to_owned(),
    ] {
        assert_refused(&introspect(&app, &wrong, &form).await, 401, "invalid_client");
    }
    assert_refused(&app.send(with_form(Request::post("/introspect"), form)).await, 401, "invalid_client");
}

#[tokio::test]
async fn a_disabled_resource_may_not_ask() {
    let app = TestApp::new(&World::default());
    let token = token(&app).await;
    let mut world = World::default();
    world.resources[0].active = false;
    app.store.set(world.publish());
    assert_refused(&by_resource(&app, &token).await, 401, "invalid_client");
}

#[tokio::test]
async fn the_form_is_read_strictly() {
    let app = TestApp::new(&World::default());
    let me = resource_basic(RESOURCE, RESOURCE_SECRET);
    for form in ["", "token=", "token=a&token=a", "token=a&scope=openid", "token=%zz", "hint=a"] {
        assert_refused(&introspect(&app, &me, form).await, 400, "invalid_request");
    }
    let in_query = Request::post("/introspect?token=a").header(AUTHORIZATION, &me);
    assert_refused(&app.send(with_form(in_query, "token=a")).await, 400, "invalid_request");
    let json =
        Request::post("/introspect").header(AUTHORIZATION, &me).header("content-type", "application/json");
    assert_refused(&app.send(json.body("{}".into()).unwrap()).await, 415, "invalid_request");
}

#[tokio::test]
async fn nothing_is_told_while_the_directory_is_not_fresh_or_the_clock_was_moved() {
    let app = TestApp::new(&World::default());
    let token = token(&app).await;
    app.clock.move_wall(-6_000);
    assert_refused(&by_resource(&app, &token).await, 503, "temporarily_unavailable");
    app.clock.move_wall(6_000);
    assert_active(&by_resource(&app, &token).await);
    app.store.make_stale();
    assert_refused(&by_resource(&app, &token).await, 503, "temporarily_unavailable");
}
