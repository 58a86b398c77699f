//! Tokens that are ended, and that nobody gets afterwards.

use std::sync::Arc;
use std::time::Duration;

use procura_client::{Error, ProtocolError, SharedToken, Token, TokenSource, TransportErrorKind};
use serde_json::json;
use tokio::time::advance;

use crate::fake::{Act, Fake, ISSUER, answer, contact, metadata, procura, token};

type Source = TokenSource<Arc<Fake>>;

const DISCOVER: &str = "/.well-known/oauth-authorization-server";
const LIFE: Duration = Duration::from_secs(3_600);

fn ended() -> Act {
    answer(200, &[], "")
}

fn refused(error: &str) -> Act {
    answer(400, &[], format!(r#"{{"error":"{error}","error_description":"no"}}"#))
}

async fn get(source: &Source) -> SharedToken {
    source.token_for_contact(&contact("c1")).await.unwrap()
}

async fn text(source: &Source) -> String {
    get(source).await.access_token.as_ref().unwrap().expose().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_token_is_ended_at_the_endpoint_of_the_metadata_with_the_applications_credentials() {
    let fake = Fake::new([metadata(), ended(), ended()]);
    let procura = procura(&fake);
    procura.revoke(&Token::from(String::from("a.b.c"))).await.unwrap();
    procura.revoke(&Token::from(String::from("d.e.f"))).await.unwrap();
    assert_eq!(fake.paths(), [DISCOVER, "/revoke", "/revoke"], "the metadata are kept");
    assert_eq!(fake.tokens(), ["a.b.c", "d.e.f"]);
    let request = fake.request(1);
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri().to_string(), format!("{ISSUER}/revoke"));
    assert!(request.headers()["authorization"].to_str().unwrap().starts_with("Basic "));
    assert!(!fake.request(0).headers().contains_key("authorization"));
}

#[tokio::test(start_paused = true)]
async fn metadata_are_asked_again_after_five_minutes() {
    let fake = Fake::new([metadata(), ended(), metadata(), ended()]);
    let procura = procura(&fake);
    procura.revoke(&Token::from(String::from("a"))).await.unwrap();
    advance(Duration::from_secs(300)).await;
    procura.revoke(&Token::from(String::from("b"))).await.unwrap();
    assert_eq!(fake.paths(), [DISCOVER, "/revoke", DISCOVER, "/revoke"]);
}

#[tokio::test(start_paused = true)]
async fn no_token_goes_to_an_endpoint_of_another_origin() {
    for (member, endpoint) in [
        ("revocation_endpoint", json!("https://evil.example/revoke")),
        ("revocation_endpoint", json!("http://token.example/revoke")),
        ("x", json!(null)),
    ] {
        let mut document = json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/jwks")});
        document[member] = endpoint;
        let fake = Fake::new([answer(200, &[], document.to_string())]);
        let error = procura(&fake).revoke(&Token::from(String::from("a"))).await.unwrap_err();
        assert!(
            matches!(
                error,
                Error::Protocol(
                    ProtocolError::Value { name: "revocation_endpoint", .. }
                        | ProtocolError::Missing("revocation_endpoint")
                )
            ),
            "{error}"
        );
        assert_eq!(fake.paths(), [DISCOVER]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_revocation_is_told_and_asked_once() {
    for code in ["invalid_grant", "unsupported_token_type", "invalid_client"] {
        let fake = Fake::new([metadata(), refused(code)]);
        let error = procura(&fake).revoke(&Token::from(String::from("hunter2"))).await.unwrap_err();
        assert!(matches!(&error, Error::Refused { error, .. } if error == code), "{error}");
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_spent_budget_is_waited_for_and_then_told_with_how_long_to_wait() {
    let fake = Fake::new([metadata(), answer(429, &[("Retry-After", "2")], ""), ended()]);
    procura(&fake).revoke(&Token::from(String::from("a"))).await.unwrap();
    assert_eq!(fake.gaps()[1], Duration::from_secs(2));

    let fake = Fake::new([metadata(), answer(429, &[("Retry-After", "60")], "")]);
    let error = procura(&fake).revoke(&Token::from(String::from("a"))).await.unwrap_err();
    let minute = Some(Duration::from_secs(60));
    assert!(
        matches!(error, Error::Unavailable { status: 429, retry_after, .. } if retry_after == minute),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_source_ends_what_it_keeps_and_the_next_asker_gets_a_new_one() {
    let fake = Fake::new([token("old"), metadata(), ended(), token("new")]);
    let source = TokenSource::new(procura(&fake));
    assert_eq!(text(&source).await, "old");
    source.revoke(&contact("c1")).await.unwrap();
    assert_eq!(fake.tokens(), ["old"]);
    assert_eq!(text(&source).await, "new");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_keeps_nothing_for_a_contact_asks_nobody() {
    let fake = Fake::new([token("t")]);
    let source = TokenSource::new(procura(&fake));
    get(&source).await;
    source.revoke(&contact("c2")).await.unwrap();
    assert_eq!(fake.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_could_not_be_ended_is_still_kept_so_that_it_can_be_tried_again() {
    let fake = Fake::new([token("old"), metadata(), answer(500, &[], "")]);
    let source = TokenSource::new(procura(&fake));
    get(&source).await;
    assert!(source.revoke(&contact("c1")).await.is_err());
    assert_eq!(text(&source).await, "old");
    fake.then(ended());
    source.revoke(&contact("c1")).await.unwrap();
    assert_eq!(fake.tokens(), ["old", "old"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_on_its_way_is_ended_too() {
    let second = Duration::from_secs(1);
    let fake = Fake::slow(second, [token("old"), token("coming"), metadata(), ended(), ended()]);
    let source = TokenSource::new(procura(&fake));
    get(&source).await;
    advance(LIFE * 4 / 5).await;
    let asker = tokio::spawn({
        let source = source.clone();
        async move { text(&source).await }
    });
    tokio::task::yield_now().await;
    source.revoke(&contact("c1")).await.unwrap();
    assert_eq!(asker.await.unwrap(), "coming");
    assert_eq!(fake.tokens(), ["old", "coming"]);
    fake.then(token("new"));
    assert_eq!(text(&source).await, "new");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_meanwhile_does_not_end_the_old_token_twice() {
    let second = Duration::from_secs(1);
    let fail = || Act::Fail(TransportErrorKind::TooLarge);
    let fake = Fake::slow(second, [token("old"), fail(), metadata(), ended()]);
    let source = TokenSource::new(procura(&fake));
    get(&source).await;
    advance(LIFE * 4 / 5).await;
    let asker = tokio::spawn({
        let source = source.clone();
        async move { text(&source).await }
    });
    tokio::task::yield_now().await;
    source.revoke(&contact("c1")).await.unwrap();
    assert_eq!(asker.await.unwrap(), "old");
    assert_eq!(fake.tokens(), ["old"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_handed_out_is_ended_without_losing_the_newer_one() {
    let fake = Fake::new([token("old"), token("new"), metadata(), ended()]);
    let source = TokenSource::new(procura(&fake));
    let old = get(&source).await;
    advance(LIFE * 4 / 5).await;
    assert_eq!(text(&source).await, "new");
    source.revoke_token(&contact("c1"), &old).await.unwrap();
    assert_eq!(fake.tokens(), ["old"]);
    assert_eq!(text(&source).await, "new");
    source.forget_token(&contact("c1"), &old);
    assert_eq!(text(&source).await, "new");
    assert_eq!(fake.requests(), 4);
}
