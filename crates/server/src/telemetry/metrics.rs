//! `/metrics`: everything that is counted, written down when a scraper asks.
//!
//! The counts themselves are plain numbers where they arise (`engine/counts.rs`, `engine/limits.rs`,
//! `http/metrics.rs`, the journal's), and cost one addition there. prometheus-client, the library of the
//! Prometheus project, names, escapes and writes them; none of its own types is on the way of a request.
//!
//! Labels come from closed sets. Ids of applications, contacts or callers are none: who reads metrics need
//! not know who asked for whom, and no caller can make series.
//!
//! **To add the next thing**: a line in [`Exposition::encode`]; then the dashboard and
//! `docs/operations/metrics.md`, which tests hold against what is written here.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use procura_engine::counts::FailedProof;
use procura_engine::limits::{Limit, Limits};
use procura_http::connection::{Drain, Handshake};
use procura_http::metrics::{Metrics, Place, ProofWatch, Route};
use procura_protocol::time::UnixSeconds;
use procura_store::Directory;
use procura_store::credential::{CredentialKind, WARNED_AHEAD};
use procura_store::histogram::Histogram;
use procura_store::journal::RefusalCause;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::own_process::OwnProcess;
use crate::wiring::ThisEngine;

/// The door of applications' own tokens, as exports of the journal name it too.
const OWN_TOKEN: &str = "client_credentials";

/// Where proofs of possession are judged by the engine; a [`Place`] is where guards do.
const TOKEN_ENDPOINT: &str = "token";

/// Everything that is counted.
pub(crate) struct Exposition {
    pub(crate) engine: Arc<ThisEngine>,
    /// Requests.
    pub(crate) wire: Arc<Metrics>,
    /// Proofs of possession that guards judge.
    pub(crate) proofs: ProofWatch,
    /// Connections.
    pub(crate) drain: Drain,
}

impl fmt::Debug for Exposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exposition").finish_non_exhaustive()
    }
}

/// What writes it all down, as OpenMetrics text.
pub(crate) fn writer(exposition: Exposition) -> impl Fn() -> String + Clone + Send + Sync {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(exposition));
    let registry = Arc::new(registry);
    move || {
        let mut text = String::with_capacity(16 * 1024);
        match encode(&mut text, &registry) {
            Ok(()) => text,
            Err(error) => {
                tracing::error!(%error, "metrics can't be written");
                String::new()
            }
        }
    }
}

impl Collector for Exposition {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        self.decisions(&mut families)?;
        self.proofs(&mut families)?;
        self.limits(&mut families)?;
        self.requests(&mut families)?;
        self.connections(&mut families)?;
        self.journal(&mut families)?;
        self.directory(&mut families)?;
        of_process(&mut families)
    }
}

impl Exposition {
    fn decisions(&self, families: &mut Families<'_>) -> fmt::Result {
        let counts = self.engine.counts();
        let doors = counts.issued_by_door().map(|(door, count)| (door.name(), count));
        let doors = doors.chain([(OWN_TOKEN, counts.own_issued())]);
        families.counts("procura_tokens_issued", "Access tokens issued, by door.", "door", doors)?;
        let causes = RefusalCause::ALL.iter().map(|cause| (cause.name(), counts.refused(*cause)));
        families.counts("procura_refusals", "Authenticated requests refused, by cause.", "cause", causes)?;
        let kinds = FailedProof::ALL.iter().map(|kind| (kind.name(), counts.failed_proofs(*kind)));
        families.counts("procura_failed_proofs", "Authentications that failed, by kind.", "kind", kinds)?;
        let problems = self.engine.certificate_problems().counts();
        let problems = problems.map(|(problem, count)| (problem.name(), count));
        families.counts(
            "procura_certificate_problems",
            "Certificates that proved nothing, by problem.",
            "problem",
            problems,
        )?;
        let faults = self.engine.refused_assertions().map(|(fault, count)| (fault.name(), count));
        families.counts(
            "procura_assertions_refused",
            "Assertions that proved nothing, by fault.",
            "fault",
            faults,
        )
    }

    fn proofs(&self, families: &mut Families<'_>) -> fmt::Result {
        let at_token =
            self.engine.refused_proofs().map(|(fault, count)| (TOKEN_ENDPOINT, fault.name(), count));
        let at_guards = Place::ALL.into_iter().flat_map(|place| {
            self.proofs.refused(place).map(move |(fault, count)| (place.name(), fault, count))
        });
        let about = "Proofs of possession that proved nothing, by place and fault.";
        let mut family = families.begin("procura_proofs_refused", about, MetricType::Counter)?;
        for (place, fault, count) in at_token.chain(at_guards) {
            let labels = [("place", place), ("fault", fault)];
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        let at_guards = Place::ALL.map(|place| (place.name(), self.proofs.remembered(place) as u64));
        families.gauges(
            "procura_proofs_remembered",
            "Used proofs of possession that are remembered, by place.",
            "place",
            std::iter::once((TOKEN_ENDPOINT, self.engine.remembered_proofs() as u64)).chain(at_guards),
        )
    }

    fn limits(&self, families: &mut Families<'_>) -> fmt::Result {
        let limits = self.engine.limits();
        let all = |of: fn(&Limits, Limit) -> u64| {
            Limit::ALL.iter().map(move |limit| (limit.name(), of(limits, *limit)))
        };
        let reached = all(Limits::times_reached);
        families.counts(
            "procura_limit_reached",
            "Requests answered with 429, by limit.",
            "limit",
            reached,
        )?;
        let remembered = all(|limits, limit| limits.remembered(limit) as u64);
        families.gauges(
            "procura_limit_remembered",
            "Addresses or applications of which a limit remembers something.",
            "limit",
            remembered,
        )?;
        families.count(
            "procura_limit_crowded",
            "Requests for which a limit had no room and newcomers shared one.",
            limits.times_crowded(),
        )?;
        families.count(
            "procura_contact_ceiling_tripped",
            "Hours in which an application reached the ceiling of contacts.",
            limits.ceilings_tripped(),
        )
    }

    fn requests(&self, families: &mut Families<'_>) -> fmt::Result {
        let about = "Answers, by route and status; status 0 is any that is not counted apart.";
        let mut family = families.begin("procura_requests", about, MetricType::Counter)?;
        for route in Route::all() {
            for (status, count) in self.wire.answers(route) {
                let labels = [("route", route.name().to_owned()), ("status", status.to_string())];
                family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
            }
        }
        let about = "Time from the head of a request to the head of its answer, by route.";
        let mut family = families.begin("procura_request_duration_seconds", about, MetricType::Histogram)?;
        for route in Route::all() {
            let took = self.wire.took(route);
            if took.count() > 0 {
                encode_histogram(&mut family.encode_family(&[("route", route.name())])?, took)?;
            }
        }
        Ok(())
    }

    fn connections(&self, families: &mut Families<'_>) -> fmt::Result {
        let connections = self.drain.counts();
        families.gauge(
            "procura_connections_open",
            "Connections that are open.",
            connections.open() as u64,
        )?;
        families.count("procura_connections_accepted", "Connections accepted.", connections.accepted())?;
        families.counts(
            "procura_connections_cut",
            "Connections cut because the time of a phase was over.",
            "phase",
            connections.cut(),
        )?;
        let ended = Handshake::ALL.iter().map(|how| (how.name(), connections.handshakes(*how)));
        families.counts("procura_tls_handshakes", "TLS handshakes, by how they ended.", "outcome", ended)
    }

    fn journal(&self, families: &mut Families<'_>) -> fmt::Result {
        let journal = self.engine.journal();
        let metrics = journal.metrics();
        let of = |count: &AtomicU64| count.load(Relaxed);
        families.count("procura_journal_records", "Records on disk.", of(&metrics.records))?;
        families.count(
            "procura_journal_batches",
            "Batches on disk, each with one sync.",
            of(&metrics.batches),
        )?;
        families.count("procura_journal_bytes", "Bytes of batches on disk.", of(&metrics.bytes))?;
        families.count("procura_journal_segments", "Segments begun.", of(&metrics.segments))?;
        families.count("procura_journal_heads", "Heads signed.", of(&metrics.heads))?;
        families.count("procura_journal_failures", "Writes and syncs that failed.", of(&metrics.failures))?;
        families.count(
            "procura_journal_refused",
            "Records refused: the queue or the disk was full, or a write failed.",
            of(&metrics.refused),
        )?;
        families.gauge(
            "procura_journal_waiting",
            "Records that wait for the disk.",
            journal.waiting() as u64,
        )?;
        let about = "Time of a batch's write with its sync.";
        let mut family = families.begin("procura_journal_sync_seconds", about, MetricType::Histogram)?;
        encode_histogram(&mut family, &metrics.syncs)
    }

    fn directory(&self, families: &mut Families<'_>) -> fmt::Result {
        let age = self.engine.directory_age().as_secs_f64();
        families.real_gauge("procura_directory_age_seconds", "Since the directory was confirmed.", age)?;
        let ready = u64::from(self.engine.ready().is_ok());
        families.gauge("procura_ready", "1 while directory and clock can be believed.", ready)?;
        let marks = self.engine.revocations().sizes();
        families.gauge("procura_marks", "Revocation marks that are kept.", marks.marks as u64)?;
        families.gauge("procura_marks_bytes", "Bytes that marks take, about.", marks.bytes as u64)?;
        families.count(
            "procura_marks_collapsed",
            "Times that there were too many marks.",
            marks.collapsed,
        )?;
        let Ok(directory) = self.engine.directory() else { return Ok(()) };
        families.gauge("procura_directory_version", "The directory's version.", directory.version().0)?;
        let Ok(now) = self.engine.now() else { return Ok(()) };
        families.gauges(
            "procura_credentials_expiring",
            "Credentials of active applications that expire within 30 days, by kind.",
            "kind",
            expiring(&directory, now.seconds()),
        )
    }
}

fn of_process(families: &mut Families<'_>) -> fmt::Result {
    let about = "The program.";
    let mut family = families.begin("procura_build", about, MetricType::Info)?;
    family.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
    let own = OwnProcess::read();
    for (name, about, value) in [
        ("process_resident_memory_bytes", "Memory in use.", own.resident_bytes),
        ("process_open_fds", "Open files.", own.open_files),
        ("process_max_fds", "Files that may be open.", own.most_files),
    ] {
        if let Some(value) = value {
            families.gauge(name, about, value)?;
        }
    }
    if let Some(seconds) = own.cpu_seconds {
        let mut family =
            families.begin("process_cpu_seconds", "CPU time, user and system.", MetricType::Counter)?;
        family.encode_counter::<NoLabelSet, _, u64>(&seconds, None)?;
    }
    Ok(())
}

/// Credentials that prove something now and will not in thirty days, by kind.
fn expiring(directory: &Directory, now: UnixSeconds) -> [(&'static str, u64); CredentialKind::ALL.len()] {
    let mut counts = [0; CredentialKind::ALL.len()];
    for ending in directory.expiring(now.plus(WARNED_AHEAD + 1)).filter(|ending| now < ending.expires_at) {
        if let Some(at) = CredentialKind::ALL.iter().position(|kind| *kind == ending.kind) {
            counts[at] += 1;
        }
    }
    std::array::from_fn(|at| (CredentialKind::ALL[at].name(), counts[at]))
}

fn encode_histogram(encoder: &mut MetricEncoder<'_>, histogram: &Histogram) -> fmt::Result {
    // Read once, so that the count is the sum of the classes.
    let classes: Vec<_> = histogram.classes().collect();
    let count = classes.iter().map(|(_, count)| count).sum();
    encoder.encode_histogram::<NoLabelSet>(histogram.seconds(), count, &classes, None)
}

/// Families of metrics, one after the other.
struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    fn begin<'s>(
        &'s mut self,
        name: &'s str,
        about: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(name, about, None, kind)
    }

    fn count(&mut self, name: &str, about: &str, count: u64) -> fmt::Result {
        let mut family = self.begin(name, about, MetricType::Counter)?;
        family.encode_counter::<NoLabelSet, _, u64>(&count, None)
    }

    fn counts<'v>(
        &mut self,
        name: &str,
        about: &str,
        label: &str,
        counts: impl IntoIterator<Item = (&'v str, u64)>,
    ) -> fmt::Result {
        let mut family = self.begin(name, about, MetricType::Counter)?;
        counts.into_iter().try_for_each(|(value, count)| {
            family.encode_family(&[(label, value)])?.encode_counter::<NoLabelSet, _, u64>(&count, None)
        })
    }

    fn gauge(&mut self, name: &str, about: &str, value: u64) -> fmt::Result {
        self.begin(name, about, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn real_gauge(&mut self, name: &str, about: &str, value: f64) -> fmt::Result {
        self.begin(name, about, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn gauges<'v>(
        &mut self,
        name: &str,
        about: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'v str, u64)>,
    ) -> fmt::Result {
        let mut family = self.begin(name, about, MetricType::Gauge)?;
        values
            .into_iter()
            .try_for_each(|(value, number)| family.encode_family(&[(label, value)])?.encode_gauge(&number))
    }
}
