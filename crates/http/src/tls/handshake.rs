//! A connection from its first byte to the first byte of HTTP.

use std::io;
use std::time::Duration;

use rustls::HandshakeKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::settings::Tls;
use crate::connection::{ClientCertificate, Handshake, Origin, Peer, Security, date};
use crate::listener::Opening;

/// The first byte of a TLS connection: a record with a message of a handshake (RFC 8446 5.1).
const HANDSHAKE: u8 = 0x16;

/// Once the server ends, callers that have not finished their handshake get as long as one that has just
/// connected.
const AT_THE_END: Duration = Duration::from_secs(1);

/// How long and how much the rest of a plain request is thrown away for, so that the answer to it arrives:
/// closing a socket with unread bytes would make the caller's system forget what it has not read yet.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1 << 20;

/// Shakes hands. `None` when there is nothing to serve: the caller left, spoke plain HTTP (and was told so),
/// failed, or took too long.
pub(crate) async fn shake(
    (stream, peer): (TcpStream, Peer),
    tls: &Tls,
    opening: &Opening,
) -> Option<(TlsStream<TcpStream>, Origin)> {
    let ending = async {
        opening.drain.clone().drained().await;
        sleep(AT_THE_END).await;
    };
    let counts = opening.drain.counts();
    tokio::select! {
        biased;
        shaken = begin((stream, peer), tls, opening) => {
            counts.shook_hands(how(&shaken));
            shaken.unwrap_or_else(|error| {
                tracing::debug!(%error, "no TLS handshake");
                None
            })
        },
        () = sleep(opening.limits.handshake_time) => {
            counts.shook_hands(Handshake::TooSlow);
            tracing::debug!("connection cut: its TLS handshake took too long");
            None
        }
        () = ending => None,
    }
}

/// How it ended, to be counted.
fn how(shaken: &io::Result<Option<(TlsStream<TcpStream>, Origin)>>) -> Handshake {
    match shaken {
        Ok(Some((stream, _))) if stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed) => {
            Handshake::Resumed
        }
        Ok(Some(_)) => Handshake::Full,
        Ok(None) => Handshake::PlainHttp,
        Err(error) => match error.get_ref() {
            Some(inner) if inner.is::<rustls::Error>() => Handshake::Refused,
            _ => Handshake::Broken,
        },
    }
}

async fn begin(
    (stream, peer): (TcpStream, Peer),
    tls: &Tls,
    opening: &Opening,
) -> io::Result<Option<(TlsStream<TcpStream>, Origin)>> {
    let mut first = [0];
    let came = stream.peek(&mut first).await?;
    match first {
        _ if came == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
        [HANDSHAKE] => {}
        [byte] if may_be_http(byte) => {
            refuse_plain(stream).await?;
            return Ok(None);
        }
        _ => return Err(io::ErrorKind::InvalidData.into()),
    }
    let room = opening.handshakes.acquire().await;
    let stream = TlsAcceptor::from(tls.config.clone()).accept(stream).await?;
    drop(room);
    let session = stream.get_ref().1;
    let (certificate, server_name) = match tls.security {
        // The proxy's certificate is not its callers', and the name that it uses for us not the one they do.
        Security::Proxy => (None, None),
        _ => {
            let chain = session.peer_certificates().unwrap_or_default();
            let chain = chain.iter().map(|certificate| certificate.as_ref().into()).collect();
            (ClientCertificate::new(chain), session.server_name().map(Into::into))
        }
    };
    let origin = Origin { peer: Some(peer), security: tls.security, certificate, server_name };
    Ok(Some((stream, origin)))
}

/// What a request may begin with: a method, or an empty line before it (RFC 9112 2.2).
fn may_be_http(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'\r' | b'\n')
}

/// Says that this port speaks TLS (contract, chapter 1). The request is not read for it: what it holds has
/// gone over the wire in the open, and nothing of it is used.
async fn refuse_plain(mut stream: TcpStream) -> io::Result<()> {
    let answer = format!(
        "HTTP/1.1 497 HTTP Request Sent to HTTPS Port\r\ncache-control: no-store\r\nconnection: close\r\n\
         content-length: 0\r\ndate: {}\r\n\r\n",
        date()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    let lingering = async {
        let (mut scratch, mut left) = ([0; 4096], LINGER_BYTES);
        while left > 0 {
            match stream.read(&mut scratch).await {
                Ok(0) | Err(_) => return,
                Ok(count) => left = left.saturating_sub(count),
            }
        }
    };
    // Whoever goes on sending longer than that is cut.
    let _ = timeout(LINGER, lingering).await;
    Ok(())
}
