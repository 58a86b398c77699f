//! What checking a token costs: in a guard, and when the server is asked.

use std::fmt::Write as _;

use serde_json::Value;

use super::figures::Figures;
use super::load;
use super::parts::{self, Axum};
use super::store::{APPLICATION, Size, Store};
use super::{Bench, median, usage};
use crate::demo::Demo;
use crate::procura::{ISSUER, Server};
use crate::steps::Failure;
use crate::wire::{Caller, basic};
use crate::workspace::{Profile, Workspace};

/// Different tokens that are asked about in turn.
const TOKENS: usize = 256;
const MARKS: &str = "100000";
const CONNECTIONS: u32 = 64;
const POLICY: &str = "bench";

/// The table that `cargo xtask bench --guard` prints.
pub(super) fn measure(workspace: &Workspace, bench: &Bench, figures: &mut Figures) -> Result<(), Failure> {
    in_process(bench, figures)?;
    bound(bench, figures)?;
    delay(workspace, bench, figures)?;
    asked(bench, figures)
}

/// The guard by itself, beside a bare verification and a bare hash.
fn in_process(bench: &Bench, figures: &mut Figures) -> Result<(), Failure> {
    let (tokens, rounds) = if bench.short { ("500", "3") } else { ("4000", "9") };
    let value = parts::floor(bench, &["guard", "--tokens", tokens, "--rounds", rounds])?;
    let number = |name| parts::number(&value, name);
    let (raw, fresh) = (number("raw_verify_us")?, number("fresh_check_us")?);
    let (hash, repeated) = (number("sha256_ns")?, number("repeated_check_ns")?);
    figures.set("guard_token_bytes", number("token_bytes")?);
    figures.set("es256_verification_cpu_us", raw);
    figures.set("guard_fresh_check_cpu_us", fresh);
    figures.set("guard_fresh_share", raw / fresh);
    figures.set("guard_sha256_cpu_us", hash / 1e3);
    figures.set("guard_repeated_check_cpu_us", repeated / 1e3);
    figures.set("guard_repeated_beyond_hash_us", (repeated - hash) / 1e3);
    let value = parts::floor(bench, &["guard-memory", "--marks", MARKS])?;
    figures.set("guard_resident_mb", parts::number(&value, "resident_bytes")? / 1e6);
    figures.set("guard_marks_resident_mb", parts::number(&value, "marks_resident_bytes")? / 1e6);
    figures.set("guard_marks_table_mb", parts::number(&value, "marks_table_bytes")? / 1e6);
    Ok(())
}

/// The guard by itself for tokens that are bound to a key, beside the bare verifications of token and proof.
pub(super) fn bound(bench: &Bench, figures: &mut Figures) -> Result<(), Failure> {
    let (tokens, rounds) = if bench.short { ("500", "3") } else { ("4000", "9") };
    let value = parts::floor(bench, &["guard-bound", "--tokens", tokens, "--rounds", rounds])?;
    let number = |name| parts::number(&value, name);
    let (pair, fresh) = (number("raw_pair_us")?, number("fresh_check_us")?);
    let (proof, repeated) = (number("raw_proof_us")?, number("repeated_check_us")?);
    figures.set("guard_bound_raw_pair_cpu_us", pair);
    figures.set("guard_bound_fresh_check_cpu_us", fresh);
    figures.set("guard_bound_fresh_share", pair / fresh);
    figures.set("guard_bound_repeated_check_cpu_us", repeated);
    figures.set("guard_bound_repeated_share", proof / repeated);
    Ok(())
}

/// From a revocation to its refusal by a guard on the network.
fn delay(workspace: &Workspace, bench: &Bench, figures: &mut Figures) -> Result<(), Failure> {
    let demo = Demo::start_as(workspace, Profile::Release)?;
    let times = if bench.short { "5" } else { "100" };
    let file = demo.file().to_string_lossy().into_owned();
    let value = parts::floor(bench, &["guard-delay", "--demo", &file, "--times", times])?;
    demo.stop()?;
    figures.set("guard_delay_median_ms", parts::number(&value, "median_ms")?);
    figures.set("guard_delay_longest_ms", parts::number(&value, "longest_ms")?);
    Ok(())
}

/// `/introspect` and `/forward-auth` on one core, with an empty axum answer between the runs.
fn asked(bench: &Bench, figures: &mut Figures) -> Result<(), Failure> {
    let policy = format!(
        "\n[forward_auth.{POLICY}]\nsource = \"x-original\"\nfrom = [\"127.0.0.1\"]\n\
         client_id = {{ query = \"client_id\" }}\n\
         rules = [{{ methods = [\"GET\"], path = \"/quotes\", permission = \"read\" }}]\n"
    );
    let store = Store::make_with(bench, "asked", Size::SMALL, &policy)?;
    let line = store.procura.call(&["resource", "secret", "add", &format!("{ISSUER}/api"), "--json"])?;
    let value: Value = serde_json::from_str(&line).map_err(|error| Failure::wrong(error.to_string()))?;
    let secret = value["secret"].as_str().unwrap_or_default().to_owned();
    let mut server = store.procura.serve(Some(&bench.cores.server))?;
    let tokens = tokens(&store, &server)?;
    let scripts = [("introspection", introspect(&tokens, &secret)), ("forward_auth", forward_auth(&tokens))];
    let empty = load::script("  requests[1] = wrk.format(\"GET\", \"/empty\")\n");
    let (mut axum, mut ours) = (Vec::new(), [Vec::new(), Vec::new()]);
    for round in 0..if bench.short { 1 } else { 5 } {
        let mut part = Axum::start(bench, 0)?;
        let address = part.address;
        axum.push(cost(bench, address, part.pid(), &empty)?);
        for (at, (name, script)) in scripts.iter().enumerate() {
            let cost = cost(bench, server.address(), server.pid(), script)?;
            eprintln!("run {}, {name}: {:.1} us", round + 1, cost);
            ours[at].push(cost);
        }
    }
    let axum = median(axum);
    figures.set("axum_empty_cpu_us", axum);
    let [introspection, forward_auth] = ours.map(median);
    figures.set("introspection_cpu_us", introspection);
    figures.set("introspection_share", axum / introspection);
    figures.set("forward_auth_cpu_us", forward_auth);
    figures.set("forward_auth_share", axum / forward_auth);
    server.stop()
}

/// CPU microseconds of one answer.
fn cost(bench: &Bench, address: std::net::SocketAddr, pid: u32, script: &str) -> Result<f64, Failure> {
    let target = (address, bench.cores.generator.as_str());
    load::full_with(bench, script, target, (CONNECTIONS, 1))?;
    let before = usage::cpu_us(pid)?;
    let seconds = if bench.short { 1 } else { 5 };
    let load = load::full_with(bench, script, target, (CONNECTIONS, seconds))?;
    Ok((usage::cpu_us(pid)? - before) / load.answers)
}

/// A client of each token, and the token.
fn tokens(store: &Store, server: &Server) -> Result<Vec<(String, String)>, Failure> {
    let failed = |error: std::io::Error| Failure::wrong(format!("no token: {error}"));
    let mut caller = Caller::connect(server.address(), APPLICATION, &store.secret).map_err(failed)?;
    let contacts: Vec<String> = store.asked().collect();
    (0..TOKENS)
        .map(|at| {
            let answer = caller.token(&contacts[at % contacts.len()]).map_err(failed)?;
            let id_token = answer.id_token().unwrap_or_default();
            let client = id_token["clients"][0]["client_id"].as_str().map(str::to_owned);
            let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let token = body["access_token"].as_str().map(str::to_owned);
            client.zip(token).ok_or_else(|| Failure::wrong(format!("{} in place of a token", answer.status)))
        })
        .collect()
}

fn introspect(tokens: &[(String, String)], secret: &str) -> String {
    let resource = format!("{ISSUER}/api").replace(':', "%3A").replace('/', "%2F");
    let authorization = basic(&resource, secret);
    let mut text = format!(
        "  local headers = {{ [\"Authorization\"] = \"{authorization}\", \
         [\"Content-Type\"] = \"application/x-www-form-urlencoded\" }}\n"
    );
    for (at, (_, token)) in tokens.iter().enumerate() {
        let number = at + 1;
        let _ = writeln!(
            text,
            "  requests[{number}] = wrk.format(\"POST\", \"/introspect\", headers, \"token={token}\")"
        );
    }
    load::script(&text)
}

fn forward_auth(tokens: &[(String, String)]) -> String {
    let mut text = String::new();
    for (at, (client, token)) in tokens.iter().enumerate() {
        let _ = writeln!(
            text,
            "  requests[{}] = wrk.format(\"GET\", \"/forward-auth/{POLICY}\", {{ \
             [\"Authorization\"] = \"Bearer {token}\", [\"X-Original-Method\"] = \"GET\", \
             [\"X-Original-URI\"] = \"/quotes?client_id={client}\" }})",
            at + 1
        );
    }
    load::script(&text)
}
