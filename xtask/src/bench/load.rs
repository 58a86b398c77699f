//! The load generators: nobody's but ours to start, nobody here wrote them.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::Bench;
use super::store::{APPLICATION, Store};
use crate::process::{self, Tied};
use crate::procura::on_cores;
use crate::steps::Failure;
use crate::tools;
use crate::wire::basic;
use crate::workspace::Workspace;

const OHA: &str = "1.16.0";

/// Where they are.
pub(super) struct Generators {
    wrk: PathBuf,
    oha: PathBuf,
}

impl Generators {
    /// None of them, for what has a generator of its own; only cores must be given out.
    pub(super) fn none() -> Result<Self, Failure> {
        tools::taskset()?;
        Ok(Self { wrk: PathBuf::new(), oha: PathBuf::new() })
    }

    /// Finds them, and gets what is missing.
    pub(super) fn find(workspace: &Workspace) -> Result<Self, Failure> {
        tools::taskset()?;
        let wrk = PathBuf::from("wrk");
        // It tells its version with an exit code of 1.
        if Command::new(&wrk).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            tools::install_packages(&["wrk"])?;
        }
        Ok(Self { wrk, oha: find_oha(workspace)? })
    }
}

fn find_oha(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let own = workspace.tools().join("bin/oha");
    let there = |program: &PathBuf| process::ask(Command::new(program).arg("--version")).is_some();
    if let Some(found) = [own.clone(), PathBuf::from("oha")].into_iter().find(there) {
        return Ok(found);
    }
    let mut cargo = workspace.cargo();
    cargo.args(["install", "--locked", "--version", OHA, "--root"]).arg(workspace.tools()).arg("oha");
    process::run(&mut cargo)?;
    Ok(own)
}

/// What a run at full load came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Full {
    pub(super) answers: f64,
    pub(super) per_s: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// What a run at a fixed rate came to; times are corrected for requests that could not be sent in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Paced {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// Asks for contacts in turn, as fast as answers come, on so many kept connections.
pub(super) fn full(
    bench: &Bench,
    store: &Store,
    target: (SocketAddr, &str),
    size: (u32, u32),
) -> Result<Full, Failure> {
    full_with(bench, &contact_tokens(store), target, size)
}

/// Sends the requests of a [`script`] in turn, as fast as answers come.
pub(super) fn full_with(
    bench: &Bench,
    requests: &str,
    (address, cores): (SocketAddr, &str),
    (connections, seconds): (u32, u32),
) -> Result<Full, Failure> {
    let script = bench.folder.path().join("wrk.lua");
    write_private(&script, requests.as_bytes())?;
    let mut command = on_cores(&bench.generators.wrk, Some(cores));
    let (connections, duration) = (connections.to_string(), format!("{seconds}s"));
    command.args(["--threads", "1", "--connections", &connections, "--duration", &duration]);
    command.arg("--script").arg(&script).arg(format!("http://{address}"));
    let out = run(bench, "wrk", command, seconds)?;
    let line = out.lines().find_map(|line| line.strip_prefix("measured "));
    let numbers: Vec<f64> =
        line.unwrap_or_default().split(' ').filter_map(|word| word.parse().ok()).collect();
    let [answers, micros, bad, p50, p99] = numbers[..] else {
        return Err(Failure::wrong(format!("wrk said something else:\n{out}")));
    };
    if bad > 0.0 || answers == 0.0 {
        return Err(Failure::wrong(format!(
            "{bad} of {answers} answers were not as asked for, or never came:\n{out}"
        )));
    }
    Ok(Full { answers, per_s: answers / micros * 1e6, p50_ms: p50 / 1e3, p99_ms: p99 / 1e3 })
}

fn contact_tokens(store: &Store) -> String {
    let mut text = String::from("  local contacts = {\n");
    for contact in store.asked() {
        let _ = writeln!(text, "    \"{contact}\",");
    }
    let authorization = basic(APPLICATION, &store.secret);
    let _ = write!(
        text,
        "  }}\n\
         \x20 local headers = {{ [\"Authorization\"] = \"{authorization}\" }}\n\
         \x20 for number, contact in ipairs(contacts) do\n\
         \x20   requests[number] = wrk.format(\"POST\", \"/token/\" .. contact, headers)\n\
         \x20 end\n"
    );
    script(&text)
}

/// A script of wrk's whose `fill` puts what is to be asked into `requests`. They are written once, so that
/// the generator has little to do.
pub(super) fn script(fill: &str) -> String {
    format!(
        "local requests, turn = {{}}, 0\n\
         function init(args)\n\
         {fill}\
         end\n\
         function request()\n\
         \x20 turn = turn % #requests + 1\n\
         \x20 return requests[turn]\n\
         end\n\
         function done(summary, latency, requests)\n\
         \x20 local errors = summary.errors\n\
         \x20 local bad = errors.connect + errors.read + errors.write + errors.timeout + errors.status\n\
         \x20 local numbers = {{ summary.requests, summary.duration, bad,\n\
         \x20   latency:percentile(50), latency:percentile(99) }}\n\
         \x20 io.write(\"measured \", table.concat(numbers, \" \"), \"\\n\")\n\
         end\n"
    )
}

/// Asks for random contacts at so many requests a second, whatever comes back.
pub(super) fn paced(
    bench: &Bench,
    store: &Store,
    address: SocketAddr,
    (connections, per_s, seconds): (u32, f64, u32),
) -> Result<Paced, Failure> {
    let (urls, form) = (bench.folder.path().join("urls.txt"), bench.folder.path().join("form.txt"));
    let lines = store.asked().map(|contact| format!("http://{address}/token/{contact}\n"));
    write_private(&urls, lines.collect::<String>().as_bytes())?;
    // In a file, because arguments can be seen by everybody.
    let credentials = format!("client_id={APPLICATION}&client_secret={}", store.secret);
    write_private(&form, credentials.as_bytes())?;
    let mut command = on_cores(&bench.generators.oha, Some(&bench.cores.generator));
    command.args(["--no-tui", "--output-format", "json", "--latency-correction", "-m", "POST"]);
    command.args(["-T", "application/x-www-form-urlencoded", "-D"]).arg(&form);
    command.args(["-c", &connections.to_string(), "-z", &format!("{seconds}s")]);
    command.args(["-q", &format!("{per_s:.0}"), "--urls-from-file"]).arg(&urls);
    let out = run(bench, "oha", command, seconds)?;
    let value: Value = serde_json::from_str(&out).map_err(|error| Failure::wrong(format!("oha: {error}")))?;
    let statuses = value["statusCodeDistribution"].as_object();
    let tokens = statuses.and_then(|all| all.get("200")).and_then(Value::as_f64).unwrap_or_default();
    if statuses.is_none_or(|all| all.len() != 1) || tokens == 0.0 {
        let (told, errors) = (&value["statusCodeDistribution"], &value["errorDistribution"]);
        return Err(Failure::wrong(format!("oha got {told} at {per_s:.0}/s; errors: {errors}")));
    }
    if tokens < per_s * f64::from(seconds) * 0.9 {
        eprintln!("not quiet: of {per_s:.0}/s only {:.0}/s were answered", tokens / f64::from(seconds));
    }
    let percentile = |name: &str| {
        let seconds = value["latencyPercentiles"][name].as_f64();
        seconds.map(|seconds| seconds * 1e3).ok_or_else(|| Failure::wrong(format!("oha told no {name}")))
    };
    Ok(Paced { p50_ms: percentile("p50")?, p99_ms: percentile("p99")? })
}

/// Runs a generator to its end and returns what it said.
fn run(bench: &Bench, name: &str, mut command: Command, seconds: u32) -> Result<String, Failure> {
    let said = bench.folder.path().join(format!("{name}.out"));
    let file = |path: &Path| fs::File::create(path).map_err(|error| Failure::wrong(error.to_string()));
    command.stdout(file(&said)?).stderr(file(&said.with_extension("err"))?);
    let limit = Duration::from_secs(u64::from(seconds) + 30);
    Tied::spawn(name, &mut command)?.finish(limit).map_err(|failure| {
        let told = process::tail(&said.with_extension("err"), 20);
        Failure::wrong(format!("{failure}; it said:\n{told}"))
    })?;
    fs::read_to_string(&said).map_err(|error| Failure::wrong(error.to_string()))
}

pub(super) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let options = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    options
        .and_then(|mut file| std::io::Write::write_all(&mut file, bytes))
        .map_err(|error| Failure::wrong(format!("{}: {error}", path.display())))
}
