//! What a refusal missed, in sentences for an operator. A caller never sees them.

use procura_store::journal::{Missed, RefusalCause};

/// Why the request was refused, and what would change it.
pub const fn cause(cause: RefusalCause) -> &'static str {
    match cause {
        RefusalCause::NotTrusted => {
            "The application is not flagged trusted. To change it: procura application update APP --trusted true"
        }
        RefusalCause::MalformedContact => {
            "The contact id in the path can't be one: 1 to 64 letters, digits, '.', '_' or '-'."
        }
        RefusalCause::Target => {
            "The resource asked for is unknown, disabled, or not registered for this application."
        }
        RefusalCause::UnknownContact => "No contact has the id that was asked for.",
        RefusalCause::DisabledContact => "The contact is disabled.",
        RefusalCause::NoMandate => "The contact has no mandate for any client.",
        RefusalCause::NoClientLeft => "Each client of the contact missed a part of the rule.",
        RefusalCause::ClientNotAllowed => {
            "The request named a client in `clients` that the rule does not leave for this contact."
        }
        RefusalCause::NothingInScope => {
            "None of the permissions named in `scope` is held for any of the clients."
        }
        RefusalCause::TooManyClients => {
            "More than 64 clients were left. The partner must name those that it needs in `clients`."
        }
        RefusalCause::TooLong => {
            "The access token would be longer than [tokens] max_access_token_bytes allows. The partner must \
             name the clients that it needs in `clients`."
        }
    }
}

/// What a client of the contact missed.
pub const fn missed(part: Missed) -> &'static str {
    match part {
        Missed::ClientInactive => "A client's status is not Active.",
        Missed::MandateSuspended => "A mandate is suspended.",
        Missed::MandateNotYet => "A mandate has not begun.",
        Missed::MandateOver => "A mandate is over.",
        Missed::NoTrust => "A client gave this application no trust.",
        Missed::TrustWithdrawn => "A client's trust in this application was withdrawn.",
        Missed::TrustNotYet => "A client's trust in this application has not begun.",
        Missed::TrustOver => "A client's trust in this application is over.",
        Missed::NotCovered => {
            "A client's trust in this application names contacts, and this one is not among them."
        }
    }
}
