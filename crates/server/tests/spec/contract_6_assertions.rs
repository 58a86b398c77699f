//! Contract, chapter 6: an application proves who it is by an assertion that it signed (RFC 7523).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use http::header::AUTHORIZATION;
use procura_engine::application_auth::assertion::REPLAY_WINDOW;
use procura_jose::Algorithm;
use procura_jose::digest::hmac_sha256;
use procura_protocol::application_auth::AssertionAudience;
use procura_protocol::client_assertion::AssertionFault;
use procura_store::journal::{AssertionUsed, Record};
use procura_testkit::app::basic;
use procura_testkit::assertion::{AssertionKey, claims, form};
use procura_testkit::clock::BEGINNING;
use procura_testkit::journal::Mode;
use procura_testkit::world::{APPLICATION, ISSUER, SECRET, UNTRUSTED};
use procura_testkit::{Answer, TestApp, World};
use serde_json::{Value, json};

use crate::support::{asking_as_nobody, assert_refused, contact_path, with_form, without_body};

/// A server whose trusted application signs with one ES256 key.
struct Signing {
    key: AssertionKey,
    app: TestApp,
}

impl Signing {
    fn new() -> Signing {
        Signing::with(|world| world)
    }

    fn with(change: impl FnOnce(World) -> World) -> Signing {
        let key = AssertionKey::new(Algorithm::Es256);
        let app = TestApp::new(&change(World::default().signing(&[&key])));
        Signing { key, app }
    }

    /// The answer to a request for a contact token with that assertion.
    async fn send(&self, assertion: &str) -> Answer {
        send(&self.app, assertion).await
    }

    /// The answer to an assertion that works but for what is changed in its header and its claims.
    async fn changed(&self, change: impl FnOnce(&mut Value, &mut Value)) -> Answer {
        let (mut header, mut claims) = (self.key.header(), claims("changed"));
        change(&mut header, &mut claims);
        self.send(&self.key.sign(&header, &claims)).await
    }

    /// Checks that what is changed is refused for that reason, with the one answer.
    async fn refuses(&self, fault: AssertionFault, change: impl FnOnce(&mut Value, &mut Value)) {
        let answer = self.changed(change).await;
        assert_refused(&answer, 401, "invalid_client");
        assert_eq!(last_faults(&self.app), [fault]);
    }
}

async fn send(app: &TestApp, assertion: &str) -> Answer {
    app.send(with_form(asking_as_nobody(), form(assertion))).await
}

/// Why assertions were refused so far, each reason once.
fn last_faults(app: &TestApp) -> Vec<AssertionFault> {
    app.engine.refused_assertions().filter(|(_, count)| *count > 0).map(|(fault, _)| fault).collect()
}

fn used(app: &TestApp) -> Vec<AssertionUsed> {
    let records = app.journal.records();
    records.iter().filter_map(|r| if let Record::AssertionUsed(used) = r { Some(*used) } else { None }).collect()
}

#[tokio::test]
async fn an_assertion_is_enough() {
    let signing = Signing::new();
    let answer = signing.send(&signing.key.assertion("first")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(signing.app.id_token(&answer)["aud"], APPLICATION);
    assert_eq!(last_faults(&signing.app), []);
}

#[tokio::test]
async fn an_assertion_may_be_signed_with_each_algorithm_but_rs256() {
    for (algorithm, expected) in
        [(Algorithm::Es256, 200), (Algorithm::Ps256, 200), (Algorithm::EdDsa, 200), (Algorithm::Rs256, 401)]
    {
        let key = AssertionKey::new(algorithm);
        let app = TestApp::new(&World::default().signing(&[&key]));
        assert_eq!(send(&app, &key.assertion("first")).await.status, expected, "{algorithm}");
    }
}

#[tokio::test]
async fn rs256_works_where_it_is_registered_and_then_nothing_else_does() {
    let rsa = AssertionKey::new(Algorithm::Rs256);
    let other = AssertionKey::new(Algorithm::Es256);
    let world = World::default().signing(&[&rsa, &other]);
    let app = TestApp::new(&world.registration(|r| r.assertion_algorithm = Some(Algorithm::Rs256)));
    assert_eq!(send(&app, &rsa.assertion("first")).await.status, 200);
    assert_refused(&send(&app, &other.assertion("second")).await, 401, "invalid_client");
    assert_eq!(last_faults(&app), [AssertionFault::Algorithm]);
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
    let named = |length: usize| move |_: &mut Value, claims: &mut Value| claims["jti"] = json!("x".repeat(length));
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
async fn nobody_signs_for_an_application_with_a_key_of_another() {
    let (ours, theirs) = (AssertionKey::new(Algorithm::Es256), AssertionKey::new(Algorithm::Es256));
    let mut world = World::default().signing(&[&ours]);
    world.applications[1].registration = Arc::clone(&world.applications[0].registration);
    Arc::make_mut(&mut world.applications[1].registration).keys = [theirs.registered()].into();
    let app = TestApp::new(&world);
    assert_refused(&send(&app, &theirs.assertion("named")).await, 401, "invalid_client");
    assert_eq!(last_faults(&app), [AssertionFault::UnknownKey]);
    let unnamed = theirs.sign(&json!({"alg": "ES256"}), &claims("unnamed"));
    assert_refused(&send(&app, &unnamed).await, 401, "invalid_client");
    let under_our_name = theirs.sign(&ours.header(), &claims("under our name"));
    assert_refused(&send(&app, &under_our_name).await, 401, "invalid_client");
    assert_eq!(last_faults(&app), [AssertionFault::UnknownKey, AssertionFault::Signature]);
    assert!(used(&app).is_empty());
}

#[tokio::test]
async fn without_a_signature_nothing_is_proved() {
    let signing = Signing::new();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let unsigned = format!("{}.{}.", part(&json!({"alg": alg})), part(&claims("none")));
        assert_refused(&signing.send(&unsigned).await, 401, "invalid_client");
        let signed = signing.changed(|header, _| header["alg"] = json!(alg)).await;
        assert_refused(&signed, 401, "invalid_client");
    }
    assert_eq!(last_faults(&signing.app), [AssertionFault::Algorithm]);
    let (front, _) = signing.key.assertion("cut").rsplit_once('.').map(|(a, b)| (a.to_owned(), b.len())).unwrap();
    assert_refused(&signing.send(&format!("{front}.")).await, 401, "invalid_client");
    assert_refused(&signing.send(&front).await, 401, "invalid_client");
}

#[tokio::test]
async fn the_public_key_is_no_secret_to_sign_with() {
    let signing = Signing::new();
    let public = signing.key.registered().jwk;
    let header = json!({"alg": "HS256", "kid": signing.key.jwk().kid()});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(&claims("hmac")));
    let mac = URL_SAFE_NO_PAD.encode(hmac_sha256(public.as_bytes(), message.as_bytes()));
    assert_refused(&signing.send(&format!("{message}.{mac}")).await, 401, "invalid_client");
    assert_eq!(last_faults(&signing.app), [AssertionFault::Algorithm]);
}

#[tokio::test]
async fn the_algorithm_is_that_of_the_key() {
    for alg in ["PS256", "EdDSA"] {
        let change = |header: &mut Value, _: &mut Value| header["alg"] = json!(alg);
        Signing::new().refuses(AssertionFault::KeyAlgorithm, change).await;
    }
}

#[tokio::test]
async fn a_kid_is_a_name_and_never_a_place() {
    for kid in ["../../etc/passwd", "/dev/null", "' OR 1=1 --", "https://evil.example/key", "\u{0}", "", "*"] {
        let change = |header: &mut Value, _: &mut Value| header["kid"] = json!(kid);
        Signing::new().refuses(AssertionFault::UnknownKey, change).await;
    }
    for kid in [json!(1), json!(["x"]), json!({})] {
        let change = |header: &mut Value, _: &mut Value| header["kid"] = kid;
        Signing::new().refuses(AssertionFault::Malformed, change).await;
    }
}

#[tokio::test]
async fn a_key_that_an_assertion_brings_along_is_never_taken() {
    let stranger = AssertionKey::new(Algorithm::Es256);
    let signing = Signing::new();
    for (name, value) in [
        ("jwk", json!(stranger.jwk())),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/certificate")),
        ("x5c", json!(["MIIB"])),
    ] {
        for kid in [json!(stranger.jwk().kid()), json!(signing.key.jwk().kid())] {
            let header = json!({"alg": "ES256", "kid": kid, name: value});
            let assertion = stranger.sign(&header, &claims("brought"));
            assert_refused(&signing.send(&assertion).await, 401, "invalid_client");
        }
        let beside = signing.changed(|header, claims| {
            header[name] = value;
            claims["jti"] = json!(name);
        });
        assert_eq!(beside.await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn without_a_kid_the_keys_of_its_algorithm_are_tried() {
    let keys = [Algorithm::Es256, Algorithm::Es256, Algorithm::EdDsa].map(AssertionKey::new);
    let app = TestApp::new(&World::default().signing(&[&keys[0], &keys[1], &keys[2]]));
    for (key, alg) in keys.iter().zip(["ES256", "ES256", "EdDSA"]) {
        let assertion = key.sign(&json!({"alg": alg}), &claims(&format!("{}", key.jwk().kid())));
        assert_eq!(send(&app, &assertion).await.status, 200, "{alg}");
    }
}

#[tokio::test]
async fn a_key_that_has_expired_proves_nothing() {
    let signing = Signing::with(|world| {
        world.registration(|registration| registration.keys[0].expires_at = Some(BEGINNING.plus(30)))
    });
    assert_eq!(signing.send(&signing.key.assertion("before")).await.status, 200);
    signing.app.clock.advance(Duration::from_secs(30));
    assert_refused(&signing.send(&signing.key.assertion("after")).await, 401, "invalid_client");
    assert_eq!(last_faults(&signing.app), [AssertionFault::UnknownKey]);
}

#[tokio::test]
async fn a_registered_key_that_is_taken_out_proves_nothing_from_the_next_request_on() {
    let (old, new) = (AssertionKey::new(Algorithm::Es256), AssertionKey::new(Algorithm::Es256));
    let app = TestApp::new(&World::default().signing(&[&old]));
    assert_eq!(send(&app, &old.assertion("first")).await.status, 200);
    app.store.set(World::default().signing(&[&new]).publish());
    assert_refused(&send(&app, &old.assertion("second")).await, 401, "invalid_client");
    assert_eq!(send(&app, &new.assertion("third")).await.status, 200);
}

#[tokio::test]
async fn an_assertion_is_used_once() {
    let signing = Signing::new();
    let assertion = signing.key.assertion("once");
    assert_eq!(signing.send(&assertion).await.status, 200);
    for _ in 0..2 {
        assert_refused(&signing.send(&assertion).await, 401, "invalid_client");
    }
    assert_eq!(last_faults(&signing.app), [AssertionFault::Replayed]);
    let in_other_words = signing.changed(|header, claims| {
        header["typ"] = json!("JWT");
        (claims["jti"], claims["exp"]) = (json!("once"), json!(BEGINNING.0 + 61));
    });
    assert_refused(&in_other_words.await, 401, "invalid_client");
    assert_eq!(used(&signing.app).len(), 1);
}

#[tokio::test]
async fn of_sixteen_that_send_one_assertion_at_once_one_is_let_in() {
    let signing = Signing::new();
    let (assertion, app) = (signing.key.assertion("at once"), Arc::new(signing.app));
    let sent: Vec<_> = (0..16)
        .map(|_| {
            let (app, assertion) = (Arc::clone(&app), assertion.clone());
            tokio::spawn(async move { send(&app, &assertion).await.status.as_u16() })
        })
        .collect();
    let mut answers = Vec::new();
    for answer in sent {
        answers.push(answer.await.unwrap());
    }
    answers.sort_unstable();
    assert_eq!((answers[0], &answers[1..]), (200, &[401; 15][..]));
}

#[tokio::test]
async fn an_assertion_that_was_refused_is_not_used_up() {
    let signing = Signing::new();
    let early = signing.changed(|_, claims| claims["nbf"] = json!(BEGINNING.0 + 20));
    assert_refused(&early.await, 401, "invalid_client");
    assert!(used(&signing.app).is_empty());
    signing.app.clock.advance(Duration::from_secs(15));
    let later = signing.changed(|_, claims| claims["nbf"] = json!(BEGINNING.0 + 20));
    assert_eq!(later.await.status, 200);
}

#[tokio::test]
async fn that_an_assertion_was_used_is_on_record_before_the_token_is() {
    let signing = Signing::new();
    assert_eq!(signing.send(&signing.key.assertion("recorded")).await.status, 200);
    let records = signing.app.journal.records();
    assert!(matches!(records[..], [Record::AssertionUsed(_), Record::Issued(_)]), "{records:?}");
    let used = used(&signing.app)[0];
    assert_eq!((used.application.0, used.expires_at), (1, BEGINNING.plus(60)));
}

#[tokio::test]
async fn without_a_journal_nobody_is_let_in_by_an_assertion() {
    for mode in [Mode::Full, Mode::SyncFails] {
        let signing = Signing::new();
        signing.app.journal.set_mode(mode);
        let answer = signing.send(&signing.key.assertion("unrecorded")).await;
        assert_refused(&answer, 503, "temporarily_unavailable");
        signing.app.journal.set_mode(Mode::Works);
        let again = signing.send(&signing.key.assertion("unrecorded")).await;
        // Nobody knows what is on disk of it: it stays used.
        assert_eq!(again.status, 401, "{mode:?}");
    }
}

#[tokio::test]
async fn another_server_that_read_the_journal_refuses_what_was_used() {
    let signing = Signing::new();
    let assertion = signing.key.assertion("before the restart");
    assert_eq!(signing.send(&assertion).await.status, 200);
    let restarted = TestApp::new(&World::default().signing(&[&signing.key]));
    let now = restarted.engine.now().unwrap();
    used(&signing.app).iter().for_each(|used| restarted.engine.remember_used_assertion(used, now));
    assert_refused(&send(&restarted, &assertion).await, 401, "invalid_client");
    assert_eq!(last_faults(&restarted), [AssertionFault::Replayed]);
    assert_eq!(send(&restarted, &signing.key.assertion("after it")).await.status, 200);
}

#[tokio::test]
async fn what_is_read_of_the_journal_reaches_back_as_far_as_an_assertion_can_live() {
    let key = AssertionKey::new(Algorithm::Es256);
    let world = World::default().signing(&[&key]);
    let app = TestApp::with_settings(&world, &[Algorithm::Es256], |settings| settings.assertion_lifetime = 3_600);
    let mut longest = claims("longest");
    longest["exp"] = json!(BEGINNING.0 + 3_610);
    let assertion = key.sign(&key.header(), &longest);
    assert_eq!(send(&app, &assertion).await.status, 200);
    assert!(used(&app)[0].expires_at.0 < BEGINNING.0 + REPLAY_WINDOW);
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
    for broken in ["x", ".", "..", "a.b.c", &whole[1..], &format!("{whole}="), &format!("{whole}.x"), &format!(".{whole}")] {
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
