//! One connection's time and size.

use procura_http::connection::{Ended, Phase};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use super::{BIG, Caller, seconds};

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_byte_closes_after_75_seconds() {
    let caller = Caller::connect();
    assert_eq!(caller.ended().await, (Ended::Closed, seconds(75)));
}

#[tokio::test(start_paused = true)]
async fn a_kept_alive_connection_closes_75_seconds_after_its_last_response() {
    let mut caller = Caller::connect();
    assert_eq!(caller.get("/").await.status, 200);
    sleep(seconds(70)).await;
    let response = caller.get("/").await;
    assert_eq!((response.status, response.body.as_slice()), (200, &b"hello"[..]));
    assert!(!response.closes());
    assert_eq!(caller.ended().await, (Ended::Closed, seconds(145)));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_dribbles_is_cut_10_seconds_after_its_first_byte() {
    let caller = Caller::connect();
    sleep(seconds(30)).await;
    let (read, mut write) = tokio::io::split(caller.io);
    let dribble = tokio::spawn(async move {
        while write.write_all(b"A").await.is_ok() {
            sleep(seconds(1)).await;
        }
    });
    assert_eq!(caller.connection.await.expect("no panic"), Ended::Cut(Phase::Head));
    assert_eq!(super::now() - caller.start, seconds(40));
    dribble.await.expect("the connection is gone");
    drop(read);
}

#[tokio::test(start_paused = true)]
async fn a_second_head_has_10_seconds_of_its_own() {
    let mut caller = Caller::connect();
    assert_eq!(caller.get("/").await.status, 200);
    sleep(seconds(33)).await;
    caller.send("GET / HTTP/1.1\r\n").await;
    sleep(seconds(9)).await;
    caller.send("host: a\r\n\r\n").await;
    assert_eq!(caller.response().await.status, 200);
    sleep(seconds(1)).await;
    caller.send("G").await;
    assert_eq!(caller.ended().await, (Ended::Cut(Phase::Head), seconds(53)));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_dribbles_is_answered_10_seconds_after_its_head() {
    let mut caller = Caller::connect();
    sleep(seconds(3)).await;
    caller.send("POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n").await;
    let (mut read, mut write) = tokio::io::split(caller.io);
    let dribble = tokio::spawn(async move {
        while write.write_all(b"x").await.is_ok() {
            sleep(seconds(1)).await;
        }
    });
    let response = super::response(&mut read).await.expect("a response");
    assert_eq!((response.status, response.body.as_slice()), (408, &b"too slow"[..]));
    assert!(response.closes());
    assert_eq!(super::now() - caller.start, seconds(13));
    dribble.await.expect("the connection ends");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_ends_within_10_seconds_is_read_whole_and_the_connection_goes_on() {
    let mut caller = Caller::connect();
    caller.send("POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n").await;
    for byte in b"nine byte" {
        sleep(seconds(1)).await;
        caller.send([*byte]).await;
    }
    let response = caller.response().await;
    assert_eq!((response.status, response.body.as_slice()), (200, &b"nine byte"[..]));
    assert!(!response.closes());
    assert_eq!(caller.get("/").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_body_in_chunks_is_read_whole() {
    let mut caller = Caller::connect();
    caller.send("POST /body HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await;
    caller.send("4\r\nfour\r\n").await;
    sleep(seconds(2)).await;
    caller.send("5\r\n five\r\n0\r\n\r\n").await;
    assert_eq!(caller.response().await.body, b"four five");
    assert_eq!(caller.get("/").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_body_of_64_kib_passes_and_one_byte_more_is_refused_before_it_comes() {
    let mut caller = Caller::connect_through(128 * 1024);
    caller.send("POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 65536\r\n\r\n").await;
    caller.send(vec![b'x'; 65536]).await;
    assert_eq!(caller.response().await.body.len(), 65536);
    caller.send("POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 65537\r\n\r\n").await;
    let response = caller.response().await;
    assert_eq!(response.status, 413);
    assert!(response.closes());
}

#[tokio::test(start_paused = true)]
async fn chunks_beyond_64_kib_are_refused_although_nobody_said_how_many_come() {
    let mut caller = Caller::connect_through(1024 * 1024);
    caller.send("POST /body HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for _ in 0..17 {
        caller.send("1000\r\n").await;
        caller.send(vec![b'x'; 4096]).await;
        caller.send("\r\n").await;
    }
    let response = caller.response().await;
    assert_eq!(response.status, 413);
    assert!(response.closes());
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_takes_nothing_of_its_response_is_cut_after_10_seconds() {
    let mut caller = Caller::connect_through(1024);
    caller.send("GET /big HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(caller.ended().await, (Ended::Cut(Phase::Writing), seconds(10)));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_takes_something_every_9_seconds_gets_its_response() {
    let mut caller = Caller::connect_through(16 * 1024);
    caller.send("GET /big HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    let mut taken = 0;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        sleep(seconds(9)).await;
        match caller.io.read(&mut buffer).await.expect("not cut") {
            0 => break,
            count => taken += count,
        }
    }
    assert!(taken > BIG);
    assert_eq!(caller.ended().await.0, Ended::Closed);
}

#[tokio::test(start_paused = true)]
async fn the_time_that_the_service_takes_is_not_the_callers() {
    let mut caller = Caller::connect();
    assert_eq!(caller.get("/slow").await.status, 200);
    assert_eq!(super::now() - caller.start, seconds(20));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_closed_its_sending_half_still_gets_its_response() {
    let mut caller = Caller::connect();
    caller.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    caller.io.shutdown().await.expect("half a close");
    assert_eq!(caller.response().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn requests_that_come_at_once_are_answered_in_their_order() {
    let mut caller = Caller::connect();
    caller.send("GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /unread HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(caller.response().await.body, b"hello");
    assert_eq!(caller.response().await.body, b"did not look");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_no_one_read_ends_the_connection_after_the_response() {
    let mut caller = Caller::connect();
    caller.send("POST /unread HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello").await;
    let response = caller.response().await;
    assert_eq!(response.status, 200);
    assert!(response.closes());
    drop(caller.io);
    assert_eq!(caller.connection.await.expect("no panic"), Ended::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_header_fields_pass_and_one_more_is_refused() {
    for (count, status) in [(100, 200), (101, 431)] {
        let mut caller = Caller::connect();
        let fields: String = (1..count).map(|number| format!("x-{number}: v\r\n")).collect();
        caller.send(format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n")).await;
        let response = caller.response().await;
        assert_eq!(response.status, status, "{count} fields");
        if status == 431 {
            response.assert_refuses(431);
            assert!(response.closes());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_header_of_nearly_16_kib_passes_and_one_of_more_is_refused_however_it_comes() {
    for (size, status) in [(16_300, 200), (16_400, 431), (20_000, 431)] {
        for piece in [500, 8_000, 30_000] {
            let mut caller = Caller::connect();
            let head = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "v".repeat(size));
            for piece in head.as_bytes().chunks(piece) {
                // The answer may come before all is sent.
                let _ = caller.io.write_all(piece).await;
                tokio::task::yield_now().await;
            }
            let response = caller.response().await;
            assert_eq!(response.status, status, "{size} bytes in pieces of {piece}");
            if status == 431 {
                response.assert_refuses(431);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_wish_to_change_the_protocol_is_answered_as_a_request_and_the_connection_goes_on() {
    for wish in [
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        "CONNECT b:443 HTTP/1.1\r\nhost: b:443\r\n\r\n",
    ] {
        let mut caller = Caller::connect();
        caller.send(wish).await;
        let status = caller.response().await.status;
        assert!(status == 200 || status == 404, "{wish:?}: {status}");
        assert_eq!(caller.get("/").await.body, b"hello", "{wish:?}");
    }
}
