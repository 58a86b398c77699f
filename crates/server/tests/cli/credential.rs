//! What applications prove themselves with: certificates, keys and ends.

use std::fs;
use std::path::Path;

use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::Folder;

const JWK: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"erp-1"}"#;

/// A data folder with an application, and files beside it.
struct World {
    folder: Folder,
    files: TempDir,
}

impl World {
    fn new() -> World {
        let world = World { folder: Folder::new(), files: tempfile::tempdir().unwrap() };
        world.done("application|add|app_one|--name|Klapp ERP");
        world
    }

    fn done(&self, line: &str) -> Value {
        self.folder.done(&format!("{line}|--json")).json()
    }

    fn refused(&self, line: &str, code: i32) -> String {
        self.folder.run(line).ends_with(code).stderr
    }

    fn write(&self, name: &str, text: &str) -> String {
        let place = self.files.path().join(name);
        fs::write(&place, text).unwrap();
        place.to_str().unwrap().to_owned()
    }

    /// A self-signed certificate that ends with the first day of that year, and its private key.
    fn certificate(&self, name: &str, end: i32) -> (String, String) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.distinguished_name.push(DnType::OrganizationName, "Klapp, GmbH");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(end, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        (self.write(&format!("{name}.pem"), &certificate.pem()), key.serialize_pem())
    }

    fn list(&self, kind: &str) -> Vec<Value> {
        match self.done(&format!("application|{kind}|list|app_one")) {
            Value::Array(rows) => rows,
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_certificate_is_registered_shown_and_retired_and_ends_with_itself() {
    let world = World::new();
    let (file, _) = world.certificate("erp", 2090);
    let added = world.done(&format!("application|certificate|add|app_one|{file}"));
    assert_eq!(added["application_id"], "app_one");
    assert_eq!(added["subject"], r"O=Klapp\, GmbH,CN=erp");
    assert_eq!(added["not_after"], "2090-01-01T00:00:00Z");
    assert_eq!(added["expires_at"], "2090-01-01T00:00:01Z");
    let id = added["certificate_id"].as_str().unwrap();
    assert_eq!(added["thumbprint"].as_str().unwrap().len(), 43);
    let [listed] = &world.list("certificate")[..] else { panic!("one") };
    for member in ["certificate_id", "thumbprint", "subject", "expires_at"] {
        assert_eq!(listed[member], added[member], "{member}");
    }
    let again = world.refused(&format!("application|certificate|add|app_one|{file}"), 1);
    assert!(again.contains(&format!("it is certificate {id}")), "{again}");
    let wrong_kind = world.refused(&format!("application|key|retire|app_one|{id}"), 1);
    assert!(wrong_kind.contains("has no key"), "{wrong_kind}");
    let retired = world.done(&format!("application|certificate|retire|app_one|{id}|--compromised"));
    assert_eq!(retired["result"], "certificate retired");
    assert_eq!(world.list("certificate"), [] as [Value; 0]);
    let marks = world.done("status")["marks_by_kind"].clone();
    assert_eq!(marks["application"], 1, "{marks}");
}

#[test]
fn a_certificate_can_be_told_to_end_before_itself_and_never_after() {
    let world = World::new();
    let (file, _) = world.certificate("early", 2090);
    let line = format!("application|certificate|add|app_one|{file}|--expires|2080-01-01T00:00:00Z");
    assert_eq!(world.done(&line)["expires_at"], "2080-01-01T00:00:00Z");
    let (file, _) = world.certificate("late", 2070);
    let line = format!("application|certificate|add|app_one|{file}|--expires|2080-01-01T00:00:00Z");
    assert_eq!(world.done(&line)["expires_at"], "2070-01-01T00:00:01Z");
    let (file, _) = world.certificate("third", 2070);
    let third = world.refused(&format!("application|certificate|add|app_one|{file}"), 1);
    assert!(third.contains("two live certificates"), "{third}");
}

#[test]
fn what_is_no_certificate_alone_is_refused_with_what_to_do() {
    let world = World::new();
    let (old, _) = world.certificate("old", 2021);
    let (good, key) = world.certificate("good", 2090);
    let good = fs::read_to_string(good).unwrap();
    let both = world.write("both.pem", &format!("{good}{key}"));
    let two = world.write("two.pem", &format!("{good}{good}"));
    let key = world.write("key.pem", &key);
    let large = world.write("large.pem", &"a".repeat(70_000));
    let none = world.write("none.pem", "hello");
    for (file, code, told) in [
        (old.as_str(), 1, "has ended, at 2021-01-01T00:00:00Z"),
        (&both, 2, "exactly one certificate"),
        (&two, 2, "exactly one certificate"),
        (&key, 2, "exactly one certificate"),
        (&none, 2, "exactly one certificate"),
        (&large, 2, "larger than"),
        ("/nowhere/at/all.pem", 2, "can't be read"),
    ] {
        let stderr = world.refused(&format!("application|certificate|add|app_one|{file}"), code);
        assert!(stderr.contains(told), "{told:?} is not in {stderr:?}");
    }
    assert_eq!(world.list("certificate"), [] as [Value; 0]);
}

#[test]
fn a_key_is_registered_from_a_jwk_or_pem_shown_and_retired() {
    let world = World::new();
    let file = world.write("key.jwk", JWK);
    let added = world.done(&format!("application|key|add|app_one|{file}|--expires|90d"));
    assert_eq!((&added["kid"], &added["alg"]), (&"erp-1".into(), &"EdDSA".into()));
    assert!(added["expires_at"].is_string());
    let pem = KeyPair::generate().unwrap().public_key_pem();
    let file = world.write("key.pem", &pem);
    let second = world.done(&format!("application|key|add|app_one|{file}"));
    assert_eq!((&second["alg"], &second["expires_at"]), (&"ES256".into(), &Value::Null));
    let kids: Vec<_> = world.list("key").iter().map(|row| row["kid"].clone()).collect();
    assert_eq!(kids, [added["kid"].clone(), second["kid"].clone()]);
    let id = added["key_id"].as_str().unwrap();
    assert_eq!(world.done(&format!("application|key|retire|app_one|{id}"))["result"], "key retired");
    let private = world.write("private.pem", &KeyPair::generate().unwrap().serialize_pem());
    let stderr = world.refused(&format!("application|key|add|app_one|{private}"), 2);
    assert!(stderr.contains("-pubout") && !stderr.contains("MIG"), "{stderr}");
}

#[test]
fn a_key_has_one_source() {
    let world = World::new();
    let file = world.write("key.jwk", JWK);
    let key = world.done(&format!("application|key|add|app_one|{file}"));
    let uri = "application|update|app_one|--jwks-uri|https://partner.example/jwks";
    let stderr = world.refused(uri, 1);
    let id = key["key_id"].as_str().unwrap();
    assert!(stderr.contains(&format!("retire key {id} first")), "{stderr}");
    world.done(&format!("application|key|retire|app_one|{id}"));
    world.done(uri);
    let stderr = world.refused(&format!("application|key|add|app_one|{file}"), 1);
    assert!(stderr.contains("--jwks-uri ''"), "{stderr}");
}

#[test]
fn an_end_lies_ahead_and_show_and_status_tell_thirty_days_before() {
    let world = World::new();
    for bad in ["yesterday", "0d", "2020-01-01T00:00:00Z", "99999d"] {
        let stderr = world.refused(&format!("application|secret|add|app_one|--expires|{bad}"), 2);
        assert!(stderr.contains("--expires"), "{stderr}");
    }
    world.done("application|secret|add|app_one|--expires|31d");
    assert_eq!(world.done("status")["credentials_ending"], 0);
    let soon = world.done("application|secret|add|app_one|--expires|29d");
    assert!(soon["expires_at"].is_string());
    assert_eq!(world.done("status")["credentials_ending"], 1);
    let shown = world.folder.done("application show app_one");
    let id = soon["secret_id"].as_str().unwrap();
    assert!(shown.stderr.contains(&format!("secret {id} ends at")), "{}", shown.stderr);
    assert!(shown.stdout.contains(&format!("secret {id}")), "{}", shown.stdout);
    let credentials = world.done("application|show|app_one")["credentials"].clone();
    assert_eq!(credentials[1]["secret_id"], soon["secret_id"]);
    assert_eq!((&credentials[1]["kind"], credentials.as_array().unwrap().len()), (&"secret".into(), 2));
    world.done("resource|add|https://payments.example/v1");
    world.done("resource|secret|add|https://payments.example/v1|--expires|7d");
    assert_eq!(world.done("status")["credentials_ending"], 2);
}

#[test]
fn a_registration_says_what_is_missing_and_is_made_all_the_same() {
    let world = World::new();
    let ran = world.folder.done("application|update|app_one|--auth-methods|self_signed_tls_client_auth");
    assert!(ran.stderr.contains("`application certificate add`"), "{}", ran.stderr);
    let (file, _) = world.certificate("erp", 2090);
    world.done(&format!("application|certificate|add|app_one|{file}"));
    assert_eq!(world.folder.done("application show app_one").stderr, "");
    let ran = world.folder.done("application|update|app_one|--auth-methods|private_key_jwt");
    assert!(ran.stderr.contains("`application key add`"), "{}", ran.stderr);
    let ran = world.folder.done("application|add|app_two|--certificate|required");
    assert!(ran.stderr.contains("none would do"), "{}", ran.stderr);
}

#[test]
fn what_can_not_be_in_a_registration_is_refused_with_what_to_change() {
    let world = World::new();
    let update = "application|update|app_one";
    for (flags, code, told) in [
        ("--auth-methods|tls_client_auth", 1, "certificate_san_dns"),
        ("--auth-methods|none", 2, "client_secret_basic"),
        ("--auth-methods|", 2, "can't be empty"),
        ("--certificate-subject-dn|CN=a, O=b", 2, "RFC 4514"),
        ("--certificate-subject-dn|NoSuchType=a", 2, "certificate_subject_dn"),
        ("--certificate-san-dns|*.example", 2, "host name"),
        ("--certificate-san-ip|10.0.0.0/8", 2, "address"),
        ("--certificate-san-dns|a.example|--certificate-san-ip|192.0.2.1", 1, "keep one of"),
        ("--jwks-uri|http://a.example/jwks", 2, "https"),
        ("--assertion-alg|HS256", 2, "must be one of"),
        ("--assertion-audience|anybody", 2, "anybody"),
    ] {
        let stderr = world.refused(&format!("{update}|{flags}"), code);
        assert!(stderr.contains(told), "{flags}: {told:?} is not in {stderr:?}");
    }
    let flags =
        "--auth-methods|tls_client_auth|--auth-methods|private_key_jwt|--certificate-subject-dn|CN=erp,O=K";
    world.done(&format!("{update}|{flags}"));
    let shown = world.done("application|show|app_one");
    assert_eq!(shown["auth_methods"], "private_key_jwt tls_client_auth");
    assert_eq!(shown["certificate_subject_dn"], "CN=erp,O=K");
}

#[test]
fn the_profile_refuses_what_contradicts_it_and_says_what_to_change() {
    let world = World::new();
    let fapi2 = "application|add|app_two|--profile|fapi2";
    let told = world.refused(fapi2, 1);
    assert!(told.contains("takes no secrets") && told.contains("self_signed_tls_client_auth"), "{told}");
    let signed = format!("{fapi2}|--auth-methods|private_key_jwt");
    let told = world.refused(&signed, 1);
    assert!(told.contains("set dpop_bound_access_tokens to true"), "{told}");
    let bound = format!("{signed}|--dpop-bound-access-tokens|true");
    for (flags, told) in [
        ("--id-token-alg|RS256", "forbids RS256: set id_token_alg"),
        ("--assertion-alg|RS256", "forbids RS256: set assertion_alg"),
        ("--assertion-audience|endpoint", "set assertion_audience to issuer"),
    ] {
        let stderr = world.refused(&format!("{bound}|{flags}"), 1);
        assert!(stderr.contains(told), "{flags}: {told:?} is not in {stderr:?}");
    }
    world.done(&bound);
    let shown = world.done("application|show|app_two");
    assert_eq!((&shown["profile"], &shown["dpop_bound_access_tokens"]), (&"fapi2".into(), &"true".into()));
    let told = world.refused("application|secret|add|app_two", 1);
    assert!(told.contains("takes no secrets") && told.contains("application key add"), "{told}");
    let certificate = "application|update|app_two|--dpop-bound-access-tokens|false|--certificate|required";
    world.done(&format!("{certificate}|--certificate-san-dns|erp.example"));
    let told = world.refused("application|update|app_two|--certificate|ignored", 1);
    assert!(told.contains("needs bound tokens"), "{told}");
}

#[test]
fn who_has_a_secret_gives_it_up_before_the_profile() {
    let world = World::new();
    let secret = world.done("application|secret|add|app_one");
    let id = secret["secret_id"].as_str().unwrap();
    let profile = "application|update|app_one|--profile|fapi2|--auth-methods|private_key_jwt\
                   |--dpop-bound-access-tokens|true";
    let told = world.refused(profile, 1);
    assert!(told.contains(&format!("secret {id} is live: `procura application secret retire`")), "{told}");
    world.done(&format!("application|secret|retire|app_one|{id}"));
    world.done(profile);
    assert_eq!(world.done("application|show|app_one")["profile"], "fapi2");
}

#[test]
fn registrations_of_the_profile_are_imported_and_bad_ones_are_named_by_line() {
    let world = World::new();
    let good = world.write(
        "good.csv",
        "application_id,profile,auth_methods,dpop_bound_access_tokens,certificate_san_dns\n\
         app_a,fapi2,private_key_jwt,true,\n\
         app_b,fapi2,tls_client_auth,false,erp.example\n",
    );
    assert_eq!(world.done(&format!("application|import|{good}"))["added"], 2);
    let bad = world.write(
        "bad.jsonl",
        "{\"application_id\":\"app_c\",\"profile\":\"fapi2\"}\n\
         {\"application_id\":\"app_a\",\"dpop_bound_access_tokens\":\"false\"}\n\
         {\"application_id\":\"app_b\",\"certificate_bound_tokens\":\"false\"}\n",
    );
    let ran = world.folder.run(&format!("application|import|{bad}")).ends_with(1);
    for line in 1..=3 {
        assert!(ran.stderr.contains(&format!("line {line}: profile fapi2")), "{line}: {}", ran.stderr);
    }
}

#[test]
fn registrations_are_imported_and_bad_ones_are_named_by_line() {
    let world = World::new();
    let good = world.write(
        "good.csv",
        "application_id,auth_methods,certificate,certificate_subject_dn,certificate_san_dns,jwks_uri\n\
         app_a,tls_client_auth,ignored,\"CN=erp,O=Klapp\",,\n\
         app_b,private_key_jwt,required,,ERP.Partner.example,https://partner.example/jwks\n",
    );
    assert_eq!(world.done(&format!("application|import|{good}"))["added"], 2);
    assert_eq!(world.done("application|show|app_b")["certificate_san_dns"], "erp.partner.example");
    assert_eq!(world.done("application|show|app_a")["assertion_audience"], "issuer");
    let bad = world.write(
        "bad.jsonl",
        "{\"application_id\":\"app_c\",\"auth_methods\":\"tls_client_auth\"}\n\
         {\"application_id\":\"app_d\",\"certificate_subject_dn\":\"NoSuchType=a\"}\n\
         {\"application_id\":\"app_e\",\"certificate\":\"wanted\"}\n\
         {\"application_id\":\"app_a\",\"certificate_san_ip\":\"192.0.2.1\"}\n",
    );
    let ran = world.folder.run(&format!("application|import|{bad}")).ends_with(1);
    for line in 1..=4 {
        assert!(ran.stderr.contains(&format!("line {line}: ")), "{line} is not in {}", ran.stderr);
    }
}

#[test]
fn the_journal_says_which_kind_came_and_went() {
    let world = World::new();
    let (file, _) = world.certificate("erp", 2090);
    let certificate = world.done(&format!("application|certificate|add|app_one|{file}"));
    let jwk = world.write("key.jwk", JWK);
    world.done(&format!("application|key|add|app_one|{jwk}"));
    let id = certificate["certificate_id"].as_str().unwrap();
    world.done(&format!("application|certificate|retire|app_one|{id}"));
    let told = world.folder.done("audit tail").stdout;
    for action in ["application.certificate.add", "application.key.add", "application.certificate.retire"] {
        assert!(told.contains(action), "{action} is not in\n{told}");
    }
    assert!(Path::new(&file).exists(), "a file that was read is left alone");
}
