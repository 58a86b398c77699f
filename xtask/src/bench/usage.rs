//! CPU time and memory of a process, as the kernel counts them.

use std::fs;

use crate::steps::Failure;

/// CPU time of all threads so far, in microseconds. Threads that end take theirs along, so what is
/// measured between two looks must not end threads; a server does not.
pub(super) fn cpu_us(pid: u32) -> Result<f64, Failure> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(|error| gone(pid, &error))?;
    let mut nanoseconds = 0.0;
    for task in tasks.flatten() {
        let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        nanoseconds += text.split(' ').next().and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0);
    }
    if nanoseconds == 0.0 {
        return Err(Failure::wrong("this kernel keeps no /proc/PID/task/TID/schedstat"));
    }
    Ok(nanoseconds / 1e3)
}

/// Resident memory now, in megabytes (10^6 bytes).
pub(super) fn resident_mb(pid: u32) -> Result<f64, Failure> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|error| gone(pid, &error))?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1024.0 / 1e6).ok_or_else(|| Failure::wrong("no VmRSS"))
}

fn gone(pid: u32, error: &std::io::Error) -> Failure {
    Failure::wrong(format!("process {pid} can't be looked at: {error}"))
}
