//! What is logged names causes, and never a secret, a token or what a caller wrote.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use http::Request;
use procura_testkit::app::basic;
use procura_testkit::journal::Mode;
use procura_testkit::pki::{Authority, BEGINS, self_signed, set_window};
use procura_testkit::world::{APPLICATION, CONTACT, SECRET};
use procura_testkit::{TestApp, World};
use tracing::level_filters::LevelFilter;

use crate::certificates::{
    Asked, assert_wrong, by_subject, nothing, now, registered, serving, with_second_factor,
};
use crate::fapi2::{Fapi, With};
use crate::support::{asking, asking_as_nobody, contact_path, list, with_form, without_body};

/// Everything that was logged.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Captured {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// What this thread logs from now on, until the second is dropped.
pub(crate) fn captured(level: LevelFilter) -> (Captured, impl Sized) {
    let captured = Captured::default();
    let writer = captured.clone();
    // Were there one subscriber alone, a place in the code that another test's thread comes to first would be
    // asked of that thread, which has none, and would be silent from then on.
    let another = tracing::Dispatch::new(tracing_subscriber::registry());
    let subscriber =
        tracing_subscriber::fmt().with_max_level(level).with_writer(move || writer.clone()).finish();
    (captured, (another, tracing::subscriber::set_default(subscriber)))
}

#[tokio::test]
async fn the_most_talkative_log_holds_no_secret_no_token_and_nothing_that_a_caller_wrote() {
    let (captured, _while_this_test_runs) = captured(LevelFilter::TRACE);

    let app = TestApp::new(&World::default());
    let mut answers = vec![app.token().await, list(&app, "").await];
    let wrong = basic(APPLICATION, "hunter2");
    for request in [
        without_body(asking_as_nobody().header("authorization", wrong)),
        with_form(asking_as_nobody(), format!("client_id={APPLICATION}&client_secret=hunter2")),
        with_form(asking_as_nobody(), format!("client_id={APPLICATION}&client_secret={SECRET}")),
        with_form(asking(&contact_path()), "client_secret=hunter2&client_secret=hunter2"),
        with_form(asking(&contact_path()), "hunter2=%zz"),
        without_body(asking("/token/hunter2")),
        without_body(asking("/token/hunter2%20")),
        without_body(Request::get("/hunter2?hunter2=hunter2")),
    ] {
        answers.push(app.send(request).await);
    }
    for mode in [Mode::Full, Mode::SyncFails] {
        app.journal.set_mode(mode);
        answers.push(app.token_for(CONTACT, "hunter2=hunter2").await);
    }
    app.store.make_stale();
    answers.push(app.token_for("hunter2", "").await);
    app.clock.move_wall(60_000);
    answers.push(app.token().await);

    let log = captured.text();
    assert!(log.contains("answered 503"), "causes are told: {log}");
    for never in ["hunter2", SECRET, "eyJ", "Basic "] {
        assert!(!log.contains(never), "{never} in {log}");
    }
    assert_eq!(answers.iter().filter(|answer| answer.status == 503).count(), 4);
}

#[tokio::test]
async fn no_grant_and_no_proof_stands_in_the_most_talkative_log() {
    let (captured, _while_this_test_runs) = captured(LevelFilter::TRACE);
    let fapi = Fapi::new((With::Key, With::Key));
    for (path, form) in fapi.doors() {
        let elsewhere = fapi.proof(&path).claim("htu", "https://hunter2.example/").sign();
        for wrong in [elsewhere, "hunter2".to_owned()] {
            let refused = fapi.request(&path, &form).proving(&[wrong]).to(&fapi.app).await;
            assert_eq!(refused.status, 400, "{path}");
        }
        let right = fapi.request(&path, &form);
        assert_eq!(right.clone().to(&fapi.app).await.status, 200, "{path}");
        assert_eq!(right.to(&fapi.app).await.status, 401, "{path}");
    }
    let log = captured.text();
    assert!(log.contains("replayed"), "causes are told: {log}");
    for never in ["hunter2", "eyJ", "assertion-"] {
        assert!(!log.contains(never), "{never} in {log}");
    }
}

#[tokio::test]
async fn why_a_certificate_is_wrong_is_told_with_the_application_and_with_nobody_whom_it_names() {
    let (captured, _while_this_test_runs) = captured(LevelFilter::TRACE);
    let root = Authority::new("Root");
    let app = serving(&registered(with_second_factor), &[&root]);
    let expired = root.issue(|params| set_window(params, BEGINS, now() - 1));
    assert_wrong(&Asked::with_secret(SECRET).by(&[&expired]).of(&app).await);
    assert_eq!(Asked::with_secret(SECRET).by(&[&root.issue(nothing)]).of(&app).await.status, 200);
    let log = captured.text();
    let told = log.lines().find(|line| line.contains("expired")).unwrap();
    assert!(told.contains("INFO") && told.contains(APPLICATION), "{told}");
    for never in ["partner.example", "Partner Ltd", "CN="] {
        assert!(!log.contains(never), "{never} in {log}");
    }
}

#[tokio::test]
async fn a_wrong_certificate_of_somebody_who_proved_nothing_else_does_not_fill_the_usual_log() {
    let (captured, _while_this_test_runs) = captured(LevelFilter::INFO);
    let app = serving(&registered(by_subject), &[&Authority::new("Root")]);
    assert_wrong(&Asked::alone().by(&[&self_signed(nothing)]).of(&app).await);
    assert_eq!(captured.text(), "");
}
