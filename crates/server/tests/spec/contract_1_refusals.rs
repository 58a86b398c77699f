//! Contract, chapter 1: every row of the table of statuses, but for those that come with TLS and limits.

use axum::body::Body;
use http::header::CONTENT_TYPE;
use procura_jose::Algorithm;
use procura_protocol::parameters::REGISTERED;
use procura_protocol::permission::{Ceiling, Permission};
use procura_store::journal::{Missed, RefusalCause};
use procura_store::records::{ClientNo, ResourceNo};
use procura_testkit::world::{CONTACT, FOREIGN_RESOURCE, OTHER_RESOURCE, RESOURCE, client, mandate, trust};
use procura_testkit::{Answer, TestApp, World};

use crate::defects::{OutOfRule, of_clients, world_with};
use crate::support::{asking, assert_refused, contact_path, issued, last_refusal, listed, without_body};

/// The sentence of a request with this form in a world where all is well.
async fn refused(form: &str, error: &str) -> String {
    let app = TestApp::new(&World::default());
    let sentence = assert_refused(&app.token_for(CONTACT, form).await, 400, error);
    assert_eq!(issued(&app), 0);
    sentence
}

#[tokio::test]
async fn a_repeated_parameter_is_an_invalid_request() {
    for form in ["scope=openid&scope=openid", "clients=cli.alder&clients=cli.birch", "zzz=1&zzz=1"] {
        assert!(refused(form, "invalid_request").await.contains("repeated"), "{form}");
    }
}

#[tokio::test]
async fn a_parameter_that_is_registered_for_something_else_is_an_invalid_request() {
    let taken =
        ["scope", "resource", "client_id", "client_secret", "client_assertion", "client_assertion_type"];
    let app = TestApp::new(&World::default());
    for (name, _) in REGISTERED.iter().filter(|(name, _)| !taken.contains(name)) {
        let answer = app.token_for(CONTACT, &format!("{name}=x")).await;
        let sentence = assert_refused(&answer, 400, "invalid_request");
        assert!(sentence.contains(&format!("'{name}'")), "{sentence}");
    }
    assert!(app.journal.records().is_empty(), "nobody was authenticated, so nothing is on record");
}

#[tokio::test]
async fn an_empty_value_never_means_everything() {
    for name in ["scope", "clients", "resource", "client_id", "client_secret"] {
        for form in [format!("{name}="), name.to_owned()] {
            assert!(refused(&form, "invalid_request").await.contains("is empty"), "{form}");
        }
    }
}

#[tokio::test]
async fn a_malformed_parameter_is_an_invalid_request() {
    for form in [
        "clients=cli.alder  cli.birch",
        "clients= cli.alder",
        "clients=cli.alder,cli.birch",
        "clients=app_partner",
        "clients=..",
        "resource=not a uri",
        "resource=/relative",
        "resource=https://a.example/%23fragment",
        "scope=%zz",
        "scope=%ff",
    ] {
        refused(form, "invalid_request").await;
    }
}

#[tokio::test]
async fn naming_more_than_64_clients_is_an_invalid_request_that_says_how_many() {
    let names: Vec<_> = (0..65).map(|no| format!("cli.{no}")).collect();
    let sentence = refused(&format!("clients={}", names.join(" ")), "invalid_request").await;
    assert!(sentence.contains("65") && sentence.contains("64"), "{sentence}");
}

#[tokio::test]
async fn a_parameter_in_the_query_is_an_invalid_request() {
    let app = TestApp::new(&World::default());
    for query in
        ["clients=cli.alder", "scope=openid", "grant_type=x", "scope=", "client_id=app_partner", "code"]
    {
        let answer = app.send(without_body(asking(&format!("{}?{query}", contact_path())))).await;
        assert_refused(&answer, 400, "invalid_request");
    }
    let unknown = app.send(without_body(asking(&format!("{}?utm=1", contact_path())))).await;
    assert_eq!(unknown.status, 200, "a name that nobody defined is ignored");
}

#[tokio::test]
async fn a_malformed_contact_id_is_an_invalid_request_that_says_what_an_id_is() {
    let app = TestApp::new(&World::default());
    let long = "a".repeat(65);
    for (id, words) in [
        ("con%20ada", "may hold only"),
        ("con%40ada", "may hold only"),
        ("c%C3%A9", "may hold only"),
        ("app_partner", "app_"),
        (".", "'.' or '..'"),
        ("%2e%2e", "'.' or '..'"),
        (long.as_str(), "longer than 64"),
    ] {
        let answer = app.token_for(id, "").await;
        let sentence = assert_refused(&answer, 400, "invalid_request");
        assert!(sentence.contains(words), "{id}: {sentence}");
        assert_eq!(last_refusal(&app).cause, RefusalCause::MalformedContact);
        assert_eq!(last_refusal(&app).reference.to_string(), answer.header("procura-reference"));
    }
}

#[tokio::test]
async fn an_unknown_scope_is_an_invalid_scope() {
    for form in
        ["scope=profile", "scope=openid email", "scope=CAN_TRADE", "scope=all", "scope=can_trade  openid"]
    {
        refused(form, "invalid_scope").await;
    }
}

#[tokio::test]
async fn a_scope_that_no_client_has_anything_of_is_an_invalid_scope() {
    let sentence = refused("scope=can_manage_contacts", "invalid_scope").await;
    assert!(sentence.contains("held"), "{sentence}");
    refused("scope=openid can_manage_contacts can_manage_permissions", "invalid_scope").await;
}

#[tokio::test]
async fn a_scope_that_only_a_client_left_out_by_clients_has_is_an_invalid_scope() {
    refused("clients=cli.birch&scope=can_authorise_payments", "invalid_scope").await;
}

#[tokio::test]
async fn a_scope_above_the_ceiling_is_an_invalid_scope() {
    let world = World::default().trusts(|trust| {
        trust.ceiling = Ceiling::parse("all").unwrap().permissions();
    });
    let app = TestApp::new(&world);
    let answer = app.token_for(CONTACT, "scope=can_authorise_payments").await;
    assert_refused(&answer, 400, "invalid_scope");
}

#[tokio::test]
async fn a_resource_that_the_application_is_not_registered_for_is_an_invalid_target() {
    for resource in [FOREIGN_RESOURCE, "https://unknown.example/", "https://payments.example"] {
        refused(&format!("resource={resource}"), "invalid_target").await;
    }
}

#[tokio::test]
async fn a_disabled_resource_is_an_invalid_target() {
    let mut world = World::default();
    world.resources[1].active = false;
    let app = TestApp::new(&world);
    let answer = app.token_for(CONTACT, &format!("resource={OTHER_RESOURCE}")).await;
    assert_refused(&answer, 400, "invalid_target");
    assert_eq!(app.token().await.status, 200, "the other one still works");
}

#[tokio::test]
async fn without_a_resource_of_its_own_an_application_gets_an_invalid_target() {
    for resources in [vec![], vec![ResourceNo(99)]] {
        let app =
            TestApp::new(&World::default().application(|application| application.resources = resources));
        assert_refused(&app.token().await, 400, "invalid_target");
        let named = app.token_for(CONTACT, &format!("resource={RESOURCE}")).await;
        assert_refused(&named, 400, "invalid_target");
    }
}

macro_rules! refused_by_the_rule {
    ($($name:ident: $defect:ident, $cause:ident;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let app = TestApp::new(&world_with(&[OutOfRule::$defect]));
            let sentence = assert_refused(&app.token().await, 400, "invalid_grant");
            assert_eq!(sentence, "This application can't act for this contact.");
            assert_eq!(last_refusal(&app).cause, RefusalCause::$cause);
        }
    )*};
}

refused_by_the_rule! {
    an_unknown_contact_is_an_invalid_grant: UnknownContact, UnknownContact;
    a_disabled_contact_is_an_invalid_grant: DisabledContact, DisabledContact;
    a_contact_without_mandate_is_an_invalid_grant: NoMandate, NoMandate;
    a_suspended_mandate_is_an_invalid_grant: MandateSuspended, NoClientLeft;
    a_mandate_that_has_not_begun_is_an_invalid_grant: MandateNotYet, NoClientLeft;
    a_mandate_that_is_over_is_an_invalid_grant: MandateOver, NoClientLeft;
    an_inactive_client_is_an_invalid_grant: ClientInactive, NoClientLeft;
    a_contact_without_trust_is_refused_like_an_unknown_one: NoTrust, NoClientLeft;
    a_withdrawn_trust_is_an_invalid_grant: TrustWithdrawn, NoClientLeft;
    a_trust_that_has_not_begun_is_an_invalid_grant: TrustNotYet, NoClientLeft;
    a_trust_that_is_over_is_an_invalid_grant: TrustOver, NoClientLeft;
    a_trust_that_names_other_contacts_is_an_invalid_grant: TrustForOthers, NoClientLeft;
    a_trust_that_names_nobody_is_an_invalid_grant: TrustForNobody, NoClientLeft;
}

#[tokio::test]
async fn the_record_of_a_refusal_says_which_part_of_the_rule_each_client_missed() {
    let mut world = World::default();
    OutOfRule::MandateOver.put_into(&mut world, &[1]);
    OutOfRule::TrustWithdrawn.put_into(&mut world, &[2]);
    OutOfRule::ClientInactive.put_into(&mut world, &[3]);
    let app = TestApp::new(&world);
    app.token().await;
    let missed: Vec<_> = Missed::in_bits(last_refusal(&app).missed).collect();
    assert_eq!(missed, [Missed::ClientInactive, Missed::MandateOver, Missed::TrustWithdrawn]);
}

#[tokio::test]
async fn a_named_client_that_is_not_allowed_is_an_invalid_grant_with_a_text_of_its_own() {
    let sentence = refused("clients=cli.alder cli.nobody", "invalid_grant").await;
    assert!(sentence.contains("named in clients"), "{sentence}");
}

#[tokio::test]
async fn an_application_that_is_not_trusted_is_an_unauthorized_client() {
    let app = TestApp::new(&World::default().application(|application| application.trusted = false));
    let answer = app.token().await;
    assert_refused(&answer, 400, "unauthorized_client");
    assert_eq!(last_refusal(&app).cause, RefusalCause::NotTrusted);
    assert_eq!(last_refusal(&app).reference.to_string(), answer.header("procura-reference"));
}

#[tokio::test]
async fn a_disabled_application_is_an_invalid_client() {
    let app = TestApp::new(&World::default().application(|application| application.active = false));
    assert_refused(&app.token().await, 401, "invalid_client");
}

#[tokio::test]
async fn the_65th_client_is_too_many_and_the_answer_says_so_and_what_to_do() {
    let app = TestApp::new(&of_clients(65));
    let sentence = assert_refused(&app.token().await, 400, "invalid_request");
    assert!(sentence.contains("65") && sentence.contains("clients"), "{sentence}");
    assert_eq!(last_refusal(&app).cause, RefusalCause::TooManyClients);
    assert_eq!(listed(&app, &app.token_for(CONTACT, "clients=cli.1 cli.65").await), ["cli.1", "cli.65"]);
}

/// Sixty clients with the longest ids and no two sets of permissions alike.
fn wordy() -> World {
    let names: Vec<_> = Permission::ALL.map(Permission::name).into();
    let mut world = World::default();
    let id = |no: u32| format!("{no:a>64}");
    world.clients = (1..=60).map(|no| (ClientNo(no), client(&id(no), "C"))).collect();
    let all = "all can_authorise_payments can_manage_contacts can_manage_permissions";
    world.trusts = (1..=60).map(|no| (world.applications[0].no, trust(no, all))).collect();
    let permissions = |no: u32| {
        let chosen = names.iter().enumerate().filter(|(bit, _)| (no + 900) & (1 << bit) != 0);
        chosen.map(|(_, name)| *name).collect::<Vec<_>>().join(" ")
    };
    world.contact(|contact| contact.mandates = (1..=60).map(|no| mandate(no, &permissions(no))).collect())
}

#[tokio::test]
async fn an_access_token_too_long_for_a_header_is_an_invalid_request_that_says_what_to_do() {
    let app = TestApp::new(&wordy());
    let sentence = assert_refused(&app.token().await, 400, "invalid_request");
    assert!(sentence.contains("60 clients") && sentence.contains("Name those needed"), "{sentence}");
    assert_eq!(last_refusal(&app).cause, RefusalCause::TooLong);
    assert_eq!(issued(&app), 0, "no record says that it was issued");
}

#[tokio::test]
async fn the_limit_of_the_access_token_is_met_to_the_byte() {
    let length = TestApp::new(&World::default()).token().await.text("access_token").len();
    let limited = async |most: usize| -> Answer {
        let set = |settings: &mut procura_engine::Settings| settings.max_access_token_bytes = most;
        TestApp::with_settings(&World::default(), &[Algorithm::Es256], set).token().await
    };
    assert_eq!(limited(length).await.status, 200);
    assert_refused(&limited(length - 1).await, 400, "invalid_request");
}

#[tokio::test]
async fn another_declared_type_with_a_body_is_415() {
    let app = TestApp::new(&World::default());
    for declared in ["application/json", "text/plain", "multipart/form-data; boundary=x", "form", "", "*"] {
        let request = asking(&contact_path()).header(CONTENT_TYPE, declared);
        let answer = app.send(request.body(Body::from("scope=openid")).unwrap()).await;
        assert_refused(&answer, 415, "invalid_request");
    }
}

#[tokio::test]
async fn a_refusal_of_an_authenticated_application_is_on_record_and_its_answer_names_the_record() {
    let app = TestApp::new(&World::default());
    for form in ["resource=https://foreign.example/", "clients=cli.nobody", "scope=can_manage_contacts"] {
        let answer = app.token_for(CONTACT, form).await;
        assert_eq!(last_refusal(&app).reference.to_string(), answer.header("procura-reference"), "{form}");
    }
}
