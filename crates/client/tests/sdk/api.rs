//! The API that the token opens, as a partner's program calls it.

use std::sync::Arc;
use std::time::Duration;

use procura_client::{
    Api, ClientId, ContactUpdate, ETag, Error, Permission, Permissions, ProtocolError, TokenSource,
    TransportErrorKind,
};

use crate::fake::{Act, Fake, SECRET, answer, contact, procura, refusal, token};

const CLIENTS: &str =
    r#"[{"client_id":"k1","client_name":"One","brand_name":"Bank","status":"Active","city":"Łódź"}]"#;

fn api(fake: &Arc<Fake>) -> Api<Arc<Fake>> {
    Api::new(TokenSource::new(procura(fake)), contact("c1"))
}

fn client(id: &str) -> ClientId {
    ClientId::parse(id).unwrap()
}

fn clients() -> Act {
    answer(200, &[], CLIENTS)
}

fn not_in_force() -> Act {
    let header =
        r#"Bearer realm="https://token.example", error="invalid_token", error_description="Revoked.""#;
    answer(401, &[("WWW-Authenticate", header)], "")
}

fn says(status: u16, code: &str, details: &str) -> Act {
    let details = details.replace('"', "\\\"");
    answer(status, &[], format!(r#"{{"code":"{code}","message":"No.","details":"{details}"}}"#))
}

fn change() -> ContactUpdate {
    ContactUpdate::new().permission(Permission::Trade, true)
}

#[tokio::test(start_paused = true)]
async fn all_calls_use_one_token_and_say_for_whom() {
    let one = r#"{"contact_id":"c2","name":"Two","can_trade":false,"can_manage_payments":true}"#;
    let list = format!("[{one}]");
    let fake = Fake::new([
        token("t"),
        clients(),
        answer(200, &[], list),
        answer(200, &[("ETag", "\"7\"")], one),
        answer(204, &[], ""),
    ]);
    let api = api(&fake);
    let clients = api.clients().await.unwrap();
    assert_eq!((clients[0].client_id.clone(), clients[0].city.as_deref()), (client("k1"), Some("Łódź")));
    let all = api.contacts(&client("k1")).await.unwrap();
    let (two, tag) = api.contact(&client("k1"), &contact("c2")).await.unwrap();
    assert_eq!(all, std::slice::from_ref(&two));
    assert_eq!(two.permissions, Some(Permissions::NONE.with(Permission::ManagePayments)));
    api.update_contact(&client("k1"), &contact("c2"), &change(), Some(&tag)).await.unwrap();

    assert_eq!(fake.paths(), ["/token/c1", "/clients", "/contacts", "/contacts/c2", "/contacts/c2"]);
    assert_eq!(fake.tokens(), ["t"; 4]);
    for number in 1..5 {
        assert_eq!(fake.request(number).headers()["x-contact-id"], "c1");
    }
    for number in 2..5 {
        assert_eq!(fake.request(number).uri().query(), Some("client_id=k1"));
    }
    let patch = fake.request(4);
    assert_eq!((patch.method().as_str(), &patch.headers()["if-match"]), ("PATCH", &"\"7\"".parse().unwrap()));
    assert_eq!(patch.body(), r#"{"can_trade":true}"#);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_in_force_is_replaced_once() {
    let fake = Fake::new([token("old"), not_in_force(), token("new"), clients(), clients()]);
    let api = api(&fake);
    api.clients().await.unwrap();
    api.clients().await.unwrap();
    assert_eq!(fake.tokens(), ["old", "new", "new"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_made_with_the_new_token_too() {
    let fake = Fake::new([token("old"), not_in_force(), token("new"), answer(204, &[], "")]);
    api(&fake).update_contact(&client("k1"), &contact("c2"), &change(), None).await.unwrap();
    assert_eq!(fake.tokens(), ["old", "new"]);
    assert_eq!(fake.request(1).body(), fake.request(3).body());
}

#[tokio::test(start_paused = true)]
async fn a_new_token_that_is_not_taken_either_is_an_error_and_is_not_kept() {
    let fake = Fake::new([token("t1"), not_in_force(), token("t2"), not_in_force()]);
    let api = api(&fake);
    let error = api.clients().await.unwrap_err();
    assert!(
        matches!(&error, Error::Api(refusal) if refusal.status == 401 && refusal.code == "invalid_token")
    );
    fake.then(token("t3"));
    fake.then(clients());
    api.clients().await.unwrap();
    assert_eq!(fake.tokens(), ["t1", "t2", "t3"]);
}

#[tokio::test(start_paused = true)]
async fn withdrawn_trust_is_told_as_the_servers_refusal() {
    let fake = Fake::new([token("old"), not_in_force(), refusal()]);
    let error = api(&fake).clients().await.unwrap_err();
    assert!(matches!(&error, Error::Refused { error, .. } if error == "invalid_grant"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn sixteen_who_are_refused_at_once_ask_for_one_new_token() {
    let second = Duration::from_secs(1);
    let refused = (0..16).map(|_| not_in_force());
    let taken = (0..16).map(|_| clients());
    let script = std::iter::once(token("old")).chain(refused).chain([token("new")]).chain(taken);
    let fake = Fake::slow(second, script);
    let api = api(&fake);
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let api = api.clone();
            tokio::spawn(async move { api.clients().await })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(fake.requests(), 1 + 16 + 1 + 16);
}

#[tokio::test(start_paused = true)]
async fn any_other_refusal_keeps_the_token_and_is_asked_once() {
    for refused in [
        answer(401, &[], ""),
        answer(401, &[("WWW-Authenticate", "Bearer realm=\"x\"")], ""),
        says(403, "client_not_allowed", r#"{"client_id":["is none of the token's"]}"#),
        says(403, "invalid_token", ""),
        answer(404, &[], ""),
    ] {
        let fake = Fake::new([token("t"), refused, clients()]);
        let api = api(&fake);
        let error = api.contacts(&client("k9")).await.unwrap_err();
        assert!(matches!(error, Error::Api(_)), "{error}");
        api.clients().await.unwrap();
        assert_eq!(fake.tokens(), ["t", "t"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_change_is_told_by_member() {
    let fake = Fake::new([
        token("t"),
        says(400, "validation_error", r#"{"language":["is not two small letters"]}"#),
    ]);
    let update = ContactUpdate::new().language("english");
    match api(&fake).update_contact(&client("k1"), &contact("c1"), &update, None).await.unwrap_err() {
        Error::Api(refusal) => {
            assert_eq!((refusal.status, refusal.code.as_str()), (400, "validation_error"));
            assert_eq!(refusal.fields["language"], ["is not two small letters"]);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_is_not_the_latest_is_a_conflict() {
    let fake = Fake::new([token("t"), says(409, "stale", "")]);
    let tag = ETag::parse("\"1\"").unwrap();
    let error =
        api(&fake).update_contact(&client("k1"), &contact("c2"), &change(), Some(&tag)).await.unwrap_err();
    assert!(matches!(&error, Error::Conflict(refusal) if refusal.status == 409), "{error}");
    assert!(!error.is_passing());
}

#[tokio::test(start_paused = true)]
async fn a_question_is_repeated_after_a_broken_connection_and_a_change_is_not() {
    let broken = || Act::Fail(TransportErrorKind::Connection);
    let fake = Fake::new([token("t"), broken(), clients()]);
    api(&fake).clients().await.unwrap();

    for lost in [broken(), Act::Fail(TransportErrorKind::Timeout), Act::Hang] {
        let fake = Fake::new([token("t"), lost]);
        let error =
            api(&fake).update_contact(&client("k1"), &contact("c2"), &change(), None).await.unwrap_err();
        assert!(matches!(error, Error::Transport(_)), "{error}");
        assert_eq!(fake.requests(), 2);
    }
    let fake = Fake::new([token("t"), answer(503, &[("Retry-After", "1")], ""), answer(204, &[], "")]);
    api(&fake).update_contact(&client("k1"), &contact("c2"), &change(), None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_no_header_is_sent_nowhere() {
    let fake = Fake::new([token("a\\nb")]);
    let error = api(&fake).clients().await.unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::Value { name: "access_token", .. })), "{error}");
    assert_eq!(fake.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_ping_needs_no_token_and_no_secret() {
    let fake = Fake::new([answer(200, &[], r#"{"status":"ok"}"#)]);
    procura(&fake).ping().await.unwrap();
    assert_eq!(fake.paths(), ["/ping"]);
    assert!(!fake.request(0).headers().contains_key("authorization"));
}

#[tokio::test(start_paused = true)]
async fn debug_output_of_the_api_and_its_errors_holds_no_secret_and_no_token() {
    let fake = Fake::new([token("hunter3"), not_in_force(), token("hunter4"), not_in_force()]);
    let api = api(&fake);
    let error = api.clients().await.unwrap_err();
    let printed = format!("{api:?} {error:?} {error}");
    assert!(!printed.contains(SECRET) && !printed.contains("hunter"), "{printed}");
}
