//! What went wrong below, as a command tells it. Causes are told whole: an operator reads them, and no
//! caller.

use std::error::Error;

use procura_storage::OpenError;
use procura_storage::journal::JournalError;
use procura_storage::keys::KeyError;
use procura_storage::keys::encryption::EncryptionError;
use procura_store::administration::StoreError;

use crate::exit::Failure;

/// The directory failed.
pub(crate) fn store_failed(error: &StoreError) -> Failure {
    match error {
        StoreError::Damaged(_) => Failure::integrity(whole(error)),
        StoreError::Busy
        | StoreError::Full
        | StoreError::NumbersExhausted
        | StoreError::NotInForce
        | StoreError::Failed(_) => Failure::unavailable(whole(error)),
    }
}

/// The directory could not be opened.
pub(crate) fn open_failed(error: &OpenError) -> Failure {
    match error {
        OpenError::Store(error) => store_failed(error),
        OpenError::File { .. } => Failure::unavailable(error),
        OpenError::Missing { .. }
        | OpenError::Exists { .. }
        | OpenError::OpenToOthers { .. }
        | OpenError::NewerSchema { .. } => Failure::usage(error),
    }
}

/// The journal failed.
pub(crate) fn journal_failed(error: &JournalError) -> Failure {
    match error {
        JournalError::Integrity(_) | JournalError::OtherKey { .. } => Failure::integrity(whole(error)),
        _ => Failure::unavailable(whole(error)),
    }
}

/// A key could not be made, kept or opened.
pub(crate) fn key_failed(error: &KeyError) -> Failure {
    match error {
        KeyError::Store(error) => store_failed(error),
        KeyError::Encryption(EncryptionError::Io { .. }) | KeyError::Overtaken => {
            Failure::unavailable(whole(error))
        }
        KeyError::Encryption(_) | KeyError::NotOpened { .. } | KeyError::FactNotOpened => {
            Failure::usage(whole(error))
        }
        KeyError::Crypto(_) | KeyError::Seal(_) | KeyError::Stopped => Failure::unavailable(whole(error)),
    }
}

/// An error with everything that caused it, unless it says so itself.
pub(crate) fn whole(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !told.contains(&text) {
            told.push_str(": ");
            told.push_str(&text);
        }
        cause = error.source();
    }
    told
}
