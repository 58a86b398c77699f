//! The OpenAPI document says exactly what is served.

use std::collections::BTreeSet;

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
use procura_http::documents::OPENAPI;
use procura_protocol::error::ErrorCode;
use procura_protocol::parameters::{Taken, classify};
use procura_protocol::paths;
use procura_protocol::permission::Permission;
use procura_testkit::app::basic;
use procura_testkit::journal::Mode;
use procura_testkit::world::{APPLICATION, CONTACT, SECRET};
use procura_testkit::{Answer, TestApp, World};
use serde_json::Value;

use crate::defects::{Wrong, request_with};
use crate::support::{asking, get, list, without_body};

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
    assert_eq!(schema["properties"]["token_type"]["enum"], serde_json::json!(["Bearer"]));
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
    let taken = ["client_id", "client_secret", "clients", "resource", "scope"];
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
fn assert_described(method: &str, path: &str, answer: &Answer) {
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
    let types = names(&response["content"]);
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
async fn every_other_answer_is_described() {
    let app = TestApp::new(&World::default());
    for path in paths::ALL.into_iter().filter(|path| *path != paths::TOKEN_FOR_CONTACT) {
        assert_described("get", path, &app.send(get(path)).await);
        let post = app.send(without_body(Request::post(path))).await;
        assert_described("get", path, &post);
    }
    app.store.make_stale();
    assert_described("get", paths::HEALTH_READY, &app.send(get(paths::HEALTH_READY)).await);
}
