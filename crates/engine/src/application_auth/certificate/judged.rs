//! What is known about chains that were presented, whoever presented them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use procura_jose::digest::Sha256;
use procura_protocol::time::UnixSeconds;
use procura_x509::{Authorities, Certificate, CertificateProblem, own_certificate};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// A judgement is made again after this long at the latest.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Bytes of chains that proved an application. Only who has a right certificate can fill them.
const PROVING_BYTES: u64 = 8 << 20;

/// Bytes of all others, which anybody can fill: they are apart, so that they push out none of the former.
const OTHER_BYTES: u64 = 512 << 10;

/// About what an entry takes beside its certificates.
const ENTRY_BYTES: u64 = 512;

/// Authorities, judgements, and what came of them.
pub(crate) struct ClientCertificates {
    installed: ArcSwap<Installed>,
    proving: Cache<Key, Arc<Chain>, ByBytes>,
    others: Cache<Key, Arc<Chain>, ByBytes>,
    pub(super) problems: ProblemCount,
}

/// The authorities of now. What was judged with others is not found any more.
struct Installed {
    generation: u64,
    authorities: Option<Authorities>,
}

/// The whole chain that was presented, and the authorities it was judged with.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    chain: [u8; 32],
    generation: u64,
}

/// What holds of a chain whoever presents it.
pub(super) struct Chain {
    /// The caller's own certificate.
    pub(super) own: Result<Certificate, CertificateProblem>,
    /// Whether a path leads to a configured authority; the first second in which this must be judged again.
    pub(super) path: Result<UnixSeconds, CertificateProblem>,
    /// When it was judged, since some fixed point of this process.
    at: Duration,
    bytes: u64,
}

/// A judgement, before it is known what comes of it.
pub(super) struct Judged {
    key: Key,
    pub(super) chain: Arc<Chain>,
    is_new: bool,
}

impl Default for ClientCertificates {
    fn default() -> Self {
        let sized = |bytes: u64| {
            let entries = usize::try_from(bytes / (2 * ENTRY_BYTES)).unwrap_or(1);
            Cache::with_weighter(entries, bytes, ByBytes)
        };
        ClientCertificates {
            installed: ArcSwap::from_pointee(Installed { generation: 0, authorities: None }),
            proving: sized(PROVING_BYTES),
            others: sized(OTHER_BYTES),
            problems: ProblemCount::default(),
        }
    }
}

impl ClientCertificates {
    /// Takes other authorities from now on. One caller at a time.
    pub(super) fn set_authorities(&self, authorities: Option<Authorities>) {
        let generation = self.installed.load().generation + 1;
        self.installed.store(Arc::new(Installed { generation, authorities }));
    }

    /// What holds of that chain now. May be as old as [`REMEMBERED`], but no path outlives what it rests on.
    pub(super) fn judge(&self, chain: &[Box<[u8]>], now: UnixSeconds, monotonic: Duration) -> Judged {
        let installed = self.installed.load();
        let key = Key { chain: digest(chain), generation: installed.generation };
        let found = self.proving.get(&key).or_else(|| self.others.get(&key));
        if let Some(chain) = found.filter(|chain| chain.is_fresh(now, monotonic)) {
            return Judged { key, chain, is_new: false };
        }
        let own = own_certificate(chain);
        let path = match (&own, &installed.authorities) {
            (Ok(own), Some(authorities)) => authorities.judge(own, chain.get(1..).unwrap_or_default(), now),
            (Ok(_), None) => Err(CertificateProblem::NoAuthorities),
            (Err(problem), _) => Err(*problem),
        };
        let bytes = chain.first().map_or(0, |own| own.len() as u64);
        Judged { key, chain: Arc::new(Chain { own, path, at: monotonic, bytes }), is_new: true }
    }

    /// Keeps a judgement for the next request.
    pub(super) fn remember(&self, judged: Judged, proved: bool) {
        if judged.is_new {
            let cache = if proved { &self.proving } else { &self.others };
            cache.insert(judged.key, judged.chain);
        }
    }
}

impl Chain {
    fn is_fresh(&self, now: UnixSeconds, monotonic: Duration) -> bool {
        let young = monotonic.saturating_sub(self.at) < REMEMBERED;
        young && self.path.map_or(true, |until| now < until)
    }
}

/// SHA-256 of all certificates, each with its length before it.
fn digest(chain: &[Box<[u8]>]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for certificate in chain {
        digest.update(&(certificate.len() as u64).to_be_bytes());
        digest.update(certificate);
    }
    digest.finish()
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Key, Arc<Chain>> for ByBytes {
    fn weight(&self, _: &Key, chain: &Arc<Chain>) -> u64 {
        // Names and alternative names are there a second time, in another form.
        2 * chain.bytes + ENTRY_BYTES
    }
}

/// How often certificates proved nothing, by reason, since the process began.
#[derive(Default)]
pub struct ProblemCount([AtomicU64; CertificateProblem::ALL.len()]);

impl ProblemCount {
    pub(super) fn count(&self, problem: CertificateProblem) {
        if let Some(counter) = self.0.get(problem as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Every problem with how often it was met.
    pub fn counts(&self) -> impl Iterator<Item = (CertificateProblem, u64)> {
        CertificateProblem::ALL.into_iter().zip(self.0.iter().map(|count| count.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use procura_testkit::clock::BEGINNING;
    use procura_testkit::pki::{Authority, BEGINS, Issued, set_window};
    use procura_x509::TrustAnchors;

    use super::*;

    const START: Duration = Duration::from_secs(1_000);

    fn trusting(root: &Authority) -> ClientCertificates {
        let certificates = ClientCertificates::default();
        certificates.set_authorities(Some(authorities(root)));
        certificates
    }

    fn authorities(root: &Authority) -> Authorities {
        Authorities { anchors: TrustAnchors::from_pem(root.own.pem.as_bytes()).unwrap(), crls: None }
    }

    fn chain(issued: &Issued) -> [Box<[u8]>; 1] {
        [issued.der.clone()]
    }

    /// Judges, remembers, and says whether it had to be judged anew and whether it holds.
    fn asked(
        certificates: &ClientCertificates,
        chain: &[Box<[u8]>],
        (now, monotonic): (UnixSeconds, Duration),
    ) -> (bool, bool) {
        let judged = certificates.judge(chain, now, monotonic);
        let (is_new, holds) = (judged.is_new, judged.chain.path.is_ok());
        certificates.remember(judged, holds);
        (is_new, holds)
    }

    #[test]
    fn a_judgement_is_used_again_for_less_than_a_minute() {
        let root = Authority::new("Root");
        for (certificates, holds) in [(trusting(&root), true), (trusting(&Authority::new("Other")), false)] {
            let chain = chain(&root.issue(|_| {}));
            assert_eq!(asked(&certificates, &chain, (BEGINNING, START)), (true, holds));
            let later = START + Duration::from_millis(59_999);
            assert_eq!(asked(&certificates, &chain, (BEGINNING, later)), (false, holds));
            let late = START + Duration::from_secs(60);
            assert_eq!(asked(&certificates, &chain, (BEGINNING, late)), (true, holds));
        }
    }

    #[test]
    fn a_judgement_is_not_used_beyond_the_end_of_the_certificate() {
        let root = Authority::new("Root");
        let last = u64::try_from(BEGINNING.0).unwrap();
        let chain = chain(&root.issue(|params| set_window(params, BEGINS, last)));
        let certificates = trusting(&root);
        assert_eq!(asked(&certificates, &chain, (BEGINNING, START)), (true, true));
        assert_eq!(asked(&certificates, &chain, (BEGINNING, START)), (false, true));
        assert_eq!(asked(&certificates, &chain, (BEGINNING.plus(1), START)), (true, false));
    }

    #[test]
    fn other_authorities_end_every_judgement() {
        let root = Authority::new("Root");
        let chain = chain(&root.issue(|_| {}));
        let certificates = trusting(&root);
        assert_eq!(asked(&certificates, &chain, (BEGINNING, START)), (true, true));
        certificates.set_authorities(None);
        assert_eq!(asked(&certificates, &chain, (BEGINNING, START)), (true, false));
        certificates.set_authorities(Some(authorities(&root)));
        assert_eq!(asked(&certificates, &chain, (BEGINNING, START)), (true, true));
    }

    #[test]
    fn another_chain_behind_the_same_certificate_is_another_judgement() {
        let root = Authority::new("Root");
        let middle = root.below("Middle", |_| {});
        let alone = chain(&middle.issue(|_| {}));
        let with = [alone[0].clone(), middle.own.der.clone()];
        let certificates = trusting(&root);
        assert_eq!(asked(&certificates, &alone, (BEGINNING, START)), (true, false));
        assert_eq!(asked(&certificates, &with, (BEGINNING, START)), (true, true));
    }

    #[test]
    fn certificates_that_prove_nothing_push_out_none_that_does_and_are_bounded() {
        let root = Authority::new("Root");
        let good = chain(&root.issue(|_| {}));
        let certificates = trusting(&root);
        assert_eq!(asked(&certificates, &good, (BEGINNING, START)), (true, true));
        for no in 0..5_000_u32 {
            let junk = [Box::from(no.to_be_bytes().repeat(1_000))];
            assert_eq!(asked(&certificates, &junk, (BEGINNING, START)), (true, false));
        }
        assert_eq!(asked(&certificates, &good, (BEGINNING, START)), (false, true));
        assert!(certificates.others.weight() <= OTHER_BYTES, "{}", certificates.others.weight());
        assert!(certificates.others.len() > 10, "{}", certificates.others.len());
    }

    #[test]
    fn problems_are_counted_each_by_itself() {
        let count = ProblemCount::default();
        for problem in CertificateProblem::ALL {
            count.count(problem);
        }
        count.count(CertificateProblem::Expired);
        for (problem, times) in count.counts() {
            assert_eq!(times, 1 + u64::from(problem == CertificateProblem::Expired), "{problem:?}");
        }
    }
}
