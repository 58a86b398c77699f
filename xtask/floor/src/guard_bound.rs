//! What a guard costs for a token that is bound to a key: two signatures to verify, the token's and the proof's, and
//! for a token that it saw before the proof's alone.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use procura_guard::{BaseUrl, Clock, Guard, Incoming, Jwks, SystemClock, SystemRandom};
use procura_jose::digest::sha256;
use procura_jose::{
    Algorithm, CompactPrefix, PrivateKey, PublicKey, append_signature, base64url, compact_input,
};
use procura_protocol::claims::{ACCESS_TOKEN_TYPE, AccessTokenClaims, group_by_permissions};
use procura_protocol::confirmation::{Binding, KeyThumbprint};
use procura_protocol::dpop::{DPOP_HEADER, DPOP_TYPE};
use procura_protocol::permission::{Permission, Permissions};
use serde::Serialize;
use serde_json::json;

use crate::Failure;
use crate::guard::{AUDIENCE, Followed, Held, ISSUER, MARKS, median, now_or_never, settings, timed, view};

/// Applications, each with a key of its own.
const APPLICATIONS: usize = 16;
const TARGET: &str = "https://payments.example/quotes";
const PROOF: HeaderName = HeaderName::from_static(DPOP_HEADER);

/// CPU time of each, the median of several rounds in turn.
#[derive(Serialize)]
pub(crate) struct Figures {
    /// The token's signature and the proof's, with keys that are parsed.
    raw_pair_us: f64,
    /// A token that the guard never saw, with a new proof.
    fresh_check_us: f64,
    /// The proof's signature alone.
    raw_proof_us: f64,
    /// A token that it saw before, with a new proof.
    repeated_check_us: f64,
}

/// Checks so many tokens for the first time, and each of them again, with a new proof each time, in each round.
pub(crate) fn measure(tokens: u32, rounds: u32) -> Result<Figures, Failure> {
    let made = Made::new(tokens.max(1))?;
    let per = |took: Duration| took.as_secs_f64() * 1e6 / made.tokens.len() as f64;
    let (mut pair, mut fresh, mut proof, mut repeated) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rounds.max(1) {
        // Made after the guard, which takes none that may have been used before it began.
        let guard = made.guard();
        let [first, again] = [made.requests()?, made.requests()?];
        pair.push(per(timed(|| first.iter().try_for_each(|request| made.verify(request, true)))?));
        fresh.push(per(timed(|| first.iter().try_for_each(|request| made.check(&guard, request)))?));
        proof.push(per(timed(|| again.iter().try_for_each(|request| made.verify(request, false)))?));
        repeated.push(per(timed(|| again.iter().try_for_each(|request| made.check(&guard, request)))?));
    }
    Ok(Figures {
        raw_pair_us: median(pair),
        fresh_check_us: median(fresh),
        raw_proof_us: median(proof),
        repeated_check_us: median(repeated),
    })
}

struct Made {
    keys: Arc<Jwks>,
    key: PublicKey,
    applications: Vec<Application>,
    tokens: Vec<Signed>,
    uri: Uri,
}

struct Application {
    key: PrivateKey,
    public: PublicKey,
    prefix: CompactPrefix,
}

/// A JWT, and its signature apart.
struct Signed {
    text: String,
    signature: Vec<u8>,
}

struct Request<'m> {
    headers: HeaderMap,
    token: &'m Signed,
    proof: Signed,
    application: &'m Application,
}

impl Made {
    fn new(tokens: u32) -> Result<Made, Failure> {
        let (private, _) = PrivateKey::generate(Algorithm::Es256)?;
        let applications =
            (0..APPLICATIONS).map(|_| Application::new()).collect::<Result<Vec<Application>, Failure>>()?;
        let prefix = CompactPrefix::new(Algorithm::Es256, private.kid(), ACCESS_TOKEN_TYPE);
        let token = |number: u32| {
            let application = &applications[number as usize % APPLICATIONS];
            signed(&private, &prefix, &claims(number, thumbprint(&application.key)?))
        };
        let tokens = (0..tokens).map(token).collect::<Result<_, Failure>>()?;
        let jwk = private.public_jwk();
        Ok(Made {
            key: jwk.public_key().clone(),
            keys: Arc::new(Jwks::new([jwk])),
            tokens,
            applications,
            uri: Uri::from_static("/quotes?client_id=CLI100002"),
        })
    }

    fn guard(&self) -> Guard {
        let clock = SystemClock::new();
        let keys = Arc::new(Held { keys: Arc::clone(&self.keys), clock });
        let marks = Arc::new(Followed { marks: RwLock::new(view(MARKS)), clock });
        let mut settings = settings();
        // All tokens have room, so that those that are checked again are there.
        settings.cache_bytes = 64 << 20;
        settings.reached_at.extend(BaseUrl::parse(AUDIENCE));
        let guard = Guard::new(settings, keys, marks, Arc::new(clock), &SystemRandom);
        // Nobody was shown anything before, and the proofs are made for now.
        guard.nothing_was_used_before();
        guard
    }

    /// A request with each token, and a new proof.
    fn requests(&self) -> Result<Vec<Request<'_>>, Failure> {
        let applications = self.applications.iter().cycle();
        self.tokens.iter().zip(applications).map(|(token, of)| of.request(token)).collect()
    }

    fn verify(&self, request: &Request<'_>, both: bool) -> Result<(), Failure> {
        if both {
            self.key.verify(request.token.message(), &request.token.signature)?;
        }
        request.application.public.verify(request.proof.message(), &request.proof.signature)?;
        Ok(())
    }

    fn check(&self, guard: &Guard, request: &Request<'_>) -> Result<(), Failure> {
        let incoming = Incoming::new("GET", &self.uri, &request.headers);
        let checked = now_or_never(guard.check_token(&incoming)).ok_or("it waits")?;
        std::hint::black_box(checked.map_err(|refusal| format!("refused: {refusal:?}"))?);
        Ok(())
    }
}

impl Application {
    fn new() -> Result<Application, Failure> {
        let (key, _) = PrivateKey::generate(Algorithm::Es256)?;
        let jwk = key.public_jwk();
        let prefix = CompactPrefix::bringing_its_key(&jwk, DPOP_TYPE);
        Ok(Application { key, public: jwk.public_key().clone(), prefix })
    }

    fn request<'m>(&'m self, token: &'m Signed) -> Result<Request<'m>, Failure> {
        let mut jti = [0; 16];
        procura_jose::Random::fill(&SystemRandom, &mut jti);
        let claims = json!({
            "jti": base64url::encode(&jti), "htm": "GET", "htu": TARGET, "iat": SystemClock::new().now().0,
            "ath": base64url::encode(&sha256(token.text.as_bytes())),
        });
        let proof = signed(&self.key, &self.prefix, claims.to_string().as_bytes())?;
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("DPoP {}", token.text))?);
        headers.insert(PROOF, HeaderValue::from_str(&proof.text)?);
        Ok(Request { headers, token, proof, application: self })
    }
}

impl Signed {
    fn message(&self) -> &[u8] {
        self.text.rsplit_once('.').map_or("", |(message, _)| message).as_bytes()
    }
}

fn signed(key: &PrivateKey, prefix: &CompactPrefix, claims: &[u8]) -> Result<Signed, Failure> {
    let input = compact_input(prefix, claims);
    let signature = key.sign(&input)?;
    let text = String::from_utf8(append_signature(input, signature.as_ref()))?;
    Ok(Signed { text, signature: signature.as_ref().to_vec() })
}

fn thumbprint(key: &PrivateKey) -> Result<KeyThumbprint, Failure> {
    Ok(KeyThumbprint::parse(key.public_jwk().thumbprint().as_str())?)
}

fn claims(number: u32, key: KeyThumbprint) -> Vec<u8> {
    let trade = Permissions::NONE.with(Permission::Trade);
    let more = trade.with(Permission::ManagePayments);
    let groups = group_by_permissions([("CLI100001", more), ("CLI100002", trade), ("CLI100003", more)]);
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
        bound_to: Some(Binding::Key(key)),
    };
    claims.to_json()
}
