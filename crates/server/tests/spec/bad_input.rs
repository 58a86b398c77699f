//! Bytes that no honest program sends: a right status in the contract's shape, nothing lost, no panic.

use axum::body::Body;
use http::Request;
use http::header::CONTENT_TYPE;
use procura_testkit::random::SeededRandom;
use procura_testkit::world::CONTACT;
use procura_testkit::{Answer, TestApp, World};

use crate::support::{FORM, asking, assert_refused, contact_path, issued, with_form, without_body};

async fn posted(body: impl Into<Body>) -> Answer {
    TestApp::new(&World::default()).send(with_form(asking(&contact_path()), body)).await
}

/// Checks that a request is refused for what it asks, and that the server still works.
async fn assert_malformed(body: &[u8]) {
    let app = TestApp::new(&World::default());
    let answer = app.send(with_form(asking(&contact_path()), body.to_vec())).await;
    assert_refused(&answer, 400, "invalid_request");
    assert_eq!(app.token().await.status, 200);
    assert_eq!(issued(&app), 1);
}

#[tokio::test]
async fn nul_bytes_and_other_controls_are_refused() {
    for body in
        [&b"clients=cli\0alder"[..], b"clients=%00", b"\0", b"scope=openid%0A", b"x=\x1b[0m", b"x=%C2%85"]
    {
        assert_malformed(body).await;
    }
}

#[tokio::test]
async fn invalid_utf_8_is_refused_raw_and_escaped() {
    for body in [&b"x=\xff"[..], b"\xc3\x28=1", b"x=%FF", b"x=%C0%80", b"x=%ED%A0%80"] {
        assert_malformed(body).await;
    }
}

#[tokio::test]
async fn broken_escapes_are_refused() {
    for body in [&b"x=%"[..], b"x=%4", b"x=%zz", b"%=x", b"x=%%41"] {
        assert_malformed(body).await;
    }
}

#[tokio::test]
async fn a_body_of_64_kib_is_read_and_one_byte_more_is_413() {
    let body = |bytes: usize| format!("x={}", "a".repeat(bytes - 2));
    assert_eq!(posted(body(64 * 1024)).await.status, 200);
    assert_refused(&posted(body(64 * 1024 + 1)).await, 413, "invalid_request");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413_whatever_its_type_and_whoever_sends_it() {
    let app = TestApp::new(&World::default());
    let request = Request::post(contact_path()).header(CONTENT_TYPE, "application/json");
    let answer = app.send(request.body(Body::from(vec![b' '; 1_000_000])).unwrap()).await;
    assert_refused(&answer, 413, "invalid_request");
}

#[tokio::test]
async fn json_in_a_form_s_clothes_is_a_parameter_that_nobody_defined() {
    // RFC 6749 3.2: a name that is not recognised is ignored.
    assert_eq!(posted(r#"{"scope":"openid"}"#).await.status, 200);
}

#[tokio::test]
async fn huge_contact_ids_are_refused_by_their_length() {
    let app = TestApp::new(&World::default());
    for length in [65, 1_000, 8_000] {
        let answer = app.token_for(&"a".repeat(length), "").await;
        let sentence = assert_refused(&answer, 400, "invalid_request");
        assert!(sentence.len() < 200, "the answer does not grow with the request");
    }
    assert_refused(&app.token_for(&"a".repeat(64), "").await, 400, "invalid_grant");
}

#[tokio::test]
async fn encoded_slashes_and_dots_never_change_the_path() {
    let app = TestApp::new(&World::default());
    for id in [
        "con%2Fada",
        "%2Fcon.ada",
        "con.ada%2F",
        "..%2Ftoken%2Fcon.ada",
        "%2e%2e%2fcon.ada",
        "%2e",
        "%2e%2e",
        "..",
        ".",
        "con.ada%3Fclients=cli.alder",
        "con.ada%23",
        "con.ada%00",
        "con.ada%0d%0a",
        "%5c",
    ] {
        assert_refused(&app.token_for(id, "").await, 400, "invalid_request");
    }
    assert_eq!(issued(&app), 0);
}

#[tokio::test]
async fn nothing_is_decoded_twice() {
    let app = TestApp::new(&World::default());
    for id in ["con%252eada", "con%25252eada", "%2563on.ada"] {
        assert_refused(&app.token_for(id, "").await, 400, "invalid_request");
    }
}

#[tokio::test]
async fn paths_that_don_t_decode_are_refused() {
    let app = TestApp::new(&World::default());
    for id in ["%", "%f", "%zz", "con.ada%", "%ff", "%c3%28", "%ed%a0%80", "%00"] {
        assert_refused(&app.token_for(id, "").await, 400, "invalid_request");
    }
}

#[tokio::test]
async fn a_plus_in_a_path_is_a_plus() {
    let app = TestApp::new(&World::default());
    assert_refused(&app.token_for("con+ada", "").await, 400, "invalid_request");
}

#[tokio::test]
async fn queries_are_read_as_strictly_as_bodies() {
    let app = TestApp::new(&World::default());
    for query in ["%zz=1", "x=%ff", "x=%00", "x=1&x=2", "=1", "scope", "%73cope=openid"] {
        let answer = app.send(without_body(asking(&format!("{}?{query}", contact_path())))).await;
        assert_refused(&answer, 400, "invalid_request");
    }
}

#[tokio::test]
async fn two_content_types_are_415_even_if_both_are_forms() {
    let app = TestApp::new(&World::default());
    let request = asking(&contact_path()).header(CONTENT_TYPE, FORM).header(CONTENT_TYPE, FORM);
    let answer = app.send(request.body(Body::from("x=1")).unwrap()).await;
    assert_refused(&answer, 415, "invalid_request");
}

#[tokio::test]
async fn an_accept_header_never_changes_the_answer() {
    let app = TestApp::new(&World::default());
    for accept in ["text/html", "application/xml", "", "nonsense", "*/*;q=0"] {
        let answer = app.send(without_body(asking(&contact_path()).header("accept", accept))).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    }
}

#[tokio::test]
async fn headers_that_pretend_to_be_a_proxy_s_change_nothing() {
    let app = TestApp::new(&World::default());
    let request = asking(&contact_path())
        .header("x-forwarded-for", "10.0.0.1")
        .header("x-forwarded-host", "evil.example")
        .header("host", "evil.example")
        .header("x-http-method-override", "DELETE")
        .header("client-cert", ":AAAA:");
    let answer = app.send(without_body(request)).await;
    assert_eq!(app.id_token(&answer)["iss"], procura_testkit::world::ISSUER);
}

#[tokio::test]
async fn any_bytes_in_the_form_are_answered_in_the_contract_s_shape() {
    let app = TestApp::new(&World::default());
    let random = SeededRandom::new(42);
    let pieces: [&[u8]; 14] = [
        b"scope=",
        b"clients=",
        b"resource=",
        b"&",
        b"=",
        b"%",
        b"%0",
        b"openid",
        b" ",
        b"+",
        b"\0",
        b"\xff",
        b"cli.alder",
        b"client_secret=x",
    ];
    for round in 0..2_000 {
        let count = random.below(12) as usize;
        let body: Vec<u8> = (0..count)
            .flat_map(|_| pieces[random.below(pieces.len() as u64) as usize].iter().copied())
            .collect();
        let answer = app.send(with_form(asking(&contact_path()), body.clone())).await;
        match answer.status.as_u16() {
            200 => {}
            status => drop(assert_refused(&answer, status, &answer.text("error"))),
        }
        assert!(answer.status.as_u16() <= 401, "{round}: {body:?} {answer:?}");
    }
}

#[tokio::test]
async fn any_bytes_in_the_path_are_answered_in_the_contract_s_shape() {
    let app = TestApp::new(&World::default());
    let random = SeededRandom::new(43);
    let alphabet = b"aA0.-_%/2eEfF?&=+~:@!$'()*,;c";
    for _ in 0..2_000 {
        let length = random.below(20) as usize;
        let path: String =
            (0..length).map(|_| char::from(alphabet[random.below(alphabet.len() as u64) as usize])).collect();
        let answer = app.send(without_body(asking(&format!("/token/{path}")))).await;
        assert!([400, 404].contains(&answer.status.as_u16()), "{path}: {answer:?}");
        assert_refused(&answer, answer.status.as_u16(), &answer.text("error"));
    }
    assert_eq!(issued(&app), 0);
}

#[tokio::test]
async fn a_request_that_was_refused_leaves_nothing_behind_for_the_next() {
    let app = TestApp::new(&World::default());
    let bad = ["scope=can_trade&clients=cli.nobody", "clients=cli.alder&scope=nonsense", "resource=x:y"];
    for form in bad {
        app.token_for(CONTACT, form).await;
        let claims = app.access_token(&app.token().await);
        assert_eq!(claims["mandates"].as_array().unwrap().len(), 3, "{form}");
    }
}
