//! Contract, chapter 4: `/ping`.

use procura_testkit::{TestApp, World};

use crate::support::get;

#[tokio::test]
async fn ping_answers_200_to_anybody() {
    let answer = TestApp::new(&World::default()).send(get("/ping")).await;
    assert_eq!((answer.status.as_u16(), answer.text("status").as_str()), (200, "ok"));
}

#[tokio::test]
async fn ping_answers_when_nothing_else_can() {
    let app = TestApp::new(&World::default());
    app.store.make_stale();
    app.clock.move_wall(60_000);
    assert_eq!(app.send(get("/ping")).await.status, 200);
}
