//! Listeners with TLS, as callers on real sockets meet them.
//!
//! The server is ours; the caller is the same TLS library's other side, told to do what a good or a bad
//! caller does, and raw bytes where no library would send them.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod caller;
mod certificates;
mod counts;
mod drain;
mod handshake;
mod host;
mod limits;
mod made;
mod plain;
mod proxy;
mod reload;
mod renegotiation;
mod resumption;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::any;
use procura_http::connection::{ClientCertificate, Drain, Peer, Security};
use procura_http::limits::Limits;
use procura_http::listener::{self, Listener, Listeners};
use procura_http::tls::{Callers, Identity, Tls};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use made::Ca;

/// What a route is told about a connection, in one line: security, peer, and the bytes of each certificate.
fn seen(request: &Request<Body>) -> String {
    let extensions = request.extensions();
    let security = extensions.get::<Security>().copied().unwrap_or_default();
    let peer = extensions.get::<Peer>().map_or("nowhere".to_owned(), |peer| peer.0.to_string());
    let chain = extensions.get::<ClientCertificate>().map_or(&[][..], ClientCertificate::chain);
    let chain: Vec<String> = chain.iter().map(|certificate| hex(certificate)).collect();
    format!("{security:?} {peer} [{}]", chain.join(","))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What [`seen`] says of this security and these certificates.
fn told(security: Security, chain: &[impl AsRef<[u8]>]) -> String {
    let chain: Vec<String> = chain.iter().map(|certificate| hex(certificate.as_ref())).collect();
    format!("{security:?} 127.0.0.1 [{}]", chain.join(","))
}

/// A server with one listener.
struct Server {
    address: SocketAddr,
    identity: Arc<Identity>,
    drain: Drain,
    /// Requests that reached a route.
    asked: Arc<AtomicUsize>,
    /// Lets `/slow` answer.
    go_on: Arc<Notify>,
    /// Told when `/slow` has been asked.
    slow: Arc<Notify>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<usize>,
}

impl Server {
    async fn start(ca: &Ca, callers: Callers) -> Server {
        Server::start_with(ca, callers, Limits::default()).await
    }

    async fn start_with(ca: &Ca, callers: Callers, limits: Limits) -> Server {
        let identity = Identity::new(ca.server());
        let tls = Tls::new(Arc::clone(&identity), callers).unwrap();
        let listener = listener::bind(([127, 0, 0, 1], 0).into()).await.unwrap().with_tls(tls);
        Server::serve(listener, identity, limits)
    }

    fn serve(listener: Listener, identity: Arc<Identity>, limits: Limits) -> Server {
        let address = listener.local_addr().unwrap_or(([127, 0, 0, 1], 0).into());
        let (asked, go_on, slow) = (Arc::<AtomicUsize>::default(), Arc::<Notify>::default(), Arc::default());
        let service = service(&asked, &go_on, &slow);
        let (stop, stopped) = oneshot::channel::<()>();
        let drain = Drain::new();
        let drained = drain.clone();
        let task = tokio::spawn(async move {
            let stopped = async {
                // Dropped by a test that does not stop it: the same.
                let _ = stopped.await;
            };
            listener::serve(Listeners::new(vec![listener]), service, limits, drained, stopped).await
        });
        Server { address, identity, drain, asked, go_on, slow, stop, task }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Stops it; how many connections had to be cut.
    async fn stop(self) -> usize {
        let Server { stop, task, .. } = self;
        stop.send(()).unwrap();
        task.await.unwrap()
    }
}

fn service(asked: &Arc<AtomicUsize>, go_on: &Arc<Notify>, slow: &Arc<Notify>) -> Router {
    let (go_on, slow) = (Arc::clone(go_on), Arc::clone(slow));
    let count = Arc::clone(asked);
    Router::new()
        .route(
            "/",
            any(move |request: Request<Body>| async move {
                count.fetch_add(1, Ordering::SeqCst);
                seen(&request)
            }),
        )
        .route(
            "/slow",
            any(move || async move {
                slow.notify_one();
                go_on.notified().await;
                "done"
            }),
        )
}

/// Long enough for what happens at once, and short enough to wait for what must not happen.
const MOMENT: Duration = Duration::from_millis(200);
