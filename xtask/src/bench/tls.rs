//! What TLS, certificates and assertions cost, and what an attack costs others.
//!
//! The same application asks for the same contacts in every way, from the generator of `procura-floor`,
//! which can show a certificate and sign assertions. All of it is CPU time of the server's process on one
//! core; the parts run on the same core between the server's runs.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use procura_jose::{Algorithm, PrivateKey};
use serde_json::{Value, json};

use super::capacity::{rounds, seconds};
use super::figures::Figures;
use super::load::write_private;
use super::parts::{self, Axum, floor, number};
use super::store::{APPLICATION, Size, Store};
use super::{Bench, median, usage};
use crate::process::{self, Tied};
use crate::procura::{ISSUER, Server, announced, on_cores};
use crate::steps::Failure;
use crate::wire::basic;

const CONNECTIONS: &str = "64";
/// Where honest callers come from, and where the attack does: limits are by address.
const HONEST: &str = "127.0.0.2";
const ATTACKER: &str = "127.0.0.3";
/// The share of full load at which honest callers ask while others attack.
const CALM: f64 = 0.3;

/// The table that `cargo xtask bench --tls` prints.
pub(super) fn measure(bench: &Bench, figures: &mut Figures) -> Result<(), Failure> {
    let files = bench.folder.path().join("tls");
    fs::create_dir_all(&files).map_err(|error| unwritten(&files, &error))?;
    process::run(on_cores(&bench.floor, None).arg("tls-files").arg("--dir").arg(&files))?;
    let installation = Installed::make(bench, &files)?;
    let mut server = installation.store.procura.serve(Some(&bench.cores.server))?;
    let ways = Ways::of(&installation, &server)?;
    kept(bench, &ways, &mut server, figures)?;
    new_connections(bench, &ways, &mut server, figures)?;
    assertions(bench, &ways, &mut server, figures)?;
    server.stop()?;
    attack(bench, &installation, figures)
}

/// The installation, its application registered for every way to prove who it is.
struct Installed {
    store: Store,
    plans: BTreeMap<&'static str, PathBuf>,
    files: PathBuf,
}

impl Installed {
    fn make(bench: &Bench, files: &Path) -> Result<Self, Failure> {
        let file = |name: &str| files.join(name).display().to_string();
        let (certificate, key, authority) = (file("server.pem"), file("server.key"), file("ca.pem"));
        let more = format!(
            "\n[tls]\nlisten = \"127.0.0.1:0\"\ncertificate_file = \"{certificate}\"\nkey_file = \"{key}\"\n\
             \n[mutual_tls]\nlisten = \"127.0.0.1:0\"\nbase_url = \"https://mtls.bench.example\"\n\
             certificate_file = \"{certificate}\"\nkey_file = \"{key}\"\nclient_ca_file = \"{authority}\"\n\
             \n[limits]\nrequests_per_address_per_minute = 0\nrequests_per_application_per_minute = 0\n\
             contacts_per_application_per_hour = 0\nfailed_proofs_per_address_per_minute = 60\n"
        );
        let store = Store::make_with(bench, "tls", Size::USUAL, &more)?;
        store.procura.call(&[
            "application",
            "update",
            APPLICATION,
            "--auth-methods",
            "client_secret_basic private_key_jwt tls_client_auth",
            "--certificate-san-dns",
            "partner.bench.example",
            "--certificate-bound-tokens",
            "false",
        ])?;
        let (key, pkcs8) =
            PrivateKey::generate(Algorithm::Es256).map_err(|error| Failure::wrong(error.to_string()))?;
        let (key_file, jwk_file) = (files.join("assertion.der"), files.join("assertion.jwk"));
        write_private(&key_file, pkcs8.expose())?;
        write_private(&jwk_file, &serde_json::to_vec(&key.public_jwk()).unwrap_or_default())?;
        store.procura.call(&["application", "key", "add", APPLICATION, &jwk_file.to_string_lossy()])?;
        let paths: Vec<String> = store.asked().map(|contact| format!("/token/{contact}")).collect();
        let plan = |name: &'static str, more: Value| -> Result<(&'static str, PathBuf), Failure> {
            let mut plan = json!({ "paths": paths });
            if let (Some(plan), Value::Object(more)) = (plan.as_object_mut(), more) {
                plan.extend(more);
            }
            let path = files.join(format!("{name}.json"));
            write_private(&path, plan.to_string().as_bytes())?;
            Ok((name, path))
        };
        let plans = BTreeMap::from([
            plan("secret", json!({ "authorization": basic(APPLICATION, &store.secret) }))?,
            plan("wrong", json!({ "authorization": basic(APPLICATION, "pcs_wrong") }))?,
            plan("certificate", json!({ "form": format!("client_id={APPLICATION}") }))?,
            plan(
                "assertion",
                json!({ "assertion":
                    { "application_id": APPLICATION, "audience": ISSUER, "key_file": key_file } }),
            )?,
        ]);
        Ok(Self { store, plans, files: files.to_owned() })
    }
}

/// Where and how to ask.
struct Ways<'i> {
    installation: &'i Installed,
    plain: SocketAddr,
    tls: SocketAddr,
    mutual: SocketAddr,
}

/// One way to ask.
#[derive(Clone, Copy)]
pub(super) struct Way<'w> {
    address: SocketAddr,
    plan: &'w Path,
    /// Speak TLS.
    files: Option<&'w Path>,
    certificate: bool,
    each_new: bool,
}

impl<'w> Way<'w> {
    /// By kept connections without TLS.
    pub(super) fn plain(address: SocketAddr, plan: &'w Path) -> Way<'w> {
        Way { address, plan, files: None, certificate: false, each_new: false }
    }
}

impl<'i> Ways<'i> {
    fn of(installation: &'i Installed, server: &Server) -> Result<Self, Failure> {
        let at = |name: &str| {
            server.listener(name).ok_or_else(|| Failure::wrong(format!("the server told no listener {name}")))
        };
        Ok(Self { installation, plain: server.address(), tls: at("tls")?, mutual: at("mutual_tls")? })
    }

    fn way(&self, address: SocketAddr, plan: &str) -> Way<'_> {
        let files = (address != self.plain).then_some(self.installation.files.as_path());
        let plan = self.installation.plans.get(plan).map_or(Path::new(""), PathBuf::as_path);
        Way { address, plan, files, certificate: address == self.mutual, each_new: false }
    }
}

/// Keep-alive: plain, TLS, mutual TLS.
fn kept(bench: &Bench, ways: &Ways<'_>, server: &mut Server, figures: &mut Figures) -> Result<(), Failure> {
    let measured = [
        ("plain", ways.way(ways.plain, "secret")),
        ("tls", ways.way(ways.tls, "secret")),
        ("mutual_tls", ways.way(ways.mutual, "certificate")),
    ];
    let mut costs = [Vec::new(), Vec::new(), Vec::new()];
    for round in 1..=rounds(bench) {
        for (at, (name, way)) in measured.iter().enumerate() {
            let cost = cost(bench, way, server.pid())?;
            eprintln!("run {round}, {name}, kept connections: {cost:.1} us a token");
            costs[at].push(cost);
        }
    }
    let [plain, tls, mutual] = costs.map(median);
    figures.set("plain_token_cpu_us", plain);
    figures.set("tls_token_cpu_us", tls);
    figures.set("tls_share_of_plain", plain / tls);
    figures.set("tls_tokens_per_core_s", 1e6 / tls);
    figures.set("mutual_tls_token_cpu_us", mutual);
    figures.set("mutual_tls_share_of_plain", plain / mutual);
    figures.set("mutual_tls_tokens_per_core_s", 1e6 / mutual);
    Ok(())
}

/// A connection by mutual TLS for each token, beside handshakes with an answer and nothing else.
fn new_connections(
    bench: &Bench,
    ways: &Ways<'_>,
    server: &mut Server,
    figures: &mut Figures,
) -> Result<(), Failure> {
    let way = Way { each_new: true, ..ways.way(ways.mutual, "certificate") };
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for round in 1..=rounds(bench) {
        let mut part = Bare::start(bench, &ways.installation.files)?;
        let pid = part.process.child().id();
        bare.push(cost(bench, &Way { address: part.address, ..way }, pid)?);
        ours.push(cost(bench, &way, server.pid())?);
        let (bare, ours) = (bare[bare.len() - 1], ours[ours.len() - 1]);
        eprintln!(
            "run {round}, new connections: {ours:.1} us a token, {bare:.1} us a bare handshake and answer"
        );
    }
    let (bare, ours) = (median(bare), median(ours));
    figures.set("bare_mutual_handshake_cpu_us", bare);
    figures.set("mutual_tls_new_connection_token_cpu_us", ours);
    figures.set("mutual_tls_new_connection_share", bare / ours);
    figures.set("mutual_tls_new_connection_tokens_per_core_s", 1e6 / ours);
    Ok(())
}

/// A signed assertion for each token, beside the sum of what that needs.
fn assertions(
    bench: &Bench,
    ways: &Ways<'_>,
    server: &mut Server,
    figures: &mut Figures,
) -> Result<(), Failure> {
    let (by_assertion, by_secret) = (ways.way(ways.plain, "assertion"), ways.way(ways.plain, "secret"));
    let (mut ours, mut answers, mut signatures) = (Vec::new(), Vec::new(), Vec::new());
    let (mut verifications, mut records) = (Vec::new(), Vec::new());
    let data = ways.installation.store.procura.data();
    for round in 1..=rounds(bench) {
        let before = parts::written(bench, &data)?;
        ours.push(cost(bench, &by_assertion, server.pid())?);
        let after = parts::written(bench, &data)?;
        eprintln!("run {round}, assertions: {:.1} us a token", ours[ours.len() - 1]);
        let mut axum = Axum::start(bench, 1400)?;
        let address = axum.address;
        answers.push(cost(bench, &Way { address, ..by_secret }, axum.pid())?);
        signatures.push(parts::es256(bench)?);
        let tokens = if bench.short { "500" } else { "2000" };
        let guard = floor(bench, &["guard", "--tokens", tokens, "--rounds", "3"])?;
        verifications.push(number(&guard, "raw_verify_us")?);
        let batch = (after.records - before.records) / (after.batches - before.batches).max(1.0);
        records.push(parts::journal(bench, batch as u64)?.cpu_us);
    }
    let [ours, answer, signature] = [ours, answers, signatures].map(median);
    let [verification, record] = [verifications, records].map(median);
    // One record for the token and one for the assertion that is used up.
    let sum = answer + verification + 2.0 * signature + 2.0 * record;
    figures.set("assertion_parts_cpu_us", sum);
    figures.set("assertion_verification_cpu_us", verification);
    figures.set("assertion_token_cpu_us", ours);
    figures.set("assertion_share", sum / ours);
    figures.set("assertion_tokens_per_core_s", 1e6 / ours);
    Ok(())
}

/// Honest callers at a part of full load, first alone and then beside somebody who tries secrets at full
/// speed from another address.
fn attack(bench: &Bench, installation: &Installed, figures: &mut Figures) -> Result<(), Failure> {
    let server = installation.store.procura.serve(Some(&bench.cores.server))?;
    let ways = Ways::of(installation, &server)?;
    let way = ways.way(ways.plain, "secret");
    let full = load(bench, &way, &["--seconds", "2"])?;
    let pace = format!("{:.0}", number(&full, "per_s")? * CALM);
    let time = format!("{}", seconds(bench));
    let honest = ["--from", HONEST, "--per-s", &pace, "--seconds", &time];
    let (mut quiet, mut attacked, mut tried) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds(bench) {
        quiet.push(number(&all_tokens(load(bench, &way, &honest)?)?, "p99_ms")?);
        let wrong = ways.way(ways.plain, "wrong");
        let longer = format!("{}", seconds(bench) + 2);
        let mut command = loader(bench, &wrong, &["--from", ATTACKER, "--seconds", &longer]);
        let said = bench.folder.path().join("attack.json");
        command.stdout(fs::File::create(&said).map_err(|error| unwritten(&said, &error))?);
        let attacker = Tied::spawn("the attack", &mut command)?;
        std::thread::sleep(Duration::from_secs(1));
        let told = all_tokens(load(bench, &way, &honest)?)?;
        attacker.finish(Duration::from_secs(60))?;
        attacked.push(number(&told, "p99_ms")?);
        let text = fs::read_to_string(&said).map_err(|error| unwritten(&said, &error))?;
        let told: Value = serde_json::from_str(&text).map_err(|error| Failure::wrong(error.to_string()))?;
        if told["statuses"]["200"].as_u64().is_some() {
            return Err(Failure::wrong("a wrong secret got a token"));
        }
        tried.push(number(&told, "per_s")?);
        eprintln!(
            "run {round}: p99 {:.2} ms alone, {:.2} ms attacked",
            quiet[quiet.len() - 1],
            attacked[attacked.len() - 1]
        );
    }
    let (quiet, attacked) = (median(quiet), median(attacked));
    figures.set("attack_wrong_secrets_per_s", median(tried));
    figures.set("p99_quiet_ms", quiet);
    figures.set("p99_attacked_ms", attacked);
    figures.set("p99_attacked_to_quiet", attacked / quiet);
    server.stop()
}

/// CPU microseconds of one answer, after a short run that is not counted.
pub(super) fn cost(bench: &Bench, way: &Way<'_>, pid: u32) -> Result<f64, Failure> {
    all_tokens(load(bench, way, &["--seconds", "1"])?)?;
    let time = format!("{}", seconds(bench));
    let before = usage::cpu_us(pid)?;
    let told = all_tokens(load(bench, way, &["--seconds", &time])?)?;
    Ok((usage::cpu_us(pid)? - before) / number(&told, "answers")?)
}

/// What a run told, if every answer was as asked for.
fn all_tokens(told: Value) -> Result<Value, Failure> {
    let statuses = told["statuses"].as_object();
    let only_200 = statuses.is_some_and(|all| all.len() == 1 && all.contains_key("200"));
    if only_200 && told["broken"] == 0 {
        Ok(told)
    } else {
        Err(Failure::wrong(format!("not every answer was as asked for: {told}")))
    }
}

fn load(bench: &Bench, way: &Way<'_>, more: &[&str]) -> Result<Value, Failure> {
    let line = process::ask(&mut loader(bench, way, more))
        .ok_or_else(|| Failure::wrong("procura-floor load did not end well"))?;
    serde_json::from_str(&line).map_err(|error| Failure::wrong(format!("procura-floor load: {error}")))
}

fn loader(bench: &Bench, way: &Way<'_>, more: &[&str]) -> std::process::Command {
    let mut command = on_cores(&bench.floor, Some(&bench.cores.generator));
    command.args(["load", "--connections", CONNECTIONS, "--address", &way.address.to_string(), "--plan"]);
    command.arg(way.plan).args(more);
    if let Some(files) = way.files {
        command.arg("--files").arg(files);
    }
    if way.certificate {
        command.arg("--certificate");
    }
    if way.each_new {
        command.arg("--each-new");
    }
    command
}

/// Handshakes by rustls alone.
struct Bare {
    process: Tied,
    address: SocketAddr,
}

impl Bare {
    fn start(bench: &Bench, files: &Path) -> Result<Self, Failure> {
        let mut command = on_cores(&bench.floor, Some(&bench.cores.server));
        command.args(["tls-answer", "--ask", "--files"]).arg(files).stdout(Stdio::piped());
        let mut process = Tied::spawn("procura-floor tls-answer", &mut command)?;
        let address = announced(&mut process).map_err(|why| Failure::wrong(format!("tls-answer {why}")))?;
        Ok(Self { process, address })
    }
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::wrong(format!("{}: {error}", path.display()))
}
