//! Whether the process lives, and whether it can issue.

use procura_testkit::journal::Mode;
use procura_testkit::{TestApp, World};

use crate::support::{assert_refused, get};

#[tokio::test]
async fn a_server_that_can_issue_is_live_and_ready() {
    let app = TestApp::new(&World::default());
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(app.send(get(path)).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_server_that_can_t_issue_is_live_and_not_ready() {
    let breaks: [fn(&TestApp); 4] = [
        |app| app.store.make_stale(),
        |app| app.journal.set_mode(Mode::Full),
        |app| app.clock.move_wall(5_000),
        |app| app.clock.move_wall(-5_000),
    ];
    for broken in breaks {
        let app = TestApp::new(&World::default());
        broken(&app);
        assert_eq!(app.send(get("/health/live")).await.status, 200);
        assert_refused(&app.send(get("/health/ready")).await, 503, "temporarily_unavailable");
        assert_refused(&app.token().await, 503, "temporarily_unavailable");
    }
}

#[tokio::test]
async fn it_is_ready_again_when_it_can_issue_again() {
    let app = TestApp::new(&World::default());
    app.journal.set_mode(Mode::Full);
    assert_eq!(app.send(get("/health/ready")).await.status, 503);
    app.journal.set_mode(Mode::Works);
    assert_eq!(app.send(get("/health/ready")).await.status, 200);
}
