//! What the system says of this process, under the names that Prometheus has for it.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::Resource;

/// Read anew for each answer; what the system does not tell is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct OwnProcess {
    /// Bytes of memory in use.
    pub(super) resident_bytes: Option<u64>,
    /// Open files.
    pub(super) open_files: Option<u64>,
    /// Files that may be open.
    pub(super) most_files: Option<u64>,
    /// Seconds of CPU time.
    pub(super) cpu_seconds: Option<f64>,
}

impl OwnProcess {
    pub(super) fn read() -> OwnProcess {
        OwnProcess {
            resident_bytes: resident_pages().map(|pages| pages * page_size() as u64),
            open_files: fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64),
            most_files: rustix::process::getrlimit(Resource::Nofile).current,
            cpu_seconds: ticks().map(|ticks| ticks as f64 / clock_ticks_per_second() as f64),
        }
    }
}

fn resident_pages() -> Option<u64> {
    fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()
}

/// User and system time: the 14th and 15th field, counted behind the name, which may hold anything.
fn ticks() -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    Some(user + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_and_files() {
        let own = OwnProcess::read();
        assert!(own.resident_bytes.is_some_and(|bytes| bytes > 1 << 20), "{own:?}");
        assert!(own.open_files.is_some_and(|files| files > 2), "{own:?}");
        assert!(own.cpu_seconds.is_some(), "{own:?}");
    }
}
