//! Coming to an end.

use procura_http::connection::{Ended, Phase};
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use super::{Caller, seconds};

#[tokio::test(start_paused = true)]
async fn an_idle_connection_closes_at_once() {
    let mut caller = Caller::connect();
    assert_eq!(caller.get("/").await.status, 200);
    caller.drain.begin();
    assert_eq!(caller.ended().await, (Ended::Closed, seconds(0)));
}

#[tokio::test(start_paused = true)]
async fn a_request_in_flight_is_answered_and_the_answer_says_that_the_connection_ends() {
    let mut caller = Caller::connect();
    caller.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    sleep(seconds(1)).await;
    caller.drain.begin();
    let response = caller.response().await;
    assert_eq!(response.status, 200);
    assert!(response.closes());
    assert_eq!(caller.ended().await, (Ended::Closed, seconds(20)));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_had_begun_may_be_completed() {
    let mut caller = Caller::connect();
    assert_eq!(caller.get("/").await.status, 200);
    caller.send("GET / HTTP/1.1\r\n").await;
    sleep(seconds(1)).await;
    caller.drain.begin();
    sleep(seconds(5)).await;
    caller.send("host: a\r\n\r\n").await;
    let response = caller.response().await;
    assert_eq!(response.status, 200);
    assert!(response.closes());
    assert_eq!(caller.ended().await, (Ended::Closed, seconds(6)));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_had_begun_keeps_its_10_seconds_and_no_more() {
    let mut caller = Caller::connect();
    caller.send("GET / HTTP/1.1\r\n").await;
    sleep(seconds(4)).await;
    caller.drain.begin();
    assert_eq!(caller.ended().await, (Ended::Cut(Phase::Head), seconds(10)));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_just_accepted_may_still_send_its_request() {
    let mut caller = Caller::connect();
    caller.drain.begin();
    sleep(seconds(1) / 2).await;
    let response = caller.get("/").await;
    assert_eq!(response.status, 200);
    assert!(response.closes());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_just_accepted_and_stays_silent_closes_after_a_second() {
    let caller = Caller::connect();
    caller.drain.begin();
    assert_eq!(caller.ended().await, (Ended::Closed, seconds(1)));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_keeps_sending_after_the_end_is_left_after_2_seconds() {
    let mut caller = Caller::connect();
    caller.send("rubbish\0\r\n\r\n").await;
    caller.response().await.assert_refuses(400);
    let (read, mut write) = tokio::io::split(caller.io);
    let sending = tokio::spawn(async move { while write.write_all(b"more").await.is_ok() {} });
    let ended = caller.connection.await.expect("no panic");
    assert!(matches!(ended, Ended::Closed | Ended::Cut(Phase::Lingering)));
    assert!(super::now() - caller.start <= seconds(2));
    sending.await.expect("the connection is gone");
    drop(read);
}

#[tokio::test(start_paused = true)]
async fn a_refused_caller_that_leaves_its_connection_open_is_left_after_2_seconds() {
    let mut caller = Caller::connect();
    caller.send("rubbish\0\r\n\r\n").await;
    caller.response().await.assert_refuses(400);
    assert_eq!(caller.ended().await, (Ended::Cut(Phase::Lingering), seconds(2)));
}
