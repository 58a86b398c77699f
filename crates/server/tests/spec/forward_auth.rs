//! Forward auth (`docs/forward-auth.md`): what a proxy is told about a request.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Builder;
use http::{Method, Request};
use procura_engine::limits::PerMinute;
use procura_http::connection::Peer;
use procura_http::forward_auth::{
    BaseUrl, Callers, CertificateHeader, ClientPlace, IDENTITY, Methods, Need, Pattern, Policy, Rule, Source,
};
use procura_jose::digest::sha256;
use procura_protocol::ids::ResourceId;
use procura_protocol::mark::MarkKind;
use procura_protocol::paths;
use procura_protocol::permission::Permission;
use procura_store::Clock as _;
use procura_store::records::{SecretHash, Version};
use procura_testkit::world::{APPLICATION, CONTACT, OTHER_RESOURCE, RESOURCE};
use procura_testkit::{Answer, TestApp, World};

use crate::openapi::assert_described;

pub(crate) const PROXY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);
pub(crate) const RESOURCE_SECRET: &str = "pcs_resource";

fn policy(name: &str, source: Source) -> Policy {
    let rule = |methods: &[&str], path: &str, need: Need| Rule {
        methods: Methods::of(methods.iter().copied()).unwrap(),
        path: Pattern::parse(path).unwrap(),
        need,
    };
    Policy {
        name: name.into(),
        audience: None,
        source,
        client: ClientPlace::default(),
        certificate: None,
        reached_at: Vec::new(),
        callers: Callers { from: vec!["192.0.2.0/24".parse().unwrap()], credential: false },
        rules: vec![
            rule(&["GET"], "/quotes/**", Need::READING),
            rule(&["POST"], "/quotes", Need::permission(Permission::Trade)),
            rule(&[], "/payments", Need::permission(Permission::AuthorisePayments)),
            rule(&[], "/payments/{id}", Need::READING.of_a_person()),
        ],
    }
}

/// A server with a policy for each source, and some that differ in one thing.
pub(crate) fn app() -> TestApp {
    limited(PerMinute::default())
}

/// The same with limits.
pub(crate) fn limited(limits: PerMinute) -> TestApp {
    let with = |name: &str, change: fn(&mut Policy)| {
        let mut policy = policy(name, Source::XOriginal);
        change(&mut policy);
        policy
    };
    let policies = vec![
        policy("original", Source::XOriginal),
        policy("forwarded", Source::XForwarded),
        policy("line", Source::RequestLine),
        with("other", |policy| policy.audience = Some(ResourceId::parse(OTHER_RESOURCE).unwrap())),
        with("other_reached", |policy| {
            policy.audience = Some(ResourceId::parse(OTHER_RESOURCE).unwrap());
            policy.reached_at = vec![BaseUrl::parse("https://payments.example").unwrap()];
        }),
        with("elsewhere", |policy| policy.callers.from = vec!["198.51.100.0/24".parse().unwrap()]),
        with("nobody", |policy| policy.callers = Callers::default()),
        with("credential", |policy| policy.callers = Callers { from: Vec::new(), credential: true }),
        with("both", |policy| policy.callers.credential = true),
        with("certificate", |policy| policy.certificate = Some(CertificateHeader::client_cert())),
        with("reached", |policy| {
            policy.certificate = Some(CertificateHeader::client_cert());
            policy.reached_at = ["https://quotes.example", "https://other.example/bank"]
                .map(|url| BaseUrl::parse(url).unwrap())
                .into();
        }),
        with("header", |policy| policy.client = ClientPlace::header("X-Client-ID").unwrap()),
        with("path", |policy| {
            policy.client = ClientPlace::path(Pattern::parse("/quotes/{client_id}").unwrap()).unwrap();
        }),
    ];
    let mut world = World::default();
    for resource in &mut world.resources {
        resource.secrets =
            vec![SecretHash(sha256(format!("{RESOURCE_SECRET}{}", resource.no.0).as_bytes())).into()];
    }
    TestApp::with_policies(
        &world,
        &[procura_jose::Algorithm::Es256],
        |settings| settings.limits = limits,
        policies,
    )
}

pub(crate) async fn token(app: &TestApp) -> String {
    app.token().await.text("access_token")
}

/// A question of the proxy about a `GET` of the first client's quotes.
pub(crate) fn asking(token: &str) -> Builder {
    about("original", ("GET", "/quotes/EUR?client_id=cli.alder"), token)
}

pub(crate) fn about(policy: &str, (method, uri): (&str, &str), token: &str) -> Builder {
    bare(&format!("/forward-auth/{policy}"), token)
        .header("X-Original-Method", method)
        .header("X-Original-URI", uri)
}

/// A question without anything about the original request.
pub(crate) fn bare(path: &str, token: &str) -> Builder {
    Request::get(path).extension(Peer(IpAddr::V4(PROXY))).header(AUTHORIZATION, format!("Bearer {token}"))
}

pub(crate) async fn ask(app: &TestApp, request: Builder) -> Answer {
    app.send(request.body(Body::empty()).unwrap()).await
}

#[track_caller]
pub(crate) fn assert_let_through(answer: &Answer, client: &str) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("procura-client"), client);
    assert!(answer.body.is_empty());
}

/// A refusal that tells nobody who the token is of.
#[track_caller]
pub(crate) fn assert_stopped(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header(CACHE_CONTROL.as_str()), "no-store");
    assert!(IDENTITY.iter().all(|name| !answer.headers.contains_key(name)), "{answer:?}");
    if code.is_empty() {
        assert!(answer.body.is_empty(), "{answer:?}");
    } else {
        assert_eq!(answer.text("code"), code);
    }
}

#[tokio::test]
async fn a_request_that_may_pass_is_200_with_who_acts_for_whom() {
    let app = app();
    let answer = ask(&app, asking(&token(&app).await)).await;
    assert_let_through(&answer, "cli.alder");
    let expires = app.clock.now().seconds().plus(3600).0;
    let expected = [
        ("procura-contact", CONTACT),
        ("procura-application", APPLICATION),
        ("procura-permissions", "can_authorise_payments can_trade"),
        ("procura-presence", "no-person"),
        ("procura-token-expires", &expires.to_string()),
        ("cache-control", "no-store"),
    ];
    for (name, value) in expected {
        assert_eq!(answer.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn without_permissions_the_header_is_there_and_empty() {
    let app = app();
    let request = about("original", ("GET", "/quotes/?client_id=cli.cedar"), &token(&app).await);
    let answer = ask(&app, request).await;
    assert_let_through(&answer, "cli.cedar");
    assert_eq!(answer.headers["procura-permissions"], "");
}

#[tokio::test]
async fn any_method_of_the_question_is_answered_and_the_original_one_counts() {
    let app = app();
    let token = token(&app).await;
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = ask(&app, asking(&token).method(method.clone())).await;
        assert_eq!(answer.status, 200, "{method}");
    }
    for (method, status) in [("GET", 200), ("HEAD", 200), ("PUT", 403), ("DELETE", 403), ("get", 403)] {
        let answer = ask(&app, about("original", (method, "/quotes/?client_id=cli.alder"), &token)).await;
        assert_eq!(answer.status, status, "{method}");
    }
    for (method, status) in [("GET", 200), ("PUT", 403)] {
        let request = bare("/forward-auth/line/quotes/?client_id=cli.alder", &token);
        assert_eq!(ask(&app, request.method(method)).await.status, status, "{method}");
    }
}

#[tokio::test]
async fn the_body_of_a_question_is_not_read() {
    let app = app();
    let request = asking(&token(&app).await).method("POST").body(Body::new(Never)).unwrap();
    assert_eq!(app.send(request).await.status, 200);
}

/// A body that is announced and never comes.
struct Never;

impl http_body::Body for Never {
    type Data = axum::body::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn each_policy_has_one_source_and_looks_at_no_other() {
    let app = app();
    let token = token(&app).await;
    let (right, wrong) = ("/quotes/?client_id=cli.alder", "/quotes/?client_id=cli.foreign");
    let all = |path: &str, (original, forwarded): (&str, &str)| {
        bare(path, &token)
            .header("X-Original-Method", "GET")
            .header("X-Original-URI", original)
            .header("X-Forwarded-Method", "GET")
            .header("X-Forwarded-Uri", forwarded)
    };
    let original = ask(&app, all(&format!("/forward-auth/original?{wrong}"), (right, wrong))).await;
    assert_let_through(&original, "cli.alder");
    let forwarded = ask(&app, all("/forward-auth/forwarded", (wrong, right))).await;
    assert_let_through(&forwarded, "cli.alder");
    let line = ask(&app, all(&format!("/forward-auth/line{right}"), (wrong, wrong))).await;
    assert_let_through(&line, "cli.alder");
    for (path, uris) in [
        ("/forward-auth/original".to_owned(), (wrong, right)),
        ("/forward-auth/forwarded".to_owned(), (right, wrong)),
        (format!("/forward-auth/line{wrong}"), (right, right)),
    ] {
        assert_stopped(&ask(&app, all(&path, uris)).await, 403, "client_not_allowed");
    }
}

#[tokio::test]
async fn a_header_of_the_source_that_is_missing_or_repeated_is_403() {
    let app = app();
    let token = token(&app).await;
    let uri = "/quotes/?client_id=cli.alder";
    let questions = [
        bare("/forward-auth/original", &token),
        bare("/forward-auth/original", &token).header("X-Original-Method", "GET"),
        bare("/forward-auth/original", &token).header("X-Original-URI", uri),
        asking(&token).header("X-Original-URI", uri),
        asking(&token).header("X-Original-Method", "GET"),
        bare("/forward-auth/forwarded", &token).header("X-Forwarded-Method", "GET"),
        about("forwarded", ("GET", uri), &token),
        about("line", ("GET", uri), &token),
        bare(&format!("/forward-auth/original{uri}"), &token)
            .header("X-Original-Method", "GET")
            .header("X-Original-URI", uri),
    ];
    for question in questions {
        assert_stopped(&ask(&app, question).await, 403, "unclear_request");
    }
}

#[tokio::test]
async fn a_uri_that_can_be_read_in_two_ways_is_403() {
    let app = app();
    let token = token(&app).await;
    for path in [
        "/quotes/../payments",
        "/quotes/%2e%2e/payments",
        "/quotes/%2E./payments",
        "/quotes//EUR",
        "//quotes/",
        "/quotes/a%2fb",
        "/quotes/a%5Cb",
        "/quotes/a\\b",
        "/quotes/a;b",
        "/quotes/a%00",
        "/quotes/a%252e",
        "/quotes/%ff",
        "/quotes/a%",
        "/quotes/a#",
        "http://user@host/quotes/",
        "quotes/",
        "*",
    ] {
        let uri = format!("{path}?client_id=cli.alder");
        assert_stopped(&ask(&app, about("original", ("GET", &uri), &token)).await, 403, "unclear_request");
    }
    let long = format!("/quotes/{}?client_id=cli.alder", "a".repeat(8 * 1024));
    assert_stopped(&ask(&app, about("original", ("GET", &long), &token)).await, 403, "unclear_request");
    for rest in ["/quotes/../payments", "/quotes/%2e%2e/x", "//quotes/", "/../original", "/quotes/a%2fb"] {
        let path = format!("/forward-auth/line{rest}?client_id=cli.alder");
        assert_stopped(&ask(&app, bare(&path, &token)).await, 403, "unclear_request");
    }
}

#[tokio::test]
async fn a_client_that_is_missing_or_not_the_token_s_is_403() {
    let app = app();
    let token = token(&app).await;
    for query in
        ["", "?client_id", "?client_id=", "?client_id=cli.foreign", "?client_id=a+b", "?CLIENT_ID=cli.alder"]
    {
        let uri = format!("/quotes/{query}");
        assert_stopped(&ask(&app, about("original", ("GET", &uri), &token)).await, 403, "client_not_allowed");
    }
}

#[tokio::test]
async fn a_second_client_anywhere_is_403_even_if_it_is_the_same() {
    let app = app();
    let token = token(&app).await;
    for also in [
        "client_id=cli.alder",
        "client%5Fid=cli.alder",
        "Client_Id=cli.alder",
        "client_id[]=x",
        "a=b;client_id=x",
    ] {
        let uri = format!("/quotes/?client_id=cli.alder&{also}");
        assert_stopped(&ask(&app, about("original", ("GET", &uri), &token)).await, 403, "unclear_request");
    }
    let header = asking(&token).header("X-Client-ID", "cli.alder");
    assert_stopped(&ask(&app, header).await, 403, "unclear_request");
    let in_query =
        about("header", ("GET", "/quotes/?client_id=cli.alder"), &token).header("X-Client-ID", "cli.alder");
    assert_stopped(&ask(&app, in_query).await, 403, "unclear_request");
    let twice = about("header", ("GET", "/quotes/"), &token)
        .header("X-Client-ID", "cli.alder")
        .header("X-Client-ID", "cli.alder");
    assert_stopped(&ask(&app, twice).await, 403, "unclear_request");
    let in_both = about("path", ("GET", "/quotes/cli.alder?client_id=cli.alder"), &token);
    assert_stopped(&ask(&app, in_both).await, 403, "unclear_request");
}

#[tokio::test]
async fn a_client_is_found_in_a_header_or_in_the_path() {
    let app = app();
    let token = token(&app).await;
    let header = about("header", ("GET", "/quotes/"), &token).header("X-Client-ID", "cli.birch");
    assert_let_through(&ask(&app, header).await, "cli.birch");
    let path = about("path", ("GET", "/quotes/cli.birch"), &token);
    assert_let_through(&ask(&app, path).await, "cli.birch");
    let without = about("path", ("GET", "/quotes/"), &token);
    assert_stopped(&ask(&app, without).await, 403, "client_not_allowed");
}

#[tokio::test]
async fn the_first_rule_that_fits_says_what_is_needed() {
    let app = app();
    let token = token(&app).await;
    let cases = [
        (("POST", "/quotes?client_id=cli.birch"), 200, ""),
        (("POST", "/quotes?client_id=cli.cedar"), 403, "insufficient_permission"),
        (("PUT", "/payments?client_id=cli.alder"), 200, ""),
        (("PUT", "/payments?client_id=cli.birch"), 403, "insufficient_permission"),
        (("GET", "/payments/1?client_id=cli.alder"), 403, "person_required"),
        (("GET", "/other?client_id=cli.alder"), 403, "no_rule"),
        (("POST", "/quotes/EUR?client_id=cli.alder"), 403, "no_rule"),
        (("POST", "/quotes/?client_id=cli.alder"), 403, "no_rule"),
        (("POST", "/Quotes?client_id=cli.alder"), 403, "no_rule"),
    ];
    for (original, status, code) in cases {
        let answer = ask(&app, about("original", original, &token)).await;
        if status == 200 {
            assert_eq!(answer.status, 200, "{original:?}");
        } else {
            assert_stopped(&answer, status, code);
        }
    }
    let lacking = ask(&app, about("original", ("PUT", "/payments?client_id=cli.birch"), &token)).await;
    assert!(lacking.header(WWW_AUTHENTICATE.as_str()).contains("insufficient_scope"));
}

#[tokio::test]
async fn a_request_for_another_method_in_disguise_is_403() {
    let app = app();
    let token = token(&app).await;
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        assert_stopped(&ask(&app, asking(&token).header(name, "POST")).await, 403, "unclear_request");
    }
    let parameter = about("original", ("GET", "/quotes/?client_id=cli.alder&_method=POST"), &token);
    assert_stopped(&ask(&app, parameter).await, 403, "unclear_request");
}

#[tokio::test]
async fn without_a_good_token_it_is_401_with_the_resource_s_challenge() {
    let app = app();
    let good = token(&app).await;
    let id_token = app.token().await.text("id_token");
    let challenge = format!("Bearer realm=\"{RESOURCE}\"");
    let without = asking("").body(Body::empty()).map(|mut request| {
        request.headers_mut().remove(AUTHORIZATION);
        request
    });
    let answer = app.send(without.unwrap()).await;
    assert_stopped(&answer, 401, "");
    assert_eq!(answer.header(WWW_AUTHENTICATE.as_str()), challenge);
    for bad in [&id_token, "a.b.c", &good[..good.len() - 4]] {
        let answer = ask(&app, asking(bad)).await;
        assert_stopped(&answer, 401, "");
        assert!(answer.header(WWW_AUTHENTICATE.as_str()).contains("invalid_token"));
    }
    let for_another = ask(&app, about("other", ("GET", "/quotes/?client_id=cli.alder"), &good)).await;
    assert_stopped(&for_another, 401, "");
    assert!(
        for_another
            .header(WWW_AUTHENTICATE.as_str())
            .starts_with(&format!("Bearer realm=\"{OTHER_RESOURCE}\""))
    );
}

#[tokio::test]
async fn what_is_malformed_is_403_because_a_proxy_passes_no_400_on() {
    let app = app();
    let token = token(&app).await;
    let questions = [
        asking(&token).header(AUTHORIZATION, format!("Bearer {token}")),
        asking(&format!("{token} {token}")),
        asking(&token).header("X-Contact-ID", CONTACT).header("X-Contact-ID", CONTACT),
        about("original", ("GET", &format!("/quotes/?client_id=cli.alder&access_token={token}")), &token),
        about("original", ("GET", "/quotes/?client_id=cli.alder&access%5Ftoken="), &token),
    ];
    for question in questions {
        assert_stopped(&ask(&app, question).await, 403, "invalid_request");
    }
    let other = asking(&token).header("X-Contact-ID", "con.ben");
    assert_stopped(&ask(&app, other).await, 403, "contact_mismatch");
    assert_let_through(&ask(&app, asking(&token).header("X-Contact-ID", CONTACT)).await, "cli.alder");
}

#[tokio::test]
async fn a_revoked_token_is_401_at_once_and_so_is_an_expired_one() {
    let app = app();
    let good = token(&app).await;
    assert_let_through(&ask(&app, asking(&good)).await, "cli.alder");
    app.store.mark(MarkKind::Contact, (CONTACT, None), Version(8));
    assert_stopped(&ask(&app, asking(&good)).await, 401, "");
    let app = self::app();
    let good = token(&app).await;
    assert_let_through(&ask(&app, asking(&good)).await, "cli.alder");
    app.clock.advance(Duration::from_secs(3606));
    assert_stopped(&ask(&app, asking(&good)).await, 401, "");
}

#[tokio::test]
async fn while_the_directory_can_not_be_confirmed_it_is_503_and_never_200() {
    let app = app();
    let good = token(&app).await;
    assert_let_through(&ask(&app, asking(&good)).await, "cli.alder");
    app.store.make_stale();
    let answer = ask(&app, asking(&good)).await;
    assert_stopped(&answer, 503, "temporarily_unavailable");
    assert_eq!(answer.header(RETRY_AFTER.as_str()), "1");
}

#[tokio::test]
async fn every_answer_to_a_proxy_is_described() {
    let app = app();
    let token = token(&app).await;
    let question = |(method, uri): (&str, &str)| about("original", (method, uri), &token);
    let questions = [
        asking(&token),
        asking("a.b.c"),
        question(("POST", "/quotes?client_id=cli.cedar")),
        question(("POST", "/other?client_id=cli.alder")),
        question(("GET", "//?client_id=cli.alder")),
        question(("GET", "/quotes?access_token=x")),
        question(("GET", "/quotes")),
        about("unknown", ("GET", "/quotes?client_id=cli.alder"), &token),
    ];
    for question in questions {
        assert_described("get", paths::FORWARD_AUTH, &ask(&app, question).await);
    }
    app.store.make_stale();
    assert_described("get", paths::FORWARD_AUTH, &ask(&app, asking(&token)).await);
}

#[tokio::test]
async fn the_shapes_in_which_proxies_ask_are_understood() {
    let app = app();
    let token = token(&app).await;
    let traefik = bare("/forward-auth/forwarded", &token)
        .header("X-Forwarded-Method", "POST")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "quotes.example")
        .header("X-Forwarded-Uri", "/quotes?client_id=cli.alder")
        .header("X-Forwarded-For", "203.0.113.9");
    assert_let_through(&ask(&app, traefik).await, "cli.alder");
    let envoy = bare("/forward-auth/line/quotes?client_id=cli.alder", &token)
        .method("POST")
        .header("X-Envoy-Internal", "true")
        .header("X-Forwarded-For", "203.0.113.9")
        .header(CONTENT_LENGTH, "0");
    assert_let_through(&ask(&app, envoy).await, "cli.alder");
}
