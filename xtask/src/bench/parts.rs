//! What the parts of a contact token cost alone, measured by `procura-floor` on the server's core.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::Bench;
use crate::process::{self, Tied};
use crate::procura::{announced, on_cores};
use crate::steps::Failure;

/// An axum server that answers with so many bytes.
pub(super) struct Axum {
    process: Tied,
    pub(super) address: SocketAddr,
}

impl Axum {
    /// Starts it.
    pub(super) fn start(bench: &Bench, bytes: usize) -> Result<Self, Failure> {
        let mut command = on_cores(&bench.floor, Some(&bench.cores.server));
        command.args(["axum", "--bytes", &bytes.to_string()]).stdout(Stdio::piped());
        let mut process = Tied::spawn("procura-floor axum", &mut command)?;
        let address = announced(&mut process).map_err(|why| Failure::wrong(format!("axum {why}")))?;
        Ok(Self { process, address })
    }

    pub(super) fn pid(&mut self) -> u32 {
        self.process.child().id()
    }
}

/// CPU microseconds of an ES256 signature.
pub(super) fn es256(bench: &Bench) -> Result<f64, Failure> {
    let signatures = if bench.short { "10000" } else { "60000" };
    number(&floor(bench, &["es256", "--signatures", signatures])?, "cpu_us")
}

/// A record of the journal.
pub(super) struct Journal {
    pub(super) cpu_us: f64,
    pub(super) median_sync_us: f64,
}

/// A record in batches of that size, on the disk of the installation.
pub(super) fn journal(bench: &Bench, batch: u64) -> Result<Journal, Failure> {
    let folder =
        tempfile::tempdir_in(bench.folder.path()).map_err(|error| Failure::wrong(error.to_string()))?;
    let batches = if bench.short { "500" } else { "3000" };
    let (dir, batch) = (folder.path().to_string_lossy(), batch.max(1).to_string());
    let value = floor(bench, &["journal", "--dir", &dir, "--batch", &batch, "--batches", batches])?;
    Ok(Journal { cpu_us: number(&value, "cpu_us")?, median_sync_us: number(&value, "median_sync_us")? })
}

/// What a journal holds so far.
#[derive(Clone, Copy)]
pub(super) struct Written {
    pub(super) records: f64,
    pub(super) batches: f64,
    pub(super) bytes: f64,
}

/// Counts the journal of a data folder.
pub(super) fn written(bench: &Bench, data: &Path) -> Result<Written, Failure> {
    let value = floor(bench, &["written", "--data", &data.to_string_lossy()])?;
    let number = |name| number(&value, name);
    Ok(Written { records: number("records")?, batches: number("batches")?, bytes: number("bytes")? })
}

/// What `procura-floor` says, on the server's core.
pub(super) fn floor(bench: &Bench, arguments: &[&str]) -> Result<Value, Failure> {
    let mut command = on_cores(&bench.floor, Some(&bench.cores.server));
    let line = process::ask(command.args(arguments))
        .ok_or_else(|| Failure::wrong(format!("procura-floor {} did not end well", arguments[0])))?;
    serde_json::from_str(&line).map_err(|error| Failure::wrong(format!("procura-floor: {error}")))
}

/// A figure that it told.
pub(super) fn number(value: &Value, name: &str) -> Result<f64, Failure> {
    value[name].as_f64().ok_or_else(|| Failure::wrong(format!("procura-floor told no {name}")))
}
