//! Contract, chapter 1: what is said when several things are wrong.

use procura_testkit::TestApp;

use crate::defects::{Wrong, request_with};
use crate::support::{assert_refused, issued};

async fn assert_answers_the_first(wrong: &[Wrong]) {
    let (world, request) = request_with(wrong);
    let app = TestApp::new(&world);
    let answer = app.send(request).await;
    let (status, error, words) = wrong[0].answer();
    assert_eq!((answer.status.as_u16(), answer.text("error").as_str()), (status, error), "{wrong:?}");
    let sentence = assert_refused(&answer, status, error);
    assert!(sentence.contains(words), "{wrong:?}: {sentence}");
    assert_eq!(issued(&app), 0, "{wrong:?}");
}

macro_rules! first_then {
    ($($(#[$attribute:meta])* $name:ident: $first:ident, $second:ident;)*) => {$(
        #[tokio::test]
        async fn $name() {
            assert_answers_the_first(&[Wrong::$first, Wrong::$second]).await;
        }
    )*};
}

first_then! {
    a_wrong_type_is_told_before_a_wrong_shape: ContentType, Shape;
    a_wrong_shape_is_told_before_wrong_credentials: Shape, Secret;
    wrong_credentials_are_told_before_a_missing_trusted_flag: Secret, NotTrusted;
    a_missing_trusted_flag_is_told_before_a_malformed_contact_id: NotTrusted, ContactId;
    a_malformed_contact_id_is_told_before_a_foreign_resource: ContactId, Resource;
    a_foreign_resource_is_told_before_what_the_rule_refuses: Resource, Rule;
    what_the_rule_refuses_is_told_before_a_client_that_is_not_allowed: Rule, Clients;
    a_client_that_is_not_allowed_is_told_before_a_scope_that_leaves_nothing: Clients, Scope;
    a_scope_that_leaves_nothing_is_told_before_too_many_clients: Scope, Size;
}

#[tokio::test]
async fn each_thing_alone_has_an_answer_of_its_own() {
    for wrong in Wrong::ALL {
        assert_answers_the_first(&[wrong]).await;
    }
}

#[tokio::test]
async fn of_any_two_things_the_earlier_is_told() {
    for (at, first) in Wrong::ALL.into_iter().enumerate() {
        for second in &Wrong::ALL[at + 1..] {
            assert_answers_the_first(&[first, *second]).await;
        }
    }
}

#[tokio::test]
async fn of_any_set_of_things_the_earliest_is_told_and_nothing_is_issued() {
    let sets = 1_u32..1 << Wrong::ALL.len();
    for set in sets {
        let chosen = Wrong::ALL.into_iter().enumerate().filter(|(bit, _)| set & (1 << bit) != 0);
        assert_answers_the_first(&chosen.map(|(_, wrong)| wrong).collect::<Vec<_>>()).await;
    }
}

#[tokio::test]
async fn with_nothing_wrong_the_same_request_works() {
    let (world, request) = request_with(&[]);
    let app = TestApp::new(&world);
    assert_eq!(app.send(request).await.status, 200);
    assert_eq!(issued(&app), 1);
}
