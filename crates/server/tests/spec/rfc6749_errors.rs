//! RFC 6749 5.1 and 5.2: what answers of a token endpoint look like.

use procura_protocol::form::Form;
use procura_testkit::world::CONTACT;
use procura_testkit::{TestApp, World};

use crate::defects::{Wrong, request_with};
use crate::support::{asking_as_nobody, assert_refused, with_form, without_body};

#[tokio::test]
async fn answers_with_tokens_are_not_to_be_stored() {
    let answer = TestApp::new(&World::default()).token().await;
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
}

#[tokio::test]
async fn errors_are_json_with_a_code_of_the_rfc_and_a_sentence_of_its_alphabet() {
    for wrong in Wrong::ALL {
        let (world, request) = request_with(&[wrong]);
        let (status, error, _) = wrong.answer();
        assert_refused(&TestApp::new(&world).send(request).await, status, error);
    }
}

#[tokio::test]
async fn errors_are_400_but_for_authentication_and_what_http_has_a_status_for() {
    for wrong in Wrong::ALL {
        let expected = match wrong {
            Wrong::Secret => 401,
            Wrong::ContentType => 415,
            _ => 400,
        };
        assert_eq!(wrong.answer().0, expected);
    }
}

#[tokio::test]
async fn invalid_client_comes_with_the_scheme_to_use_however_the_application_tried() {
    let app = TestApp::new(&World::default());
    for request in [
        without_body(asking_as_nobody()),
        with_form(asking_as_nobody(), "client_id=app_partner&client_secret=x"),
        without_body(asking_as_nobody().header("authorization", "Bearer x")),
    ] {
        assert_refused(&app.send(request).await, 401, "invalid_client");
    }
}

#[tokio::test]
async fn an_error_says_what_to_change_and_shows_nothing_of_the_request() {
    let app = TestApp::new(&World::default());
    for form in ["clients=hunter2 ", "scope=hunter2", "resource=hunter2", "hunter2=%", "resource=hunter2:x"] {
        let answer = app.token_for(CONTACT, form).await;
        assert_eq!(answer.status, 400, "{form}");
        assert!(!answer.text("error_description").contains("hunter2"), "{form}");
    }
}

#[test]
fn what_a_repaired_form_would_mean_is_never_guessed() {
    for form in ["scope=%", "scope=%4", "scope=%zz", "=x", "%ff=x"] {
        assert!(Form::parse(form.as_bytes()).is_err(), "{form}");
    }
}
