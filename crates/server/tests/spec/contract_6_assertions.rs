//! Contract, chapter 6: an application proves who it is by an assertion that it signed (RFC 7523).

use axum::body::Body;
use http::Request;
use http::header::AUTHORIZATION;
use procura_protocol::application_auth::AssertionAudience;
use procura_protocol::client_assertion::AssertionFault;
use procura_testkit::World;
use procura_testkit::app::basic;
use procura_testkit::assertion::{claims, form};
use procura_testkit::clock::BEGINNING;
use procura_testkit::world::{APPLICATION, ISSUER, SECRET, UNTRUSTED};
use serde_json::{Value, json};

use crate::signing::{Signing, last_faults};
use crate::support::{asking_as_nobody, assert_refused, contact_path, with_form, without_body};

#[tokio::test]
async fn an_assertion_is_enough() {
    let signing = Signing::new();
    let answer = signing.send(&signing.key.assertion("first")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(signing.app.id_token(&answer)["aud"], APPLICATION);
    assert_eq!(last_faults(&signing.app), []);
}

#[tokio::test]
async fn an_assertion_proves_nothing_of_an_application_that_is_not_registered_for_it() {
    let signing = Signing::with(|world| world.by("client_secret_basic tls_client_auth"));
    signing.refuses(AssertionFault::NotRegistered, |_, _| {}).await;
}

#[tokio::test]
async fn a_secret_proves_nothing_of_an_application_that_is_registered_for_assertions_alone() {
    let signing = Signing::new();
    let by_basic = without_body(asking_as_nobody().header(AUTHORIZATION, basic(APPLICATION, SECRET)));
    assert_refused(&signing.app.send(by_basic).await, 401, "invalid_client");
    let by_form = with_form(asking_as_nobody(), format!("client_id={APPLICATION}&client_secret={SECRET}"));
    assert_refused(&signing.app.send(by_form).await, 401, "invalid_client");
}

#[tokio::test]
async fn a_disabled_application_proves_nothing() {
    let signing = Signing::with(|world| world.application(|application| application.active = false));
    signing.refuses(AssertionFault::DisabledApplication, |_, _| {}).await;
}

#[tokio::test]
async fn an_application_that_does_not_exist_proves_nothing() {
    let nobody = |_: &mut Value, claims: &mut Value| {
        (claims["iss"], claims["sub"]) = (json!("app_nobody"), json!("app_nobody"));
    };
    Signing::new().refuses(AssertionFault::UnknownApplication, nobody).await;
}

#[tokio::test]
async fn a_claim_that_is_missing_refuses_it() {
    for name in ["iss", "sub", "aud", "exp", "jti"] {
        let without = |_: &mut Value, claims: &mut Value| drop(claims.as_object_mut().unwrap().remove(name));
        Signing::new().refuses(AssertionFault::Claims, without).await;
    }
}

#[tokio::test]
async fn a_claim_of_another_type_refuses_it() {
    for name in ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"] {
        let right = claims("changed")[name].clone();
        for wrong in [json!([right]), json!({"value": right}), json!(null), json!(true)] {
            let change = |_: &mut Value, claims: &mut Value| claims[name] = wrong;
            Signing::new().refuses(AssertionFault::Claims, change).await;
        }
    }
    for (name, wrong) in [("exp", json!("1767225660")), ("jti", json!(1)), ("aud", json!(1))] {
        let change = |_: &mut Value, claims: &mut Value| claims[name] = wrong;
        Signing::new().refuses(AssertionFault::Claims, change).await;
    }
}

#[tokio::test]
async fn a_claim_that_stands_there_twice_refuses_it() {
    let signing = Signing::new();
    let once = claims("twice").to_string();
    for twice in [r#""jti":"other","#, r#""iss":"app_partner","#, r#""x":1,"\u0078":2,"#] {
        let text = once.replacen('{', &format!("{{{twice}"), 1);
        let assertion = signing.key.sign_text(&signing.key.header().to_string(), &text);
        assert_refused(&signing.send(&assertion).await, 401, "invalid_client");
    }
    assert_eq!(last_faults(&signing.app), [AssertionFault::Malformed]);
}

#[tokio::test]
async fn an_assertion_is_of_the_application_that_it_is_about() {
    for name in ["iss", "sub"] {
        let change = |_: &mut Value, claims: &mut Value| claims[name] = json!(UNTRUSTED);
        let answer = Signing::new().changed(change).await;
        assert_refused(&answer, 401, "invalid_client");
    }
}

#[tokio::test]
async fn the_audience_is_the_issuer_as_one_string() {
    for other in [
        json!("https://procura.example/"),
        json!("https://PROCURA.example"),
        json!("https://procura.example/token"),
        json!(format!("{ISSUER}{}", contact_path())),
        json!("https://other.example"),
        json!(""),
    ] {
        let change = |_: &mut Value, claims: &mut Value| claims["aud"] = other;
        Signing::new().refuses(AssertionFault::Audience, change).await;
    }
    for list in [json!([ISSUER]), json!([ISSUER, "https://other.example"]), json!([])] {
        let change = |_: &mut Value, claims: &mut Value| claims["aud"] = list;
        Signing::new().refuses(AssertionFault::Claims, change).await;
    }
}

#[tokio::test]
async fn the_audience_is_the_url_that_was_asked_where_that_is_registered() {
    let by_endpoint = |world: World| {
        world.registration(|registration| registration.assertion_audience = AssertionAudience::Endpoint)
    };
    let to = |aud: String| move |_: &mut Value, claims: &mut Value| claims["aud"] = json!(aud);
    let asked = format!("{ISSUER}{}", contact_path());
    assert_eq!(Signing::with(by_endpoint).changed(to(asked.clone())).await.status, 200);
    for other in [
        ISSUER.to_owned(),
        format!("{ISSUER}/token/con.ben"),
        format!("{ISSUER}/token/{{contact_id}}"),
        format!("{ISSUER}/introspect"),
        format!("{asked}/"),
        format!("{asked}?"),
    ] {
        Signing::with(by_endpoint).refuses(AssertionFault::Audience, to(other)).await;
    }
}

#[tokio::test]
async fn an_assertion_that_is_over_or_lives_too_long_is_refused() {
    for (ahead, fault) in [
        (-3_600, AssertionFault::Expired),
        (-1, AssertionFault::Expired),
        (0, AssertionFault::Expired),
        (311, AssertionFault::ExpiresTooLate),
        (86_400, AssertionFault::ExpiresTooLate),
        (i64::MAX - BEGINNING.0, AssertionFault::ExpiresTooLate),
    ] {
        let change = |_: &mut Value, claims: &mut Value| claims["exp"] = json!(BEGINNING.0 + ahead);
        Signing::new().refuses(fault, change).await;
    }
    for ahead in [1, 300, 310] {
        let change = |_: &mut Value, claims: &mut Value| claims["exp"] = json!(BEGINNING.0 + ahead);
        assert_eq!(Signing::new().changed(change).await.status, 200, "{ahead}");
    }
}

#[tokio::test]
async fn a_clock_that_is_ten_seconds_ahead_is_accepted_and_a_minute_is_not() {
    for name in ["iat", "nbf"] {
        let ahead = |seconds: i64| {
            move |_: &mut Value, claims: &mut Value| claims[name] = json!(BEGINNING.0 + seconds)
        };
        assert_eq!(Signing::new().changed(ahead(10)).await.status, 200, "{name}");
        Signing::new().refuses(AssertionFault::NotYet, ahead(11)).await;
        Signing::new().refuses(AssertionFault::NotYet, ahead(60)).await;
    }
}

#[tokio::test]
async fn an_assertion_that_was_made_long_ago_is_refused() {
    let made = |ago: i64| move |_: &mut Value, claims: &mut Value| claims["iat"] = json!(BEGINNING.0 - ago);
    assert_eq!(Signing::new().changed(made(300)).await.status, 200);
    Signing::new().refuses(AssertionFault::TooOld, made(301)).await;
}

#[tokio::test]
async fn an_assertion_needs_no_word_about_when_it_was_made() {
    let without = |_: &mut Value, claims: &mut Value| {
        for name in ["iat", "nbf"] {
            claims.as_object_mut().unwrap().remove(name);
        }
    };
    assert_eq!(Signing::new().changed(without).await.status, 200);
}

#[tokio::test]
async fn its_name_has_a_length() {
    let named =
        |length: usize| move |_: &mut Value, claims: &mut Value| claims["jti"] = json!("x".repeat(length));
    Signing::new().refuses(AssertionFault::Id, named(0)).await;
    Signing::new().refuses(AssertionFault::Id, named(257)).await;
    assert_eq!(Signing::new().changed(named(256)).await.status, 200);
}

#[tokio::test]
async fn an_assertion_of_another_kind_is_refused() {
    for typ in ["JWT", "jwt", "client-authentication+jwt", "application/client-authentication+JWT"] {
        let answer = Signing::new().changed(|header, _| header["typ"] = json!(typ)).await;
        assert_eq!(answer.status, 200, "{typ}");
    }
    for typ in ["at+jwt", "authorization-grant+jwt", "dpop+jwt", "JOSE", "", "jwt ", "application/x/jwt"] {
        Signing::new().refuses(AssertionFault::Type, |header, _| header["typ"] = json!(typ)).await;
    }
    Signing::new().refuses(AssertionFault::Malformed, |header, _| header["typ"] = json!(["JWT"])).await;
}

#[tokio::test]
async fn an_extension_that_must_be_understood_is_refused() {
    for crit in [json!(["b64"]), json!([]), json!(null)] {
        let change = |header: &mut Value, _: &mut Value| header["crit"] = crit;
        Signing::new().refuses(AssertionFault::Critical, change).await;
    }
}

#[tokio::test]
async fn an_id_beside_an_assertion_must_be_the_one_in_it() {
    let signing = Signing::new();
    for (id, status) in [(APPLICATION, 200), (UNTRUSTED, 401), ("app_nobody", 401), ("app_partner%20", 401)] {
        let body = format!("{}&client_id={id}", form(&signing.key.assertion(id)));
        assert_eq!(signing.app.send(with_form(asking_as_nobody(), body)).await.status, status, "{id}");
    }
    assert_eq!(last_faults(&signing.app), [AssertionFault::OtherApplication]);
}

#[tokio::test]
async fn an_assertion_beside_another_proof_is_two_ways() {
    let signing = Signing::with(|world| world.by("private_key_jwt client_secret_basic client_secret_post"));
    let assertion = form(&signing.key.assertion("two"));
    let request = asking_as_nobody().header(AUTHORIZATION, basic(APPLICATION, SECRET));
    assert_refused(&signing.app.send(with_form(request, assertion.clone())).await, 400, "invalid_request");
    let both = format!("{assertion}&client_id={APPLICATION}&client_secret={SECRET}");
    assert_refused(&signing.app.send(with_form(asking_as_nobody(), both)).await, 400, "invalid_request");
    let twice = format!("{assertion}&client_assertion=x");
    assert_refused(&signing.app.send(with_form(asking_as_nobody(), twice)).await, 400, "invalid_request");
    assert_eq!(signing.send(&signing.key.assertion("two")).await.status, 200);
}

#[tokio::test]
async fn an_assertion_is_no_bearer_token_and_no_password() {
    let signing = Signing::new();
    let assertion = signing.key.assertion("elsewhere");
    for header in [format!("Bearer {assertion}"), basic(APPLICATION, &assertion), basic("", &assertion)] {
        let answer = signing.app.send(without_body(asking_as_nobody().header(AUTHORIZATION, header))).await;
        assert_refused(&answer, 401, "invalid_client");
    }
    assert_eq!(signing.send(&assertion).await.status, 200);
}

#[tokio::test]
async fn a_token_of_this_server_is_no_assertion() {
    let signing = Signing::new();
    let answer = signing.send(&signing.key.assertion("first")).await;
    for token in ["access_token", "id_token"] {
        assert_refused(&signing.send(&answer.text(token)).await, 401, "invalid_client");
    }
}

#[tokio::test]
async fn what_is_no_jwt_or_too_long_is_refused() {
    let signing = Signing::new();
    let whole = signing.key.assertion("whole");
    let long = signing.changed(|_, claims| claims["padding"] = json!("x".repeat(8 * 1024))).await;
    assert_refused(&long, 401, "invalid_client");
    assert_eq!(last_faults(&signing.app), [AssertionFault::TooLong]);
    for broken in [
        "x",
        ".",
        "..",
        "a.b.c",
        &whole[1..],
        &format!("{whole}="),
        &format!("{whole}.x"),
        &format!(".{whole}"),
    ] {
        assert_refused(&signing.send(broken).await, 401, "invalid_client");
    }
    assert_eq!(last_faults(&signing.app), [AssertionFault::TooLong, AssertionFault::Malformed]);
    let longest = signing.changed(|_, claims| claims["padding"] = json!("x".repeat(5_500))).await;
    assert_eq!(longest.status, 200);
}

#[tokio::test]
async fn every_assertion_that_proves_nothing_gets_the_same_answer() {
    let signing = Signing::new();
    let missing = signing.app.send(without_body(asking_as_nobody())).await;
    let expired = signing.changed(|_, claims| claims["exp"] = json!(1)).await;
    let unknown = signing.changed(|_, claims| claims["iss"] = json!("app_nobody")).await;
    let garbage = signing.send("garbage").await;
    for answer in [expired, unknown, garbage] {
        assert_eq!((answer.status, &answer.body), (missing.status, &missing.body));
        let challenge = "www-authenticate";
        assert_eq!(answer.header(challenge), missing.header(challenge));
    }
}

#[tokio::test]
async fn an_assertion_is_enough_at_every_endpoint_of_applications() {
    let signing = Signing::new();
    let token = signing.send(&signing.key.assertion("token")).await.text("access_token");
    let list = format!("/info/available-contacts?{}", form(&signing.key.assertion("list")));
    assert_eq!(signing.app.send(without_body(Request::get(list))).await.status, 200);
    for path in ["/introspect", "/revoke"] {
        let body = format!("token={token}&{}", form(&signing.key.assertion(path)));
        let answer = signing.app.send(with_form(Request::post(path), body.clone())).await;
        assert_eq!(answer.status, 200, "{path}");
        let again = signing.app.send(with_form(Request::post(path), body)).await;
        assert_eq!((again.status.as_u16(), again.text("error").as_str()), (401, "invalid_client"), "{path}");
    }
}

#[tokio::test]
async fn the_url_that_was_asked_is_each_endpoint_s_own() {
    let signing = Signing::with(|world| {
        world.registration(|registration| registration.assertion_audience = AssertionAudience::Endpoint)
    });
    let to = |path: &str, id: &str| {
        let mut claims = claims(id);
        claims["aud"] = json!(format!("{ISSUER}{path}"));
        form(&signing.key.sign(&signing.key.header(), &claims))
    };
    for (path, audience, status) in
        [("/introspect", "/introspect", 200), ("/introspect", "/revoke", 401), ("/revoke", "/revoke", 200)]
    {
        let body = format!("token=x&{}", to(audience, &format!("{path}{audience}")));
        let answer = signing.app.send(with_form(Request::post(path), body)).await;
        assert_eq!(answer.status, status, "{path} {audience}");
    }
    let list = "/info/available-contacts";
    let request = Request::get(format!("{list}?{}", to(list, "list")));
    assert_eq!(signing.app.send(request.body(Body::empty()).unwrap()).await.status, 200);
}
