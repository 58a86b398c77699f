//! What a guard costs beside what it must do: verify a signature once, hash a token's bytes again and
//! again, and keep marks.

use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Uri};
use procura_guard::{
    ClientId, Clock, Guard, Incoming, Jwks, KeySource, MarkSource, MarkSubject, Need, Permission, Refetch,
    ResourceId, Settings, SystemClock, SystemRandom,
};
use procura_jose::digest::sha256;
use procura_jose::{
    Algorithm, CompactPrefix, PrivateKey, PublicKey, RsaPool, SigningKey, append_signature, compact_input,
};
use procura_protocol::claims::{ACCESS_TOKEN_TYPE, AccessTokenClaims, group_by_permissions};
use procura_protocol::events::ToldMark;
use procura_protocol::mark_view::MarkView;
use procura_protocol::permission::Permissions;
use serde::Serialize;

use crate::Failure;
use crate::clocks::thread_cpu;

pub(crate) const ISSUER: &str = "https://procura.example";
pub(crate) const AUDIENCE: &str = "https://payments.example";
/// Marks that the guard knows; no token is hit.
pub(crate) const MARKS: u32 = 100_000;

/// CPU time of each, the median of several rounds in turn.
#[derive(Serialize)]
pub(crate) struct Figures {
    token_bytes: f64,
    raw_verify_us: f64,
    fresh_check_us: f64,
    sha256_ns: f64,
    repeated_check_ns: f64,
}

/// Checks so many tokens for the first time, and each of them again, in each round.
pub(crate) fn measure(tokens: u32, rounds: u32) -> Result<Figures, Failure> {
    let made = Made::new(tokens.max(1))?;
    let per = |took: Duration, times: usize| took.as_secs_f64() * 1e6 / times as f64;
    let (mut raw, mut fresh, mut hash, mut repeated) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rounds.max(1) {
        raw.push(per(timed(|| made.verify_all())?, made.tokens.len()));
        // All tokens have room, so that those that are checked again are there.
        let mut settings = settings();
        settings.cache_bytes = 64 << 20;
        let guard = made.guard(settings, view(MARKS));
        fresh.push(per(timed(|| made.check_all(&guard))?, made.tokens.len()));
        // Few enough to stay in the cache, often enough to be measured.
        let again = 64.min(made.tokens.len());
        let times = made.tokens.len() / again * again;
        hash.push(1e3 * per(timed(|| made.hash_some(again, times))?, times));
        repeated.push(1e3 * per(timed(|| made.check_some(&guard, again, times))?, times));
    }
    Ok(Figures {
        token_bytes: made.tokens.first().map_or(0, |token| token.text.len()) as f64,
        raw_verify_us: median(raw),
        fresh_check_us: median(fresh),
        sha256_ns: median(hash),
        repeated_check_ns: median(repeated),
    })
}

/// What a guard takes.
#[derive(Serialize)]
pub(crate) struct MemoryFigures {
    marks_table_bytes: f64,
    marks_resident_bytes: f64,
    resident_bytes: f64,
}

/// Keeps so many marks, then sees more tokens than a guard's usual cache has room for, and looks at how much
/// more memory this process has.
pub(crate) fn memory(count: u32) -> Result<MemoryFigures, Failure> {
    let made = Made::new(4_000)?;
    let before = resident()?;
    let view = view(count);
    let (marks_table_bytes, with_marks) = (view.memory() as f64, resident()?);
    let guard = made.guard(settings(), view);
    made.check_all(&guard)?;
    Ok(MemoryFigures {
        marks_table_bytes,
        marks_resident_bytes: with_marks - before,
        resident_bytes: resident()? - before,
    })
}

pub(crate) fn view(count: u32) -> MarkView {
    let mut view = MarkView::new(MarkView::USUAL_CAPACITY.max(count as usize), MarkSubject([0xff; 32]));
    let keep_until = SystemClock::new().now().plus(3_660);
    for number in 0..count {
        let subject = MarkSubject(sha256(&number.to_le_bytes()));
        let application = Some(MarkSubject(sha256(&(number % 1_000).to_be_bytes())));
        view.add(&ToldMark { subject, version: number.into(), any_version: true, keep_until, application });
    }
    view
}

fn resident() -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib * 1024.0)
}

struct Made {
    keys: Arc<Jwks>,
    key: PublicKey,
    tokens: Vec<Token>,
    uri: Uri,
    client: ClientId,
}

struct Token {
    text: String,
    headers: HeaderMap,
    signature: Vec<u8>,
}

impl Made {
    fn new(tokens: u32) -> Result<Made, Failure> {
        let (private, pkcs8) = PrivateKey::generate(Algorithm::Es256)?;
        let jwk = private.public_jwk();
        let key = jwk.public_key().clone();
        let again = PrivateKey::from_pkcs8(Algorithm::Es256, pkcs8.expose())?;
        let signing = SigningKey::new(again, &RsaPool::new(NonZeroUsize::MIN));
        let prefix = CompactPrefix::of(&signing, ACCESS_TOKEN_TYPE);
        let tokens = (0..tokens).map(|number| token(&private, &prefix, number)).collect::<Result<_, _>>()?;
        Ok(Made {
            keys: Arc::new(Jwks::new([jwk])),
            key,
            tokens,
            uri: Uri::from_static("/quotes?client_id=CLI100002"),
            client: ClientId::parse("CLI100002")?,
        })
    }

    fn guard(&self, settings: Settings, marks: MarkView) -> Guard {
        let clock = SystemClock::new();
        let keys = Arc::new(Held { keys: Arc::clone(&self.keys), clock });
        let marks = Arc::new(Followed { marks: RwLock::new(marks), clock });
        Guard::new(settings, keys, marks, Arc::new(clock), &SystemRandom)
    }

    fn verify_all(&self) -> Result<(), Failure> {
        for token in &self.tokens {
            let signed = token.text.rsplit_once('.').map_or("", |(signed, _)| signed);
            self.key.verify(signed.as_bytes(), &token.signature)?;
        }
        Ok(())
    }

    fn check_all(&self, guard: &Guard) -> Result<(), Failure> {
        self.tokens.iter().try_for_each(|token| self.check(guard, token))
    }

    fn check_some(&self, guard: &Guard, some: usize, times: usize) -> Result<(), Failure> {
        self.tokens[..some].iter().cycle().take(times).try_for_each(|token| self.check(guard, token))
    }

    fn hash_some(&self, some: usize, times: usize) -> Result<(), Failure> {
        for token in self.tokens[..some].iter().cycle().take(times) {
            std::hint::black_box(sha256(token.text.as_bytes()));
        }
        Ok(())
    }

    fn check(&self, guard: &Guard, token: &Token) -> Result<(), Failure> {
        let incoming = Incoming::new("GET", &self.uri, &token.headers);
        let checked = now_or_never(guard.check_token(&incoming)).ok_or("it waits")?;
        let checked = checked.map_err(|refusal| format!("refused: {refusal:?}"))?;
        let need = Need::permission(Permission::Trade);
        let acting = checked.acting_for(&self.client, need).map_err(|refusal| format!("{refusal:?}"))?;
        std::hint::black_box(acting);
        Ok(())
    }
}

pub(crate) fn settings() -> Settings {
    match ResourceId::parse(AUDIENCE) {
        Ok(audience) => Settings::new(ISSUER, audience),
        Err(never) => unreachable!("{never}"),
    }
}

fn token(key: &PrivateKey, prefix: &CompactPrefix, number: u32) -> Result<Token, Failure> {
    let trade = Permissions::NONE.with(Permission::Trade);
    let more = trade.with(Permission::ManagePayments);
    let clients = [("CLI100001", more), ("CLI100002", trade), ("CLI100003", more)];
    let groups = group_by_permissions(clients);
    let now = SystemClock::new().now();
    let (contact, jti) = (format!("CON{}", 1_000_000 + number), format!("{number:022}"));
    let claims = AccessTokenClaims {
        issuer: ISSUER,
        contact_id: &contact,
        resource_id: AUDIENCE,
        application_id: "app_k7mq2vd4",
        issued_at: now,
        expires_at: now.plus(3_600),
        token_id: &jti,
        directory_version: 63,
        mandates: &groups,
        bound_to: None,
    };
    let input = compact_input(prefix, &claims.to_json());
    let signature = key.sign(&input)?;
    let text = String::from_utf8(append_signature(input, signature.as_ref()))?;
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {text}"))?);
    Ok(Token { text, headers, signature: signature.as_ref().to_vec() })
}

/// Keys as a guard on the network has them: of a certain age, which is looked at.
pub(crate) struct Held {
    pub(crate) keys: Arc<Jwks>,
    pub(crate) clock: SystemClock,
}

impl KeySource for Held {
    fn current(&self) -> Option<Arc<Jwks>> {
        (self.clock.elapsed() < LONGEST).then(|| Arc::clone(&self.keys))
    }

    fn refetch<'a>(&'a self, _: &'a Arc<Jwks>) -> Refetch<'a> {
        Box::pin(std::future::ready(()))
    }
}

/// As many marks as a guard has room for, none of which hits, behind a lock, and how old they are.
pub(crate) struct Followed {
    pub(crate) marks: RwLock<MarkView>,
    pub(crate) clock: SystemClock,
}

impl MarkSource for Followed {
    fn generation(&self) -> Option<u64> {
        (self.clock.elapsed() < LONGEST).then_some(1)
    }

    fn hits(&self, subjects: &[MarkSubject], dv: u64) -> bool {
        self.marks.read().unwrap_or_else(PoisonError::into_inner).hits(subjects, dv)
    }
}

/// Longer than a measurement.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn now_or_never<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

pub(crate) fn timed(work: impl FnOnce() -> Result<(), Failure>) -> Result<Duration, Failure> {
    let before = thread_cpu();
    work()?;
    Ok(thread_cpu().saturating_sub(before))
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
