//! Fills a directory of the largest size that the server is measured with, loads it, and says how long
//! that took and what the process holds then.
//!
//! ```text
//! cargo run --release -p procura-storage --example load_directory
//! ```

#![expect(clippy::disallowed_methods, reason = "a measurement is about real time")]

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use procura_storage::SqliteDirectory;
use procura_storage::directory::measure::{Scale, fill, load_file};

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args_os().nth(1) {
        Some(file) => measure(Path::new(&file)),
        None => {
            let folder = tempfile::tempdir()?;
            let file = SqliteDirectory::create(&folder.path().join("data"))?.file().to_owned();
            let began = Instant::now();
            fill(&file, &Scale::LARGE)?;
            let size = file.metadata()?.len() / 1_000_000;
            println!("filled in {:.1} s, {size} MB on disk", began.elapsed().as_secs_f64());
            // A process that has held nothing else.
            Command::new(std::env::current_exe()?).arg(&file).status()?;
            Ok(())
        }
    }
}

fn measure(file: &Path) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let directory = load_file(file)?;
    let took = began.elapsed().as_secs_f64();
    println!("loaded in {took:.2} s, {:.2} s of them on the CPU: {:?}", cpu_seconds()?, directory.sizes());
    println!("resident: {} MB", resident_kib()? / 1024);
    Ok(())
}

fn resident_kib() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let nanos = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanos: f64 = nanos.split(' ').next().ok_or("no schedstat")?.parse()?;
    Ok(nanos / 1e9)
}
