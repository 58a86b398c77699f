//! What an operator sees of a running server: `/metrics`, the dashboard and the page about both.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::{Folder, Server, procura, run};

const DASHBOARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/grafana/procura.json");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations/metrics.md");

fn start(folder: &Folder) -> Server {
    let mut command = procura();
    command.env("PROCURA_METRICS__LISTEN", "127.0.0.1:0");
    command.env("PROCURA_LIMITS__FAILED_PROOFS_PER_ADDRESS_PER_MINUTE", "2");
    Server::start(command.args(["serve", "--data", folder.path().to_str().unwrap()]))
}

/// Asks the listener of the metrics; the head and the body of its answer.
fn ask(server: &Server, request: &str) -> (String, String) {
    let url = server.text("metrics_url");
    let (address, path) = url.strip_prefix("http://").unwrap().split_at(url.len() - "http:///metrics".len());
    assert_eq!(path, "/metrics");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// The value of a series.
fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} in {metrics}")).parse().unwrap()
}

fn names(metrics: &str) -> BTreeSet<String> {
    let families = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    families.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// The names in a text, without what the format adds to them.
fn named(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_name(c)).filter(|word| {
        (word.starts_with("procura_") || word.starts_with("process_")) && !word.ends_with('_')
    });
    let family = |word: &str| {
        let endings = ["_total", "_bucket", "_sum", "_count", "_info"];
        endings.iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word).to_owned()
    };
    words.map(family).collect()
}

#[test]
fn what_happens_is_counted_and_the_counts_name_nobody() {
    let folder = Folder::new();
    folder.done("client|add|CLI1|--client-name|Wells-Byrne Ltd");
    folder.done("contact add CON1");
    folder.done("mandate add CON1 CLI1 --permissions can_trade");
    folder.done("application add app_one --trusted");
    folder.done("trust add CLI1 app_one --contacts * --ceiling all --reason agreed");
    let secret = folder.done("application secret add app_one --json").json();
    let secret = secret["secret"].as_str().unwrap();
    folder.done("application add app_two --dpop-bound-access-tokens true");
    let key_bound = folder.done("application secret add app_two --json").json();
    let key_bound = key_bound["secret"].as_str().unwrap();
    let server = start(&folder);
    let headers = |secret: &str| {
        let pair = STANDARD.encode(format!("app_one:{secret}"));
        format!("authorization: Basic {pair}\r\ncontent-length: 0\r\n")
    };
    for (id, secret, proof, status) in
        [("app_one", secret, "", "200"), ("app_two", key_bound, "dpop: hunter2\r\n", "400")]
    {
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        let head =
            format!("content-type: application/x-www-form-urlencoded\r\ncontent-length: {}", form.len());
        let answer = server.ask("POST /token", &format!("{head}\r\n{proof}\r\n{form}"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{id}: {answer}");
    }
    for (path, secret, status) in [
        ("/token/CON1", secret, "200"),
        ("/token/CON2", secret, "400"),
        ("/token/CON1", "pcs_hunter2", "401"),
        ("/token/CON1", "pcs_hunter2", "401"),
        ("/token/CON1", secret, "429"),
    ] {
        let answer = server.ask(&format!("POST {path}"), &headers(secret));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
    server.ask("GET /hunter2", "");
    let (head, metrics) = ask(&server, "GET /metrics");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    for (series, expected) in [
        ("procura_tokens_issued_total{door=\"contact_token\"}", 1.0),
        ("procura_tokens_issued_total{door=\"client_credentials\"}", 1.0),
        ("procura_tokens_issued_total{door=\"jwt_bearer\"}", 0.0),
        ("procura_refusals_total{cause=\"dpop_proof\"}", 1.0),
        ("procura_proofs_refused_total{place=\"token\",fault=\"malformed\"}", 1.0),
        ("procura_proofs_refused_total{place=\"token\",fault=\"replayed\"}", 0.0),
        ("procura_proofs_refused_total{place=\"forward_auth\",fault=\"bearer\"}", 0.0),
        ("procura_proofs_remembered{place=\"token\"}", 0.0),
        ("procura_refusals_total{cause=\"unknown_contact\"}", 1.0),
        ("procura_refusals_total{cause=\"no_mandate\"}", 0.0),
        ("procura_failed_proofs_total{kind=\"wrong\"}", 2.0),
        ("procura_limit_reached_total{limit=\"failed_proofs\"}", 1.0),
        ("procura_limit_remembered{limit=\"failed_proofs\"}", 1.0),
        ("procura_requests_total{route=\"/token/{contact_id}\",status=\"200\"}", 1.0),
        ("procura_requests_total{route=\"/token/{contact_id}\",status=\"401\"}", 2.0),
        ("procura_requests_total{route=\"/token/{contact_id}\",status=\"429\"}", 1.0),
        ("procura_requests_total{route=\"other\",status=\"404\"}", 1.0),
        ("procura_request_duration_seconds_count{route=\"/token/{contact_id}\"}", 5.0),
        ("procura_request_duration_seconds_bucket{le=\"+Inf\",route=\"/token/{contact_id}\"}", 5.0),
        ("procura_connections_accepted_total", 8.0),
        ("procura_tls_handshakes_total{outcome=\"full\"}", 0.0),
        ("procura_ready", 1.0),
        ("procura_credentials_expiring{kind=\"secret\"}", 0.0),
    ] {
        assert_eq!(value(&metrics, series), expected, "{series} in {metrics}");
    }
    assert!(value(&metrics, "procura_journal_sync_seconds_count") >= 2.0, "{metrics}");
    assert!(value(&metrics, "process_resident_memory_bytes") > 1e6, "{metrics}");
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    for never in ["app_one", "app_two", "CON1", "CON2", "CLI1", "127.0.0.1", "hunter2"] {
        assert!(!metrics.contains(never), "{never} in {metrics}");
    }
    assert_eq!(ask(&server, "GET /token/CON1").0.split(' ').nth(1), Some("404"));
    assert_eq!(ask(&server, "POST /metrics").0.split(' ').nth(1), Some("405"));
    // Who may ask for tokens may not ask for this.
    assert!(server.ask("GET /metrics", "").starts_with("HTTP/1.1 404"));
    assert_eq!(server.stop("TERM").0, Some(0));
}

#[test]
fn a_proof_that_comes_again_is_counted_where_it_came() {
    let folder = Folder::new();
    folder.done("client|add|CLI1|--client-name|Wells-Byrne Ltd");
    folder.done("contact add CON1");
    folder.done("mandate add CON1 CLI1 --permissions can_trade");
    folder.done("application add app_one --trusted --dpop-bound-access-tokens true");
    folder.done("trust add CLI1 app_one --contacts * --ceiling all --reason agreed");
    let secret = folder.done("application secret add app_one --json").json();
    let pair = STANDARD.encode(format!("app_one:{}", secret["secret"].as_str().unwrap()));
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (key, token_file) = (file("dpop.pem"), file("token"));
    run(["dpop", "--new-key", &key]).ends_with(0);
    let server = start(&folder);
    let proof = |method: &str, path: &str, more: &[&str]| {
        let url = format!("{}{path}", server.text("issuer"));
        let arguments = [&["dpop", "--key", &key, "--method", method, "--url", &url], more].concat();
        run(arguments).ends_with(0).stdout.trim_end().to_owned()
    };
    let asked = proof("POST", "/token/CON1", &[]);
    let headers = format!("authorization: Basic {pair}\r\ndpop: {asked}\r\ncontent-length: 0\r\n");
    let answer = server.ask("POST /token/CON1", &headers);
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let token = serde_json::from_str::<Value>(body).unwrap()["access_token"].as_str().unwrap().to_owned();
    fs::write(&token_file, &token).unwrap();
    let asked = proof("GET", "/clients", &["--token-file", &token_file]);
    for (scheme, status) in [("DPoP", "200"), ("DPoP", "401"), ("Bearer", "401")] {
        let headers = format!("authorization: {scheme} {token}\r\ndpop: {asked}\r\n");
        let answer = server.ask("GET /clients", &headers);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{scheme}: {answer}");
    }
    let (_, metrics) = ask(&server, "GET /metrics");
    for (series, expected) in [
        ("procura_proofs_refused_total{place=\"token\",fault=\"replayed\"}", 0.0),
        ("procura_proofs_refused_total{place=\"api\",fault=\"replayed\"}", 1.0),
        ("procura_proofs_refused_total{place=\"api\",fault=\"bearer\"}", 1.0),
        ("procura_proofs_refused_total{place=\"forward_auth\",fault=\"replayed\"}", 0.0),
        ("procura_proofs_remembered{place=\"token\"}", 1.0),
        ("procura_proofs_remembered{place=\"api\"}", 1.0),
        ("procura_proofs_remembered{place=\"forward_auth\"}", 0.0),
    ] {
        assert_eq!(value(&metrics, series), expected, "{series} in {metrics}");
    }
}

#[test]
fn the_dashboard_and_its_page_show_what_is_measured_and_nothing_else() {
    let folder = Folder::new();
    let server = start(&folder);
    let measured = names(&ask(&server, "GET /metrics").1);
    let text = fs::read_to_string(DASHBOARD).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let asked = dashboard["panels"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|panel| panel["targets"].as_array())
        .flatten();
    let expressions: Vec<&str> = asked.map(|target| target["expr"].as_str().unwrap()).collect();
    assert_eq!(named(&expressions.join("\n")), measured, "the dashboard");
    assert_eq!(named(&fs::read_to_string(PAGE).unwrap()), measured, "the page");
}

#[test]
fn without_an_address_nothing_is_measured_out_loud() {
    let folder = Folder::new();
    let server = Server::start(procura().args(["serve", "--data", folder.path().to_str().unwrap()]));
    assert!(server.ready.get("metrics_url").is_none());
}
