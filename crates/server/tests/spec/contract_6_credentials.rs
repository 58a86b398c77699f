//! Contract, chapter 6: how an application proves who it is, as far as secrets go.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use http::Request;
use http::header::AUTHORIZATION;
use procura_jose::digest::sha256;
use procura_store::records::SecretHash;
use procura_testkit::app::basic;
use procura_testkit::world::{APPLICATION, SECRET, UNTRUSTED, UNTRUSTED_SECRET};
use procura_testkit::{Answer, TestApp, World};

use crate::support::{asking_as_nobody, assert_refused, contact_path, with_form, without_body};

/// The answer to a request with that `Authorization`.
async fn authorized(header: impl AsRef<[u8]>) -> Answer {
    let app = TestApp::new(&World::default());
    app.send(without_body(asking_as_nobody().header(AUTHORIZATION, header.as_ref()))).await
}

/// The answer to a request with that form and no `Authorization`.
async fn formed(form: &str) -> Answer {
    TestApp::new(&World::default()).send(with_form(asking_as_nobody(), form.to_owned())).await
}

#[tokio::test]
async fn basic_is_accepted_in_any_case() {
    let header = basic(APPLICATION, SECRET);
    assert_eq!(authorized(&header).await.status, 200);
    assert_eq!(authorized(header.replacen("Basic", "bAsIc", 1)).await.status, 200);
}

#[tokio::test]
async fn id_and_secret_in_basic_are_form_encoded() {
    assert_eq!(authorized(basic("app%5Fpartner", "pcs%5Fpartner")).await.status, 200);
    assert_eq!(authorized(basic("%61pp_partner", "pcs_partner")).await.status, 200);
    assert_refused(&authorized(basic("app%255Fpartner", SECRET)).await, 401, "invalid_client");
    assert_refused(&authorized(basic(APPLICATION, "pcs_partner%")).await, 401, "invalid_client");
}

#[tokio::test]
async fn id_and_secret_in_the_form_are_accepted() {
    assert_eq!(formed(&format!("client_id={APPLICATION}&client_secret={SECRET}")).await.status, 200);
    assert_eq!(formed(&format!("client_secret={SECRET}&client_id={APPLICATION}")).await.status, 200);
}

#[tokio::test]
async fn credentials_that_prove_nothing_are_an_invalid_client() {
    let plain = format!("{APPLICATION}:{SECRET}");
    for header in [
        basic(APPLICATION, "pcs_wrong"),
        basic(APPLICATION, ""),
        basic("", SECRET),
        basic("", ""),
        basic("app_nobody", SECRET),
        basic("APP_PARTNER", SECRET),
        basic(UNTRUSTED, SECRET),
        basic(APPLICATION, UNTRUSTED_SECRET),
        basic(APPLICATION, &format!("{SECRET} ")),
        basic("con.ada", SECRET),
        format!("Basic {}", STANDARD.encode(APPLICATION)),
        format!("Basic {}", STANDARD_NO_PAD.encode(format!("{plain}0"))),
        format!("Basic {}", URL_SAFE.encode("app_partner:pcs_\u{3ff}\u{3fe}")),
        format!("Basic {plain}"),
        format!("Basic {} x", STANDARD.encode(&plain)),
        format!("Bearer {}", STANDARD.encode(&plain)),
        "Basic".to_owned(),
        "Basic ".to_owned(),
        String::new(),
        STANDARD.encode(&plain),
    ] {
        assert_refused(&authorized(&header).await, 401, "invalid_client");
    }
    assert_refused(&authorized(b"Basic \xff\xfe").await, 401, "invalid_client");
    assert_refused(&authorized(vec![b'a'; 8_000]).await, 401, "invalid_client");
}

#[tokio::test]
async fn half_of_the_credentials_in_the_form_is_an_invalid_client() {
    assert_refused(&formed(&format!("client_secret={SECRET}")).await, 401, "invalid_client");
    assert_refused(&formed("scope=openid").await, 401, "invalid_client");
}

#[tokio::test]
async fn wrong_credentials_in_the_form_are_an_invalid_client_with_the_same_challenge() {
    for form in ["client_id=app_partner&client_secret=pcs_wrong", "client_id=%20&client_secret=pcs_partner"] {
        assert_refused(&formed(form).await, 401, "invalid_client");
    }
}

#[tokio::test]
async fn an_application_id_that_no_application_can_have_is_a_matter_of_credentials_and_not_of_shape() {
    let id = "x".repeat(3_000);
    assert_refused(&formed(&format!("client_id={id}&client_secret=y")).await, 401, "invalid_client");
}

#[tokio::test]
async fn two_ways_in_one_request_are_an_invalid_request_even_if_both_are_right() {
    let app = TestApp::new(&World::default());
    for form in [
        format!("client_id={APPLICATION}&client_secret={SECRET}"),
        format!("client_secret={SECRET}"),
        format!("client_id={UNTRUSTED}"),
        "client_id=app_nobody".to_owned(),
    ] {
        for header in [basic(APPLICATION, SECRET), basic(APPLICATION, "pcs_wrong")] {
            let request = asking_as_nobody().header(AUTHORIZATION, header);
            let sentence =
                assert_refused(&app.send(with_form(request, form.clone())).await, 400, "invalid_request");
            assert!(sentence.contains("one way"), "{sentence}");
        }
    }
}

#[tokio::test]
async fn basic_beside_an_equal_client_id_in_the_form_is_one_way() {
    let app = TestApp::new(&World::default());
    let request = asking_as_nobody().header(AUTHORIZATION, basic(APPLICATION, SECRET));
    let answer = app.send(with_form(request, format!("client_id={APPLICATION}"))).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn two_authorization_headers_are_an_invalid_client_even_if_both_are_right() {
    let app = TestApp::new(&World::default());
    let header = basic(APPLICATION, SECRET);
    let request = asking_as_nobody().header(AUTHORIZATION, &header).header(AUTHORIZATION, &header);
    assert_refused(&app.send(without_body(request)).await, 401, "invalid_client");
}

#[tokio::test]
async fn credentials_in_the_query_are_never_read() {
    let app = TestApp::new(&World::default());
    let query = format!("client_id={APPLICATION}&client_secret={SECRET}");
    let request = Request::post(format!("{}?{query}", contact_path()));
    assert_refused(&app.send(without_body(request)).await, 400, "invalid_request");
}

#[tokio::test]
async fn an_assertion_without_the_type_that_is_read_is_refused_and_not_ignored() {
    for form in [
        "client_assertion=x",
        "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion_type=urn:x&client_assertion=x",
    ] {
        assert_refused(&formed(form).await, 400, "invalid_request");
    }
}

#[tokio::test]
async fn both_live_secrets_work_and_a_retired_one_does_not() {
    let hash = |secret: &str| SecretHash(sha256(secret.as_bytes())).into();
    let world = World::default().application(|application| {
        application.secrets = vec![hash("pcs_old"), hash("pcs_new")];
    });
    let app = TestApp::new(&world);
    for (secret, status) in [("pcs_old", 200), ("pcs_new", 200), (SECRET, 401)] {
        let request = asking_as_nobody().header(AUTHORIZATION, basic(APPLICATION, secret));
        assert_eq!(app.send(without_body(request)).await.status, status, "{secret}");
    }
}

#[tokio::test]
async fn failed_authentication_is_counted_by_whether_the_application_exists_and_never_recorded_singly() {
    let app = TestApp::new(&World::default());
    for (id, secret) in [(APPLICATION, "x"), ("app_nobody", "x"), ("app_nobody", "y")] {
        app.send(without_body(asking_as_nobody().header(AUTHORIZATION, basic(id, secret)))).await;
    }
    let counted = app.engine.authentication_failures().take().unwrap();
    assert_eq!((counted.known_application, counted.unknown_application), (1, 2));
    assert!(app.journal.records().is_empty());
}

#[tokio::test]
async fn no_answer_repeats_a_secret() {
    let app = TestApp::new(&World::default());
    let requests = [
        with_form(asking_as_nobody(), "client_id=app_x&client_secret=hunter2"),
        with_form(asking_as_nobody(), "client_secret=hunter2&client_secret=hunter2"),
        with_form(asking_as_nobody(), "client_secret=hunter2%"),
        without_body(Request::post("/token/con.ada?client_secret=hunter2")),
        without_body(Request::post("/token/hunter2").header(AUTHORIZATION, basic("hunter2", "hunter2"))),
        with_form(asking_as_nobody(), Body::from("hunter2=%zz")),
    ];
    for request in requests {
        let answer = app.send(request).await;
        let whole = format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body));
        assert!(!whole.contains("hunter2"), "{whole}");
    }
}
