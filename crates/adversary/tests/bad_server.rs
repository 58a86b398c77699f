//! The suite against a server that checks nothing and gives more for whatever is unusual: nearly every case must fail
//! there, or it would show nothing anywhere.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use procura_adversary::adapter::{Draft, Values};
use procura_adversary::run::{Ended, Report};
use procura_adversary::{World, cases, run};
use procura_jose::{Algorithm, PrivateKey, base64url};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

/// Cases that such a server withstands all the same, by the beginning of their ids, and why.
const WITHSTOOD: &[(&str, &str)] = &[
    ("token-names-", "it names whom it is asked for"),
    ("act-is-not-nested", "it writes act as it must"),
    ("act-in-introspection", "it writes act as it must"),
    ("answer-is-json", "it answers with JSON"),
    ("token-type-said", "it says a type"),
    ("expires-in", "it says a life"),
    ("alg-is-strong", "it signs"),
    ("kid-is-published", "it publishes its key"),
    ("header-brings-no-key", "it brings none"),
    ("iss-is-the-issuer", "it names itself"),
    ("jti-is-new", "it counts"),
    ("token-fits-a-header", "its tokens are short"),
    ("life-is-short", "they live an hour"),
    ("aud-is-one", "it names one audience"),
    ("scope-narrows", "it gives what it is asked for"),
    ("scope-is-told", "it tells none"),
    ("id-token-", "its ID token is as it must be"),
    ("issued-token-type", "it says one"),
    ("own-token-names-no-contact", "it has nobody in that"),
    ("clients-narrow", "it gives what it is asked for"),
    ("clients-exact", "it gives what is usual"),
    ("resource-second", "it gives what it is asked for"),
    ("hint-lies", "it does not look at hints"),
    ("by-its-resource", "it tells everybody"),
    ("by-another-application-at-revocation", "it revokes nothing"),
    ("revoked-alone", "it revokes nothing"),
    ("forged-token-revoked", "it revokes nothing"),
    ("unknown-token", "it knows no token"),
    ("token-in-query-too", "it passes it over"),
];

#[test]
fn a_server_that_checks_nothing_fails_nearly_every_case() {
    let folder = tempfile::tempdir().unwrap();
    let adapter = adapter(folder.path());
    let values = Values::default();
    let adapter = Draft::parse("bad.toml", folder.path(), &adapter).unwrap().fill(&values).unwrap();
    let world = World::new(adapter).unwrap();
    let all = cases::all();
    let report = run::run(&world, &all, |_| {}).unwrap();
    let counts = report.counts();
    let passed = by_attack(&report, |ended| *ended == Ended::Pass);
    let failed = by_attack(&report, |ended| matches!(ended, Ended::Fail { .. }));
    eprintln!("{counts:?}");
    for (id, reason) in by_attack_with_reason(&report) {
        eprintln!("skipped {id}: {reason}");
    }
    let unexpected: Vec<&String> = passed
        .keys()
        .filter(|id| !WITHSTOOD.iter().any(|(beginning, _)| id.starts_with(beginning)))
        .collect();
    assert!(unexpected.is_empty(), "these show nothing: {unexpected:#?}");
    assert!(failed.len() > 200, "{} attacks fail", failed.len());
    assert!(counts.failed > 9 * counts.passed, "{counts:?}");
}

fn by_attack(report: &Report, wanted: impl Fn(&Ended) -> bool) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for outcome in report.cases.iter().filter(|outcome| wanted(&outcome.ended)) {
        *found.entry(outcome.id.clone()).or_default() += 1;
    }
    found
}

fn by_attack_with_reason(report: &Report) -> Vec<(&str, &str)> {
    let skipped = report.cases.iter().filter_map(|outcome| match &outcome.ended {
        Ended::Skip { reason } => Some((outcome.id.as_str(), reason.as_str())),
        _ => None,
    });
    skipped.collect()
}

/// Starts the server; an adapter for it, with every role there is.
fn adapter(folder: &Path) -> String {
    let base = serve();
    let key = KeyPair::generate().unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    for name in ["one", "two", "three"] {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
    let mut text = format!(
        "name = \"Bad\"\nissuer = \"{base}\"\n[endpoints]\ncontact_token = \"{base}/token/{{contact_id}}\"\n\
         token = \"{base}/token\"\nintrospection = \"{base}/introspect\"\nrevocation = \"{base}/revoke\"\n\
         jwks = \"{base}/jwks\"\nmetadata = \"{base}/metadata\"\n\
         [doors.contact_token]\nclients_parameter = \"clients\"\n[doors.jwt_bearer]\nclients_parameter = \"clients\"\n\
         [doors.token_exchange]\nclients_parameter = \"clients\"\n[doors.client_credentials]\n\
         [claims]\nclients = \"clients.*\"\n"
    );
    let more = [
        ("main", ""),
        ("signing", "method = \"private_key_jwt\"\n"),
        (
            "certificate",
            "method = \"tls_client_auth\"\ncertificate_file = \"one.pem\"\ncertificate_key_file = \"one.key\"\ncertificate_bound = true\n",
        ),
        (
            "self_signed",
            "method = \"self_signed_tls_client_auth\"\ncertificate_file = \"two.pem\"\ncertificate_key_file = \"two.key\"\n",
        ),
        (
            "two_factors",
            "certificate_file = \"three.pem\"\ncertificate_key_file = \"three.key\"\ncertificate_bound = true\n",
        ),
        ("dpop", "dpop = true\n"),
        ("fapi2", "method = \"private_key_jwt\"\ndpop = true\n"),
        ("other", ""),
        ("disabled", ""),
        ("untrusted", ""),
    ];
    for (role, more) in more {
        text.push_str(&format!(
            "[applications.{role}]\nid = \"app_{role}\"\nsecret = \"Secret-of-{role}\"\nkey_file = \"key.pem\"\n{more}"
        ));
    }
    text.push_str("[contacts.allowed]\nid = \"Allowed1\"\nclients = [\"C1\"]\nscopes = [\"can_trade\"]\n");
    for role in [
        "second_allowed",
        "other_allowed",
        "unknown",
        "no_trust",
        "no_mandate",
        "disabled",
        "suspended_mandate",
        "ended_window",
        "not_begun",
        "withdrawn_trust",
        "ended_trust",
        "inactive_client",
        "not_covered",
        "above_ceiling",
    ] {
        text.push_str(&format!("[contacts.{role}]\nid = \"Contact-{role}\"\n"));
    }
    text.push_str("[clients]\nlisted = \"C1\"\nforeign = \"C2\"\nuntrusting = \"C3\"\nunknown = \"C4\"\n");
    for role in ["default", "second", "unregistered", "unknown"] {
        text.push_str(&format!(
            "[resources.{role}]\nid = \"https://{role}.example\"\nurl = \"{base}/api\"\nmutual_tls_url = \"{base}/api\"\n\
             client_parameter = \"client_id\"\nsecret = \"Secret-of-{role}\"\n"
        ));
    }
    for name in [
        "disable_application",
        "distrust_application",
        "disable_contact",
        "disable_client",
        "withdraw_trust",
        "suspend_mandate",
        "narrow_mandate",
        "narrow_trust",
        "end_window",
        "remove_resource",
        "retire_key",
    ] {
        text.push_str(&format!("[changes.{name}]\ndo = [\"true\"]\nundo = [\"true\"]\nwithin_ms = 30\n"));
    }
    text
}

struct Bad {
    key: PrivateKey,
    base: String,
    count: AtomicU64,
}

fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (key, _) = PrivateKey::generate(Algorithm::Es256).unwrap();
    let bad = Arc::new(Bad { key, base: base.clone(), count: AtomicU64::new(0) });
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let bad = Arc::clone(&bad);
            thread::spawn(move || answer(&bad, stream));
        }
    });
    base
}

/// Reads what is there and answers with all it has.
fn answer(bad: &Bad, mut stream: TcpStream) {
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 64 * 1024];
    while !is_whole(&bytes) {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let target = head.split(' ').nth(1).unwrap_or("/");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let value = match path {
        "/jwks" => {
            json!({"keys": [bad.key.public_jwk(), {"kty": "oct", "k": "c2VjcmV0"}, {"kty": "RSA", "n": "AQAB", "d": "x"}]})
        }
        "/metadata" => json!({
            "issuer": "https://somebody.else", "scopes_supported": ["can_trade", "can_everything"],
            "grant_types_supported": ["password", "implicit"],
        }),
        path => told(bad, path, head, &format!("{body}&{query}"), is_usual(bad, head, body, query)),
    };
    let body = value.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nAccess-Control-Allow-Credentials: true\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    // The rest is read, so that the end of the connection does not take the answer with it.
    while matches!(stream.read(&mut buffer), Ok(1..)) {}
}

fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    bytes.len() >= end + 4 + length.unwrap_or(0)
}

fn parameters(text: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}

/// Whether a request is one that an honest application writes.
fn is_usual(bad: &Bad, head: &str, body: &str, query: &str) -> bool {
    let host = bad.base.trim_start_matches("http://");
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let mut seen = Vec::new();
    let mut headers = lines.all(|line| {
        let Some((name, value)) = line.split_once(": ") else { return false };
        let known = match name {
            "Host" => value == host,
            "Connection" => value == "close",
            "Content-Type" => value == "application/x-www-form-urlencoded",
            "Content-Length" => value.parse::<usize>() == Ok(body.len()),
            "Authorization" | "DPoP" => true,
            _ => false,
        };
        let new = !seen.contains(&name);
        seen.push(name);
        known && new
    });
    let names = [
        "grant_type",
        "assertion",
        "subject_token",
        "subject_token_type",
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
        "scope",
        "clients",
        "resource",
        "token",
    ];
    let mut pairs = Vec::new();
    let form = body.is_empty()
        || body.split('&').all(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or_default();
            let new = !pairs.contains(&name);
            pairs.push(name);
            names.contains(&name) && new && !value.is_empty() && !value.contains(';')
        });
    headers &= seen.contains(&"Host") && !(seen.contains(&"Authorization") && body.contains("client_id="));
    let path = first.split(' ').nth(1).unwrap_or_default();
    let plain = ["/token", "/token/Allowed1", "/token/Contact-above_ceiling"].contains(&path);
    first.starts_with("POST ") && first.ends_with(" HTTP/1.1") && headers && form && query.is_empty() && plain
}

/// A token for whomever somebody names, with whatever they ask for, and with more if they are unusual.
fn told(bad: &Bad, path: &str, head: &str, text: &str, usual: bool) -> Value {
    let form = &parameters(text);
    let get = |name: &str| form.get(name).cloned();
    if path == "/introspect" {
        let mut claims = get("token").and_then(|token| claims(&token)).unwrap_or_else(|| json!({}));
        claims["active"] = json!(true);
        return claims;
    }
    let named = get("assertion").or_else(|| get("subject_token")).and_then(|token| claims(&token));
    let named_act = named.as_ref().and_then(|claims| claims.get("act").cloned());
    let named = named.and_then(|claims| claims["sub"].as_str().map(str::to_owned));
    let in_path = path.rsplit('/').next().filter(|_| path.starts_with("/token/")).map(str::to_owned);
    let application = application(head, form);
    let alone = get("grant_type").as_deref() == Some("client_credentials") && named.is_none();
    let contact =
        if alone { application.clone() } else { named.or(in_path).unwrap_or_else(|| "Allowed1".to_owned()) };
    let contact = percent_encoding::percent_decode_str(&contact).decode_utf8_lossy().into_owned();
    let scope = get("scope").unwrap_or_else(|| "can_trade".to_owned());
    let scope = if usual { scope } else { format!("{scope} can_everything") };
    let audience =
        get("resource").or_else(|| get("audience")).unwrap_or_else(|| "https://default.example".to_owned());
    let clients: Vec<String> = get("clients")
        .unwrap_or_else(|| "C1".to_owned())
        .split([' ', ',', '\n'])
        .map(str::to_owned)
        .collect();
    let number = bad.count.fetch_add(1, Ordering::Relaxed);
    let mut access = json!({
        "iss": bad.base, "sub": contact, "aud": audience, "iat": now(), "exp": now() + 3_600,
        "jti": format!("{number:020}"), "client_id": application, "scope": scope,
        "auth_time": 1,
    });
    if text.matches("resource=").count() > 1 {
        access["aud"] = json!([audience, "https://another.example"]);
    }
    if !alone {
        access["act"] = named_act.unwrap_or_else(|| json!({"sub": application}));
        access["clients"] = json!(clients);
    }
    // And whatever else somebody names.
    for (name, value) in form {
        if access.get(name).is_none() && !name.contains("assertion") && !name.contains("token") {
            access[name] = json!(value);
        }
    }
    let id = json!({
        "iss": bad.base, "sub": contact, "aud": application, "iat": now(), "exp": now() + 3_600,
        "act": {"sub": application},
    });
    let sign = |claims: &Value| bad.key.sign_compact("JWT", claims.to_string().as_bytes()).unwrap();
    json!({
        "access_token": sign(&access), "id_token": sign(&id), "refresh_token": "more", "token_type": "Bearer",
        "expires_in": 3_600, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "seen": format!("{head} {form:?}"),
    })
}

/// Whoever somebody says to be.
fn application(head: &str, form: &BTreeMap<String, String>) -> String {
    use base64::Engine as _;
    let basic = head.lines().find_map(|line| line.strip_prefix("Authorization: Basic "));
    let basic = basic.and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
    let basic = basic.and_then(|bytes| Some(String::from_utf8(bytes).ok()?.split_once(':')?.0.to_owned()));
    let by_assertion = form.get("client_assertion").and_then(|token| claims(token));
    let by_assertion = by_assertion.and_then(|claims| claims["sub"].as_str().map(str::to_owned));
    let named = basic.or(by_assertion).or_else(|| form.get("client_id").cloned());
    let named = named.unwrap_or_else(|| "app_main".to_owned());
    percent_encoding::percent_decode_str(&named).decode_utf8_lossy().into_owned()
}

fn claims(token: &str) -> Option<Value> {
    serde_json::from_slice(&base64url::decode(token.split('.').nth(1)?).ok()?).ok()
}

#[expect(clippy::disallowed_methods, reason = "tokens of a server that runs now")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}
