//! Tokens that are bound to a key (RFC 9449 7), through the layer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, Request, StatusCode};
use procura_guard::{
    ActingFor, BaseUrl, CanTrade, DpopFault, Guard, PeerCertificate, Refusal, ResourceId, Settings,
    TokenFault,
};
use procura_protocol::confirmation::Binding;
use procura_protocol::mark::MarkKind;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::fake::{AUDIENCE, Constant, ISSUER, Marks, START, SetKeys, Signer, TestClock, mark};
use crate::prover::Prover;

const TRADE: &str = "/trade?client_id=CLI1";

struct Setting {
    signer: Signer,
    prover: Prover,
    token: String,
    marks: Arc<Marks>,
    clock: Arc<TestClock>,
    guard: Guard,
    calls: Arc<AtomicUsize>,
}

fn setting() -> Setting {
    setting_with(|_| {})
}

fn setting_with(change: impl FnOnce(&mut Settings)) -> Setting {
    let setting = setting_after_another(change);
    setting.guard.nothing_was_used_before();
    setting
}

/// One that does not know what a guard before it was shown.
fn setting_after_another(change: impl FnOnce(&mut Settings)) -> Setting {
    let (signer, prover) = (Signer::new(), Prover::new());
    let keys = Arc::new(SetKeys::new(Some(signer.keys())));
    let (marks, clock) = (Arc::new(Marks::default()), Arc::new(TestClock::at(START)));
    let mut settings = Settings::new(ISSUER, ResourceId::parse(AUDIENCE).unwrap());
    settings.reached_at = vec![BaseUrl::parse(AUDIENCE).unwrap()];
    change(&mut settings);
    let guard = Guard::new(settings, keys, marks.clone(), clock.clone(), &Constant(1));
    let token = signer.bound(Binding::Key(prover.thumbprint()));
    Setting { signer, prover, token, marks, clock, guard, calls: Arc::default() }
}

/// What came back.
#[derive(Debug)]
struct Came {
    status: StatusCode,
    headers: HeaderMap,
}

impl Came {
    fn challenges(&self) -> Vec<&str> {
        self.headers.get_all(WWW_AUTHENTICATE).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// `error` of the one challenge, and its scheme.
    #[track_caller]
    fn error(&self) -> (&str, &str) {
        let [challenge] = self.challenges()[..] else { panic!("{:?}", self.challenges()) };
        let (scheme, rest) = challenge.split_once(' ').unwrap();
        let (_, rest) = rest.split_once(" error=\"").unwrap_or(("", "\""));
        (scheme, rest.split_once('"').unwrap().0)
    }

    fn nonce(&self) -> Option<&str> {
        self.headers.get("dpop-nonce").map(|nonce| nonce.to_str().unwrap())
    }
}

impl Setting {
    async fn call(&self, authorization: &str, proofs: &[&str]) -> Came {
        self.call_as("GET", TRADE, authorization, proofs).await
    }

    async fn call_as(&self, method: &str, target: &str, authorization: &str, proofs: &[&str]) -> Came {
        let mut request =
            Request::builder().method(method).uri(target).header("authorization", authorization);
        for proof in proofs {
            request = request.header("dpop", *proof);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn send(&self, request: Request<Body>) -> Came {
        let calls = Arc::clone(&self.calls);
        let trade = move |_: ActingFor<CanTrade>| async move {
            calls.fetch_add(1, Ordering::SeqCst);
        };
        let app = Router::new().route("/trade", get(trade.clone()).post(trade)).layer(self.guard.layer());
        let before = self.calls.load(Ordering::SeqCst);
        let (parts, _) = app.oneshot(request).await.unwrap().into_parts();
        let called = self.calls.load(Ordering::SeqCst) - before;
        assert_eq!(called, usize::from(parts.status == 200), "{parts:?}");
        Came { status: parts.status, headers: parts.headers }
    }

    fn dpop(&self) -> String {
        format!("DPoP {}", self.token)
    }

    /// The answer to a proof that differs in one claim.
    async fn changed(&self, name: &str, value: impl Into<Value>) -> Came {
        let mut claims = Prover::claims(&self.token, "changed");
        claims[name] = value.into();
        self.call(&self.dpop(), &[&self.prover.sign(&claims)]).await
    }
}

#[track_caller]
fn assert_refused(came: &Came, scheme: &str, error: &str) {
    assert_eq!((came.status, came.error()), (StatusCode::UNAUTHORIZED, (scheme, error)), "{came:?}");
    assert_eq!(came.challenges()[0].contains("algs=\"ES256 PS256 EdDSA\""), scheme == "DPoP");
}

#[tokio::test(start_paused = true)]
async fn a_token_passes_with_a_proof_of_its_key_for_this_request_and_each_proof_once() {
    let setting = setting();
    let (first, second) =
        (setting.prover.proof(&setting.token, "1"), setting.prover.proof(&setting.token, "2"));
    assert_eq!(setting.call(&setting.dpop(), &[&first]).await.status, 200);
    let again = setting.call(&setting.dpop(), &[&first]).await;
    assert_refused(&again, "DPoP", "invalid_dpop_proof");
    assert_eq!(setting.call(&setting.dpop(), &[&second]).await.status, 200);
    assert_eq!(setting.call(&format!("dpop {}", setting.token), &[&second]).await.status, 401);
    let refused: Vec<_> = setting.guard.refused_proofs().filter(|(_, count)| *count > 0).collect();
    assert_eq!(refused, [(DpopFault::Replayed, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_proof_that_is_missing_doubled_or_of_something_else_is_none() {
    let setting = setting();
    let (dpop, proof) = (setting.dpop(), setting.prover.proof(&setting.token, "1"));
    let longer = format!("{proof}A");
    let wrong: [&[&str]; 6] = [&[], &[&proof, &proof], &[""], &["a.b.c"], &[&longer], &[&proof[1..]]];
    for proofs in wrong {
        let came = setting.call(&dpop, proofs).await;
        assert_refused(&came, "DPoP", "invalid_dpop_proof");
    }
    for (name, value) in [
        ("htm", json!("POST")),
        ("htm", json!("get")),
        ("htu", json!(format!("{AUDIENCE}/rates"))),
        ("htu", json!("https://other.example/trade")),
        ("htu", json!("http://bank.example/trade")),
        ("htu", json!("/trade")),
        ("iat", json!(START + 11)),
        ("jti", json!("")),
        ("ath", json!("")),
        ("ath", json!(null)),
        ("ath", json!("bfV4ZHyuVUXMuVzQvkLCTBSIBh0VWCcCWJsc1T9vCBs")),
    ] {
        assert_refused(&setting.changed(name, value).await, "DPoP", "invalid_dpop_proof");
    }
    // None of them used it up.
    assert_eq!(setting.call(&dpop, &[&proof]).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_query_and_another_spelling_of_the_url_make_no_difference_and_another_method_does() {
    let setting = setting();
    for (htu, jti) in [("https://BANK.example:443/trade?a=b#c", "1"), ("HTTPS://bank.example/%74rade", "2")] {
        let mut claims = Prover::claims(&setting.token, jti);
        claims["htu"] = htu.into();
        let proof = setting.prover.sign(&claims);
        assert_eq!(setting.call(&setting.dpop(), &[&proof]).await.status, 200, "{htu}");
    }
    let proof = setting.prover.proof(&setting.token, "3");
    let came = setting.call_as("POST", TRADE, &setting.dpop(), &[&proof]).await;
    assert_refused(&came, "DPoP", "invalid_dpop_proof");
}

#[tokio::test(start_paused = true)]
async fn a_stolen_token_is_worth_nothing_with_a_key_of_the_thiefs() {
    let setting = setting();
    let (thief, mine) = (Prover::new(), setting.prover.proof(&setting.token, "1"));
    let came = setting.call(&setting.dpop(), &[&thief.proof(&setting.token, "1")]).await;
    assert_refused(&came, "DPoP", "invalid_token");
    let came = setting.call(&format!("Bearer {}", setting.token), &[&mine]).await;
    assert_eq!((came.status, came.challenges().len()), (StatusCode::UNAUTHORIZED, 2));
    assert!(came.challenges()[0].contains("error=\"invalid_token\""), "{came:?}");
    assert!(came.challenges()[1].starts_with("DPoP realm="), "{came:?}");
    assert_eq!(setting.call(&setting.dpop(), &[&mine]).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_bound_to_no_key_does_not_become_better_by_a_proof() {
    let setting = setting();
    let plain = setting.signer.token();
    let certificate = PeerCertificate::of_der(b"der").thumbprint();
    let certified = setting.signer.bound(Binding::Certificate(certificate));
    for token in [plain, certified] {
        let proof = setting.prover.proof(&token, "1");
        let came = setting.call(&format!("DPoP {token}"), &[&proof]).await;
        assert_refused(&came, "DPoP", "invalid_token");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_of_a_certificate_and_a_key_needs_both() {
    let mut setting = setting();
    let held = PeerCertificate::of_der(b"der");
    setting.token =
        setting.signer.bound(Binding::CertificateAndKey(held.thumbprint(), setting.prover.thumbprint()));
    let proof = setting.prover.proof(&setting.token, "1");
    assert_refused(&setting.call(&setting.dpop(), &[&proof]).await, "DPoP", "invalid_token");
    let with = |scheme: &str, proof: &str, certificate: PeerCertificate| {
        Request::get(TRADE)
            .header("authorization", format!("{scheme} {}", setting.token))
            .header("dpop", proof)
            .extension(certificate)
            .body(Body::empty())
            .unwrap()
    };
    let other = setting.send(with("DPoP", &proof, PeerCertificate::of_der(b"other"))).await;
    assert_refused(&other, "DPoP", "invalid_token");
    assert_eq!(setting.send(with("Bearer", &proof, held)).await.status, 401);
    assert_eq!(setting.send(with("DPoP", &proof, held)).await.status, 200);
    let replayed = setting.send(with("DPoP", &proof, held)).await;
    assert_refused(&replayed, "DPoP", "invalid_dpop_proof");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_uses_up_no_proof() {
    let setting = setting();
    let proof = setting.prover.proof(&setting.token, "1");
    setting.marks.set_fresh(false);
    assert_eq!(setting.call(&setting.dpop(), &[&proof]).await.status, 503);
    setting.marks.set_fresh(true);
    assert_eq!(setting.call(&setting.dpop(), &[&proof]).await.status, 200);
    setting.marks.add(&mark(MarkKind::Contact, &["CON1"], 9));
    let fresh = setting.prover.proof(&setting.token, "2");
    for _ in 0..2 {
        assert_refused(&setting.call(&setting.dpop(), &[&fresh]).await, "DPoP", "invalid_token");
    }
    assert_eq!(setting.guard.refused_proofs().map(|(_, count)| count).sum::<u64>(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_has_not_said_where_it_is_reached_takes_no_token_of_a_key() {
    let setting = setting_with(|settings| settings.reached_at.clear());
    let proof = setting.prover.proof(&setting.token, "1");
    let came = setting.call(&setting.dpop(), &[&proof]).await;
    assert_refused(&came, "DPoP", "invalid_token");
    assert!(came.challenges()[0].contains("not set up to take proofs"), "{came:?}");
    let came = setting.call(&format!("Bearer {}", setting.token), &[&proof]).await;
    assert_refused(&came, "Bearer", "invalid_token");
    // The same guard where somebody said it.
    let reached = BaseUrl::parse(AUDIENCE).unwrap();
    let setting = Setting { guard: setting.guard.at([reached]), ..setting };
    assert_eq!(setting.call(&setting.dpop(), &[&proof]).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_resource_may_be_reached_at_several_urls_and_behind_a_path() {
    let bases = ["https://one.example", "https://two.example/bank/"];
    let bases = bases.map(|base| BaseUrl::parse(base).unwrap());
    let setting = setting_with(|settings| settings.reached_at = bases.to_vec());
    for (htu, expected) in [
        ("https://one.example/trade", 200),
        ("https://two.example/bank/trade", 200),
        ("https://two.example/trade", 401),
        ("https://one.example/bank/trade", 401),
        ("https://bank.example/trade", 401),
    ] {
        let mut claims = Prover::claims(&setting.token, htu);
        claims["htu"] = htu.into();
        // Whatever a caller says about the host.
        let request =
            Request::get(TRADE).header("host", "bank.example").header("forwarded", "host=bank.example");
        let request =
            request.header("authorization", setting.dpop()).header("dpop", setting.prover.sign(&claims));
        let came = setting.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(came.status, expected, "{htu}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_nonces_are_demanded_a_proof_without_one_gets_one_and_so_does_every_answer() {
    let setting = setting_with(|settings| settings.demands_proof_nonces = true);
    let proof = setting.prover.proof(&setting.token, "1");
    let came = setting.call(&setting.dpop(), &[&proof]).await;
    assert_refused(&came, "DPoP", "use_dpop_nonce");
    let nonce = came.nonce().unwrap().to_owned();
    let with_nonce = |jti: &str, nonce: &str| {
        let mut claims = Prover::claims(&setting.token, jti);
        claims["nonce"] = nonce.into();
        setting.prover.sign(&claims)
    };
    let good = setting.call(&setting.dpop(), &[&with_nonce("1", &nonce)]).await;
    assert_eq!((good.status.as_u16(), good.nonce()), (200, Some(&*nonce)));
    let foreign = setting.call(&setting.dpop(), &[&with_nonce("2", "AAAAAAAAAAAAAAAAAAAAAA")]).await;
    assert_refused(&foreign, "DPoP", "use_dpop_nonce");
    // Not of others: it is for whoever proves a key.
    let bearer = setting.call(&format!("Bearer {}", setting.signer.token()), &[]).await;
    assert_eq!((bearer.status.as_u16(), bearer.nonce()), (200, None));
}

#[tokio::test(start_paused = true)]
async fn a_proof_that_can_have_been_used_before_the_guard_began_is_taken_with_a_nonce_only() {
    let setting = setting_after_another(|_| {});
    for made in [START - 1, START, START + 10] {
        let came = setting.changed("iat", made).await;
        assert_refused(&came, "DPoP", "use_dpop_nonce");
        assert!(came.nonce().is_some());
    }
    setting.clock.set_wall_by(60);
    assert_eq!(setting.changed("iat", START + 11).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn who_can_remember_no_more_proofs_says_so_and_takes_none() {
    let setting = setting_with(|settings| settings.proof_capacity = 4);
    let proof = |jti: &str| setting.prover.proof(&setting.token, jti);
    assert_eq!(setting.call(&setting.dpop(), &[&proof("1")]).await.status, 200);
    // A quarter of the room is for one application, whatever key it has.
    let came = setting.call(&setting.dpop(), &[&proof("2")]).await;
    assert_eq!(came.status, 503);
    assert!(came.headers.contains_key("retry-after"));
    assert_refused(&setting.call(&setting.dpop(), &[&proof("1")]).await, "DPoP", "invalid_dpop_proof");
    let other = Prover::new();
    let token = setting.signer.bound(Binding::Key(other.thumbprint()));
    let came = setting.call(&format!("DPoP {token}"), &[&other.proof(&token, "1")]).await;
    assert_eq!(came.status, 503, "another key of the same application makes no room");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_long_passes_on_the_proof_it_came_with_for_as_long_as_its_token_is_in_force() {
    let setting = setting();
    let (guard, marks) = (setting.guard.clone(), Arc::clone(&setting.marks));
    let long = move |request: Request<Body>| async move {
        let (head, _) = request.into_parts();
        assert_eq!(guard.still_passes(&head).await, Ok(()));
        let mut other = head.clone();
        other.headers.insert("authorization", "Bearer a.b.c".parse().unwrap());
        assert!(guard.still_passes(&other).await.is_err());
        marks.add(&mark(MarkKind::Contact, &["CON1"], 9));
        assert_eq!(guard.still_passes(&head).await, Err(Refusal::Token(TokenFault::Revoked)));
        let bare = Request::get("/").body(()).unwrap().into_parts().0;
        assert_eq!(guard.still_passes(&bare).await, Err(Refusal::NoLayer));
    };
    let app = Router::new().route("/trade", get(long)).layer(setting.guard.layer());
    let proof = setting.prover.proof(&setting.token, "1");
    let request = Request::get(TRADE).header("authorization", setting.dpop()).header("dpop", proof);
    assert_eq!(app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_without_a_token_learns_both_ways() {
    let setting = setting();
    let request = Request::get(TRADE).body(Body::empty()).unwrap();
    let came = setting.send(request).await;
    let dpop = format!("DPoP realm=\"{AUDIENCE}\", algs=\"ES256 PS256 EdDSA\"");
    assert_eq!(came.challenges(), [format!("Bearer realm=\"{AUDIENCE}\""), dpop]);
}

#[tokio::test(start_paused = true)]
async fn what_the_token_does_not_give_is_told_in_its_scheme() {
    let setting = setting();
    let proof = setting.prover.proof(&setting.token, "1");
    let came = setting.call_as("GET", "/trade?client_id=CLI2", &setting.dpop(), &[&proof]).await;
    assert_eq!((came.status, came.error()), (StatusCode::FORBIDDEN, ("DPoP", "insufficient_scope")));
}
