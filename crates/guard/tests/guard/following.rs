//! The stream of revocations: what is told, what is late, and what is not believed.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Uri};
use procura_guard::{Guard, Incoming, Refusal, TokenFault, Unavailable};
use procura_jose::marks::mark_subject;
use procura_protocol::events::{MARKS, Position, ToldMark, frame};
use procura_protocol::mark::MarkKind;
use tokio::time::sleep;

use crate::fake::{EPOCH, Opened, START, Server, Signer, Streams, TestClock, mark, now};

const STALE: Result<(), Refusal> = Err(Refusal::Unavailable(Unavailable::Marks));
const REVOKED: Result<(), Refusal> = Err(Refusal::Token(TokenFault::Revoked));

struct Setting {
    server: std::sync::Arc<Server>,
    streams: Streams,
    guard: Guard,
    clock: std::sync::Arc<TestClock>,
    token: String,
}

fn setting() -> Setting {
    setting_with(|resource| resource)
}

fn setting_with(change: impl FnOnce(procura_guard::Resource) -> procura_guard::Resource) -> Setting {
    let signer = Signer::new();
    let (server, streams) = Server::new(&signer.keys());
    let (guard, clock) = Server::connect_as(&server, change(Server::resource()));
    Setting { server, streams, guard, clock, token: signer.token() }
}

impl Setting {
    async fn judged(&self) -> Result<(), Refusal> {
        self.settle().await;
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {}", self.token)).unwrap());
        let uri = Uri::from_static("/");
        self.guard.check_token(&Incoming::new("GET", &uri, &headers)).await.map(drop)
    }

    /// Lets the guard read what was sent.
    async fn settle(&self) {
        sleep(Duration::from_millis(30)).await;
    }

    async fn synced(&mut self, number: u64, marks: &[ToldMark]) -> Opened {
        let mut stream = self.streams.next().await;
        stream.snapshot(number, marks);
        stream.heartbeat();
        assert_eq!(self.judged().await, Ok(()));
        stream
    }

    /// Heartbeats as a server sends them.
    async fn beat(&self, stream: &Opened, seconds: u64) {
        for _ in 0..seconds {
            sleep(Duration::from_secs(1)).await;
            stream.heartbeat();
        }
    }
}

fn on_contact(version: u64) -> ToldMark {
    mark(MarkKind::Contact, &["CON1"], version)
}

fn on_another(no: u64) -> ToldMark {
    mark(MarkKind::Contact, &[&format!("CON9{no}")], 9)
}

#[tokio::test(start_paused = true)]
async fn nothing_passes_before_a_whole_snapshot_and_a_heartbeat() {
    let mut setting = setting();
    let mut stream = setting.streams.next().await;
    assert_eq!(stream.last_event_id, None);
    assert_eq!(setting.judged().await, STALE);
    stream.part(3, true, false, &[on_another(1)]);
    assert_eq!(setting.judged().await, STALE);
    stream.part(3, false, true, &[on_another(2)]);
    assert_eq!(setting.judged().await, STALE, "no heartbeat said up to when");
    stream.heartbeat();
    assert_eq!(setting.judged().await, Ok(()));
    setting.guard.ready().await;
    let status = setting.guard.status().unwrap();
    assert!(status.marks.connected && status.marks.marks == 2 && status.keys == 1, "{status:?}");
}

#[tokio::test(start_paused = true)]
async fn a_mark_of_the_snapshot_or_of_later_kills_what_is_older() {
    let mut setting = setting();
    let mut stream = setting.synced(3, &[on_contact(7)]).await;
    stream.marks(&[on_another(1), mark(MarkKind::Mandate, &["CON1", "CLI2"], 8)]);
    assert_eq!(setting.judged().await, REVOKED);
    stream.heartbeat();
    assert_eq!(setting.judged().await, REVOKED);
}

#[tokio::test(start_paused = true)]
async fn who_is_cut_off_fails_closed_in_time_and_goes_on_where_it_was() {
    let mut setting = setting();
    let mut stream = setting.synced(3, &[]).await;
    stream.marks(&[on_another(1)]);
    setting.beat(&stream, 60).await;
    assert_eq!(setting.judged().await, Ok(()));
    setting.server.refuse(Some(503));
    drop(stream);
    sleep(Duration::from_millis(4_900)).await;
    assert_eq!(setting.judged().await, Ok(()), "five seconds are allowed");
    sleep(Duration::from_millis(100)).await;
    assert_eq!(setting.judged().await, STALE);
    assert!(!setting.guard.status().unwrap().marks.connected);

    setting.server.refuse(None);
    let mut again = setting.streams.next().await;
    assert_eq!(again.last_event_id.as_deref(), Some("AAAAAAAAAAAAAAAAAAAAAA.4"));
    again.goes_on_from(4);
    assert_eq!(setting.judged().await, STALE);
    again.marks(&[on_contact(8)]);
    again.heartbeat();
    assert_eq!(setting.judged().await, REVOKED);
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_is_left_and_a_stream_that_ends_is_asked_for_at_once() {
    let mut setting = setting();
    let silent = setting.synced(0, &[]).await;
    let began = now();
    let again = setting.streams.next().await;
    assert!(now() - began < Duration::from_secs(6), "{:?}", now() - began);
    drop(silent);
    again.heartbeat();
    assert_eq!(setting.judged().await, Ok(()));
    let ended_at = now();
    drop(again);
    let third = setting.streams.next().await;
    assert!(third.at - ended_at < Duration::from_millis(200));
}

#[tokio::test(start_paused = true)]
async fn what_a_proxy_holds_back_for_a_minute_is_never_fresh() {
    let mut setting = setting();
    let stream = setting.synced(0, &[]).await;
    setting.server.delay(Duration::from_secs(10));
    drop(stream);
    // Heads and heartbeats come without a gap, each ten seconds late.
    for _ in 0..3 {
        let mut late = setting.streams.next().await;
        late.goes_on_from(0);
        for second in 0..20 {
            late.heartbeat();
            sleep(Duration::from_secs(1)).await;
            if second >= 5 {
                assert_eq!(setting.judged().await, STALE);
            }
        }
    }
    setting.server.delay(Duration::ZERO);
    loop {
        let mut prompt = setting.streams.next().await;
        prompt.goes_on_from(0);
        prompt.heartbeat();
        setting.settle().await;
        if setting.judged().await == Ok(()) {
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_promises_the_future_is_not_believed() {
    let mut setting = setting();
    let stream = setting.synced(0, &[]).await;
    stream.heartbeat_of(0, Duration::from_secs(1_000_000));
    assert_eq!(setting.judged().await, Ok(()));
    setting.server.refuse(Some(503));
    drop(stream);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(setting.judged().await, STALE);
}

#[tokio::test(start_paused = true)]
async fn whatever_does_not_fit_cuts_off_and_everything_is_asked_for_anew() {
    let epoch = |letter: &str, number| Position { epoch: letter.repeat(22).into(), number };
    let marks = |from: u64, position: &Position| {
        let data = serde_json::json!({"from": from, "marks": [on_another(1)]}).to_string();
        frame(MARKS, Some(position), &data)
    };
    let snapshot = |first: bool, complete: bool, id: Option<&Position>| {
        let data = serde_json::json!({
            "position": epoch("A", 9), "first": first, "complete": complete, "marks": []
        });
        frame("snapshot", id, &data.to_string())
    };
    let heartbeat = |number: u64| {
        format!("event: heartbeat\ndata: {{\"number\":{number},\"version\":1,\"age_ms\":0}}\n\n")
    };
    let bad = [
        ("a gap", marks(5, &epoch("A", 5))),
        ("told twice", marks(3, &epoch("A", 3))),
        ("another epoch", marks(4, &epoch("B", 4))),
        ("an id elsewhere", marks(4, &epoch("A", 5))),
        ("no marks", frame(MARKS, Some(&epoch("A", 3)), r#"{"from":4,"marks":[]}"#)),
        ("a heartbeat ahead", heartbeat(4)),
        ("a heartbeat behind", heartbeat(2)),
        ("a snapshot without its beginning", snapshot(false, true, Some(&epoch("A", 9)))),
        ("a snapshot with another id", snapshot(true, true, Some(&epoch("A", 8)))),
        ("a snapshot without an id", snapshot(true, true, None)),
        ("a heartbeat in a snapshot", format!("{}{}", snapshot(true, false, None), heartbeat(3))),
        ("another name", "event: hello\ndata: {}\n\n".into()),
        ("no JSON", "event: heartbeat\ndata: {\n\n".into()),
        ("no events", "<html>\n".into()),
        ("an endless line", "x".repeat(300 * 1024)),
    ];
    for (what, text) in bad {
        let mut setting = setting();
        let stream = setting.synced(3, &[]).await;
        stream.raw(&text);
        assert_eq!(setting.judged().await, STALE, "{what}");
        let mut again = setting.streams.next().await;
        assert_eq!(again.last_event_id, None, "{what}");
        again.snapshot(9, &[on_contact(8)]);
        again.heartbeat();
        assert_eq!(setting.judged().await, REVOKED, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_started_again_tells_everything_in_its_new_epoch() {
    let mut setting = setting();
    let stream = setting.synced(30, &[on_another(1)]).await;
    drop(stream);
    let again = setting.streams.next().await;
    assert_eq!(again.last_event_id.as_deref(), Some(&*format!("{EPOCH}.30")));
    let position = Position { epoch: "B".repeat(22).into(), number: 1 };
    let data =
        serde_json::json!({"position": position, "first": true, "complete": true, "marks": [on_contact(8)]});
    again.raw(&frame("snapshot", Some(&position), &data.to_string()));
    assert_eq!(setting.judged().await, STALE, "another process may be a moment behind the former");
    let heartbeat = serde_json::json!({"number": 1, "version": 9, "age_ms": 0});
    again.raw(&frame("heartbeat", None, &heartbeat.to_string()));
    assert_eq!(setting.judged().await, REVOKED);
    assert_eq!(setting.guard.status().unwrap().marks.marks, 1, "the former epoch's marks are gone");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_breaks_off_leaves_what_was_known() {
    let mut setting = setting();
    let stream = setting.synced(3, &[on_another(1), on_another(2)]).await;
    drop(stream);
    let mut again = setting.streams.next().await;
    again.part(9, true, false, &[on_another(3)]);
    setting.settle().await;
    drop(again);
    let third = setting.streams.next().await;
    assert_eq!(third.last_event_id.as_deref(), Some(&*format!("{EPOCH}.3")));
    assert_eq!(setting.guard.status().unwrap().marks.marks, 2);
}

#[tokio::test(start_paused = true)]
async fn an_overflow_refuses_more_of_the_application_with_the_most_and_nothing_of_others() {
    let mut setting = setting_with(|resource| resource.mark_capacity(10));
    let of = |application: &str, no: usize| ToldMark {
        application: Some(mark_subject(MarkKind::Application, application, None)),
        ..mark(MarkKind::Token, &[&format!("{application}{no}")], 8)
    };
    let of_another: Vec<ToldMark> = (0..20).map(|no| of("app_2", no)).collect();
    let mut stream = setting.synced(20, &of_another).await;
    let status = setting.guard.status().unwrap().marks;
    assert!(status.collapsed >= 1 && status.marks <= 10, "{status:?}");
    stream.marks(&(0..20).map(|no| of("app_1", no)).collect::<Vec<_>>());
    assert_eq!(setting.judged().await, REVOKED, "of app_1, and older than its marks");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_back_behind_a_sweep_brings_everything_again() {
    let mut setting = setting();
    let kept = ToldMark { keep_until: procura_guard::UnixSeconds(START + 500), ..on_another(1) };
    let stream = setting.synced(1, &[kept]).await;
    setting.clock.set_wall_by(1_000);
    setting.beat(&stream, 70).await;
    assert_eq!(setting.guard.status().unwrap().marks.marks, 0, "swept");
    assert_eq!(setting.judged().await, Ok(()));
    setting.clock.set_wall_by(-1_000);
    assert_eq!(setting.judged().await, STALE);
    stream.heartbeat();
    let mut again = setting.streams.next().await;
    assert_eq!(again.last_event_id, None);
    again.snapshot(1, &[kept]);
    again.heartbeat();
    assert_eq!(setting.judged().await, Ok(()));
    assert_eq!(setting.guard.status().unwrap().marks.marks, 1);
}

#[tokio::test(start_paused = true)]
async fn the_background_ends_with_the_last_clone() {
    let mut setting = setting();
    let stream = setting.synced(0, &[]).await;
    let clone = setting.guard.clone();
    let asked = setting.server.key_requests.lock().unwrap().len();
    drop(std::mem::replace(&mut setting.guard, clone));
    setting.beat(&stream, 3).await;
    assert_eq!(setting.judged().await, Ok(()), "a clone is left");
    let Setting { server, mut streams, guard, .. } = setting;
    drop(guard);
    sleep(Duration::from_secs(10_000)).await;
    drop(stream);
    sleep(Duration::from_secs(100)).await;
    assert!(streams.none());
    assert_eq!(server.key_requests.lock().unwrap().len(), asked);
}
