//! The program `procura`: reads what was asked, wires the crates together, and says how it went.
//!
//! Everything here is plumbing: configuration ([`config`]), the command line ([`cli`]), opening the data
//! folder ([`wiring`]), what people and programs read on standard output ([`output`]), logs
//! ([`telemetry`]) and exit codes ([`exit`]). What the server decides is in `procura-engine`, what it
//! answers in `procura-http`, what it keeps in `procura-storage`. Nothing here may know SQL or a rule.
//!
//! # How to add the next thing
//!
//! * A **setting**: one entry in [`config::reference::SETTINGS`] and a line where it is read; the
//!   reference file, the environment's names and `config check` follow from the table.
//! * A **command**: a file under `cli/` with its arguments and a function that returns
//!   [`exit::Outcome`], and a line in `cli/mod.rs`.
//! * A **column** of a record: nothing here; the flags of `add`, `update` and `import` come from
//!   `procura_store::fields`.

mod cli;
mod config;
mod exit;
pub mod import;
mod output;
mod telemetry;
mod wiring;

use std::process::ExitCode;

/// The whole program: arguments, environment and standard streams are the process's own.
pub fn main() -> ExitCode {
    exit::report(cli::run(std::env::args_os()))
}
