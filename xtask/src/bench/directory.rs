//! The largest directory that is promised: how long it takes to load, what it takes of memory, whether
//! tokens notice, and how soon a change is in force.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::figures::Figures;
use super::load;
use super::store::{self, APPLICATION, Size, Store};
use super::{Bench, median, usage};
use crate::procura::Server;
use crate::steps::{Failure, now};
use crate::wire::Caller;

/// Longer than any change may take to be in force.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures it.
pub(super) fn measure(bench: &Bench, figures: &mut Figures) -> Result<(), Failure> {
    let small = Store::make(bench, "small", Size::SMALL)?;
    let begin = now();
    let size = if bench.short { Size { contacts: 50_000, ..Size::LARGE } } else { Size::LARGE };
    let large = Store::make(bench, "large", size)?;
    figures.set("directory_import_s", now().duration_since(begin).as_secs_f64());
    load_time(bench, &large, figures)?;
    beside_small(bench, (&large, &small), figures)?;
    changes(bench, &large, figures)
}

fn load_time(bench: &Bench, large: &Store, figures: &mut Figures) -> Result<(), Failure> {
    let mut times = Vec::new();
    let mut resident = Vec::new();
    for _ in 0..if bench.short { 1 } else { 3 } {
        let begin = now();
        let mut server = large.procura.serve(Some(&bench.cores.server))?;
        times.push(now().duration_since(begin).as_secs_f64());
        thread::sleep(Duration::from_secs(1));
        resident.push(usage::resident_mb(server.pid())?);
        server.stop()?;
    }
    figures.set("directory_load_s", median(times));
    figures.set("directory_rss_mb", median(resident));
    Ok(())
}

/// The same rate for both, in turns.
fn beside_small(
    bench: &Bench,
    (large, small): (&Store, &Store),
    figures: &mut Figures,
) -> Result<(), Failure> {
    let (seconds, rounds) = if bench.short { (2, 1) } else { (6, 5) };
    let mut per_s = None;
    let mut p99 = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (at, store) in [large, small].into_iter().enumerate() {
            let server = store.procura.serve(Some(&bench.cores.server))?;
            let target = (server.address(), bench.cores.generator.as_str());
            load::full(bench, store, target, (64, 2))?;
            if per_s.is_none() {
                per_s = Some(load::full(bench, store, target, (64, seconds))?.per_s * 0.7);
            }
            let pace = (64, per_s.unwrap_or_default(), seconds);
            p99[at].push(load::paced(bench, store, server.address(), pace)?.p99_ms);
            server.stop()?;
        }
    }
    let [large, small] = p99.map(median);
    figures.set("p99_large_directory_ms", large);
    figures.set("p99_small_directory_ms", small);
    figures.set("p99_large_to_small", large / small);
    Ok(())
}

/// A contact is switched off and on again, and then a million mandates change at once.
fn changes(bench: &Bench, large: &Store, figures: &mut Figures) -> Result<(), Failure> {
    let mut server = large.procura.serve(Some(&bench.cores.all))?;
    let probe = Probe::begin(large, &server)?;
    let (mut after, mut from_start) = (Vec::new(), Vec::new());
    for turn in 0..if bench.short { 6 } else { 40 } {
        let (status, expect) = if turn % 2 == 0 { ("disabled", 400) } else { ("active", 200) };
        let begin = now();
        large.procura.call(&["contact", "update", &probe.contact, "--status", status])?;
        let (ended, in_force) = (now(), probe.wait_for(expect)?);
        after.push(in_force.saturating_duration_since(ended).as_secs_f64() * 1e3);
        from_start.push(in_force.saturating_duration_since(begin).as_secs_f64() * 1e3);
        // Not in step with whatever the server does at intervals.
        thread::sleep(Duration::from_millis(37 * (turn % 7)));
    }
    figures.set("change_in_force_max_ms", after.iter().copied().fold(0.0, f64::max));
    figures.set("change_in_force_ms", median(after));
    figures.set("change_in_force_from_start_ms", median(from_start));
    large_import(bench, (large, &probe), figures)?;
    figures.set("large_import_rss_mb", usage::resident_mb(server.pid())?);
    drop(probe);
    server.stop()
}

/// Suspends mandates, the probe's among them.
fn large_import(
    bench: &Bench,
    (large, probe): (&Store, &Probe),
    figures: &mut Figures,
) -> Result<(), Failure> {
    let file = bench.folder.path().join("suspended.csv");
    let rows = store::mandates(large.size).take(1_000_000).map(|(contact, client)| {
        format!("{},{},suspended\n", store::contact(contact), store::client(client))
    });
    store::csv(&file, "contact_id,client_id,status", rows)?;
    let begin = now();
    large.procura.import("mandate", &file)?;
    let (ended, in_force) = (now(), probe.wait_for(400)?);
    figures.set("large_import_s", ended.saturating_duration_since(begin).as_secs_f64());
    figures.set("large_import_in_force_s", in_force.saturating_duration_since(ended).as_secs_f64());
    Ok(())
}

/// Asks for one contact again and again, and remembers since when the answer is what it is.
struct Probe {
    contact: String,
    last: Arc<Mutex<Option<(u16, Instant)>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Probe {
    fn begin(large: &Store, server: &Server) -> Result<Self, Failure> {
        let contact = large.asked().next().unwrap_or_default();
        let mut caller = Caller::connect(server.address(), APPLICATION, &large.secret)
            .map_err(|error| Failure::wrong(format!("no answer: {error}")))?;
        let (last, over) = (Arc::new(Mutex::new(None)), Arc::new(AtomicBool::new(false)));
        let thread = {
            let (contact, last, over) = (contact.clone(), Arc::clone(&last), Arc::clone(&over));
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let Ok(answer) = caller.token(&contact) else { return };
                    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                    if last.is_none_or(|(status, _)| status != answer.status) {
                        *last = Some((answer.status, now()));
                    }
                    drop(last);
                    thread::sleep(Duration::from_millis(1));
                }
            })
        };
        let probe = Self { contact, last, over, thread: Some(thread) };
        probe.wait_for(200)?;
        Ok(probe)
    }

    /// Since when answers have had this status.
    fn wait_for(&self, status: u16) -> Result<Instant, Failure> {
        let begin = now();
        while now().duration_since(begin) < PATIENCE {
            let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
            match last {
                Some((now, since)) if now == status => return Ok(since),
                _ => thread::sleep(Duration::from_millis(1)),
            }
        }
        Err(Failure::wrong(format!("{} did not get {status} in {} s", self.contact, PATIENCE.as_secs())))
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // One that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}
