//! Steps of a run: what each came to, how long it took, and the table at the end.

use std::fmt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What a check came to: a few words on what it saw, or why it did not pass.
pub(crate) type Verdict = Result<String, Failure>;

/// Why a command or a step did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It ran and something is wrong.
    Wrong(String),
    /// It could not run here; `get` is the one command that gets what is missing, when there is one.
    Missing { what: String, get: Option<String> },
    /// Somebody asked to leave it out, or something earlier took away its ground.
    LeftOut(String),
}

impl Failure {
    pub(crate) fn wrong(what: impl Into<String>) -> Self {
        Self::Wrong(what.into())
    }

    pub(crate) fn missing(what: impl Into<String>, get: impl Into<String>) -> Self {
        Self::Missing { what: what.into(), get: Some(get.into()) }
    }

    /// 1 for what is wrong, 4 for what can't be had here: the codes of `procura` itself.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Wrong(_) => ExitCode::FAILURE,
            Self::Missing { .. } | Self::LeftOut(_) => ExitCode::from(4),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(what) | Self::LeftOut(what) | Self::Missing { what, get: None } => {
                out.write_str(what)
            }
            Self::Missing { what, get: Some(get) } => write!(out, "{what}; get it with: {get}"),
        }
    }
}

/// The steps so far. A step that fails does not stop the next.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: &'static str,
    verdict: Verdict,
    took: Duration,
}

impl Steps {
    /// Runs one step and tells its result; whether it passed.
    pub(crate) fn run(&mut self, name: &'static str, step: impl FnOnce() -> Verdict) -> bool {
        println!("\n== {name}");
        let begin = now();
        let verdict = step();
        let step = Step { name, verdict, took: now().duration_since(begin) };
        println!("== {name}: {} in {:.1} s{}", step.word(), step.took.as_secs_f64(), step.remark());
        let passed = step.verdict.is_ok();
        self.done.push(step);
        passed
    }

    /// Prints the table and, as the very last line, the counts; the exit code of the whole run.
    pub(crate) fn finish(self) -> ExitCode {
        println!("\n{}", self.table());
        println!("{}", self.counts());
        if self.count("failed") == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn table(&self) -> String {
        let width = self.done.iter().map(|step| step.name.len()).max().unwrap_or(0);
        let rows = self.done.iter().map(|step| {
            let seconds = step.took.as_secs_f64();
            format!("{:width$}  {:7}  {seconds:7.1} s{}\n", step.name, step.word(), step.remark())
        });
        rows.collect()
    }

    fn counts(&self) -> String {
        let [passed, failed, skipped] = ["passed", "failed", "skipped"].map(|word| self.count(word));
        format!("{passed} passed, {failed} failed, {skipped} skipped")
    }

    fn count(&self, word: &str) -> usize {
        self.done.iter().filter(|step| step.word() == word).count()
    }
}

impl Step {
    fn word(&self) -> &'static str {
        match self.verdict {
            Ok(_) => "passed",
            Err(Failure::Wrong(_)) => "failed",
            Err(Failure::Missing { .. } | Failure::LeftOut(_)) => "skipped",
        }
    }

    fn remark(&self) -> String {
        match &self.verdict {
            Ok(note) if note.is_empty() => String::new(),
            Ok(note) => format!("  {note}"),
            Err(failure) => format!("  {failure}"),
        }
    }
}

/// The monotonic clock, for durations that are printed and for deadlines.
#[expect(clippy::disallowed_methods, reason = "a runner of commands decides nothing by the time it reads")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_step_is_counted_and_the_next_one_still_runs() {
        let mut steps = Steps::default();
        assert!(!steps.run("first", || Err(Failure::wrong("broken"))));
        assert!(steps.run("second", || Ok("3 things".to_owned())));
        assert!(!steps.run("third", || Err(Failure::missing("no such tool", "get tool"))));
        assert_eq!(steps.counts(), "1 passed, 1 failed, 1 skipped");
        assert_eq!(steps.finish(), ExitCode::FAILURE);
    }

    #[test]
    fn the_table_names_what_was_skipped_and_the_command_that_gets_it() {
        let mut steps = Steps::default();
        steps.run("node", || Err(Failure::missing("no node", "apt-get install nodejs")));
        assert!(steps.table().contains("no node; get it with: apt-get install nodejs"), "{}", steps.table());
        assert_eq!(steps.finish(), ExitCode::SUCCESS);
    }
}
