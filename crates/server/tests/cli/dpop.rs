//! `procura dpop`, and `procura token` through every door and with a key that tokens are bound to.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use procura_jose::digest::sha256;
use procura_jose::{Expect, verify_self_signed};
use procura_protocol::confirmation::KeyThumbprint;
use procura_protocol::dpop::{DPOP_ALGORITHMS, DPOP_TYPE, DpopClaims};
use serde_json::Value;

use crate::support::{Ran, Server, procura, ran, run};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn path(folder: &tempfile::TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

/// The proof that a command printed, verified, and its key.
fn proof(text: &str) -> (DpopClaims, String) {
    let expect = Expect { typ: DPOP_TYPE, algorithms: &DPOP_ALGORITHMS };
    let read = verify_self_signed::<DpopClaims>(text.trim_end(), &expect).unwrap();
    (read.claims().clone(), read.key().to_string())
}

#[test]
fn a_new_key_is_its_owners_alone_and_proves_requests() {
    let folder = folder();
    for algorithm in ["ES256", "PS256", "EdDSA"] {
        let file = path(&folder, algorithm);
        let made = run(["dpop", "--new-key", &file, "--algorithm", algorithm, "--json"]).ends_with(0).json();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let url = "https://bank.example/accounts?client_id=CLI1";
        let printed = run(["dpop", "--key", &file, "--url", url]).ends_with(0).stdout;
        let (claims, key) = proof(&printed);
        assert_eq!((&*claims.method, &*claims.target), ("GET", "https://bank.example/accounts"));
        assert_eq!((claims.token, claims.nonce), (None, None));
        assert_eq!(made["jkt"], key);
        let told = run(["dpop", "--key", &file, "--url", url, "--json"]).ends_with(0).json();
        assert_eq!(told["jkt"], key);
    }
}

#[test]
fn a_key_is_never_written_over_another() {
    let folder = folder();
    let file = path(&folder, "key.pem");
    run(["dpop", "--new-key", &file]).ends_with(0);
    let before = fs::read(&file).unwrap();
    let told = run(["dpop", "--new-key", &file]).ends_with(2);
    assert!(told.stderr.contains("key.pem"), "{}", told.stderr);
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn a_proof_holds_the_token_from_a_file_or_a_pipe_and_the_nonce() {
    let folder = folder();
    let (key, token) = (path(&folder, "key.pem"), path(&folder, "token"));
    run(["dpop", "--new-key", &key]).ends_with(0);
    fs::write(&token, "a.b.c\n").unwrap();
    let digest = KeyThumbprint(sha256(b"a.b.c")).to_string();
    let rest = ["--method", "patch", "--url", "https://bank.example/x", "--nonce", "-n_1"];
    let from_file = ran(procura().args(["dpop", "--key", &key, "--token-file", &token]).args(rest));
    let mut piped = procura();
    piped.args(["dpop", "--key", &key, "--token-file", "-"]).args(rest);
    piped.stdin(Stdio::from(fs::File::open(&token).unwrap()));
    for printed in [from_file, ran(&mut piped)] {
        let (claims, _) = proof(&printed.ends_with(0).stdout);
        assert_eq!((claims.token.as_deref(), claims.nonce.as_deref()), (Some(&*digest), Some("-n_1")));
        assert_eq!(&*claims.method, "PATCH");
    }
}

#[test]
fn what_can_not_be_proved_is_told_and_nothing_of_it_is_shown() {
    let folder = folder();
    let (key, hello) = (path(&folder, "key.pem"), path(&folder, "hello"));
    run(["dpop", "--new-key", &key]).ends_with(0);
    fs::write(&hello, "hunter2 hunter3").unwrap();
    let url = "https://bank.example/";
    for (arguments, told) in [
        (&["--key", &hello, "--url", url][..], "hello"),
        (&["--key", "/nowhere/key.pem", "--url", url], "/nowhere/key.pem"),
        (&["--key", &key, "--url", url, "--token-file", &hello], "hello"),
        (&["--key", &key, "--url", "/accounts"], "absolute"),
        (&["--key", &key, "--url", "ftp://bank.example/"], "absolute"),
        (&["--key", &key, "--url", url, "--method", "a b"], "POST"),
        (&["--key", &key], "--url"),
        (&["--url", url], "--key"),
        (&[], "--key"),
        (&["--new-key", &key, "--key", &key, "--url", url], "--new-key"),
        (&["--new-key", "/nowhere/key.pem"], "/nowhere/key.pem"),
        (&["--new-key", &path(&folder, "rs"), "--algorithm", "RS256"], "ES256, PS256 or EdDSA"),
    ] {
        let ran = ran(procura().arg("dpop").args(arguments)).ends_with(2);
        assert!(ran.stderr.contains(told) && ran.stdout.is_empty(), "{ran:?}");
        assert!(!ran.stderr.contains("hunter"), "{ran:?}");
    }
}

/// A demo whose application signs grants with a registered key.
struct Partner {
    server: Server,
    folder: tempfile::TempDir,
}

impl Partner {
    fn new(bound: bool) -> Partner {
        let folder = folder();
        let data = path(&folder, "data");
        let server = Server::start(procura().args(["demo", "--data", &data]));
        let partner = Partner { server, folder };
        let (signing, jwk) = (partner.file("signing.pem"), partner.file("signing.jwk"));
        // The command makes keys of the same kind; their public half goes into the registration.
        run(["dpop", "--new-key", &signing]).ends_with(0);
        let pem = procura_client::Secret::from(fs::read(&signing).unwrap());
        let public = procura_client::AssertionKey::from_pem(&pem).unwrap().public_jwk().unwrap();
        fs::write(&jwk, public).unwrap();
        let application = partner.server.text("application_id");
        run(["application", "key", "add", application, &jwk, "--data", &data]).ends_with(0);
        if bound {
            let flag = ["--dpop-bound-access-tokens", "true"];
            run(["application", "update", application, flag[0], flag[1], "--data", &data]).ends_with(0);
            run(["dpop", "--new-key", &partner.file("dpop.pem")]).ends_with(0);
        }
        partner
    }

    fn file(&self, name: &str) -> String {
        path(&self.folder, name)
    }

    fn contact(&self) -> &str {
        self.server.ready["contacts"][0]["contact_id"].as_str().unwrap()
    }

    fn asks(&self, contact: Option<&str>, more: &[&str]) -> Ran {
        let (issuer, application) = (self.server.text("issuer"), self.server.text("application_id"));
        let mut command = procura();
        command.env("PROCURA_SECRET", self.server.text("application_secret")).arg("token").args(contact);
        command.args(["--issuer", issuer, "--application", application]).args(more);
        ran(&mut command)
    }

    /// Asks until the server has seen what was changed in its folder, which it does within a moment.
    fn gets(&self, contact: Option<&str>, more: &[&str]) -> Ran {
        let mut asked = self.asks(contact, more);
        for _ in 0..50 {
            if asked.code != 1 {
                break;
            }
            asked = self.asks(contact, more);
        }
        asked.ends_with(0)
    }
}

/// The claims of a token that its own server has just given.
fn claims(token: &Value) -> Value {
    let part = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&procura_jose::base64url::decode(part).unwrap()).unwrap()
}

#[test]
fn a_token_is_asked_for_through_every_door() {
    let partner = Partner::new(false);
    let (key, contact) = (partner.file("signing.pem"), partner.contact());
    for door in ["jwt-bearer", "token-exchange"] {
        let answer = partner.gets(Some(contact), &["--door", door, "--grant-key", &key, "--json"]).json();
        assert_eq!(claims(&answer["access_token"])["sub"], contact, "{door}");
        assert_eq!((&answer["token_type"], answer["id_token"].is_string()), (&"Bearer".into(), true));
    }
    let text = partner.gets(None, &["--door", "client-credentials"]).stdout;
    assert!(text.contains("token type") && text.contains("Bearer") && !text.contains("id_token"), "{text}");
    let answer = partner.gets(None, &["--door", "client-credentials", "--json"]).json();
    assert_eq!(claims(&answer["access_token"])["sub"], partner.server.text("application_id"));
}

#[test]
fn with_a_key_the_token_is_bound_to_it_at_every_door() {
    let partner = Partner::new(true);
    let (signing, dpop) = (partner.file("signing.pem"), partner.file("dpop.pem"));
    let contact = Some(partner.contact());
    let grant = ["--grant-key", &signing];
    for (contact, more) in [
        (contact, &["--door", "contact-token"][..]),
        (contact, &["--door", "jwt-bearer", grant[0], grant[1]]),
        (contact, &["--door", "token-exchange", grant[0], grant[1]]),
        (None, &["--door", "client-credentials"]),
    ] {
        let more = [more, &["--dpop-key", &dpop]].concat();
        let answer = partner.gets(contact, &[&more[..], &["--json"]].concat()).json();
        assert_eq!(answer["token_type"], "DPoP");
        assert_eq!(claims(&answer["access_token"])["cnf"]["jkt"].as_str().map(str::len), Some(43));
        let told = partner.gets(contact, &more);
        assert!(told.stdout.contains("DPoP") && told.stderr.contains("procura dpop --key"), "{told:?}");
    }
    let without = partner.asks(contact, &[]).ends_with(1);
    assert!(without.stderr.contains("invalid_dpop_proof"), "{}", without.stderr);
}

#[test]
fn a_door_says_what_it_needs() {
    let partner = Partner::new(false);
    let (key, contact) = (partner.file("signing.pem"), Some(partner.contact()));
    for (contact, arguments, told) in [
        (None, &["--door", "jwt-bearer", "--grant-key", &key][..], "which contact"),
        (None, &[], "which contact"),
        (contact, &["--door", "jwt-bearer"], "--grant-key"),
        (contact, &["--grant-key", &key], "--door jwt-bearer"),
        (contact, &["--door", "client-credentials"], "leave CONTACT"),
        (None, &["--door", "client-credentials", "--client", "CLI1001"], "--client"),
        (contact, &["--door", "window"], "token-exchange"),
    ] {
        let ran = partner.asks(contact, arguments).ends_with(2);
        assert!(ran.stderr.contains(told), "{ran:?}");
    }
    let stranger = partner.file("stranger.pem");
    run(["dpop", "--new-key", &stranger]).ends_with(0);
    let refused = partner.asks(contact, &["--door", "jwt-bearer", "--grant-key", &stranger]).ends_with(1);
    assert!(refused.stderr.contains("invalid_grant"), "{}", refused.stderr);
}
