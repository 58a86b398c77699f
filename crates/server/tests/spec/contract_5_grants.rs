//! Contract, chapter 5: a contact token by a standard grant is the contact token of chapter 1.

use procura_protocol::client_assertion::AssertionFault;
use procura_store::journal::{AskedFor, Door as Recorded, Record, RefusalCause};
use procura_testkit::journal::Mode;
use procura_testkit::world::{APPLICATION, CONTACT, OTHER_RESOURCE, SECRET, UNTRUSTED, UNTRUSTED_SECRET};
use serde_json::{Value, json};

use crate::granting::{DOORS, Door, EXCHANGE, Granting, JWT_BEARER, ask};
use crate::support::{assert_refused, last_refusal, listed};

/// What makes an assertion wrong.
type Wrong = fn(&mut Value, &mut Value);

/// The claims of a token without what no two tokens have in common.
fn comparable(mut claims: Value) -> Value {
    claims.as_object_mut().unwrap().remove("jti");
    claims
}

#[tokio::test]
async fn both_grants_give_what_the_contact_token_endpoint_gives() {
    let granting = Granting::new();
    for narrowing in [
        "",
        "&scope=openid%20can_trade",
        "&clients=cli.birch",
        "&resource=https%3A%2F%2Fpayments.example%2F",
        "&scope=openid%20can_authorise_payments&clients=cli.alder",
    ] {
        let expected = granting.app.token_for(CONTACT, narrowing.trim_start_matches('&')).await;
        for door in DOORS {
            let grant = granting.key.grant(CONTACT, &format!("{door:?}{narrowing}"));
            let answer = granting.ask(format!("{}{narrowing}", door.form(&grant))).await;
            assert_eq!(answer.status, 200, "{door:?} {narrowing}: {answer:?}");
            let same = |claims: &dyn Fn(&procura_testkit::Answer) -> Value| {
                assert_eq!(
                    comparable(claims(&answer)),
                    comparable(claims(&expected)),
                    "{door:?} {narrowing}"
                );
            };
            same(&|answer| granting.app.access_token(answer));
            let openid = door == Door::JwtBearer || narrowing.contains("openid");
            assert_eq!(answer.json().get("id_token").is_some(), openid, "{door:?} {narrowing}");
            if openid {
                same(&|answer| granting.app.id_token(answer));
            }
        }
    }
}

#[tokio::test]
async fn the_answers_have_the_members_of_their_rfcs() {
    let granting = Granting::new();
    let members = |answer: &procura_testkit::Answer| -> Vec<String> {
        answer.json().as_object().unwrap().keys().cloned().collect()
    };
    let bearer = granting.act_for(Door::JwtBearer, CONTACT, "1").await;
    assert_eq!(members(&bearer), ["access_token", "expires_in", "id_token", "scope", "token_type"]);
    let exchanged = granting.act_for(Door::Exchange, CONTACT, "2").await;
    assert_eq!(
        members(&exchanged),
        ["access_token", "expires_in", "issued_token_type", "scope", "token_type"]
    );
    let issued = "urn:ietf:params:oauth:token-type:access_token";
    assert_eq!(exchanged.text("issued_token_type"), issued);
    for answer in [bearer, exchanged] {
        assert_eq!(
            (&answer.json()["expires_in"], answer.text("token_type")),
            (&json!(3_600), "Bearer".into())
        );
        assert_eq!(answer.json()["scope"], granting.app.access_token(&answer)["scope"]);
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    }
}

#[tokio::test]
async fn a_scope_with_permissions_and_without_openid_narrows_and_brings_no_id_token() {
    let granting = Granting::new();
    let grant = granting.key.grant(CONTACT, "1");
    let answer = granting.ask(format!("{}&scope=can_trade", Door::Exchange.form(&grant))).await;
    assert!(answer.json().get("id_token").is_none());
    let mandates = granting.app.access_token(&answer)["mandates"].clone();
    assert_eq!(mandates[0], json!({"clients": ["cli.alder", "cli.birch"], "permissions": ["can_trade"]}));
}

#[tokio::test]
async fn the_record_says_by_which_door() {
    let granting = Granting::new();
    for (door, recorded) in
        [(Door::JwtBearer, Recorded::JwtBearer), (Door::Exchange, Recorded::TokenExchange)]
    {
        let answer = granting.act_for(door, CONTACT, &format!("{door:?}")).await;
        let records = granting.app.journal.records();
        let [.., Record::AssertionUsed(used), Record::Issued(issued)] = &records[..] else {
            panic!("{records:?}")
        };
        assert_eq!((issued.door, issued.application), (recorded, used.application));
        assert_eq!(issued.reference.to_string(), answer.header("procura-reference"));
        assert_eq!(issued.id_token_key.is_some(), door == Door::JwtBearer);
    }
}

#[tokio::test]
async fn what_the_rule_refuses_is_refused_at_every_door_in_the_same_words() {
    type Change = fn(procura_testkit::World) -> procura_testkit::World;
    let changes: [(&str, Change); 5] = [
        ("no trust", procura_testkit::World::without_trusts),
        ("trusts withdrawn", |world| world.trusts(|trust| trust.active = false)),
        ("contact disabled", |world| world.contact(|contact| contact.active = false)),
        ("mandates suspended", |world| world.mandates(|mandate| mandate.active = false)),
        ("untouched, and nobody", |world| world),
    ];
    for (what, change) in changes {
        let granting = Granting::with(change);
        let contact = if what.ends_with("nobody") { "con.nobody" } else { CONTACT };
        let expected = granting.app.token_for(contact, "").await;
        let sentence = assert_refused(&expected, 400, "invalid_grant");
        let cause = last_refusal(&granting.app).cause;
        for door in DOORS {
            let answer = granting.act_for(door, contact, &format!("{door:?}")).await;
            assert_eq!(assert_refused(&answer, 400, "invalid_grant"), sentence, "{what} {door:?}");
            assert_eq!(last_refusal(&granting.app).cause, cause, "{what} {door:?}");
        }
    }
}

#[tokio::test]
async fn an_application_that_is_not_trusted_is_granted_nothing_and_uses_nothing_up() {
    let granting = Granting::with(|world| world.application(|application| application.trusted = false));
    for door in DOORS {
        assert_refused(&granting.act_for(door, CONTACT, "1").await, 400, "unauthorized_client");
        assert_eq!(last_refusal(&granting.app).cause, RefusalCause::NotTrusted);
    }
    assert_eq!(granting.app.engine.used_assertions(), 0);
}

#[tokio::test]
async fn an_assertion_is_of_the_application_that_asks() {
    let granting = Granting::new();
    let grant = granting.key.grant(CONTACT, "1");
    for door in DOORS {
        let answer = ask(&granting.app, (UNTRUSTED, UNTRUSTED_SECRET), door.form(&grant)).await;
        assert_refused(&answer, 400, "unauthorized_client");
    }
    // An assertion of another application, brought by one that is trusted.
    let stranger = Granting::new();
    for door in DOORS {
        let answer = granting.changed(door, |_, claims| claims["iss"] = json!(UNTRUSTED)).await;
        assert_refused(&answer, 400, "invalid_grant");
        let forged = granting.send(door, &stranger.key.grant(CONTACT, "2")).await;
        assert_refused(&forged, 400, "invalid_grant");
    }
    assert_eq!(granting.app.engine.used_assertions(), 0);
}

#[tokio::test]
async fn whatever_is_wrong_with_it_is_one_answer_and_its_own_record() {
    let granting = Granting::new();
    let mut sentences = Vec::new();
    let cases: [(AssertionFault, Wrong); 13] = [
        (AssertionFault::Type, |header, _| header["typ"] = json!("JWT")),
        (AssertionFault::Type, |header, _| header["typ"] = json!("client-authentication+jwt")),
        (AssertionFault::Type, |header, _| drop(header.as_object_mut().unwrap().remove("typ"))),
        (AssertionFault::Algorithm, |header, _| header["alg"] = json!("none")),
        (AssertionFault::UnknownKey, |header, _| header["kid"] = json!("another")),
        (AssertionFault::Critical, |header, _| header["crit"] = json!(["exp"])),
        (AssertionFault::Subject, |_, claims| claims["sub"] = json!(APPLICATION)),
        (AssertionFault::Audience, |_, claims| claims["aud"] = json!("https://procura.example/token")),
        (AssertionFault::Claims, |_, claims| claims["aud"] = json!(["https://procura.example"])),
        (AssertionFault::Claims, |_, claims| drop(claims.as_object_mut().unwrap().remove("sub"))),
        (AssertionFault::Expired, |_, claims| claims["exp"] = claims["iat"].clone()),
        (AssertionFault::ExpiresTooLate, |_, claims| {
            claims["exp"] = json!(claims["iat"].as_i64().unwrap() + 311);
        }),
        (AssertionFault::Id, |_, claims| claims["jti"] = json!("")),
    ];
    for (fault, change) in cases {
        for door in DOORS {
            let answer = granting.changed(door, change).await;
            sentences.push(assert_refused(&answer, 400, "invalid_grant"));
            let refusal = last_refusal(&granting.app);
            assert_eq!(refusal.cause, RefusalCause::Assertion);
            assert_eq!((refusal.missed, refusal.contact), (fault.code().into(), AskedFor::Nobody), "{fault}");
            assert_eq!(refusal.reference.to_string(), answer.header("procura-reference"));
        }
    }
    sentences.dedup();
    assert_eq!(sentences.len(), 1);
    assert_eq!(granting.app.engine.used_assertions(), 0, "what is refused is not used up");
}

#[tokio::test]
async fn an_assertion_is_used_once_at_all_doors_together() {
    let granting = Granting::new();
    let grant = granting.key.grant(CONTACT, "once");
    assert_eq!(granting.send(Door::Exchange, &grant).await.status, 200);
    for door in DOORS {
        assert_refused(&granting.send(door, &grant).await, 400, "invalid_grant");
        assert_eq!(last_refusal(&granting.app).missed, u16::from(AssertionFault::Replayed.code()));
    }
}

#[tokio::test]
async fn what_signs_in_and_what_is_granted_share_their_names_and_nothing_else() {
    let granting = Granting::with(|world| world.by("client_secret_basic private_key_jwt"));
    let proof = granting.key.assertion("shared");
    // A client assertion is no grant, in either place.
    for door in DOORS {
        assert_refused(&granting.send(door, &proof).await, 400, "invalid_grant");
    }
    // And a grant signs nobody in.
    let grant = granting.key.grant(CONTACT, "grant");
    let as_proof = procura_testkit::assertion::form(&grant);
    let request = http::Request::post("/token");
    let form = format!("grant_type=client_credentials&{as_proof}");
    let answer = granting.app.send(crate::support::with_form(request, form)).await;
    assert_refused(&answer, 401, "invalid_client");
    // Together, one request has both; a name that one used is used for the other.
    let both = |proof: &str, grant: &str| {
        let form = format!("{}&{}", Door::JwtBearer.form(grant), procura_testkit::assertion::form(proof));
        granting.app.send(crate::support::with_form(http::Request::post("/token"), form))
    };
    assert_eq!(both(&proof, &grant).await.status, 200);
    let answer = both(&granting.key.assertion("new"), &granting.key.grant(CONTACT, "shared")).await;
    assert_refused(&answer, 400, "invalid_grant");
    let answer = both(&granting.key.assertion("grant"), &granting.key.grant(CONTACT, "newer")).await;
    assert_refused(&answer, 401, "invalid_client");
}

#[tokio::test]
async fn nothing_that_this_server_issued_can_be_exchanged() {
    let granting = Granting::new();
    let issued = granting.app.token_for(CONTACT, "").await;
    for token in [issued.text("access_token"), issued.text("id_token")] {
        for door in DOORS {
            assert_refused(&granting.send(door, &token).await, 400, "invalid_grant");
        }
        for kind in ["access_token", "id_token", "refresh_token", "saml2"] {
            let form = format!(
                "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token={token}\
                 &subject_token_type=urn:ietf:params:oauth:token-type:{kind}"
            );
            assert_refused(&granting.ask(form).await, 400, "invalid_request");
        }
    }
}

#[tokio::test]
async fn nobody_can_be_named_as_actor_and_nothing_else_asked_for() {
    let granting = Granting::new();
    let grant = granting.key.grant(CONTACT, "1");
    for more in [
        "actor_token=a.b.c",
        "actor_token_type=urn:ietf:params:oauth:token-type:jwt",
        "audience=https://payments.example/",
        "assertion=a.b.c",
        "requested_token_type=urn:ietf:params:oauth:token-type:id_token",
        "requested_token_type=urn:ietf:params:oauth:token-type:refresh_token",
        "authorization_details=[]",
        "scope=",
        "clients=",
    ] {
        let answer = granting.ask(format!("{EXCHANGE}&subject_token={grant}&{more}")).await;
        assert_refused(&answer, 400, "invalid_request");
    }
    for more in ["subject_token=a.b.c", "actor_token=a.b.c", "audience=a", "code=a"] {
        let answer = granting.ask(format!("{JWT_BEARER}&assertion={grant}&{more}")).await;
        assert_refused(&answer, 400, "invalid_request");
    }
    assert!(granting.app.journal.records().is_empty());
    let answer = granting
        .ask(format!(
            "{EXCHANGE}&subject_token={grant}\
             &requested_token_type=urn:ietf:params:oauth:token-type:access_token"
        ))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn a_contact_that_can_be_none_is_a_wrong_assertion() {
    let granting = Granting::new();
    for contact in ["", "app_other", "con ada", "../con.ada", "con.ada\u{0}", "кон"] {
        for door in DOORS {
            let answer = granting.act_for(door, contact, &format!("{door:?} {contact}")).await;
            assert_refused(&answer, 400, "invalid_grant");
        }
    }
}

#[tokio::test]
async fn an_assertion_narrows_nothing_by_itself_and_widens_nothing() {
    let granting = Granting::new();
    for door in DOORS {
        let answer = granting
            .changed(door, |_, claims| {
                claims["jti"] = json!(format!("{door:?}"));
                claims["scope"] = json!("can_manage_permissions");
                claims["clients"] = json!(["cli.elsewhere"]);
                claims["act"] = json!({"sub": "app_other"});
                claims["may_act"] = json!({"sub": "app_other"});
                claims["resource"] = json!(OTHER_RESOURCE);
                claims["cnf"] = json!({"jkt": "A"});
            })
            .await;
        let plain = granting.app.token_for(CONTACT, "").await;
        let (claims, expected) = (granting.app.access_token(&answer), granting.app.access_token(&plain));
        assert_eq!(comparable(claims), comparable(expected));
    }
}

#[tokio::test]
async fn a_key_without_the_method_grants_and_does_not_sign_in() {
    let granting = Granting::new();
    assert_eq!(granting.act_for(Door::JwtBearer, CONTACT, "1").await.status, 200);
    let form = format!(
        "{}&{}",
        Door::JwtBearer.form(&granting.key.grant(CONTACT, "2")),
        procura_testkit::assertion::form(&granting.key.assertion("3"))
    );
    let answer = granting.app.send(crate::support::with_form(http::Request::post("/token"), form)).await;
    assert_refused(&answer, 401, "invalid_client");
}

#[tokio::test]
async fn without_a_journal_nothing_is_granted() {
    for (at, mode) in [Mode::Full, Mode::SyncFails].into_iter().enumerate() {
        let granting = Granting::new();
        for door in DOORS {
            granting.app.journal.set_mode(mode);
            let grant = granting.key.grant(CONTACT, &format!("{at} {door:?}"));
            assert_refused(&granting.send(door, &grant).await, 503, "temporarily_unavailable");
            granting.app.journal.set_mode(Mode::Works);
            // Nobody knows what is on disk of it: it stays used.
            assert_refused(&granting.send(door, &grant).await, 400, "invalid_grant");
        }
        granting.app.journal.set_mode(mode);
        let own = ask(&granting.app, (APPLICATION, SECRET), "grant_type=client_credentials").await;
        assert_refused(&own, 503, "temporarily_unavailable");
    }
}

#[tokio::test]
async fn the_clients_are_those_of_chapter_1() {
    let granting = Granting::new();
    let answer = granting.act_for(Door::JwtBearer, CONTACT, "1").await;
    assert_eq!(listed(&granting.app, &answer), ["cli.alder", "cli.birch", "cli.cedar"]);
}
