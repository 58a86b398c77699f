//! What an operator gets to know of a server at work: lines of a log on standard error (standard output
//! belongs to results), [`metrics`] for Prometheus, [`spans`] for an OpenTelemetry collector.

pub(crate) mod metrics;
mod own_process;
pub(crate) mod spans;

use std::io;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};
use crate::exit::{Failure, Outcome};

/// Begins to log. Once a process.
pub(crate) fn begin(log: &Log) -> Outcome {
    let filter = EnvFilter::try_new(&log.level)
        .map_err(|error| Failure::usage(format_args!("log.level can't be read: {error}")))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let begun = match log.format {
        LogFormat::Text => builder.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    begun.map_err(|error| Failure::unavailable(format_args!("logging can't begin: {error}")))
}
