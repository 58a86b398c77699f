//! Handshakes by rustls alone, each followed by an answer as large as a contact token.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::serve::Listener;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::load::roots;
use crate::Failure;
use crate::axum_answer;

/// Serves until killed, with the files of [`super::write`]. With `ask` callers are asked for a certificate
/// of that CA. The first line on standard output says where.
pub(crate) fn serve(files: &Path, bytes: usize, ask: bool) -> Result<(), Failure> {
    let config = Arc::new(config(files, ask)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let tcp = TcpListener::bind("127.0.0.1:0").await?;
        let address = tcp.local_addr()?;
        crate::say(&json!({ "base_url": format!("http://{address}") }))?;
        let (sender, receiver) = mpsc::channel(1024);
        tokio::spawn(accept(tcp, TlsAcceptor::from(config), sender));
        Ok(axum::serve(Shaken { receiver, address }, axum_answer::router(bytes)).await?)
    })
}

fn config(files: &Path, ask: bool) -> Result<ServerConfig, Failure> {
    let chain = CertificateDer::pem_file_iter(files.join("server.pem"))?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(files.join("server.key"))?;
    let builder = ServerConfig::builder();
    let builder = if ask {
        let roots = Arc::new(roots(&files.join("ca.pem"))?);
        builder.with_client_cert_verifier(WebPkiClientVerifier::builder(roots).build()?)
    } else {
        builder.with_no_client_auth()
    };
    Ok(builder.with_single_cert(chain, key)?)
}

/// Handshakes happen side by side, each in a task of its own.
async fn accept(tcp: TcpListener, acceptor: TlsAcceptor, sender: mpsc::Sender<TlsStream<TcpStream>>) {
    while let Ok((stream, _)) = tcp.accept().await {
        let _ = stream.set_nodelay(true);
        let (acceptor, sender) = (acceptor.clone(), sender.clone());
        tokio::spawn(async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                let _ = sender.send(stream).await;
            }
        });
    }
}

/// Connections whose handshake is done.
struct Shaken {
    receiver: mpsc::Receiver<TlsStream<TcpStream>>,
    address: SocketAddr,
}

impl Listener for Shaken {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.receiver.recv().await {
            Some(stream) => (stream, self.address),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}
