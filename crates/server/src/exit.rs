//! How a command ends: what it tells whoever started it, by exit code and by one sentence.

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// What every command returns.
pub(crate) type Outcome = Result<(), Failure>;

/// A command that did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    text: String,
}

/// Whose move it is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whoever read the output has gone away (`| head`): the rest is not wanted.
    Unread = 0,
    /// What was asked is refused, or what it names is not there.
    Refused = 1,
    /// The command line or the configuration has to change.
    Usage = 2,
    /// Something on disk is not what was written there.
    Integrity = 3,
    /// It can't be done now: locked, full, unreachable, or a fault of ours.
    Unavailable = 4,
}

impl Failure {
    /// Refused or not found: exit code 1.
    pub(crate) fn refused(text: impl fmt::Display) -> Failure {
        Failure::new(Kind::Refused, &text)
    }

    /// Usage or configuration: exit code 2.
    pub(crate) fn usage(text: impl fmt::Display) -> Failure {
        Failure::new(Kind::Usage, &text)
    }

    /// Integrity: exit code 3.
    pub(crate) fn integrity(text: impl fmt::Display) -> Failure {
        Failure::new(Kind::Integrity, &text)
    }

    /// Unavailable: exit code 4.
    pub(crate) fn unavailable(text: impl fmt::Display) -> Failure {
        Failure::new(Kind::Unavailable, &text)
    }

    /// Nobody reads the output any more: no failure, and nothing more to do.
    pub(crate) fn unread() -> Failure {
        Failure::new(Kind::Unread, &"")
    }

    fn new(kind: Kind, text: &impl fmt::Display) -> Failure {
        Failure { kind, text: text.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

/// Tells the outcome on standard error and gives the exit code.
pub(crate) fn report(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) | Err(Failure { kind: Kind::Unread, .. }) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody may be listening; there is no one else to tell.
            let _ = writeln!(io::stderr(), "procura: {failure}");
            ExitCode::from(failure.kind as u8)
        }
    }
}
