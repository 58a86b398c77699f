//! `procura token` with proofs other than a secret.

use std::fs;
use std::path::Path;

use procura_client::{Algorithm, AssertionKey};

use crate::support::{Ran, Server, procura, ran};

/// A demo, and what a partner asks of it.
struct Partner {
    server: Server,
    folder: tempfile::TempDir,
}

impl Partner {
    fn new() -> Partner {
        let folder = tempfile::tempdir().unwrap();
        Partner { server: Server::start(procura().arg("demo")), folder }
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn asks(&self, more: &[&str]) -> Ran {
        let contact = self.server.ready["contacts"][0]["contact_id"].as_str().unwrap();
        let (issuer, application) = (self.server.text("issuer"), self.server.text("application_id"));
        let mut command = procura();
        command.args(["token", contact, "--issuer", issuer, "--application", application]).args(more);
        ran(&mut command)
    }
}

fn key() -> String {
    use base64::Engine as _;
    let (_, pkcs8) = AssertionKey::generate(Algorithm::Es256).unwrap();
    let body = base64::engine::general_purpose::STANDARD.encode(pkcs8.expose());
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}

#[test]
fn an_application_that_is_not_registered_for_a_proof_is_refused_by_the_server() {
    let partner = Partner::new();
    let key = partner.file("key.pem", key());
    let told = partner.asks(&["--assertion-key", &key]).ends_with(1);
    assert!(told.stderr.contains("invalid_client"), "{}", told.stderr);
}

#[test]
fn files_that_hold_something_else_are_told_by_name_and_nothing_of_them_is_shown() {
    let partner = Partner::new();
    let (good, hello) = (partner.file("key.pem", key()), partner.file("hello.pem", "hunter2"));
    let missing = partner.folder.path().join("missing.pem");
    let missing = Path::to_str(&missing).unwrap();
    for (arguments, file) in [
        (&["--assertion-key", &hello][..], "hello.pem"),
        (&["--assertion-key", missing], "missing.pem"),
        (&["--certificate", &hello, "--key", &good], "hello.pem"),
        (&["--certificate", missing, "--key", &good], "missing.pem"),
        (&["--ca", &hello, "--assertion-key", &good], "hello.pem"),
    ] {
        let told = partner.asks(arguments).ends_with(2);
        assert!(told.stderr.contains(file) && !told.stderr.contains("hunter2"), "{}", told.stderr);
    }
    for arguments in [&["--certificate", &hello[..]][..], &["--key", &good]] {
        partner.asks(arguments).ends_with(2);
    }
}
