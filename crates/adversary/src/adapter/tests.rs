use std::path::Path;

use super::{Adapter, ApplicationRole, Door, Draft, Values};

const SMALL: &str = r#"
name = "Small"
issuer = "http://127.0.0.1:1"
[endpoints]
token = "http://127.0.0.1:1/token"
[doors.token_exchange]
subject = { command = ["./subject-token", "{contact_id}"] }
[applications.main]
id = "partner"
secret = "${secret}"
[contacts.allowed]
id = "alice"
"#;

fn read(text: &str) -> Result<Adapter, String> {
    let mut values = Values::default();
    values.extend(r#"{"secret":"s\"1","port":8080}"#).unwrap();
    Draft::parse("small.toml", Path::new("/folder"), text)
        .and_then(|draft| draft.fill(&values))
        .map_err(|error| error.to_string())
}

fn refused(text: &str) -> String {
    read(text).err().unwrap_or_else(|| "it was taken".to_owned())
}

#[test]
fn the_smallest_adapter_is_taken_and_its_placeholders_are_filled() {
    let adapter = read(SMALL).unwrap();
    let main = &adapter.applications[&ApplicationRole::Main];
    assert_eq!(main.secret.as_deref(), Some("s\"1"));
    assert!(adapter.door(Door::TokenExchange).is_some());
    assert!(adapter.door(Door::JwtBearer).is_none());
    assert_eq!(adapter.path(Path::new("a.pem")), Path::new("/folder/a.pem"));
}

#[test]
fn a_secret_is_not_in_debug_output() {
    assert!(!format!("{:?}", read(SMALL).unwrap()).contains("s\"1"));
}

#[test]
fn an_unknown_member_is_told_with_those_that_there_are() {
    let told = refused(&SMALL.replace("[applications.main]\n", "[applications.main]\nsecrets = \"x\"\n"));
    assert!(told.contains("secrets") && told.contains("secret"), "{told}");
    let told = refused(&SMALL.replace("[contacts.allowed]", "[contacts.alowed]"));
    assert!(told.contains("alowed") && told.contains("allowed"), "{told}");
}

#[test]
fn a_placeholder_without_a_value_is_told_by_its_name() {
    let told = refused(&SMALL.replace("${secret}", "${password}"));
    assert!(told.contains("${password}") && told.contains("--set password=VALUE"), "{told}");
    let told = refused(&SMALL.replace("${secret}", "${secret"));
    assert!(told.contains("without `}`"), "{told}");
}

#[test]
fn a_door_without_its_endpoint_application_or_key_says_what_it_needs() {
    let told = refused(&SMALL.replace("token = \"http://127.0.0.1:1/token\"\n", ""));
    assert!(told.contains("`doors.token_exchange` needs `endpoints.token`"), "{told}");
    let told = refused(&format!("{SMALL}\n[doors.client_credentials]\napplication = \"signing\"\n"));
    assert!(told.contains("add `[applications.signing]`"), "{told}");
    let told = refused(&format!("{SMALL}\n[doors.jwt_bearer]\n"));
    assert!(told.contains("needs a key to sign with"), "{told}");
    let told = refused(&format!("{SMALL}\n[doors.contact_token]\n"));
    assert!(told.contains("endpoints.contact_token"), "{told}");
}

#[test]
fn https_without_an_authority_and_a_method_without_its_credential_are_refused() {
    let told = refused(&SMALL.replace("http://127.0.0.1:1/token", "https://127.0.0.1:1/token"));
    assert!(told.contains("ca_file"), "{told}");
    let told = refused(&SMALL.replace("id = \"partner\"", "id = \"partner\"\nmethod = \"private_key_jwt\""));
    assert!(told.contains("key_file"), "{told}");
    let told = refused(&SMALL.replace("secret = \"${secret}\"\n", ""));
    assert!(told.contains("needs a `secret`"), "{told}");
}

#[test]
fn a_change_needs_its_way_back() {
    let told = refused(&format!("{SMALL}\n[changes.disable_contact]\ndo = [\"x\"]\nundo = []\n"));
    assert!(told.contains("`changes.disable_contact` needs"), "{told}");
}

#[test]
fn departures_are_found_by_id_or_by_its_beginning() {
    let adapter =
        read(&format!("{SMALL}\n[departures.cases]\n\"replay-*\" = \"stateless\"\n\"alg-none\" = \"no\"\n"))
            .unwrap();
    assert_eq!(adapter.departure("replay-twice-jwt-bearer"), Some("stateless"));
    assert_eq!(adapter.departure("alg-none"), Some("no"));
    assert_eq!(adapter.departure("alg-none-2"), None);
}

#[test]
fn a_setup_prints_one_object_of_texts() {
    let mut values = Values::default();
    assert!(values.extend("ready").is_err());
    assert!(values.extend("[1]").is_err());
    assert!(values.extend(r#"{"a":{"b":1}}"#).unwrap_err().contains("`a`"));
}
