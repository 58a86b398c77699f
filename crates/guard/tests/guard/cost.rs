//! What a check costs beside the verification itself. A look, not a promise: `cargo xtask bench` measures.

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, Uri};
use procura_guard::{ClientId, Guard, Incoming, Need, Permission, ResourceId, Settings};
use procura_jose::digest::sha256;
use procura_jose::marks::token_subjects;
use procura_jose::{Expect, verify_jwt};
use procura_protocol::access_token::AccessToken;
use procura_protocol::mark::MarkKind;

use crate::fake::{AUDIENCE, Constant, ISSUER, Marks, START, SetKeys, Signer, TestClock, mark};

#[expect(clippy::disallowed_methods, reason = "this is a measurement")]
fn timed(each: &mut dyn FnMut()) -> Duration {
    let began = Instant::now();
    each();
    began.elapsed()
}

/// The fastest of many runs: others use this machine too.
fn fastest(runs: usize, mut each: impl FnMut()) -> f64 {
    let best = (0..runs).map(|_| timed(&mut each)).min().unwrap();
    best.as_nanos() as f64 / 1_000.0
}

#[test]
#[ignore = "a measurement; run it alone, optimised, with --nocapture"]
fn what_a_check_costs() {
    for clients in [1, 4, 64] {
        let signer = Signer::new();
        let keys = signer.keys();
        let marks = Arc::new(Marks::default());
        marks.add(&mark(MarkKind::Client, &["CLI9999"], 9));
        let mut settings = Settings::new(ISSUER, ResourceId::parse(AUDIENCE).unwrap());
        // Full after a few hundred, as it is after an hour of service.
        settings.cache_bytes = 512 * 1024;
        let sources = Arc::new(SetKeys::new(Some(keys.clone())));
        let clock = Arc::new(TestClock::at(START));
        let guard = Guard::new(settings, sources, marks, clock, &Constant(1));
        let tokens: Vec<(String, HeaderMap)> = (0..1_000).map(|no| request(&signer, no, clients)).collect();
        let (first, headers) = &tokens[0];
        let key = &keys.keys()[0];
        let mut signed = tokens.iter().map(|(token, _)| {
            let (signed, signature) = token.rsplit_once('.').unwrap();
            (signed, procura_jose::base64url::decode(signature).unwrap())
        });
        let mut raws: Vec<_> = signed.by_ref().collect();
        let mut raw_of = raws.drain(..);
        // Each signature once: a processor learns the way through one that it sees again.
        let raw = fastest(tokens.len(), || {
            let (signed, signature) = raw_of.next().unwrap();
            key.public_key().verify(signed.as_bytes(), &signature).unwrap();
        });
        let hash = fastest(2_000, || {
            black_box(sha256(first.as_bytes()));
        });
        let expect = Expect { typ: "at+jwt", algorithms: &guard.settings().algorithms };
        let mut next = tokens.iter();
        let jwt = fastest(tokens.len(), || {
            drop(verify_jwt::<AccessToken>(&next.next().unwrap().0, &keys, &expect).unwrap());
        });
        let read: AccessToken = verify_jwt(first, &keys, &expect).unwrap().into_claims();
        let subjects = fastest(2_000, || drop(black_box(token_subjects(&read, "kid"))));
        println!("subjects {subjects:.2}");
        let mut next = tokens.iter();
        let fresh = fastest(tokens.len(), || check(&guard, &next.next().unwrap().1));
        let repeated = fastest(2_000, || check(&guard, headers));
        println!(
            "{clients} clients, {} bytes: raw {raw:.2}, sha256 {hash:.2}, verify_jwt {jwt:.2}, fresh {fresh:.2} ({:.0} %), \
             repeated {repeated:.2} (beyond sha256 {:.2}) us",
            first.len(),
            100.0 * raw / fresh,
            repeated - hash
        );
    }
}

fn request(signer: &Signer, no: usize, clients: usize) -> (String, HeaderMap) {
    let clients: Vec<String> = (0..clients).map(|no| format!("\"CLI{no:06}\"")).collect();
    let claims = format!(
        r#"{{"iss":"{ISSUER}","sub":"CON1","aud":"{AUDIENCE}","iat":{START},"exp":{},"jti":"{no:022}","client_id":"app_1",
        "scope":"openid","act":{{"sub":"app_1"}},"acr":"urn:procura:acr:unattended","dv":7,
        "mandates":[{{"clients":[{}],"permissions":["can_manage_payments","can_trade"]}}]}}"#,
        START + 3_600,
        clients.join(",")
    );
    let token = signer.sign(claims.as_bytes());
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    (token, headers)
}

fn check(guard: &Guard, headers: &HeaderMap) {
    let uri = Uri::from_static("/quotes?client_id=CLI000000");
    let incoming = Incoming::new("GET", &uri, headers);
    let checking = pin!(guard.check_token(&incoming));
    let Poll::Ready(token) = checking.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("a known key needs no waiting")
    };
    let client = ClientId::parse("CLI000000").unwrap();
    black_box(token.unwrap().acting_for(&client, Need::permission(Permission::Trade)).unwrap());
}
