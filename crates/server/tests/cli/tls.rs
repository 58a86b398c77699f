//! TLS as operators configure it and callers meet it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use procura_jose::Algorithm;
use procura_testkit::dpop::{Proof, ProofKey};
use rcgen::{CertificateParams, KeyPair};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::support::{Folder, Ran, Server, member, now, procura, ran};

/// A caller that trusts the first certificate of a file, with the certificate and key of others if they are named.
fn caller(ca: &Path, own: Option<(&Path, &Path)>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let certificate = CertificateDer::from_pem_file(certificate).unwrap();
            let key = PrivateKeyDer::from_pem_file(key).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    // Each connection sees the certificate of now.
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// Sends a request to an `https` URL of loopback. The answer, or why there is none.
fn ask(caller: &Arc<ClientConfig>, url: &str, request: &str, rest: &str) -> std::io::Result<String> {
    let address = url.strip_prefix("https://").unwrap();
    let session = ClientConnection::new(Arc::clone(caller), "127.0.0.1".try_into().unwrap());
    let mut stream = StreamOwned::new(session.unwrap(), TcpStream::connect(address)?);
    write!(stream, "{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{rest}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";

fn form(body: &str) -> String {
    format!("{FORM}content-length: {}\r\n\r\n{body}", body.len())
}

fn basic(server: &Server) -> String {
    let pair = format!("{}:{}", server.text("application_id"), server.text("application_secret"));
    format!("authorization: Basic {}\r\ncontent-length: 0\r\n\r\n", STANDARD.encode(pair))
}

fn body(answer: &str) -> Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn demo() -> Server {
    Server::start(procura().args(["demo", "--tls"]))
}

#[test]
fn a_demo_with_tls_tells_its_ca_and_an_application_with_a_certificate() {
    let demo = demo();
    let mtls = &demo.ready["mtls"];
    let path = |value: &Value| PathBuf::from(value.as_str().unwrap());
    let (ca, certificate, key) =
        (path(&demo.ready["ca_file"]), path(&mtls["certificate_file"]), path(&mtls["key_file"]));
    assert!(demo.text("base_url").starts_with("https://127.0.0.1:"));
    assert_eq!(demo.text("issuer"), demo.text("base_url"));
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(key.parent().unwrap()).unwrap().permissions().mode() & 0o7777, 0o700);

    // A secret is as good as without TLS, and a certificate that nobody asked for changes nothing.
    let contact = demo.ready["contacts"][0]["contact_id"].as_str().unwrap();
    let request = format!("POST /token/{contact}");
    for caller in [caller(&ca, None), caller(&ca, Some((&certificate, &key)))] {
        let granted = ask(&caller, demo.text("base_url"), &request, &basic(&demo)).unwrap();
        assert!(granted.starts_with("HTTP/1.1 200 "), "{granted}");
    }
    // A certificate alone is enough for who is registered with it, and for nobody else.
    for (own, other) in [("mtls", "self_signed"), ("self_signed", "mtls")] {
        let (own, other) = (&demo.ready[own], &demo.ready[other]);
        let alone = form(&format!("client_id={}", own["application_id"].as_str().unwrap()));
        let request = format!("POST /token/{}", own["contact_id"].as_str().unwrap());
        for (pair, status) in [(own, "200 "), (other, "495 ")] {
            let (certificate, key) = (path(&pair["certificate_file"]), path(&pair["key_file"]));
            let caller = caller(&ca, Some((&certificate, &key)));
            let answer = ask(&caller, demo.text("base_url"), &request, &alone).unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        }
    }
    // Who names the application and has no certificate is asked for it, without a word more.
    let request = format!("POST /token/{}", mtls["contact_id"].as_str().unwrap());
    let alone = form(&format!("client_id={}", mtls["application_id"].as_str().unwrap()));
    let missing = ask(&caller(&ca, None), demo.text("base_url"), &request, &alone).unwrap();
    let (head, rest) = missing.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 496 SSL Certificate Required\r\n"), "{missing}");
    assert_eq!(rest, "");
    let metadata = "GET /.well-known/oauth-authorization-server";
    let metadata = body(&ask(&caller(&ca, None), demo.text("base_url"), metadata, "\r\n").unwrap());
    let aliases = &metadata["mtls_endpoint_aliases"];
    assert_eq!(aliases["introspection_endpoint"], format!("{}/introspect", demo.text("base_url")));
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);

    let data = PathBuf::from(demo.text("data_dir"));
    assert!(key.starts_with(&data) && ca.starts_with(&data) && certificate.starts_with(&data));
    assert_eq!(demo.stop("TERM"), (Some(0), String::new()));
    assert!(!data.exists());
}

#[test]
fn a_demo_with_tls_can_be_kept_and_started_again_also_without() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    for more in [&["--tls"][..], &["--tls"], &[]] {
        let server = Server::start(procura().args(["demo", "--data", data.to_str().unwrap()]).args(more));
        assert_eq!(server.ready.get("mtls").is_some(), !more.is_empty());
        assert_eq!(server.stop("TERM").0, Some(0));
    }
}

#[test]
fn the_command_of_the_sdk_works_as_it_is_printed() {
    let demo = demo();
    let contact = demo.ready["contacts"][0]["contact_id"].as_str().unwrap();
    let mut command = procura();
    command.env("SSL_CERT_FILE", demo.text("ca_file"));
    command.env("PROCURA_SECRET", demo.text("application_secret"));
    command.args(["token", contact, "--json", "--issuer", demo.text("issuer")]);
    command.args(["--application", demo.text("application_id")]);
    assert_eq!(ran(&mut command).ends_with(0).json()["token_type"], "Bearer");
}

/// A folder of an operator: a data folder, a configuration, a certificate with its key.
struct Operator {
    folder: tempfile::TempDir,
    data: Folder,
}

impl Operator {
    fn new(listeners: &str) -> Operator {
        let operator = Operator { folder: tempfile::tempdir().unwrap(), data: Folder::new() };
        operator.write_pair();
        fs::write(operator.path("procura.toml"), listeners).unwrap();
        operator
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Another certificate, which is its own CA.
    fn write_pair(&self) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        fs::write(self.path("new"), params.self_signed(&key).unwrap().pem()).unwrap();
        fs::rename(self.path("new"), self.path("c.pem")).unwrap();
        fs::write(self.path("new"), key.serialize_pem()).unwrap();
        fs::set_permissions(self.path("new"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(self.path("new"), self.path("k.pem")).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = procura();
        command.args(["serve", "--data", self.data.path().to_str().unwrap()]);
        command.args(["--config", self.path("procura.toml").to_str().unwrap()]);
        command
    }

    fn start(&self) -> Server {
        Server::start(&mut self.command())
    }

    fn fails(&self) -> Ran {
        ran(self.command().args(["--listen", "127.0.0.1:0"])).ends_with(2)
    }
}

const PAIR: &str = "certificate_file = \"c.pem\"\nkey_file = \"k.pem\"\n";

fn at<'a>(server: &'a Server, table: &str) -> &'a str {
    let listeners = server.ready["listeners"].as_array().unwrap();
    let found = listeners.iter().find(|listener| listener["table"] == table);
    found.unwrap_or_else(|| panic!("{table} is not in {listeners:?}"))["at"].as_str().unwrap()
}

#[test]
fn every_listener_that_is_configured_serves_and_is_told() {
    let operator = Operator::new(&format!(
        "[tls]\nlisten = \"127.0.0.1:0\"\n{PAIR}[mutual_tls]\nlisten = \"127.0.0.1:0\"\n"
    ));
    let socket = operator.path("proxy.sock");
    let proxy = format!("[proxy]\nlisten = \"unix:{}\"\n", socket.display());
    let file = operator.path("procura.toml");
    fs::write(&file, fs::read_to_string(&file).unwrap() + &proxy).unwrap();
    let server = operator.start();
    assert_eq!(server.text("base_url"), at(&server, "tls"));
    assert_eq!(server.text("issuer"), server.text("base_url"));
    let caller = caller(&operator.path("c.pem"), None);
    for table in ["tls", "mutual_tls"] {
        let ready = ask(&caller, at(&server, table), "GET /health/ready", "\r\n").unwrap();
        assert!(ready.starts_with("HTTP/1.1 200 "), "{table}: {ready}");
    }
    let metadata = "GET /.well-known/oauth-authorization-server";
    let metadata = body(&ask(&caller, at(&server, "tls"), metadata, "\r\n").unwrap());
    let aliases = metadata["mtls_endpoint_aliases"].as_object().unwrap();
    for (member, url) in aliases {
        let path = metadata[member].as_str().unwrap().strip_prefix(server.text("issuer")).unwrap();
        assert_eq!(url, &format!("{}{path}", at(&server, "mutual_tls")), "{member}");
    }
    let ping = "GET /health/live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let plain = |url: &str| {
        let mut stream = TcpStream::connect(url.split_once("://").unwrap().1).unwrap();
        stream.write_all(ping.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(plain(at(&server, "server")).starts_with("HTTP/1.1 200 "));
    for table in ["tls", "mutual_tls"] {
        let answer = plain(at(&server, table));
        assert!(answer.starts_with("HTTP/1.1 497 HTTP Request Sent to HTTPS Port\r\n"), "{answer}");
    }
    assert_eq!(at(&server, "proxy"), format!("unix:{}", socket.display()));
    let mut stream = UnixStream::connect(&socket).unwrap();
    stream.write_all(ping.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(server.stop("TERM"), (Some(0), String::new()));
    assert!(!socket.exists());
}

/// An application that proves itself by a secret, and whose tokens are bound to a key; its form for its own token.
fn bound_to_a_key(operator: &Operator) -> String {
    operator
        .data
        .done("application add app_one --auth-methods client_secret_post --dpop-bound-access-tokens true");
    let secret = operator.data.done("application secret add app_one --json").json();
    let secret = secret["secret"].as_str().unwrap();
    format!("grant_type=client_credentials&client_id=app_one&client_secret={secret}")
}

/// A request with a proof that is made now.
fn proved(proof: &Proof<'_>, credentials: &str) -> String {
    format!("DPoP: {}\r\n{}", proof.clone().claim("iat", now()).sign(), form(credentials))
}

#[test]
fn a_proof_is_taken_under_the_url_of_each_listener_with_tls_and_under_no_other() {
    let operator = Operator::new(&format!(
        "[tls]\nlisten = \"127.0.0.1:0\"\n{PAIR}[mutual_tls]\nlisten = \"127.0.0.1:0\"\n"
    ));
    let credentials = bound_to_a_key(&operator);
    let server = operator.start();
    let caller = caller(&operator.path("c.pem"), None);
    let key = ProofKey::new(Algorithm::Es256);
    let asked = |table: &str, htu: &str| {
        let proof = key.for_request("POST", &format!("{htu}/token"));
        ask(&caller, at(&server, table), "POST /token", &proved(&proof, &credentials)).unwrap()
    };
    for table in ["tls", "mutual_tls"] {
        for named in ["tls", "mutual_tls"] {
            let answer = asked(table, at(&server, named));
            assert!(answer.starts_with("HTTP/1.1 200 "), "{table}, {named}: {answer}");
            assert_eq!(body(&answer)["token_type"], "DPoP");
            assert!(!answer.contains("dpop-nonce"), "none is demanded: {answer}");
        }
        for other in ["https://token.example", at(&server, "server"), "https://127.0.0.1"] {
            let answer = asked(table, other);
            assert_eq!(body(&answer)["error"], "invalid_dpop_proof", "{table}, {other}: {answer}");
        }
    }
}

#[test]
fn where_nonces_are_required_a_proof_without_one_is_answered_with_one() {
    let operator =
        Operator::new(&format!("[tls]\nlisten = \"127.0.0.1:0\"\n{PAIR}[dpop]\nrequire_nonce = true\n"));
    let credentials = bound_to_a_key(&operator);
    let server = operator.start();
    let caller = caller(&operator.path("c.pem"), None);
    let key = ProofKey::new(Algorithm::Ps256);
    let asked = |nonce: Value| {
        let proof =
            key.for_request("POST", &format!("{}/token", server.text("issuer"))).claim("nonce", nonce);
        ask(&caller, server.text("base_url"), "POST /token", &proved(&proof, &credentials)).unwrap()
    };
    for wrong in [Value::Null, json!("AAAAAAAAAAAAAAAAAAAAAA")] {
        let answer = asked(wrong);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert_eq!(body(&answer)["error"], "use_dpop_nonce");
        let answer = asked(json!(member(&answer, "dpop-nonce")));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        // The next one can hold it at once.
        assert!(!member(&answer, "dpop-nonce").is_empty());
    }
}

#[test]
fn every_answer_says_when_it_was_made() {
    let operator = Operator::new(&format!("[tls]\nlisten = \"127.0.0.1:0\"\n{PAIR}"));
    let server = operator.start();
    let caller = caller(&operator.path("c.pem"), None);
    for (request, status) in
        [("GET /ping", 200), ("GET /clients", 401), ("GET /contacts?client_id=c", 401), ("POST /token", 400)]
    {
        let answer = ask(&caller, server.text("base_url"), request, "content-length: 0\r\n\r\n").unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        assert!(member(&answer, "date").ends_with(" GMT"), "{request}: {answer}");
    }
}

#[test]
fn at_sighup_another_certificate_is_in_use_and_half_of_one_is_not() {
    let operator = Operator::new(&format!("[tls]\nlisten = \"127.0.0.1:0\"\n{PAIR}"));
    let server = operator.start();
    let url = server.text("base_url");
    let before = caller(&operator.path("c.pem"), None);
    let asked = |caller| ask(caller, url, "GET /health/live", "\r\n");
    let hang_up = || {
        let pid = server.pid().to_string();
        assert!(Command::new("kill").args(["-s", "HUP", &pid]).status().unwrap().success());
    };
    assert!(asked(&before).is_ok());
    // A certificate whose key has not been written yet.
    let key = fs::read(operator.path("k.pem")).unwrap();
    operator.write_pair();
    let next_key = fs::read(operator.path("k.pem")).unwrap();
    fs::write(operator.path("k.pem"), key).unwrap();
    hang_up();
    assert!(asked(&before).is_ok());
    fs::write(operator.path("k.pem"), next_key).unwrap();
    hang_up();
    let after = caller(&operator.path("c.pem"), None);
    assert!((0..10_000).any(|_| asked(&after).is_ok()), "the new certificate was never in use");
    assert!(asked(&before).is_err());
    assert_eq!(server.stop("TERM").0, Some(0));
}

#[test]
fn a_certificate_that_can_not_be_used_is_told_before_anything_listens() {
    let operator = Operator::new(&format!("[tls]\nlisten = \"127.0.0.1:0\"\n{PAIR}"));
    fs::set_permissions(operator.path("k.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    let told = operator.fails().stderr;
    assert!(told.contains("tls.key_file") && told.contains("chmod 600"), "{told}");
    fs::remove_file(operator.path("k.pem")).unwrap();
    let told = operator.fails().stderr;
    assert!(told.contains("tls.key_file") && told.contains("can't be read"), "{told}");
    operator.write_pair();
    fs::copy(operator.path("k.pem"), operator.path("c.pem")).unwrap();
    let told = operator.fails().stderr;
    assert!(told.contains("tls.certificate_file") && told.contains("holds no certificate"), "{told}");
}
