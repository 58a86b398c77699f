//! `tests/vectors/guard.json` through the whole layer, with a handler that counts how often it is called.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Request};
use http_body_util::BodyExt;
use procura_guard::{
    ActingFor, Anyone, Authority, CanAuthorisePayments, CanMakeSameCurrencyPayments, CanManageBeneficiaries,
    CanManageBeneficiariesGroups, CanManageContacts, CanManageFixForwards, CanManageMultipayments,
    CanManagePayments, CanManagePermissions, CanTrade, CertificateFormat, CertificateHeader, Guard,
    GuardLayer, Jwks, PeerCertificate, Permission, Person, Presence, Reading, Rejection, ResourceId,
    RouteNeed, RoutePresence, Settings,
};
use procura_protocol::mark::MarkKind;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use crate::fake::{Constant, Marks, SetKeys, TestClock, mark};

#[derive(Deserialize)]
struct File {
    issuer: String,
    audience: String,
    realm: String,
    now: i64,
    jwks: Jwks,
    certificates: BTreeMap<String, Certificate>,
    cases: Vec<Case>,
    cut_off: Vec<Case>,
}

#[derive(Deserialize)]
struct Certificate {
    der: String,
    #[serde(rename = "x5t#S256")]
    thumbprint: String,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    group: String,
    #[serde(default)]
    state: Option<String>,
    token: Option<String>,
    request: Sent,
    route: Route,
    marks: Vec<Marked>,
    answer: Expected,
}

#[derive(Deserialize)]
struct Sent {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    certificate: Option<String>,
}

#[derive(Deserialize, Clone)]
struct Route {
    permission: Option<String>,
    person: bool,
}

#[derive(Deserialize)]
struct Marked {
    kind: String,
    ids: Vec<String>,
    version: u64,
}

#[derive(Deserialize)]
struct Expected {
    status: u16,
    error: Option<String>,
    code: Option<String>,
    #[serde(default)]
    acting: Option<Value>,
}

fn file() -> File {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/guard.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn every_case_has_its_answer_and_what_is_refused_reaches_no_handler() {
    let file = file();
    assert!(file.cases.len() >= 150);
    let mut wrong = Vec::new();
    for case in &file.cases {
        let (sources, guard) = guard(&file, case);
        // Three times: as it comes first, from the cache, and after another mark has come.
        for turn in ["first", "again", "after a mark"] {
            if turn == "after a mark" {
                sources.marks.add(&mark(MarkKind::Client, &["CLI9999"], 1_000));
            }
            if let Err(why) = run(&file, &guard, case).await {
                wrong.push(format!("{} ({turn}): {why}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn who_lost_touch_with_the_server_says_so() {
    let file = file();
    assert!(!file.cut_off.is_empty());
    for case in &file.cut_off {
        let (sources, guard) = guard(&file, case);
        match case.state.as_deref() {
            Some("marks_never_synced" | "marks_stale") => sources.marks.set_fresh(false),
            Some("keys_never_fetched" | "keys_stale") => sources.keys.set(None),
            other => panic!("{other:?}"),
        }
        assert_eq!(run(&file, &guard, case).await, Ok(()), "{}", case.name);
    }
}

struct Sources {
    keys: Arc<SetKeys>,
    marks: Arc<Marks>,
}

fn guard(file: &File, case: &Case) -> (Sources, Guard) {
    let keys = Arc::new(SetKeys::new(Some(file.jwks.clone())));
    let marks = Arc::new(Marks::default());
    for marked in &case.marks {
        let kind = MarkKind::ALL.iter().find(|kind| kind.name() == marked.kind);
        let kind = *kind.unwrap_or_else(|| panic!("{}", marked.kind));
        let ids: Vec<&str> = marked.ids.iter().map(String::as_str).collect();
        marks.add(&mark(kind, &ids, marked.version));
    }
    let settings = Settings::new(&file.issuer, ResourceId::parse(&file.audience).unwrap());
    let guard =
        Guard::new(settings, keys.clone(), marks.clone(), Arc::new(TestClock::at(file.now)), &Constant(1));
    (Sources { keys, marks }, guard)
}

async fn run(file: &File, guard: &Guard, case: &Case) -> Result<(), String> {
    let expected = &case.answer;
    let Some(request) = request(file, case) else {
        // What no request can carry is refused before anybody is asked.
        return if expected.status == 200 { Err("can't be sent".into()) } else { Ok(()) };
    };
    tell(file, guard.layer(), case, request).await
}

async fn tell(file: &File, layer: GuardLayer, case: &Case, request: Request<()>) -> Result<(), String> {
    let expected = &case.answer;
    let calls = Arc::new(AtomicUsize::new(0));
    let (route, counted) = (case.route.clone(), Arc::clone(&calls));
    let handler = service_fn(move |request: Request<()>| {
        let (route, counted) = (route.clone(), Arc::clone(&counted));
        async move { Ok::<_, std::convert::Infallible>(handle(request, &route, &counted).await) }
    });
    let answer = layer.layer(handler).oneshot(request).await.unwrap();
    let called = calls.load(Ordering::SeqCst);
    judge(file, expected, answer, called).await
}

async fn judge(file: &File, expected: &Expected, answer: Response, called: usize) -> Result<(), String> {
    let (parts, body) = answer.into_parts();
    let body: Bytes = body.collect().await.unwrap().to_bytes();
    let text = |name| parts.headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned());
    let mut challenge = text(WWW_AUTHENTICATE);
    let of_dpop = format!("DPoP realm=\"{}\", error=\"invalid_token\"", file.realm);
    if expected.error.is_none() && challenge.as_ref().is_some_and(|said| said.starts_with(&of_dpop)) {
        // Who knows Bearer alone sees no token in a request of another scheme; this guard says more about it.
        challenge = Some(format!("Bearer realm=\"{}\"", file.realm));
    }
    let error = challenge.as_deref().and_then(|challenge| {
        let (_, rest) = challenge.split_once(" error=\"")?;
        rest.split_once('"').map(|(error, _)| error.to_owned())
    });
    let code =
        serde_json::from_slice::<Value>(&body).ok().and_then(|body| body["code"].as_str().map(str::to_owned));
    let status = parts.status.as_u16();
    let found = (status, error, if status == 200 { None } else { code }, called);
    let wanted =
        (expected.status, expected.error.clone(), expected.code.clone(), usize::from(expected.status == 200));
    if found != wanted {
        return Err(format!("{found:?} instead of {wanted:?}"));
    }
    if expected.code.is_none() && status != 200 && !body.is_empty() {
        return Err(format!("a body: {body:?}"));
    }
    if expected.code.is_some() && text(CONTENT_TYPE).as_deref() != Some("application/json") {
        return Err("no JSON".into());
    }
    let start = format!("Bearer realm=\"{}\"", file.realm);
    let challenged = challenge.as_ref().is_some_and(|challenge| challenge.starts_with(&start));
    if !challenged && (status == 401 || challenge.is_some()) {
        return Err(format!("{challenge:?}"));
    }
    if status == 503 && text(RETRY_AFTER).is_none() {
        return Err("no Retry-After".into());
    }
    match &expected.acting {
        Some(acting) if serde_json::from_slice::<Value>(&body).unwrap() != *acting => {
            Err(format!("{} instead of {acting}", String::from_utf8_lossy(&body)))
        }
        _ => Ok(()),
    }
}

fn request(file: &File, case: &Case) -> Option<Request<()>> {
    let token = case.token.as_deref().unwrap_or_default();
    let target = case.request.target.replace("{token}", token);
    let mut request = Request::builder().method(case.request.method.as_str()).uri(target);
    for (name, value) in &case.request.headers {
        let value = value.replace("{token}", token);
        request = request.header(
            HeaderName::from_bytes(name.as_bytes()).ok()?,
            HeaderValue::from_bytes(value.as_bytes()).ok()?,
        );
    }
    if let Some(name) = &case.request.certificate {
        request = request.extension(file.certificates[name].held());
    }
    request.body(()).ok()
}

impl Certificate {
    fn held(&self) -> PeerCertificate {
        let certificate = PeerCertificate::of_der(&STANDARD.decode(&self.der).unwrap());
        assert_eq!(certificate.thumbprint().to_string(), self.thumbprint);
        certificate
    }
}

/// The same token by one connection and then by another: what is kept of it says nothing of its caller.
#[tokio::test]
async fn a_bound_token_from_the_cache_is_refused_to_every_other_caller() {
    let file = file();
    let case = |name: &str| file.cases.iter().find(|case| case.name == name).unwrap();
    let (right, missing) = (case("bound_to_the_callers_certificate"), case("bound_to_a_certificate"));
    let other = case("bound_to_another_certificate");
    assert!(right.token == missing.token && right.token == other.token);
    let (_, guard) = guard(&file, right);
    for case in [right, missing, right, other, missing, right] {
        assert_eq!(run(&file, &guard, case).await, Ok(()), "{}", case.name);
    }
}

/// Behind a proxy that passes the certificate on, in either format.
#[tokio::test]
async fn a_certificate_in_the_header_of_a_proxy_is_as_good_when_the_layer_is_told_of_it() {
    let file = file();
    type Written = fn(&str) -> String;
    let formats: [(CertificateHeader, Written); 2] = [
        (CertificateHeader::client_cert(), |der| format!(":{der}:")),
        (
            CertificateHeader::new(
                HeaderName::from_static("x-ssl-client-cert"),
                CertificateFormat::NginxEscapedPem,
            ),
            |der| {
                let der = der.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
                format!("-----BEGIN%20CERTIFICATE-----%0A{der}%0A-----END%20CERTIFICATE-----%0A")
            },
        ),
    ];
    let cases: Vec<&Case> = file.cases.iter().filter(|case| case.group == "cnf").collect();
    assert!(cases.len() > 40);
    for (header, written) in formats {
        for case in &cases {
            let (_, guard) = guard(&file, case);
            let mut request = request(&file, case).unwrap();
            request.headers_mut().remove("client-cert");
            // Of the proxy's own connection, which is not the caller's.
            request.extensions_mut().insert(file.certificates["caller"].held());
            if let Some(name) = &case.request.certificate {
                let value = written(&file.certificates[name].der);
                request.headers_mut().insert(header.name().clone(), HeaderValue::from_str(&value).unwrap());
            }
            let layer = guard.layer().certificate_in(header.clone());
            let told = tell(&file, layer, case, request).await;
            assert_eq!(told, Ok(()), "{} in {}", case.name, header.name());
        }
    }
}

/// A handler whose route is chosen when it is called, as no real one's is.
async fn handle(request: Request<()>, route: &Route, calls: &AtomicUsize) -> Response {
    let mut parts = request.into_parts().0;
    let extracted = match route.permission.as_deref().map(|name| Permission::from_name(name).unwrap()) {
        None => extract::<Reading>(&mut parts, route.person).await,
        Some(Permission::AuthorisePayments) => {
            extract::<CanAuthorisePayments>(&mut parts, route.person).await
        }
        Some(Permission::MakeSameCurrencyPayments) => {
            extract::<CanMakeSameCurrencyPayments>(&mut parts, route.person).await
        }
        Some(Permission::ManageBeneficiaries) => {
            extract::<CanManageBeneficiaries>(&mut parts, route.person).await
        }
        Some(Permission::ManageBeneficiariesGroups) => {
            extract::<CanManageBeneficiariesGroups>(&mut parts, route.person).await
        }
        Some(Permission::ManageContacts) => extract::<CanManageContacts>(&mut parts, route.person).await,
        Some(Permission::ManageFixForwards) => {
            extract::<CanManageFixForwards>(&mut parts, route.person).await
        }
        Some(Permission::ManageMultipayments) => {
            extract::<CanManageMultipayments>(&mut parts, route.person).await
        }
        Some(Permission::ManagePayments) => extract::<CanManagePayments>(&mut parts, route.person).await,
        Some(Permission::ManagePermissions) => {
            extract::<CanManagePermissions>(&mut parts, route.person).await
        }
        Some(Permission::Trade) => extract::<CanTrade>(&mut parts, route.person).await,
    };
    match extracted {
        Ok(authority) => {
            calls.fetch_add(1, Ordering::SeqCst);
            Response::new(told(&authority).to_string().into())
        }
        Err(rejection) => rejection.into_response(),
    }
}

async fn extract<N: RouteNeed>(
    parts: &mut http::request::Parts,
    person: bool,
) -> Result<Authority, Rejection> {
    async fn who<N: RouteNeed, W: RoutePresence>(
        parts: &mut http::request::Parts,
    ) -> Result<Authority, Rejection> {
        Ok((*ActingFor::<N, W>::from_request_parts(parts, &()).await?).clone())
    }
    if person { who::<N, Person>(parts).await } else { who::<N, Anyone>(parts).await }
}

fn told(authority: &Authority) -> Value {
    let names: Vec<&str> = authority.permissions().iter().map(Permission::name).collect();
    let mut told = json!({
        "contact": authority.contact().as_str(),
        "application": authority.application().as_str(),
        "client": authority.client().as_str(),
        "permissions": names,
    });
    match authority.presence() {
        Presence::NoPerson => told["presence"] = "no_person".into(),
        Presence::Person { .. } => told["presence"] = "person".into(),
    }
    told
}
