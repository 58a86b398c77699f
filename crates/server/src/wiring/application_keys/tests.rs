//! Fetches from hosts of the test's own, over TLS, that behave as no host should.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use procura_jose::{Algorithm, PrivateKey};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;

/// The name of every host here.
const NAME: &str = "keys.partner.example";
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What a host does with whoever connects.
#[derive(Clone)]
enum Does {
    /// Answers so, and closes.
    Says(Vec<u8>),
    /// Says this again and again.
    GoesOn(Vec<u8>),
    /// Says this, and then nothing.
    Hangs(Vec<u8>),
    /// Does not even agree on TLS.
    IsSilent,
}

/// A host on loopback.
struct Host {
    port: u16,
    ca: String,
    connections: Arc<AtomicUsize>,
}

impl Host {
    async fn that(does: Does) -> Host {
        Host::named(NAME, does).await
    }

    async fn named(name: &str, does: Does) -> Host {
        let (ca, config) = tls(name);
        let listener = TcpListener::bind((HERE, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (acceptor, counter) = (TlsAcceptor::from(Arc::new(config)), Arc::clone(&connections));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, acceptor.clone(), does.clone()));
            }
        });
        Host { port, ca, connections }
    }

    async fn says(status: &str, headers: &str, body: &str) -> Host {
        Host::that(Does::Says(answer(status, headers, body))).await
    }

    fn url(&self) -> String {
        format!("https://{NAME}:{}/keys", self.port)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// What comes of a fetch of that URL, by somebody who believes this host's authority and may connect
    /// here.
    async fn fetched(&self, url: &str) -> Result<FetchedKeys, FetchFault> {
        self.fetcher(&Script::always(HERE), is_unicast).get(url).await
    }

    fn fetcher(&self, script: &Arc<Script>, allowed: fn(IpAddr) -> bool) -> HttpsKeys {
        let roots = Certificate::from_pem_bundle(self.ca.as_bytes()).unwrap();
        let bounds =
            Bounds { connect: Duration::from_millis(400), whole: Duration::from_millis(800), ..BOUNDS };
        let lookup: Arc<dyn Lookup> = Arc::<Script>::clone(script);
        HttpsKeys::build(Checked { lookup, allowed }, roots, bounds).unwrap()
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .into()
}

fn tls(name: &str) -> (String, ServerConfig) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (authority.pem(), config)
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, does: Does) -> Option<()> {
    if matches!(does, Does::IsSilent) {
        let _held = stream;
        return std::future::pending().await;
    }
    let mut stream = acceptor.accept(stream).await.ok()?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.ok()?);
    }
    match does {
        Does::Says(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            stream.shutdown().await.ok()
        }
        Does::GoesOn(bytes) => loop {
            stream.write_all(&bytes).await.ok()?;
        },
        Does::Hangs(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            stream.flush().await.ok()?;
            std::future::pending().await
        }
        Does::IsSilent => None,
    }
}

/// Answers of a resolver, one after the other; the last stays.
struct Script {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Script {
    fn new(answers: impl IntoIterator<Item = Vec<IpAddr>>) -> Arc<Script> {
        Arc::new(Script { answers: Mutex::new(answers.into_iter().collect()), asked: AtomicUsize::new(0) })
    }

    fn always(address: IpAddr) -> Arc<Script> {
        Script::new([vec![address]])
    }
}

impl Lookup for Script {
    fn addresses(&self, name: String) -> Pinned<std::io::Result<Vec<IpAddr>>> {
        assert_eq!(name, NAME);
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let next = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(async move { Ok(next.unwrap_or_default()) })
    }
}

fn key_set(keys: usize) -> String {
    let key = || PrivateKey::generate(Algorithm::Es256).unwrap().0.public_jwk();
    json!({"keys": (0..keys).map(|_| key()).collect::<Vec<_>>()}).to_string()
}

#[tokio::test]
async fn a_key_set_is_fetched_with_how_long_it_is_fresh() {
    let set = key_set(2);
    for (headers, max_age) in [
        ("", None),
        ("Cache-Control: public, max-age=120\r\n", Some(120)),
        ("Cache-Control: MAX-AGE=\"7\"\r\n", Some(7)),
        ("Cache-Control: no-store\r\n", Some(0)),
        ("Cache-Control: max-age=x\r\n", None),
    ] {
        let host = Host::says("200 OK", headers, &set).await;
        let fetched = host.fetched(&host.url()).await.unwrap();
        assert_eq!(json!(fetched.keys).to_string(), set);
        assert_eq!(fetched.max_age, max_age.map(Duration::from_secs), "{headers}");
    }
}

#[tokio::test]
async fn a_host_that_hangs_anywhere_is_given_up() {
    let set = key_set(1);
    let whole = answer("200 OK", "", &set);
    for does in [
        Does::IsSilent,
        Does::Hangs(Vec::new()),
        Does::Hangs(whole[..20].to_vec()),
        Does::Hangs(whole[..whole.len() - 1].to_vec()),
        Does::GoesOn(b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec()),
    ] {
        let host = Host::that(does).await;
        assert_eq!(host.fetched(&host.url()).await.unwrap_err(), FetchFault::Time);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let inside = Host::says("200 OK", "", &key_set(1)).await;
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let host = Host::says(status, &format!("Location: {}\r\n", inside.url()), "").await;
        let number = status[..3].parse().unwrap();
        assert_eq!(host.fetched(&host.url()).await.unwrap_err(), FetchFault::Status(number));
        assert_eq!(host.connections(), 1);
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn an_answer_but_200_is_no_key_set_whatever_it_holds() {
    for status in ["204 No Content", "206 Partial Content", "404 Not Found", "500 Internal Server Error"] {
        let host = Host::says(status, "", &key_set(1)).await;
        let number = status[..3].parse().unwrap();
        assert_eq!(host.fetched(&host.url()).await.unwrap_err(), FetchFault::Status(number));
    }
}

#[tokio::test]
async fn an_answer_that_has_no_end_or_a_gigabyte_is_cut_off() {
    let endless = [&b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"[..], &vec![b' '; 1 << 16]].concat();
    let gigabyte =
        [&b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n"[..], &vec![b' '; 1 << 16]].concat();
    for bytes in [endless, gigabyte] {
        let host = Host::that(Does::GoesOn(bytes)).await;
        assert_eq!(host.fetched(&host.url()).await.unwrap_err(), FetchFault::TooLong);
    }
    let fits = format!("{}{}", key_set(1), " ".repeat(60_000));
    let host = Host::says("200 OK", "", &fits).await;
    assert_eq!(host.fetched(&host.url()).await.unwrap().keys.keys().len(), 1);
}

#[tokio::test]
async fn headers_without_an_end_are_cut_off() {
    let host = Host::that(Does::GoesOn(b"HTTP/1.1 200 OK\r\nX: y\r\n".to_vec())).await;
    assert_eq!(host.fetched(&host.url()).await.unwrap_err(), FetchFault::Connection);
}

#[tokio::test]
async fn what_is_no_key_set_is_refused() {
    let same = json!({"keys": [{"kty": "oct"}]}).to_string();
    let twice = {
        let key = PrivateKey::generate(Algorithm::Es256).unwrap().0.public_jwk();
        json!({"keys": [key, key]}).to_string()
    };
    for body in
        ["", "<html></html>", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":null}"#, "\u{1f}\u{8b}", &twice]
    {
        let host = Host::says("200 OK", "Content-Encoding: gzip\r\n", body).await;
        assert_eq!(host.fetched(&host.url()).await.unwrap_err(), FetchFault::NotKeys, "{body}");
    }
    let host = Host::says("200 OK", "", &key_set(21)).await;
    assert_eq!(host.fetched(&host.url()).await.unwrap_err(), FetchFault::TooMany);
    // Keys that can't be used are left out, as RFC 7517 5 asks.
    let host = Host::says("200 OK", "", &same).await;
    assert!(host.fetched(&host.url()).await.unwrap().keys.keys().is_empty());
}

#[tokio::test]
async fn an_address_inside_is_not_connected_to_in_whatever_way_it_is_written() {
    let host = Host::says("200 OK", "", &key_set(1)).await;
    let fetcher = host.fetcher(&Script::always(HERE), is_public);
    for literal in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "10.0.0.1",
        "169.254.169.254",
        "[fd00::1]",
    ] {
        let url = format!("https://{literal}:{}/", host.port);
        assert_eq!(fetcher.get(&url).await.unwrap_err(), FetchFault::Address, "{literal}");
    }
    assert_eq!(host.connections(), 0);
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_followed_there() {
    let host = Host::says("200 OK", "", &key_set(1)).await;
    let public: IpAddr = "8.8.8.8".parse().unwrap();
    for answers in [vec![HERE], vec![public, HERE], vec![HERE, public], vec![], vec!["::1".parse().unwrap()]]
    {
        let fetcher = host.fetcher(&Script::new([answers.clone()]), is_public);
        assert_eq!(fetcher.get(&host.url()).await.unwrap_err(), FetchFault::Address, "{answers:?}");
    }
    assert_eq!(host.connections(), 0);
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_the_next_time_is_looked_at_each_time_and_once() {
    let host = Host::says("200 OK", "", &key_set(1)).await;
    let script = Script::new([vec![HERE], vec!["127.0.0.2".parse().unwrap()], vec![HERE]]);
    let fetcher = host.fetcher(&script, |address| address == HERE);
    assert!(fetcher.get(&host.url()).await.is_ok());
    assert_eq!((script.asked.load(Ordering::SeqCst), host.connections()), (1, 1));
    assert_eq!(fetcher.get(&host.url()).await.unwrap_err(), FetchFault::Address);
    assert_eq!((script.asked.load(Ordering::SeqCst), host.connections()), (2, 1));
    assert!(fetcher.get(&host.url()).await.is_ok());
    assert_eq!((script.asked.load(Ordering::SeqCst), host.connections()), (3, 2));
}

#[tokio::test]
async fn only_an_https_url_of_a_host_without_a_password_is_asked() {
    let host = Host::says("200 OK", "", &key_set(1)).await;
    let port = host.port;
    for url in [
        format!("http://{NAME}:{port}/keys"),
        format!("https://user@{NAME}:{port}/keys"),
        format!("https://user:password@{NAME}:{port}/keys"),
        "file:///etc/passwd".to_owned(),
        "data:application/json,{}".to_owned(),
        "https://".to_owned(),
        "/keys".to_owned(),
        String::new(),
    ] {
        assert_eq!(host.fetched(&url).await.unwrap_err(), FetchFault::Url, "{url}");
    }
    assert_eq!(host.connections(), 0);
}

#[tokio::test]
async fn a_host_that_can_t_prove_its_name_is_not_believed() {
    let other = Host::named("other.example", Does::Says(answer("200 OK", "", &key_set(1)))).await;
    assert_eq!(other.fetched(&other.url()).await.unwrap_err(), FetchFault::Connection);
    let (host, stranger) = (Host::says("200 OK", "", &key_set(1)).await, Host::says("200 OK", "", "").await);
    assert_eq!(stranger.fetched(&host.url()).await.unwrap_err(), FetchFault::Connection);
}
