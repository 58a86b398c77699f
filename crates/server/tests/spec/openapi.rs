//! The OpenAPI document says exactly what is served.

use std::collections::BTreeSet;

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
use procura_http::documents::OPENAPI;
use procura_protocol::contact_update::{HAS_ONLINE_ACCESS, PERSONAL};
use procura_protocol::error::ErrorCode;
use procura_protocol::metadata::Metadata;
use procura_protocol::parameters::{Taken, classify};
use procura_protocol::paths;
use procura_protocol::permission::Permission;
use procura_protocol::token::GrantType;
use procura_testkit::app::{basic, resource_basic};
use procura_testkit::journal::Mode;
use procura_testkit::pki::Authority;
use procura_testkit::world::{APPLICATION, CONTACT, RESOURCE, RESOURCE_SECRET, SECRET};
use procura_testkit::{Answer, TestApp, World};
use serde_json::Value;

use crate::certificates::{Asked, by_subject, nothing, registered, serving};
use crate::contract_4_world::{self, ADA, ALDER, BEN};
use crate::defects::{Wrong, request_with};
use crate::granting::{DOORS, Granting};
use crate::support::{asking, get, list, with_form, without_body};

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// Follows a `$ref`, if there is one.
fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    match value["$ref"].as_str() {
        Some(target) => document.pointer(target.strip_prefix('#').unwrap()).unwrap(),
        None => value,
    }
}

fn names(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Calls `see` with every object in the document.
fn walk(value: &Value, see: &mut impl FnMut(&Value)) {
    see(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, see)),
        Value::Object(members) => members.values().for_each(|member| walk(member, see)),
        _ => {}
    }
}

#[test]
fn the_file_is_formatted() {
    let formatted = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    assert!(OPENAPI == formatted, "two spaces, members in alphabetical order, a line break at the end");
}

#[test]
fn every_reference_leads_somewhere_and_everything_that_can_be_referred_to_is() {
    let document = document();
    let mut used = BTreeSet::new();
    walk(&document, &mut |value| {
        if let Some(target) = value["$ref"].as_str() {
            assert!(document.pointer(&target[1..]).is_some(), "{target}");
            used.insert(target.to_owned());
        }
    });
    for kind in ["headers", "responses", "schemas"] {
        for name in names(&document["components"][kind]) {
            assert!(used.contains(&format!("#/components/{kind}/{name}")), "{kind} {name}");
        }
    }
}

#[test]
fn its_paths_are_those_of_the_server() {
    assert_eq!(names(&document()["paths"]), BTreeSet::from(paths::ALL));
}

#[tokio::test]
async fn its_methods_are_those_of_the_server() {
    let app = TestApp::new(&World::default());
    let document = document();
    for path in paths::ALL {
        let described = names(&document["paths"][path]);
        let concrete = path.replace("{contact_id}", CONTACT);
        for method in ["get", "post", "put", "patch", "delete", "options", "trace"] {
            let verb = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let answer = app.send(without_body(Request::builder().method(verb).uri(&concrete))).await;
            assert_eq!(described.contains(method), answer.status != 405, "{method} {path}");
        }
    }
}

#[test]
fn a_contact_token_has_the_four_fields_and_expires_in_is_a_string() {
    let schema = document()["components"]["schemas"]["PostTokenForContactResponse"].clone();
    let fields = BTreeSet::from(["access_token", "expires_in", "id_token", "token_type"]);
    assert_eq!(names(&schema["properties"]), fields);
    assert_eq!(schema["required"].as_array().unwrap().len(), 4);
    assert_eq!(schema["properties"]["expires_in"]["type"], "string");
    assert_eq!(schema["properties"]["token_type"]["enum"], serde_json::json!(["Bearer", "DPoP"]));
}

#[test]
fn its_error_codes_are_those_of_the_server() {
    let document = document();
    let described = document["components"]["schemas"]["AuthErrorMessage"]["properties"]["error"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code.as_str().unwrap());
    let known: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(described.collect::<BTreeSet<_>>(), known);
}

#[test]
fn the_form_has_the_parameters_that_are_taken_and_the_scope_every_permission() {
    let form = document()["components"]["schemas"]["ContactTokenForm"]["properties"].clone();
    let taken = [
        "client_assertion",
        "client_assertion_type",
        "client_id",
        "client_secret",
        "clients",
        "resource",
        "scope",
    ];
    assert_eq!(names(&form), BTreeSet::from(taken));
    assert!(taken.iter().all(|name| classify(name, &taken) == Taken::Taken(name)));
    for permission in Permission::ALL {
        assert!(form["scope"]["pattern"].as_str().unwrap().contains(permission.name()));
    }
}

#[tokio::test]
async fn the_served_document_is_the_file() {
    let answer = TestApp::new(&World::default()).send(get("/openapi.json")).await;
    assert_eq!((answer.status.as_u16(), answer.body), (200, OPENAPI.as_bytes().to_vec()));
}

/// Checks that an answer to that operation is one of those described: status, headers, type of the body.
#[track_caller]
pub(crate) fn assert_described(method: &str, path: &str, answer: &Answer) {
    let document = document();
    let status = answer.status.as_u16().to_string();
    let responses = &document["paths"][path][method]["responses"];
    assert!(responses.get(&status).is_some(), "{method} {path} can answer {status}");
    let response = resolve(&document, &responses[&status]);
    let empty = serde_json::Map::new();
    for (name, header) in response["headers"].as_object().unwrap_or(&empty) {
        let header = resolve(&document, header);
        let value = answer.headers.get(name).map(|value| value.to_str().unwrap());
        if header["required"] == true {
            assert!(value.is_some(), "{method} {path} {status} without {name}");
        }
        if let (Some(value), Some(constant)) = (value, header["schema"]["const"].as_str()) {
            assert_eq!(value, constant, "{name}");
        }
    }
    let known = ["content-type", "date", "content-length"];
    let described: Vec<_> =
        response["headers"].as_object().unwrap_or(&empty).keys().map(|name| name.to_lowercase()).collect();
    for name in answer.headers.keys().map(http::HeaderName::as_str).filter(|name| !known.contains(name)) {
        // RFC 6749 5.1 asks for Pragma beside Cache-Control; errors of HTTP itself come without.
        assert!(described.iter().any(|one| one == name) || name == "pragma", "{path} {status}: {name}");
    }
    let Some(content) = response["content"].as_object() else {
        assert!(
            answer.body.is_empty() && answer.header("content-type").is_empty(),
            "{method} {path} {status}"
        );
        return;
    };
    let types: BTreeSet<_> = content.keys().map(String::as_str).collect();
    assert_eq!(types, BTreeSet::from([answer.header("content-type")]), "{method} {path} {status}");
    let properties = resolve(&document, &response["content"][answer.header("content-type")]["schema"]);
    if let Some(properties) = properties["properties"].as_object()
        && path != paths::OPENAPI
    {
        for member in names(&answer.json()) {
            assert!(properties.contains_key(member), "{method} {path} {status}: {member}");
        }
    }
}

#[tokio::test]
async fn every_answer_to_a_request_for_a_token_is_described() {
    let path = paths::TOKEN_FOR_CONTACT;
    for wrong in Wrong::ALL {
        let (world, request) = request_with(&[wrong]);
        assert_described("post", path, &TestApp::new(&world).send(request).await);
    }
    let app = TestApp::new(&World::default());
    assert_described("post", path, &app.token().await);
    assert_described("post", path, &app.send(without_body(asking("/token/"))).await);
    let large = asking("/token/con.ada").header(CONTENT_TYPE, "text/plain").body(Body::from(vec![0; 70_000]));
    assert_described("post", path, &app.send(large.unwrap()).await);
    assert_described("post", path, &app.send(get("/token/con.ada")).await);
    app.journal.set_mode(Mode::Full);
    assert_described("post", path, &app.token().await);
}

#[tokio::test]
async fn every_answer_to_a_grant_is_described() {
    let granting = Granting::new();
    let own = "grant_type=client_credentials";
    for form in
        ["", own, "grant_type=password", &format!("{own}&scope=openid"), &format!("{own}&resource=x:y")]
    {
        assert_described("post", paths::TOKEN, &granting.ask(form).await);
    }
    for door in DOORS {
        let grant = granting.key.grant(CONTACT, &format!("{door:?}"));
        let good = granting.ask(format!("{}&scope=openid", door.form(&grant))).await;
        assert_eq!(good.status, 200);
        assert_described("post", paths::TOKEN, &good);
        assert_described("post", paths::TOKEN, &granting.send(door, &grant).await);
        let nobody = granting.act_for(door, "con.nobody", &format!("{door:?} for nobody")).await;
        assert_described("post", paths::TOKEN, &nobody);
    }
    granting.app.journal.set_mode(Mode::Full);
    assert_described("post", paths::TOKEN, &granting.ask(own).await);
}

#[test]
fn the_grants_and_their_parameters_are_those_of_the_server() {
    let document = document();
    let form = &document["components"]["schemas"]["TokenRequestForm"];
    let grants = form["properties"]["grant_type"]["enum"].as_array().unwrap().iter();
    assert!(grants.eq(GrantType::ALL.map(GrantType::as_str).iter()));
    let taken: BTreeSet<&str> = GrantType::ALL.iter().flat_map(|grant| grant.taken()).copied().collect();
    assert_eq!(names(&form["properties"]), taken);
}

#[tokio::test]
async fn every_answer_to_a_request_for_the_list_is_described() {
    let path = paths::AVAILABLE_CONTACTS;
    let app = TestApp::new(&World::default());
    for query in ["", "?page=1", "?page_size=1", "?page=0", "?scope=openid"] {
        assert_described("get", path, &list(&app, query).await);
    }
    assert_described("get", path, &app.send(get(path)).await);
    let put = Request::put(path).header(AUTHORIZATION, basic(APPLICATION, SECRET));
    assert_described("get", path, &app.send(without_body(put)).await);
    app.store.set(World::default().application(|application| application.trusted = false).publish());
    assert_described("get", path, &list(&app, "").await);
    app.store.make_stale();
    assert_described("get", path, &list(&app, "").await);
}

#[tokio::test]
async fn every_answer_about_clients_and_contacts_is_described() {
    let app = contract_4_world::app().await;
    let token = contract_4_world::token(&app, ADA).await;
    let (list, one) = (format!("/contacts?client_id={ALDER}"), contract_4_world::path(BEN));
    let contact = paths::CONTACT;
    assert_described("get", paths::CLIENTS, &contract_4_world::get(&app, &token, "/clients").await);
    for (path, asked) in [
        (paths::CONTACTS, list.as_str()),
        (paths::CONTACTS, "/contacts"),
        (paths::CONTACTS, "/contacts?client_id=a&client_id=b"),
        (contact, &one),
        (contact, "/contacts/con.ben"),
        (contact, &contract_4_world::path("con.nobody")),
    ] {
        assert_described("get", path, &contract_4_world::get(&app, &token, asked).await);
        assert_described("get", path, &contract_4_world::get(&app, "x.y.z", asked).await);
        assert_described("get", path, &contract_4_world::get(&app, "", asked).await);
    }
    for (name, value) in [("if-none-match", "*"), ("if-match", "\"x\""), ("if-match", "x")] {
        let asked = contract_4_world::with_token(Request::get(&one), &token).header(name, value);
        assert_described("get", contact, &app.send(without_body(asked)).await);
    }
    let large = format!("{{\"city\":\"{}\"}}", "x".repeat(70_000));
    for body in [
        "{}",
        "[]",
        r#"{"city":"Oslo"}"#,
        r#"{"can_fly":1}"#,
        r#"{"can_authorise_payments":true}"#,
        r#"{"can_trade":false}"#,
        &large,
    ] {
        let answer = contract_4_world::patch(&app, &token, BEN, body).await;
        assert_described("patch", contact, &answer);
    }
    let stale = contract_4_world::patching(&token, BEN, "{}", &[("if-match", "\"x\"")]);
    assert_described("patch", contact, &app.send(stale).await);
    let no_type = contract_4_world::with_token(Request::patch(&one), &token).body(Body::from("{}"));
    assert_described("patch", contact, &app.send(no_type.unwrap()).await);
    let unknown = contract_4_world::patch(&app, &token, "con.nobody", "{}").await;
    assert_described("patch", contact, &unknown);
    app.clock.move_wall(-60_000);
    for path in [paths::CLIENTS, paths::CONTACTS] {
        assert_described("get", path, &contract_4_world::get(&app, &token, path).await);
    }
}

#[test]
fn a_change_takes_what_belongs_to_the_person_and_to_the_mandate() {
    let schemas = document()["components"]["schemas"].clone();
    let permissions: BTreeSet<_> = Permission::ALL.into_iter().map(Permission::name).collect();
    let of_mandate: BTreeSet<_> = permissions.iter().copied().chain([HAS_ONLINE_ACCESS]).collect();
    let taken: BTreeSet<_> = of_mandate.iter().copied().chain(PERSONAL).collect();
    assert_eq!(names(&schemas["ContactUpdate"]["properties"]), taken);
    let shown = names(&schemas["Contact"]["properties"]);
    assert!(taken.is_subset(&shown));
    let required: BTreeSet<_> = schemas["Contact"]["required"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    let always = of_mandate.into_iter().chain(["contact_id", "email_address"]).collect();
    assert_eq!(required, always);
}

#[tokio::test]
async fn every_answer_about_a_token_is_described() {
    let app = TestApp::new(&World::default());
    let good = app.token().await;
    let (access, id) = (good.text("access_token"), good.text("id_token"));
    for path in [paths::INTROSPECT, paths::REVOKE] {
        let by = |id: &str, secret: &str| Request::post(path).header(AUTHORIZATION, basic(id, secret));
        for form in
            [format!("token={access}"), format!("token={id}"), "token=x".to_owned(), "token=".to_owned()]
        {
            let answer = app.send(with_form(by(APPLICATION, SECRET), form)).await;
            assert_described("post", path, &answer);
        }
        let answer = app.send(with_form(by(APPLICATION, "wrong"), "token=x")).await;
        assert_described("post", path, &answer);
        let text = by(APPLICATION, SECRET).header(CONTENT_TYPE, "text/plain").body(Body::from("token=x"));
        assert_described("post", path, &app.send(text.unwrap()).await);
    }
    let resource = resource_basic(RESOURCE, RESOURCE_SECRET);
    let malformed = Request::get(paths::EVENTS).header(AUTHORIZATION, resource).header("last-event-id", "x");
    assert_described("get", paths::EVENTS, &app.send(without_body(malformed)).await);
}

#[tokio::test]
async fn what_introspection_says_of_a_bound_token_is_described() {
    let root = Authority::new("Root");
    let leaf = root.issue(nothing);
    let app = serving(&registered(by_subject), &[&root]);
    let token = Asked::alone().by(&[&leaf]).of(&app).await.text("access_token");
    let form = format!("client_id={APPLICATION}&token={token}");
    let asked = Asked { path: paths::INTROSPECT.to_owned(), ..Asked::token(&form) };
    let answer = asked.by(&[&leaf]).of(&app).await;
    assert_described("post", paths::INTROSPECT, &answer);
    let binding = answer.json()["cnf"].clone();
    let described = document()["components"]["schemas"]["Introspection"]["properties"]["cnf"].clone();
    assert_eq!(names(&binding), BTreeSet::from(["x5t#S256"]));
    assert_eq!(names(&described["properties"]), BTreeSet::from(["jkt", "x5t#S256"]));
    assert_eq!(binding["x5t#S256"].as_str().unwrap().len(), 43);
}

#[test]
fn metadata_of_a_server_that_asks_for_certificates_are_described() {
    let metadata = Metadata::new("https://procura.example").with_mutual_tls("https://mtls.procura.example");
    let metadata = serde_json::to_value(metadata).unwrap();
    let described = document()["components"]["schemas"]["Metadata"]["properties"].clone();
    assert!(names(&metadata).is_subset(&names(&described)), "{metadata}");
    let aliases = names(&metadata["mtls_endpoint_aliases"]);
    assert_eq!(aliases, names(&described["mtls_endpoint_aliases"]["properties"]));
}

#[test]
fn a_certificate_is_a_proof_wherever_applications_prove_themselves() {
    let document = document();
    for (path, method) in [
        (paths::TOKEN_FOR_CONTACT, "post"),
        (paths::TOKEN, "post"),
        (paths::AVAILABLE_CONTACTS, "get"),
        (paths::INTROSPECT, "post"),
        (paths::REVOKE, "post"),
    ] {
        let ways = document["paths"][path][method]["security"].as_array().unwrap();
        assert!(ways.iter().any(|way| way.get("mutualTLS").is_some()), "{path}");
    }
}

#[tokio::test]
async fn every_answer_to_nobody_in_particular_is_described() {
    let app = TestApp::new(&World::default());
    let document = document();
    for path in paths::ALL.into_iter().filter(|path| *path != paths::TOKEN_FOR_CONTACT) {
        let concrete = path.replace("{contact_id}", CONTACT);
        for method in names(&document["paths"][path]) {
            let verb = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let request = Request::builder().method(verb).uri(&concrete);
            assert_described(method, path, &app.send(without_body(request)).await);
            let put = app.send(without_body(Request::put(&concrete))).await;
            assert_described(method, path, &put);
        }
    }
    app.store.make_stale();
    assert_described("get", paths::HEALTH_READY, &app.send(get(paths::HEALTH_READY)).await);
}
