//! The resource behind the proxy.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::steps::Failure;

/// Answers 200 to everything, and writes down the heads of what came. It runs as long as this program.
pub(super) struct Upstream {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    pub(super) fn start() -> Result<Self, Failure> {
        let failed = |error| Failure::wrong(format!("the upstream can't listen: {error}"));
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let written = Arc::clone(&heads);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let written = Arc::clone(&written);
                thread::spawn(move || answer(&stream, &written));
            }
        });
        Ok(Self { address, heads })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The heads that came since the last look.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.heads.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn answer(mut stream: &TcpStream, heads: &Mutex<Vec<String>>) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while let Ok(read) = reader.read_line(&mut head) {
        if read == 0 || head.ends_with("\r\n\r\n") {
            break;
        }
    }
    let length = head.to_ascii_lowercase().lines().find_map(|line| {
        line.strip_prefix("content-length:").and_then(|length| length.trim().parse::<u64>().ok())
    });
    let _ = std::io::copy(&mut reader.by_ref().take(length.unwrap_or(0)), &mut std::io::sink());
    if !head.is_empty() {
        // Before the answer: whoever has that may look.
        heads.lock().unwrap_or_else(PoisonError::into_inner).push(head);
    }
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}
