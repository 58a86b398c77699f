//! Contract, chapter 8: the stream of revocations.

use std::time::Duration;

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use procura_jose::marks::mark_subject;
use procura_protocol::events::{Heartbeat, Marks, Position, Snapshot};
use procura_protocol::mark::MarkKind;
use procura_store::records::Version;
use procura_testkit::app::{basic, resource_basic};
use procura_testkit::world::{
    APPLICATION, CLIENTS, CONTACT, FOREIGN_RESOURCE, RESOURCE, RESOURCE_SECRET, SECRET,
};
use procura_testkit::{TestApp, World};

use crate::support::{assert_refused, without_body};

fn request(last: Option<&str>) -> Request<Body> {
    let request = Request::get("/events").header(AUTHORIZATION, resource_basic(RESOURCE, RESOURCE_SECRET));
    without_body(match last {
        Some(last) => request.header("last-event-id", last),
        None => request,
    })
}

async fn listen(app: &TestApp, last: Option<&str>) -> Body {
    let response: Response<Body> = app.begin(request(last)).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()[CONTENT_TYPE]),
        (200, &"text/event-stream".parse().unwrap())
    );
    response.into_body()
}

#[derive(Debug, PartialEq)]
enum Event {
    Snapshot(Snapshot, Option<Position>),
    Marks(Marks, Position),
    Heartbeat(Heartbeat),
}

/// The next event, whose frame it must fill.
async fn next(body: &mut Body) -> Option<Event> {
    let frame = body.frame().await?.unwrap().into_data().unwrap();
    let text = std::str::from_utf8(&frame).unwrap().strip_suffix("\n\n").unwrap();
    let mut lines = text.lines();
    let event = lines.next().unwrap().strip_prefix("event: ").unwrap();
    let mut line = lines.next().unwrap();
    let mut id = None;
    if let Some(found) = line.strip_prefix("id: ") {
        id = Some(Position::parse(found).unwrap());
        line = lines.next().unwrap();
    }
    assert_eq!(lines.next(), None);
    let data = line.strip_prefix("data: ").unwrap();
    Some(match event {
        "snapshot" => Event::Snapshot(serde_json::from_str(data).unwrap(), id),
        "marks" => Event::Marks(serde_json::from_str(data).unwrap(), id.unwrap()),
        "heartbeat" => Event::Heartbeat(serde_json::from_str(data).unwrap()),
        other => panic!("{other}"),
    })
}

async fn snapshot(body: &mut Body) -> Snapshot {
    match next(body).await {
        Some(Event::Snapshot(snapshot, _)) => snapshot,
        other => panic!("{other:?}"),
    }
}

async fn heartbeat(body: &mut Body) -> Heartbeat {
    match next(body).await {
        Some(Event::Heartbeat(heartbeat)) => heartbeat,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn everything_comes_first_and_then_a_heartbeat() {
    let app = TestApp::new(&World::default());
    app.store.mark(MarkKind::Contact, (CONTACT, None), Version(8));
    let mut body = listen(&app, None).await;
    let first = snapshot(&mut body).await;
    assert!(first.first && first.complete);
    assert_eq!((first.position.number, first.marks.len()), (1, 1));
    assert_eq!(first.marks[0].subject, mark_subject(MarkKind::Contact, CONTACT, None));
    assert_eq!(heartbeat(&mut body).await, Heartbeat { number: 1, version: 7, age_ms: 0 });
    app.clock.advance(Duration::from_millis(1_200));
    assert_eq!(heartbeat(&mut body).await, Heartbeat { number: 1, version: 7, age_ms: 1_200 });
}

#[tokio::test(start_paused = true)]
async fn a_mark_is_told_at_once_with_its_number_and_before_the_heartbeat() {
    let app = TestApp::new(&World::default());
    let mut body = listen(&app, None).await;
    let (empty, _) = (snapshot(&mut body).await, heartbeat(&mut body).await);
    assert_eq!((empty.marks.len(), empty.position.number), (0, 0));
    for (number, client) in (1..).zip(CLIENTS) {
        app.store.mark(MarkKind::Trust, (APPLICATION, Some(client.0)), Version(8));
        let Some(Event::Marks(marks, position)) = next(&mut body).await else { panic!("no marks") };
        assert_eq!((marks.from, marks.marks.len()), (number, 1));
        assert_eq!(position, Position { number, ..empty.position.clone() });
        let mark = &marks.marks[0];
        assert_eq!(mark.subject, mark_subject(MarkKind::Trust, APPLICATION, Some(client.0)));
        assert_eq!(mark.application, Some(mark_subject(MarkKind::Application, APPLICATION, None)));
        assert_eq!((mark.version, mark.any_version), (8, false));
    }
    assert_eq!(heartbeat(&mut body).await.number, 3);
}

#[tokio::test(start_paused = true)]
async fn who_was_away_is_told_what_is_new_and_nothing_else() {
    let app = TestApp::new(&World::default());
    let mark = |client: &str| app.store.mark(MarkKind::Client, (client, None), Version(8));
    mark("cli.1");
    let position = snapshot(&mut listen(&app, None).await).await.position;
    mark("cli.2");
    mark("cli.3");
    let mut body = listen(&app, Some(&position.to_string())).await;
    let Some(Event::Marks(marks, end)) = next(&mut body).await else { panic!("no marks") };
    assert_eq!((marks.from, marks.marks.len(), end.number), (2, 2, 3));
    assert_eq!(heartbeat(&mut body).await.number, 3);
    let mut body = listen(&app, Some(&end.to_string())).await;
    assert_eq!(heartbeat(&mut body).await.number, 3);
}

#[tokio::test(start_paused = true)]
async fn who_knows_another_epoch_or_marks_that_never_were_gets_everything() {
    let app = TestApp::new(&World::default());
    app.store.mark(MarkKind::Client, ("cli.1", None), Version(8));
    let position = snapshot(&mut listen(&app, None).await).await.position;
    for wrong in ["AAAAAAAAAAAAAAAAAAAAAA.1".to_owned(), format!("{}.2", position.epoch)] {
        let everything = snapshot(&mut listen(&app, Some(&wrong)).await).await;
        assert_eq!((everything.marks.len(), everything.position), (1, position.clone()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_snapshot_comes_in_parts_with_an_id_on_the_last() {
    let app = TestApp::new(&World::default());
    for no in 0..1_201 {
        app.store.mark(MarkKind::Client, (&format!("cli.{no}"), None), Version(8));
    }
    let mut body = listen(&app, None).await;
    let mut seen = 0;
    for part in 0..3 {
        let Some(Event::Snapshot(snapshot, id)) = next(&mut body).await else { panic!("no part") };
        assert_eq!((snapshot.first, snapshot.complete), (part == 0, part == 2));
        assert_eq!(id, snapshot.complete.then(|| snapshot.position.clone()));
        seen += snapshot.marks.len();
    }
    assert_eq!(seen, 1_201);
    heartbeat(&mut body).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_fresh_directory_there_is_no_heartbeat() {
    let app = TestApp::new(&World::default());
    let mut body = listen(&app, None).await;
    let (_, _) = (snapshot(&mut body).await, heartbeat(&mut body).await);
    app.store.make_stale();
    let silent = tokio::time::timeout(Duration::from_secs(10), next(&mut body)).await;
    assert!(silent.is_err(), "{silent:?}");
    app.store.set(World::default().publish());
    heartbeat(&mut body).await;
}

#[tokio::test(start_paused = true)]
async fn the_stream_of_a_resource_that_was_disabled_or_lost_its_secret_ends() {
    for change in [
        (|world: &mut World| world.resources[0].active = false) as fn(&mut World),
        |world| world.resources[0].secrets.clear(),
        |world| drop(world.resources.remove(0)),
    ] {
        let app = TestApp::new(&World::default());
        let mut body = listen(&app, None).await;
        let (_, _) = (snapshot(&mut body).await, heartbeat(&mut body).await);
        let mut world = World::default();
        change(&mut world);
        app.store.set(world.publish());
        assert_eq!(next(&mut body).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_ends_after_an_hour() {
    let app = TestApp::new(&World::default());
    let mut body = listen(&app, None).await;
    let (_, _) = (snapshot(&mut body).await, heartbeat(&mut body).await);
    app.clock.advance(Duration::from_secs(3_599));
    heartbeat(&mut body).await;
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(next(&mut body).await, None);
}

#[tokio::test]
async fn only_a_resource_that_proves_itself_listens() {
    let app = TestApp::new(&World::default());
    let as_who =
        |authorization: String| without_body(Request::get("/events").header(AUTHORIZATION, authorization));
    for wrong in [
        basic(APPLICATION, SECRET),
        resource_basic(RESOURCE, "pcs_wrong"),
        resource_basic(FOREIGN_RESOURCE, RESOURCE_SECRET),
    ] {
        assert_refused(&app.send(as_who(wrong)).await, 401, "invalid_client");
    }
    assert_refused(&app.send(without_body(Request::get("/events"))).await, 401, "invalid_client");
    app.store.make_stale();
    assert_refused(&app.send(request(None)).await, 503, "temporarily_unavailable");
}

#[tokio::test]
async fn a_last_event_id_that_is_none_is_refused() {
    let app = TestApp::new(&World::default());
    for wrong in ["", "17", "x.17", "AAAAAAAAAAAAAAAAAAAAAA.-1"] {
        assert_refused(&app.send(request(Some(wrong))).await, 400, "invalid_request");
    }
}

#[tokio::test(start_paused = true)]
async fn two_guards_of_a_resource_take_everything_in_at_once_and_the_next_waits_for_its_turn() {
    let app = TestApp::new(&World::default());
    let (mut one, _two) = (listen(&app, None).await, listen(&app, None).await);
    assert_refused(&app.send(request(None)).await, 503, "temporarily_unavailable");
    let (_, _) = (snapshot(&mut one).await, heartbeat(&mut one).await);
    let mut third = listen(&app, None).await;
    snapshot(&mut third).await;
}

#[tokio::test(start_paused = true)]
async fn who_takes_everything_in_too_slowly_makes_room() {
    let app = TestApp::new(&World::default());
    for no in 0..1_201 {
        app.store.mark(MarkKind::Client, (&format!("cli.{no}"), None), Version(8));
    }
    let mut body = listen(&app, None).await;
    assert!(!snapshot(&mut body).await.complete);
    app.clock.advance(Duration::from_secs(31));
    assert_eq!(next(&mut body).await, None);
}
