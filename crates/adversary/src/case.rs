//! A case: one attack, what must hold, and what that rests on.

use std::fmt;
use std::sync::Arc;

use crate::adapter::Door;
use crate::answer::Answer;
use crate::attempt::Attempt;

/// How a case ends. `Ok` means that what must hold holds.
pub(crate) type Verdict = Result<(), Stop>;

/// Why a case does not end well.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The adapter does not have what the case needs.
    Skip(String),
    /// What must hold does not.
    Fail {
        /// What was sent, in words.
        sent: String,
        /// What came.
        came: String,
    },
    /// The honest request was refused, so there was nothing to compare an attack with.
    Unshown {
        /// What was sent, in words.
        sent: String,
        /// What came.
        came: String,
    },
    /// No case can show anything until this is put right.
    Halt(String),
}

impl Stop {
    /// What must hold does not.
    pub(crate) fn fail(sent: impl fmt::Display, came: impl fmt::Display) -> Stop {
        Stop::Fail { sent: sent.to_string(), came: came.to_string() }
    }

    /// The honest request was answered otherwise than by what it asks for.
    pub(crate) fn unshown(sent: &str, answer: &Answer<'_>) -> Stop {
        if answer.status() == 429 {
            return Stop::Halt(format!(
                "{sent} was answered 429: switch the server's limits off for a run, or nothing is shown"
            ));
        }
        let came = format!("nothing was shown: the honest request was answered {}", answer.told());
        Stop::Unshown { sent: format!("the honest request: {sent}"), came }
    }

    /// Something of the adapter is missing.
    pub(crate) fn skip(why: impl fmt::Display) -> Stop {
        Stop::Skip(why.to_string())
    }
}

type Run = Arc<dyn Fn(&Attempt<'_>) -> Verdict + Send + Sync>;

/// One attack at one door.
pub struct Case {
    /// Its name: never changes, never means something else.
    pub id: String,
    /// What must hold, in one sentence.
    pub title: String,
    /// The clause, chapter or vulnerability that it rests on.
    pub source: &'static str,
    /// Where it goes in.
    pub door: Door,
    run: Run,
}

impl Case {
    /// Makes the attack.
    pub(crate) fn run(&self, attempt: &Attempt<'_>) -> Verdict {
        (self.run)(attempt)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A list of cases that grows.
#[derive(Default)]
pub(crate) struct Cases(pub(crate) Vec<Case>);

impl Cases {
    /// Adds an attack at each of these doors.
    pub(crate) fn at(
        &mut self,
        doors: &[Door],
        (id, title): (&str, &str),
        source: &'static str,
        run: impl Fn(&Attempt<'_>) -> Verdict + Send + Sync + 'static,
    ) {
        let run: Run = Arc::new(run);
        for door in doors {
            self.0.push(Case {
                id: format!("{id}-at-{}", door.suffix()),
                title: title.to_owned(),
                source,
                door: *door,
                run: Arc::clone(&run),
            });
        }
    }
}
