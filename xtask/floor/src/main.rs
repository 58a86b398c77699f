//! What the parts of a contact token cost on this machine, each alone.
//!
//! `cargo xtask bench` starts this program beside the server, on the same core and in the same run, and
//! holds the server against the sum of its parts. `cargo xtask timing` starts it to compare how long
//! refusals take. Both read one line of JSON from standard output.
//!
//! It may name every crate below the server and must never be named by one. It decides nothing and
//! keeps nothing: whatever is measured here is the code of the crates themselves.
//!
//! # How to add the next thing
//!
//! A part that the floor should have: a file with a function that returns its figures, and a variant of
//! [`Act`]. The bench adds it up in `xtask/src/bench/parts.rs`. A flow whose refusals must look alike: a
//! [`timing::Subject`].

mod axum_answer;
mod clocks;
mod es256;
mod guard;
mod guard_bound;
mod guard_delay;
mod journal;
mod replay;
mod timing;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;

/// What ends a measurement: one sentence.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
#[command(about = "What the parts of a contact token cost", disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Answer every form with JSON of one size, until killed
    Axum {
        /// Where to listen; port 0 picks a free one
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Bytes of an answer
        #[arg(long, default_value_t = 1400)]
        bytes: usize,
    },
    /// Sign messages of 600 bytes with ES256
    Es256 {
        /// How many
        #[arg(long, default_value_t = 40_000)]
        signatures: u32,
    },
    /// Write records of an issued token to a journal of its own
    Journal {
        /// An empty folder on the disk to measure
        #[arg(long)]
        dir: PathBuf,
        /// Records in a batch
        #[arg(long)]
        batch: usize,
        /// Batches to write
        #[arg(long, default_value_t = 4_000)]
        batches: usize,
    },
    /// Use up names that are used once, and remember them for as long as they are good
    Replay {
        /// How many
        #[arg(long, default_value_t = 1_000_000)]
        names: u32,
    },
    /// Count records, batches and bytes of a data folder's journal
    Written {
        /// The data folder
        #[arg(long)]
        data: PathBuf,
    },
    /// Check tokens with a guard, for the first time and again, beside bare verifications and hashes
    Guard {
        /// Different tokens
        #[arg(long, default_value_t = 4_000)]
        tokens: u32,
        /// Rounds; each figure is the median of them
        #[arg(long, default_value_t = 9)]
        rounds: u32,
    },
    /// Check tokens that are bound to a key, each with a new proof, beside the two bare verifications of both
    GuardBound {
        /// Different tokens
        #[arg(long, default_value_t = 4_000)]
        tokens: u32,
        /// Rounds; each figure is the median of them
        #[arg(long, default_value_t = 9)]
        rounds: u32,
    },
    /// Keep marks and verified tokens as a guard does, and say what memory they take
    GuardMemory {
        /// How many
        #[arg(long, default_value_t = 100_000)]
        marks: u32,
    },
    /// Measure how long a revoked token is still taken by a guard on the network
    GuardDelay {
        /// The line that `procura demo --json` printed
        #[arg(long)]
        demo: PathBuf,
        /// How many tokens to revoke
        #[arg(long, default_value_t = 100)]
        times: u32,
    },
    /// Write a CA, a server's certificate and a partner's, for the acts below
    TlsFiles {
        /// Where to
        #[arg(long)]
        dir: PathBuf,
    },
    /// Answer over TLS with JSON of one size, until killed
    TlsAnswer {
        /// The folder of tls-files
        #[arg(long)]
        files: PathBuf,
        /// Bytes of an answer
        #[arg(long, default_value_t = 1400)]
        bytes: usize,
        /// Ask callers for a certificate of that CA
        #[arg(long)]
        ask: bool,
    },
    /// Ask a server, as fast as answers come or so many times a second
    Load {
        /// The server
        #[arg(long)]
        address: SocketAddr,
        /// What to ask for, and the proof of who asks, as JSON
        #[arg(long)]
        plan: PathBuf,
        /// The folder of tls-files: speak TLS
        #[arg(long)]
        files: Option<PathBuf>,
        /// Show the partner's certificate
        #[arg(long, requires = "files")]
        certificate: bool,
        /// A connection of its own for each request
        #[arg(long)]
        each_new: bool,
        /// The address to come from
        #[arg(long)]
        from: Option<IpAddr>,
        /// Connections at a time
        #[arg(long, default_value_t = 64)]
        connections: usize,
        /// How long
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
        /// Requests a second
        #[arg(long)]
        per_s: Option<f64>,
    },
    /// Compare the time that refusals take
    Timing {
        /// The line that `procura demo --json` printed: ask that server. Without it: the engine alone
        #[arg(long)]
        demo: Option<PathBuf>,
        /// Samples of each refusal in a round
        #[arg(long, default_value_t = 400)]
        samples: usize,
    },
}

fn main() -> ExitCode {
    match act(Arguments::parse().act) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("procura-floor: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn act(act: Act) -> Result<(), Failure> {
    match act {
        Act::Axum { listen, bytes } => axum_answer::serve(listen, bytes),
        Act::Es256 { signatures } => say(&es256::measure(signatures)?),
        Act::Journal { dir, batch, batches } => say(&journal::measure(&dir, batch, batches)?),
        Act::Replay { names } => say(&replay::measure(names)?),
        Act::Written { data } => say(&journal::written(&data)?),
        Act::Guard { tokens, rounds } => say(&guard::measure(tokens, rounds)?),
        Act::GuardBound { tokens, rounds } => say(&guard_bound::measure(tokens, rounds)?),
        Act::GuardMemory { marks } => say(&guard::memory(marks)?),
        Act::GuardDelay { demo, times } => say(&guard_delay::measure(&demo, times)?),
        Act::TlsFiles { dir } => tls::write(&dir),
        Act::TlsAnswer { files, bytes, ask } => tls::serve(&files, bytes, ask),
        Act::Load { address, plan, files, certificate, each_new, from, connections, seconds, per_s } => {
            let target = tls::Target { address, files, certificate, from, each_new };
            say(&tls::run(target, &plan, &tls::Pace { connections, seconds, per_s })?)
        }
        Act::Timing { demo, samples } => say(&timing::compare(demo.as_deref(), samples)?),
    }
}

fn say(figures: &impl Serialize) -> Result<(), Failure> {
    println!("{}", serde_json::to_string(figures)?);
    Ok(())
}
