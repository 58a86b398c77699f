//! Contact tokens: how many a second, at what cost, how fast, and what they leave behind.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::figures::Figures;
use super::load::{self, Full};
use super::parts::{self, Axum, Written};
use super::store::{APPLICATION, Size, Store};
use super::{Bench, median, usage};
use crate::procura::Server;
use crate::steps::{Failure, now};
use crate::wire::Caller;

/// The share of full load at which times are promised.
const PACE: f64 = 0.7;
/// A server that has just begun: caches, allocator and the second segment of the journal settle.
const WARM_UP: u32 = 2;
const CONNECTIONS: [u32; 2] = [32, 64];

/// The table that `cargo xtask bench` prints.
pub(super) fn measure(bench: &Bench, figures: &mut Figures) -> Result<(), Failure> {
    let store = Store::make(bench, "usual", Size::USUAL)?;
    let binary = fs::metadata(store.procura.program()).map_err(|error| Failure::wrong(error.to_string()))?;
    figures.set("binary_mb", binary.len() as f64 / 1e6);
    figures.set("start_to_first_token_ms", start_to_first_token(bench, &store)?);
    let directory_before = directory_bytes(&store.procura.data());
    let written_before = parts::written(bench, &store.procura.data())?;
    one_core(bench, &store, figures)?;
    paced(bench, &store, figures)?;
    two_cores(bench, &store, figures)?;
    let written = parts::written(bench, &store.procura.data())?;
    figures.set("directory_growth_bytes", directory_bytes(&store.procura.data()) - directory_before);
    let records = written.records - written_before.records;
    figures.set("journal_bytes_per_token", (written.bytes - written_before.bytes) / records);
    verify(&store, written.records, figures)
}

/// Fetches so many tokens and looks at what has grown.
pub(super) fn grow(bench: &Bench, tokens: u64, figures: &mut Figures) -> Result<(), Failure> {
    const PORTION: u32 = 30;
    let store = Store::make(bench, "usual", Size::USUAL)?;
    let mut server = store.procura.serve(Some(&bench.cores.server))?;
    load::full(bench, &store, on_one(bench, &server), (64, WARM_UP))?;
    let data = store.procura.data();
    let before = (directory_bytes(&data), folder_bytes(&data.join("journal")));
    let (begin, mut fetched) = (now(), 0.0);
    while fetched < tokens as f64 {
        fetched += load::full(bench, &store, on_one(bench, &server), (64, PORTION))?.answers;
        eprintln!("{fetched:.0} of {tokens} tokens");
    }
    figures.set("tokens", fetched);
    figures.set("contact_tokens_per_s", fetched / now().duration_since(begin).as_secs_f64());
    figures.set("rss_load_mb", usage::resident_mb(server.pid())?);
    figures.set("directory_growth_bytes", directory_bytes(&data) - before.0);
    let grown = folder_bytes(&data.join("journal")) - before.1;
    figures.set("journal_bytes_per_token", grown / fetched);
    server.stop()?;
    verify(&store, parts::written(bench, &data)?.records, figures)
}

/// Server on one core, its parts between its runs.
fn one_core(bench: &Bench, store: &Store, figures: &mut Figures) -> Result<(), Failure> {
    let mut server = store.procura.serve(Some(&bench.cores.server))?;
    thread::sleep(Duration::from_secs(1));
    figures.set("rss_idle_mb", usage::resident_mb(server.pid())?);
    let answer = a_token(store, &server)?;
    load::full(bench, store, on_one(bench, &server), (64, WARM_UP))?;
    let mut runs: [Vec<Run>; 2] = [Vec::new(), Vec::new()];
    let (mut axum, mut es256) = (Vec::new(), Vec::new());
    for round in 1..=rounds(bench) {
        for (at, connections) in CONNECTIONS.into_iter().enumerate() {
            let run = Run::of(bench, store, &mut server, connections)?;
            eprintln!("run {round}, {connections} connections: {:.0} tokens/s", run.load.per_s);
            runs[at].push(run);
        }
        axum.push(axum_answer(bench, store, answer)?);
        es256.push(parts::es256(bench)?);
    }
    figures.set("rss_load_mb", usage::resident_mb(server.pid())?);
    let of = |at: usize, value: &dyn Fn(&Run) -> f64| median(runs[at].iter().map(value).collect());
    figures.set("contact_tokens_per_s_32_connections", of(0, &|run| run.load.per_s));
    figures.set("p50_full_load_32_connections_ms", of(0, &|run| run.load.p50_ms));
    figures.set("p99_full_load_32_connections_ms", of(0, &|run| run.load.p99_ms));
    figures.set("contact_tokens_per_s", of(1, &|run| run.load.per_s));
    figures.set("p50_full_load_ms", of(1, &|run| run.load.p50_ms));
    figures.set("p99_full_load_ms", of(1, &|run| run.load.p99_ms));
    let batch = of(1, &|run| run.batch).round();
    let journal: Vec<_> =
        (0..rounds(bench)).map(|_| parts::journal(bench, batch as u64)).collect::<Result<_, _>>()?;
    let journal_cpu = median(journal.iter().map(|part| part.cpu_us).collect());
    let (axum, es256, ours) = (median(axum), median(es256), of(1, &|run| run.cpu_us));
    let floor = axum + 2.0 * es256 + journal_cpu;
    figures.set("axum_answer_cpu_us", axum);
    figures.set("es256_signature_cpu_us", es256);
    figures.set("journal_batch_records", batch);
    figures.set("journal_record_cpu_us", journal_cpu);
    figures.set("median_sync_us", median(journal.iter().map(|part| part.median_sync_us).collect()));
    figures.set("floor_cpu_us_per_token", floor);
    figures.set("cpu_us_per_token", ours);
    figures.set("share_of_floor", floor / ours);
    server.stop()
}

/// Times at a fixed rate below full load, which is looked up anew before each run: on a machine that
/// others use too, a rate from some minutes ago may be more than there is.
fn paced(bench: &Bench, store: &Store, figures: &mut Figures) -> Result<(), Failure> {
    let server = store.procura.serve(Some(&bench.cores.server))?;
    load::full(bench, store, on_one(bench, &server), (64, WARM_UP))?;
    let names = [
        ("p50_70_percent_32_connections_ms", "p99_70_percent_32_connections_ms"),
        ("p50_70_percent_ms", "p99_70_percent_ms"),
    ];
    for (connections, (p50, p99)) in CONNECTIONS.into_iter().zip(names) {
        let mut runs = Vec::new();
        for _ in 0..rounds(bench) {
            let full = load::full(bench, store, on_one(bench, &server), (connections, 2))?;
            let pace = (connections, full.per_s * PACE, seconds(bench));
            runs.push(load::paced(bench, store, server.address(), pace)?);
        }
        figures.set(p50, median(runs.iter().map(|run| run.p50_ms).collect()));
        figures.set(p99, median(runs.iter().map(|run| run.p99_ms).collect()));
    }
    server.stop()
}

/// Server and load generator on both cores: what is left when nobody is kept apart.
fn two_cores(bench: &Bench, store: &Store, figures: &mut Figures) -> Result<(), Failure> {
    let server = store.procura.serve(Some(&bench.cores.all))?;
    let target = (server.address(), bench.cores.all.as_str());
    load::full(bench, store, target, (64, WARM_UP))?;
    let names = ["contact_tokens_per_s_two_cores_32_connections", "contact_tokens_per_s_two_cores"];
    for (connections, name) in CONNECTIONS.into_iter().zip(names) {
        let runs: Vec<Full> = (0..rounds(bench))
            .map(|_| load::full(bench, store, target, (connections, seconds(bench))))
            .collect::<Result<_, _>>()?;
        figures.set(name, median(runs.iter().map(|run| run.per_s).collect()));
    }
    server.stop()
}

/// A run at full load, and what the kernel and the journal say of it.
struct Run {
    load: Full,
    cpu_us: f64,
    batch: f64,
}

impl Run {
    fn of(bench: &Bench, store: &Store, server: &mut Server, connections: u32) -> Result<Self, Failure> {
        let data = store.procura.data();
        let look = |server: &mut Server| -> Result<(Written, f64), Failure> {
            Ok((parts::written(bench, &data)?, usage::cpu_us(server.pid())?))
        };
        let (before, cpu_before) = look(server)?;
        let load = load::full(bench, store, on_one(bench, server), (connections, seconds(bench)))?;
        let cpu_after = usage::cpu_us(server.pid())?;
        let (after, _) = look(server)?;
        let records = after.records - before.records;
        Ok(Self {
            load,
            // By what was recorded: also the answers that were on their way when the generator stopped.
            cpu_us: (cpu_after - cpu_before) / records.max(1.0),
            batch: records / (after.batches - before.batches).max(1.0),
        })
    }
}

fn axum_answer(bench: &Bench, store: &Store, bytes: usize) -> Result<f64, Failure> {
    let mut axum = Axum::start(bench, bytes)?;
    let target = (axum.address, bench.cores.generator.as_str());
    load::full(bench, store, target, (64, 1))?;
    let before = usage::cpu_us(axum.pid())?;
    let load = load::full(bench, store, target, (64, seconds(bench).min(5)))?;
    Ok((usage::cpu_us(axum.pid())? - before) / load.answers)
}

/// From the spawn to the first token, several times.
fn start_to_first_token(bench: &Bench, store: &Store) -> Result<f64, Failure> {
    let times = if bench.short { 3 } else { 11 };
    let each = (0..times).map(|_| {
        let begin = now();
        let server = store.procura.serve(Some(&bench.cores.server))?;
        a_token(store, &server)?;
        let took = now().duration_since(begin);
        server.stop()?;
        Ok(took.as_secs_f64() * 1e3)
    });
    each.collect::<Result<Vec<_>, Failure>>().map(median)
}

/// Fetches one token; the bytes of the answer's body.
fn a_token(store: &Store, server: &Server) -> Result<usize, Failure> {
    let contact = store.asked().next().unwrap_or_default();
    let answer = Caller::connect(server.address(), APPLICATION, &store.secret)
        .and_then(|mut caller| caller.token(&contact))
        .map_err(|error| Failure::wrong(format!("no answer: {error}")))?;
    match answer.status {
        200 => Ok(answer.body.len()),
        status => {
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            Err(Failure::wrong(format!("{contact} got {status} in place of a token: {said}")))
        }
    }
}

fn verify(store: &Store, records: f64, figures: &mut Figures) -> Result<(), Failure> {
    let begin = now();
    store.procura.call(&["audit", "verify"])?;
    figures.set("audit_verify_records_per_s", records / now().duration_since(begin).as_secs_f64());
    Ok(())
}

fn on_one<'b>(bench: &'b Bench, server: &Server) -> (std::net::SocketAddr, &'b str) {
    (server.address(), &bench.cores.generator)
}

pub(super) fn rounds(bench: &Bench) -> usize {
    if bench.short { 1 } else { 5 }
}

pub(super) fn seconds(bench: &Bench) -> u32 {
    if bench.short { 2 } else { 6 }
}

/// Bytes of the directory's files.
fn directory_bytes(data: &Path) -> f64 {
    bytes_of(data, |name| name.starts_with("directory.sqlite"))
}

fn folder_bytes(folder: &Path) -> f64 {
    bytes_of(folder, |_| true)
}

fn bytes_of(folder: &Path, wanted: impl Fn(&str) -> bool) -> f64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let lengths = files
        .filter(|file| wanted(&file.file_name().to_string_lossy()))
        .filter_map(|file| file.metadata().ok())
        .map(|metadata| metadata.len() as f64);
    lengths.sum()
}
