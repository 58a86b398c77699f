//! Something was stolen, and the operator answers without an interruption for anyone honest.

use crate::support::Server;
use crate::town::{Town, ask_until, status};

#[test]
fn a_stolen_secret_is_replaced_and_then_opens_nothing() {
    let town = Town::new();
    let (stolen_id, stolen) = town.secret();
    let server = Server::start(&mut town.serve());
    assert_eq!(status(&server.ask("POST /token/CON1", &stolen)), 200);
    let (_, fresh) = town.secret();
    ask_until(&server, &fresh, 200);
    assert_eq!(status(&server.ask("POST /token/CON1", &stolen)), 200, "two live at once");
    town.folder.done(&format!("application secret retire app_one {stolen_id} --compromised"));
    let refused = ask_until(&server, &stolen, 401);
    assert!(refused.contains("invalid_client") && !refused.contains("procura-reference"), "{refused}");
    assert_eq!(status(&server.ask("POST /token/CON1", &fresh)), 200);
}

#[test]
fn a_stolen_key_leaves_the_jwks_and_its_successor_signs() {
    let town = Town::new();
    let (_, headers) = town.secret();
    let server = Server::start(&mut town.serve());
    assert_eq!(status(&server.ask("POST /token/CON1", &headers)), 200);
    let kids = |text: &str| -> Vec<String> {
        let document: serde_json::Value =
            serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        let keys = document["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    };
    let before = kids(&server.ask("GET /jwks", ""));
    assert_eq!(before.len(), 2, "the key that signs and its successor");
    let listed = town.folder.done("key list --json").json();
    let signing = listed.as_array().unwrap().iter().find(|key| key["state"] == "signing").unwrap();
    let stolen = signing["kid"].as_str().unwrap().to_owned();
    town.folder.done(&format!("key revoke {stolen} --compromised"));
    let gone = (0..1_000_000).map(|_| kids(&server.ask("GET /jwks", ""))).find(|now| !now.contains(&stolen));
    let now = gone.unwrap();
    assert!(
        before.iter().any(|kid| *kid != stolen && now.contains(kid)),
        "the successor was announced before"
    );
    assert_eq!(status(&server.ask("POST /token/CON1", &headers)), 200);
    assert_eq!(server.stop("TERM").0, Some(0));
    town.folder.done("audit verify");
}
