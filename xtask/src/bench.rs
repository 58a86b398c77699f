//! `cargo xtask bench`: the release server against the floor of its parts.
//!
//! Everything in one table is from one run on one machine: the server on one core with its journal's
//! thread, the load generator on another, and between the server's runs, on the server's core, its parts
//! alone. So whatever the machine does that minute, it does to all of them. Figures are medians.
//!
//! * [`store`]: the installation that is measured.
//! * [`load`]: wrk for capacity, oha for times at a fixed rate.
//! * [`usage`]: CPU time and memory of a process, as the kernel counts them.
//! * [`parts`]: what the parts cost alone, by `procura-floor`.
//! * [`capacity`]: the runs.
//! * [`directory`]: loading, changes and imports at a million rows.
//! * [`guard`]: checking tokens, in a guard and when the server is asked.
//! * [`tls`]: TLS, certificates, assertions, and an attack.
//! * [`doors`]: the standard grants, and tokens bound to keys.
//! * [`figures`]: names, units, targets; table, JSON, markdown.

mod capacity;
mod directory;
mod doors;
mod figures;
mod guard;
mod load;
mod parts;
mod store;
mod tls;
mod usage;

use std::path::PathBuf;

use tempfile::TempDir;

use crate::steps::Failure;
use crate::workspace::{Profile, Workspace};
use figures::Figures;
use load::Generators;

/// What to measure and how to tell it.
pub(crate) struct Options {
    /// The directory's loading, changes and imports in place of the contact token.
    pub(crate) directory: bool,
    /// What checking a token costs, in a guard and when the server is asked, in place of the contact token.
    pub(crate) guard: bool,
    /// What TLS, certificates and assertions cost, and an attack, in place of the contact token.
    pub(crate) tls: bool,
    /// What a token costs at each door, in place of the contact token.
    pub(crate) doors: bool,
    /// One JSON object on standard output in place of the table.
    pub(crate) json: bool,
    /// So many tokens, and what grew.
    pub(crate) tokens: Option<u64>,
    /// One short run of each.
    pub(crate) short: bool,
}

/// What every measurement needs.
struct Bench {
    server: PathBuf,
    floor: PathBuf,
    generators: Generators,
    cores: Cores,
    /// On the disk of the build folder: a folder in memory would make every sync free.
    folder: TempDir,
    short: bool,
}

/// Where the server and where the load generator runs.
struct Cores {
    server: String,
    generator: String,
    all: String,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Failure> {
    let bench = Bench {
        server: workspace.server(Profile::Release)?,
        floor: workspace.floor(Profile::Release)?,
        // These two measure with a generator of our own.
        generators: match options.tls || options.doors {
            true => Generators::none()?,
            false => Generators::find(workspace)?,
        },
        cores: Cores::choose()?,
        folder: folder(workspace)?,
        short: options.short,
    };
    if bench.short {
        eprintln!("short: to see that it works; the figures are no figures");
    }
    let mut figures = Figures::default();
    match options.tokens {
        _ if options.directory => directory::measure(&bench, &mut figures)?,
        _ if options.guard => guard::measure(workspace, &bench, &mut figures)?,
        _ if options.tls => tls::measure(&bench, &mut figures)?,
        _ if options.doors => doors::measure(&bench, &mut figures)?,
        Some(tokens) => capacity::grow(&bench, tokens, &mut figures)?,
        None => capacity::measure(&bench, &mut figures)?,
    }
    let pages = [
        (options.directory, "bench-directory.md"),
        (options.guard, "bench-guard.md"),
        (options.tls, "bench-tls.md"),
        (options.doors, "bench-doors.md"),
    ];
    let page = pages.iter().find(|(chosen, _)| *chosen).map_or("bench.md", |(_, page)| page);
    let page = workspace.target().join(page);
    std::fs::write(&page, figures.markdown())
        .map_err(|error| Failure::wrong(format!("{}: {error}", page.display())))?;
    if options.json {
        println!("{}", figures.json());
    } else {
        println!("\n{}\nfor docs/performance.md: {}", figures.table(), page.display());
    }
    Ok(())
}

fn folder(workspace: &Workspace) -> Result<TempDir, Failure> {
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(workspace.target());
    folder.map_err(|error| Failure::wrong(format!("no throw-away folder in the build folder: {error}")))
}

impl Cores {
    /// The first core that this process may use for the server, the next for the generator.
    fn choose() -> Result<Self, Failure> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        match list.map(listed).unwrap_or_default()[..] {
            [server, generator, ..] => Ok(Self {
                server: server.to_string(),
                generator: generator.to_string(),
                all: format!("{server},{generator}"),
            }),
            _ => Err(Failure::Missing {
                what: "the bench needs two cores, one for the load generator".to_owned(),
                get: None,
            }),
        }
    }
}

/// Reads the kernel's way to list cores, as in `0-3,8`.
fn listed(text: &str) -> Vec<u32> {
    let number = |text: &str| text.trim().parse::<u32>().ok();
    text.split(',')
        .filter_map(|part| match part.split_once('-') {
            Some((first, last)) => Some(number(first)?..=number(last)?),
            None => number(part).map(|one| one..=one),
        })
        .flatten()
        .collect()
}

/// The middle one; of an even number the upper of the two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_read_as_the_kernel_lists_them() {
        assert_eq!(listed("\t0-1"), [0, 1]);
        assert_eq!(listed("3,5-6"), [3, 5, 6]);
        assert!(listed("").is_empty());
    }

    #[test]
    fn one_wild_run_does_not_move_the_median() {
        assert!((median(vec![2.0, 1000.0, 1.0]) - 2.0).abs() < f64::EPSILON);
    }
}
