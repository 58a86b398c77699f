//! `cargo xtask fuzz TARGET`: libFuzzer on one of the targets, guided by coverage.
//!
//! The instrumentation is switched on by flags that the pinned toolchain takes, so no nightly and no
//! other tool is needed. There is no address sanitizer: the workspace forbids `unsafe`, and what is
//! looked for are panics, endless loops and memory without bound.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::process::{self, ask};
use crate::steps::{Failure, Verdict};
use crate::workspace::Workspace;

/// Coverage that libFuzzer reads, and checks that a release build would leave out.
const FLAGS: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1 -Cdebug-assertions=on -Coverflow-checks=on --cfg=fuzzing";

/// Builds the target and runs it on its seeds and on what earlier runs found. Without `seconds` it goes
/// on until it finds something or is interrupted.
pub(crate) fn run(workspace: &Workspace, target: &str, seconds: Option<u64>) -> Verdict {
    let targets = targets(workspace);
    if !targets.iter().any(|known| known == target) {
        let known = targets.join(", ");
        return Err(Failure::wrong(format!("there is no target {target:?}; there are: {known}")));
    }
    let program = build(workspace, target)?;
    let corpus = folder(workspace, "corpus", target)?;
    let artifacts = folder(workspace, "artifacts", target)?;
    let mut fuzzer = Command::new(program);
    fuzzer.arg(format!("-artifact_prefix={}/", artifacts.display()));
    fuzzer.args(["-max_len=65536", "-timeout=10", "-rss_limit_mb=2048"]);
    if let Some(seconds) = seconds {
        fuzzer.arg(format!("-max_total_time={seconds}"));
    }
    let seeds = workspace.root().join("fuzz/seeds").join(target);
    process::run(fuzzer.arg(&corpus).arg(seeds)).map_err(|_| {
        Failure::wrong(format!("{target}: the input that failed is in {}", artifacts.display()))
    })?;
    Ok(format!("{target}: nothing found; the corpus is in {}", corpus.display()))
}

fn targets(workspace: &Workspace) -> Vec<String> {
    let files = fs::read_dir(workspace.root().join("fuzz/fuzz_targets"));
    let mut names: Vec<String> = files
        .map(|files| {
            let stems = files.flatten().filter_map(|file| file.path().file_stem().map(ToOwned::to_owned));
            stems.map(|stem| stem.to_string_lossy().into_owned()).collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}

fn build(workspace: &Workspace, target: &str) -> Result<PathBuf, Failure> {
    // Naming the host keeps the flags from build scripts and procedural macros.
    let version = ask(workspace.cargo().arg("-vV"));
    let host = version.as_deref().and_then(|text| text.lines().find_map(|line| line.strip_prefix("host: ")));
    let host = host.ok_or_else(|| Failure::wrong("cargo -vV does not say what the host is"))?;
    let folder = workspace.target().join("fuzz");
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--release", "--package", "procura-fuzz", "--features", "libfuzzer"]);
    cargo.args(["--bin", target, "--target", host, "--target-dir"]).arg(&folder);
    // Thin LTO would run the coverage pass a second time.
    cargo.env("RUSTFLAGS", FLAGS).env("CARGO_PROFILE_RELEASE_LTO", "off");
    process::run(&mut cargo)?;
    Ok(folder.join(host).join("release").join(target))
}

fn folder(workspace: &Workspace, kind: &str, target: &str) -> Result<PathBuf, Failure> {
    let folder = workspace.root().join("fuzz").join(kind).join(target);
    fs::create_dir_all(&folder).map_err(|error| Failure::wrong(format!("{}: {error}", folder.display())))?;
    Ok(folder)
}
